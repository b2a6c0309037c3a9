"""A file's name in the table and on the terminal: what holds for every name."""

import re
import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from audiomnist.scoring.inbox import paths

PIECES = [b"\\", b"x", b"u", b"e9", b"0085", b"\xe9", b"\x85", b"\xc2\x85", b"\n", b"\xed\xa0\x80", b"/"]
PATHS = st.binary() | st.lists(st.sampled_from(PIECES)).map(b"".join) | st.text().map(str.encode)
ESCAPE = re.compile(r"\\(\\|[tnr]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})", re.ASCII)
SHORT = {"\\": b"\\", "t": b"\t", "n": b"\n", "r": b"\r"}


def path_of(text: str) -> bytes:
    """Undo every escape of a text that was made of a path, shown or not."""
    parts = ESCAPE.split(text)
    assert not any("\\" in plain for plain in parts[::2])
    return b"".join(part.encode() if place % 2 == 0 else byte_or_character(part) for place, part in enumerate(parts))


def byte_or_character(escape: str) -> bytes:
    """Return what one escape, without its backslash, encodes."""
    if escape in SHORT:
        return SHORT[escape]
    code = int(escape[1:], 16)
    return bytes([code]) if escape[0] == "x" else chr(code).encode()


@given(path=PATHS)
def test_the_path_can_be_had_back_from_its_text(path: bytes) -> None:
    """So no two paths have the same text."""
    assert path_of(paths.text(path)) == paths.path_of(paths.text(path)) == path


@given(path=PATHS)
def test_the_path_can_be_had_back_from_what_is_shown(path: bytes) -> None:
    """So no two paths look alike: an escape of the table and one of the terminal differ."""
    assert path_of(paths.shown(paths.text(path))) == path


@given(path=PATHS)
def test_the_text_can_be_written_anywhere(path: bytes) -> None:
    """There are no lone surrogates in it, which UTF-8 has no words for."""
    assert paths.text(path).encode().decode() == paths.text(path)


@given(text=st.text(st.characters() | st.characters(categories=["C", "Z"])))
@example("\ud800\x1b\u202e\u2028\U0010ffff")
def test_what_is_shown_is_printable(text: str) -> None:
    """No control, format, surrogate, private or unassigned character is left, and no blank but the space."""
    shown = paths.shown(text)
    assert not [character for character in shown if unicodedata.category(character).startswith("C")]
    assert not [character for character in shown if unicodedata.category(character) in {"Zl", "Zp"}]
    assert not [character for character in shown if unicodedata.category(character) == "Zs" and character != " "]
    assert paths.shown(shown) == shown


@given(text=st.text(st.characters(categories=["L", "M", "N", "P", "S"], exclude_characters="\\") | st.just(" ")))
def test_plain_names_are_shown_as_they_are(text: str) -> None:
    """Neither the table nor the terminal changes letters, marks, numbers, punctuation, signs and spaces."""
    assert paths.text(text.encode()) == paths.shown(text) == text
