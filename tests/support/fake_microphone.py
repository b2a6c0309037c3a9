"""A microphone that plays samples: ALSA's `file` plug-in, which PortAudio opens like any device."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from audiomnist.audio.waveform import Samples, Waveform, resampled
from audiomnist.core.digits import DIGIT_WORDS

SAMPLE_RATE_HZ = 44_100
LEAD_S, GAP_S = 1.5, 1.5

_ALSA = Path("/usr/share/alsa/alsa.conf")
NEEDS_MICROPHONE = pytest.mark.skipif(
    importlib.util.find_spec("pyaudio") is None or not _ALSA.exists(),
    reason="needs PyAudio and ALSA: apt-get install portaudio19-dev, then pip install '.[microphone]'",
)
# `default` is a plug-in that converts rates and formats, as that of a real system is.
_CONFIGURATION = """</usr/share/alsa/alsa.conf>
pcm.fakemic {{
  type file
  slave.pcm null
  file /dev/null
  infile "{infile}"
  format raw
}}
pcm.!default {{
  type plug
  slave {{ pcm fakemic rate {rate} channels 1 format S16_LE }}
}}
"""


def fake_microphone(folder: Path, samples: Samples, sample_rate_hz: int = SAMPLE_RATE_HZ) -> dict[str, str]:
    """Return environment variables with which a process has `samples` as its default microphone.

    Files are written into the folder. PortAudio gets each sample once per opening, about ten times as fast as from a
    real device, and at the end for ever what was last in its buffer: therefore silence is added.

    Args:
        folder: exists.
        samples: float32 `(samples,)` in [-1, 1].
        sample_rate_hz: of the samples.
    """
    played = np.pad(resampled(Waveform(samples, sample_rate_hz), SAMPLE_RATE_HZ), (0, SAMPLE_RATE_HZ))
    infile = folder / "microphone.raw"
    infile.write_bytes(np.clip(np.rint(played * 32768), -32768, 32767).astype("<i2").tobytes())
    configuration = folder / "asound.conf"
    configuration.write_text(_CONFIGURATION.format(infile=infile, rate=SAMPLE_RATE_HZ), encoding="utf-8")
    return {"ALSA_CONFIG_PATH": str(configuration)}


def spoken(words: Sequence[Samples], noise_dbfs: float = -70.0) -> tuple[Samples, list[float]]:
    """Return words at `SAMPLE_RATE_HZ` with pauses between them, in a room, and the time in seconds at which each ends.

    Each word ends where its magnitude falls below a hundredth of its peak for good. Before the first there is time to
    listen to the room.
    """
    parts, ends_s = [np.zeros(round(LEAD_S * SAMPLE_RATE_HZ), np.float32)], []
    for word in words:
        heard = word[: np.flatnonzero(np.abs(word) > 0.01 * np.abs(word).max())[-1] + 1]
        ends_s.append((sum(map(len, parts)) + len(heard)) / SAMPLE_RATE_HZ)
        parts += [heard, np.zeros(round(GAP_S * SAMPLE_RATE_HZ), np.float32)]
    clean = np.concatenate(parts)
    noise = np.random.default_rng(0).normal(0, 10 ** (noise_dbfs / 20), len(clean))
    return (clean + noise).astype(np.float32), ends_s


def synthesized(digit: int, voice: str = "en-us", peak: float = 0.3) -> Samples:
    """Return a digit said by eSpeak NG, at `SAMPLE_RATE_HZ`."""
    from audiomnist.synthesis.espeak import speak  # noqa: PLC0415 - few tests need it

    samples = resampled(speak(DIGIT_WORDS[digit], voice), SAMPLE_RATE_HZ)
    return samples * np.float32(peak / np.abs(samples).max())
