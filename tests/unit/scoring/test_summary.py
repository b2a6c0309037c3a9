"""Summary of a run: counts add up, the slowest and least certain files are right, and no name disturbs a terminal."""

import io
import json
import random
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError
from rich.console import Console

from audiomnist.core.errors import AudiomnistError
from audiomnist.scoring.drift import Drift
from audiomnist.scoring.records import FileInfo, FileResult, Outcome
from audiomnist.scoring.summary import Counters, RunHeader, Summary, render
from audiomnist.serving.bundle.reference import Histogram, Reference

HALVES = Histogram(edges=(0.5,), shares=(0.5, 0.5))
REFERENCE = Reference(labels=(0.1,) * 10, confidence=HALVES, duration_s=HALVES)
STARTED = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
RUN = RunHeader(
    run_id="20260301T020000Z",
    started_at=STARTED,
    inbox="/srv/inbox",
    model="cnn",
    model_version="0123456789abcdef" * 4,
    dataset="Free Spoken Digit Dataset 1.0.10",
)
HOSTILE = "[bold red]a[/] :bomb: \n\x1b[2J\u202e.wav"
HOSTILE_SHOWN = "[bold red]a[/] :bomb: \\n\\x1b[2J\\u202e.wav"


def add_row(
    counters: Counters,
    path: str,
    status: str,
    digit: int | None = None,
    confidence: float | None = None,
    *,
    duration_s: float | None = 0.4,
    reason: str | None = None,
    message: str | None = None,
    seconds: float = 0.01,
) -> None:
    """Count a row."""
    outcome = Outcome(status, digit, confidence, reason=reason, message=message)
    counters.add_result(FileResult(FileInfo(path, 1000, 0, duration_s=duration_s), outcome, seconds))


def score(counters: Counters, path: str, digit: int | None = 3, confidence: float = 0.9, seconds: float = 0.01) -> None:
    """Count a file with a prediction."""
    status = "abstained" if digit is None else "scored"
    add_row(counters, path, status, digit, confidence, seconds=seconds)


def reject(counters: Counters, path: str, reason: str = "empty", message: str | None = None) -> None:
    """Count a file whose content is at fault."""
    message = message or f"{path}: holds no samples"
    add_row(counters, path, "rejected", duration_s=None, reason=reason, message=message)


def ended(counters: Counters, seconds: float = 4.0, *, interrupted: bool = False) -> Summary:
    """Return the summary of a run that took some seconds."""
    return counters.summary(RUN, STARTED + timedelta(seconds=seconds), seconds, interrupted=interrupted)


def full_run() -> Counters:
    """Return the counts of a run with every outcome: 2,214 files."""
    counters = Counters(REFERENCE)
    counters.add("found", 2214)
    for index in range(1990):
        add_row(counters, f"good/{index}.wav", "scored", index % 10, 0.75, duration_s=index % 2)
    for index in range(10):
        score(counters, f"cough/{index}.wav", None, confidence=0.25)
    for index in range(200):
        reject(counters, f"bad/{index}.wav", "truncated" if index < 150 else "empty")
    counters.add("unchanged", 12)
    counters.add_deferred("late.wav.part", "unfinished_name", "is still being written")
    counters.add_deferred("gone.wav", "vanished", "is no longer there")
    return counters


def printed(summary: Summary, *, colours: bool = False, width: int = 80) -> str:
    """Return what `render` prints."""
    out = io.StringIO()
    render(
        summary, Console(file=out, force_terminal=colours, color_system="standard" if colours else None, width=width)
    )
    return out.getvalue()


def lines(summary: Summary) -> list[str]:
    """Return the lines that `render` prints."""
    return printed(summary).splitlines()


def test_the_counts_of_a_run_add_up() -> None:
    """Every outcome, every label and every reason."""
    summary = ended(full_run())
    summary.check()
    assert summary.sums["found"] == {
        "scored": 1990,
        "abstained": 10,
        "rejected": 200,
        "unchanged": 12,
        "deferred": 2,
        "remaining": 0,
        "excluded": 0,
    }
    assert summary.by_label == {str(digit): 199 for digit in range(10)}
    assert summary.by_reason == {"truncated": 150, "empty": 50}
    assert summary.by_deferred_reason == {"unfinished_name": 1, "vanished": 1}
    assert summary.mean_confidence == pytest.approx((1990 * 0.75 + 10 * 0.25) / 2000)
    assert summary.files_per_s == 2200 / 4
    assert ended(full_run(), seconds=0.5).files_per_s == 4400


