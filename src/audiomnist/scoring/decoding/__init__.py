"""Decoding files for the scorer, and checking that what comes out can be scored."""
