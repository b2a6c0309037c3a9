"""The chart and the table of accuracy and cost."""

import json
from pathlib import Path

import pytest

from benchmarks import cost
from benchmarks.rounds import BenchmarkError

ROOT = Path(__file__).parents[3]
COST = {name: {"cpu_ms": milliseconds} for name, milliseconds in (("cnn", 0.1), ("rnn", 0.2), ("lstm", 40.0))}
COST["whisper"] = {"cpu_ms": 5.0}
UNSEEN = {name: {"mean": 0.9, "worst": 0.8} for name in COST}
THRESHOLDS = "threshold,accuracy,worst,asked\nlearnt,0.98,0.95,0.3\nalways,0.99,0.96,1.0\n"


@pytest.fixture
def reports(tmp_path: Path) -> tuple[Path, Path]:
    """Return the protocol's report and the table of its cascade."""
    unseen, thresholds = tmp_path / "unseen.json", tmp_path / "unseen.csv"
    unseen.write_text(json.dumps(UNSEEN), encoding="utf-8")
    thresholds.write_text(THRESHOLDS, encoding="utf-8")
    return unseen, thresholds


def test_a_cascade_costs_its_first_model_and_a_share_of_its_second(reports: tuple[Path, Path]) -> None:
    """0.1 ms and 30% of 5 ms are 1.6 ms: 625 files per second."""
    rows = cost.points(COST, *reports)
    assert rows["files_per_s"].round().tolist() == [10_000, 5_000, 25, 200, 625, 196]
    assert cost.table(rows).rows[4] == ("cascade, t learnt", "98.0%", "95.0%", "30%", "625")
    assert cost.table(rows).rows[3][3] == "-"


def test_the_chart_is_a_png(reports: tuple[Path, Path], tmp_path: Path) -> None:
    """Equal numbers give equal bytes."""
    rows = cost.points(COST, *reports)
    for name in ("one.png", "again.png"):
        cost.plot(rows, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")


def test_without_protocols_there_is_no_chart(tmp_path: Path) -> None:
    """The error says what to run."""
    with pytest.raises(BenchmarkError, match="make protocols"):
        cost.points(COST, tmp_path / "unseen.json", tmp_path / "unseen.csv")


def test_the_table_on_the_page_is_that_of_the_committed_measurement() -> None:
    """And of the committed protocols."""
    measured = json.loads((ROOT / cost.REPORT).read_text(encoding="utf-8"))
    rows = cost.points(measured, ROOT / cost.UNSEEN, ROOT / cost.THRESHOLDS)
    start, end = cost.MARKERS
    shown = (ROOT / cost.PAGE).read_text(encoding="utf-8").partition(start)[2].partition(end)[0]
    assert shown.rstrip("\n") == cost.table(rows).markdown()
