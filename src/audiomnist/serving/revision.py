"""The model of another commit, taken out of the repository's history."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audiomnist.serving.bundle.description import BundleError


@contextmanager
def bundle_of(model: Path, revision: str) -> Iterator[Path]:
    """Yield a folder with the bundle that stood at `model` in a revision, whether git or DVC keeps it.

    Args:
        model: the bundle's folder in the repository's working tree; it need not be there now.
        revision: a commit, a tag or a branch.

    Raises:
        BundleError: `model` is in no repository, or the revision, or the bundle in it, cannot be had.
    """
    place = model.absolute()
    root = next((folder for folder in place.parents if (folder / ".dvc").is_dir()), None)
    if root is None:
        raise BundleError(f"{model} is in no DVC repository, so that there is no {revision} of it")
    with tempfile.TemporaryDirectory(prefix="audiomnist-") as folder:
        target = Path(folder) / "bundle"
        _fetch(root, place.relative_to(root), revision, target)
        yield target


def _fetch(root: Path, place: Path, revision: str, target: Path) -> None:
    from dvc.api import DVCFileSystem  # noqa: PLC0415 - takes a second, and is for this alone
    from dvc.exceptions import DvcException  # noqa: PLC0415
    from dvc_data.index import DataIndexDirError  # noqa: PLC0415
    from scmrepo.exceptions import SCMError  # noqa: PLC0415

    try:
        DVCFileSystem(url=str(root), rev=revision).get(f"/{place.as_posix()}", str(target), recursive=True)
    except (DvcException, DataIndexDirError, SCMError, OSError) as error:
        raise BundleError(
            f"{place} of revision {revision} cannot be had from {root}: {error}. See git log and dvc fetch"
        ) from error
