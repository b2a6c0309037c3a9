"""Accuracy of a recognizer."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from audiomnist.asr.normalize import merge, normalize
from audiomnist.core.digits import DIGIT_WORDS
from audiomnist.transcripts.table import Status

_MAX_WRONG_TEXTS = 5


def summarize(table: pa.Table, digits: Sequence[int]) -> dict[str, Any]:
    """Return the fractions of clips that were recognized correctly, and the most frequent wrong texts.

    Args:
        table: transcripts, one or more rows.
        digits: the spoken digit of each row, 0 to 9.

    Returns:
        the recognizer, the number of clips and, as fractions of all clips: `recognized` (some text), `failed` (unusable
        audio), `exact` (the text is the digit's word), `merged` (the same after merging repeats, numerals and
        homophones), `among_hypotheses` (the same for any hypothesis); and under `wrong`, for each digit, the most
        frequent texts that are wrong even when merged.
    """
    rows = table.to_pylist()
    spoken = [DIGIT_WORDS[digit] for digit in digits]
    pairs = list(zip(rows, spoken, strict=True))
    hits = {
        "recognized": [row["status"] == Status.RECOGNIZED for row in rows],
        "failed": [row["status"] == Status.FAILED for row in rows],
        "exact": [normalize(row["text"]) == word for row, word in pairs],
        "merged": [merge(row["text"]) == word for row, word in pairs],
        "among_hypotheses": [
            word in {merge(hypothesis["text"]) for hypothesis in row["hypotheses"]} for row, word in pairs
        ],
    }
    return {
        "recognizer": rows[0]["engine"],
        "clips": len(rows),
        **{name: round(sum(values) / len(values), 4) for name, values in hits.items()},
        "wrong": {word: _wrong(pairs, word) for word in DIGIT_WORDS if word in spoken},
    }


def _wrong(pairs: list[tuple[dict[str, Any], str]], word: str) -> str:
    """Return the five most frequent wrong texts as `little (3), zeal (2)`; equal counts in alphabetical order."""
    texts = [row["text"] for row, spoken in pairs if spoken == word and merge(row["text"]) != word]
    counts = sorted(Counter(text or "(nothing)" for text in texts).items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{text} ({count})" for text, count in counts[:_MAX_WRONG_TEXTS])
