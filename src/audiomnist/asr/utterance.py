"""The inputs of a recognizer: recordings and their augmented copies."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from audiomnist.audio import waveform
from audiomnist.audio.augment import AugmentParams, augment, generator
from audiomnist.audio.waveform import Waveform
from audiomnist.corpus.manifest import Recording


@dataclass(frozen=True)
class Utterance:
    """A recording (copy 0), or an augmented copy of it (1, 2, ...) made with `params`."""

    recording: Recording
    copy: int
    params: AugmentParams

    @property
    def sha256(self) -> str:
        """A hash of what determines the samples: for a recording, the SHA-256 of its file."""
        if self.copy == 0:
            return self.recording.sha256
        key = f"{self.recording.sha256} {self.copy} {self.params.model_dump_json(exclude={'copies_per_clip'})}"
        return hashlib.sha256(key.encode()).hexdigest()

    def waveform(self, raw: Path) -> Waveform:
        """Return the waveform; raises BadAudioError if the recording cannot be used."""
        original = waveform.read(raw / self.recording.file)
        if self.copy == 0:
            return original
        rng = generator(self.params.seed, self.recording.sha256, self.copy)
        samples = augment(original.samples, original.sample_rate_hz, self.params, rng)
        return Waveform(samples, original.sample_rate_hz)
