"""Labelling recordings that nobody has labelled yet."""
