"""Sessions of ONNX Runtime on the CPU."""

import os
from pathlib import Path
from typing import Any


def session(graph: bytes | Path, threads: int) -> Any:
    """Open a graph; raises the errors of ONNX Runtime, which share no base class but Exception.

    The library is imported here, with its telemetry off: it would write to the home folder and contact a server.

    Args:
        graph: content of an .onnx file, or its path.
        threads: threads per run of the graph.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # noqa: PLC0415 - after the line above

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
