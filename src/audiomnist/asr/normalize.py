"""Text normalization: the spellings of a digit in the output of a recognizer."""

import re
from itertools import groupby

from audiomnist.core.digits import DIGIT_WORDS

_HOMOPHONES = {"won": "one", "to": "two", "too": "two", "for": "four", "fore": "four", "ate": "eight"}
_NUMERALS = {str(digit): word for digit, word in enumerate(DIGIT_WORDS)}
_REPEATED_NUMERAL = re.compile(r"([0-9])\1+")
_APOSTROPHES = re.compile(r"['\u2019]")
_PUNCTUATION = re.compile(r"[\W_]+")


def normalize(text: str) -> str:
    """Return the words in lower case, without punctuation, with one space between them.

    >>> normalize(" Seven. They're 7!")
    'seven theyre 7'
    """
    return _PUNCTUATION.sub(" ", _APOSTROPHES.sub("", text.lower())).strip()


def merge(text: str) -> str:
    """Return the normalized text with numerals and homophones as digit words, repeated words once.

    >>> merge("0 0 0"), merge("Too."), merge("777, 7"), merge("to nine")
    ('zero', 'two', 'seven', 'two nine')
    """
    words = (_word(word) for word in normalize(text).split())
    return " ".join(word for word, _ in groupby(words))


def _word(word: str) -> str:
    numeral = _REPEATED_NUMERAL.sub(r"\1", word)
    return _NUMERALS.get(numeral) or _HOMOPHONES.get(word, word)
