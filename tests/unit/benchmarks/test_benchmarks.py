"""What benchmarks make of their measurements: medians, ratios, reports and the table of a page."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import soundfile
from rich.console import Console

from benchmarks import commands, figures, growth, material, page, report, score
from benchmarks.commands import BenchmarkError
from benchmarks.figures import Measure, Round
from benchmarks.lines import LINES
from benchmarks.material import Setting

ROOT = Path(__file__).parents[3]
QUIET = Console(quiet=True)
MACHINE = {"cpu": "abacus", "cores": 2, "memory_gb": 4.0, "python": "3.11.7", "libraries": {"numpy": "2.4"}}


def test_each_round_begins_with_another_measure() -> None:
    """So that none is always the first; every round has them all."""
    taken: list[str] = []

    def measure(name: str) -> Measure:
        def take() -> Round:
            taken.append(name)
            return {name: float(len(taken))}

        return take

    rounds = figures.interleaved([measure("a"), measure("b"), measure("c")], 3, "", QUIET)
    assert "".join(taken) == "abcbcacab"
    assert rounds == [{"a": 1, "b": 2, "c": 3}, {"b": 4, "c": 5, "a": 6}, {"c": 7, "a": 8, "b": 9}]


def test_ratios_are_taken_within_a_round() -> None:
    """The median of ratios, where the ratio of medians would be 1."""
    rounds = [{"ours": 1.0, "theirs": 1.0}, {"ours": 2.0, "theirs": 4.0}, {"ours": 4.0, "theirs": 2.0}]
    rounds += [{"ours": 8.0, "theirs": 1.0}, {"ours": 1.0, "theirs": 0.25}]
    told = figures.told([figures.with_ratios(found, {"ratio": ("ours", "theirs")}) for found in rounds])
    assert told["ratio"] == 2
    assert told["spread"]["ratio"] == [0.5, 8]
    assert (told["ours"], told["theirs"], told["repetitions"]) == (2, 1, 5)


def test_dots_in_names_nest_figures_but_not_their_spread() -> None:
    """A spread is found by the whole name."""
    told = figures.told([{"files_10.seconds": 0.123456}])
    assert told == {"files_10": {"seconds": 0.1235}, "spread": {"files_10.seconds": [0.1235, 0.1235]}, "repetitions": 1}


def test_files_per_second_are_those_without_start_up() -> None:
    """Of all files but one, in the time that they take more than one does."""
    assert score.rate(101, seconds=3.0, seconds_of_one=1.0) == 50
    assert score.rate(2, seconds=1.0, seconds_of_one=1.5) > 0


def test_sizes_are_compared_with_the_next_smaller_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Time per file without start-up, and memory."""
    seconds = {1: 1.0, 1_000: 2.0, 10_000: 11.0, 100_000: 201.0}
    monkeypatch.setattr(score, "seconds", lambda *_: seconds[1])
    monkeypatch.setattr(growth, "_grown", lambda _, files: _grown(files, seconds[files]))
    told = growth.measure(Setting(tmp_path, tmp_path, [], 1, is_quick=False, console=QUIET))
    assert told["files_100000"]["beside_10000"] == pytest.approx({"time_per_file": 2, "more_memory_mb": 90}, rel=1e-3)
    assert told["files_10000"]["files_per_s"] == pytest.approx(1000, rel=1e-3)


def _grown(files: int, seconds: float) -> Round:
    place = f"files_{files}"
    return {f"{place}.seconds": seconds, f"{place}.largest_process_mb": 100 + files / 1000}


@pytest.mark.parametrize("former", ["", "old\nfigures\n"])
def test_the_table_takes_the_place_of_what_is_between_the_markers(former: str, tmp_path: Path) -> None:
    """What is written by hand stays, to the byte, however often it is done."""
    path = tmp_path / "page.md"
    before, after = "# Speed\n\nBy hand: | a | b |\n", "\n\nMore by hand.\n"
    path.write_text(f"{before}{page.START}{former}{page.END}{after}", encoding="utf-8")
    for rate in (1000.0, 2000.0):
        page.write(path, {"machine": MACHINE, "score": scored(rate)})
        text = path.read_text(encoding="utf-8")
        assert text.startswith(before + page.START)
        assert text.endswith(page.END + after)
        assert f"{rate:,g} (900 to 2,100)" in text
    assert "old\nfigures" not in text
    assert "1,000" not in text


@pytest.mark.parametrize("text", ["", page.START, page.END + page.START, 2 * (page.START + page.END)])
def test_a_page_without_its_two_markers_is_left_alone(text: str, tmp_path: Path) -> None:
    """And the mistake is told."""
    path = tmp_path / "page.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BenchmarkError, match="once each"):
        page.write(path, {})
    assert path.read_text(encoding="utf-8") == text


def test_a_page_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With what to do about it."""
    with pytest.raises(
        BenchmarkError, match=r"gone\.md cannot be read \(No such file or directory\): --page names another"
    ):
        page.around(tmp_path / "gone.md")


def test_the_table_has_a_line_for_what_was_measured_alone() -> None:
    """With its spread, the peer's figure, the ratio and the cores."""
    told = page.table({"machine": MACHINE, "score": scored(1000.0)}).splitlines()
    assert told[0] == "abacus, 2 cores, 4.0 GB, Python 3.11.7; numpy 2.4."
    assert told[4:] == [
        "| scoring a folder, files/s, beside the notebook style | 1,000 (900 to 2,100) | 100 | 10 | 2 |",
        "| scoring a folder, files/s, beside the DataLoader style | 1,000 (900 to 2,100) |  |  | 2 |",
        "| scoring a folder, files/s, beside batched torch | 1,000 (900 to 2,100) |  |  | 2 |",
        "| scoring a folder, files/s, beside one core | 1,000 (900 to 2,100) |  |  | 2 |",
    ]


