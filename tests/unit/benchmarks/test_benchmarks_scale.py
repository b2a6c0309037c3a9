"""The simulation of a run on a cluster, and the page that shows it."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import scale
from benchmarks.scale import Costs

ROOT = Path(__file__).parents[3]
COSTS = Costs(list_s=10e-6, collect_s=20e-6, commit_s=0.04096, ray_s=10e-6, score_s=400e-6)


def test_a_worker_that_is_kept_busy_sets_the_rate() -> None:
    """One of 400 us a file: 2,500 files per second, and the driver, of 50 us a file, works an eighth of the time."""
    run = scale.simulated(COSTS, workers=1, files=1_000_000)
    assert run.files_per_s == pytest.approx(2_500, rel=0.01)
    assert run.driver_busy == pytest.approx(0.125, rel=0.01)


def test_the_driver_sets_the_rate_of_many_workers() -> None:
    """50 us a file: 20,000 files per second, however many workers wait for it."""
    for workers in (16, 64):
        run = scale.simulated(COSTS, workers, files=5_000_000)
        assert run.files_per_s == pytest.approx(20_000, rel=0.02)
        assert run.driver_busy > 0.98


@pytest.mark.parametrize(
    "without",
    [
        replace(COSTS, list_s=0.0),
        replace(COSTS, collect_s=0.0),
        replace(COSTS, ray_s=0.0),
        replace(COSTS, commit_s=0.0),
    ],
)
def test_a_driver_without_one_of_its_costs_feeds_more_workers(without: Costs) -> None:
    """Each of them counts."""
    cheaper = scale.simulated(without, workers=64, files=2_000_000)
    assert cheaper.files_per_s > 1.2 * scale.simulated(COSTS, workers=64, files=2_000_000).files_per_s


def test_larger_batches_cost_fewer_commits() -> None:
    """Of 16 times the rows: the driver's 10 us a file for commits become less than one."""
    assert COSTS.driver_s == pytest.approx(50e-6)
    assert replace(COSTS, batch_rows=65_536).driver_s == pytest.approx(40.6e-6, rel=0.01)


def test_the_table_on_the_page_is_that_of_the_committed_costs() -> None:
    """Not a digit is copied by hand."""
    start, end = scale.MARKERS
    shown = (ROOT / scale.PAGE).read_text(encoding="utf-8").partition(start)[2].partition(end)[0]
    assert shown.rstrip("\n") == scale.table(*scale.read(ROOT / scale.REPORT, ROOT / scale.COST)).markdown()
