"""Log-probabilities as training examples."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from audiomnist.logprobs import table as logprobs


class LogprobExamples:
    """Log-probabilities of clips; there are no augmented copies and no synthetic speakers."""

    def __init__(self, folder: Path) -> None:
        table, self._recognizer = logprobs.read(folder)
        self._rows = {file: row for row, file in enumerate(table["file"].to_pylist())}
        self._logprobs = np.array(table["logprobs"].to_pylist(), dtype=np.float32)

    def get(self, files: list[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return log-probabilities, float32 `(batch, tokens)`, and lengths `(batch,)`: the number of tokens."""
        rows = self._logprobs[[self._rows[file] for file in files]]
        return rows, np.full(len(rows), rows.shape[1], dtype=np.int64)

    def sample(
        self, files: list[str], clean_prob: float, rng: Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the same."""
        del clean_prob, rng
        return self.get(files)

    def synthetic(self) -> None:
        """Return None: synthetic speakers are not recognized."""

    def input_spec(self) -> dict[str, Any]:
        """Return the bundle's `input` section: how the scorer prepares inputs."""
        return {"kind": "logprobs", "recognizer": self._recognizer}
