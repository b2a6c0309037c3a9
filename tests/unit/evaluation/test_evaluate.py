"""Reports: the scores of a bundle, the models side by side, and the selected one."""

import json
import shutil
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from audiomnist.audio import waveform
from audiomnist.core.digits import PROBABILITIES
from audiomnist.core.errors import AudiomnistError
from audiomnist.evaluation import plots
from audiomnist.evaluation.evaluate import evaluate
from audiomnist.evaluation.metrics import HEADLINE, rounded, scores
from audiomnist.evaluation.names import TITLES
from audiomnist.models.common import registry
from audiomnist.report import tables
from audiomnist.report.compare import ComparisonError, compare
from audiomnist.report.select import select
from audiomnist.robustness import ood_sounds
from audiomnist.serving import cascade
from audiomnist.serving import model as inference
from audiomnist.serving.bundle import description as bundle
from audiomnist.serving.fusion import combined
from audiomnist.serving.model import Predictions

INPUTS = {"cnn": "features", "rnn": "features", "lstm": "transcripts", "whisper": "logprobs", "cascade": "logprobs"}
PNG = b"\x89PNG\r\n\x1a\n"
SOUNDS = (*ood_sounds.KINDS, "backwards")
KEYS = {
    "dataset",
    "dataset_version",
    "test_clips",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "macro_f1",
    "log_loss",
    "ece",
    "train_accuracy",
    *(f"recall.{digit}" for digit in range(10)),
    *(f"speaker.{name}" for name in ("ada", "ben", "cyd")),
}


def evaluate_bundle(model: str, toy: Path, served: Path, out: Path) -> None:
    """Evaluate a bundle as its stage does."""
    evaluate(
        served / model,
        toy / INPUTS[model],
        toy / "raw",
        toy / "split.csv",
        out / "metrics" / f"{model}.json",
        out / "evaluation" / f"{model}.json",
        out / "predictions" / f"{model}.parquet",
        out / "plots" / model,
        served / f"{model}.csv" if model in registry.MODULES else None,
    )


