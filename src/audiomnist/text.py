"""What a recogniser heard, as a network reads it: letters as token ids."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.random import Generator
from numpy.typing import NDArray

from audiomnist import transcripts

if TYPE_CHECKING:
    from torch import nn

ALPHABET = " abcdefghijklmnopqrstuvwxyz0123456789'.,?!-"
PADDING, UNRECOGNISED, END, UNKNOWN = range(4)
TOKENS = 4 + len(ALPHABET)
MAX_TOKENS = 160

_KEPT_HYPOTHESES = 0.8
_KEPT_LETTERS = 0.95
_IDS = {letter: 4 + position for position, letter in enumerate(ALPHABET)}


def encode(hypotheses: Sequence[str]) -> list[int]:
    """Return the token ids of one clip: its hypotheses, best first, each closed by an end token.

    A clip in which nothing was heard is one token of its own.

    >>> encode(["a b"]), encode([])
    ([5, 4, 6, 2], [1])
    """
    tokens = [token for text in hypotheses for token in _letters(text)]
    return tokens[:MAX_TOKENS] or [UNRECOGNISED]


def _letters(text: str) -> list[int]:
    letters = [_IDS.get(letter, UNKNOWN) for letter in " ".join(text.lower().split())]
    return [*letters, END] if letters else []


def pad_tokens(rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return int64 `(batch, tokens)`, padded at the end, and lengths `(batch,)`."""
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    batch = np.full((len(rows), int(lengths.max())), PADDING, dtype=np.int64)
    for target, row in zip(batch, rows, strict=True):
        target[: len(row)] = row
    return batch, lengths


def texts_by_file(table: pa.Table) -> dict[str, list[str]]:
    """Return the texts of each file's hypotheses, best first."""
    rows = zip(table["file"].to_pylist(), table["hypotheses"].to_pylist(), strict=True)
    return {file: [hypothesis["text"] for hypothesis in hypotheses or []] for file, hypotheses in rows}


class TranscriptExamples:
    """The transcripts as training examples; a training batch drops some hypotheses and letters."""

    def __init__(self, folder: Path) -> None:
        table = transcripts.read(folder)
        self._texts = texts_by_file(table)
        self._recogniser: dict[str, Any] = json.loads(table.schema.metadata[transcripts.METADATA_KEY])

    def clean(self, files: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return token ids `(batch, tokens)` and lengths `(batch,)`."""
        return pad_tokens([encode(self._texts[file]) for file in files])

    def drawn(self, files: list[str], rng: Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the same with hypotheses and letters missing at random."""
        return pad_tokens([_thinned(self._texts[file], rng) for file in files])

    def served(self, files: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return what `clean` returns: the served graph takes token ids."""
        return self.clean(files)

    def deployable(self, network: "nn.Module") -> "nn.Module":
        """Return the network itself: it takes token ids in service too."""
        return network

    def service(self) -> dict[str, Any]:
        """Return what the scorer has to know to prepare inputs: the bundle's `input` section."""
        return {"kind": "transcript", "recogniser": self._recogniser}


def _thinned(texts: Sequence[str], rng: Generator) -> list[int]:
    kept = [text for text in texts if rng.random() < _KEPT_HYPOTHESES] or list(texts[:1])
    tokens = encode(kept)
    return [UNKNOWN if token > UNKNOWN and rng.random() >= _KEPT_LETTERS else token for token in tokens]
