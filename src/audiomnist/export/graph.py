"""Writing an ONNX graph by hand, a node after the other."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_OPSET = 17
_IR_VERSION = 9

# A value is known by its name.
Value = str
Constant = NDArray[Any] | np.generic


class Graph:
    """A graph in the making."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: Value | Constant, name: str = "", **attributes: Any) -> Value:
        """Add a node with one output, and return that.

        Args:
            kind: its ONNX operator.
            inputs: values; or constants, of which those in double precision become float32.
            name: of the node and its output; without it, one that is made up.
            attributes: of the operator.
        """
        name = name or f"{kind}_{len(self._nodes)}"
        values = [given if isinstance(given, str) else self._constant(np.asarray(given)) for given in inputs]
        self._nodes.append(helper.make_node(kind, values, [name], name=name, **attributes))
        return name

    def size(self, value: Value, axis: int) -> Value:
        """Add what gives the size of an axis, int64 `(1,)`."""
        return self.add("Gather", self.add("Shape", value), np.array([axis]), axis=0)

    def model(self, inputs: Mapping[str, list[Any]], outputs: Mapping[str, tuple[Value, list[Any]]]) -> onnx.ModelProto:
        """Return the model, checked.

        Args:
            inputs: axes of each input, a number or a name each; all inputs are float32.
            outputs: the value that each output is, and its axes; all are float32.
        """
        named = [helper.make_node("Identity", [value], [name]) for name, (value, _) in outputs.items()]
        graph = helper.make_graph(
            [*self._nodes, *named],
            "audiomnist",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, axes) for name, axes in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, axes) for name, (_, axes) in outputs.items()],
            self._constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION, producer_name="audiomnist"
        )
        onnx.checker.check_model(model, full_check=True)
        return model

    def _constant(self, array: NDArray[Any]) -> Value:
        stored = array.astype(np.float32) if array.dtype == np.float64 else array
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(stored).reshape(array.shape), name))
        return name
