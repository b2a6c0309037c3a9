"""Google's web speech service through SpeechRecognition. Recordings leave the machine."""

import time
from collections.abc import Sequence
from http.client import HTTPException
from importlib.metadata import version
from typing import Any

from speech_recognition import AudioData
from speech_recognition import Recognizer as SpeechRecognizer
from speech_recognition.exceptions import RequestError, UnknownValueError

from audiomnist.asr.audio_data import audio_data
from audiomnist.asr.params import GoogleParams
from audiomnist.asr.recognizer import Hypothesis, Recognition, RecognitionError
from audiomnist.audio.waveform import Waveform

_TIMEOUT_S = 20
_WAITS_S = (1.0, 3.0)


class GoogleRecognizer:
    """Scores are the service's confidence, 0 to 1; it gives the best alternative one, the others 0."""

    engine = "google"
    weights_sha256 = None

    def __init__(self, params: GoogleParams, n_best: int) -> None:
        """Store the settings; no request is sent."""
        self.version = f"SpeechRecognition {version('SpeechRecognition')}"
        self._language = params.language
        self._n_best = n_best
        self._recognizer = SpeechRecognizer()
        self._recognizer.operation_timeout = _TIMEOUT_S

    def recognize(self, waveforms: Sequence[Waveform]) -> list[Recognition]:
        """Return one result per waveform, one request each; raises RecognitionError without network."""
        return [self._recognize(waveform) for waveform in waveforms]

    def _recognize(self, waveform: Waveform) -> Recognition:
        answer = self._answer(audio_data(waveform))
        alternatives = answer.get("alternative", []) if isinstance(answer, dict) else []
        hypotheses = [
            Hypothesis(alternative["transcript"], float(alternative.get("confidence", 0.0)))
            for alternative in alternatives
            if "transcript" in alternative
        ]
        return Recognition.of(hypotheses[: self._n_best])

    def _answer(self, audio: AudioData) -> Any:
        for wait_s in (*_WAITS_S, None):
            try:
                return self._recognizer.recognize_google(audio, language=self._language, show_all=True)
            except UnknownValueError:
                return {}
            except (RequestError, OSError, HTTPException) as error:
                if wait_s is None:
                    raise RecognitionError(
                        f"Google's speech service does not answer ({error}): check the network, or set "
                        "transcribe.engine to one that works offline (whisper, sphinx)"
                    ) from error
                time.sleep(wait_s)
        raise AssertionError  # the last attempt returns or raises
