"""Which entries of an inbox are taken: what operating systems leave there is not, nor what patterns exclude."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from audiomnist.core.errors import AudiomnistError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_LEFT_BY_SYSTEMS = {
    *(b"lost+found", b"system volume information", b"$recycle.bin", b"@eadir", b"__macosx"),
    *(b".ds_store", b"thumbs.db", b"desktop.ini"),
}
_BEGINNINGS = (b".Trash", b"._")


class PatternError(AudiomnistError):
    """A pattern is not one of .gitignore files."""


class Selection:
    """Patterns of .gitignore files: files that match one of `include`, all if there is none, but not `exclude`."""

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        """Read patterns; raises PatternError if one is not valid, or is empty or a comment."""
        self._include = _spec(include) if include else None
        self._exclude = _spec(exclude) if exclude else None

    def excludes(self, path: bytes, *, is_folder: bool) -> bool:
        """Return whether an entry, its path relative to the inbox, is left out; a folder with all that is in it."""
        name = path.rpartition(b"/")[2]
        if name.lower() in _LEFT_BY_SYSTEMS or name.startswith(_BEGINNINGS):
            return True
        if self._exclude and self._exclude.match_file(os.fsdecode(path) + "/" * is_folder):
            return True
        return self._include is not None and not is_folder and not self._include.match_file(os.fsdecode(path))


def _spec(patterns: Sequence[str]) -> "GitIgnoreSpec":
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - takes 30 ms, which a run without patterns saves

    for pattern in patterns:
        try:
            spec = GitIgnoreSpec.from_lines([pattern])
        except ValueError as error:
            raise PatternError(f"{pattern!r} is not a pattern of .gitignore files: {error}") from error
        if not any(part.include is not None for part in spec.patterns):
            raise PatternError(f"{pattern!r} matches no file: name one, as in a .gitignore file")
    return GitIgnoreSpec.from_lines(patterns)
