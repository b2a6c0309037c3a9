"""Consecutive runs: a new file gets its row exactly once, an unchanged one gets none."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import small_bundles
from inbox_files import SETTLED_NS, encoded, put, put_bad, put_good, tone
from runs import FolderConfig, answer, assert_same_answers, by_path, rows, score, tree

from audiomnist.audio import waveform
from audiomnist.core.hashing import sha256_of
from audiomnist.scoring import run as scoring_run
from audiomnist.scoring.inbox.discover import Entry, InboxError, discover
from audiomnist.scoring.inbox.inbox import Folder
from audiomnist.scoring.inbox.selection import Selection
from audiomnist.scoring.run import preview
from audiomnist.scoring.shutdown import Stop
from audiomnist.scoring.summary import Summary
from audiomnist.scoring.table.location import TableError
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table
from audiomnist.scoring.workers import pool
from audiomnist.scoring.workers.scorer import Chunk, ScoredChunk, ScoringTask
from audiomnist.serving import model as inference
from audiomnist.serving.bundle import code_version
from audiomnist.serving.bundle.description import BundleError


@pytest.fixture(scope="module")
def cnn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model."""
    return small_bundles.write("cnn", tmp_path_factory.mktemp("cnn"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another version of it."""
    return small_bundles.write("cnn", tmp_path_factory.mktemp("other"), seed=1)


@pytest.fixture
def config(cnn: Path, tmp_path: Path) -> FolderConfig:
    """Settings for an empty inbox and a table that does not exist yet."""
    (tmp_path / "inbox").mkdir()
    return FolderConfig(tmp_path / "inbox", tmp_path / "table", cnn)


def content(number: int) -> bytes:
    """Return a sound; another number gives another one."""
    return encoded(tone(number % 10, 0.2 + number % 7 / 20, seed=number))


def put_numbered(folder: Path, *numbers: int) -> None:
    """Write a file for each number."""
    for number in numbers:
        put(folder, f"{number:03}.wav", content(number))


def counts(summary: Summary) -> dict[str, int]:
    """Return the counts that are not zero."""
    outcomes = {"found": summary.found, **summary.sums["found"]}
    return {name: files for name, files in outcomes.items() if files}


def versions(config: FolderConfig) -> set[str]:
    """Return the model versions in the table."""
    return {row["model_version"] for row in rows(config.table)}


def test_every_column_of_a_row(config: FolderConfig) -> None:
    """Each column matches the file, the bundle or the clock; the probabilities are those of the model."""
    path = put(config.inbox / "deep", "3.wav", encoded(tone(3, 0.25, 16_000), 16_000))
    started = datetime.now(UTC)
    summary = score(config)
    (row,) = rows(config.table)
    model = inference.load(config.model, threads=1)
    expected = model.predict_waveforms([model.prepare(waveform.read(path))])
    np.testing.assert_allclose(answer(row), expected.probabilities[0], rtol=0, atol=1e-5)
    assert answer(row).sum() == pytest.approx(1, abs=1e-5)
    digit = int(expected.probabilities.argmax())
    assert started <= row["scored_at"] <= datetime.now(UTC)
    assert row["scored_at"].utcoffset().total_seconds() == 0
    probabilities = {f"p{number}" for number in range(10)}
    assert {name: row[name] for name in row.keys() - probabilities - {"scored_at"}} == {
        "path": "deep/3.wav",
        "content_sha256": sha256_of(path),
        "size_bytes": path.stat().st_size,
        "modified_ns": path.stat().st_mtime_ns,
        "status": "scored",
        "digit": digit,
        "confidence": pytest.approx(float(expected.probabilities[0, digit]), abs=1e-5),
        "ood_score": pytest.approx(float(expected.ood_scores[0]), abs=1e-4),
        "reason": None,
        "message": None,
        "answered_by": "cnn",
        "asr_token": None,
        "etag": None,
        "duration_s": 0.25,
        "sample_rate_hz": 16_000,
        "channels": 1,
        "peak": pytest.approx(np.abs(waveform.read(path).samples).max()),
        "model": "cnn",
        "model_version": sha256_of(config.model / "bundle.json"),
        "dataset": "noises",
        "dataset_version": "1",
        "code_revision": code_version.revision(),
        "run_id": summary.run_id,
    }
    assert list(row) == SCHEMA.names


def test_the_summary_is_that_of_the_last_commit(config: FolderConfig) -> None:
    """The run returns the summary that is in the history of the table."""
    put_good(config.inbox, 30)
    put_bad(config.inbox, 5)
    summary = score(replace(config, batch_size=10))
    (run,) = Table.open(config.table).runs()
    assert run.run_id == summary.run_id
    assert Summary.model_validate(run.summary) == summary
    assert (run.version, counts(summary)) == (4, {"found": 35, "scored": 30, "rejected": 5})
    assert summary.seconds > 0
    assert summary.started_at < summary.ended_at


def test_an_empty_inbox_is_a_run_like_any_other(config: FolderConfig) -> None:
    """Its summary is committed, with no rows."""
    summary = score(config)
    assert counts(summary) == {}
    assert Table.open(config.table).version == 1
    assert [run.summary["found"] for run in Table.open(config.table).runs() if run.summary] == [0]
    assert rows(config.table) == []


def test_unchanged_files_are_not_read(config: FolderConfig) -> None:
    """A second run finds nothing new, though the files' contents can no longer be had."""
    put_numbered(config.inbox, 1, 2, 3)
    put(config.inbox, "bad.wav", b"no sound")
    assert counts(score(config)) == {"found": 4, "scored": 3, "rejected": 1}
    for path in config.inbox.iterdir():
        size_bytes = path.stat().st_size
        path.write_bytes(bytes(size_bytes))
        os.utime(path, ns=(SETTLED_NS, SETTLED_NS))
    assert counts(score(config)) == {"found": 4, "unchanged": 4}
    assert len(rows(config.table)) == 4


def test_a_run_changes_nothing_in_the_inbox(config: FolderConfig) -> None:
    """Nor does it leave anything there."""
    put_good(config.inbox, 10)
    put_bad(config.inbox, 40)
    before = tree(config.inbox)
    score(config)
    assert tree(config.inbox) == before


def test_copies_and_renamed_files_have_rows_of_their_own_with_the_same_answer(config: FolderConfig) -> None:
    """In one run and over several; each row has its own name and time."""
    put_numbered(config.inbox, 1, 2)
    put(config.inbox, "copy of 1.wav", content(1), SETTLED_NS + 1)
    assert counts(score(config)) == {"found": 3, "scored": 3}
    put(config.inbox / "deep", "copy of 2.wav", content(2), SETTLED_NS + 2)
    (config.inbox / "001.wav").rename(config.inbox / "renamed.wav")
    summary = score(config)
    assert counts(summary) == {"found": 4, "unchanged": 2, "scored": 2}
    found = by_path(config.table)
    assert {"001.wav", "002.wav", "copy of 1.wav", "deep/copy of 2.wav", "renamed.wav"} == found.keys()
    for copy, original in (("copy of 1.wav", "001.wav"), ("renamed.wav", "001.wav"), ("deep/copy of 2.wav", "002.wav")):
        assert_same_answers({original: found[copy]}, {original: found[original]})
    assert found["deep/copy of 2.wav"]["modified_ns"] == SETTLED_NS + 2
    assert found["deep/copy of 2.wav"]["run_id"] == summary.run_id


def test_a_changed_file_has_a_new_row_and_keeps_the_old_one(config: FolderConfig) -> None:
    """The table remembers what the file was."""
    put_numbered(config.inbox, 1, 2)
    score(config)
    put(config.inbox, "001.wav", content(3), SETTLED_NS + 5)
    assert counts(score(config)) == {"found": 2, "scored": 1, "unchanged": 1}
    old, new = [row for row in rows(config.table) if row["path"] == "001.wav"]
    assert old["content_sha256"] != new["content_sha256"]
    assert (old["modified_ns"], new["modified_ns"]) == (SETTLED_NS, SETTLED_NS + 5)


def test_a_file_that_was_corrected_has_its_label_beside_the_rejection(config: FolderConfig) -> None:
    """And one that was spoiled the other way round."""
    put(config.inbox, "a.wav", content(1)[:-10])
    score(config)
    put(config.inbox, "a.wav", content(1), SETTLED_NS + 5)
    assert counts(score(config)) == {"found": 1, "scored": 1}
    assert {row["status"] for row in rows(config.table)} == {"rejected", "scored"}


def test_a_file_that_was_only_touched_is_unchanged(config: FolderConfig) -> None:
    """It is read and predicted again, and its row is not written twice."""
    put_numbered(config.inbox, 1, 2)
    score(config)
    os.utime(config.inbox / "001.wav", ns=(SETTLED_NS, SETTLED_NS + 5))
    assert counts(score(config)) == {"found": 2, "unchanged": 2}
    assert len(rows(config.table)) == 2


def test_rereading_finds_what_changed_behind_an_unchanged_size_and_time(config: FolderConfig) -> None:
    """Otherwise size and time are believed."""
    put_numbered(config.inbox, 1, 2)
    score(config)
    size_bytes = len(content(1))
    put(config.inbox, "001.wav", bytes(size_bytes))
    assert counts(score(config)) == {"found": 2, "unchanged": 2}
    assert counts(score(replace(config, reread=True))) == {"found": 2, "unchanged": 1, "rejected": 1}
    assert counts(score(replace(config, reread=True))) == {"found": 2, "unchanged": 2}


def test_files_scored_by_another_model_are_scored_again_only_with_rescore(config: FolderConfig, other: Path) -> None:
    """Old rows stay; the new model adds one row per file; new files have rows of the new model only."""
    put_numbered(config.inbox, 1, 2)
    put_bad(config.inbox, 40)
    first = score(config)
    exchanged = replace(config, model=other)
    assert counts(score(exchanged)) == {"found": 42, "unchanged": 42}
    put_numbered(config.inbox, 3)
    assert counts(score(exchanged)) == {"found": 43, "unchanged": 42, "scored": 1}
    again = score(replace(exchanged, rescore=True))
    assert counts(again) == {"found": 43, "unchanged": 1, "scored": 2, "rejected": 40}
    assert counts(score(replace(exchanged, rescore=True))) == {"found": 43, "unchanged": 43}
    assert versions(config) == {first.model_version, again.model_version}
    found = rows(config.table)
    assert len(found) == 42 + 43
    assert {row["path"] for row in found if row["model_version"] == first.model_version} == {
        row["path"] for row in found if row["model_version"] == again.model_version
    } - {"003.wav"}
    one, two = (answer(row) for row in found if row["path"] == "001.wav")
    assert np.abs(one - two).max() > 1e-3


@pytest.mark.parametrize("batch_size", [pytest.param(1, marks=pytest.mark.long), 3])
def test_files_beyond_the_limit_remain_for_the_next_run(config: FolderConfig, batch_size: int) -> None:
    """Unchanged files do not count towards it; in the end all have their row."""
    put_numbered(config.inbox, *range(10))
    limited = replace(config, limit=4, batch_size=batch_size)
    assert [counts(score(limited)) for _ in range(4)] == [
        {"found": 10, "scored": 4, "remaining": 6},
        {"found": 10, "unchanged": 4, "scored": 4, "remaining": 2},
        {"found": 10, "unchanged": 8, "scored": 2},
        {"found": 10, "unchanged": 10},
    ]
    assert len(by_path(config.table)) == 10


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.long), 2])
def test_the_limit_counts_files_that_are_taken_whatever_becomes_of_them(config: FolderConfig, workers: int) -> None:
    """Those whose times alone have changed have to be read before they count as unchanged, and use it up."""
    put_numbered(config.inbox, *range(3))
    score(config)
    for number in range(3):
        put(config.inbox, f"{number:03}.wav", content(number), modified_ns=SETTLED_NS + 1)
    put_numbered(config.inbox, 6, 7)
    limited = replace(config, workers=workers)
    assert [counts(score(replace(limited, limit=limit))) for limit in (2, 4, None)] == [
        {"found": 5, "unchanged": 2, "remaining": 3},
        {"found": 5, "unchanged": 3, "scored": 1, "remaining": 1},
        {"found": 5, "unchanged": 4, "scored": 1},
    ]


