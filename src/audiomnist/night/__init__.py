"""A page about one run of the scorer: what happened, what was uncertain, and how right it was."""
