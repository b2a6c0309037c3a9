"""Transcripts as training examples of the text model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from audiomnist.transcripts import table as transcripts
from audiomnist.transcripts.augment import drop_tokens
from audiomnist.transcripts.tokenizer import encode, pad_tokens, texts_by_file


class TranscriptExamples:
    """Token ids of clips; training draws one copy of each clip, and drops hypotheses and characters."""

    def __init__(self, folder: Path) -> None:
        table = transcripts.read(folder)
        self._texts = texts_by_file(table)
        self._versions = [self._texts, *map(texts_by_file, transcripts.read_copies(folder))]
        self._recognizer: dict[str, Any] = json.loads(table.schema.metadata[transcripts.METADATA_KEY])

    def get(self, files: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return token ids `(batch, tokens)` and lengths `(batch,)`."""
        return pad_tokens([encode(self._texts[file]) for file in files])

    def sample(
        self, files: list[str], clean_prob: float, rng: Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the same for each clip (with probability `clean_prob`) or an augmented copy of it, with dropout."""
        copies = rng.integers(min(1, len(self._versions) - 1), len(self._versions), size=len(files))
        copies = np.where(rng.random(len(files)) < clean_prob, 0, copies)
        rows = [drop_tokens(self._versions[copy][file], rng) for copy, file in zip(copies, files, strict=True)]
        return pad_tokens(rows)

    def synthetic(self) -> None:
        """Return None: synthetic speakers are not transcribed."""

    def input_spec(self) -> dict[str, Any]:
        """Return the bundle's `input` section: how the scorer prepares inputs."""
        return {"kind": "transcript", "recognizer": self._recognizer}