def test_a_file_from_beyond_the_years_that_64_bits_hold_is_a_file_like_others(config: FolderConfig) -> None:
    """Senders set the times of files. The row has the latest possible time, by which the file is recognized later."""
    path = put(config.inbox, "a.wav", content(1))
    put_numbered(config.inbox, 2)
    os.utime(path, (2**34, 2**34))
    kept_ns = path.stat().st_mtime_ns  # a file system may have no such times
    assert counts(score(config)) == {"found": 2, "scored": 2}
    assert by_path(config.table)["a.wav"]["modified_ns"] == min(kept_ns, 2**63 - 1)
    assert counts(score(config)) == {"found": 2, "unchanged": 2}


def test_a_model_that_fails_during_a_run_is_reported_with_the_committed_rows(
    config: FolderConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that takes the place of one that died opens the model anew, and may find another."""
    put_numbered(config.inbox, *range(6))

    unfailing = pool.scored_chunks

    def failing(task: ScoringTask, chunks: Iterable[Chunk], workers: int) -> Iterator[ScoredChunk]:
        yield from unfailing(task, chunks, workers)
        raise BundleError("it was exchanged")

    monkeypatch.setattr(pool, "scored_chunks", failing)
    with pytest.raises(BundleError, match=r"^it was exchanged \(this run has committed 4 rows\)$"):
        score(replace(config, batch_size=2))
    assert len(rows(config.table)) == 4
    score_again = replace(config, table=config.table.with_name("other"), batch_size=100)
    with pytest.raises(BundleError, match=r"^it was exchanged$"):
        score(score_again)


def test_a_preview_says_what_is_new_and_writes_nothing(config: FolderConfig, tmp_path: Path) -> None:
    """It makes no table, and adds nothing to one, not even a lock."""
    put_numbered(config.inbox, 1, 2)
    put(config.inbox, "a.part", content(1))
    put_bad(config.inbox, 40)
    before = tree(tmp_path)
    assert counts(preview(config)) == {"found": 43, "remaining": 42, "deferred": 1}
    assert tree(tmp_path) == before
    score(config)
    put_numbered(config.inbox, 3)
    before = tree(tmp_path)
    assert counts(preview(config)) == {
        "found": 44,
        "unchanged": 42,
        "remaining": 1,
        "deferred": 1,
    }
    assert tree(tmp_path) == before


def test_unsure_labels_are_withheld(config: FolderConfig) -> None:
    """Neither more nor fewer than are below the threshold; all probabilities are there."""
    put_numbered(config.inbox, *range(20))
    score(config)
    confidences = {row["path"]: row["confidence"] for row in rows(config.table)}
    threshold = float(np.median([*confidences.values()]))
    strict = replace(config, table=config.table.with_name("strict"), min_confidence=threshold)
    summary = score(strict)
    assert counts(summary) == {"found": 20, "scored": 10, "abstained": 10}
    for path, row in by_path(strict.table).items():
        assert (row["status"] == "abstained") == (confidences[path] < threshold) == (row["digit"] is None)
        assert row["confidence"] == pytest.approx(confidences[path], abs=1e-5)
        assert answer(row).sum() == pytest.approx(1, abs=1e-5)


def test_a_file_with_the_name_of_an_unfinished_one_waits_for_its_name(config: FolderConfig) -> None:
    """It has no row, is listed, and is taken once it is renamed."""
    path = put(config.inbox, "a.wav.part", content(1))
    summary = score(config)
    assert counts(summary) == {"found": 1, "deferred": 1}
    assert [(item.path, item.reason) for item in summary.deferred_files] == [("a.wav.part", "unfinished_name")]
    assert rows(config.table) == []
    path.rename(config.inbox / "a.wav")
    assert counts(score(config)) == {"found": 1, "scored": 1}


def grown(path: Path) -> None:
    """Let a file grow."""
    with path.open("ab") as file:
        file.write(b"more")


def touched(path: Path) -> None:
    """Let a file's time change, and nothing else."""
    os.utime(path, ns=(SETTLED_NS, SETTLED_NS + 1))


@pytest.mark.parametrize(("change", "reason"), [(grown, "changing"), (touched, "changing"), (Path.unlink, "vanished")])
def test_a_file_that_changes_between_listing_and_reading_is_taken_by_the_next_run(
    config: FolderConfig, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None], reason: str
) -> None:
    """It has no row, and is listed; the others have theirs."""
    put_numbered(config.inbox, 1, 2, 3)

    def listed(inbox: Folder, selection: Selection) -> Iterator[Entry]:
        yield from discover(inbox.path, selection)
        change(inbox.path / "002.wav")

    monkeypatch.setattr(Folder, "entries", listed)
    summary = score(config)
    assert counts(summary) == {"found": 3, "scored": 2, "deferred": 1}
    assert [(item.path, item.reason) for item in summary.deferred_files] == [("002.wav", reason)]
    assert [row["path"] for row in rows(config.table)] == ["001.wav", "003.wav"]
    monkeypatch.undo()
    put_numbered(config.inbox, 2)
    assert counts(score(config)) == {"found": 3, "unchanged": 2, "scored": 1}


