"""A convolutional network over MFCCs taken as an image: coefficients by frames."""

from typing import Literal

from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from audiomnist.models.architecture import Architecture, Network
from audiomnist.models.sequences import CLASSES, pool, valid
from audiomnist.params import Section
from audiomnist.tensors import FeatureExamples, Scaling


class CnnParams(Section):
    """Section `models.cnn`.

    Attributes:
        channels: filters per layer.
        kernel: side of the square filters, in coefficients and frames.
        halve: how each layer halves both axes: by `stride`, or by `max` pooling after it.
        dropout: share of the pooled features set to zero in training.
        masked_fraction: longest of the two stretches of each clip that training hides, as a share of it.
    """

    channels: tuple[PositiveInt, ...] = Field(min_length=1)
    kernel: int = Field(ge=1, le=9)
    halve: Literal["stride", "max"]
    dropout: float = Field(ge=0, lt=1)
    masked_fraction: float = Field(ge=0, lt=1)


class Cnn(Network):
    """Layers of convolution, batch normalisation and ReLU; mean and maximum over time; one linear layer."""

    def __init__(self, params: CnnParams, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.scale = Scaling(mean, deviation, params.masked_fraction)
        channels = (1, *params.channels)
        self.layers = nn.ModuleList(
            _Layer(inputs, outputs, params) for inputs, outputs in zip(channels[:-1], params.channels, strict=True)
        )
        height = len(mean)
        for _ in params.channels:
            height = (height + 1) // 2
        features = 2 * height * params.channels[-1]
        self.classify = nn.Sequential(nn.Dropout(params.dropout), nn.Linear(features, CLASSES))

    def embed(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return features of MFCCs `(batch, coefficients, frames)`: mean and maximum of each channel and row."""
        image = self.scale(inputs, lengths).unsqueeze(1)  # (batch, 1, coefficients, frames)
        for layer in self.layers:
            image, lengths = layer(image, lengths)  # (batch, channels, rows, columns), halved each time
        columns = image.flatten(1, 2).transpose(1, 2)  # (batch, columns, channels * rows)
        return pool(columns, lengths)


class _Layer(nn.Module):
    """One convolution that halves both axes; zeros outside each clip's own frames go in."""

    def __init__(self, inputs: int, outputs: int, params: CnnParams) -> None:
        super().__init__()
        before = (params.kernel - 1) // 2
        self.margins = [before, params.kernel - 1 - before] * 2
        stride = 2 if params.halve == "stride" else 1
        self.convolve = nn.Conv2d(inputs, outputs, params.kernel, stride=stride, bias=False)
        self.normalise = nn.BatchNorm2d(outputs)
        self.pool = nn.MaxPool2d(2, ceil_mode=True) if params.halve == "max" else nn.Identity()

    def forward(self, image: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        inside = _masked(image, frames)
        activated = functional.relu(self.normalise(self.convolve(functional.pad(inside, self.margins))))
        return self.pool(_masked(activated, frames if self._pools else _halved(frames))), _halved(frames)

    @property
    def _pools(self) -> bool:
        return isinstance(self.pool, nn.MaxPool2d)


def _masked(image: Tensor, frames: Tensor) -> Tensor:
    return image * valid(frames, image.shape[3])[:, None, None, :].to(image.dtype)


def _halved(frames: Tensor) -> Tensor:
    return (frames + 1) // 2


def build(params: CnnParams, examples: FeatureExamples, files: list[str]) -> Cnn:
    """Return an untrained network, scaled by the statistics of the training files."""
    return Cnn(params, *examples.statistics(files))


ARCHITECTURE = Architecture(CnnParams, FeatureExamples, build)
