"""Reading params.yaml: one frozen model per section, every mistake told in one message."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from audiomnist.core.errors import AudiomnistError
from audiomnist.core.frozen_model import FrozenModel


class ParamsError(AudiomnistError):
    """params.yaml is absent, is not YAML, or says something that cannot be."""


class Section(FrozenModel):
    """A section of params.yaml."""


SectionT = TypeVar("SectionT", bound=BaseModel)


def read(path: Path) -> dict[str, Any]:
    """Return the whole file as plain values (YAML 1.2, the dialect that DVC reads)."""
    try:
        value = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise ParamsError(f"{path} cannot be read: {error}") from error
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
    """Return `value` as a `model`; raises ParamsError with every mistake, a line each."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise told(path, mistakes(model, value, prefix)) from error


def mistakes(model: type[BaseModel], value: Any, prefix: str = "") -> list[str]:
    """Return what keeps `value` from being a `model`: where, what, and what was given."""
    try:
        model.model_validate(value)
    except ValidationError as error:
        return [_mistake(prefix, mistake) for mistake in error.errors()]
    return []


def told(path: Path, mistakes: Sequence[str]) -> ParamsError:
    """Return an error that tells mistakes, a line each."""
    return ParamsError("\n".join([f"{path}: {len(mistakes)} mistake(s)", *(f"  {mistake}" for mistake in mistakes)]))


def _mistake(prefix: str, mistake: Any) -> str:
    where = ".".join(part for part in (prefix, *map(str, mistake["loc"])) if part)
    shown = mistake["type"] not in {"extra_forbidden", "missing"} and not isinstance(mistake["input"], dict)
    given = f" (given: {mistake['input']!r})" if shown else ""
    reason = mistake["msg"].removeprefix("Value error, ")
    what = "is not a parameter" if mistake["type"] == "extra_forbidden" else reason
    return f"{where or 'the file'}: {what}{given}"
