"""Stages `random`, `official`, `unseen` and `learning-curve`: the report of a protocol."""

from audiomnist.core import stage
from audiomnist.protocols.summarize import summarize

if __name__ == "__main__":
    stage.run(summarize)
