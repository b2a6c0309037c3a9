"""Synthetic speakers: voices of eSpeak NG."""
