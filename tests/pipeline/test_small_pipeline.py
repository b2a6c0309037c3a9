"""What researchers and reviewers do with DVC, done with the real dvc on a small corpus."""

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pytest
from checkout import ALL_STAGES, ENVIRONMENT, NETWORKS, ROOT, Checkout, alter

from audiomnist.cascade.params import MEMBERS

Found = TypeVar("Found")

PROTOCOLS = "stages/protocols/dvc.yaml"
HISTORY = "reports/plots/rnn/history.csv"
MODELS = (*NETWORKS, "cascade")
METRICS = {"reports/data.json", "reports/metrics.json", *(f"reports/metrics/{model}.json" for model in MODELS)}
README = (ROOT / "README.md").read_text(encoding="utf-8")
LONG_TRAINING = {"models": {"rnn": {"hidden_sizes": [9]}}, "train": {"epochs": 2000}}


def test_the_first_repro_runs_each_stage_that_is_needed_and_the_second_none(
    ingested: tuple[Checkout, set[str]],
) -> None:
    """After one run the recordings, their gate and the split are up to date."""
    checkout, ran = ingested
    assert ran == {"check", "ingest", "validate@recordings", "split"}
    assert checkout.stages_run("repro", "validate@recordings", "split") == set()
    assert checkout.git_status() == set()


@pytest.mark.long
def test_the_first_repro_runs_every_stage_and_the_second_none(reproduced: tuple[Checkout, set[str]]) -> None:
    """After one run everything is up to date, for repro and for status."""
    checkout, ran = reproduced
    assert ran == ALL_STAGES
    assert checkout.stages_run("repro") == set()
    assert "up to date" in checkout.run("dvc", "status")
    assert checkout.git_status() == set()


@pytest.mark.long
def test_results_name_the_dataset_they_were_measured_on(reproduced: tuple[Checkout, set[str]]) -> None:
    """Every report and the bundle say that these are synthetic voices; so does one of the metrics."""
    checkout = reproduced[0]
    folder = checkout.folder
    shown = json.loads(checkout.run("dvc", "metrics", "show", "--json"))[""]["data"]
    assert shown.keys() == METRICS
    assert shown["reports/data.json"]["data"]["corpus"]["dataset"] == "synthetic voices (eSpeak NG)"
    reports = [path for path in folder.glob("reports/**/*.json") if "metrics" not in str(path.relative_to(folder))]
    files = [*reports, folder / "models/selected/bundle.json"]
    assert len(files) == 13
    assert [file for file in files if "synthetic voices (eSpeak NG)" not in file.read_text(encoding="utf-8")] == []


@pytest.mark.long
def test_git_holds_the_lock_the_reports_and_the_selected_model(reproduced: tuple[Checkout, set[str]]) -> None:
    """The commit that follows a run touches nothing else."""
    names = reproduced[0].run("git", "show", "--name-only", "--format=").split()
    assert {name.split("/")[0] if not name.startswith("models/") else name.rpartition("/")[0] for name in names} == {
        "dvc.lock",
        "reports",
        "models/selected",
    }


@pytest.mark.long
@pytest.mark.parametrize("model", ["rnn", "cascade"])
def test_selecting_another_model_trains_nothing(checkout: Checkout, model: str) -> None:
    """`exp run -S model=rnn` runs check and select; the headline metrics become the rnn's, and no others change."""
    assert checkout.stages_run("exp", "run", "-S", f"model={model}") == {"check", "select"}
    assert json.loads(checkout.run("dvc", "metrics", "diff", "--json")).keys() == {"reports/metrics.json"}
    headline = json.loads((checkout.folder / "reports/metrics.json").read_text())
    assert headline.pop("selected") == model
    assert headline == json.loads((checkout.folder / f"reports/metrics/{model}.json").read_text())[model]


