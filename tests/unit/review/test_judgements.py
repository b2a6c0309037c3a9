"""Judgements are kept once each, and the last one of a clip by a person counts."""

import os
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st
from reviewing import REVIEWED_AT, judgement

from audiomnist.review.judgements import LABELS, NO_DIGIT, SCHEMA, Judgements, current, reviews_of
from audiomnist.scoring.table.location import TableError
from audiomnist.scoring.table.table import Table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the judgements of a table."""
    return reviews_of(tmp_path / "labels")


class TestKeeping:
    """Judgements are read back as they were given."""

    def test_the_folder_lies_beside_the_table(self, tmp_path: Path) -> None:
        """Its name is that of the table with a suffix."""
        assert reviews_of(tmp_path / "labels") == tmp_path / "labels-reviews"

    def test_they_come_back_in_the_order_in_which_they_were_made(self, folder: Path) -> None:
        """With and without a sample, whatever the order of the commits."""
        made = [
            judgement(1, label=NO_DIGIT, sample="night-300-0", stratum=2, stratum_rows=1234),
            judgement(2, label=None, path="\\xff ü\n'.wav"),
            judgement(3),
        ]
        Judgements.create(folder).append([made[2], made[0]])
        Judgements.create(folder).append([made[1]])
        assert Judgements.open(folder).all() == made

    def test_one_that_is_repeated_is_kept_once(self, folder: Path) -> None:
        """By the same process, by another, and within a call; the first one stays."""
        judgements = Judgements.create(folder)
        judgements.append([judgement(1), judgement(1)])
        judgements.append([judgement(1, label="3")])
        Judgements.open(folder).append([judgement(1, label="4")])
        assert judgements.all() == [judgement(1)]
        assert DeltaTable(folder).version() == 1

    def test_writers_that_do_not_know_of_each_other_lose_nothing(self, folder: Path) -> None:
        """A judgement that both have is kept once."""
        first, second = Judgements.create(folder), Judgements.create(folder)
        for number in range(0, 20, 2):
            first.append([judgement(number), judgement(-1)])
            second.append([judgement(number + 1), judgement(-1)])
        assert Judgements.open(folder).all() == [judgement(number) for number in range(-1, 20)]

    def test_writers_at_once_lose_nothing(self, folder: Path) -> None:
        """Each judgement is there when `append` returns."""
        writers = [Judgements.create(folder) for _ in range(2)]

        def write(writer: Judgements, numbers: range) -> None:
            for number in numbers:
                writer.append([judgement(number)])

        threads = [
            threading.Thread(target=write, args=(writer, range(start, start + 10)))
            for writer, start in zip(writers, (0, 10), strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Judgements.open(folder).all() == [judgement(number) for number in range(20)]

    @pytest.mark.long
    def test_the_log_and_the_files_of_many_keystrokes_do_not_pile_up(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Entries of the log are removed a day later; a process that has waited as long goes on all the same."""
        waiting, writer = Judgements.create(folder), Judgements.create(folder)
        waiting.append([judgement(-1)])
        for number in range(120):
            writer.append([judgement(number)])
        for entry in (folder / "_delta_log").iterdir():
            os.utime(entry, (0, 0))
        for number in range(120, 240):
            writer.append([judgement(number)])
        assert len(list((folder / "_delta_log").glob("*.json"))) < 200
        assert len(list(folder.glob("*.parquet"))) < 150
        later = time.monotonic() + 86_400
        monkeypatch.setattr(time, "monotonic", lambda: later)
        waiting.append([judgement(240)])
        assert waiting.all() == [judgement(number) for number in range(-1, 241)]

    def test_where_there_are_none_the_error_says_how_to_make_some(self, folder: Path) -> None:
        """`find` returns nothing, and neither makes the folder."""
        assert Judgements.find(folder) is None
        with pytest.raises(TableError, match=r"no judgements in .*labels-reviews: `audiomnist review TABLE --inbox"):
            Judgements.open(folder)
        assert not folder.exists()

    def test_a_table_of_labels_is_refused(self, folder: Path) -> None:
        """Nor are judgements a table of labels."""
        Table.create(folder)
        with pytest.raises(TableError, match="is a table with other columns"):
            Judgements.create(folder)
        other = folder.with_name("other")
        Judgements.create(other)
        with pytest.raises(TableError, match="is a table with other columns"):
            Table.open(other)

    def test_the_columns_describe_themselves(self, folder: Path) -> None:
        """For those who have the table and not the page."""
        Judgements.create(folder)
        schema = pa.schema(DeltaTable(folder).schema().to_arrow())
        assert schema.equals(SCHEMA, check_metadata=True)
        assert all(field.metadata[b"description"] for field in schema)


class TestCurrent:
    """What people think now."""

    @pytest.mark.parametrize(
        ("labels", "expected"),
        [("7", ["7"]), ("73", ["3"]), ("7-", []), ("73-", ["7"]), ("73--", []), ("-7", ["7"]), ("7--3", ["3"])],
    )
    def test_the_last_one_counts_unless_it_was_taken_back(self, labels: str, expected: list[str]) -> None:
        """`-` takes back; the one before counts again."""
        made = [
            judgement(number, path="a", content_sha256="c", label=None if label == "-" else label)
            for number, label in enumerate(labels)
        ]
        assert [judged.label for judged in current(made)] == expected

    def test_people_clips_contents_and_models_are_independent(self) -> None:
        """Each has its own last judgement; they are in the order in which they were made."""
        first = judgement(0, judgement_id="first")
        others = [{"judged_by": "bob"}, {"path": "b"}, {"content_sha256": "d"}, {"model_version": "n"}]
        made = [
            first,
            *(
                replace(first, judgement_id=f"{number}", label="3", **other, judged_at=REVIEWED_AT + timedelta(number))  # type: ignore[arg-type]
                for number, other in enumerate(others, 1)
            ),
        ]
        assert current(made) == made


@pytest.mark.property
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(["ada", "bob"]), st.sampled_from([*LABELS, None])), max_size=30
    )
)
def test_taking_all_back_leaves_nothing(keystrokes: list[tuple[str, str, str | None]]) -> None:
    """And what is left before that is a judgement that was made, at most one per clip and person."""
    made = [
        judgement(number, path=path, content_sha256="c", judged_by=person, label=label)
        for number, (path, person, label) in enumerate(keystrokes)
    ]
    left = current(made)
    assert {judged.judgement_id for judged in left} <= {judged.judgement_id for judged in made if judged.label}
    assert len({(judged.path, judged.judged_by) for judged in left}) == len(left)
    backs = [replace(judged, label=None) for judged in made]
    assert current([*made, *backs]) == []
