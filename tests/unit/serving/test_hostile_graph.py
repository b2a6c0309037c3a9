"""Graphs that ask for more than their own bytes are not opened."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from audiomnist.serving.bundle.session import session

WEIGHTS = np.arange(4, dtype=np.float32)
PLACES: dict[str, Callable[[Path], str]] = {
    "beside": lambda secret: secret.name,
    "above": lambda secret: f"../{secret.parent.name}/{secret.name}",
    "absolute": str,
}


def graph(weights: TensorProto, operator: str = "Identity", domain: str = "") -> bytes:
    """Return a graph that gives back its weights."""
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    nodes = [helper.make_node(operator, ["w"], ["y"], domain=domain)]
    operators = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    made = helper.make_graph(nodes, "hostile", [], [output], [weights])
    content: bytes = helper.make_model(made, opset_imports=operators, ir_version=9).SerializeToString()
    return content


def inside() -> TensorProto:
    """Return weights that are in the graph."""
    return onnx.numpy_helper.from_array(WEIGHTS, "w")


def elsewhere(place: str) -> TensorProto:
    """Return weights that are in another file."""
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    entry = weights.external_data.add()
    entry.key, entry.value = "location", place
    return weights


def test_a_graph_with_its_weights_opens() -> None:
    """So the refusals below are not for another reason."""
    (weights,) = session(graph(inside()), threads=1).run(None, {})
    np.testing.assert_array_equal(weights, WEIGHTS)


@pytest.mark.parametrize("place", PLACES)
def test_weights_in_another_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Wherever it lies; the file is there and of the right size."""
    secret = tmp_path / "secret.bin"
    secret.write_bytes(WEIGHTS.tobytes())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception, match=r"xternal data|model_path must not be empty"):
        session(graph(elsewhere(PLACES[place](secret))), threads=1)


def test_an_operator_of_another_library_is_refused() -> None:
    """None is loaded."""
    with pytest.raises(Exception, match=r"evil|not a registered"):
        session(graph(inside(), "Run", "evil"), threads=1)
