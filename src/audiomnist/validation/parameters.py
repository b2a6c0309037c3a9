"""The whole of params.yaml, checked before any stage does anything."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from audiomnist.asr.params import TranscribeParams
from audiomnist.core import atomic, params
from audiomnist.core.digits import DIGIT_WORDS
from audiomnist.core.params import Section, SectionT
from audiomnist.corpus import manifest as manifests
from audiomnist.corpus.protocol_splits import ProtocolsParams
from audiomnist.corpus.splits import SplitParams
from audiomnist.features.params import FeatureParams
from audiomnist.ingest.params import DataParams
from audiomnist.models.params.cnn import CnnParams
from audiomnist.models.params.linear import BaselineParams
from audiomnist.models.params.lstm import LstmParams
from audiomnist.models.params.rnn import RnnParams
from audiomnist.robustness.conditions import RobustnessParams
from audiomnist.synthesis.corpus import VOICES
from audiomnist.synthesis.espeak import SynthesisError, speak
from audiomnist.synthesis.speakers import SyntheticSpeakersParams
from audiomnist.training.params import TrainParams
from audiomnist.validation.bounds import ValidateParams


class ModelsParams(Section):
    """Section `models`: a section per network, and one of the linear baseline."""

    cnn: CnnParams
    rnn: RnnParams
    lstm: LstmParams
    linear: BaselineParams


class Parameters(Section):
    """params.yaml.

    Attributes:
        model: the model that is reported and served.
        data: which recordings.
        gates: bounds of the data gates (in the file: `validate`).
        split: which clips train, choose and judge.
        features: the MFCC front end and the augmented copies.
        synthetic_speakers: synthetic voices to train with.
        transcribe: speech to text.
        train: how every network is trained.
        models: the networks, and the linear baseline.
        protocols: the longer evaluations.
        robustness: how clips are disturbed for one of them.
    """

    model: Literal["cnn", "rnn", "lstm"]
    data: DataParams
    gates: ValidateParams = Field(alias="validate")
    split: SplitParams
    features: FeatureParams
    synthetic_speakers: SyntheticSpeakersParams
    transcribe: TranscribeParams
    train: TrainParams
    models: ModelsParams
    protocols: ProtocolsParams
    robustness: RobustnessParams


def check(parameters: Path, manifest: Path, out: Path) -> None:
    """Read every section of params.yaml, and hold them against one another, the manifest and this machine.

    `out` is written only when there is none. Its content is always the same, so that nothing that hangs on
    it runs again because some parameter changed.

    Raises:
        ParamsError: tells all mistakes in one message.
        ManifestError: the manifest cannot be read.
    """
    content = params.read(parameters)
    found = [*params.errors(Parameters, content), *_contradictions(content, manifest)]
    if found:
        raise params.error(parameters, found)
    atomic.write_text(out, "params.yaml is valid\n")


def _contradictions(content: dict[str, Any], manifest: Path) -> list[str]:
    """Return what cannot be, of the sections that can be read."""
    data = _readable(content, "data", DataParams)
    split = _readable(content, "split", SplitParams)
    train = _readable(content, "train", TrainParams)
    voices = _readable(content, "synthetic_speakers", SyntheticSpeakersParams)
    found = _unheard(data, manifest) if data else []
    if data and split:
        found += _held_out_by_nobody(data, split)
    if voices and voices.count:
        found += _unspoken(voices)
    if train:
        found += _unavailable(train)
    return found


def _readable(content: dict[str, Any], name: str, model: type[SectionT]) -> SectionT | None:
    value = content.get(name)
    return None if params.errors(model, value) else model.model_validate(value)


def _unheard(data: DataParams, manifest: Path) -> list[str]:
    if data.source != "recordings":
        return []
    strangers = sorted(set(data.speakers) - {recording.speaker for recording in manifests.read(manifest)})
    return [f"data.speakers: {name} speaks in no recording of {manifest}" for name in strangers]


def _held_out_by_nobody(data: DataParams, split: SplitParams) -> list[str]:
    speakers, where = set(data.speakers), "data.speakers"
    if data.source == "synthetic":
        speakers, where = {voice.speaker for voice in VOICES}, "the voices of the synthetic corpus"
    if split.scheme != "speaker":
        return []
    if split.test_speaker not in speakers:
        return [f"split.test_speaker: {split.test_speaker!r} is not among {where} ({', '.join(sorted(speakers))})"]
    if split.max_train_speakers is not None and split.max_train_speakers >= len(speakers):
        return [f"split.max_train_speakers: beside {split.test_speaker} there are only {len(speakers) - 1} in {where}"]
    return []


def _unspoken(voices: SyntheticSpeakersParams) -> list[str]:
    found: list[str] = []
    for accent in voices.espeak_languages:
        try:
            speak(DIGIT_WORDS[0], accent)
        except SynthesisError as error:
            found.append(f"synthetic_speakers.espeak_languages: {error}")
    return found


def _unavailable(train: TrainParams) -> list[str]:
    if train.device != "cuda":
        return []
    from audiomnist.training import trainer  # noqa: PLC0415 - imports PyTorch, which takes seconds

    try:
        trainer.device(train.device)
    except trainer.FittingError as error:
        return [str(error)]
    return []
