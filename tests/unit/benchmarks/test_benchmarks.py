"""Medians, ratios, inboxes, reports and the table of the page, and quick runs of all sections."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import small_bundles
import soundfile

from benchmarks import report, rounds, score
from benchmarks.report import LINES
from benchmarks.rounds import BenchmarkError, Measure, Round, Setting

ROOT = Path(__file__).parents[3]
MACHINE = {"cpu": "abacus", "cores": 2, "memory_gb": 4.0, "python": "3.11.7", "libraries": {"numpy": "2.4"}}


def test_each_round_begins_with_another_measure() -> None:
    """So that none is always the first; every round has them all."""
    taken: list[str] = []

    def measure(name: str) -> Measure:
        def take() -> Round:
            taken.append(name)
            return {name: float(len(taken))}

        return take

    values = rounds.interleaved([measure("a"), measure("b"), measure("c")], 3, "")
    assert "".join(taken) == "abcbcacab"
    assert values == [{"a": 1, "b": 2, "c": 3}, {"b": 4, "c": 5, "a": 6}, {"c": 7, "a": 8, "b": 9}]


def test_ratios_are_taken_within_a_round() -> None:
    """The median of ratios, where the ratio of medians would be 1."""
    pairs = [(1.0, 1.0), (2.0, 4.0), (4.0, 2.0), (8.0, 1.0), (1.0, 0.25)]
    values = [rounds.with_ratios({"rate": ours, "peer_rate": theirs}, "rate", ["peer"]) for ours, theirs in pairs]
    summary = rounds.summary(values)
    assert summary["ratio_to_peer"] == 2
    assert summary["spread"]["ratio_to_peer"] == [0.5, 8]
    assert (summary["rate"], summary["peer_rate"], summary["repetitions"]) == (2, 1, 5)


def test_dots_in_names_nest_figures_but_not_their_spread() -> None:
    """A spread is found by the whole name."""
    summary = rounds.summary([{"files_10.seconds": 0.123456}])
    assert summary["files_10"] == {"seconds": 0.1235}
    assert summary["spread"] == {"files_10.seconds": [0.1235, 0.1235]}


def test_files_per_second_are_those_without_start_up() -> None:
    """Of all files but one, in the time that they take more than one does."""
    assert score.rate(101, seconds=3.0, seconds_of_one=1.0) == 50
    assert score.rate(2, seconds=1.0, seconds_of_one=1.5) > 0


def scored(rate: float) -> dict[str, Any]:
    """Return a section."""
    spread = {"files_per_s": [900.0, 2100.0]}
    return {"threads": 2, "files_per_s": rate, "notebook_files_per_s": 100, "ratio_to_notebook": 10, "spread": spread}


@pytest.mark.parametrize("former", ["", "old\nfigures\n"])
def test_the_table_replaces_what_is_between_the_markers(former: str, tmp_path: Path) -> None:
    """The rest of the page stays, to the byte, however often it is done."""
    path = tmp_path / "page.md"
    before, after = "# Speed\n\nBy hand: | a | b |\n", "\n\nMore by hand.\n"
    path.write_text(f"{before}{report.START}{former}{report.END}{after}", encoding="utf-8")
    for rate in (1000.0, 2000.0):
        report.show(path, {"machine": MACHINE, "score": scored(rate)})
        text = path.read_text(encoding="utf-8")
        assert text.startswith(before + report.START)
        assert text.endswith(report.END + after)
        assert f"{rate:,g} (900 to 2,100)" in text
    assert "old\nfigures" not in text
    assert "1,000" not in text


@pytest.mark.parametrize("text", ["", report.START, report.END + report.START, 2 * (report.START + report.END)])
def test_a_page_without_its_two_markers_is_not_changed(text: str, tmp_path: Path) -> None:
    """The error names them."""
    path = tmp_path / "page.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BenchmarkError, match="once each"):
        report.show(path, {"machine": MACHINE})
    assert path.read_text(encoding="utf-8") == text


def test_the_table_has_a_line_for_each_figure_of_the_report() -> None:
    """With its spread, the peer's figure, the ratio and the cores."""
    lines = report.table({"machine": MACHINE, "score": scored(1000.0)}).splitlines()
    assert lines[0] == "abacus, 2 cores, 4.0 GB, Python 3.11.7; numpy 2.4."
    assert lines[4:] == [
        "| scoring a folder, files/s, beside the notebook style | 1,000 (900 to 2,100) | 100 | 10 | 2 |",
        "| scoring a folder, files/s, beside the DataLoader style | 1,000 (900 to 2,100) |  |  | 2 |",
        "| scoring a folder, files/s, beside batched torch | 1,000 (900 to 2,100) |  |  | 2 |",
        "| scoring a folder, files/s, beside one core | 1,000 (900 to 2,100) |  |  | 2 |",
    ]


