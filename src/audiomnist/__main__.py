"""The command `audiomnist`, and `python -m audiomnist`.

Processes that the command starts import this module again, and so it imports nothing before it is called.
"""


def main() -> None:
    """Run the command."""
    from audiomnist.cli.main import main as run  # noqa: PLC0415 - see above

    run()


if __name__ == "__main__":
    main()
