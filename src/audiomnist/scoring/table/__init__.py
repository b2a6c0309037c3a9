"""The Delta Lake table that the scorer writes."""
