"""Layers and interfaces shared by the networks."""
