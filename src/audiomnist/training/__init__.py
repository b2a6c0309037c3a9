"""Stage `train`: batches, the training loop, cross-validation by speaker, and calibration."""
