"""Description of a model bundle: `bundle.json`.

It defines the input of the graph (waveforms, tokens or log-probabilities, and their preparation), its labels and
calibration, what the model was trained on, and the SHA-256 of the graph. Reading it needs neither pickle nor PyTorch.
"""

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from audiomnist.core import atomic
from audiomnist.core.digits import CLASSES
from audiomnist.core.errors import AudiomnistError
from audiomnist.core.frozen_model import FrozenModel, first_error
from audiomnist.corpus.info import Dataset
from audiomnist.serving.bundle.reference import Reference

DESCRIPTION = "bundle.json"
GRAPH = "model.onnx"
OUTPUTS = ("logits", "novelty")
CASCADE: Final = "cascade"
_SCHEMA_VERSION: Final = 3  # of the description and of the preparation of inputs in `audio.waveform`
_OF_ANOTHER_VERSION = (
    "This program describes models or prepares sounds otherwise than the one that wrote it: make it again with dvc "
    "repro, or score with the program of its commit"
)
_ROUNDING = 1e-6
_JSON_OBJECT = TypeAdapter(dict[str, Any])
LABELS = tuple(str(digit) for digit in range(CLASSES))


class BundleError(AudiomnistError):
    """A bundle is absent, altered, damaged, or of an unknown version."""


class Preparation(FrozenModel):
    """Parameters of the front end that are applied before the graph: preparation and batching of waveforms."""

    sample_rate_hz: int
    win_length: int
    hop_length: int
    trim_top_db: float
    max_duration_s: float


class WaveformInput(FrozenModel):
    """Input of a graph that takes waveforms; `front_end` has all parameters of its MFCCs, and of `Preparation`."""

    kind: Literal["waveform"] = "waveform"
    front_end: dict[str, Any]

    @model_validator(mode="after")
    def _has_preparation(self) -> "WaveformInput":
        missing = Preparation.model_fields.keys() - self.front_end.keys()
        if missing:
            raise ValueError(f"front_end lacks {', '.join(sorted(missing))}")
        return self

    @property
    def preparation(self) -> Preparation:
        """The parameters that are applied before the graph."""
        return Preparation(**{name: self.front_end[name] for name in Preparation.model_fields})


class TranscriptInput(FrozenModel):
    """Input of a graph that takes token ids of the hypotheses of this speech recognizer."""

    kind: Literal["transcript"] = "transcript"
    recognizer: dict[str, Any]


class LogprobsInput(FrozenModel):
    """Input of a graph that takes log-probabilities of the first token of this recognizer: see `asr.first_token`."""

    kind: Literal["logprobs"] = "logprobs"
    recognizer: dict[str, Any]

    @model_validator(mode="after")
    def _has_tokens(self) -> "LogprobsInput":
        if not isinstance(tokens := self.recognizer.get("tokens"), list) or not tokens:
            raise ValueError("recognizer lacks a list of tokens")
        return self


class Calibration(FrozenModel):
    """Parameters that turn logits and novelty into probabilities and `ood_score`.

    See `audiomnist.training.calibration`.
    """

    temperature: float = Field(gt=0)
    ood_median: float
    ood_p95: float

    @model_validator(mode="after")
    def _ascending(self) -> "Calibration":
        if self.ood_p95 <= self.ood_median:
            raise ValueError("ood_p95 must be greater than ood_median")
        return self


class Training(FrozenModel):
    """Description of a trained model: the content of `bundle.json` beside its weights."""

    schema_version: Literal[3] = _SCHEMA_VERSION
    model: str
    labels: tuple[str, ...] = LABELS
    input: WaveformInput | TranscriptInput | LogprobsInput = Field(discriminator="kind")
    dataset: Dataset
    split: dict[str, Any]
    synthetic_voices: dict[str, Any] | None = None
    parameters: dict[str, Any]
    calibration: Calibration
    reference: Reference


class Description(Training):
    """Description of a served model: the content of `bundle.json` beside its graph."""

    graph_sha256: str
    metrics: dict[str, Any] | None = None


