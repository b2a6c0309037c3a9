"""MFCC tensors of every recording, of its augmented copies, and of synthetic voices to train with."""

from pathlib import Path

from audiomnist.core import params, stage
from audiomnist.features import extract as features
from audiomnist.features.params import FeatureParams
from audiomnist.synthesis.speakers import SyntheticSpeakersParams


def featurize(parameters: Path, recordings: Path, raw: Path, out: Path) -> None:
    """Compute the tensors."""
    how = params.section(parameters, "features", FeatureParams)
    features.featurize(
        recordings, raw, how, out, params.section(parameters, "synthetic_speakers", SyntheticSpeakersParams)
    )


if __name__ == "__main__":
    stage.run(featurize)
