"""Puts the served model into the wheel; everything else is in pyproject.toml."""

from pathlib import Path
from shutil import copytree

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithModel(build_py):
    """Copies the modules, and `models/selected` to the place where `audiomnist.cli.score` looks for it."""

    def run(self) -> None:
        """Do that; an editable install has the repository's model, and needs no copy."""
        super().run()
        if not self.editable_mode:
            copytree("models/selected", Path(self.build_lib, "audiomnist", "served_model"), dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithModel})
