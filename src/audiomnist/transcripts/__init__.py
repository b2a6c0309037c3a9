"""Transcripts: the table that stage `transcribe` writes, and the dataset of the text model."""
