"""From a trained network to the ONNX graph that is served.

The exporter is PyTorch's TorchScript-based one: the newer exporter of torch 2.14 refuses GRU cells, fixes
the length of simple ones, and takes minutes for an LSTM.
"""

import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from audiomnist.core.errors import AudiomnistError
from audiomnist.serving.bundle.description import OUTPUTS
from audiomnist.serving.bundle.session import session

_OPSET = 17
_TOLERANCE = 1e-3


class ExportError(AudiomnistError):
    """The exported graph does not answer as the network does."""


def export(network: nn.Module, inputs: Tensor, lengths: Tensor, target: Path) -> None:
    """Write a graph with inputs `inputs` and `lengths` of any batch and length, and outputs `logits` and `novelty`.

    Args:
        network: takes inputs and lengths, returns logits and novelty; put into evaluation mode here.
        inputs: an example batch of at least two clips, float32 or int64.
        lengths: int64 `(batch,)`.
        target: the .onnx file.

    Raises:
        ExportError: the graph's outputs differ from the network's by more than 1e-3 of their magnitude.
    """
    network.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (inputs, lengths),
            target,
            input_names=["inputs", "lengths"],
            output_names=[*OUTPUTS],
            dynamic_axes={
                "inputs": {0: "batch", 1: "steps"},
                **{name: {0: "batch"} for name in ("lengths", *OUTPUTS)},
            },
            opset_version=_OPSET,
            dynamo=False,
        )
    _check(network, inputs, lengths, target)


def _check(network: nn.Module, inputs: Tensor, lengths: Tensor, target: Path) -> None:
    with torch.inference_mode():
        expected: list[NDArray[np.float32]] = [output.numpy() for output in network(inputs, lengths)]
    found = session(target, threads=1).run([*OUTPUTS], {"inputs": inputs.numpy(), "lengths": lengths.numpy()})
    for name, actual, exact in zip(OUTPUTS, found, expected, strict=True):
        difference = float((np.abs(actual - exact) / np.maximum(1, np.abs(exact))).max())
        if not difference <= _TOLERANCE:
            raise ExportError(f"the exported graph differs from the network by {difference:.2g} in its {name}")
