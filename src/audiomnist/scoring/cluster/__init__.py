"""Scoring on a Ray cluster: the same rows as on one machine, by processes on several."""
