"""How well a recognizer did, as a metrics file of DVC."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from audiomnist.asr.normalize import merge, normalize
from audiomnist.core.digits import DIGIT_WORDS
from audiomnist.transcripts.table import Status

_LISTED = 5


def summarize(table: pa.Table, digits: Sequence[int]) -> dict[str, Any]:
    """Return the shares of clips that were heard right, and what was heard instead.

    Args:
        table: transcripts, one or more rows.
        digits: what was spoken, 0 to 9, for each row.

    Returns:
        the recognizer, the number of clips and, as shares of all clips:
        `recognized` (some text), `failed` (sound that cannot be used), `exact` (the text is the digit's
        word), `merged` (so it is once repeats, numerals and homophones are merged),
        `among_hypotheses` (so is one of the hypotheses); and under `wrong`, for each digit, the most
        frequent texts that are not it even when merged.
    """
    rows = table.to_pylist()
    spoken = [DIGIT_WORDS[digit] for digit in digits]
    pairs = list(zip(rows, spoken, strict=True))
    shares = {
        "recognized": [row["status"] == Status.RECOGNIZED for row in rows],
        "failed": [row["status"] == Status.FAILED for row in rows],
        "exact": [normalize(row["text"]) == word for row, word in pairs],
        "merged": [merge(row["text"]) == word for row, word in pairs],
        "among_hypotheses": [word in _heard(row) for row, word in pairs],
    }
    return {
        "recognizer": rows[0]["engine"],
        "clips": len(rows),
        **{name: round(sum(hits) / len(hits), 4) for name, hits in shares.items()},
        "wrong": {word: _wrong(pairs, word) for word in DIGIT_WORDS if word in spoken},
    }


def _heard(row: dict[str, Any]) -> set[str]:
    return {merge(hypothesis["text"]) for hypothesis in row["hypotheses"]}


def _wrong(pairs: list[tuple[dict[str, Any], str]], word: str) -> str:
    """Return the five most frequent wrong texts as `little (3), zeal (2)`; equal counts by alphabet."""
    texts = [row["text"] for row, spoken in pairs if spoken == word and merge(row["text"]) != word]
    counts = sorted(Counter(text or "(nothing)" for text in texts).items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{text} ({count})" for text, count in counts[:_LISTED])
