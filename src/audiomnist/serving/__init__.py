"""A served model, without PyTorch: waveforms or transcripts in, predictions out."""
