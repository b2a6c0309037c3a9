"""Inference with a trained model, without PyTorch: waveforms or transcripts in, predictions out."""
