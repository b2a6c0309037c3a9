"""Listing and reading the folder to be scored."""
