"""Rows of the table: what all rows of a run have in common, and what is each file's own."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from runs import RUN_COLUMNS

from audiomnist.scoring import records
from audiomnist.scoring.records import FileInfo, FileResult
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.serving.bundle import code_version
from audiomnist.serving.bundle.description import describe_served
from audiomnist.serving.predictor import Prediction

SELECTED = Path(__file__).parents[3] / "models" / "selected"


def test_the_rows_of_a_run_say_what_made_them() -> None:
    """Run, model, its data, and the program."""
    description, version = describe_served(SELECTED)
    assert records.run_columns("run-1", description, version) == {
        "model": description.model,
        "model_version": version,
        "dataset": description.dataset.name,
        "dataset_version": description.dataset.version,
        "code_revision": code_version.revision(),
        "run_id": "run-1",
    }


def test_a_prediction_is_in_its_columns() -> None:
    """The label, all probabilities, and whose answer it is."""
    probabilities = np.full(10, 0.05, dtype=np.float32)
    probabilities[7] = 0.55
    prediction = Prediction(probabilities, 0.25, "cnn+whisper", " seven")
    made = records.predicted(prediction, 0.5)
    assert (made.status, made.digit, made.ood_score) == ("scored", 7, 0.25)
    assert (made.answered_by, made.asr_token) == ("cnn+whisper", " seven")
    assert made.probabilities == tuple(probabilities.tolist())
    assert (records.predicted(prediction, 0.6).status, records.predicted(prediction, 0.6).digit) == ("abstained", None)


def test_rows_have_the_columns_of_the_table_with_their_types() -> None:
    """Of a file with a prediction and of one without."""
    prediction = Prediction(np.full(10, 0.1, dtype=np.float32), 0.25, answered_by="cnn", asr_token=None)
    files = [
        FileResult(FileInfo("a.wav", 1, 2, "0" * 64, 0.5, 8000, 1, 0.5), records.predicted(prediction, 0.0), 0.1),
        FileResult(FileInfo("b.wav", 1, 2), records.rejected("b.wav", "empty", "holds no bytes"), 0.1),
    ]
    made = records.table(files, RUN_COLUMNS, datetime(2026, 1, 1, tzinfo=UTC))
    assert made.schema.equals(SCHEMA, check_metadata=True)
    assert made["message"].to_pylist() == [None, "b.wav: holds no bytes"]
    assert made["p9"].to_pylist() == [np.float32(0.1), None]
