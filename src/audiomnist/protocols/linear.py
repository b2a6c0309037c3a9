"""Cross-validation of the linear baseline on the splits of a protocol."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from audiomnist.core import atomic, params
from audiomnist.corpus import splits
from audiomnist.corpus.protocol_splits import read_splits
from audiomnist.models import linear
from audiomnist.models.params.linear import BaselineParams
from audiomnist.protocols.predictions import with_split


def cross_validate(protocol: str, parameters: Path, recordings: Path, features: Path, out: Path) -> None:
    """Write the test predictions of the linear baseline on every split of a protocol.

    Args:
        protocol: one of `protocol_splits.PROTOCOLS`.
        parameters: params.yaml.
        recordings: the manifest of the corpus.
        features: the folder of the MFCC tensor and its index.
        out: Parquet to write, with the columns of the networks' predictions but `ood_score`.
    """
    section = params.section(parameters, "models.linear", BaselineParams)
    tables = []
    with TemporaryDirectory() as folder:
        for split in read_splits(protocol, parameters, recordings):
            clips = Path(folder) / f"{split.name}.csv"
            splits.split(recordings, split.params, clips)
            tables.append(with_split(linear.predict(features, splits.read(clips), section), split))
    with atomic.replaced_file(out) as temporary:
        pd.concat(tables, ignore_index=True).to_parquet(temporary, index=False)
