"""Reading the test predictions of a protocol: a file per split and model, `<split>/<model>.parquet`."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from audiomnist.core.digits import PROBABILITIES
from audiomnist.core.errors import AudiomnistError

_AS_TRAINED = "predicted_as_trained"
CLIP = ["speaker", "digit", "file"]
_SAID = {"speaker": ".+", "seed": "[0-9]+", "training_speakers": "[1-9][0-9]*"}
_REMEDY = "dvc repro stages/protocols/dvc.yaml makes them"


class ProtocolError(AudiomnistError):
    """Predictions cannot be read, are incomplete, or were made on different clips."""


def read(predictions: Sequence[Path], *names: str) -> pd.DataFrame:
    """Return what stands in all files, with more columns.

    These are `model`, `right`, `right_as_trained` (of the graph before it was compiled), and one for each `<word>` in
    the splits' `names`.

    Raises:
        ProtocolError: a file cannot be read, or its folder is named like no split.
    """
    if not predictions:
        raise ProtocolError("there are no predictions to report: --predictions names each file of them")
    return pd.concat([_read_one(path, names) for path in predictions], ignore_index=True)


def _read_one(path: Path, names: Sequence[str]) -> pd.DataFrame:
    said = _said(path.parent.name, names)
    if said is None:
        raise ProtocolError(f"{path} is in a folder named like no split of this report: {' or '.join(names)}")
    try:
        compiled = [_AS_TRAINED] if _AS_TRAINED in pq.read_schema(path).names else []
        table = pd.read_parquet(path, columns=[*CLIP, "predicted", *PROBABILITIES, *compiled])
    except (OSError, ValueError) as error:
        raise ProtocolError(f"no predictions can be read from {path} ({error}): {_REMEDY}") from error
    others = set(table["speaker"]) - {said.get("speaker")}
    if "speaker" in said and others:
        raise ProtocolError(f"{path} has clips of {', '.join(sorted(others))}, of whom its folder does not tell")
    as_trained = table.get(_AS_TRAINED, table["predicted"])  # a model without a graph is not compiled
    right = {"right": table["predicted"] == table["digit"], "right_as_trained": as_trained == table["digit"]}
    return table.assign(model=path.stem, **right, **said)


def _said(split: str, names: Sequence[str]) -> dict[str, Any] | None:
    """Return what the name of a split says, by the word that stands for it in one of `names`."""
    words = re.findall("<(\\w+)>", " ".join(names))
    for name in names:
        pattern = re.sub("<(\\w+)>", lambda word: f"(?P<{word[1]}>{_SAID[word[1]]})", name)
        if found := re.fullmatch(pattern, split):
            return dict.fromkeys(words) | found.groupdict()
    return None


def right_by_model(clips: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return whether each model was right, bool `(clips, models)`, indexed by the `keys` that tell clips apart."""
    twice = clips.duplicated(["model", *keys])
    if twice.any():
        first = clips.loc[twice, ["model", *keys]].iloc[0].to_dict()
        raise ProtocolError(f"there are two predictions for {first}: each clip is to be predicted once by each model")
    by_model = clips.pivot_table(index=keys, columns="model", values="right", aggfunc="first")
    right = by_model[list(dict.fromkeys(clips["model"]))]
    for model in right:
        absent = right.index[right[model].isna()].to_frame()
        if len(absent):
            raise ProtocolError(
                f"there is no prediction of {model} for {len(absent)} clips that another model was judged on, as "
                f"{absent.iloc[0].to_dict()}: all models are to be judged on the same clips; {_REMEDY}"
            )
    return right.astype(bool)


def require_every_speaker(right: pd.DataFrame, by: str) -> None:
    """Raise ProtocolError if a speaker is absent where an index level `by` has some value."""
    speakers = set(right.index.unique("speaker"))
    for value, rows in right.groupby(by):
        absent = sorted(speakers - set(rows.index.unique("speaker")))
        if absent:
            raise ProtocolError(f"there are no predictions for {', '.join(absent)} where {by} is {value}: {_REMEDY}")
