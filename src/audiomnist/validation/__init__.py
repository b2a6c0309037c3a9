"""Stages `check` and `validate`: params.yaml, and data gates with Great Expectations."""
