"""The split of a corpus with reviewed recordings, which are training data only."""

from pathlib import Path

from audiomnist.core.text import listed
from audiomnist.corpus import manifest, splits
from audiomnist.corpus.splits import Clip, SplitError, SplitParams


def split(recordings: Path, reviewed: Path, params: SplitParams, out: Path) -> None:
    """Write `file,digit,speaker,subset` of each recording of the manifest `recordings` that is in a subset.

    The recordings that `reviewed` does not list have the subsets that they have without the others. Those that it lists
    are in `train`; with the scheme `speaker`, those of the test speaker are in no subset.

    Raises:
        SplitError: a subset would be empty, or would have the content of another one.
    """
    names = {row.file for row in manifest.read(reviewed)}
    rows = manifest.read(recordings)
    corpus = [row for row in rows if row.file not in names]
    subsets = splits.assign(corpus, params)
    held_out = {row.sha256 for row in corpus if subsets.get(row.file) in {"validation", "test"}}
    added = [row for row in rows if row.file in names]
    if leaking := [row.file for row in added if row.sha256 in held_out]:
        raise SplitError(
            "reviewed recordings have the content of recordings in the validation or test set: "
            f"{listed(leaking)}. Delete their rows in {reviewed}"
        )
    left_out = params.test_speaker if params.scheme == "speaker" else None
    subsets |= {row.file: "train" for row in added if row.speaker != left_out}
    splits.write(
        out, [Clip(row.file, row.digit, row.speaker, subsets[row.file]) for row in rows if row.file in subsets]
    )
