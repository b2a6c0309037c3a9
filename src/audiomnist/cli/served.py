"""The served model: it comes with the wheel, or lies in the checkout of an editable install."""

from importlib.resources import files
from pathlib import Path

IN_REPOSITORY = Path("models/selected")


def folder() -> Path:
    """Return the folder of the model that is used where no other is named."""
    package = Path(str(files("audiomnist")))
    packaged = package / "served_model"
    return packaged if packaged.is_dir() else package.parents[1] / IN_REPOSITORY