@pytest.fixture(scope="module")
def evaluated(toy: Path, served: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evaluate the three bundles: JSONs in `metrics` and `evaluation`, tables in `predictions`, `plots/<model>/`."""
    out = tmp_path_factory.mktemp("evaluated")
    for model in INPUTS:
        evaluate_bundle(model, toy, served, out)
    return out


@pytest.fixture(scope="module")
def comparison(evaluated: Path) -> Path:
    """Compare the models."""
    compare(evaluated / "predictions", evaluated / "evaluation", evaluated / "comparison.json")
    return evaluated / "comparison.json"


def flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested mapping with dotted keys, as DVC shows it."""
    rows: dict[str, Any] = {}
    for key, item in value.items():
        rows |= flat(item, f"{prefix}{key}.") if isinstance(item, dict) else {f"{prefix}{key}": item}
    return rows


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("model", registry.MODULES)
def test_the_report_on_a_model_has_just_the_documented_keys(model: str, evaluated: Path) -> None:
    """Under the model's name; all but the identity are numbers in [0, 1], the log loss apart."""
    report = read_json(evaluated / "evaluation" / f"{model}.json")
    assert report.keys() == {model}
    scored = flat(report[model])
    assert scored.keys() == KEYS
    assert (scored["dataset"], scored["dataset_version"], scored["test_clips"]) == ("tones", "1", 30)
    shares = {key: scored[key] for key in KEYS - {"dataset", "dataset_version", "test_clips", "log_loss"}}
    assert all(0 <= share <= 1 for share in shares.values())
    assert scored["accuracy_low"] <= scored["accuracy"] <= scored["accuracy_high"]


@pytest.mark.parametrize("model", registry.MODULES)
def test_the_metrics_of_a_model_are_the_five_that_models_are_compared_by(model: str, evaluated: Path) -> None:
    """Under the model's name; the values are those of its report."""
    report = read_json(evaluated / "evaluation" / f"{model}.json")[model]
    assert HEADLINE == ("accuracy", "accuracy_low", "accuracy_high", "log_loss", "ece")
    assert read_json(evaluated / "metrics" / f"{model}.json") == {model: {key: report[key] for key in HEADLINE}}


@pytest.mark.parametrize("model", registry.MODULES)
def test_the_predictions_are_those_of_the_test_part(model: str, evaluated: Path) -> None:
    """A row for each of its clips and none of the others; the scores follow from them."""
    table = pd.read_parquet(evaluated / "predictions" / f"{model}.parquet")
    assert list(table) == ["file", "speaker", "digit", "predicted", *PROBABILITIES, "ood_score"]
    assert table["file"].tolist() == [f"{d}_{name}_0.wav" for d in range(10) for name in ("ada", "ben", "cyd")]
    assert (table[PROBABILITIES].to_numpy().argmax(axis=1) == table["predicted"]).all()
    scored = read_json(evaluated / "evaluation" / f"{model}.json")[model]
    assert rounded(scores(table)).items() <= scored.items()


def test_a_cascade_is_evaluated_like_the_models_it_has(served: Path, evaluated: Path) -> None:
    """Its predictions are those of both, as its rule says; how often it asks is a score, and it has no history."""
    tables = [
        pd.read_parquet(evaluated / "predictions" / f"{model}.parquet") for model in ("cnn", "whisper", "cascade")
    ]
    opened = cascade.load(served / "cascade", threads=1)
    assert isinstance(opened, cascade.Cascade)
    first, second, found = (
        Predictions(table[PROBABILITIES].to_numpy(np.float32), table["ood_score"].to_numpy(np.float32))
        for table in tables
    )
    expected, asked = combined(first, second, opened.description.rule)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)
    assert tables[2]["asked"].tolist() == asked.tolist()
    report = read_json(evaluated / "evaluation" / "cascade.json")["cascade"]
    assert flat(report).keys() == {*KEYS, "asked"}
    metrics = read_json(evaluated / "metrics" / "cascade.json")["cascade"]
    assert metrics["asked"] == report["asked"] == pytest.approx(asked.mean(), abs=1e-6)
    assert metrics.keys() == {*HEADLINE, "asked"}
    assert {path.name for path in (evaluated / "plots" / "cascade").iterdir()} == {"confusion.csv", "confusion.png"}


def test_the_predictions_of_a_waveform_model_are_those_of_its_served_bundle(
    toy: Path, served: Path, evaluated: Path
) -> None:
    """Evaluation runs the graph that is served, on the recordings."""
    table = pd.read_parquet(evaluated / "predictions" / "rnn.parquet")
    opened = inference.load(served / "rnn", threads=1)
    clips = [opened.prepare(waveform.read(toy / "raw" / file)) for file in table["file"]]
    expected = opened.predict_waveforms(clips).probabilities
    np.testing.assert_allclose(table[PROBABILITIES].to_numpy(dtype=float), expected, atol=1e-5)


@pytest.mark.parametrize("model", registry.MODULES)
def test_an_evaluation_repeated_writes_the_same_bytes(
    model: str, toy: Path, served: Path, evaluated: Path, tmp_path: Path
) -> None:
    """Metrics, report, predictions, confusion and both pictures."""
    evaluate_bundle(model, toy, served, tmp_path)
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    plots_of_model = {f"plots/{model}/{name}" for name in ("confusion.csv", "confusion.png", "history.png")}
    tables = {f"metrics/{model}.json", f"evaluation/{model}.json", f"predictions/{model}.parquet"}
    assert {str(path) for path in written} == plots_of_model | tables
    for path in written:
        assert (tmp_path / path).read_bytes() == (evaluated / path).read_bytes()


