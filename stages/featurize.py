"""MFCC tensors of every recording and of its augmented copies."""

from pathlib import Path

from audiomnist import featurize as features
from audiomnist import params, stage


def featurize(parameters: Path, recordings: Path, raw: Path, out: Path) -> None:
    """Compute the tensors."""
    features.featurize(recordings, raw, params.section(parameters, "features", features.FeatureParams), out)


if __name__ == "__main__":
    stage.run(featurize)
