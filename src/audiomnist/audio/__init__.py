"""From bytes to samples: reading WAV files, preparing waveforms, augmenting them."""
