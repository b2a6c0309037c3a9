"""Stage `train`: data loading, the training loop, calibration, ONNX export."""
