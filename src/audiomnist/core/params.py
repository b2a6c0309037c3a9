"""Sections of params.yaml as frozen pydantic models; a ParamsError lists all errors of a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from audiomnist.core.errors import AudiomnistError
from audiomnist.core.frozen_model import FrozenModel


class ParamsError(AudiomnistError):
    """params.yaml cannot be read, or is not valid."""


class Section(FrozenModel):
    """A section of params.yaml."""


SectionT = TypeVar("SectionT", bound=BaseModel)


def read(path: Path) -> dict[str, Any]:
    """Return the whole file as plain values (YAML 1.2, the dialect that DVC reads)."""
    try:
        value = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as cause:
        raise ParamsError(f"{path} cannot be read: {cause}") from cause
    if not isinstance(value, dict):
        raise ParamsError(f"{path} must be a mapping of sections")
    return value


def section(path: Path, name: str, model: type[SectionT]) -> SectionT:
    """Return one section, validated; `name` may be dotted, as in `models.cnn`."""
    value: Any = read(path)
    for key in name.split("."):
        if not isinstance(value, dict) or key not in value:
            raise ParamsError(f"{path} has no section {name}")
        value = value[key]
    return validated(path, model, value, prefix=name)


def validated(path: Path, model: type[SectionT], value: Any, prefix: str = "") -> SectionT:
    """Return `value` as a `model`; raises ParamsError with one line per error."""
    try:
        return model.model_validate(value)
    except ValidationError as cause:
        raise error(path, errors(model, value, prefix)) from cause


def errors(model: type[BaseModel], value: Any, prefix: str = "") -> list[str]:
    """Return a message per error in `value`, as `path.of.the.key: reason (given: value)`; none if it is valid."""
    try:
        model.model_validate(value)
    except ValidationError as cause:
        return [_message(prefix, details) for details in cause.errors()]
    return []


def error(path: Path, messages: Sequence[str]) -> ParamsError:
    """Return an error that lists messages, one per line."""
    return ParamsError("\n".join([f"{path}: {len(messages)} error(s)", *(f"  {message}" for message in messages)]))


def _message(prefix: str, details: Any) -> str:
    key = ".".join(filter(None, (prefix, *map(str, details["loc"])))) or "the file"
    if details["type"] == "extra_forbidden":
        return f"{key}: is not a parameter"
    reason = details["msg"].removeprefix("Value error, ")
    if details["type"] == "missing" or isinstance(details["input"], dict):
        return f"{key}: {reason}"
    return f"{key}: {reason} (given: {details['input']!r})"
