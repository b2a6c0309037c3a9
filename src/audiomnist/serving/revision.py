"""Model bundles of other git revisions."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audiomnist.serving.bundle.description import BundleError


@contextmanager
def bundle_of(model: Path, revision: str) -> Iterator[Path]:
    """Yield a temporary folder with the bundle of a revision, whether git or DVC tracks it.

    Args:
        model: folder of the bundle in the working tree; it need not exist now.
        revision: a commit, a tag or a branch.

    Raises:
        BundleError: `model` is not in a DVC repository, or the revision or its bundle cannot be read.
    """
    absolute = model.absolute()
    root = next((folder for folder in absolute.parents if (folder / ".dvc").is_dir()), None)
    if root is None:
        raise BundleError(f"{model} is not in a DVC repository, so it has no revision {revision}")
    with tempfile.TemporaryDirectory(prefix="audiomnist-") as folder:
        target = Path(folder) / "bundle"
        _fetch(root, absolute.relative_to(root), revision, target)
        yield target


def _fetch(root: Path, bundle: Path, revision: str, target: Path) -> None:
    from dvc.api import DVCFileSystem  # noqa: PLC0415 - takes a second, and only --rev needs it
    from dvc.exceptions import DvcException  # noqa: PLC0415
    from dvc_data.index import DataIndexDirError  # noqa: PLC0415
    from scmrepo.exceptions import SCMError  # noqa: PLC0415

    try:
        DVCFileSystem(url=str(root), rev=revision).get(f"/{bundle.as_posix()}", str(target), recursive=True)
    except (DvcException, DataIndexDirError, SCMError, OSError) as error:
        raise BundleError(
            f"{bundle} of revision {revision} cannot be read from {root}: {error}. See git log and dvc fetch"
        ) from error
