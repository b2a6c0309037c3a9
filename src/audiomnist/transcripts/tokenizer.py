"""What a recognizer heard, as a network reads it: letters as token ids."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

ALPHABET = " abcdefghijklmnopqrstuvwxyz0123456789'.,?!-"
PAD, NO_SPEECH, EOS, UNK = range(4)
VOCAB_SIZE = 4 + len(ALPHABET)
MAX_TOKENS = 160

_IDS = {letter: 4 + position for position, letter in enumerate(ALPHABET)}


def encode(hypotheses: Sequence[str]) -> list[int]:
    """Return the token ids of one clip: its hypotheses, best first, each closed by an end token.

    A clip in which nothing was heard is one token of its own.

    >>> encode(["a b"]), encode([])
    ([5, 4, 6, 2], [1])
    """
    tokens = [token for text in hypotheses for token in _letters(text)]
    return tokens[:MAX_TOKENS] or [NO_SPEECH]


def _letters(text: str) -> list[int]:
    letters = [_IDS.get(letter, UNK) for letter in " ".join(text.lower().split())]
    return [*letters, EOS] if letters else []


def pad_tokens(rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return int64 `(batch, tokens)`, padded at the end, and lengths `(batch,)`."""
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    batch = np.full((len(rows), int(lengths.max())), PAD, dtype=np.int64)
    for target, row in zip(batch, rows, strict=True):
        target[: len(row)] = row
    return batch, lengths


def texts_by_file(table: pa.Table) -> dict[str, list[str]]:
    """Return the texts of each file's hypotheses, best first."""
    rows = zip(table["file"].to_pylist(), table["hypotheses"].to_pylist(), strict=True)
    return {file: [hypothesis["text"] for hypothesis in hypotheses or []] for file, hypotheses in rows}
