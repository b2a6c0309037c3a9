"""Where words begin and end in a stream of sound, decided while it is heard.

The level of a frame of 10 ms is that of the differences of samples 0.25 ms apart, which attenuates hum. The noise floor
is the 20th percentile of the levels of the last 2 s, so that a noise that stays becomes the floor. A word begins with
three frames 9 dB above the floor, and ends before 200 ms without a frame that is 6 dB above the floor and at most 30 dB
below the word's loudest. 200 ms is as long as a pause within a word may be (`audiomnist.audio.waveform`).
"""

from collections import deque
from typing import NamedTuple

import numpy as np

from audiomnist.audio.waveform import Samples, Waveform

FRAME_S = 0.010
HANG_OVER_FRAMES = 20

_LEVEL_LAG_S = 0.25e-3
_FLOOR_FRAMES, _FLOOR_QUANTILE = 200, 0.2
_FIRST_FRAMES = 30  # before there is a floor
_QUIETEST_DB, _SILENCE_DB = -60.0, -100.0
_ONSET_FRAMES, _ONSET_DB = 3, 9.0
_END_DB, _BELOW_LOUDEST_DB = 6.0, 30.0
_LEAD_FRAMES = 25
_SHORTEST_FRAMES, _LONGEST_FRAMES = 8, 200


class Word(NamedTuple):
    """A word in a stream, whose times are in seconds since its beginning.

    Attributes:
        waveform: the word, with 0.25 s before and 0.2 s after it.
        end_s: where it ends.
        decided_s: how much was heard when that was decided.
    """

    waveform: Waveform
    end_s: float
    decided_s: float


class Endpointer:
    """Finds the words in a stream of frames."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._lag = max(1, round(_LEVEL_LAG_S * sample_rate_hz))
        self._levels_db: deque[float] = deque(maxlen=_FLOOR_FRAMES)
        self._frames: list[Samples] = []
        self._heard = 0  # samples
        self._loudest_db: float | None = None  # of the word; None between two words
        self._speech_frames = self._since_speech = 0

    @property
    def frame_samples(self) -> int:
        """The length of a frame."""
        return round(FRAME_S * self._sample_rate_hz)

    @property
    def is_in_word(self) -> bool:
        """Whether a word has begun and not ended."""
        return self._loudest_db is not None

    def feed(self, frame: Samples) -> Word | None:
        """Take the next `frame_samples` of the stream, float32; return the word whose end it shows, if any."""
        self._heard += len(frame)
        self._frames.append(frame)
        self._levels_db.append(self._level_db(frame))
        if len(self._levels_db) < _FIRST_FRAMES:
            return None
        ordered = sorted(self._levels_db)
        floor_db = ordered[int(_FLOOR_QUANTILE * len(ordered))]
        if self._loudest_db is None:
            self._wait(floor_db)
            return None
        return self._follow(self._loudest_db, floor_db)

    def _level_db(self, frame: Samples) -> float:
        difference = frame[self._lag :] - frame[: -self._lag]
        return float(10 * np.log10(np.mean(difference * difference) + 10 ** (_SILENCE_DB / 10)))

    def _wait(self, floor_db: float) -> None:
        """Begin a word if the last frames are loud."""
        recent_db = list(self._levels_db)[-_ONSET_FRAMES:]
        if min(recent_db) >= max(floor_db + _ONSET_DB, _QUIETEST_DB):
            self._loudest_db = max(recent_db)
            self._speech_frames, self._since_speech = _ONSET_FRAMES, 0
        del self._frames[: -_LEAD_FRAMES - _ONSET_FRAMES]

    def _follow(self, loudest_db: float, floor_db: float) -> Word | None:
        """End the word if it is long enough ago that there was speech, or lasts too long."""
        level_db = self._levels_db[-1]
        self._loudest_db = max(loudest_db, level_db)
        self._since_speech += 1
        if level_db >= max(floor_db + _END_DB, self._loudest_db - _BELOW_LOUDEST_DB, _QUIETEST_DB):
            self._speech_frames += self._since_speech
            self._since_speech = 0
        if self._since_speech < HANG_OVER_FRAMES and self._speech_frames < _LONGEST_FRAMES:
            return None
        self._loudest_db = None
        if self._speech_frames < _SHORTEST_FRAMES:
            return None
        waveform = Waveform(np.concatenate(self._frames), self._sample_rate_hz)
        decided_s = self._heard / self._sample_rate_hz
        return Word(waveform, decided_s - self._since_speech * FRAME_S, decided_s)
