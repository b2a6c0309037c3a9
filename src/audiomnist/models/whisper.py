"""Linear head on the frozen recognizer Whisper: logistic regression on log-probabilities of its first token."""

from collections.abc import Mapping
from typing import Any, Self

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from audiomnist.core.digits import CLASSES
from audiomnist.core.errors import AudiomnistError
from audiomnist.logprobs.dataset import LogprobExamples
from audiomnist.models.common.base import Architecture, Network
from audiomnist.models.params.whisper import WhisperHeadParams

_MIN_STD = 1e-3
_MIN_DIGITS = 3
# Logit of a digit that no training clip has.
_ABSENT = -30.0


class HeadError(AudiomnistError):
    """The linear head cannot be fitted: there are too few digits, or the regression does not converge."""


class Whisper(Network):
    """Standardized log-probabilities and a linear layer, whose weights are those of a logistic regression."""

    classify: nn.Linear
    novelty_is_odds = True

    def __init__(self, params: WhisperHeadParams, tokens: int) -> None:
        super().__init__()
        self.params = params
        self.mean: Tensor = nn.Buffer(torch.zeros(tokens))
        self.std: Tensor = nn.Buffer(torch.ones(tokens))
        self.classify = nn.Linear(tokens, CLASSES)

    @classmethod
    def build(cls, params: WhisperHeadParams, input_spec: Mapping[str, Any]) -> Self:
        """Return an untrained network for the listed tokens of a recognizer."""
        return cls(params, len(input_spec["recognizer"]["tokens"]))

    def scale_by(self, inputs: Tensor, lengths: Tensor) -> None:
        """Set mean and standard deviation of each token's log-probability."""
        del lengths
        self.mean, self.std = inputs.mean(dim=0), inputs.std(dim=0).clamp(min=_MIN_STD)

    def embed(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Return standardized log-probabilities `(batch, tokens)`."""
        del lengths
        return (inputs - self.mean) / self.std

    def fit(self, inputs: Tensor, lengths: Tensor, labels: Tensor) -> bool:
        """Fit the weights by logistic regression; a digit that no clip has is improbable.

        Raises:
            HeadError: there are fewer than three digits, or the regression does not converge.
        """
        if len(set(labels.tolist())) < _MIN_DIGITS:
            raise HeadError(f"the training clips have fewer than {_MIN_DIGITS} digits: see split in params.yaml")
        regression = LogisticRegression(C=self.params.C, max_iter=self.params.max_iter)
        regression.fit(self.embed(inputs, lengths).double().numpy(), labels.numpy())
        if max(regression.n_iter_) >= self.params.max_iter:
            raise HeadError(
                f"the linear head does not converge in {self.params.max_iter} steps: raise models.whisper.max_iter, "
                "or lower models.whisper.C"
            )
        with torch.no_grad():
            self.classify.weight.zero_()[regression.classes_] = torch.from_numpy(regression.coef_).float()
            self.classify.bias.fill_(_ABSENT)[regression.classes_] = torch.from_numpy(regression.intercept_).float()
        return True


ARCHITECTURE = Architecture(WhisperHeadParams, LogprobExamples, Whisper.build)
