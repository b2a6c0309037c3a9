"""Source of the recordings.

It is the folder, .tar.gz or .zip in the environment variable `AUDIOMNIST_SOURCE`; without it, the upstream archive of a
pinned commit is downloaded.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from urllib3.util.retry import Retry

from audiomnist.core.errors import AudiomnistError
from audiomnist.corpus import info
from audiomnist.corpus.manifest import Recording
from audiomnist.ingest import archive

SOURCE_VARIABLE = "AUDIOMNIST_SOURCE"
UPSTREAM_COMMIT = "26eb9aaf76e81b692f806f9140c2d2777410d7a1"
UPSTREAM_URL = f"https://github.com/Jakobovski/free-spoken-digit-dataset/archive/{UPSTREAM_COMMIT}.tar.gz"
REMEDIES = (
    f"Set {SOURCE_VARIABLE} to a folder, .tar.gz or .zip of the recordings, or give access to {UPSTREAM_URL}, "
    "or speak a synthetic corpus with data.source: synthetic in params.yaml"
)

_CONNECT_S, _READ_S = 10, 60
_DOWNLOADS = 3
_CHUNK_BYTES = 2**16


class SourceError(AudiomnistError):
    """The source of the recordings cannot be reached or read."""


def fetch(folder: Path, listed: Sequence[Recording]) -> str:
    """Write the recordings of the source into `folder`, under the names in the manifest; return the source's name.

    Raises:
        SourceError: the source cannot be reached or read, or is upstream's while the manifest is not.
        ArchiveError: an archive is damaged or unsafe.
    """
    if configured := os.environ.get(SOURCE_VARIABLE):
        return _fetch_local(Path(configured).absolute(), folder, listed)
    if not info.is_fsdd(listed):
        raise SourceError(
            "only the Free Spoken Digit Dataset can be downloaded, and the manifest lists other recordings: "
            f"set {SOURCE_VARIABLE} to the folder that it was made of"
        )
    with tempfile.TemporaryDirectory() as temporary:
        target = Path(temporary) / "upstream.tar.gz"
        try:
            _download_with_restarts(target)
        except requests.RequestException as error:
            raise SourceError(f"{UPSTREAM_URL} cannot be reached ({type(error).__name__}). {REMEDIES}") from error
        archive.extract_recordings(target, folder)
    return UPSTREAM_URL


def upstream_is_reachable(timeout_s: float = 5) -> bool:
    """Return whether the upstream archive can be requested."""
    try:
        return requests.head(UPSTREAM_URL, timeout=timeout_s, allow_redirects=True).ok
    except requests.RequestException:
        return False


def _fetch_local(source: Path, folder: Path, listed: Sequence[Recording]) -> str:
    if source.is_dir():
        _copy(source, folder, listed)
    elif not (source.is_file() and archive.is_archive(source)):
        raise SourceError(
            f"{SOURCE_VARIABLE} leads to {source}, which is no folder, .tar.gz or .zip "
            f"(a relative path starts at the folder in which the stage runs). {REMEDIES}"
        )
    elif any(row.source for row in listed):
        raise SourceError(
            f"the manifest lists recordings in folders: unpack {source}, and set {SOURCE_VARIABLE} to where they are"
        )
    else:
        archive.extract_recordings(source, folder)
    return str(source)


def _copy(source: Path, folder: Path, listed: Sequence[Recording]) -> None:
    """Copy the recordings that the manifest lists by their folders; where it lists none so, every WAV file."""
    if any(row.source for row in listed):
        names = {source / (row.source or row.file): row.file for row in listed}
    else:
        flat = source / "recordings"
        if not flat.is_dir() or any((source / row.file).exists() for row in listed):
            flat = source
        names = {path: path.name for path in flat.glob("*.wav") if not path.name.startswith(".")}
    try:
        for path in filter(Path.is_file, names):
            shutil.copyfile(path, folder / names[path])
    except OSError as error:
        raise SourceError(f"the recordings in {source} cannot be copied to {folder.parent}: {error}") from error


def _download_with_restarts(target: Path) -> None:
    for _ in range(_DOWNLOADS - 1):
        with suppress(ChunkedEncodingError, requests.ConnectionError, requests.Timeout):
            return _download(target)
    return _download(target)


def _download(target: Path) -> None:
    retries = Retry(total=3, backoff_factor=1, status_forcelist=(429, 500, 502, 503, 504))
    columns = TextColumn("download"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with requests.Session() as session:
        session.mount("https://", HTTPAdapter(max_retries=retries))
        with session.get(UPSTREAM_URL, stream=True, timeout=(_CONNECT_S, _READ_S)) as response:
            response.raise_for_status()
            size_bytes = int(response.headers.get("content-length", 0)) or None
            with Progress(*columns) as progress, target.open("wb") as file:
                task = progress.add_task("download", total=size_bytes)
                for chunk in response.iter_content(_CHUNK_BYTES):
                    file.write(chunk)
                    progress.advance(task, len(chunk))
