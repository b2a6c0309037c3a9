"""A store that throttles, breaks off, is down, refuses, or has no conditional writes."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import cast

import obstore
import pytest
from faulty_proxy import SLOW_DOWN, Answers, Fault, Without, breaks_off, is_refused
from object_stores import SECRETS, Bucket, ObjectStore, sound
from runs import Ended, audiomnist
from score_process import Scorer

from audiomnist.scoring.inbox.bucket import Bucket as BucketInbox
from audiomnist.scoring.inbox.discover import Candidate, InboxError
from audiomnist.scoring.inbox.selection import Selection
from audiomnist.scoring.table.table import Table
from audiomnist.storage import store as client
from audiomnist.storage.url import Url, place_of

DENIED = Answers(403, "AccessDenied")
WRONG_KEY = Answers(403, "InvalidAccessKeyId")
WRONG_SECRET = Answers(403, "SignatureDoesNotMatch")
EXPIRED = Answers(400, "ExpiredToken")
SAID: list[tuple[Fault, str]] = [
    (DENIED, "the credentials have no permission for this: give it, or use others"),
    (WRONG_KEY, "the store does not accept the credentials: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    (WRONG_SECRET, "the store does not accept the credentials: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    (EXPIRED, "the credentials have expired: renew them"),
]


@pytest.fixture(autouse=True)
def quick_retries(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process give up after few attempts, but for tests that are about the usual ones; workers do not."""
    if request.node.get_closest_marker("long") and "half_a_minute" in request.node.name:
        yield
        return
    monkeypatch.setattr(client, "_RETRIES", {**client._RETRIES, "max_retries": 4})  # noqa: SLF001
    monkeypatch.setattr(client, "DELTA_RETRIES", {**client.DELTA_RETRIES, "max_retries": "4"})
    for opened in (client.opened, client.opened_to_probe):
        opened.cache_clear()
    yield
    for opened in (client.opened, client.opened_to_probe):
        opened.cache_clear()


def score(inbox: str, table: object, bundle: object, *options: str) -> Ended:
    """Carry out a run with one worker."""
    return audiomnist("score", inbox, "--into", table, "--model", bundle, "--workers", "1", "--json", *options)


def content_of(table: object) -> str:
    """Return all rows of a table, and the summaries of its runs, as text."""
    opened = Table.open(place_of(str(table)))
    return str([batch.to_pylist() for batch in opened.scan()]) + str(opened.runs())


def files_of(table: object) -> list[str]:
    """Return the paths of the rows."""
    rows = [row for batch in Table.open(place_of(str(table))).scan(["path"]) for row in batch.to_pylist()]
    return sorted(row["path"] for row in rows)


def assert_refused(ended: Ended, status: int, said: str) -> None:
    """Check that a run ended with a status and one line that says why, and tells no secret."""
    assert ended.status == status, ended
    assert ended.out == ""
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert_tells_no_secret(ended)


def assert_tells_no_secret(ended: Ended, *more: str) -> None:
    """Check that no credential is in what a run printed, nor in other texts."""
    for text in (ended.out, ended.err, *more):
        assert not [name for name, value in SECRETS.items() if value in text]
        assert "said the proxy" not in text
        assert "127.0.0.1" not in text


@pytest.mark.long
def test_throttling_of_every_other_request_is_waited_out(inbox: Bucket, bundle: Path, store: ObjectStore) -> None:
    """Of listings, of reads and of commits."""
    store.proxy.let(SLOW_DOWN, every=2)
    ended = score(inbox.url("inbox"), inbox.url("table"), bundle)
    assert ended.status == 0, ended
    assert json.loads(ended.out)["scored"] == 10
    store.proxy.reset()
    assert len(files_of(inbox.url("table"))) == 10


def test_throttled_requests_are_repeated(bucket: Bucket, store: ObjectStore) -> None:
    """As often as is set."""
    bucket.put("in/a", b"x")
    store.proxy.let(SLOW_DOWN, times=4)
    assert bytes(obstore.get(client.opened(Url("s3", bucket.name, "in")), "a").bytes()) == b"x"
    assert len(store.proxy.asked("GET")) == 5


@pytest.mark.long
def test_throttling_of_half_a_minute_is_waited_out(inbox: Bucket, bundle: Path, store: ObjectStore) -> None:
    """By the table, whose requests Delta Lake repeats itself, and by the inbox."""
    for path in ("/inbox/0/0.wav", "_last_checkpoint"):
        store.proxy.let(SLOW_DOWN, path=path, times=14)
    ended = score(inbox.url("inbox"), inbox.url("table"), bundle)
    assert ended.status == 0, ended
    assert len(files_of(inbox.url("table"))) == 10


