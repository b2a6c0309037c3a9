"""The gate of the sound files: format, length, loudness, content, and balance of the corpus."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audiomnist.audio import waveform as audio
from audiomnist.core.hashing import sha256_of
from audiomnist.corpus import manifest as manifests
from audiomnist.validation.bounds import RecordingBounds
from audiomnist.validation.measurements import read_manifest, usual
from audiomnist.validation.rules import Rule, among, between, equal, unique

_CLIPPED = 0.999
_LOWEST_POWER = 1e-12
_COLUMNS = [
    *("recording", "digit", "speaker", "take", "manifest_sha256", "sha256", "decoding"),
    *("sample_rate_hz", "channels", "duration_s", "peak", "clipped_fraction", "level_dbfs"),
]


def rules(bounds: RecordingBounds) -> list[Rule]:
    """Return the rules for the columns of `measure`."""
    rate, off = bounds.sample_rate_hz, bounds.max_take_imbalance
    shortest, longest = bounds.min_duration_s, bounds.max_duration_s
    return [
        among("every file can be decoded", "decoding", ["decoded"]),
        among(f"the sample rate is {rate} Hz", "sample_rate_hz", [rate]),
        among("there is one channel", "channels", [1]),
        between(f"the sound lasts {shortest:g} to {longest:g} s", "duration_s", shortest, longest),
        between(f"the peak is at least {bounds.min_peak:g}: not silent", "peak", bounds.min_peak),
        between(f"the level is at least {bounds.min_level_dbfs:g} dBFS", "level_dbfs", bounds.min_level_dbfs),
        between(
            f"at most {bounds.max_clipped_fraction:.3%} of the samples are clipped",
            *("clipped_fraction", None, bounds.max_clipped_fraction),
        ),
        equal("the content is what the manifest says", "sha256", "manifest_sha256"),
        unique("no two recordings have the same content", "sha256"),
        unique("no file name stands twice", "recording"),
        among("the digit is one of 0 to 9", "digit", range(10)),
        between(
            f"the speaker says at least {bounds.min_digits_per_speaker} different digits",
            *("digits_of_speaker", bounds.min_digits_per_speaker),
        ),
        between(
            f"the number of takes of this digit by this speaker is the usual one, give or take {off}",
            *("takes_beside_usual", -off, off),
        ),
    ]


def measure(manifest: Path, folder: Path) -> pd.DataFrame:
    """Return one row per recording of the manifest: times in s, level in dBFS, full scale is 1."""
    rows = [_recording(folder, recording) for recording in read_manifest(manifest)]
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    cells = frame.groupby(["digit", "speaker"])["recording"]
    frame["takes_beside_usual"] = cells.transform("size") - usual(cells.size())
    frame["digits_of_speaker"] = frame.groupby("speaker")["digit"].transform("nunique")
    return frame


def _recording(folder: Path, recording: manifests.Recording) -> dict[str, Any]:
    path = folder / recording.file
    row = {
        "recording": recording.file,
        "digit": recording.digit,
        "speaker": recording.speaker,
        "take": recording.take,
        "manifest_sha256": recording.sha256,
    }
    if not path.is_file():
        return {**row, "decoding": "absent"}
    row["sha256"] = sha256_of(path)
    try:
        sound = audio.decode(path)
    except audio.BadAudioError as error:
        return {**row, "decoding": error.reason}
    return {**row, "decoding": "decoded", "channels": sound.samples.shape[1], **_sound(audio.mixed(sound))}


def _sound(waveform: audio.Waveform) -> dict[str, float]:
    magnitude = np.abs(waveform.samples.astype(np.float64))
    return {
        "sample_rate_hz": waveform.sample_rate_hz,
        "duration_s": waveform.duration_s,
        "peak": float(magnitude.max()),
        "clipped_fraction": float((magnitude >= _CLIPPED).mean()),
        "level_dbfs": float(10 * np.log10(max((magnitude**2).mean(), _LOWEST_POWER))),
    }