@pytest.mark.long
def test_a_parameter_of_one_model_runs_that_model_alone_and_shows_in_every_diff(checkout: Checkout) -> None:
    """`-S models.rnn.dropout=0.3` touches the rnn and the comparison; a reviewer sees the metrics of the rnn."""
    ran = checkout.stages_run("exp", "run", "-S", "models.rnn.dropout=0.3")
    assert ran == {"check", "train@rnn", "export@rnn", "evaluate@rnn", "compare"}
    checkout.run("git", "checkout", "-q", "-b", "feature")
    checkout.commit("dropout")
    parameters = json.loads(checkout.run("dvc", "params", "diff", "--json", "main", "feature"))
    assert set(parameters["params.yaml"]) == {"models.rnn.dropout"}
    metrics = json.loads(checkout.run("dvc", "metrics", "diff", "--json", "main", "feature"))
    assert set(metrics) == {"reports/metrics/rnn.json"}
    shown = json.loads(checkout.run("dvc", "plots", "diff", "--json", "--out", "plots", "main", "feature"))
    curves = shown["data"]["reports/plots/rnn/history.csv"]
    assert {tuple(plot["revisions"]) for plot in curves} == {("main", "feature")}


@pytest.mark.long
@pytest.mark.parametrize("parameter", ["models.rnn.dropout=0.3", "train.label_smoothing=0.3"])
def test_experiments_are_compared_on_one_screen(parameter: str, checkout: Checkout) -> None:
    """The call of the README has the changed parameters and accuracies in 120 columns; a metrics diff has few lines."""
    show = re.search(r"^\$ (dvc exp show .*)$", README, re.MULTILINE)
    assert show
    checkout.run("dvc", "exp", "run", "-n", "one", "-S", parameter)
    checkout.run("dvc", "exp", "run", "-n", "other", "-S", "model=rnn")
    lines = checkout.run("sh", "-c", show[1]).splitlines()  # as wide as its cells: not a terminal
    assert max(map(len, lines)) <= 120
    head = next(line for line in lines if "Experiment" in line).split()
    assert {"Experiment", "selected", "model", parameter.partition("=")[0]} <= set(head)
    assert [sum(name in line for line in lines) for name in ("[one]", "[other]")] == [1, 1]
    assert len(checkout.run("dvc", "metrics", "diff", "one", "other").splitlines()) < 30


@pytest.mark.long
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model=typo", "model: Input should be 'cnn', 'rnn', 'lstm', 'whisper' or 'cascade' (given: 'typo')"),
        ("+models.rnn.hiden=1", "models.rnn.hiden: is not a parameter"),
    ],
)
def test_an_error_in_a_parameter_is_reported_before_anything_is_lost(
    checkout: Checkout, override: str, message: str
) -> None:
    """One clear message, every output still there, nothing but params.yaml differs."""
    printed = checkout.run("dvc", "exp", "run", "-S", override, status=1)
    assert message in printed
    assert "Traceback" not in printed
    assert checkout.git_status() == {"params.yaml"}
    checkout.run("git", "checkout", "params.yaml")
    assert "up to date" in checkout.run("dvc", "status")


def test_an_altered_recording_is_found_and_restored(with_recordings: Checkout) -> None:
    """One byte more in one raw file: the next repro puts the right file back, and nothing else runs."""
    victim = sorted((with_recordings.folder / "data/raw").glob("*.wav"))[7]
    content = victim.read_bytes()
    victim.unlink()
    victim.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with_recordings.run("dvc", "repro", "validate@recordings")
    assert victim.read_bytes() == content
    assert with_recordings.git_status() == set()


@pytest.mark.long
def test_another_data_version_shows_in_the_metrics_diff(checkout: Checkout) -> None:
    """More takes: `dvc metrics diff` names the recordings before and after."""
    checkout.run("dvc", "exp", "run", "-S", "data.synthetic.takes=4", "ingest")
    metrics = json.loads(checkout.run("dvc", "metrics", "diff", "--json", "--all"))
    assert metrics["reports/data.json"]["corpus.recordings"] == {"old": 180, "new": 240, "diff": 60}