def test_the_drift_is_that_of_the_files_with_a_prediction() -> None:
    """Rejected files, even with a duration, are none of them; withheld labels count as no label."""
    counters = full_run()
    for index in range(500):
        add_row(counters, f"{index}.wav", "rejected", duration_s=99.0, reason="too_long", message="too long")
    found = ended(counters).drift
    assert found.labels == Drift(psi=0, level="stable")
    assert found.confidence.level == "major"
    assert found.duration_s.level == "stable"
    assert found.duration_s.psi == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda counters: counters.add("found"),
        lambda counters: counters.add("unchanged"),
        lambda counters: counters.add("remaining"),
        lambda counters: counters.add_deferred("x", "vanished", "is gone"),
        lambda counters: score(counters, "x.wav"),
        lambda counters: reject(counters, "x.wav"),
    ],
)
def test_a_file_that_is_not_both_found_and_ended_is_a_contradiction(spoil: object) -> None:
    """Whatever it was counted as, and whichever count lacks it."""
    counters = full_run()
    assert callable(spoil)
    spoil(counters)
    with pytest.raises(
        AudiomnistError, match=r"counts of run 20260301T020000Z do not add up: found 2,21[45] = 1,99"
    ) as caught:
        ended(counters).check()
    assert str(caught.value).endswith(
        "This is a bug in audiomnist: please report it, and check the table with audiomnist table verify"
    )


@pytest.mark.parametrize(
    ("status", "digit", "confidence", "reason", "output"),
    [
        ("scored", None, 0.9, None, "scored 1 = 0 as 0"),
        ("scored", 3, None, None, "scored 1 = 0 as 0"),
        ("abstained", 3, 0.9, None, "scored 0 = 0 as 0 + 0 as 1 + 0 as 2 + 1 as 3"),
        ("rejected", None, None, None, "rejected 1 = 0."),
        ("scored", 3, 0.9, "empty", "rejected 0 = 1 empty"),
    ],
)
def test_a_row_whose_columns_contradict_its_status_is_a_contradiction(
    status: str, digit: int | None, confidence: float | None, reason: str | None, output: str
) -> None:
    """A label exactly if scored, a reason exactly if rejected."""
    counters = Counters(REFERENCE)
    counters.add("found")
    add_row(counters, "x.wav", status, digit, confidence, reason=reason)
    with pytest.raises(AudiomnistError, match=re.escape(output)):
        ended(counters).check()


def test_the_ten_slowest_and_the_ten_least_certain_are_kept_in_order() -> None:
    """In any order of the files."""
    paths = {f"{index:03}.wav": index / 1000 for index in range(300)}
    kept = []
    for seed in range(3):
        counters = Counters(REFERENCE)
        for path in random.Random(seed).sample(sorted(paths), len(paths)):
            score(counters, path, confidence=paths[path], seconds=paths[path])
        summary = ended(counters)
        kept.append((summary.slowest, summary.least_certain))
    assert [(file.path, file.seconds) for file in kept[0][0]] == [(f"{i}.wav", i / 1000) for i in range(299, 289, -1)]
    assert [(file.path, file.confidence) for file in kept[0][1]] == [(f"{i:03}.wav", i / 1000) for i in range(10)]
    assert kept[0] == kept[1] == kept[2]


def test_which_of_equally_certain_files_are_kept_does_not_depend_on_their_order() -> None:
    """A run with more workers names the same files."""
    summaries = []
    for order in (range(50), reversed(range(50))):
        counters = Counters(REFERENCE)
        for index in order:
            score(counters, f"{index:02}.wav", None if index % 2 else 5, confidence=0.5, seconds=1)
        summaries.append(ended(counters))
    assert summaries[0].least_certain == summaries[1].least_certain
    assert summaries[0].slowest == summaries[1].slowest


def test_a_withheld_label_is_among_the_least_certain_without_a_digit() -> None:
    """Nought is a digit, and none is not nought."""
    counters = Counters(REFERENCE)
    score(counters, "zero.wav", 0, confidence=0.4)
    score(counters, "cough.wav", None, confidence=0.2)
    assert [(file.path, file.digit) for file in ended(counters).least_certain] == [("cough.wav", None), ("zero.wav", 0)]


def test_rejected_files_have_a_duration_of_work_too() -> None:
    """A decoder that ran into its time limit is what an operator looks for."""
    counters = full_run()
    add_row(counters, "hang.flac", "rejected", reason="undecodable", message="gave up", seconds=10.0)
    assert ended(counters).slowest[0].path == "hang.flac"


def test_memory_is_bounded_by_naming_the_first_hundred_only() -> None:
    """All are counted."""
    counters = Counters(REFERENCE)
    for index in range(250):
        reject(counters, f"{index}.wav")
        counters.add_deferred(f"{index}.part", "unfinished_name", "is still being written")
    summary = ended(counters)
    assert summary.rejected == summary.deferred == 250
    assert [file.path for file in summary.rejected_files] == [f"{index}.wav" for index in range(100)]
    assert [file.path for file in summary.deferred_files] == [f"{index}.part" for index in range(100)]
    assert len(summary.slowest) == 10


