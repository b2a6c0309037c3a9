"""Stages `compare` and `select`, and the tables and differences that are printed."""
