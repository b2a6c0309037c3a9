"""The command `audiomnist corpus add`: reviewed clips that the gate accepts become recordings, versioned by DVC."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo, lock_repo

from audiomnist.core import params
from audiomnist.core.errors import AudiomnistError
from audiomnist.core.text import listed
from audiomnist.corpus import manifest
from audiomnist.corpus.manifest import Recording
from audiomnist.review import corpus
from audiomnist.review.corpus import Added, Decided
from audiomnist.review.judgements import Judgements
from audiomnist.scoring.inbox import discover
from audiomnist.scoring.inbox.paths import shown
from audiomnist.validation import recordings
from audiomnist.validation.bounds import RecordingBounds, ValidateParams


class AddError(AudiomnistError):
    """The folder is no checkout, DVC failed, or some clips cannot be added."""


def add_reviewed(checkout: Path, reviews: Path, inbox: Path, speaker: str, by: str | None) -> None:
    """Add reviewed clips to the corpus of a checkout; print what became of them, and what to run next.

    Raises:
        AddError: the folder is no checkout, DVC failed, or clips cannot be added; in the last case all others are.
        TableError: there are no judgements.
        InboxError: the inbox cannot be listed.
        ManifestError, ReviewedError: the corpus of the checkout cannot be read or written.
    """
    if not (checkout / "dvc.yaml").is_file():
        raise AddError(f"{checkout} is not a checkout of this repository: it has no dvc.yaml")
    bounds = params.section(checkout / "params.yaml", "validate", ValidateParams).recordings
    discover.check_listable(inbox)
    decided = corpus.decide(Judgements.open(reviews).all(), by)
    with _locked(checkout) as repo:
        added = corpus.add(
            checkout / "data",
            decided.clips,
            inbox,
            speaker,
            refuse=lambda rows, folder: _refused(rows, folder, bounds),
            version=lambda folder: repo.add(str(folder)),
        )
    _print(decided, added, speaker)
    if added.refused:
        faults = [f"  {shown(path)}: {fault}" for path, fault in added.refused.items()]
        raise AddError("\n".join([f"{len(faults)} of {len(decided.clips)} clips cannot be added:", *faults]))


@contextmanager
def _locked(checkout: Path) -> Iterator[Repo]:
    """Hold DVC's lock, so that neither another call nor a stage is at work on the reviewed recordings."""
    logging.getLogger("dvc").setLevel(logging.WARNING)
    try:
        with Repo(str(checkout)) as repo, lock_repo(repo):
            yield repo
    except DvcException as error:
        raise AddError(f"DVC: {error}") from error


def _refused(rows: Sequence[Recording], folder: Path, bounds: RecordingBounds) -> dict[str, str]:
    """Return the first rule of the gate that each file breaks by itself, by the name of the file."""
    if not rows:
        return {}
    manifest.write(folder / "manifest.csv", rows)
    reviewed = {row.file for row in rows}
    measured = recordings.measure(folder / "manifest.csv", folder, reviewed).to_dict("records")
    rules = recordings.rules(bounds)
    broken = {row["recording"]: next((rule for rule in rules if rule.is_broken_by(row)), None) for row in measured}
    return {file: f"does not pass the gate: {rule.description}" for file, rule in broken.items() if rule}


def _print(decided: Decided, added: Added, speaker: str) -> None:
    count = f"{len(added.recordings)} recording{'' if len(added.recordings) == 1 else 's'}"
    print(f"data/reviewed.csv: {count} of {speaker} added")
    print(f"not added: no digit {decided.no_digit}, in the corpus already {added.present}")
    if added.mislabelled:
        print(f"in the corpus with another label, which stays: {listed(added.mislabelled)}")
    if decided.disputed:
        print(f"left out, because reviewers disagree (--by NAME decides): {listed(decided.disputed)}")
    if added.recordings:
        print("\nNext:")
        print(f'  git add data/reviewed.csv data/reviewed.dvc && git commit -m "Data: {count} of {speaker}"')
        print("  dvc repro")
        print("  dvc metrics diff")