def test_a_body_that_breaks_off_is_read_on(inbox: Bucket, bundle: Path, store: ObjectStore, tmp_path: Path) -> None:
    """The rows are those of the whole contents."""
    expected = score(inbox.url("inbox"), tmp_path / "expected", bundle)
    store.proxy.let(breaks_off, "GET", "/inbox/.*wav", every=2)
    ended = score(inbox.url("inbox"), tmp_path / "table", bundle)
    assert json.loads(ended.out)["scored"] == json.loads(expected.out)["scored"] == 10

    def contents(table: Path) -> set[tuple[str, str]]:
        return {(row["path"], row["content_sha256"]) for batch in Table.open(table).scan() for row in batch.to_pylist()}

    assert contents(tmp_path / "table") == contents(tmp_path / "expected")


@pytest.mark.parametrize(("fault", "said"), SAID)
def test_an_inbox_that_may_not_be_listed(
    fault: Fault, said: str, inbox: Bucket, bundle: Path, store: ObjectStore, tmp_path: Path
) -> None:
    """Status 2, and no table."""
    store.proxy.let(fault, path="inbox")
    url = inbox.url("inbox")
    assert_refused(score(url, tmp_path / "table", bundle), 2, f"audiomnist score: {url} cannot be listed: {said}\n")
    assert not (tmp_path / "table").exists()


@pytest.mark.parametrize(("fault", "said"), SAID)
def test_a_table_that_may_not_be_read(fault: Fault, said: str, inbox: Bucket, bundle: Path, store: ObjectStore) -> None:
    """Status 6."""
    store.proxy.let(fault, path="table")
    url = inbox.url("table")
    assert_refused(score(inbox.url("inbox"), url, bundle), 6, f"score: {url} cannot be read as a table: {said}\n")
    shown = audiomnist("table", "show", url)
    assert shown.status == 1
    assert said in shown.err
    assert_tells_no_secret(shown)


@pytest.mark.parametrize(
    ("fault", "said"), [SAID[0], *(pytest.param(*said, marks=pytest.mark.long) for said in SAID[1:])]
)
@pytest.mark.parametrize(
    "path", ["_audiomnist-probe", pytest.param("parquet", marks=pytest.mark.long), "_delta_log/0.*1.json"]
)
def test_a_table_that_may_not_be_written(
    path: str, fault: Fault, said: str, inbox: Bucket, bundle: Path, store: ObjectStore
) -> None:
    """Status 6, whichever object it is; nothing is committed, and the next run does it."""
    store.proxy.let(fault, "PUT", path)
    url = inbox.url("table")
    ended = score(inbox.url("inbox"), url, bundle)
    assert_refused(ended, 6, f"score: {url} cannot be written: {said}. Fix that and run again")
    store.proxy.reset()
    assert json.loads(score(inbox.url("inbox"), url, bundle).out)["scored"] == 10
    assert len(files_of(url)) == 10


@pytest.mark.parametrize(("fault", "said"), SAID)
def test_a_model_that_may_not_be_read(
    fault: Fault, said: str, inbox: Bucket, bundle: Path, store: ObjectStore, tmp_path: Path
) -> None:
    """Status 4, whether it is the listing or the reading that fails."""
    inbox.put_all(bundle, "model")
    url = inbox.url("model")
    for path in ("model", "model/bundle.json"):
        store.proxy.reset()
        store.proxy.let(fault, path=path)
        ended = score(inbox.url("inbox"), tmp_path / "table", url)
        assert_refused(ended, 4, f"audiomnist score: {url} cannot be read: {said}\n")


@pytest.mark.parametrize(
    ("fault", "said", "reason"),
    [
        (DENIED, SAID[0][1], "no_permission"),
        pytest.param(WRONG_KEY, SAID[1][1], "no_permission", marks=pytest.mark.long),
        (EXPIRED, SAID[3][1], "io_error"),
    ],
)
def test_objects_that_may_not_be_read_are_deferred(
    fault: Fault, said: str, reason: str, inbox: Bucket, bundle: Path, store: ObjectStore
) -> None:
    """Each with the reason, and status 7; all others are scored, and the next run scores these."""
    store.proxy.let(fault, "GET", "/inbox/0/")
    url = inbox.url("table")
    ended = score(inbox.url("inbox"), url, bundle)
    assert ended.status == 7, ended
    summary = json.loads(ended.out)
    assert (summary["scored"], summary["by_deferred_reason"]) == (6, {reason: 4})
    assert said in ended.out
    store.proxy.reset()
    assert_tells_no_secret(ended, content_of(url))
    assert json.loads(score(inbox.url("inbox"), url, bundle).out)["scored"] == 4
    assert len(files_of(url)) == 10


