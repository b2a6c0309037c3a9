"""Speech to text: recognizers behind one protocol, and the stage `transcribe` that runs them over a corpus."""
