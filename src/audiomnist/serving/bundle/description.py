"""A model as it is served: an ONNX graph and a description in JSON, checked before use.

`bundle.json` says what goes in (waveforms or tokens, and how they are prepared), what comes out, what
the model was trained on, and the SHA-256 that the graph must have. Nothing here unpickles, and
nothing needs PyTorch.
"""

import hashlib
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from audiomnist.core import atomic
from audiomnist.core.errors import AudiomnistError
from audiomnist.corpus.info import Dataset
from audiomnist.serving.bundle.reference import Reference

DESCRIPTION = "bundle.json"
GRAPH = "model.onnx"
OUTPUTS = ("logits", "novelty")
_SCHEMA_VERSION: Final = 2
LABELS = tuple(str(digit) for digit in range(10))


class BundleError(AudiomnistError):
    """A bundle is absent, altered, damaged, or of a version that this program does not know."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Preparation(_Part):
    """How a recording is prepared before the graph: the part of the front end that is not in the graph."""

    sample_rate_hz: int
    win_length: int
    trim_top_db: float
    max_duration_s: float


class WaveformInput(_Part):
    """The graph takes waveforms; `front_end` records every parameter of the MFCCs inside it."""

    kind: Literal["waveform"] = "waveform"
    front_end: dict[str, Any]

    @model_validator(mode="after")
    def _can_be_prepared(self) -> "WaveformInput":
        missing = [name for name in Preparation.model_fields if name not in self.front_end]
        if missing:
            raise ValueError(f"front_end lacks {', '.join(missing)}")
        return self

    @property
    def preparation(self) -> Preparation:
        """The parameters that the scorer itself needs."""
        return Preparation(**{name: self.front_end[name] for name in Preparation.model_fields})


class TranscriptInput(_Part):
    """The graph takes token ids of what this recognizer heard."""

    kind: Literal["transcript"] = "transcript"
    recognizer: dict[str, Any]


class Calibration(_Part):
    """How logits and novelty become probabilities and `ood_score`: see `audiomnist.training.calibration`."""

    temperature: float = Field(gt=0)
    ood_median: float
    ood_p95: float

    @model_validator(mode="after")
    def _ascending(self) -> "Calibration":
        if self.ood_p95 <= self.ood_median:
            raise ValueError("ood_p95 must lie above ood_median")
        return self


class Training(_Part):
    """What training says of a model: the content of `bundle.json` beside its weights."""

    schema_version: Literal[2] = _SCHEMA_VERSION
    model: str
    labels: tuple[str, ...] = LABELS
    input: WaveformInput | TranscriptInput = Field(discriminator="kind")
    dataset: Dataset
    split: dict[str, Any]
    synthetic_voices: dict[str, Any] | None = None
    parameters: dict[str, Any]
    calibration: Calibration
    reference: Reference


class Description(Training):
    """The content of `bundle.json` beside the graph that is served."""

    graph_sha256: str
    metrics: dict[str, Any] | None = None


_Kind = TypeVar("_Kind", bound=Training)


def describe(folder: Path) -> tuple[Description, str]:
    """Return the description, and the bundle's version: the SHA-256 of its `bundle.json`."""
    text = _read(folder / DESCRIPTION)
    return _parsed(Description, text, folder), hashlib.sha256(text).hexdigest()


def describe_training(folder: Path) -> Training:
    """Return the description of a trained model."""
    return _parsed(Training, _read(folder / DESCRIPTION), folder)


def _parsed(kind: type[_Kind], text: bytes, folder: Path) -> _Kind:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise BundleError(
            f"{folder / DESCRIPTION} is no description that this program reads (version {_SCHEMA_VERSION}): "
            f"{_first_mistake(error)}. dvc checkout or dvc repro brings one"
        ) from error


def _first_mistake(error: ValidationError) -> str:
    mistake = error.errors(include_url=False)[0]
    where = ".".join(map(str, mistake["loc"]))
    return f"{where}: {mistake['msg']}" if where else mistake["msg"]


def write_description(folder: Path, description: Training) -> None:
    """Write `bundle.json`."""
    atomic.write_text(folder / DESCRIPTION, description.model_dump_json(indent=2) + "\n")


def read_graph(folder: Path, description: Description) -> bytes:
    """Return the graph, having checked it against the description; raises BundleError if it is another."""
    graph = _read(folder / GRAPH)
    actual = hashlib.sha256(graph).hexdigest()
    if actual != description.graph_sha256:
        raise BundleError(
            f"{folder / GRAPH} is not the file that {DESCRIPTION} speaks of (SHA-256 {actual}, expected "
            f"{description.graph_sha256}): restore it with git checkout or dvc checkout"
        )
    return graph


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"no model bundle in {path.parent}: {error}. dvc checkout or dvc repro brings it") from error
