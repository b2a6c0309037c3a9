"""Rows of the table: what all rows of a run have in common."""

from pathlib import Path

from audiomnist.scoring import records
from audiomnist.serving.bundle import code_version
from audiomnist.serving.bundle.description import describe_served

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
