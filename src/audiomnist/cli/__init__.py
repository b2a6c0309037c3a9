"""The command `audiomnist`."""
