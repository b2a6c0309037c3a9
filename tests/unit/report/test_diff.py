"""Two revisions' predictions side by side: what is counted, what is said, and what is refused."""

import json
from pathlib import Path

import pandas as pd
import pytest
from runs import audiomnist

from audiomnist.report.diff import (
    Comparison,
    Difference,
    RevisionError,
    compare_predictions,
    compare_revisions,
    read_predictions,
)


def predictions(wrong: set[int], clips: range = range(10)) -> pd.DataFrame:
    """Return predictions of clips named for their numbers, each a digit, some of them labelled wrongly."""
    digits = [clip % 10 for clip in clips]
    answers = [(digit + (clip in wrong)) % 10 for clip, digit in zip(clips, digits, strict=True)]
    return pd.DataFrame({"file": [f"{clip}.wav" for clip in clips], "digit": digits, "predicted": answers})


class TestDifference:
    """The numbers of two tables of predictions."""

    def test_clips_that_change_sides_are_counted(self) -> None:
        """Two errors mended, five new ones, one kept: p is that of two heads in seven tosses or fewer, twice."""
        found = compare_predictions(predictions({0, 1, 2}), predictions({2, 3, 4, 5, 6, 7}))
        assert (found.clips, found.first_clips, found.second_clips) == (10, 10, 10)
        assert (found.only_first, found.only_second) == (5, 2)
        assert (found.first_accuracy, found.second_accuracy) == (0.7, 0.4)
        assert found.difference_points == -30
        assert found.mcnemar_p == pytest.approx(2 * (1 + 7 + 21) / 2**7)

    def test_the_other_way_round_the_sides_change_and_p_does_not(self) -> None:
        """No revision is favoured."""
        one = compare_predictions(predictions({0}), predictions({1, 2, 3}))
        other = compare_predictions(predictions({1, 2, 3}), predictions({0}))
        assert (one.only_first, one.only_second) == (other.only_second, other.only_first)
        assert (one.difference_points, other.difference_points) == (-20, 20)
        assert one.mcnemar_p == other.mcnemar_p

    def test_equal_accuracies_may_hide_other_answers(self) -> None:
        """The difference is zero, and yet four clips changed sides."""
        found = compare_predictions(predictions({0, 1}), predictions({2, 3}))
        assert (found.difference_points, found.only_first, found.only_second, found.mcnemar_p) == (0, 2, 2, 1)

    def test_the_same_predictions_differ_in_nothing(self) -> None:
        """And there is nothing to be said."""
        found = compare_predictions(predictions({4}), predictions({4}))
        assert (found.difference_points, found.only_first, found.only_second, found.mcnemar_p) == (0, 0, 0, 1)
        assert found.note("main", "feature") is None

    def test_the_order_of_the_clips_does_not_matter(self) -> None:
        """They are joined by name."""
        second = predictions({2, 3})
        shuffled = second.sample(frac=1, random_state=0)
        assert compare_predictions(predictions({0}), shuffled) == compare_predictions(predictions({0}), second)

    def test_only_the_clips_in_common_count(self) -> None:
        """Errors on the others, and their number, change no score."""
        found = compare_predictions(predictions({0, 7}), predictions({8, 12, 13, 14}, range(5, 20)))
        assert (found.clips, found.first_clips, found.second_clips) == (5, 10, 15)
        assert (found.first_accuracy, found.second_accuracy) == (0.8, 0.8)
        assert (found.only_first, found.only_second) == (1, 1)

    def test_without_a_clip_in_common_there_are_no_scores(self) -> None:
        """Rather than zeros, which would look like some."""
        found = compare_predictions(predictions(set()), predictions({12}, range(10, 30)))
        assert found == Difference(clips=0, first_clips=10, second_clips=20)
        assert (found.first_accuracy, found.difference_points, found.mcnemar_p) == (None, None, None)

    def test_recordings_with_other_labels_are_not_the_same_ones(self) -> None:
        """Another corpus may use the same names."""
        second = predictions(set())
        second.loc[3, "digit"] = 9
        with pytest.raises(RevisionError, match=r"1 recordings are one digit .* cannot be compared: 3\.wav"):
            compare_predictions(predictions(set()), second)


class TestNote:
    """What is said of the test clips."""

    def test_a_part_in_common_is_told_with_the_sizes(self) -> None:
        """Of both test parts."""
        note = Difference(clips=5, first_clips=10, second_clips=15).note("main", "feature")
        assert note is not None
        assert "5 are in common, of main's 10 and feature's 15; only these are compared" in note

    def test_a_test_part_that_grew_is_told(self) -> None:
        """Though all clips of the first are in common."""
        assert Difference(clips=10, first_clips=10, second_clips=15).note("main", "feature") is not None

    def test_none_in_common_is_told_with_the_reason(self) -> None:
        """Another split."""
        note = Difference(clips=0, first_clips=10, second_clips=20).note("main", "feature")
        assert note is not None
        assert note.startswith("cannot be compared: none of main's 10 test clips is among feature's 20 (another split")


def test_json_has_every_number_rounded() -> None:
    """Six digits after the point, as in the metrics; what is not there is null."""
    differences = {
        "cnn": compare_predictions(predictions({0}, range(3)), predictions({0, 1}, range(3))),
        "rnn": Difference(clips=0, first_clips=3, second_clips=4),
    }
    found = json.loads(Comparison("main", "feature", differences, {"rnn": "a note"}).to_json())
    assert (found["first"], found["second"], found["notes"]) == ("main", "feature", {"rnn": "a note"})
    assert found["models"]["cnn"] == {
        "clips": 3,
        "first_clips": 3,
        "second_clips": 3,
        "only_first": 1,
        "only_second": 0,
        "first_accuracy": 0.666667,
        "second_accuracy": 0.333333,
        "difference_points": -33.333333,
        "mcnemar_p": 1.0,
    }
    assert found["models"]["rnn"]["mcnemar_p"] is None


def test_a_folder_of_no_repository_is_told(tmp_path: Path) -> None:
    """It has no revisions."""
    with pytest.raises(RevisionError, match="predictions is in no DVC repository"):
        read_predictions(tmp_path / "predictions", "main", ["cnn"])
    with pytest.raises(RevisionError, match="in no DVC repository"):
        compare_revisions("main", "workspace", tmp_path / "predictions")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["", "main"], "FIRST: it names no revision"),
        (["main", " "], "SECOND: it names no revision"),
        (["main", "--json", "--markdown"], "exclude each other"),
    ],
)
def test_a_command_that_says_nothing_clear_is_refused(arguments: list[str], told: str) -> None:
    """With status 2, before any revision is looked at."""
    ended = audiomnist("diff", *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert told in " ".join(ended.err.split())


def test_the_command_says_where_there_is_no_repository(tmp_path: Path) -> None:
    """In a sentence, with status 1."""
    ended = audiomnist("diff", "main", "--predictions", tmp_path / "predictions")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith(f"audiomnist: {tmp_path / 'predictions'} is in no DVC repository")
    assert ended.err.count("\n") == 1
