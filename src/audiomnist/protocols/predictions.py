"""Test predictions on the splits of a protocol: a Parquet file per model, whose rows name their split."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from audiomnist.core.digits import PROBABILITIES
from audiomnist.core.errors import AudiomnistError
from audiomnist.corpus.protocol_splits import ProtocolSplit

CLIP = ["speaker", "digit", "file"]
_SPLIT = ["split", "seed", "max_train_speakers"]
_REMEDY = "dvc repro stages/protocols/dvc.yaml writes them"


class ProtocolError(AudiomnistError):
    """A network cannot be cross-validated, or predictions cannot be read or differ in their clips."""


def with_split(table: pd.DataFrame, split: ProtocolSplit) -> pd.DataFrame:
    """Return predictions with three more columns, first: `split`, `seed` and `max_train_speakers` (null for all)."""
    train_speakers = pd.array([split.params.max_train_speakers] * len(table), dtype="Int64")
    columns = {"split": split.name, "seed": split.params.seed, "max_train_speakers": train_speakers}
    return pd.concat([pd.DataFrame(columns, index=table.index), table], axis=1)


def read(folders: Sequence[Path], models: Sequence[str]) -> pd.DataFrame:
    """Return all predictions of some folders, with the columns `model` and `right`; of a cascade `asked` too.

    Args:
        folders: of `<model>.parquet`.
        models: which of them, in this order.

    Raises:
        ProtocolError: one cannot be read.
    """
    tables = []
    for path in (folder / f"{model}.parquet" for model in models for folder in folders):
        try:
            own = [name for name in pq.read_schema(path).names if name == "asked"]
            table = pd.read_parquet(path, columns=[*_SPLIT, *CLIP, "predicted", *PROBABILITIES, *own])
        except (OSError, ValueError) as error:
            raise ProtocolError(f"no predictions can be read from {path} ({error}): {_REMEDY}") from error
        tables.append(table.assign(model=path.stem, right=table["predicted"] == table["digit"]))
    return pd.concat(tables)


def right_by_model(clips: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return whether each model was right, bool `(clips, models)`, indexed by the `keys` that identify a clip.

    Raises:
        ProtocolError: a model has two predictions for a clip, or none for one that another model has.
    """
    twice = clips[clips.duplicated(["model", *keys])]
    if len(twice):
        first = twice[["model", *keys]].iloc[0].to_dict()
        raise ProtocolError(f"there are two predictions for {first}: each model predicts each clip once")
    right = clips.pivot_table(index=keys, columns="model", values="right", aggfunc="first")
    right = right[list(clips["model"].unique())]
    for model in right:
        absent = right[right[model].isna()].index.to_frame()
        if len(absent):
            raise ProtocolError(
                f"there is no prediction of {model} for {len(absent)} clips that another model has, as "
                f"{absent.iloc[0].to_dict()}: all models are compared on the same clips; {_REMEDY}"
            )
    return right.astype(bool)


def require_every_speaker(right: pd.DataFrame, by: str) -> None:
    """Raise ProtocolError if a speaker has no clips for a value of the index level `by`."""
    speakers = set(right.index.unique("speaker"))
    for value, rows in right.groupby(by):
        absent = sorted(speakers - set(rows.index.unique("speaker")))
        if absent:
            raise ProtocolError(f"there are no predictions for {', '.join(absent)} where {by} is {value}: {_REMEDY}")
