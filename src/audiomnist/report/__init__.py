"""Stages `compare` and `select`, and the tables and differences that people read."""
