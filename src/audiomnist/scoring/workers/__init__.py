"""The processes that decode and predict."""
