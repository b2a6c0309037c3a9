"""Review of a night: people hear clips, and what they judge is kept in a table beside that of the labels."""
