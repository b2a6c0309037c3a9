"""Conversion of waveforms to the audio type of the SpeechRecognition library."""

import numpy as np
from speech_recognition import AudioData

from audiomnist.audio.waveform import Waveform

_SAMPLE_BYTES = 2
_FULL_SCALE = 32768


def audio_data(waveform: Waveform, padding_s: float = 0.0) -> AudioData:
    """Return the waveform as 16-bit PCM at its sample rate, with silence added before and after it.

    Args:
        waveform: samples beyond [-1, 1] are clipped.
        padding_s: silence at each end, in seconds.
    """
    scaled = np.rint(waveform.samples * np.float32(_FULL_SCALE))
    pcm = np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2")
    silence = round(padding_s * waveform.sample_rate_hz)
    return AudioData(np.pad(pcm, silence).tobytes(), waveform.sample_rate_hz, _SAMPLE_BYTES)
