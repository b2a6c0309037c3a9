"""Stage `transcribe`: automatic speech recognition by one of several engines."""
