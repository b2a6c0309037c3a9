"""Packages that only an extra of pyproject.toml installs."""

from collections.abc import Iterator
from contextlib import contextmanager

from audiomnist.core.errors import AudiomnistError


class MissingExtraError(AudiomnistError):
    """A command or a model needs a package that is not installed."""


@contextmanager
def explained(extra: str) -> Iterator[None]:
    """Raise MissingExtraError, which names the extra to install, if the import of a package fails."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package == "audiomnist":
            raise
        raise MissingExtraError(
            f"the package {package} is not installed: pip install 'audiomnist[{extra}]' installs it"
        ) from error