def scored(rate: float) -> dict[str, Any]:
    """Return a section."""
    spread = {"files_per_s": [900.0, 2100.0]}
    return {"threads": 2, "files_per_s": rate, "notebook_files_per_s": 100, "ratio_to_notebook": 10, "spread": spread}


def test_the_page_has_the_table_of_the_committed_report() -> None:
    """Not a digit is copied by hand."""
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    shown = text.partition(page.START)[2].partition(page.END)[0]
    assert shown.rstrip("\n") == page.table(report.read(ROOT / "reports" / "benchmark.json"))


def test_sections_are_kept_on_the_same_machine_alone() -> None:
    """Figures of two machines do not stand in one report."""
    former = {"machine": MACHINE, "score": {"a": 1}, "mfcc": {"b": 2}}
    assert report.updated(former, MACHINE, {"mfcc": {"b": 3}}) == former | {"mfcc": {"b": 3}}
    other = MACHINE | {"cores": 4}
    assert report.updated(former, other, {"mfcc": {"b": 3}}) == {"machine": other, "mfcc": {"b": 3}}


def test_files_of_an_inbox_are_distinct_sounds(recordings: Path, tmp_path: Path) -> None:
    """However often the recordings go round; all of them can be read, and are as long as what they were made from."""
    found = sorted(recordings.glob("*.wav"))
    material.fill(tmp_path / "inbox", [*found, found[0]], 2_345)
    paths = sorted((tmp_path / "inbox").rglob("*.wav"))
    assert len(paths) == len({hashlib.sha256(path.read_bytes()).digest() for path in paths}) == 2_345
    assert {len(soundfile.read(path)[0]) for path in paths[::100]} == {800}
    assert sorted(path.name for path in (tmp_path / "inbox").iterdir()) == ["0000", "0001", "0002"]


def test_an_inbox_may_be_empty(recordings: Path, tmp_path: Path) -> None:
    """It is there nevertheless, and made once."""
    setting = Setting(tmp_path, tmp_path, [*recordings.glob("*.wav")], 1, is_quick=True, console=QUIET)
    assert setting.inbox(0).is_dir()
    assert setting.inbox(0) == setting.inbox(0)


def test_memory_of_children_counts(tmp_path: Path) -> None:
    """The largest process is told, and the sum of all."""
    child = "import time; held = bytearray(60_000_000); time.sleep(0.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True); print('done')"
    outcome = commands.run([sys.executable, "-c", parent], tmp_path, watch=True)
    assert outcome.output == "done\n"
    assert 60 < outcome.peaks.largest_mb < outcome.peaks.sum_mb < 200


def test_a_program_that_fails_is_told_with_what_it_said(tmp_path: Path) -> None:
    """Nothing is measured then."""
    with pytest.raises(BenchmarkError, match="status 3: alas"):
        commands.run([sys.executable, "-c", "import sys; sys.stderr.write('alas'); sys.exit(3)"], tmp_path)


def promised(section: str, found: Mapping[str, Any]) -> list[str]:
    """Return the names of the table's figures that a section lacks, the sizes of growth apart."""
    names = {name for line in LINES if line.section == section for name in (line.ours, line.beside, line.ratio)}
    return sorted(name for name in names - {"", "dvc_repro_s"} if "files_1" not in name and name not in found)


def quickly(folder: Path, toy: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> dict[str, Any]:
    """Return the report of a quick run on the toy corpus."""
    monkeypatch.setenv("AUDIOMNIST_SOURCE", str(toy / "raw"))
    command = [sys.executable, "-m", "benchmarks", "--quick", str(folder / "quick.json"), *options]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    written: dict[str, Any] = json.loads((folder / "quick.json").read_text(encoding="utf-8"))
    return written


def test_a_quick_run_writes_every_figure_of_a_section(
    tmp_path: Path, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the machine; the page and the report of real runs stay as they are."""
    pages = [ROOT / "docs" / "performance.md", ROOT / "reports" / "benchmark.json"]
    before = [path.read_bytes() if path.exists() else None for path in pages]
    written = quickly(tmp_path, toy, monkeypatch, "--only", "mfcc")
    assert written.keys() == {"machine", "mfcc"}
    assert promised("mfcc", written["mfcc"]) == []
    assert written["machine"]["cores"] >= 1
    assert before == [path.read_bytes() if path.exists() else None for path in pages]


@pytest.mark.long
def test_a_quick_run_of_everything_writes_every_figure(
    tmp_path: Path, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scoring with its three peers, training, transcription, growth to a million and overhead."""
    written = quickly(tmp_path, toy, monkeypatch, "--million")
    wanted = {"score", "mfcc", "training", "transcription", "growth", "overhead", "million"}
    assert written.keys() - {"score_rnn"} == {"machine", *wanted}
    assert [missing for section in wanted for missing in promised(section, written[section])] == []
    assert written["score"]["threads"] >= 1
    assert written["growth"]["files_40"]["nothing_new"]["seconds"] > 0
    assert len(page.table(written).splitlines()) > len(wanted)


def test_a_section_that_there_is_not_is_a_sentence(tmp_path: Path) -> None:
    """It names those that there are."""
    command = [sys.executable, "-m", "benchmarks", "--quick", str(tmp_path / "x.json"), "--only", "luck"]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("benchmarks: there is no section luck: there are score, ")
