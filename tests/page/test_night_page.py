"""The page of `audiomnist table report`: what is on it, its errors, and in Chromium."""

import json
import re
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path

import nights
import numpy as np
import pyarrow as pa
import pytest
from browsing import NEEDS_CHROMIUM, PHONE, WIDE, Opened, Scheme, opened, played
from nights import SimulatedFile
from playwright.sync_api import Browser
from runs import Ended, audiomnist
from scipy.stats import binom
from shared_folders import shared

from audiomnist.night import measured, page, record
from audiomnist.review.judgements import Judgements, reviews_of
from audiomnist.scoring.table.history import RUN_ID
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table

HOSTILE = "</script><img src=x onerror=window.hostile=1>.wav"
GONE, CHANGED = "last/gone.wav", "last/changed.wav"
UNSURE = [
    SimulatedFile(HOSTILE, 3, 4, 0.2),
    SimulatedFile(GONE, 3, 3, 0.21),
    SimulatedFile(CHANGED, 3, 3, 0.22),
    SimulatedFile("last/withheld.wav", 5, 5, 0.23, is_withheld=True),
]
REJECTED = [SimulatedFile(f"last/{number}.wav", None, rejected="silent") for number in range(5)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with table, inbox, judgements by two people, and the page of the last night, to be read only."""

    def make(folder: Path) -> None:
        draw = np.random.default_rng(0)
        table, inbox = folder / "table", folder / "inbox"
        for night in range(3):
            nights.add(table, night, nights.files(draw, f"n{night}", 250))
        last = [*nights.files(draw, "last", 60), *UNSURE]
        nights.add(table, 3, [*last, *REJECTED], inbox)
        nights.judge_sample(table, "night-03", last, 40)
        first = Judgements.open(reviews_of(table)).all()[0]
        other = replace(first, judgement_id="other", judged_by="<b>bob</b>", label="no_digit", sample=None)
        nights.judge(table, [replace(other, stratum=None, stratum_rows=None)])
        (inbox / GONE).unlink()
        (inbox / CHANGED).write_bytes(b"other")
        ended = report(folder, folder / "page.html", "--reviews", "--inbox", inbox)
        assert (ended.status, ended.err) == (0, "")

    return shared(tmp_path_factory, "night", make)


def report(folder: Path, to: Path, *arguments: object) -> Ended:
    """Write a page."""
    return audiomnist("table", "report", folder / "table", "--to", to, *arguments)


@pytest.fixture(scope="module")
def html(folder: Path) -> str:
    """The page."""
    return (folder / "page.html").read_text(encoding="utf-8")


def words(html: str, section: str) -> str:
    """Return the text of a section, without tags and with single spaces."""
    part = html.partition(f'<section id="{section}"')[2].partition("</section>")[0]
    part = re.sub(r"<script.*?</script>", "", part, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", part)).split())


class TestContent:
    """What is on the page."""

    def test_it_says_what_happened(self, html: str) -> None:
        """In the latest run that wrote rows: outcomes, model, time."""
        text = words(html, "happened")
        assert "69 files and folders were found" in text
        assert "scored 63 91.3% labelled" in text
        assert "abstained 1" in text
        assert "rejected 5" in text
        assert "2026-10-04 02:00:00" in text
        assert "CNN on MFCC" in text

    def test_rejections_have_their_meaning_and_three_examples(self, html: str) -> None:
        """Each names a file."""
        text = words(html, "rejections")
        assert "silent 5 the sound is silent last/0.wav: cannot be scored" in text
        assert text.count("cannot be scored") == 3

    def test_the_measured_accuracy_is_the_estimate_from_the_sample(self, folder: Path, html: str) -> None:
        """With its interval, the number of clips, and what was promised."""
        found = measured.section(record.read(folder / "table"), Judgements.open(folder / "table-reviews"))
        assert found.overall is not None
        text = words(html, "accuracy")
        assert f"{found.overall.accuracy:.1%} of the labels are right" in text
        assert f"from {found.overall.judged} judged clips; the model promised {found.promised:.1%}" in text

    def test_disagreements_have_both_answers(self, html: str) -> None:
        """The latest counts."""
        assert "<b>bob</b>: no digit" in words(html, "accuracy")
        assert "1 clip that people hear differently" in words(html, "accuracy")

    def test_wrong_clips_are_those_whose_label_is_not_what_was_heard(self, folder: Path, html: str) -> None:
        """The surest first."""
        found = measured.section(record.read(folder / "table"), Judgements.open(folder / "table-reviews"))
        assert len(found.wrong)
        assert f"{len(found.wrong)} of {found.judged} judged clips" in words(html, "accuracy")
        assert found.wrong["confidence"].is_monotonic_decreasing

    def test_drift_is_from_training_and_from_the_runs_before(self, html: str) -> None:
        """Of a night with few files it is not rated."""
        text = words(html, "drift")
        assert "labels" in text
        assert "fewer than 200 files: not rated" in text
        assert "Compared with the 3 runs before" in text

    def test_a_file_that_cannot_be_heard_says_why(self, html: str) -> None:
        """It is gone, or not the one that was scored."""
        text = words(html, "uncertain")
        assert "Its sound is no longer there. last/gone.wav" in text
        assert "Its sound has changed since it was scored. last/changed.wav" in text
        assert "label withheld" in text

    def test_no_text_of_the_data_is_markup_and_no_host_is_named(self, html: str) -> None:
        """Names of files and people are escaped."""
        assert HOSTILE not in html
        assert "<b>bob</b>" not in html
        rest = re.sub(r"<script.*?</script>|base64,[^\"]*", "", html, flags=re.DOTALL)
        assert re.findall(r"(?:https?:)?//\w[^\s\"']*", rest) == []

    def test_the_first_run_is_compared_with_none(self, folder: Path, tmp_path: Path) -> None:
        """Not with its own rows either."""
        assert report(folder, tmp_path / "page.html", "--run", "night-00").status == 0
        html = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert "No run before wrote rows." in html
        assert "runs before, same model" not in html

    def test_another_run_without_judgements_and_inbox(self, folder: Path, tmp_path: Path) -> None:
        """The page says how to get what it lacks; the same command gives the same bytes."""
        for name in ("one.html", "two.html"):
            assert report(folder, tmp_path / name, "--run", "night-01").status == 0
        html = (tmp_path / "one.html").read_text(encoding="utf-8")
        assert html == (tmp_path / "two.html").read_text(encoding="utf-8")
        assert "audiomnist review TABLE --inbox INBOX --by NAME --sample 300" in words(html, "accuracy")
        assert words(html, "uncertain").count("was made without --inbox") == 12
        assert "data:image/webp" not in html

    def test_sounds_beyond_the_budget_are_left_out(self, folder: Path, tmp_path: Path) -> None:
        """The least certain first have theirs."""
        page.write(folder / "table", None, None, folder / "inbox", tmp_path / "page.html", budget_bytes=30_000)
        html = (tmp_path / "page.html").read_text(encoding="utf-8")
        match = re.search(r'<script type="application/json" id="clips">(.*?)</script>', html)
        assert match is not None
        sounds = [sound for _, sound in json.loads(match[1]) if sound]
        assert 0 < sum(map(len, sounds)) <= 22_500
        assert "is left out, so that the page stays small" in words(html, "uncertain")

    def test_a_run_that_did_not_end_is_reported_from_its_rows(self, folder: Path, tmp_path: Path) -> None:
        """As after a SIGKILL."""
        shutil.copytree(folder / "table", tmp_path / "table")
        table = Table.open(tmp_path / "table")
        batch = next(table.scan(only={"run_id": ["night-00"]}))
        rows = [row | {"run_id": "killed", "path": f"new {row['path']}"} for row in batch.to_pylist()[:3]]
        table.append(pa.Table.from_pylist(rows, SCHEMA), {RUN_ID: "killed"})
        assert report(tmp_path, tmp_path / "page.html", "--run", "killed").status == 0
        text = words((tmp_path / "page.html").read_text(encoding="utf-8"), "happened")
        assert "The run did not end" in text
        assert "3 rows were written" in text


class TestErrors:
    """One sentence, and no page."""

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--run", "none"], "there is no run none in"),
            (["--inbox", "/nowhere"], "/nowhere is no folder that can be listed"),
            (["--reviews", "/nowhere"], "there are no judgements in /nowhere"),
        ],
    )
    def test_what_is_not_there(self, folder: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
        """A run, an inbox, judgements."""
        ended = report(folder, tmp_path / "page.html", *arguments)
        assert ended.status == 1
        assert message in ended.err
        assert ended.err.count("\n") == 1
        assert [*tmp_path.iterdir()] == []

    def test_a_table_without_runs(self, tmp_path: Path) -> None:
        """The error says what makes one."""
        Table.create(tmp_path / "table")
        ended = report(tmp_path, tmp_path / "page.html")
        assert ended.status == 1
        assert "has no rows: `audiomnist score INBOX --into" in ended.err

    def test_a_page_in_the_table_or_in_the_inbox(self, folder: Path) -> None:
        """It would be scored, or be in the way."""
        for place in ("table", "inbox"):
            ended = report(folder, folder / place / "page.html", "--inbox", folder / "inbox")
            assert (ended.status, ended.err.count("\n")) == (1, 1)
            assert f"lies in {folder / place}: name another file with --to" in ended.err

    def test_a_place_that_cannot_be_written(self, folder: Path, tmp_path: Path) -> None:
        """Below a file."""
        (tmp_path / "file").touch()
        ended = report(folder, tmp_path / "file" / "page.html")
        assert (ended.status, ended.err.count("\n")) == (1, 1)
        assert "cannot be written" in ended.err


@pytest.mark.long
def test_the_interval_holds_the_accuracy_of_nights_in_a_real_table(tmp_path: Path) -> None:
    """Rows by the scorer's table, clips by the sample of `audiomnist review`, judgements in their table."""
    draw, table, truths = np.random.default_rng(3), tmp_path / "table", {}
    for night in range(20):
        simulated = nights.files(draw, f"n{night}", 600, error=0.05)
        run_id = nights.add(table, night, simulated).run_id
        nights.judge_sample(table, run_id, simulated, 300)
        truths[run_id] = np.mean([file.label == file.truth for file in simulated])
    judgements, held = Judgements.open(reviews_of(table)), []
    for run_id, truth in truths.items():
        found = measured.section(record.read(table, run_id), judgements).overall
        assert found is not None
        assert found.judged == 300
        held.append(found.low <= truth <= found.high)
    assert sum(held) >= binom.ppf(0.001, 20, 0.95)


@pytest.fixture(scope="module")
def view(browser: Browser, folder: Path) -> Opened:
    """The page, opened once."""
    return opened(browser, folder / "page.html")


@NEEDS_CHROMIUM
class TestInChromium:
    """As a reader has it."""

    def test_a_player_plays(self, view: Opened) -> None:
        """To the end of the clip; meanwhile it is pressed."""
        press = """button => new Promise((ended) => {
            let pressed;
            audio.addEventListener("playing", () => { pressed = button.ariaPressed; }, { once: true });
            audio.addEventListener("ended", () => ended([pressed, button.ariaPressed]), { once: true });
            button.click();
        })"""
        assert view.page.locator("#uncertain .play").first.evaluate(press) == ["true", "false"]
        assert played(view.page) == pytest.approx(0.4, abs=0.11)

    @pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), pytest.param(PHONE, "dark", marks=pytest.mark.long)])
    def test_no_error_no_request_and_nothing_serious_for_axe(
        self, browser: Browser, folder: Path, size: tuple[int, int], scheme: Scheme
    ) -> None:
        """Nothing is wider than the window; no name has run as a script; every chart has marks."""
        view = opened(browser, folder / "page.html", size, scheme)
        assert view.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert view.page.evaluate("window.hostile === undefined")
        assert (view.errors, view.requests_of_others()) == ([], [])
        for drawing in view.page.locator(".drawing").all():
            assert drawing.locator("svg .mark-symbol path, svg .mark-rect path").count() > 0
        assert view.severe_violations() == []
