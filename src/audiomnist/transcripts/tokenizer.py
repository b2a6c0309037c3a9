"""Character tokenizer for transcripts."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

ALPHABET = " abcdefghijklmnopqrstuvwxyz0123456789'.,?!-"
PAD, NO_SPEECH, EOS, UNK = range(4)
VOCAB_SIZE = 4 + len(ALPHABET)
MAX_TOKENS = 160

_IDS = {character: 4 + position for position, character in enumerate(ALPHABET)}


def encode(hypotheses: Sequence[str]) -> list[int]:
    """Return the token ids of one clip: its hypotheses, best first, each ended by EOS; NO_SPEECH without a text.

    >>> encode(["a b"]), encode([])
    ([5, 4, 6, 2], [1])
    """
    tokens: list[int] = []
    for text in hypotheses:
        if normalized := " ".join(text.lower().split()):
            tokens += [*(_IDS.get(character, UNK) for character in normalized), EOS]
    return tokens[:MAX_TOKENS] or [NO_SPEECH]


def pad_tokens(rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return int64 `(batch, tokens)`, padded at the end, and lengths, int64 `(batch,)`."""
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    batch = np.full((len(rows), int(lengths.max())), PAD, dtype=np.int64)
    batch[np.arange(batch.shape[1]) < lengths[:, None]] = np.concatenate(rows)
    return batch, lengths


def texts_by_file(table: pa.Table) -> dict[str, list[str]]:
    """Return the texts of each file's hypotheses, best first."""
    rows = zip(table["file"].to_pylist(), table["hypotheses"].to_pylist(), strict=True)
    return {file: [hypothesis["text"] for hypothesis in hypotheses or []] for file, hypotheses in rows}
