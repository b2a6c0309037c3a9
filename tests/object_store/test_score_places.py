"""Inbox, table and model on this machine or in an object store: the same rows, summaries and exit statuses."""

import json
import shutil
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from object_stores import Bucket, ObjectStore, sound
from runs import Ended, Row, assert_same_answers, audiomnist

from audiomnist.scoring.decoding.checks import MAX_BYTES
from audiomnist.scoring.table.table import Table
from audiomnist.storage.url import place_of

_OUTCOMES = ("found", "scored", "abstained", "rejected", "unchanged", "deferred", "remaining", "excluded")


def rows(table: object) -> list[Row]:
    """Return the rows of a table, by their paths and times."""
    found = [row for batch in Table.open(place_of(str(table))).scan() for row in batch.to_pylist()]
    return sorted(found, key=lambda row: (row["path"], row["scored_at"]))


def by_path(table: object) -> dict[str, Row]:
    """Return the row of each path, which has one only."""
    found = rows(table)
    assert len({row["path"] for row in found}) == len(found)
    return {row["path"]: row for row in found}


def score(inbox: object, table: object, model: object, *options: str) -> Ended:
    """Carry out a run with one worker."""
    return audiomnist("score", inbox, "--into", table, "--model", model, "--workers", "1", "--json", *options)


def counts(ended: Ended) -> dict[str, int]:
    """Return the counts of a run's summary that are not zero."""
    assert ended.out, ended
    summary: dict[str, Any] = json.loads(ended.out)
    return {name: summary[name] for name in _OUTCOMES if summary[name]}


@pytest.fixture(scope="module")
def local(sounds: Path, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Row], Ended]:
    """The rows and the summary of a run without any object store, of what can be in one."""
    inbox = tmp_path_factory.mktemp("inbox") / "inbox"
    shutil.copytree(sounds, inbox, ignore=lambda *_: ["bad-016 no rate.wav"], copy_function=shutil.copy2)
    table = tmp_path_factory.mktemp("local") / "table"
    ended = score(inbox, table, bundle)
    return by_path(table), ended


QUICK = {("s3", "s3", "s3"), ("s3", "local", "local")}
PLACES = [places for places in product(("local", "s3"), repeat=3) if "s3" in places]


@pytest.mark.parametrize(
    ("inbox", "table", "model"),
    [
        pytest.param(
            *places, marks=[] if places in {("s3", "s3", "s3"), ("s3", "local", "local")} else pytest.mark.long
        )
        for places in [*PLACES, ("file", "file", "file"), ("file", "s3", "file")]
    ],
)
def test_a_run_gives_the_same_wherever_things_are(
    inbox: str,
    table: str,
    model: str,
    local: tuple[dict[str, Row], Ended],
    sounds: Path,
    bundle: Path,
    bucket: Bucket,
    tmp_path: Path,
) -> None:
    """Rows, summary and exit status; only ETags and times of files differ. A second run finds nothing new."""
    folder = tmp_path / "in box"
    shutil.copytree(sounds, folder, ignore=lambda *_: ["bad-016 no rate.wav"])
    bucket.put_all(folder, "in box")
    bucket.put_all(bundle, "deep/model")
    places = {
        "local": (folder, tmp_path / "table", bundle),
        "s3": (bucket.url("in box"), bucket.url("table"), bucket.url("deep/model")),
        "file": (folder.as_uri(), (tmp_path / "table").as_uri(), bundle.as_uri()),
    }
    used = places[inbox][0], places[table][1], places[model][2]
    ended = score(*used)
    expected, ended_local = local
    assert ended.status == ended_local.status == 0, ended
    assert counts(ended) == counts(ended_local)
    found = by_path(used[1])
    assert_same_answers(found, expected)
    assert all((row["etag"] is not None) == (inbox == "s3") for row in found.values())
    assert counts(score(*used)) == {"found": len(found), "unchanged": len(found)}
    assert len(rows(used[1])) == len(found)


def test_a_second_run_reads_no_object(inbox: Bucket, bundle: Path, store: ObjectStore, tmp_path: Path) -> None:
    """Each is read once by the first run, and none by the second."""
    first = score(inbox.url("inbox"), tmp_path / "table", bundle)
    assert counts(first) == {"found": 10, "scored": 10}
    assert set(Counter(store.proxy.asked("GET", "/inbox/")).values()) == {1}
    store.proxy.reset()
    assert counts(score(inbox.url("inbox"), tmp_path / "table", bundle)) == {"found": 10, "unchanged": 10}
    assert store.proxy.asked("GET", "/inbox/") == []
    assert store.proxy.asked("HEAD", "/inbox/") == []


def test_another_content_of_the_same_size_is_scored_and_the_same_content_is_not(
    inbox: Bucket, bundle: Path, tmp_path: Path
) -> None:
    """The row of the former content stays."""
    table = tmp_path / "table"
    score(inbox.url("inbox"), table, bundle)
    inbox.put("inbox/0/0.wav", sound(99))
    inbox.put("inbox/1/1.wav", sound(1))
    assert len(sound(99)) == len(sound(0))
    assert counts(score(inbox.url("inbox"), table, bundle)) == {"found": 10, "unchanged": 9, "scored": 1}
    contents = [row["content_sha256"] for row in rows(table) if row["path"] == "0/0.wav"]
    assert len(set(contents)) == 2
    assert len(rows(table)) == 11


