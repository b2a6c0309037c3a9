"""Losing hypotheses and letters at random: what augmentation is to texts."""

from collections.abc import Sequence

from numpy.random import Generator

from audiomnist.transcripts.tokenizer import UNK, encode

_KEPT_HYPOTHESES = 0.8
_KEPT_LETTERS = 0.95


def drop_tokens(texts: Sequence[str], rng: Generator) -> list[int]:
    """Return the token ids of one clip with some of its hypotheses and letters missing; never of none at all."""
    kept = [text for text in texts if rng.random() < _KEPT_HYPOTHESES] or list(texts[:1])
    tokens = encode(kept)
    return [UNK if token > UNK and rng.random() >= _KEPT_LETTERS else token for token in tokens]
