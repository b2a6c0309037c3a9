"""Reviewed clips: recordings that `audiomnist corpus add` has added to the corpus, listed in data/reviewed.csv."""
