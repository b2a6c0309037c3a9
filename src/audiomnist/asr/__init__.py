"""Stages `transcribe` and `logprobs`: automatic speech recognition by one of several engines."""