def test_the_page_has_the_table_of_the_committed_report() -> None:
    """No figure is copied by hand, and the table has each figure that a line names."""
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    committed = report.read(ROOT / "reports" / "benchmark.json")
    shown = text.partition(report.START)[2].partition(report.END)[0]
    assert shown.rstrip("\n") == report.table(committed)
    assert len(shown.splitlines()) == len(LINES) + 4
    assert not [missing for section in {line.section for line in LINES} for missing in lacking(section, committed)]


def lacking(section: str, written: Mapping[str, Any]) -> list[str]:
    """Return the figures of the table that a section lacks, apart from those by number of files."""
    names = {name for line in LINES if line.section == section for name in (line.ours, line.beside, line.ratio)}
    return sorted(name for name in names - {""} if "files_1" not in name and name not in written[section])


def test_sections_are_kept_on_the_same_machine_only() -> None:
    """A report has the figures of one machine."""
    former = {"machine": MACHINE, "score": {"a": 1}, "mfcc": {"b": 2}}
    assert report.updated(former, MACHINE, {"mfcc": {"b": 3}}) == former | {"mfcc": {"b": 3}}
    other = MACHINE | {"cores": 4}
    assert report.updated(former, other, {"mfcc": {"b": 3}}) == {"machine": other, "mfcc": {"b": 3}}


def test_files_of_an_inbox_are_distinct_and_can_be_read(recordings: Path, tmp_path: Path) -> None:
    """However often the recordings are copied; their length stays."""
    inbox = Setting(tmp_path, tmp_path, sorted(recordings.glob("*.wav")), 1, is_quick=True).inbox(2_345)
    paths = sorted(inbox.rglob("*.wav"))
    assert len(paths) == len({hashlib.sha256(path.read_bytes()).digest() for path in paths}) == 2_345
    assert {len(soundfile.read(path)[0]) for path in paths[::100]} == {800}
    assert sorted(path.name for path in inbox.iterdir()) == ["0000", "0001", "0002"]


def test_memory_of_children_counts() -> None:
    """The largest process, and the sum of all."""
    child = "import time; held = bytearray(60_000_000); time.sleep(0.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    values = score.run([sys.executable, "-c", parent], watch=True)
    assert 60 < values["largest_process_mb"] < values["all_processes_mb"] < 200


def test_a_program_that_fails_is_an_error_with_its_message() -> None:
    """Nothing is measured then."""
    with pytest.raises(BenchmarkError, match="status 3: alas"):
        score.run([sys.executable, "-c", "import sys; sys.stderr.write('alas'); sys.exit(3)"])


def quickly(folder: Path, toy: Path, monkeypatch: pytest.MonkeyPatch, *sections: str) -> dict[str, Any]:
    """Return the report of a quick run on the toy corpus with a small network."""
    monkeypatch.setenv("AUDIOMNIST_SOURCE", str(toy / "raw"))
    bundle, out = small_bundles.write("cnn", folder / "cnn"), folder / "quick.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", str(out), "--model", str(bundle)]
    only = [option for section in sections for option in ("--only", section)]
    subprocess.run([*command, *only], cwd=ROOT, check=True, capture_output=True)
    written: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return written


@pytest.mark.long
def test_a_quick_run_of_everything_writes_every_figure(
    tmp_path: Path, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every name of the committed report is measured, apart from those by number of files; the report stays."""
    results = [ROOT / "docs" / "performance.md", ROOT / "reports" / "benchmark.json"]
    before = [path.read_bytes() for path in results]
    written = quickly(tmp_path, toy, monkeypatch, "score", "mfcc", "transcription", "growth", "million")
    committed = report.read(ROOT / "reports" / "benchmark.json")
    assert written.keys() == committed.keys()
    assert written["score"].keys() == committed["score"].keys()
    assert [missing for section in {line.section for line in LINES} for missing in lacking(section, written)] == []
    assert 0 < written["mfcc"]["rounding_db"] < 2
    assert before == [path.read_bytes() for path in results]
    assert written["growth"]["files_40"].keys() == committed["growth"]["files_100000"].keys()
    assert written["million"]["files_60"]["nothing_new"]["seconds"] > 0


@pytest.mark.long
def test_an_unknown_section_is_an_error(tmp_path: Path) -> None:
    """It names those that there are."""
    command = [sys.executable, "-m", "benchmarks", "--quick", str(tmp_path / "x.json"), "--only", "luck"]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("benchmarks: there is no section luck: there are score, ")
