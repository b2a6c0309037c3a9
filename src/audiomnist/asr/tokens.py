"""The first token of a transcript, and the tokens that digits are recognized as."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audiomnist.core.digits import DIGIT_WORDS

# What each digit is recognized as beside its word, and in the last line any sound.
_MISHEARD = (
    "oh o zeal little zoo zer",
    "won wan once when what want",
    "to too do you through",
    "tree free there",
    "for fore foreign floor door",
    "fight fire file find vive",
    "sick sex seeks sit said fix",
    "save heaven haven",
    "ate egg hey",
    "nein night mine line nice know no none nope nigh",
    "the i a it that thank",
)


class FirstToken(NamedTuple):
    """The first token of a clip.

    Attributes:
        logprobs: natural logarithm of the probability of each listed token, float32 `(tokens,)`, <= 0.
        context: length of the encoder's input, in frames of 10 ms.
        best: text of the most probable token of the whole vocabulary, without spaces around it.
    """

    logprobs: NDArray[np.float32]
    context: int
    best: str


def digit_texts() -> list[str]:
    """Return numerals, number words and words that sound like them.

    Each is there with and without a space before it; words are in lower case and capitalized.

    >>> texts = digit_texts()
    >>> texts[:2], " Won" in texts, len(texts) == len(set(texts))
    ([' 0', '0'], True, True)
    """
    misheard = (word for words in _MISHEARD for word in words.split())
    words = [form for word in (*DIGIT_WORDS, *misheard) for form in (word, word.capitalize())]
    return [space + text for text in (*map(str, range(10)), *words) for space in (" ", "")]
