"""Validation of all of params.yaml, before any stage runs.

Nothing here imports PyTorch, SciPy or pandas: the check takes a second.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from audiomnist.asr.params import TranscribeParams
from audiomnist.cascade.params import CascadeParams
from audiomnist.core import atomic, params
from audiomnist.core.digits import DIGIT_WORDS
from audiomnist.core.params import Section, SectionT
from audiomnist.corpus import manifest as manifests
from audiomnist.corpus.protocol_splits import ProtocolsParams
from audiomnist.corpus.splits import SplitParams
from audiomnist.features.params import FeatureParams
from audiomnist.ingest.params import DataParams
from audiomnist.logprobs.params import LogprobsParams
from audiomnist.models.params.cnn import CnnParams
from audiomnist.models.params.linear import BaselineParams
from audiomnist.models.params.lstm import LstmParams
from audiomnist.models.params.rnn import RnnParams
from audiomnist.models.params.whisper import WhisperHeadParams
from audiomnist.robustness.conditions import RobustnessParams
from audiomnist.synthesis.corpus import VOICES
from audiomnist.synthesis.espeak import SynthesisError, speak
from audiomnist.synthesis.speakers import SyntheticSpeakersParams
from audiomnist.training.params import TrainParams
from audiomnist.validation.bounds import ValidateParams


class ModelsParams(Section):
    """Section `models`: the networks, and the linear baseline."""

    cnn: CnnParams
    rnn: RnnParams
    lstm: LstmParams
    whisper: WhisperHeadParams
    cascade: CascadeParams
    linear: BaselineParams


class Parameters(Section):
    """All of params.yaml: the model that is reported and served, and the sections, each described by its class."""

    model: Literal["cnn", "rnn", "lstm", "whisper", "cascade"]
    data: DataParams
    gates: ValidateParams = Field(alias="validate")
    split: SplitParams
    features: FeatureParams
    synthetic_speakers: SyntheticSpeakersParams
    transcribe: TranscribeParams
    logprobs: LogprobsParams
    train: TrainParams
    models: ModelsParams
    protocols: ProtocolsParams
    robustness: RobustnessParams


def check(parameters: Path, manifest: Path, reviewed: Path, out: Path) -> None:
    """Validate every section of params.yaml, and their consistency with each other, the manifest and this machine.

    `out` always has the same content, so that no stage that depends on it runs again after a change of a parameter.

    Raises:
        ParamsError: lists all errors.
        ManifestError: the manifest, or that of the reviewed recordings, cannot be read.
    """
    manifests.read(reviewed)
    content = params.read(parameters)
    messages = [*params.errors(Parameters, content), *_inconsistencies(content, manifest)]
    if messages:
        raise params.error(parameters, messages)
    atomic.write_text(out, "params.yaml is valid\n")


def _inconsistencies(content: dict[str, Any], manifest: Path) -> Iterator[str]:
    """Yield the errors of sections that are valid by themselves."""
    data = _valid(content, "data", DataParams)
    split = _valid(content, "split", SplitParams)
    voices = _valid(content, "synthetic_speakers", SyntheticSpeakersParams)
    train = _valid(content, "train", TrainParams)
    if data:
        yield from _speaker_errors(data, split, manifest)
    if voices and voices.count:
        yield from _accent_errors(voices)
    if train and train.device == "cuda":
        from audiomnist.training import trainer  # noqa: PLC0415 - imports PyTorch, which takes seconds

        try:
            trainer.device(train.device)
        except trainer.FittingError as error:
            yield str(error)


def _valid(content: dict[str, Any], name: str, model: type[SectionT]) -> SectionT | None:
    try:
        return model.model_validate(content.get(name))
    except ValidationError:
        return None


def _speaker_errors(data: DataParams, split: SplitParams | None, manifest: Path) -> Iterator[str]:
    speakers, where = {voice.speaker for voice in VOICES}, "the voices of the synthetic corpus"
    if data.source == "recordings":
        listed = {recording.speaker for recording in manifests.read(manifest)}
        speakers, where = (listed, str(manifest)) if data.speakers is None else (set(data.speakers), "data.speakers")
        absent = sorted(speakers - listed)
        yield from (
            f"data.speakers: {name} speaks in no recording of {manifest} (null: all of its speakers)" for name in absent
        )
    if split and split.scheme == "speaker":
        yield from _held_out_errors(split, speakers, where)


def _held_out_errors(split: SplitParams, speakers: set[str], where: str) -> Iterator[str]:
    if split.test_speaker not in speakers:
        yield f"split.test_speaker: {split.test_speaker!r} is not among {where} ({', '.join(sorted(speakers))})"
    elif split.max_train_speakers is not None and split.max_train_speakers >= len(speakers):
        yield f"split.max_train_speakers: beside {split.test_speaker} there are only {len(speakers) - 1} in {where}"


def _accent_errors(voices: SyntheticSpeakersParams) -> Iterator[str]:
    for accent in voices.espeak_languages:
        try:
            speak(DIGIT_WORDS[0], accent)
        except SynthesisError as error:
            yield f"synthetic_speakers.espeak_languages: {error}"
