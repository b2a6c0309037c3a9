"""The linear head on Whisper: weights of a logistic regression, and the odds against its answer as novelty."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audiomnist.models.common.ood import OodClassifier
from audiomnist.models.params.whisper import WhisperHeadParams
from audiomnist.models.whisper import HeadError, Whisper

TOKENS = 15
INPUT: Mapping[str, Any] = {"recognizer": {"tokens": ["x"] * TOKENS}}
PARAMS = WhisperHeadParams(C=0.1, max_iter=1000, calibration_folds=2)


def clips(digits: range, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return log-probabilities of 20 clips of each digit, lengths, and digits."""
    draw = np.random.default_rng(seed)
    labels = np.repeat(list(digits), 20)
    values = draw.normal(-8, 2, (len(labels), TOKENS))
    values[np.arange(len(labels)), labels] += 6
    inputs = torch.from_numpy(values.astype(np.float32))
    return inputs, torch.full((len(labels),), TOKENS), torch.from_numpy(labels)


def fitted(digits: range, params: WhisperHeadParams = PARAMS) -> Whisper:
    """Return a head that is fitted to the clips of these digits."""
    inputs, lengths, labels = clips(digits)
    head = Whisper.build(params, INPUT)
    head.scale_by(inputs, lengths)
    assert head.fit(inputs, lengths, labels)
    return head.eval()


def test_the_head_is_a_logistic_regression_on_standardized_values() -> None:
    """As scikit-learn's own pipeline."""
    inputs, _, labels = clips(range(10))
    regression = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)).fit(inputs, labels)
    others, lengths, _ = clips(range(10), seed=1)
    with torch.inference_mode():
        found = fitted(range(10))(others, lengths).softmax(dim=1).numpy()
    np.testing.assert_allclose(found, regression.predict_proba(others), atol=2e-3)


def test_a_digit_without_training_clips_is_improbable() -> None:
    """It has a probability all the same."""
    inputs, lengths, _ = clips(range(3, 8), seed=1)
    with torch.inference_mode():
        found = fitted(range(3, 8))(inputs, lengths).softmax(dim=1)
    assert found[:, [0, 1, 2, 8, 9]].max() < 1e-6
    assert found[:, 3:8].sum(dim=1).min() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("digits", "max_iter", "message"),
    [
        (range(2), 1000, "fewer than 3 digits"),
        (range(10), 2, r"does not converge in 2 steps: .*models\.whisper\.max_iter"),
    ],
)
def test_a_head_that_cannot_be_fitted_is_an_error(digits: range, max_iter: int, message: str) -> None:
    """It says what to change."""
    with pytest.raises(HeadError, match=message):
        fitted(digits, WhisperHeadParams(C=10.0, max_iter=max_iter, calibration_folds=2))


def test_novelty_is_the_odds_against_the_answer() -> None:
    """No distance is fitted, and the classifier is restored without one."""
    head = fitted(range(10))
    inputs, lengths, labels = clips(range(10), seed=1)
    classifier = OodClassifier.fitted(head, head.embed(inputs, lengths), labels)
    assert classifier.distance is None
    with torch.inference_mode():
        logits, novelty = classifier(inputs, lengths)
        largest = logits.softmax(dim=1).amax(dim=1)
    np.testing.assert_allclose(novelty, (1 - largest) / largest, atol=1e-5)
    assert not [name for name in classifier.state_dict() if name.startswith("distance")]
