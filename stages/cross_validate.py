"""Stage `cross-validate`: one network on every split of a protocol."""

from audiomnist.core import stage
from audiomnist.protocols.cross_validate import cross_validate

if __name__ == "__main__":
    stage.run(cross_validate)
