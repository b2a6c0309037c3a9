"""Audio: reading WAV files, and preparing and augmenting waveforms."""
