"""The table of transcripts, and the dataset that the text model reads."""
