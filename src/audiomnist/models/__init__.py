"""Neural networks, one module each, a linear baseline, and the layers shared by the networks."""
