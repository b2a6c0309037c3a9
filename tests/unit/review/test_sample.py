"""The clips that a person hears: the least certain first, or a random sample in strata of confidence."""

import doctest
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reviewing import RUN, SCORED_AT, row, write_rows

from audiomnist.review import sample
from audiomnist.review.sample import Queue, ReviewError, allocation, latest_run, least_certain, stratified
from audiomnist.scoring.table.table import Table

ROWS = 1000


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """A night of which most clips are certain."""
    confidences = 1 - np.random.default_rng(0).beta(0.3, 6, ROWS)
    rows = [row(f"{number:04}.wav", float(value)) for number, value in enumerate(confidences)]
    return write_rows(tmp_path_factory.mktemp("night") / "labels", rows)


def names(queue: Queue) -> list[str]:
    """Return the path of each clip, in order."""
    return [queue[number].path for number in range(len(queue))]


class TestNight:
    """Which rows are reviewed."""

    def test_the_latest_run_that_wrote_rows_is_the_default(self, tmp_path: Path) -> None:
        """Whatever wrote nothing after it."""
        later = SCORED_AT + timedelta(days=1)
        table = write_rows(tmp_path / "t", [row("a", 0.5, scored_at=later, run_id="new"), row("b", 0.5)])
        assert latest_run(table) == "new"
        with pytest.raises(ReviewError, match=r"has no rows: `audiomnist score INBOX --into"):
            latest_run(Table.create(tmp_path / "empty"))

    def test_clips_with_an_answer_are_heard_the_least_certain_first(self, tmp_path: Path) -> None:
        """Labels that were withheld too; neither rejected files nor those of other runs."""
        rejected = {name: None for name, value in row("r", 0.1).items() if name.startswith("p") and name != "path"}
        rows = [
            row("sure", 0.9),
            row("doubt", 0.4),
            row("withheld", 0.2, digit=3, status="abstained"),
            row("other", 0.1, run_id="other"),
            row("rejected", 0.1) | rejected | {"status": "rejected", "confidence": None, "digit": None},
        ]
        table = write_rows(
            tmp_path / "t", [one | ({"digit": None} if one["status"] != "scored" else {}) for one in rows]
        )
        queue = least_certain(table, RUN)
        assert names(queue) == ["withheld", "doubt", "sure"]
        first = queue[0]
        assert (first.status, int(np.argmax(first.probabilities)), first.stratum) == ("abstained", 3, None)
        assert queue.sample is None
        assert first.confidence == pytest.approx(0.2)
        with pytest.raises(ReviewError, match=r"run none has labelled no files in .*: `audiomnist table history"):
            least_certain(table, "none")


class TestSample:
    """A random sample for measuring."""

    def test_it_is_the_same_for_a_seed(self, labels: Table) -> None:
        """Another seed draws another one; the id names run, size and seed."""
        first, again, other = (stratified(labels, RUN, 100, seed) for seed in (3, 3, 4))
        assert names(first) == names(again)
        assert names(first) != names(other)
        assert (first.sample, other.sample) == ("night-100-3", "night-100-4")

    def test_each_stratum_gives_as_many_clips(self, labels: Table) -> None:
        """The strata are of all rows, in the order of confidence, and the surest has the most rows."""
        queue = stratified(labels, RUN, 300)
        clips = [queue[number] for number in range(len(queue))]
        strata = [[clip for clip in clips if clip.stratum == number] for number in range(5)]
        assert [len(stratum) for stratum in strata] == [60] * 5
        sizes = [{clip.stratum_rows for clip in stratum} for stratum in strata]
        assert all(len(size) == 1 for size in sizes)
        assert sum(set.union(*sizes)) == ROWS  # type: ignore[arg-type]
        assert max(set.union(*sizes)) in sizes[-1]  # type: ignore[type-var]
        for lower, upper in pairwise(strata):
            assert max(clip.confidence for clip in lower) <= min(clip.confidence for clip in upper)

    def test_every_clip_of_a_stratum_is_as_likely(self, labels: Table) -> None:
        """Over many seeds each is drawn in proportion."""
        drawn = np.zeros(ROWS)
        of = {}
        for seed in range(200):
            queue = stratified(labels, RUN, 100, seed)
            for clip in map(queue.__getitem__, range(len(queue))):
                drawn[int(clip.path[:4])] += 1
                of[int(clip.path[:4])] = 20 / (clip.stratum_rows or 0)
        expected = np.array([of[number] for number in sorted(of)]) * 200
        found = drawn[sorted(of)]
        assert abs(((found - expected) / np.sqrt(expected)).mean()) < 0.2
        assert ((found - expected) ** 2 / (expected * (1 - expected / 200))).mean() < 1.3

    def test_the_order_tells_nothing_of_the_stratum(self, labels: Table) -> None:
        """So that a part of a sample is one, too."""
        queue = stratified(labels, RUN, 300)
        strata = np.array([queue[number].stratum for number in range(300)])
        counts = np.bincount(strata[:150], minlength=5)
        assert counts.min() > 15

    @pytest.mark.parametrize(("clips", "strata", "expected"), [(1, 1, 1), (25, 2, 25), (5000, 5, ROWS)])
    def test_small_and_large_samples(self, labels: Table, clips: int, strata: int, expected: int) -> None:
        """A small one has fewer strata; one that is larger than the night is all of it, each once."""
        queue = stratified(labels, RUN, clips)
        assert len(set(names(queue))) == len(queue) == expected
        assert len({queue[number].stratum for number in range(len(queue))}) == strata


@pytest.mark.property
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=8), st.integers(1, 3000))
def test_allocations_add_up(sizes: list[int], clips: int) -> None:
    """No stratum gives more than it has, nor, where it has more, less than another."""
    counts = allocation(sizes, clips)
    assert sum(counts) == min(clips, sum(sizes))
    assert all(count <= size for count, size in zip(counts, sizes, strict=True))
    not_exhausted = [count for count, size in zip(counts, sizes, strict=True) if count < size]
    assert not not_exhausted or max(counts) - min(not_exhausted) <= 1


@pytest.mark.property
@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=60), st.integers(1, 5))
def test_strata_are_a_partition(confidences: list[float], count: int) -> None:
    """In order, none empty, for any confidences."""
    ordered: Any = np.sort(np.array(confidences, np.float32))
    strata = sample._strata(ordered, count)  # noqa: SLF001 - for all inputs
    assert 1 <= len(strata) <= count
    assert np.concatenate(strata).tolist() == list(range(len(confidences)))
    assert all(len(stratum) for stratum in strata)


def test_the_examples_hold() -> None:
    """What the docstrings show is what happens."""
    results = doctest.testmod(sample)
    assert results.attempted > 0
    assert results.failed == 0
