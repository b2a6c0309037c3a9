"""Section 2: speakers, digits, confusion matrices, epochs, numbers of training speakers."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from audiomnist.core.digits import CLASSES
from audiomnist.evaluation.names import TITLES
from audiomnist.page import charts
from audiomnist.page.clips import Clips
from audiomnist.page.components import Cell, Chart, Table, confusion
from audiomnist.page.inputs import PROTOCOLS_COMMAND, Reports
from audiomnist.page.text import percent


def section(reports: Reports, predictions: Mapping[str, pd.DataFrame], clips: Clips) -> dict[str, Any]:
    """Return the tables, matrices and charts."""
    evaluations = {model: reports.required(f"evaluation/{model}.json")[model] for model in TITLES}
    return {
        "speakers": _heat("Accuracy on test clips by speaker", "speaker", evaluations, "speaker"),
        "digits": _heat("Accuracy on test clips by digit", "digit", evaluations, "recall"),
        "confusions": [
            confusion(f"confusion-{model}", f"{title}: {_errors(predictions[model])}", predictions[model], clips)
            for model, title in TITLES.items()
        ],
        "unseen": _unseen(reports),
        "learning_curve": _learning_curve(reports),
        "curves": _curves(reports),
        "fitted_at_once": _fitted_at_once(reports),
        "missing": reports.notes("plots/unseen.csv", "learning_curve.json"),
    }


def _errors(predictions: pd.DataFrame) -> str:
    wrong = int((predictions["predicted"] != predictions["digit"]).sum())
    return f"{wrong} of {len(predictions)} wrong"


def _heat(caption: str, group: str, evaluations: Mapping[str, Any], key: str) -> Table:
    names = list(next(iter(evaluations.values()))[key])
    head = (group, *(TITLES[model] for model in evaluations))
    rows = [(name, *(_tinted(scores[key][name]) for scores in evaluations.values())) for name in names]
    return Table(caption, head, rows)


def _tinted(accuracy: float) -> Cell:
    """Return a cell that is darker the more errors there are; 20% is the darkest."""
    return Cell(percent(accuracy), min(1.0, 5 * (1 - accuracy)))


def _unseen(reports: Reports) -> Chart | None:
    table = reports.csv("plots/unseen.csv", PROTOCOLS_COMMAND)
    if table is None:
        return None
    models = [model for model in TITLES if model in set(table["model"])]
    table = table[table["model"].isin(models)]
    rows = [
        {
            "group": row["speaker"],
            "model": charts.title_of(row["model"]),
            "accuracy": row["accuracy"],
            "low": row["accuracy_low"],
            "high": row["accuracy_high"],
        }
        for row in table.to_dict("records")
    ]
    worst = table.loc[table.groupby("model", sort=False)["accuracy"].idxmin()]
    label = "Accuracy on each speaker, held out of training. Worst: " + "; ".join(
        f"{charts.title_of(row['model'])} {percent(row['accuracy'])} on {row['speaker']}"
        for row in worst.to_dict("records")
    )
    wide = table.pivot_table(index="speaker", columns="model", values="accuracy", observed=True)
    numbers = Table(
        "Accuracy on speakers who were held out of training",
        ("speaker", *map(charts.title_of, models)),
        [(str(name), *(percent(values[model]) for model in models)) for name, values in wide.iterrows()],
    )
    spec = charts.by_group(rows, "speaker", models)
    return Chart("unseen", "Each speaker held out of training, with 95% intervals", label, spec, numbers)


def _learning_curve(reports: Reports) -> Chart | None:
    report = reports.json("learning_curve.json", PROTOCOLS_COMMAND)
    if report is None:
        return None
    ((model, counts),) = report.items()
    shown = {"mean": "mean of the speakers", "worst": "worst speaker"}
    numbers = [(int(name.removeprefix("speakers_")), scores) for name, scores in counts.items()]
    rows = [
        {"training speakers": count, "of": title, "accuracy": scores[key]}
        for key, title in shown.items()
        for count, scores in numbers
    ]
    table = Table(
        "Accuracy on an unseen speaker by number of training speakers",
        ("training speakers", *shown.values()),
        [(str(count), *(percent(scores[key]) for key in shown)) for count, scores in numbers],
    )
    label = f"{charts.title_of(model)} on an unseen speaker, mean: " + ", ".join(
        f"{percent(scores['mean'])} with {count} training speakers" for count, scores in numbers
    )
    spec = charts.two_lines(rows, "training speakers", "of", list(shown.values()))
    title = f"{charts.title_of(model)} on an unseen speaker, by number of training speakers"
    return Chart("learning-curve", title, label, spec, table)


def _curves(reports: Reports) -> list[Chart]:
    histories = {model: reports.csv(f"plots/{model}/history.csv") for model in TITLES if model != "cascade"}
    return [
        charts.curves(f"curves-{model}", TITLES[model], history)
        for model, history in histories.items()
        if history is not None and len(history) > 1
    ]


def _fitted_at_once(reports: Reports) -> list[str]:
    """Return a sentence on each model that has one epoch."""
    histories = {model: reports.csv(f"plots/{model}/history.csv") for model in TITLES if model != "cascade"}
    return [
        f"{TITLES[model]} is fitted at once: {percent(history['train_accuracy'].iloc[0])} on training clips, "
        f"{percent(history['test_accuracy'].iloc[0])} on test clips."
        for model, history in histories.items()
        if history is not None and len(history) == 1
    ]


def digits_of(speakers: pd.DataFrame) -> Table:
    """Return the number of recordings by speaker and digit: `speaker`, `digit`."""
    counts = pd.crosstab(speakers["speaker"], speakers["digit"]).reindex(columns=range(CLASSES), fill_value=0)
    rows = [(str(name), *map(str, row), str(int(row.sum()))) for name, row in counts.iterrows()]
    return Table("Recordings by speaker and digit", ("speaker", *map(str, range(CLASSES)), "all"), rows)
