"""The corpus: its manifest, its versions, and its splits into training, validation and test set."""
