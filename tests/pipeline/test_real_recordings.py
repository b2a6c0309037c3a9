"""The committed model and the committed parameters on the real recordings, where they are at hand."""

import json
import os
from pathlib import Path

import pytest
from checkout import ENVIRONMENT, ROOT, alter, copy_of_this_repository

from audiomnist.audio import waveform
from audiomnist.core.params import section
from audiomnist.corpus import manifest, splits
from audiomnist.corpus.splits import SplitParams
from audiomnist.ingest import download
from audiomnist.serving import model
from audiomnist.serving.bundle.description import describe
from audiomnist.serving.predictor import predictor

BATCH = 64

at_hand = pytest.mark.skipif(
    download.SOURCE_VARIABLE not in os.environ, reason=f"{download.SOURCE_VARIABLE} leads to no recordings"
)


@at_hand
def test_the_committed_model_labels_the_test_recordings_as_well_as_the_committed_metrics_say(tmp_path: Path) -> None:
    """Source, manifest, split, bundle and metrics in git belong together, whichever model is selected."""
    rows = manifest.read(ROOT / "data" / "manifest.csv")
    download.fetch(tmp_path, rows)
    manifest.verify(tmp_path, rows, os.environ[download.SOURCE_VARIABLE])
    parts = splits.assign(rows, section(ROOT / "params.yaml", "split", SplitParams))
    test = [row for row in rows if parts[row.file] == "test"]
    predicted = labels([tmp_path / row.file for row in test])
    right = sum(label == row.digit for label, row in zip(predicted, test, strict=True))
    committed = describe(ROOT / "models" / "selected")[0].metrics
    assert committed is not None
    assert len(test) == committed["test_clips"]
    assert right / len(test) == pytest.approx(committed["accuracy"], abs=1e-6)


def labels(files: list[Path]) -> list[int | None]:
    """Return the committed model's label of each file, None where its recognizer failed."""
    hear = predictor(model.load(ROOT / "models" / "selected", threads=1))
    batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
    answers = [answer for batch in batches for answer in hear([waveform.read(file) for file in batch])]
    return [answer and int(answer.probabilities.argmax()) for answer in answers]


@pytest.mark.long
@at_hand
def test_fewer_speakers_show_in_the_metrics_diff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-S data.speakers=[...]`: `dvc metrics diff` names recordings and speakers before and after."""
    monkeypatch.setitem(
        ENVIRONMENT, download.SOURCE_VARIABLE, str(Path(os.environ[download.SOURCE_VARIABLE]).absolute())
    )
    checkout = copy_of_this_repository(tmp_path)
    alter(tmp_path / "params.yaml", {"data": {"source": "recordings"}})
    assert checkout.stages_run("repro", "ingest") == {"check", "ingest"}
    checkout.commit("all speakers")
    checkout.run("dvc", "exp", "run", "-S", "data.speakers=[jackson,nicolas,theo]", "ingest")
    printed = checkout.run("dvc", "metrics", "diff", "--json", "--all", "--targets", "reports/data.json")
    corpus = json.loads(printed)["reports/data.json"]
    assert corpus["corpus.recordings"] == {"old": 3000, "new": 1500, "diff": -1500}
    assert corpus["corpus.speakers"] == {"old": 6, "new": 3, "diff": -3}
