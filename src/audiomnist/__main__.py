"""`python -m audiomnist` is the command `audiomnist`."""

from audiomnist.cli import main

main()
