"""The weights of a trained network, found in the graph that it was exported to."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from audiomnist.core.errors import AudiomnistError

Array = NDArray[np.float32]


class CompilationError(AudiomnistError):
    """A graph cannot be compiled, or the compiled one does not answer as it does."""


class Weights:
    """Constants of an exported graph, by the name that they had in PyTorch or by the node that takes them."""

    def __init__(self, trained: bytes) -> None:
        graph = onnx.load_model_from_string(trained).graph
        self._constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self._nodes: dict[str, Any] = {node.name: node for node in graph.node}

    def named(self, name: str) -> Array:
        """Return a parameter or a buffer; raises CompilationError if there is none."""
        if name not in self._constants:
            raise CompilationError(f"the trained graph has no constant {name}")
        return np.asarray(self._constants[name], dtype=np.float32)

    def of(self, node: str) -> list[Array]:
        """Return the inputs of a node that are constants, in their order; raises CompilationError without the node."""
        return [self.named(name) for name in self._node(node).input if name in self._constants]

    def has(self, node: str) -> bool:
        """Return whether there is a node of that name."""
        return node in self._nodes

    def _node(self, name: str) -> Any:
        if name not in self._nodes:
            raise CompilationError(f"the trained graph has no node {name}")
        return self._nodes[name]