def test_the_confusion_has_a_row_for_each_test_clip(evaluated: Path) -> None:
    """Truth and prediction, as `dvc plots` takes them."""
    pairs = pd.read_csv(evaluated / "plots" / "cnn" / "confusion.csv")
    table = pd.read_parquet(evaluated / "predictions" / "cnn.parquet")
    assert list(pairs) == ["actual", "predicted"]
    assert pairs["actual"].tolist() == table["digit"].tolist()
    assert pairs["predicted"].tolist() == table["predicted"].tolist()


def test_plots_are_pictures_and_the_same_bytes_twice(tmp_path: Path) -> None:
    """Nothing in them depends on when they were drawn, an empty row included."""
    counts = np.diag(np.arange(10)) + np.eye(10, k=1, dtype=np.int64)
    history = pd.DataFrame({"epoch": [1, 2], "train_accuracy": [0.1, 0.9], "test_accuracy": [0.2, 0.8]})
    for run in ("one", "two"):
        plots.plot_confusion_matrix(counts, "title", tmp_path / run / "confusion.png")
        plots.plot_history(history, "title", tmp_path / run / "history.png")
    for name in ("confusion.png", "history.png"):
        first = (tmp_path / "one" / name).read_bytes()
        assert first.startswith(PNG)
        assert first == (tmp_path / "two" / name).read_bytes()


def test_a_comparison_sets_the_models_beside_each_other_and_the_paper(evaluated: Path, comparison: Path) -> None:
    """Each with its accuracies and the paper's; each pair with a p-value."""
    found = read_json(comparison)["comparison"]
    assert found.keys() == {"dataset", "mcnemar_p", *INPUTS}
    assert found["dataset"] == "tones"
    assert found["mcnemar_p"].keys() == {f"{one}_{other}" for one, other in combinations(TITLES, 2)}
    assert all(0 <= p <= 1 for p in found["mcnemar_p"].values())
    own = read_json(evaluated / "evaluation" / "rnn.json")["rnn"]
    shown = ("accuracy", "accuracy_low", "accuracy_high", "train_accuracy")
    assert found["rnn"] == {key: own[key] for key in shown} | {"paper_accuracy": 0.69, "paper_train_accuracy": 0.9716}


def compared(tables: dict[str, pd.DataFrame], evaluated: Path, out: Path) -> dict[str, Any]:
    """Compare models whose predictions are these tables."""
    for model in INPUTS:
        tables.get(model, tables["cnn"]).to_parquet(out / f"{model}.parquet")
    compare(out, evaluated / "evaluation", out / "comparison.json")
    found: dict[str, Any] = read_json(out / "comparison.json")["comparison"]["mcnemar_p"]
    return found


def test_the_p_value_is_of_the_same_clips_whatever_their_order(evaluated: Path, tmp_path: Path) -> None:
    """Seven clips that one model alone gets right: p is 2 / 2**7."""
    table = pd.read_parquet(evaluated / "predictions" / "cnn.parquet").assign(predicted=lambda rows: rows["digit"])
    worse = table.copy()
    worse.loc[:6, "predicted"] = (worse.loc[:6, "digit"] + 1) % 10
    shuffled = worse.sample(frac=1, random_state=0).reset_index(drop=True)
    assert compared({"cnn": table, "rnn": shuffled}, evaluated, tmp_path)["cnn_rnn"] == 2 / 2**7


def test_models_evaluated_on_different_clips_are_not_compared(evaluated: Path, tmp_path: Path) -> None:
    """A clip less, and there is an error and no comparison."""
    table = pd.read_parquet(evaluated / "predictions" / "cnn.parquet")
    with pytest.raises(ComparisonError, match="different test clips"):
        compared({"cnn": table, "rnn": table.iloc[1:]}, evaluated, tmp_path)
    assert not (tmp_path / "comparison.json").exists()


