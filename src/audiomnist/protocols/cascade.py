"""The cascade on the splits of a protocol, from the predictions of its members: nothing is trained.

The rule of each split is learnt from predictions for its own training speakers, held out of their networks in turn.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from audiomnist.cascade.learn import learn
from audiomnist.cascade.params import MEMBERS, CascadeParams
from audiomnist.core import atomic
from audiomnist.core.digits import PROBABILITIES
from audiomnist.protocols.predictions import ProtocolError
from audiomnist.serving.fusion import ASKS_ALWAYS, combined
from audiomnist.serving.model import Predictions

_Members = tuple[pd.DataFrame, pd.DataFrame]

_LEARNT = "learnt"
_THRESHOLDS = {"0.8": 0.8, "0.9": 0.9, "0.95": 0.95, "0.98": 0.98, "always": ASKS_ALWAYS}


def cross_validate(predictions: Path, held_out: Path, params: CascadeParams, out: Path, table: Path) -> None:
    """Write the test predictions of the cascade on every split of a protocol.

    Args:
        predictions: the protocol's folder of test predictions, `<model>.parquet`.
        held_out: its folder of predictions for held-out training speakers, `<member>.parquet`.
        params: the section `models.cascade`.
        out: Parquet to write, with the columns of the networks' predictions and `asked`.
        table: CSV to write: `threshold` (`learnt`, a number, or `always`), mean over the splits of `accuracy` and of
            `asked`, the share of clips for which the second model is asked, and `worst` accuracy of a split.

    Raises:
        ProtocolError: predictions cannot be read, or the members' are not for the same clips.
    """
    tests, calibration = _by_split(predictions), _by_split(held_out)
    if tests.keys() != calibration.keys():
        raise ProtocolError(f"{predictions} and {held_out} have different splits: dvc repro writes both again")
    params_of = {_LEARNT: params} | {
        name: params.model_copy(update={"threshold": threshold}) for name, threshold in _THRESHOLDS.items()
    }
    answers = {
        name: [_answered(tests[split], calibration[split], params) for split in tests]
        for name, params in params_of.items()
    }
    with atomic.replaced_file(out) as path:
        pd.concat(answers[_LEARNT], ignore_index=True).to_parquet(path, index=False)
    rows = pd.DataFrame(_row(name, splits) for name, splits in answers.items())
    atomic.write_text(table, rows.round(6).to_csv(index=False, lineterminator="\n"))


def _by_split(folder: Path) -> dict[str, _Members]:
    """Return the members' predictions on each split, with the same clips in the same order."""
    try:
        tables = [pd.read_parquet(folder / f"{name}.parquet").sort_values(["split", "file"]) for name in MEMBERS]
    except (OSError, ValueError, KeyError) as error:
        raise ProtocolError(f"no predictions can be read from {folder} ({error}): dvc repro writes them") from error
    clips = [table[["split", "file", "digit"]].to_numpy().tolist() for table in tables]
    if clips[0] != clips[1]:
        raise ProtocolError(f"the predictions of {' and '.join(MEMBERS)} in {folder} are not for the same clips")
    first, second = (dict(iter(table.groupby("split", sort=False))) for table in tables)
    return {str(split): (first[split], second[split]) for split in first}


def _answered(test: _Members, held_out: _Members, params: CascadeParams) -> pd.DataFrame:
    """Return the test predictions of a split, with the rule that is learnt from those for held-out speakers."""
    rule = learn(_predictions(held_out[0]), _predictions(held_out[1]), held_out[0]["digit"].to_numpy(), params)
    found, asked = combined(_predictions(test[0]), _predictions(test[1]), rule)
    table = test[0].copy()
    table[PROBABILITIES] = found.probabilities
    table["predicted"] = found.probabilities.argmax(axis=1)
    table["ood_score"] = found.ood_scores
    return table.assign(asked=asked)


def _predictions(table: pd.DataFrame) -> Predictions:
    return Predictions(table[PROBABILITIES].to_numpy(dtype=np.float32), table["ood_score"].to_numpy(dtype=np.float32))


def _row(name: str, splits: list[pd.DataFrame]) -> dict[str, object]:
    accuracies = [(table["predicted"] == table["digit"]).mean() for table in splits]
    asked = np.mean([table["asked"].mean() for table in splits])
    return {"threshold": name, "accuracy": np.mean(accuracies), "worst": min(accuracies), "asked": asked}