@pytest.fixture
def shared(checkout: Checkout, tmp_path: Path) -> Checkout:
    """The pipeline as its author shares it, by `origin` and a DVC remote, having run the main pipeline alone.

    The protocols are as committed. Branch `other` has another model, experiment `tried` a third.
    """
    tracked = subprocess.run(
        ["git", "ls-files", "stages/protocols", "reports"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    for name in tracked:
        if not (checkout.folder / name).exists():
            (checkout.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, checkout.folder / name)
    checkout.run("dvc", "remote", "add", "--default", "storage", str(tmp_path / "storage"))
    checkout.commit("protocols and a remote")
    checkout.run("dvc", "exp", "run", "-n", "tried", "-S", "model=lstm")
    checkout.run("git", "reset", "-q", "--hard")
    checkout.run("git", "checkout", "-q", "-b", "other")
    checkout.run("dvc", "exp", "run", "-S", "model=rnn")
    checkout.commit("the rnn")
    checkout.run("git", "checkout", "-q", "main")
    checkout.run("dvc", "checkout", "-q")
    checkout.run("git", "clone", "-q", "--bare", str(checkout.folder), str(tmp_path / "origin"))
    checkout.run("git", "remote", "set-url", "origin", str(tmp_path / "origin"))
    checkout.run("dvc", "push", "--all-commits")
    checkout.run("dvc", "exp", "push", "origin", "tried")
    return checkout


@pytest.mark.long
def test_a_clone_does_with_dvc_what_its_author_does(shared: Checkout, tmp_path: Path) -> None:
    """Each command ends with status 0 and says little; with all that is pulled no stage runs."""
    shared.run("git", "clone", "-q", str(tmp_path / "origin"), str(tmp_path / "reader"))
    clone = Checkout(tmp_path / "reader")
    clone.run("git", "config", "user.name", "test")
    clone.run("git", "config", "user.email", "test@example.org")
    for command in (
        "dvc pull",
        "dvc checkout",
        "dvc push",
        "dvc exp pull origin tried",
        "dvc exp apply tried",
        "git checkout -q .",
        "dvc checkout",
        "dvc install",
        "git checkout -q other",
        "git checkout -q main",
    ):
        printed = clone.run(*command.split())
        assert len(printed.splitlines()) < 30, command
        assert "ERROR" not in printed, command
    assert clone.stages_run("repro") == set()
    assert clone.git_status() == set()
    assert "up to date" in clone.run("dvc", "status", "dvc.yaml")


@pytest.mark.long
def test_after_a_kill_in_mid_training_the_next_repro_completes(checkout: Checkout) -> None:
    """SIGKILL of dvc ends all of the training too, whatever shell dvc starts it with; the next repro completes."""
    parameters = checkout.folder / "params.yaml"
    alter(parameters, LONG_TRAINING)
    history = checkout.folder / HISTORY
    with _training(checkout) as dvc:
        _wait(lambda: history.exists() and len(history.read_text().splitlines()) > 3)
        assert any(b"spawn_main" in command for command in _pythons_in(checkout).values())
        dvc.kill()
        _wait(lambda: not _pythons_in(checkout))
    alter(parameters, {"train": {"epochs": 2}})
    assert {"train@rnn", "export@rnn", "evaluate@rnn", "compare"} <= checkout.stages_run("repro")
    assert "up to date" in checkout.run("dvc", "status")


@pytest.mark.long
def test_the_curves_of_a_training_can_be_watched_while_it_runs(with_recordings: Checkout) -> None:
    """`dvc plots show` has the finished epochs, and more a little later; `dvc exp show` does not wait for the end."""
    with_recordings.run("dvc", "repro", "validate@features")
    alter(with_recordings.folder / "params.yaml", LONG_TRAINING)
    history = with_recordings.folder / HISTORY
    with _training(with_recordings) as dvc:
        _wait(lambda: history.exists() and len(history.read_text().splitlines()) > 3)
        first = _epochs_shown(with_recordings)
        assert first >= 3
        _wait(lambda: len(history.read_text().splitlines()) > first + 1)
        assert _epochs_shown(with_recordings) > first
        assert json.loads(with_recordings.run("dvc", "exp", "show", "--json"))[0]["rev"] == "workspace"
        assert dvc.poll() is None
        dvc.kill()
        _wait(lambda: not _pythons_in(with_recordings))


@pytest.mark.long
def test_a_kill_before_training_has_begun_ends_the_process_that_starts(checkout: Checkout) -> None:
    """SIGKILL of dvc while the stage's Python still loads its libraries leaves none in the checkout."""
    alter(checkout.folder / "params.yaml", LONG_TRAINING)
    assert any(_is_killed_early(checkout) for _ in range(5)), "each kill came too late"


@pytest.mark.long
def test_queued_experiments_run_the_code_of_their_own_checkout(checkout: Checkout) -> None:
    """A queued selection and one with --temp give two rows with their own headline."""
    marker = checkout.folder / "stages" / "select.py"
    marker.write_text(f"print('own checkout')\n{marker.read_text()}")
    checkout.commit("a stage that says where it runs")
    checkout.run("dvc", "exp", "run", "--queue", "-S", "model=lstm")
    checkout.run("dvc", "exp", "run", "--run-all")
    assert "own checkout" in checkout.run("dvc", "exp", "run", "--temp", "-S", "model=rnn")
    rows = list(csv.DictReader(io.StringIO(checkout.run("dvc", "exp", "show", "--csv"))))
    assert {row["selected"] for row in rows if row["Experiment"]} == {"rnn", "lstm"}


@pytest.mark.long
def test_a_protocol_trains_and_evaluates_every_model_on_its_split(checkout: Checkout) -> None:
    """The report has all models on the same clips; again nothing runs; the main pipeline is left alone."""
    (checkout.folder / PROTOCOLS).parent.mkdir()
    shutil.copyfile(ROOT / PROTOCOLS, checkout.folder / PROTOCOLS)
    ran = checkout.stages_run("repro", f"{PROTOCOLS}:random")
    networks = {f"cross-validate{'-members' if model in MEMBERS else ''}@random-{model}" for model in NETWORKS}
    others = {"linear@random", "cascade@random", "random"}
    assert ran - {"check"} == {f"{PROTOCOLS}:{name}" for name in networks | others}
    report = json.loads((checkout.folder / "reports" / "random.json").read_text(encoding="utf-8"))
    assert {*NETWORKS, "linear"} < report.keys()
    assert checkout.stages_run("repro", f"{PROTOCOLS}:random") == set()
    assert checkout.stages_run("repro") == set()
    assert "reports/random.json" not in checkout.run("dvc", "metrics", "show")
    for model in NETWORKS:
        main = pd.read_parquet(checkout.folder / "data" / "predictions" / f"{model}.parquet")
        again = pd.read_parquet(checkout.folder / "reports" / "protocols" / "random" / f"{model}.parquet")
        of_seed = again[again["seed"] == 0].reset_index(drop=True)
        if model in MEMBERS:  # the others have no folds here, which changes their calibration
            pd.testing.assert_frame_equal(of_seed[main.columns], main)
        assert of_seed["predicted"].tolist() == main["predicted"].tolist()


@contextmanager
def _training(checkout: Checkout) -> Iterator[subprocess.Popen[bytes]]:
    """Start dvc, which removes the history and trains the rnn; kill what is left of both at the end."""
    command, null = ["dvc", "repro", "--single-item", "train@rnn"], subprocess.DEVNULL
    environment = ENVIRONMENT | {"SHELL": "/bin/sh"}
    with subprocess.Popen(command, cwd=checkout.folder, env=environment, stdout=null, stderr=null) as dvc:
        try:
            yield dvc
        finally:
            for pid in _pythons_in(checkout):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _epochs_shown(checkout: Checkout) -> int:
    """Return how many epochs of the rnn `dvc plots show` draws."""
    shown = json.loads(checkout.run("dvc", "plots", "show", "--json", HISTORY))
    (plot,) = shown["data"][HISTORY]
    return len({point["step"] for point in plot["content"]["data"]["values"]})


def _is_killed_early(checkout: Checkout) -> bool:
    """Kill dvc as soon as the stage's Python is there; return whether training had not begun, and check its end."""
    with _training(checkout) as dvc:
        (stage,) = _wait(lambda: _starting(checkout))
        os.kill(stage, signal.SIGSTOP)
        is_early = not (checkout.folder / HISTORY).exists()
        dvc.kill()
        dvc.wait()
        os.kill(stage, signal.SIGCONT)
        _wait(lambda: not _pythons_in(checkout))
    return is_early


def _starting(checkout: Checkout) -> list[int]:
    """Return the process of the stage that trains, once the shell that dvc starts it with has become Python."""
    return [pid for pid, command in _pythons_in(checkout).items() if command.startswith(b"python\0-P\0stages/train.py")]


def _pythons_in(checkout: Checkout) -> dict[int, bytes]:
    """Return the commands of the Python processes whose folder is the checkout, by id."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command, folder = (process / "cmdline").read_bytes(), (process / "cwd").readlink()
        except OSError:
            continue
        if b"python" in command and folder == checkout.folder:
            found[int(process.name)] = command
    return found


def _wait(happened: Callable[[], Found], deadline_s: float = 120) -> Found:
    """Wait until something has happened; return it."""
    end = time.monotonic() + deadline_s
    while not (found := happened()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found