def test_the_table_of_results_names_each_model_with_its_numbers(comparison: Path) -> None:
    """In the terminal and in Markdown: the same cells."""
    results = tables.results(comparison)
    assert [row[0] for row in results.rows] == list(TITLES.values())
    assert results.rows[0][4:] == ("98.6%", "88.4%")
    assert results.rows[3][4:] == ("-", "-")
    assert results.rows[1][2] == f"{read_json(comparison)['comparison']['rnn']['accuracy']:.1%}"
    console = Console(width=200, record=True)
    console.print(results.rich())
    shown = console.export_text()
    lines = results.markdown().splitlines()
    assert lines[1] == "| --- | --- | --- | --- | --- | --- |"
    assert len(lines) == 2 + 5
    for row, line in zip(results.rows, lines[2:], strict=True):
        assert line == f"| {' | '.join(row)} |"
        assert all(cell in shown for cell in row)


def selected(model: str, served: Path, evaluated: Path, out: Path) -> None:
    """Select a model as the stage does."""
    select(
        served / model,
        evaluated / "metrics" / f"{model}.json",
        evaluated / "evaluation" / f"{model}.json",
        out / "selected",
        out / "metrics.json",
    )


@pytest.mark.parametrize("model", registry.MODULES)
def test_the_selected_bundle_is_the_models_with_its_scores_inside(
    model: str, served: Path, evaluated: Path, tmp_path: Path
) -> None:
    """The same graph, the same description but for the metrics; it opens."""
    selected(model, served, evaluated, tmp_path)
    graphs = [(folder / bundle.GRAPH).read_bytes() for folder in (served / model, tmp_path / "selected")]
    assert graphs[0] == graphs[1]
    own, _ = bundle.describe(served / model)
    description = inference.load(tmp_path / "selected", threads=1).description
    scored = read_json(evaluated / "evaluation" / f"{model}.json")[model]
    assert description.metrics == scored
    assert description.model_copy(update={"metrics": None}) == own


def test_the_headline_has_the_metrics_of_the_selected_model(served: Path, evaluated: Path, tmp_path: Path) -> None:
    """Not under the model's name, which is a value."""
    selected("rnn", served, evaluated, tmp_path)
    headline = read_json(tmp_path / "metrics.json")
    assert headline == {"selected": "rnn", **read_json(evaluated / "metrics" / "rnn.json")["rnn"]}


def test_a_selection_replaces_the_one_before(served: Path, evaluated: Path, tmp_path: Path) -> None:
    """Nothing of the earlier bundle stays."""
    selected("cnn", served, evaluated, tmp_path)
    (tmp_path / "selected" / "left").touch()
    selected("lstm", served, evaluated, tmp_path)
    assert {path.name for path in (tmp_path / "selected").iterdir()} == {bundle.GRAPH, bundle.DESCRIPTION}
    assert bundle.describe(tmp_path / "selected")[0].model == "lstm"


def test_an_evaluation_of_a_spoilt_bundle_writes_nothing(toy: Path, served: Path, tmp_path: Path) -> None:
    """A graph that is not the description's is not evaluated."""
    shutil.copytree(served / "cnn", tmp_path / "spoilt" / "cnn")
    (tmp_path / "spoilt" / "cnn" / bundle.GRAPH).write_bytes(b"")
    shutil.copyfile(served / "cnn.csv", tmp_path / "spoilt" / "cnn.csv")
    with pytest.raises(bundle.BundleError):
        evaluate_bundle("cnn", toy, tmp_path / "spoilt", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_results_that_were_never_written_are_reported_with_a_remedy(tmp_path: Path) -> None:
    """The file, the reason and the remedy."""
    with pytest.raises(AudiomnistError, match=r"comparison\.json .*dvc repro writes it"):
        tables.results(tmp_path / "comparison.json")
    (tmp_path / "comparison.json").write_text('{"comparison": {"dataset": "x", "cnn": {}}}', encoding="utf-8")
    with pytest.raises(AudiomnistError, match=r"comparison\.json .*dvc repro writes it"):
        tables.results(tmp_path / "comparison.json")
