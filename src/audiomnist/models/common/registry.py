"""The networks, by name: one module each, imported when asked for, so that each is trained for itself."""

from importlib import import_module
from typing import cast

from audiomnist.models.common.base import Architecture

MODULES = {
    "cnn": "audiomnist.models.cnn",
    "rnn": "audiomnist.models.rnn",
    "lstm": "audiomnist.models.lstm",
}


def architecture(name: str) -> Architecture:
    """Return the architecture of that name; raises KeyError if there is none."""
    return cast("Architecture", import_module(MODULES[name]).ARCHITECTURE)
