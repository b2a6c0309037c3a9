"""Speech synthesis with eSpeak NG: a synthetic corpus, and synthetic speakers for training."""
