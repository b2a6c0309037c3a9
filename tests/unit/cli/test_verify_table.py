"""The table is verified: a sound one passes, and every error in a row is reported with the file's name."""

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from audiomnist.cli import verify_table
from audiomnist.core.digits import PROBABILITIES
from audiomnist.scoring.table.history import RUN_ID
from audiomnist.scoring.table.location import TableError
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table
from audiomnist.validation.gate import UnmetError

Kind = Callable[[str], dict[str, Any]]


def scored(path: str) -> dict[str, Any]:
    """Return a row of a file that has its label."""
    return {
        "path": path,
        "content_sha256": sha256(path.encode()).hexdigest(),
        "size_bytes": 8044,
        "modified_ns": 1_795_417_987_381_000_001,
        "status": "scored",
        "digit": 7,
        "confidence": 0.91,
        **dict.fromkeys(PROBABILITIES, 0.01),
        "p7": 0.91,
        "ood_score": -3.5,
        "duration_s": 0.5,
        "sample_rate_hz": 8000,
        "channels": 1,
        "peak": 0.5,
        "model": "cnn",
        "model_version": sha256(b"model").hexdigest(),
        "dataset": "tones",
        "dataset_version": "1",
        "code_revision": "0.1.0",
        "run_id": "this",
        "scored_at": datetime(2026, 11, 23, tzinfo=UTC),
    }


def abstained(path: str) -> dict[str, Any]:
    """Return a row of a file whose label is withheld."""
    return {**scored(path), "status": "abstained", "digit": None}


def rejected(path: str) -> dict[str, Any]:
    """Return a row of a file that was not even read."""
    facts = dict.fromkeys(
        ["content_sha256", "digit", "confidence", "ood_score", "duration_s", "sample_rate_hz", "channels", "peak"]
    )
    nothing = dict.fromkeys([*facts, *PROBABILITIES])
    return {
        **scored(path),
        **nothing,
        "status": "rejected",
        "reason": "not_regular_file",
        "message": f"{path}: is a pipe",
    }


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    """Make a table of rows."""
    Table.create(folder).append(pa.Table.from_pylist(rows, schema=SCHEMA), {RUN_ID: "this"})
    return folder


# What is changed in a row of each kind, and the rule that it breaks.
FAULTS: list[tuple[Kind, dict[str, Any], str]] = [
    (scored, {"status": "done"}, "the status is one of scored, abstained, rejected"),
    (scored, {"digit": None}, "there is a digit exactly where the status is scored"),
    (abstained, {"digit": 7}, "there is a digit exactly where the status is scored"),
    (scored, {"digit": 6}, "the digit is the most probable one"),
    (scored, {"digit": 10}, "the digit is the most probable one"),
    (
        scored,
        {"reason": "empty", "message": "x"},
        "there is a reason, with a message, exactly where the status is rejected",
    ),
    (rejected, {"reason": None}, "there is a reason, with a message, exactly where the status is rejected"),
    (rejected, {"message": None}, "there is a reason, with a message, exactly where the status is rejected"),
    (rejected, {"reason": "bored"}, "the reason is a documented one"),
    (scored, {"p3": None}, "there are ten probabilities and a confidence unless the status is rejected"),
    (abstained, {"confidence": None}, "there are ten probabilities and a confidence unless the status is rejected"),
    (rejected, {"p3": 0.5}, "there are ten probabilities and a confidence unless the status is rejected"),
    (rejected, {"answered_by": "cnn"}, "a rejected file has no answer, and no token without an answer"),
    (scored, {"asr_token": " seven"}, "a rejected file has no answer, and no token without an answer"),
    (scored, {"p3": -0.01, "p4": 0.03}, "no probability is below 0"),
    (scored, {"p3": 0.02}, "the probabilities sum to 1, give or take 0.001"),
    (scored, {"confidence": 0.9}, "the confidence is the largest probability"),
    (scored, {"content_sha256": "abc"}, "the content's hash is a SHA-256, absent only where the status is rejected"),
    (scored, {"content_sha256": None}, "the content's hash is a SHA-256, absent only where the status is rejected"),
    (scored, {"model_version": "1.0"}, "the model's version is a SHA-256"),
    (scored, {"size_bytes": -1}, "the size is not negative"),
    (scored, {"duration_s": -1.0}, "the duration is not negative"),
    (scored, {"sample_rate_hz": 0}, "the sample rate is positive"),
    (scored, {"channels": 0}, "there is at least one channel"),
    (scored, {"peak": -0.5}, "the peak is not negative"),
]


def test_a_sound_table_passes(tmp_path: Path) -> None:
    """With rows of every status, and one content at two paths and by two models."""
    copied = {**scored("copy"), "content_sha256": scored("a")["content_sha256"]}
    by_another = {**scored("a"), "model_version": sha256(b"other").hexdigest()}
    rows = [scored("a"), copied, by_another, abstained("b"), rejected("c")]
    assert verify_table.verify(write(tmp_path / "table", *rows)) == len(rows)


@pytest.mark.parametrize("reason", ["not_a_file", "lying_sizes"])
def test_a_former_reason_passes(tmp_path: Path, reason: str) -> None:
    """Older rows keep their codes."""
    assert verify_table.verify(write(tmp_path / "table", {**rejected("a"), "reason": reason})) == 1


def test_a_table_without_rows_passes(tmp_path: Path) -> None:
    """There is nothing that could break a rule."""
    Table.create(tmp_path / "table")
    assert verify_table.verify(tmp_path / "table") == 0


def test_every_fault_is_reported_with_its_rule_and_file(tmp_path: Path) -> None:
    """All of them in one message; sound rows are not named."""
    faulty = [{**kind(f"faulty {number}"), **change} for number, (kind, change, _) in enumerate(FAULTS)]
    with pytest.raises(UnmetError) as caught:
        verify_table.verify(write(tmp_path / "table", *faulty, scored("sound"), abstained("quiet"), rejected("bad")))
    head, *lines = str(caught.value).splitlines()
    broken = {
        rule.strip(): names.partition(": ")[2].split(", ") for rule, _, names in (line.partition(";") for line in lines)
    }
    expected: dict[str, list[str]] = {}
    for number, (_, _, rule) in enumerate(FAULTS):
        expected.setdefault(rule, []).append(f"faulty {number}")
    assert not {"sound", "quiet", "bad"} & {name for names in broken.values() for name in names}
    for rule, names in expected.items():
        assert set(names) <= set(broken[rule]), rule
    assert head == f"table: {len(broken)} of {len(verify_table.RULES)} expectations are not met"
    assert set(broken) == {rule.description for rule in verify_table.RULES} - {verify_table.RULES[0].description}


def test_a_row_that_is_there_twice_is_reported(tmp_path: Path) -> None:
    """Also one without content."""
    rows = [scored("a"), scored("a"), rejected("b"), rejected("b"), scored("c")]
    with pytest.raises(UnmetError, match=r"no file has two rows of one content by one model; not so for 2: a, b$"):
        verify_table.verify(write(tmp_path / "table", *rows))


def test_what_is_no_table_is_reported(tmp_path: Path) -> None:
    """It is the table's own error."""
    with pytest.raises(TableError, match="there is no table in"):
        verify_table.verify(tmp_path)
