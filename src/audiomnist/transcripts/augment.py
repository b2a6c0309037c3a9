"""Augmentation for transcripts: drops hypotheses and characters."""

from collections.abc import Sequence

from numpy.random import Generator

from audiomnist.transcripts.tokenizer import UNK, encode

_HYPOTHESIS_KEEP_PROB = 0.8
_CHARACTER_KEEP_PROB = 0.95


def drop_tokens(texts: Sequence[str], rng: Generator) -> list[int]:
    """Return the token ids of a clip without some of its hypotheses (never all), and some characters as UNK."""
    kept = [text for text in texts if rng.random() < _HYPOTHESIS_KEEP_PROB] or list(texts[:1])
    return [UNK if token > UNK and rng.random() >= _CHARACTER_KEEP_PROB else token for token in encode(kept)]