def test_a_run_without_credentials(
    inbox: Bucket, bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It says which variables to set."""
    for name in SECRETS:
        monkeypatch.delenv(name)
    inbox.put_all(bundle, "model")
    said = "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where the machine has"
    assert_refused(score(inbox.url("inbox"), tmp_path / "table", bundle), 2, said)
    (tmp_path / "inbox").mkdir()
    assert_refused(score(str(tmp_path / "inbox"), inbox.url("table"), bundle), 6, said)
    assert_refused(score(str(tmp_path / "inbox"), tmp_path / "table", inbox.url("model")), 4, said)


@pytest.mark.parametrize(
    "url", ["s3://AKIA:hush@bucket/in", "s3://bucket/in?AWS_SECRET_ACCESS_KEY=hush", "s3://bucket/in#hush"]
)
def test_credentials_in_a_url_are_refused_without_being_printed(url: str, bundle: Path, tmp_path: Path) -> None:
    """For the inbox, the table and the model; in `table`, too."""
    for arguments in (
        ("score", url, "--into", tmp_path / "table", "--model", bundle),
        ("score", tmp_path, "--into", url, "--model", bundle),
        ("score", tmp_path, "--into", tmp_path / "table", "--model", url),
        ("table", "show", url),
    ):
        ended = audiomnist(*arguments)
        assert ended.status == 2
        assert "hush" not in ended.err + ended.out
        assert "AKIA" not in ended.err + ended.out


@pytest.mark.parametrize("fault", [Without("If-None-Match"), Answers(501, "NotImplemented")])
def test_a_store_without_conditional_writes_is_refused(
    fault: Fault, inbox: Bucket, bundle: Path, store: ObjectStore
) -> None:
    """With status 6, and nothing is left in it."""
    store.proxy.let(fault, "PUT", "/table/")
    before = inbox.keys()
    ended = score(inbox.url("inbox"), inbox.url("table"), bundle)
    assert_refused(ended, 6, "the store has no conditional writes (If-None-Match), without which two runs could")
    assert inbox.keys() == before


def test_a_store_that_is_down_is_asked_no_more(bucket: Bucket, store: ObjectStore) -> None:
    """Once the requests that are under way have failed: a run must not wait for every file of a thousand."""
    for number in range(200):
        bucket.put(f"inbox/{number:03}.wav", sound(number))
    inbox = BucketInbox(Url("s3", bucket.name, "inbox"))
    files = [entry for entry in inbox.entries(Selection()) if isinstance(entry, Candidate)]
    store.proxy.let(is_refused, "GET", r"/inbox/1..\.wav")
    contents = inbox.read(files, 2**20)
    assert [len(content) for content in islice(contents, 100) if isinstance(content, bytes)] == [len(sound(0))] * 100
    with pytest.raises(InboxError, match="cannot be read: the store cannot be reached: check the network"):
        list(contents)
    assert len(set(store.proxy.asked("GET", r"/inbox/1..\.wav"))) < 50


@pytest.mark.long
def test_a_store_that_goes_down_in_the_middle_of_a_run(
    bucket: Bucket, bundle: Path, store: ObjectStore, tmp_path: Path
) -> None:
    """The run ends with a sentence once it has tried for three minutes; the next one completes the table."""
    for number in range(600):
        bucket.put(f"inbox/{number:03}.wav", sound(number))
    store.proxy.let(is_refused, "GET", r"/inbox/5[2-9].\.wav")
    ended = score(bucket.url("inbox"), tmp_path / "table", bundle, "--batch-size", "100")
    assert_refused(ended, 2, "the network, and the endpoint if one is set (this run has committed 500 rows)")
    assert_tells_no_secret(ended, content_of(tmp_path / "table"))
    store.proxy.reset()
    assert json.loads(score(bucket.url("inbox"), tmp_path / "table", bundle).out)["scored"] == 100


def test_a_run_as_a_process_prints_no_secret(inbox: Bucket, bundle: Path, store: ObjectStore, tmp_path: Path) -> None:
    """Nor do its libraries, in Rust, which write to its output themselves."""
    store.proxy.let(WRONG_SECRET, path="inbox")
    ended = Scorer(cast("Path", inbox.url("inbox")), tmp_path / "table", bundle).ended()
    assert ended.status == 2
    assert_tells_no_secret(Ended(ended.status, ended.out, ended.err))
