"""Two tables of predictions compared, and what the command refuses before it reads any."""

from pathlib import Path

import pandas as pd
import pytest
from runs import audiomnist

from audiomnist.report.diff import Difference, RevisionError, compare


def predictions(wrong: set[int], clips: range = range(10)) -> pd.DataFrame:
    """Return predictions of clips named for their numbers, each a digit, some of them wrong."""
    digits = [clip % 10 for clip in clips]
    answers = [(digit + (clip in wrong)) % 10 for clip, digit in zip(clips, digits, strict=True)]
    return pd.DataFrame({"file": [f"{clip}.wav" for clip in clips], "digit": digits, "predicted": answers})


class TestCompare:
    """The numbers of two tables of predictions."""

    def test_clips_that_change_sides_are_counted(self) -> None:
        """Two errors mended, five new ones, one kept: p is that of two heads in seven tosses or fewer, twice."""
        found = compare(predictions({0, 1, 2}), predictions({2, 3, 4, 5, 6, 7}))
        assert (found.clips, found.first_clips, found.second_clips) == (10, 10, 10)
        assert (found.only_first, found.only_second) == (5, 2)
        assert (found.first_accuracy, found.second_accuracy) == (0.7, 0.4)
        assert found.difference_points == -30
        assert found.mcnemar_p == pytest.approx(2 * (1 + 7 + 21) / 2**7)

    def test_equal_accuracies_may_hide_other_predictions(self) -> None:
        """The difference is zero, and yet four clips changed sides."""
        found = compare(predictions({0, 1}), predictions({2, 3}))
        assert (found.difference_points, found.only_first, found.only_second, found.mcnemar_p) == (0, 2, 2, 1)

    def test_the_order_of_the_clips_does_not_matter(self) -> None:
        """They are joined by name."""
        second = predictions({2, 3})
        assert compare(predictions({0}), second[::-1]) == compare(predictions({0}), second)

    def test_only_the_clips_in_common_count(self) -> None:
        """Errors on the others, and their number, change no score."""
        found = compare(predictions({0, 7}), predictions({8, 12, 13, 14}, range(5, 20)))
        assert (found.clips, found.first_clips, found.second_clips) == (5, 10, 15)
        assert (found.first_accuracy, found.second_accuracy) == (0.8, 0.8)
        assert (found.only_first, found.only_second) == (1, 1)

    def test_without_a_clip_in_common_there_are_no_scores(self) -> None:
        """Rather than zeros, which would look like some."""
        found = compare(predictions(set()), predictions({12}, range(10, 30)))
        assert found == Difference(clips=0, first_clips=10, second_clips=20)
        assert (found.first_accuracy, found.difference_points, found.mcnemar_p) == (None, None, None)

    def test_recordings_with_other_labels_are_refused(self) -> None:
        """Another corpus may use the same names."""
        second = predictions(set())
        second.loc[3, "digit"] = 9
        with pytest.raises(RevisionError, match=r"3\.wav has another label .* as 1 recordings have"):
            compare(predictions(set()), second)


def test_a_test_part_that_grew_is_noted() -> None:
    """Though all clips of the first are in common."""
    note = Difference(clips=10, first_clips=10, second_clips=15).note("main", "feature")
    assert note is not None
    assert note.startswith("10 test clips are in common, of main's 10 and feature's 15")


@pytest.mark.parametrize("arguments", [["", "main"], ["main", ""], ["main", "--json", "--markdown"]])
def test_an_ambiguous_command_is_refused(arguments: list[str]) -> None:
    """With status 2, before any revision is read."""
    ended = audiomnist("diff", *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert "name two revisions, and one of --json and --markdown at most" in " ".join(ended.err.split())


def test_a_folder_outside_any_repository_is_refused(tmp_path: Path) -> None:
    """In a sentence, with status 1."""
    ended = audiomnist("diff", "main", "--predictions", tmp_path / "predictions")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == f"audiomnist: {tmp_path / 'predictions'} is in no git repository: run this in a checkout\n"
