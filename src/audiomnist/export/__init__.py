"""Stage `export`: the ONNX graph that is served."""
