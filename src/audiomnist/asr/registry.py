"""The table of recognisers. An engine's libraries are imported when it is loaded, not before."""
# ruff: noqa: PLC0415 - that is what the imports inside functions are for

from collections.abc import Callable, Mapping

from audiomnist.asr.params import TranscribeParams
from audiomnist.asr.recognizer import Recogniser

Loader = Callable[[TranscribeParams], Recogniser]


def _whisper(params: TranscribeParams) -> Recogniser:
    from audiomnist.asr.whisper import WhisperRecogniser

    return WhisperRecogniser(params.whisper, params.hypotheses, params.model_path)


def _sphinx(params: TranscribeParams) -> Recogniser:
    from audiomnist.asr.sphinx import SphinxRecogniser

    return SphinxRecogniser(params.sphinx, params.hypotheses)


def _google(params: TranscribeParams) -> Recogniser:
    from audiomnist.asr.google import GoogleRecogniser

    return GoogleRecogniser(params.google, params.hypotheses)


ENGINES: Mapping[str, Loader] = {"whisper": _whisper, "sphinx": _sphinx, "google": _google}


def load(params: TranscribeParams) -> Recogniser:
    """Return the chosen recogniser, loaded; raises RecognitionError where that cannot be done."""
    return ENGINES[params.engine](params)
