r"""Paths of the inbox as text, for the table and for a terminal.

A file name is bytes, any but `/` and NUL. In the table a path is text that can be converted back: each byte that is
not valid UTF-8 is written `\xNN`, a backslash is doubled. On a terminal and in a log everything that is not printable
is escaped too, so no name can move the cursor, start a new line or change the direction of writing.
"""

import re

_ESCAPED = re.compile(rb"\\(?:\\|x([0-9a-f]{2}))")


def text(path: bytes) -> str:
    r"""Return the path as text for the table; no two paths have the same text.

    >>> print(text(b"caf\xc3\xa9 \xff.wav"), text(b"a\\b.wav"))
    café \xff.wav a\\b.wav
    """
    return path.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def path_of(text: str) -> bytes:
    r"""Return the path of a text of the table.

    >>> path_of(r"caf\xe9.wav")
    b'caf\xe9.wav'
    """
    return _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else b"\\", text.encode())


def shown(text: str) -> str:
    r"""Return text for a terminal or a log: what is not printable is written `\n`, `\xNN`, `\uNNNN` or `\UNNNNNNNN`.

    Characters up to 0x7F have the short forms, all others the long ones, so that U+0085 (`\u0085`) differs from the
    byte 0x85 (`\x85`, written by `text`). White space other than the space is escaped as well.

    >>> print(shown("1\n\x1b[2J \u202e🎤.wav"))
    1\n\x1b[2J \u202e🎤.wav
    """
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x80:  # noqa: PLR2004 - the end of ASCII
        return character.encode("unicode_escape").decode("ascii")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004 - four hexadecimal digits
