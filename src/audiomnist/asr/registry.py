"""The recognizers by name. The libraries of an engine are imported when it is loaded."""
# ruff: noqa: PLC0415

from collections.abc import Callable, Mapping

from audiomnist.asr.params import TranscribeParams
from audiomnist.asr.recognizer import Recognizer

Loader = Callable[[TranscribeParams], Recognizer]


def _whisper(params: TranscribeParams) -> Recognizer:
    from audiomnist.asr.whisper import WhisperRecognizer

    return WhisperRecognizer(params.whisper, params.n_best, params.model_path)


def _sphinx(params: TranscribeParams) -> Recognizer:
    from audiomnist.asr.sphinx import SphinxRecognizer

    return SphinxRecognizer(params.sphinx, params.n_best)


def _google(params: TranscribeParams) -> Recognizer:
    from audiomnist.asr.google import GoogleRecognizer

    return GoogleRecognizer(params.google, params.n_best)


ENGINES: Mapping[str, Loader] = {"whisper": _whisper, "sphinx": _sphinx, "google": _google}


def load(params: TranscribeParams) -> Recognizer:
    """Return the loaded recognizer of `params.engine`; raises RecognitionError if it cannot be loaded."""
    return ENGINES[params.engine](params)
