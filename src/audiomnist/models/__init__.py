"""The networks, one module each, and the layers that they share."""
