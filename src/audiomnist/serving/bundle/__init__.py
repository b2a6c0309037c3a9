"""Model bundles: a folder with `bundle.json` and an ONNX graph, checked before use."""