class Rule(FrozenModel):
    """When a cascade asks its second model, and how it fuses both: see `audiomnist.serving.fusion`.

    Attributes:
        weights: of the first and the second model; their sum is 1.
        temperature: T, which the weights leave open.
        threshold: of the first model's confidence.
    """

    weights: tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]]
    temperature: float = Field(gt=0)
    threshold: float = Field(ge=0)

    @model_validator(mode="after")
    def _weights_a_model(self) -> "Rule":
        if not math.isclose(sum(self.weights), 1, abs_tol=_ROUNDING):
            raise ValueError("the sum of the weights must be 1")
        return self


class CascadeDescription(FrozenModel):
    """Description of a served cascade: the content of `bundle.json` beside the bundles of its members.

    Attributes:
        members: the SHA-256 of each member's `bundle.json`, by its name, which is its folder's; that of the model which
            is asked first comes first.
        rule: when the second model is asked, and how both are fused.
        parameters: the section `models.cascade`.
        dataset: what both members were trained on; also `split`.
        reference: that of the first member.
    """

    schema_version: Literal[3] = _SCHEMA_VERSION
    model: Literal["cascade"] = CASCADE
    members: dict[Annotated[str, Field(pattern=r"^\w+$")], str] = Field(min_length=2, max_length=2)
    rule: Rule
    parameters: dict[str, Any]
    dataset: Dataset
    split: dict[str, Any]
    reference: Reference
    metrics: dict[str, Any] | None = None


_DescribedT = TypeVar("_DescribedT", bound=FrozenModel)


def describe(folder: Path) -> tuple[Description, str]:
    """Return the description of a served model, and the bundle's version: the SHA-256 of its `bundle.json`."""
    return _parse(folder, lambda _: Description)


def describe_served(folder: Path) -> tuple[Description | CascadeDescription, str]:
    """Return the description of a served model or cascade, and the SHA-256 of its `bundle.json`."""
    return _parse(folder, lambda content: CascadeDescription if content.get("model") == CASCADE else Description)


def describe_training(folder: Path) -> Training:
    """Return the description of a trained model."""
    return _parse(folder, lambda _: Training)[0]


def _parse(folder: Path, kind: Callable[[dict[str, Any]], type[_DescribedT]]) -> tuple[_DescribedT, str]:
    """Return the description, of the kind that its content has, and its SHA-256."""
    text = _read(folder / DESCRIPTION)
    try:
        content = _JSON_OBJECT.validate_json(text)
        return kind(content).model_validate(content), hashlib.sha256(text).hexdigest()
    except ValidationError as error:
        fault = first_error(error)
        remedy = _OF_ANOTHER_VERSION if fault.startswith("schema_version") else f"Restore it: {how_to_restore(folder)}"
        raise BundleError(
            f"{folder / DESCRIPTION} is not a bundle description of version {_SCHEMA_VERSION}: {fault}. {remedy}"
        ) from error


def write_description(folder: Path, description: Training | CascadeDescription) -> None:
    """Write `bundle.json`."""
    atomic.write_text(folder / DESCRIPTION, description.model_dump_json(indent=2) + "\n")


def read_graph(folder: Path, description: Description) -> bytes:
    """Return the graph; raises BundleError if its hash differs from the described one."""
    graph = _read(folder / GRAPH)
    actual = hashlib.sha256(graph).hexdigest()
    if actual != description.graph_sha256:
        raise BundleError(
            f"{folder / GRAPH} is not the file that {DESCRIPTION} describes (SHA-256 {actual}, expected "
            f"{description.graph_sha256}). Restore it: {how_to_restore(folder)}"
        )
    return graph


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(
            f"no model bundle in {path.parent}: {error}. Restore it: {how_to_restore(path.parent)}"
        ) from error


def how_to_restore(folder: Path) -> str:
    """Return what brings a bundle back: the selected one is in git, that of the wheel in it, the others in DVC."""
    commands = {"selected": f"git checkout HEAD -- {folder}", "served_model": "install audiomnist again"}
    return commands.get(folder.name) or commands.get(folder.parent.name, "dvc checkout, or dvc repro")