@pytest.mark.parametrize("counters", [full_run(), Counters(REFERENCE)], ids=["full", "nothing"])
def test_a_summary_comes_back_from_json_as_it_was(counters: Counters) -> None:
    """One line of JSON that any reader takes, without NaN."""
    summary = ended(counters, interrupted=True)
    text = summary.to_json()
    assert Summary.model_validate_json(text) == summary
    assert "\n" not in text
    assert '": ' not in text  # no spaces but those of sentences
    assert json.loads(text, parse_constant=pytest.fail)["schema_version"] == 4


def test_hostile_names_come_back_from_json_as_they_were() -> None:
    """Only the terminal needs escapes."""
    counters = Counters(REFERENCE)
    reject(counters, HOSTILE)
    assert Summary.model_validate_json(ended(counters).to_json()).rejected_files[0].path == HOSTILE


@pytest.mark.parametrize("altered", [{"schema_version": 3}, {"found": -1}, {"unknown": 1}, {"seconds": "NaN"}])
def test_what_is_no_summary_of_this_version_is_refused(altered: dict[str, object]) -> None:
    """Rather than read by halves."""
    record = json.loads(ended(full_run()).to_json()) | altered
    with pytest.raises(ValidationError):
        Summary.model_validate_json(json.dumps(record))


def test_times_are_in_utc_whatever_zone_they_came_in() -> None:
    """And a time without a zone is refused."""
    local = STARTED.astimezone(timezone(timedelta(hours=-5)))
    run = RUN.model_copy(update={"started_at": local})
    record = json.loads(Counters(REFERENCE).summary(run, local, 1, interrupted=False).to_json())
    assert record["started_at"] == record["ended_at"] == "2026-03-01T02:00:00Z"
    with pytest.raises(ValidationError, match="timezone"):
        RunHeader(**(RUN.model_dump() | {"started_at": STARTED.replace(tzinfo=None)}))


def test_an_empty_run_has_no_mean_and_no_drift() -> None:
    """Three lines describe the run, one has the counts."""
    summary = ended(Counters(REFERENCE), seconds=0)
    summary.check()
    assert summary.mean_confidence is None
    assert summary.drift.labels == Drift(psi=None, level="too_few")
    assert summary.files_per_s == 0
    assert lines(summary) == [
        "run 20260301T020000Z: 0.0 s, 0.0 files/s",
        "inbox /srv/inbox",
        "model cnn, version 0123456789ab, trained on Free Spoken Digit Dataset 1.0.10",
        "found 0 = 0 scored + 0 abstained + 0 rejected + 0 unchanged + 0 deferred + 0 remaining + 0 excluded",
    ]


def test_sections_have_a_line_between_them() -> None:
    """And none is there for nothing."""
    counters = Counters(REFERENCE)
    counters.add("found", 2)
    score(counters, "a.wav", 7, seconds=0.25)
    counters.add_deferred("b.wav", "vanished", "is gone")
    assert lines(ended(counters, interrupted=True))[1:] == [
        "interrupted: finished rows are in the table, the next run continues",
        "inbox /srv/inbox",
        "model cnn, version 0123456789ab, trained on Free Spoken Digit Dataset 1.0.10",
        "found 2 = 1 scored + 0 abstained + 0 rejected + 0 unchanged + 1 deferred + 0 remaining + 0 excluded",
        "deferred 1 = 1 vanished",
        "",
        "label     0     1     2     3     4     5     6       7     8     9",
        "files     0     0     0     0     0     0     0       1     0     0",
        "share  0.0%  0.0%  0.0%  0.0%  0.0%  0.0%  0.0%  100.0%  0.0%  0.0%",
        "",
        "mean confidence 90.0%; drift from training (population stability index)",
        "  labels       0.165  fewer than 200 files: not rated",
        "  confidence   0.275  fewer than 200 files: not rated",
        "  duration     0.275  fewer than 200 files: not rated",
        "",
        "slowest",
        "      0.250 s  a.wav",
        "",
        "least certain",
        "   90.00%         7  a.wav",
        "",
        "deferred to the next run",
        "  vanished              b.wav: is gone",
    ]


def test_headings_are_bold_on_a_terminal() -> None:
    """And an interruption is yellow."""
    output = printed(ended(full_run(), interrupted=True), colours=True, width=200).splitlines()
    bold = [line.removeprefix("\x1b[1m").removesuffix("\x1b[0m") for line in output if line.startswith("\x1b[1m")]
    assert [line.split(" ")[0] for line in bold] == [
        *("run", "found", "label", "mean", "slowest", "least", "rejected", "deferred"),
    ]
    assert [line[:16] for line in output if line.startswith("\x1b[33m")] == ["\x1b[33minterrupted"]


