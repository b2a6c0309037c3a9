"""Log-probabilities as training examples, and their table."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from audiomnist.logprobs import table
from audiomnist.logprobs.dataset import LogprobExamples
from audiomnist.logprobs.params import LogprobsParams

RECOGNIZER = {"engine": "whisper", "tokens": [" 1", " two", "3"]}
VALUES = {"b": [-0.5, -2.0, -3.0], "a": [-4.0, -0.25, -6.0]}


@pytest.fixture
def examples(tmp_path: Path) -> LogprobExamples:
    """Open the table of two recordings."""
    rows = [{"file": file, "sha256": "0" * 64, "context": 150, "logprobs": row} for file, row in VALUES.items()]
    table.write(tmp_path, rows, RECOGNIZER)
    return LogprobExamples(tmp_path)


def test_clips_are_found_by_name_in_the_order_asked_for(examples: LogprobExamples) -> None:
    """The same with and without augmentation: there is none."""
    inputs, lengths = examples.get(["a", "b", "a"])
    np.testing.assert_array_equal(inputs, np.array([VALUES["a"], VALUES["b"], VALUES["a"]], dtype=np.float32))
    assert inputs.dtype == np.float32
    assert lengths.tolist() == [3, 3, 3]
    sampled, _ = examples.sample(["a", "b", "a"], 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(sampled, inputs)
    examples.synthetic()


def test_the_input_of_the_bundle_names_the_recognizer_and_its_tokens(examples: LogprobExamples) -> None:
    """From the metadata of the table."""
    assert examples.input_spec() == {"kind": "logprobs", "recognizer": RECOGNIZER}


def test_a_row_has_as_many_values_as_there_are_tokens(examples: LogprobExamples, tmp_path: Path) -> None:
    """The column has a fixed size; a row of another length is not written."""
    del examples
    written, recognizer = table.read(tmp_path)
    assert written.schema.field("logprobs").type == pa.list_(pa.float32(), 3)
    assert recognizer == RECOGNIZER
    with pytest.raises(pa.ArrowInvalid):
        table.write(tmp_path, [{"file": "a", "sha256": "", "context": 150, "logprobs": [-1.0]}], RECOGNIZER)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_context": 400}, "min_context must be at most max_context"),
        ({"min_context": 50, "max_context": 80}, "max_context leaves no room for a clip"),
    ],
)
def test_a_context_without_room_for_a_clip_is_an_error(changes: dict[str, int], message: str) -> None:
    """The parameters are checked with each other."""
    with pytest.raises(ValidationError, match=message):
        LogprobsParams.model_validate(changes)
