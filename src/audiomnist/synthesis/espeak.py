"""Speech synthesis with the C library of eSpeak NG.

eSpeak NG has a pitch-flutter clock that no call resets. Each utterance therefore loads the library again (about 5 ms),
so that the same arguments give the same samples, in any order and any process.
"""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import espeakng_loader
import numpy as np

from audiomnist.audio.waveform import Samples, Waveform
from audiomnist.core.errors import AudiomnistError

# From espeak-ng/speak_lib.h.
_SYNCHRONOUS, _DONT_EXIT = 2, 0x8000
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_BY_CHARACTER, _UTF8 = 1, 1
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)

_VARIANTS = Path(espeakng_loader.get_data_path(), "voices", "!v")

_LOCK = threading.Lock()


class SynthesisError(AudiomnistError):
    """eSpeak NG cannot be loaded, or does not have a voice."""


def speak(
    text: str, voice: str, *, rate_wpm: int = 175, pitch: int = 50, pitch_range: int = 50, seed: int = 0
) -> Waveform:
    """Return the speech for `text` at the sample rate of eSpeak NG (22,050 Hz), with silence at the ends.

    Args:
        text: the words.
        voice: name of a language in eSpeak NG (`en` is British, `en-us`), optionally with a variant (`en-us+f3`).
        rate_wpm: speaking rate, in words per minute, 80 to 450.
        pitch: 0 to 99; 50 is the default of the voice.
        pitch_range: variation of the pitch, 0 (monotone) to 99.
        seed: seed of the noise in consonants and breath, >= 0.

    Raises:
        SynthesisError: eSpeak NG cannot be loaded, or does not have this voice.
    """
    settings = {_RATE: rate_wpm, _VOLUME: 100, _PITCH: pitch, _RANGE: pitch_range}
    with _LOCK, _fresh_library(seed) as (library, sample_rate_hz):
        _set_voice(library, voice)
        for parameter, value in settings.items():
            library.espeak_SetParameter(parameter, value, 0)
        samples = _synthesized(library, text)
    return Waveform(samples, sample_rate_hz)


def variants() -> tuple[str, ...]:
    """Return the sorted names of the variants, with which any language can be combined."""
    return tuple(sorted(path.name for path in _VARIANTS.iterdir()))


@contextmanager
def _fresh_library(seed: int) -> Iterator[tuple[Any, int]]:
    """Load eSpeak NG, yield it with its sample rate in Hz, and unload it."""
    path, data = espeakng_loader.get_library_path(), str(espeakng_loader.get_data_path())
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise SynthesisError(f"eSpeak NG cannot be loaded: {error}") from error
    process = ctypes.CDLL(None)
    try:
        sample_rate_hz = int(library.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), _DONT_EXIT))
        if sample_rate_hz <= 0:
            raise SynthesisError(f"eSpeak NG cannot read its data in {data}")
        library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        process.srand(seed)
        yield library, sample_rate_hz
    finally:
        library.espeak_Terminate()
        process.dlclose(ctypes.c_void_p(library._handle))  # noqa: SLF001 - ctypes has no call for it


def _set_voice(library: Any, voice: str) -> None:
    """Select a voice. An unknown variant is an error here; eSpeak NG ignores it."""
    _, _, variant = voice.partition("+")
    if not (_VARIANTS / variant).exists() or library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise SynthesisError(f"eSpeak NG has no voice {voice!r}")


def _synthesized(library: Any, text: str) -> Samples:
    """Return the samples that eSpeak NG passes to its callback, float32 `(samples,)` in [-1, 1]."""
    chunks: list[bytes] = []

    def collect(samples: int | None, count: int, _events: int | None) -> int:
        if samples:
            chunks.append(ctypes.string_at(samples, 2 * count))
        return 0

    callback = _Callback(collect)
    library.espeak_SetSynthCallback(callback)
    spoken = text.encode()
    status = library.espeak_Synth(spoken, len(spoken) + 1, 0, _BY_CHARACTER, 0, _UTF8, None, None)
    if status != 0:
        raise SynthesisError(f"eSpeak NG cannot synthesize {text!r}")
    return np.frombuffer(b"".join(chunks), dtype=np.int16).astype(np.float32) / np.float32(32768)
