"""A repository with two revisions of a small pipeline's outputs, one of them under a hostile name."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from checkout import ROOT, Checkout

from audiomnist.core.digits import CLASSES, PROBABILITIES

HOSTILE_BRANCH = "<img/src=x/onerror=window.hostile=1>"
HOSTILE_FILE = "7_'\"&<img src=x onerror=hostile()>_9.wav"
HOSTILE_SPEAKER = "</script><script>window.hostile = 1</script>"
RATE_HZ = 8000
CLIPS = [
    *((f"{digit}_{speaker}_0.wav", digit, speaker) for digit in range(CLASSES) for speaker in ("ada", "bob")),
    (HOSTILE_FILE, 7, HOSTILE_SPEAKER),
]
# The clips that the cnn gets wrong on `main`, and on the other branch.
WRONG = {"main": ["1_ada_0.wav", "2_bob_0.wav"], HOSTILE_BRANCH: ["2_bob_0.wav", "3_ada_0.wav", HOSTILE_FILE]}
TEST_ACCURACIES = {"main": [0.5, 0.75, 0.905], HOSTILE_BRANCH: [0.4, 0.62]}


def make(folder: Path) -> Checkout:
    """Make the repository: the cnn differs, the rnn does not, and `main` alone has an lstm; `other` has other clips."""
    checkout = Checkout(folder)
    folder.mkdir(parents=True)
    for command in ("git init -q -b main", "dvc init -q", "git config user.name test", "git config user.email t@e.org"):
        checkout.run(*command.split())
    raw = folder / "data" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for file, digit, _ in CLIPS:
        time_s = np.arange(RATE_HZ * 2 // 5) / RATE_HZ
        sound = 0.4 * np.sin(2 * np.pi * (200 + 150 * digit) * time_s) + 0.01 * rng.normal(size=len(time_s))
        soundfile.write(raw / file, sound, RATE_HZ, subtype="PCM_16")
    for branch, epochs in (("main", 30), (HOSTILE_BRANCH, 31)):
        if branch != "main":
            checkout.run("git", "checkout", "-q", "-b", branch)
        _write_outputs(folder, branch, epochs)
        checkout.run("dvc", "add", "-q", "data/raw", *(str(path) for path in sorted(_predictions(folder))))
        checkout.commit("outputs")
    checkout.run("git", "checkout", "-q", "-b", "other", "main")
    cnn = folder / "data" / "predictions" / "cnn.parquet"
    predicted(WRONG["main"]).iloc[5:].to_parquet(_removed(cnn), index=False)
    checkout.run("dvc", "add", "-q", str(cnn))
    checkout.commit("other clips")
    checkout.run("git", "checkout", "-q", "main")
    checkout.run("dvc", "checkout", "-q")
    return checkout


def predicted(wrong: list[str]) -> pd.DataFrame:
    """Return predictions with a confidence of 0.6 in a wrong digit, the next one, and of 0.8 in a right one."""
    table = pd.DataFrame(CLIPS, columns=["file", "digit", "speaker"])
    is_wrong = table["file"].isin(wrong)
    table["predicted"] = (table["digit"] + is_wrong) % CLASSES
    probabilities = np.zeros((len(table), CLASSES))
    probabilities[np.arange(len(table)), table["predicted"]] = np.where(is_wrong, 0.6, 0.8)
    probabilities[np.arange(len(table)), (table["predicted"] + 1) % CLASSES] = np.where(is_wrong, 0.4, 0.2)
    table[PROBABILITIES] = probabilities
    return table.assign(ood_score=0.0)


def _predictions(folder: Path) -> list[Path]:
    return list((folder / "data" / "predictions").glob("*.parquet"))


def _write_outputs(folder: Path, branch: str, epochs: int) -> None:
    for path in (folder / "data" / "predictions", folder / "reports" / "metrics", folder / "reports" / "plots" / "cnn"):
        path.mkdir(parents=True, exist_ok=True)
    models = {"cnn": WRONG[branch], "rnn": [], "lstm": []}
    for model, wrong in models.items():
        path = _removed(folder / "data" / "predictions" / f"{model}.parquet")
        if model != "lstm" or branch == "main":
            predicted(wrong).to_parquet(path, index=False)
        else:
            path.with_suffix(".parquet.dvc").unlink()
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (folder / "params.yaml").write_text(text.replace("\n  epochs: 30", f"\n  epochs: {epochs}"), encoding="utf-8")
    metrics = {"cnn": {"accuracy": TEST_ACCURACIES[branch][-1], "ece": 0.125}}
    (folder / "reports" / "metrics" / "cnn.json").write_text(json.dumps(metrics), encoding="utf-8")
    accuracies = TEST_ACCURACIES[branch]
    history = pd.DataFrame(
        {"epoch": range(1, len(accuracies) + 1), "train_accuracy": 0.25, "test_accuracy": accuracies}
    )
    history.to_csv(folder / "reports" / "plots" / "cnn" / "history.csv", index=False)


def _removed(path: Path) -> Path:
    """Return a path whose file, which may be a link into DVC's cache, is removed."""
    path.unlink(missing_ok=True)
    return path
