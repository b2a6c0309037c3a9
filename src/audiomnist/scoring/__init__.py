"""The batch scorer: every file of a folder gets one row of a table, exactly once."""
