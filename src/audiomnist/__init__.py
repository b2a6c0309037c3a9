"""Spoken digits: versioned data, three models with honest metrics, a batch scorer."""
