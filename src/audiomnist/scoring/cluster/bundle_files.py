"""A model bundle as bytes, which are sent to where no model is."""

from pathlib import Path

# Path of each file, relative to the bundle, and its content.
BundleFiles = dict[str, bytes]


def read(bundle: Path) -> BundleFiles:
    """Read all files of a bundle, with those of its members."""
    files = (path for path in sorted(bundle.rglob("*")) if path.is_file())
    return {path.relative_to(bundle).as_posix(): path.read_bytes() for path in files}


def write(files: BundleFiles, bundle: Path) -> None:
    """Write a bundle into a folder."""
    for name, content in files.items():
        path = bundle / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
