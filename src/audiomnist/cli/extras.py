"""Packages that the base install lacks."""

from collections.abc import Iterator
from contextlib import contextmanager

from audiomnist.core.errors import AudiomnistError


class MissingExtraError(AudiomnistError):
    """A command or a model needs a package that is not installed."""


@contextmanager
def explained(extra: str) -> Iterator[None]:
    """Turn the import of a package that is absent into a MissingExtraError that says which extra to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package == "audiomnist":
            raise
        raise MissingExtraError(
            f"the package {package} is not installed: pip install 'audiomnist[{extra}]' brings it"
        ) from error
