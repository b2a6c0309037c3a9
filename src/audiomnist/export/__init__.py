"""Stage `compile`: the ONNX graph that is served."""