@pytest.mark.parametrize("how", ["changing", "vanished"])
def test_an_object_that_changes_after_it_was_listed_is_deferred(
    how: str, inbox: Bucket, bundle: Path, store: ObjectStore, tmp_path: Path
) -> None:
    """The next run scores what it is then."""
    change = inbox.put_before("inbox/0/0.wav", None if how == "vanished" else sound(50))
    # The first listing is the check whether the inbox can be listed, the second one is that of its entries.
    store.proxy.let(change, "GET", "list-type=2&prefix=inbox", times=1, every=2)
    ended = score(inbox.url("inbox"), tmp_path / "table", bundle)
    assert ended.status == 0
    assert counts(ended) == {"found": 10, "scored": 9, "deferred": 1}
    assert json.loads(ended.out)["by_deferred_reason"] == {how: 1}
    assert counts(score(inbox.url("inbox"), tmp_path / "table", bundle)) == (
        {"found": 9, "unchanged": 9} if how == "vanished" else {"found": 10, "unchanged": 9, "scored": 1}
    )


def test_selection_limit_and_dry_run(inbox: Bucket, bundle: Path, store: ObjectStore, tmp_path: Path) -> None:
    """As in a folder; a dry run reads and writes nothing."""
    table = inbox.url("table")
    dry = score(inbox.url("inbox"), table, bundle, "--dry-run")
    assert counts(dry) == {"found": 10, "remaining": 10}
    assert inbox.keys("table") == []
    assert store.proxy.asked("PUT") == []
    some = score(inbox.url("inbox"), table, bundle, "--include", "*.wav", "--exclude", "1/", "--limit", "2")
    assert counts(some) == {"found": 8, "scored": 2, "remaining": 5, "excluded": 1}
    assert [row["path"] for row in rows(table)] == ["0/0.wav", "0/3.wav"]
    csv = tmp_path / "new.csv"
    assert counts(score(inbox.url("inbox"), table, bundle, "--csv", str(csv))) == {
        "found": 10,
        "scored": 8,
        "unchanged": 2,
    }
    assert len(csv.read_text(encoding="utf-8").splitlines()) == 9


def test_a_folder_without_objects_is_an_empty_inbox(bucket: Bucket, bundle: Path) -> None:
    """There is nothing else that a folder could be."""
    ended = score(bucket.url("inbox"), bucket.url("table"), bundle)
    assert (ended.status, counts(ended)) == (0, {})


def test_a_model_of_a_console_made_folder_is_used(inbox: Bucket, bundle: Path, tmp_path: Path) -> None:
    """Its mark is no part of the model."""
    inbox.put("model/", b"")
    inbox.put_all(bundle, "model")
    assert score(inbox.url("inbox"), tmp_path / "table", inbox.url("model")).status == 0


@pytest.mark.parametrize(
    ("places", "status", "said"),
    [
        (("s3://absent/in", "t", "m"), 2, "s3://absent/in cannot be listed: there is no such bucket"),
        (("s3://BUCKET/inbox", "s3://absent/t", "m"), 6, "s3://absent/t cannot be read as a table: there is no such b"),
        (("s3://BUCKET/inbox", "t", "s3://absent/m"), 4, "s3://absent/m cannot be read: there is no such bucket"),
        (("s3://BUCKET/inbox", "t", "s3://BUCKET/nothing"), 4, "nothing has no files: correct the URL"),
        (("s3://BUCKET/inbox", "t", "s3://BUCKET/inbox"), 4, "bundle.json"),
        (("s3://BUCKET", "t", "m"), 2, "is a whole bucket: name a folder in it"),
        (("s3://BUCKET/inbox", "s3://BUCKET/inbox/table", "m"), 2, "lie one in the other"),
        (("s3://BUCKET/inbox", "s3://BUCKET/inbox", "m"), 2, "lie one in the other"),
        (("s3://BUCKET/inbox", "s3://BUCKET", "m"), 2, "lie one in the other"),
        (("s3://BUCKET/inbox/0", "s3://BUCKET/inbox", "m"), 2, "lie one in the other"),
        (("s3://BUCKET/inbox", "s3://BUCKET/other", "m"), 6, "is not a table, and holds"),
        (("s3://BUCKET/inbox?x=1", "t", "m"), 2, "has more than a bucket and a folder"),
        (("ftp://BUCKET/inbox", "t", "m"), 2, "is no object store that is known"),
        (("https://BUCKET.s3.amazonaws.com/inbox", "t", "m"), 2, "is no object store that is known"),
    ],
)
def test_places_that_cannot_be_used(
    places: tuple[str, str, str], status: int, said: str, inbox: Bucket, bundle: Path, tmp_path: Path
) -> None:
    """Each has its status and a sentence, and nothing is written."""
    inbox.put("other/file", b"x")
    before = inbox.keys()
    place, table, model = (text.replace("BUCKET", inbox.name) for text in places)
    ended = score(
        place,
        table if table.startswith("s3:") else tmp_path / table,
        model if model.startswith("s3:") else bundle,
    )
    assert ended.status == status, ended
    assert said in " ".join(ended.err.replace("│", "").split()), ended.err
    assert "Traceback" not in ended.err
    assert inbox.keys() == before
    assert not (tmp_path / "t" / "_delta_log").exists()


def test_a_recording_that_is_too_large_is_not_read(bucket: Bucket, bundle: Path, store: ObjectStore) -> None:
    """Its row says why."""
    bucket.put("inbox/large.wav", bytes(MAX_BYTES + 1))
    assert counts(score(bucket.url("inbox"), bucket.url("table"), bundle)) == {"found": 1, "rejected": 1}
    assert store.proxy.asked("GET", "large") == []
    (row,) = rows(bucket.url("table"))
    assert row["reason"] == "too_large"
    assert counts(score(bucket.url("inbox"), bucket.url("table"), bundle)) == {"found": 1, "unchanged": 1}
