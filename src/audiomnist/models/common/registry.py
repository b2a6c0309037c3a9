"""Networks by name. Each module is imported only when asked for, so a stage depends on its own network alone."""

from importlib import import_module
from typing import cast

from audiomnist.models.common.base import Architecture

MODULES = {
    "cnn": "audiomnist.models.cnn",
    "rnn": "audiomnist.models.rnn",
    "lstm": "audiomnist.models.lstm",
    "whisper": "audiomnist.models.whisper",
}


def architecture(name: str) -> Architecture:
    """Return the architecture of that name; raises KeyError for an unknown one."""
    return cast("Architecture", import_module(MODULES[name]).ARCHITECTURE)
