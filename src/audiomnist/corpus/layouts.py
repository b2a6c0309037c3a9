"""Layouts: how the path of a recording states its digit, speaker and take.

A layout is the end of a path with `{digit}` (0 to 9) or `{word}` (zero to nine; any other word is no digit),
`{speaker}` (letters, digits, `.`, `_` and `-`), `{take}` (digits; may be absent) and `*` (anything within one name).
Upper and lower case are the same.
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

_FIELDS = {
    "digit": "[0-9]",
    "word": "[a-z]+",
    "speaker": "[a-z0-9][a-z0-9._-]*",
    "take": "[0-9]+",
}
_PARTS = re.compile(r"\{(\w+)\}|(\*)")


class LayoutError(AudiomnistError):
    """A layout is malformed."""


class Labels(NamedTuple):
    """What a path states: `digit` is None for another word, `take` where the layout has none."""

    digit: int | None
    speaker: str
    take: int | None


def labels(path: str, layouts: tuple[str, ...] = LAYOUTS) -> Labels | None:
    """Return what a path, with `/` between its parts, states by the first layout that it has; None if it has none.

    >>> labels("seven/0a2b_nohash_1.wav")
    Labels(digit=7, speaker='0a2b', take=1)
    """
    for layout in layouts:
        if match := compiled(layout).fullmatch(path):
            fields = match.groupdict()
            take = fields.get("take")
            return Labels(_digit(fields), fields["speaker"], None if take is None else int(take))
    return None


@lru_cache
def compiled(layout: str) -> re.Pattern[str]:
    """Return the regular expression of a layout, for whole paths; raises LayoutError if it is malformed."""
    names = [name for name, _ in _PARTS.findall(layout) if name]
    if sorted(set(names) - {"take"}) not in (["digit", "speaker"], ["speaker", "word"]) or len(set(names)) < len(names):
        raise LayoutError(
            f"{layout!r} is no pattern of paths: it has {{speaker}}, {{digit}} or {{word}}, and if need be {{take}}, "
            "each once, as in '{speaker}/{word}_{take}.wav'"
        )
    parts = _PARTS.split(layout)  # text, field or None, star or None, text, ...
    expression = "".join(
        re.escape(text) + (f"(?P<{name}>{_FIELDS[name]})" if name else "[^/]*" if star else "")
        for text, name, star in zip(parts[::3], [*parts[1::3], None], [*parts[2::3], None], strict=True)
    )
    return re.compile(f"(?:.*/)?{expression}", re.IGNORECASE | re.ASCII)


def _digit(fields: dict[str, str]) -> int | None:
    if "digit" in fields:
        return int(fields["digit"])
    word = fields["word"].lower()
    return DIGIT_WORDS.index(word) if word in DIGIT_WORDS else None
