"""Shared by all packages: errors, atomic writes, parameters, processes."""
