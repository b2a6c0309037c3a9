"""Which recordings there are, and which of them train, validate and test."""
