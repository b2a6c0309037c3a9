"""Layouts: how the path of a recording states its digit, speaker and take.

A layout is the end of a path with `{digit}` (0 to 9) or `{word}` (zero to nine; any other word is no digit),
`{speaker}` (letters, digits, `.`, `_` and `-`; several are joined by `_`), `{take}` (digits; may be absent) and `*`
(anything within one name, as little as possible). Upper and lower case are the same, but not in speakers.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from audiomnist.core.digits import DIGIT_WORDS
from audiomnist.core.errors import AudiomnistError

LAYOUTS = (
    "{word}/{speaker}_nohash_{take}.wav",  # Speech Commands
    "{digit}_{speaker}_{take}.wav",  # Free Spoken Digit Dataset; AudioMNIST, with a folder per speaker
)

SPEAKER = "[A-Za-z0-9][A-Za-z0-9._-]*"

_FIELDS = {"digit": "[0-9]", "word": "[a-z]+", "speaker": SPEAKER, "take": "[0-9]+"}
_PARTS = re.compile(r"(\{\w+\}|\*)")
_ADJACENT = re.compile(r"\}\{|\}\*|\*\{|\*\*")


class LayoutError(AudiomnistError):
    """A layout is malformed."""


class Labels(NamedTuple):
    """What a path states: `word` is a digit's word or another one, `take` is None where the layout has none."""

    word: str
    speaker: str
    take: int | None

    @property
    def digit(self) -> int | None:
        """The digit, or None for another word."""
        return DIGIT_WORDS.index(self.word) if self.word in DIGIT_WORDS else None


def labels(path: str, layouts: tuple[str, ...] = LAYOUTS) -> Labels | None:
    """Return what a path, with `/` between its parts, states by the first layout that it has; None if it has none.

    >>> labels("seven/0a2b_nohash_1.wav")
    Labels(word='seven', speaker='0a2b', take=1)
    """
    for layout in layouts:
        if match := compiled(layout).fullmatch(path):
            fields = match.groupdict()
            word = DIGIT_WORDS[int(fields["digit"])] if "digit" in fields else fields["word"].lower()
            speaker = "_".join(text for name, text in fields.items() if name.startswith("speaker"))
            return Labels(word, speaker, int(fields["take"]) if "take" in fields else None)
    return None


@lru_cache
def compiled(layout: str) -> re.Pattern[str]:
    """Return the regular expression of a layout, for whole paths; raises LayoutError if it is malformed."""
    parts = _PARTS.split(layout)
    names = [part[1:-1] for part in parts[1::2] if part != "*"]
    once = sorted(name for name in names if name not in {"speaker", "take"})
    if once not in (["digit"], ["word"]) or "speaker" not in names or names.count("take") > 1:
        raise LayoutError(
            f"{layout!r} is no pattern of paths: it has {{speaker}}, one {{digit}} or {{word}}, and if need be one "
            "{take}, as in '{speaker}/{word}_{take}.wav'"
        )
    if _ADJACENT.search(layout):
        raise LayoutError(f"{layout!r} is ambiguous: put a character between two fields, and between a field and *")
    expressions = (_expression(part, number) for number, part in enumerate(parts))
    return re.compile(f"(?:.*/)?{''.join(expressions)}", re.IGNORECASE | re.ASCII)


def _expression(part: str, number: int) -> str:
    """Return the regular expression of a part of a layout: text, or a field or a star where its number is odd."""
    if number % 2 == 0:
        return re.escape(part)
    if part == "*":
        return "[^/]*?"
    name = part[1:-1]
    return f"(?P<{name}{number if name == 'speaker' else ''}>{_FIELDS[name]})"
