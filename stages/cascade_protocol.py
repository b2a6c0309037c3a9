"""Stage `cascade` of the protocols: the cascade on every split, from the predictions of its members."""

from pathlib import Path

from audiomnist.cascade.params import CascadeParams
from audiomnist.core import params, stage
from audiomnist.protocols.cascade import cross_validate


def cascade(parameters: Path, predictions: Path, held_out: Path, out: Path, table: Path) -> None:
    """Learn and evaluate the cascade of each split."""
    cross_validate(predictions, held_out, params.section(parameters, "models.cascade", CascadeParams), out, table)


if __name__ == "__main__":
    stage.run(cascade)