class Stopping:
    """A progress display that stops the run at the first update."""

    def __init__(self) -> None:
        self.stop = Stop()
        self.updates: list[dict[str, int]] = []

    def __call__(self, counts: Mapping[str, int]) -> None:
        """Stop."""
        self.updates.append(dict(counts))
        self.stop.requested = True


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.long), 2])
def test_a_stopped_run_commits_what_is_done_and_the_next_does_the_rest(
    config: FolderConfig, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """Its summary has `interrupted`, and its counts add up."""
    monkeypatch.setitem(scoring_run._CHUNK_FILES, "waveform", 3)  # noqa: SLF001 - no option sets it
    put_numbered(config.inbox, *range(40))
    stopping = Stopping()
    summary = scoring_run.score(replace(config, workers=workers), stopping, stopping.stop)
    assert summary.interrupted
    assert 3 <= summary.scored < 40
    assert summary.found == summary.scored + summary.remaining
    assert len(rows(config.table)) == summary.scored
    rest = score(config)
    assert counts(rest) == {"found": 40, "unchanged": summary.scored, "scored": 40 - summary.scored}
    assert not rest.interrupted
    assert len(by_path(config.table)) == 40


def test_progress_is_updated_during_the_run(config: FolderConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each chunk."""
    monkeypatch.setitem(scoring_run._CHUNK_FILES, "waveform", 3)  # noqa: SLF001 - no option sets it
    put_numbered(config.inbox, *range(9))
    stopping = Stopping()
    scoring_run.score(config, stopping)
    assert [counts["scored"] for counts in stopping.updates] == [3, 6, 9]


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.long), 2])
def test_how_the_work_is_cut_up_changes_nothing(config: FolderConfig, tmp_path: Path, workers: int) -> None:
    """Rows of a commit, and processes: the same rows, but for the run and its time."""
    put_good(config.inbox, 60)
    put_bad(config.inbox, 36)
    score(config)
    cut = replace(config, table=tmp_path / "cut", batch_size=7, workers=workers)
    score(cut)
    assert_same_answers(by_path(cut.table), by_path(config.table))
    assert Table.open(cut.table).version == 1 + 96 // 7


@pytest.mark.parametrize("place", ["absent", "file", "file/below"])
def test_what_is_no_folder_is_no_inbox(config: FolderConfig, tmp_path: Path, place: str) -> None:
    """Nothing is written."""
    put(tmp_path, "file", b"")
    with pytest.raises(InboxError, match=place):
        score(replace(config, inbox=tmp_path / place))
    assert not config.table.exists()


def test_inbox_and_table_lie_beside_each_other(config: FolderConfig, tmp_path: Path) -> None:
    """Neither in the other nor in its place, by whatever name; nothing is written."""
    (tmp_path / "alias").symlink_to(config.inbox)
    before = tree(tmp_path)
    for inbox, table in [
        (config.inbox, config.inbox),
        (config.inbox, config.inbox / "deep" / "table"),
        (config.inbox, tmp_path / "alias" / "table"),
        (config.inbox, config.inbox / ".." / "inbox" / "table"),
        (config.inbox, tmp_path),
    ]:
        with pytest.raises(InboxError, match="one in the other"):
            score(replace(config, inbox=inbox, table=table))
    assert tree(tmp_path) == before


def test_a_folder_of_other_things_is_no_table(config: FolderConfig, tmp_path: Path) -> None:
    """It is not changed."""
    put(tmp_path / "thesis", "chapter.odt", b"")
    before = tree(tmp_path)
    for run in (score, preview):
        with pytest.raises(TableError, match=r"holds chapter\.odt"):
            run(replace(config, table=tmp_path / "thesis"))
    assert tree(tmp_path) == before
