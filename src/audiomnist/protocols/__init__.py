"""Cross-validation on other splits: random seeds, the official split, unseen speakers, a learning curve."""
