"""Paths as text: in the table, and on a terminal."""

import doctest

import pytest

from audiomnist.scoring.inbox import paths


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (b"night/7_ada_0.wav", "night/7_ada_0.wav"),
        ("naïve 🎤.wav".encode(), "naïve 🎤.wav"),
        (b"caf\xe9.wav", r"caf\xe9.wav"),
        (rb"caf\xe9.wav", r"caf\\xe9.wav"),
        (b"a\\b.wav", r"a\\b.wav"),
        (b"a\nb\x00.wav", "a\nb\x00.wav"),
        (b"\xed\xa0\x80.wav", r"\xed\xa0\x80.wav"),
        (b"", ""),
    ],
)
def test_the_text_of_a_path(path: bytes, text: str) -> None:
    """UTF-8 is read, other bytes are escaped, backslashes doubled, and nothing else is changed."""
    assert paths.text(path) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("night/7 ada.wav", "night/7 ada.wav"),
        ("naïve 🎤 ٣ 三.wav", "naïve 🎤 ٣ 三.wav"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x00\x1b[2J\x7f", r"\x00\x1b[2J\x7f"),
        ("\x85\xad\xa0", r"\u0085\u00ad\u00a0"),
        ("\u202egpj.wav\u200b\u2028\ufeff", r"\u202egpj.wav\u200b\u2028\ufeff"),
        ("\U000e0041\U0010ffff", r"\U000e0041\U0010ffff"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_is_shown_of_a_text(text: str, shown: str) -> None:
    """Letters, digits, signs and emoji stay; controls, formats, separators and surrogates are escapes."""
    assert paths.shown(text) == shown


def test_the_examples_hold() -> None:
    """What the docstrings show is what happens."""
    results = doctest.testmod(paths)
    assert results.attempted > 0
    assert results.failed == 0