def test_where_more_than_ten_files_are_deferred_it_says_where_the_others_are() -> None:
    """In the summary, up to a hundred."""
    counters = Counters(REFERENCE)
    for index in range(12):
        counters.add_deferred(f"{index}.wav", "vanished", "is gone")
    assert lines(ended(counters))[-1] == "  and 2 more: the summary in JSON names the first 100"


def test_the_counts_are_in_one_line_and_the_reasons_in_one_each() -> None:
    """Each with its sum, the most frequent reason first."""
    output = lines(ended(full_run()))
    outcomes = "1,990 scored + 10 abstained + 200 rejected + 12 unchanged + 2 deferred + 0 remaining + 0 excluded"
    assert f"found 2,214 = {outcomes}" in output
    assert "rejected 200 = 150 truncated + 50 empty" in output
    assert "deferred 2 = 1 unfinished_name + 1 vanished" in output


def test_the_labels_are_in_columns() -> None:
    """Digits, files and shares are aligned to the right."""
    counters = Counters(REFERENCE)
    for index in range(1250):
        score(counters, f"{index}.wav", 7 if index < 1200 else 0)
    output = lines(ended(counters))
    start = output.index(next(line for line in output if line.startswith("label")))
    assert output[start : start + 3] == [
        "label     0     1     2     3     4     5     6      7     8     9",
        "files    50     0     0     0     0     0     0  1,200     0     0",
        "share  4.0%  0.0%  0.0%  0.0%  0.0%  0.0%  0.0%  96.0%  0.0%  0.0%",
    ]


def test_the_first_ten_rejected_files_are_named_and_the_way_to_the_others() -> None:
    """Each with its reason and its sentence, and its path once."""
    output = lines(ended(full_run()))
    start = output.index("rejected")
    assert output[start + 1] == "  truncated             bad/0.wav: holds no samples"
    assert output[start + 10] == "  truncated             bad/9.wav: holds no samples"
    assert output[start + 11] == "  and 190 more: audiomnist table show TABLE --status rejected"


def test_deferred_files_are_named_with_what_keeps_them() -> None:
    """A sentence without the path gets it."""
    output = lines(ended(full_run()))
    start = output.index("deferred to the next run")
    assert output[start + 1 :] == [
        "  unfinished_name       late.wav.part: is still being written",
        "  vanished              gone.wav: is no longer there",
    ]


def test_an_uncertain_file_is_printed_with_its_label_or_that_it_was_withheld() -> None:
    """The lowest confidence first."""
    counters = Counters(REFERENCE)
    score(counters, "seven.wav", 7, confidence=0.3333)
    score(counters, "cough.wav", None, confidence=0.1)
    output = lines(ended(counters))
    start = output.index("least certain")
    assert output[start + 1 : start + 3] == ["   10.00%  withheld  cough.wav", "   33.33%         7  seven.wav"]


def test_an_interrupted_run_is_marked() -> None:
    """And what that means for the rest."""
    output = "interrupted: finished rows are in the table, the next run continues"
    assert output in lines(ended(full_run(), interrupted=True))
    assert output not in lines(ended(full_run()))


def test_no_name_disturbs_the_terminal() -> None:
    """Markup stays text, and what a terminal would obey is an escape, wherever a name is printed."""
    counters = Counters(REFERENCE)
    score(counters, HOSTILE, confidence=0.2)
    reject(counters, HOSTILE)
    counters.add_deferred(HOSTILE, "vanished", "is gone")
    run = RUN.model_copy(update={"inbox": HOSTILE})
    summary = counters.summary(run, STARTED, 1, interrupted=False)
    output = printed(summary, colours=True)
    plain = printed(summary)
    assert plain.count(HOSTILE_SHOWN) == output.count(HOSTILE_SHOWN) == 6  # slowest twice: it is scored and rejected
    assert "\x1b[2J" not in output
    assert "\u202e" not in output
    assert plain.isascii()
    assert all(line.isprintable() for line in plain.splitlines())


def test_a_long_name_is_neither_cut_nor_broken() -> None:
    """So that it can be copied from a log."""
    counters = Counters(REFERENCE)
    reject(counters, "x" * 255)
    assert f"{'x' * 255}: holds no samples\n" in printed(ended(counters), width=40)


def test_a_level_has_its_colour_on_a_terminal_and_none_in_a_log() -> None:
    """Red is for a major change."""
    summary = ended(full_run())
    assert summary.drift.confidence.level == "major"
    assert "\x1b[1;31m  confidence" in printed(summary, colours=True)
    assert "\x1b[32m  labels" in printed(summary, colours=True)
    assert "\x1b" not in printed(summary)
