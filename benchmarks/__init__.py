"""How fast audiomnist is, beside what a user would otherwise run: `python -m benchmarks`, in the checkout."""
