"""MFCC tensors of every recording, of its augmented copies, and of synthetic speakers for training."""

from pathlib import Path

from audiomnist.core import params, stage
from audiomnist.features import extract
from audiomnist.features.params import FeatureParams
from audiomnist.synthesis.speakers import SyntheticSpeakersParams


def featurize(parameters: Path, recordings: Path, raw: Path, out: Path) -> None:
    """Compute the tensors."""
    features = params.section(parameters, "features", FeatureParams)
    speakers = params.section(parameters, "synthetic_speakers", SyntheticSpeakersParams)
    extract.featurize(recordings, raw, features, out, speakers)


if __name__ == "__main__":
    stage.run(featurize)
