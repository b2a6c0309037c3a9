"""The gate of the recordings: format, duration, level, content, and balance of the corpus."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audiomnist.audio import waveform
from audiomnist.core.hashing import sha256_of
from audiomnist.validation.bounds import RecordingBounds
from audiomnist.validation.measurements import read_manifest
from audiomnist.validation.rules import Rule, among, between, equal, unique

_CLIPPED = 0.999
_MIN_POWER = 1e-12
_MEASURED = ["sha256", "decoding", "sample_rate_hz", "channels", "duration_s", "peak", "clipped_fraction", "level_dbfs"]


def rules(bounds: RecordingBounds) -> list[Rule]:
    """Return the rules for the columns of `measure`."""
    rate, shortest, longest = bounds.min_sample_rate_hz, bounds.min_duration_s, bounds.max_duration_s
    clipped, digits = bounds.max_clipped_fraction, bounds.min_digits_per_speaker
    return [
        among("every file can be decoded", "decoding", ["decoded"]),
        between(f"the sample rate is at least {rate} Hz", "sample_rate_hz", rate),
        among("there is one channel", "channels", [1]),
        between(f"the duration is {shortest:g} to {longest:g} s", "duration_s", shortest, longest),
        between(f"the peak is at least {bounds.min_peak:g}: not silent", "peak", bounds.min_peak),
        between(f"the level is at least {bounds.min_level_dbfs:g} dBFS", "level_dbfs", bounds.min_level_dbfs),
        between(f"at most {clipped:.3%} of the samples are clipped", "clipped_fraction", high=clipped),
        equal("the content has the hash of the manifest", "sha256", "manifest_sha256"),
        unique("no two recordings have the same content", "sha256"),
        unique("no two recordings have the same name", "recording"),
        among("the digit is one of 0 to 9", "digit", range(10)),
        between(f"the speaker says at least {digits} different digits", "digits_of_speaker", digits),
        *_balance(bounds.max_take_imbalance),
    ]


def _balance(imbalance: int | None) -> list[Rule]:
    if imbalance is None:
        return []
    takes = f"the number of takes of this digit by this speaker is the most common one, give or take {imbalance}"
    return [between(takes, "take_imbalance", -imbalance, imbalance)]


def measure(manifest: Path, folder: Path, reviewed: Collection[str] = ()) -> pd.DataFrame:
    """Return one row per recording of the manifest: times in s, level in dBFS, full scale is 1.

    The files in `reviewed` have no balance: neither does it count them, nor do they have a value.
    """
    recordings = read_manifest(manifest)
    frame = pd.DataFrame(recordings).rename(columns={"file": "recording", "sha256": "manifest_sha256"})
    frame[_MEASURED] = pd.DataFrame([_measure(folder / row.file) for row in recordings], columns=_MEASURED)
    balanced = frame[~frame["recording"].isin(reviewed)]
    takes = balanced.groupby(["digit", "speaker"])["recording"]
    frame["take_imbalance"] = takes.transform("size") - takes.size().mode().max()
    frame["digits_of_speaker"] = balanced.groupby("speaker")["digit"].transform("nunique")
    return frame


def _measure(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {"decoding": "absent"}
    sha256 = sha256_of(path)
    try:
        audio = waveform.decode(path)
    except waveform.BadAudioError as error:
        return {"sha256": sha256, "decoding": error.reason}
    mono = waveform.mixed(audio)
    magnitude = np.abs(mono.samples.astype(np.float64))
    return {
        "sha256": sha256,
        "decoding": "decoded",
        "channels": audio.samples.shape[1],
        "sample_rate_hz": mono.sample_rate_hz,
        "duration_s": mono.duration_s,
        "peak": float(magnitude.max()),
        "clipped_fraction": float((magnitude >= _CLIPPED).mean()),
        "level_dbfs": float(10 * np.log10(max((magnitude**2).mean(), _MIN_POWER))),
    }
