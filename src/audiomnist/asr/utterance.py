"""What is recognized: a recording, or an augmented copy of one."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from audiomnist.audio import waveform as audio
from audiomnist.audio.augment import AugmentParams, augment, generator
from audiomnist.audio.waveform import Waveform
from audiomnist.corpus.manifest import Recording


@dataclass(frozen=True)
class Utterance:
    """A recording (copy 0), or an augmented copy of it (1, 2, ...).

    Attributes:
        recording: which.
        copy: its number.
        how: the augmentation.
    """

    recording: Recording
    copy: int
    how: AugmentParams

    @property
    def sha256(self) -> str:
        """What tells it from every other sound: of a recording, the SHA-256 of its file."""
        if self.copy == 0:
            return self.recording.sha256
        said = f"{self.recording.sha256} {self.copy} {self.how.model_dump_json(exclude={'copies_per_clip'})}"
        return hashlib.sha256(said.encode()).hexdigest()

    def waveform(self, raw: Path) -> Waveform:
        """Return the sound; raises BadAudioError if the recording cannot be used."""
        waveform = audio.read(raw / self.recording.file)
        if self.copy == 0:
            return waveform
        draw = generator(self.how.seed, self.recording.sha256, self.copy)
        return Waveform(augment(waveform.samples, waveform.sample_rate_hz, self.how, draw), waveform.sample_rate_hz)
