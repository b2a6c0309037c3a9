"""The results in git belong to the code, the parameters and the manifest in git."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from committed import ROOT
from dvc.repo import Repo
from dvc.utils.flatten import flatten
from ruamel.yaml import YAML

from audiomnist.cli.fresh import stale_entries
from audiomnist.evaluation.names import TITLES
from audiomnist.serving.bundle import description as bundle

CHECKOUT = Path(__file__).parents[2]


def locked(folder: str) -> dict[str, Any]:
    """Return the locked stages of the pipeline in a folder, named as DVC does; paths are the repository's."""
    stages: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / folder / "dvc.lock").read_text())["stages"]
    prefix = f"{folder}/dvc.yaml:" if folder else ""
    return {f"{prefix}{name}": entry for name, entry in stages.items()}


LOCK: dict[str, Any] = locked("") | locked("stages/protocols") | locked("stages/page")
PARAMETERS: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
TRACKED = set(
    subprocess.run(["git", "ls-files"], cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout.split()
)


def test_the_lock_files_are_the_result_of_what_is_in_git() -> None:
    """Of the code, the parameters and the manifest, stage by stage."""
    assert stale_entries(ROOT) == (len(LOCK), [])


@pytest.mark.parametrize("report", ["random", "official", "unseen", "learning_curve", "robustness/cnn"])
def test_the_report_of_a_protocol_was_written_by_a_locked_stage(report: str) -> None:
    """A report that no locked stage wrote would be a claim."""
    assert any(f"reports/{report}.json" in _outs(entry) for entry in LOCK.values())


def test_a_clone_lacks_no_output_of_the_protocols() -> None:
    """All that is reported is in git: nothing has to be pulled."""
    outs = {path for entry in locked("stages/protocols").values() for path in _outs(entry)}
    assert {path for path in outs if path not in TRACKED} == set()


def _outs(locked: dict[str, Any]) -> set[str]:
    return {entry["path"] for entry in locked.get("outs", [])}


def test_the_served_model_is_the_selected_one_and_small() -> None:
    """models/selected is params.yaml's model, intact, below 1 MB, and carries its scores."""
    folder = ROOT / "models" / "selected"
    description, _ = bundle.describe(folder)
    graph = bundle.read_graph(folder, description)
    headline = json.loads((ROOT / "reports" / "metrics.json").read_text())
    name = headline.pop("selected")
    assert description.model == PARAMETERS["model"] == name
    assert description.metrics == json.loads((ROOT / "reports" / "evaluation" / f"{name}.json").read_text())[name]
    assert headline == json.loads((ROOT / "reports" / "metrics" / f"{name}.json").read_text())[name]
    assert len(graph) < 1_000_000


def test_the_metrics_are_few_and_are_those_that_models_are_compared_by() -> None:
    """Per model five values and two of unseen speakers, how often the cascade asks, the selected model, the dataset."""
    shown = Repo(str(CHECKOUT)).metrics.show()[""]["data"]
    found = flatten({name: content["data"] for name, content in shown.items()}).keys()
    five = ("accuracy", "accuracy_low", "accuracy_high", "log_loss", "ece")
    wanted = {f"reports/metrics/{model}.json.{model}.{key}" for model in TITLES for key in five}
    wanted |= {f"reports/metrics_unseen.json.unseen.{model}.{key}" for model in TITLES for key in ("mean", "worst")}
    wanted |= {f"reports/metrics.json.{key}" for key in ("selected", *five)} | {"reports/data.json.corpus.dataset"}
    assert wanted <= found
    assert len(found) <= 47


def test_the_models_generalize_to_unseen_speakers() -> None:
    """Mean of six left-out speakers and the worst of them; what the served model says of its certainty."""
    unseen = json.loads((ROOT / "reports" / "unseen.json").read_text())
    promised = {"cnn": (0.92, 0.80), "rnn": (0.90, 0.75), "lstm": (0.92, 0.85)}
    promised |= {"whisper": (0.97, 0.93), "cascade": (0.985, 0.95)}
    found = {model: (unseen[model]["mean"], unseen[model]["worst"]) for model in promised}
    assert [model for model, least in promised.items() if min(np.subtract(np.round(found[model], 3), least)) < 0] == []
    assert unseen[PARAMETERS["model"]]["ece"] <= 0.05


def test_the_models_are_accurate_on_known_speakers_on_every_split() -> None:
    """Mean of five random splits, and upstream's own, in tenths of a percent; and the served model's certainty."""
    random, official = (json.loads((ROOT / "reports" / f"{name}.json").read_text()) for name in ("random", "official"))
    promised = {"cnn": (0.995, 0.993), "rnn": (0.99, 0.99), "lstm": (0.95, 0.95)}
    promised |= {"whisper": (0.985, 0.99), "cascade": (0.995, 0.995)}
    found = {model: (random[model]["mean"], official[model]["accuracy"]) for model in promised}
    assert [model for model, least in promised.items() if min(np.subtract(np.round(found[model], 3), least)) < 0] == []
    assert random[PARAMETERS["model"]]["ece"] <= 0.02


def test_the_committed_split_is_the_first_of_the_random_ones() -> None:
    """Trained twice, in two pipelines, it gives the same answers."""
    random = json.loads((ROOT / "reports" / "random.json").read_text())
    comparison = json.loads((ROOT / "reports" / "comparison.json").read_text())["comparison"]
    again = {name: random[name]["seed"]["0"] for name in ("cnn", "rnn", "lstm")}
    assert again == {name: comparison[name]["accuracy"] for name in again}


def test_the_models_are_as_good_as_promised() -> None:
    """On the real recordings: cnn at least 99%, rnn at least 97%, lstm on text at least 90%."""
    comparison = json.loads((ROOT / "reports" / "comparison.json").read_text())["comparison"]
    assert comparison["dataset"] == "Free Spoken Digit Dataset"
    promised = {"cnn": 0.99, "rnn": 0.97, "lstm": 0.90, "whisper": 0.97, "cascade": 0.99}
    assert {name: comparison[name]["accuracy"] >= least for name, least in promised.items()} == dict.fromkeys(
        promised, True
    )
