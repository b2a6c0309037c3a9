"""The folder of a model: `bundle.json` and an ONNX graph, checked before use."""
