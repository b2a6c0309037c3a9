"""The page of `audiomnist diff --html`: what is on it, from revisions that DVC reads, and in Chromium."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from html import unescape
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
import two_revisions
from browsing import NEEDS_CHROMIUM, PHONE, PRESS, WIDE, Opened, Scheme, opened, played
from checkout import ENVIRONMENT, Checkout
from numpy.typing import NDArray
from playwright.sync_api import Browser, expect
from runs import Ended, audiomnist
from shared_folders import shared
from two_revisions import HOSTILE_BRANCH, HOSTILE_FILE, HOSTILE_SPEAKER, RATE_HZ, TEST_ACCURACIES

from audiomnist.page.diff import write
from audiomnist.report.diff import compare_revisions

CHANGED = ["3_ada_0.wav", HOSTILE_FILE, "1_ada_0.wav"]  # the cnn loses two and gains one


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A repository that tests only read; the page of `main` and the other branch is beside it."""

    def make(folder: Path) -> None:
        checkout = two_revisions.make(folder / "repository")
        ended = diff(checkout, HOSTILE_BRANCH, "--html", folder / "page.html", "--json")
        (folder / "ended.json").write_text(json.dumps([ended.status, ended.out, ended.err]), encoding="utf-8")

    return Checkout(shared(tmp_path_factory, "two_revisions", make) / "repository")


@pytest.fixture
def copy(original: Checkout, tmp_path: Path) -> Checkout:
    """A copy of it, to be changed."""
    return Checkout(Path(shutil.copytree(original.folder, tmp_path / "copy", symlinks=True)))


@pytest.fixture(scope="module")
def index(original: Checkout) -> Path:
    """The page."""
    return original.folder.with_name("page.html")


@pytest.fixture(scope="module")
def html(index: Path) -> str:
    """Its text."""
    return index.read_text(encoding="utf-8")


def diff(checkout: Checkout, second: str, *arguments: object) -> Ended:
    """Compare `main` with another revision."""
    return audiomnist("diff", "main", second, "--predictions", checkout.folder / "data" / "predictions", *arguments)


def embedded(html: str) -> dict[str, str | None]:
    """Return the sounds on a page by the name of their recording."""
    match = re.search(r'<script type="application/json" id="clips">(.*?)</script>', html)
    assert match is not None
    return dict(json.loads(match[1]))


def sound_of(text: str | None) -> tuple[NDArray[np.int16], int]:
    """Return the samples and the rate of an embedded sound."""
    samples, rate_hz = soundfile.read(BytesIO(b64decode(text or "")), dtype="int16")
    return samples, rate_hz


def section(html: str, name: str) -> str:
    """Return the text of a section, without tags."""
    return unescape(re.sub(r"<[^>]*>", " ", html.partition(f'<section id="{name}"')[2].partition("</section>")[0]))


def words(text: str) -> str:
    """Return a text with single spaces."""
    return " ".join(text.split())


class TestContent:
    """What is on the page."""

    def test_the_command_prints_what_it_prints_without_a_page(self, original: Checkout, index: Path) -> None:
        """JSON alone; all recordings are there."""
        status, out, err = json.loads(index.with_name("ended.json").read_text(encoding="utf-8"))
        assert (status, err) == (0, "")
        assert out == diff(original, HOSTILE_BRANCH, "--json").out

    def test_the_table_has_the_numbers_of_the_command(self, html: str) -> None:
        """Accuracies, points, clips that changed sides, p."""
        text = words(section(html, "models"))
        assert "CNN on MFCC 21 90.48% 85.71% -4.76 2 1 1 RNN on MFCC 21 100.00% 100.00% +0.00 0 0 1" in text
        assert f"LSTM on text : {HOSTILE_BRANCH} has no predictions of it." in text

    def test_the_chart_has_the_curves_of_both_revisions(self, html: str) -> None:
        """Of as many epochs as each has."""
        match = re.search(r'data-chart="curves-cnn">(.*?)</script>', html)
        assert match is not None
        ((_, values),) = json.loads(match[1])["datasets"].items()
        for revision, accuracies in TEST_ACCURACIES.items():
            found = [row for row in values if row["revision"] == revision]
            assert [row["accuracy"] for row in found if row["subset"] == "test"] == accuracies
            assert {row["accuracy"] for row in found if row["subset"] != "test"} == {0.25}

    def test_the_clips_that_changed_sides_have_both_answers(self, html: str) -> None:
        """Digit, speaker, prediction and confidence of each revision."""
        text = words(section(html, "clips-changed"))
        assert "3_ada_0.wav ada 3 3 80% 4 60% wrong" in text
        assert f"{HOSTILE_FILE} {HOSTILE_SPEAKER} 7 7 80% 8 60% wrong" in text
        assert "1_ada_0.wav ada 1 2 60% wrong 1 80%" in text
        assert html.count('class="thumbnail"') == len(CHANGED) == html.count("<tr data-direction=")

    def test_sounds_are_those_of_the_recordings(self, html: str, original: Checkout) -> None:
        """Sample by sample: of clips that changed sides, and of those that both get wrong."""
        sounds = embedded(html)
        assert {file for file, sound in sounds.items() if sound} == {*CHANGED, "2_bob_0.wav"}
        for file in CHANGED:
            samples, rate_hz = sound_of(sounds[file])
            expected, _ = soundfile.read(original.folder / "data" / "raw" / file, dtype="int16")
            assert rate_hz == RATE_HZ
            np.testing.assert_array_equal(samples, expected)

    def test_the_difference_of_the_confusion_matrices_has_the_clips_that_moved(self, html: str) -> None:
        """Beside both matrices, for each model."""
        for model in ("cnn", "rnn"):
            assert all(f'id="confusion-{model}-{kind}"' in html for kind in ("first", "second", "difference"))
        assert "7 spoken, 8 predicted: 1 more, 0 fewer" in html
        assert "1 spoken, 2 predicted: 0 more, 1 fewer" in html

    def test_parameters_and_metrics_that_differ_are_listed(self, html: str) -> None:
        """And no others."""
        text = words(section(html, "values"))
        assert "train.epochs 30 31" in text
        assert "cnn.accuracy 0.905 0.62" in text
        assert "train.seed" not in text
        assert "cnn.ece" not in text

    def test_no_text_of_the_data_is_markup(self, html: str) -> None:
        """Names of revisions, files and speakers are escaped; no address of a host is on the page."""
        for hostile in (HOSTILE_BRANCH, HOSTILE_FILE, HOSTILE_SPEAKER, "<img src=x"):
            assert hostile not in html
        without_scripts = re.sub(r"<script.*?</script>|base64,[^\"]*", "", html, flags=re.DOTALL)
        assert re.findall(r"(?:https?:)?//\w[^\s\"']*", without_scripts) == []

    def test_equal_revisions_give_equal_bytes(self, copy: Checkout, html: str, tmp_path: Path) -> None:
        """From another clone, too."""
        assert diff(copy, HOSTILE_BRANCH, "--html", tmp_path / "again.html").status == 0
        assert (tmp_path / "again.html").read_text(encoding="utf-8") == html

    def test_other_test_clips_are_noted(self, original: Checkout, tmp_path: Path) -> None:
        """Only those in common are compared."""
        assert diff(original, "other", "--html", tmp_path / "page.html").status == 0
        text = words(section((tmp_path / "page.html").read_text(encoding="utf-8"), "models"))
        assert "CNN on MFCC : 16 test clips are in common, of main's 21 and other's 16 (another split" in text


def test_another_recording_under_the_same_name_is_noted(copy: Checkout, tmp_path: Path) -> None:
    """The page plays the second revision's."""
    path = copy.folder / "data" / "raw" / "3_ada_0.wav"
    path.unlink()
    soundfile.write(path, np.full(2000, 0.25), RATE_HZ, subtype="PCM_16")
    copy.run("dvc", "add", "-q", "data/raw")
    copy.commit("another take")
    page = tmp_path / "page.html"
    assert audiomnist(
        "diff", HOSTILE_BRANCH, "main", "--predictions", copy.folder / "data" / "predictions", "--html", page
    ).out
    html = page.read_text(encoding="utf-8")
    changed = words(section(html, "clips-changed"))
    assert f"3_ada_0.wav ada another recording than in {HOSTILE_BRANCH}; this is main's 3 " in changed
    assert changed.count("another recording") == 1
    assert len(sound_of(embedded(html)["3_ada_0.wav"])[0]) == 2000


def test_sounds_beyond_the_budget_are_left_out(original: Checkout, html: str, tmp_path: Path) -> None:
    """The page says how many, and has their names and answers all the same."""
    folder = original.folder / "data" / "predictions"
    comparison = compare_revisions("main", HOSTILE_BRANCH, folder, ["cnn"])
    largest = max(len(sound) for sound in embedded(html).values() if sound)
    page = tmp_path / "page.html"
    assert write(comparison, page, budget_bytes=2 * largest) is None
    small = page.read_text(encoding="utf-8")
    assert [file for file, sound in embedded(small).items() if sound] == [CHANGED[0]]
    changed = words(section(small, "clips-changed"))
    assert "2 recordings are named and not embedded" in changed
    assert all(file in changed for file in CHANGED)


class TestRecordingsThatCannotBeHad:
    """A clone that pulled predictions alone."""

    def test_the_row_says_so_and_the_command_goes_on(self, copy: Checkout, tmp_path: Path) -> None:
        """With a sentence at the end; the other recordings have their players."""
        path = copy.folder / "data" / "raw" / "3_ada_0.wav"
        digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        (copy.folder / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]).unlink()
        page = tmp_path / "page.html"
        assert diff(copy, HOSTILE_BRANCH, "--html", page).err == ""  # the workspace has the same file
        assert embedded(page.read_text(encoding="utf-8"))["3_ada_0.wav"]
        path.unlink()
        ended = diff(copy, HOSTILE_BRANCH, "--html", page)
        assert (ended.status, ended.err.count("\n")) == (0, 1)
        assert f"audiomnist: {page} lacks 1 recordings, which are neither in DVC's cache nor in its remote" in ended.err
        text = page.read_text(encoding="utf-8")
        assert "no recording at hand 3_ada_0.wav ada 3" in words(section(text, "clips-changed"))
        assert {file for file, sound in embedded(text).items() if sound} >= {HOSTILE_FILE, "1_ada_0.wav"}

    def test_not_even_their_list_may_be_there(self, original: Checkout, tmp_path: Path) -> None:
        """A fresh clone, whose cache has the predictions."""
        original.run("git", "clone", "-q", str(original.folder), str(tmp_path / "clone"))
        clone = Checkout(tmp_path / "clone")
        clone.run("git", "branch", "-q", HOSTILE_BRANCH, f"origin/{HOSTILE_BRANCH}")
        shutil.copytree(original.folder / ".dvc" / "cache", clone.folder / ".dvc" / "cache")
        for listing in (clone.folder / ".dvc" / "cache").rglob("*.dir"):
            listing.unlink()
        page = tmp_path / "page.html"
        ended = diff(clone, HOSTILE_BRANCH, "--html", page)
        assert ended.status == 0
        assert "lacks 3 recordings" in ended.err
        assert page.read_text(encoding="utf-8").count("no recording at hand") == 3


class TestErrors:
    """A sentence, and no page."""

    @pytest.mark.parametrize("place", ["file/page.html", "folder"])
    def test_a_place_that_cannot_be_written(self, original: Checkout, tmp_path: Path, place: str) -> None:
        """Below a file, or a folder."""
        (tmp_path / "file").touch()
        (tmp_path / "folder").mkdir()
        ended = diff(original, HOSTILE_BRANCH, "--html", tmp_path / place)
        assert (ended.status, ended.out) == (1, "")
        assert f"{tmp_path / place} cannot be written" in ended.err
        assert "name another file with --html" in ended.err
        assert {path.name for path in tmp_path.rglob("*")} == {"file", "folder"}

    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("reports/plots/cnn/history.csv", "is no table of epochs: dvc repro writes it"),
            ("reports/metrics/cnn.json", "is no JSON"),
            ("params.yaml", "cannot be read"),
        ],
    )
    def test_a_file_that_is_not_what_its_name_says(
        self, copy: Checkout, tmp_path: Path, path: str, reason: str
    ) -> None:
        """The error names the file and the revision."""
        (copy.folder / path).write_text("{[ no: such, thing", encoding="utf-8")
        copy.commit("damaged")
        ended = diff(copy, HOSTILE_BRANCH, "--html", tmp_path / "page.html")
        assert f"audiomnist: {path} of main {reason}" in ended.err
        assert (ended.status, ended.out, [*tmp_path.glob("*.html")]) == (1, "", [])

    @pytest.mark.parametrize("package", ["jinja2", "altair"])
    def test_a_package_that_is_not_installed(
        self, original: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
    ) -> None:
        """The error names the extra that installs it."""
        monkeypatch.setitem(sys.modules, package, None)
        ended = diff(original, HOSTILE_BRANCH, "--html", tmp_path / "page.html")
        assert ended.err == (
            f"audiomnist: the package {package} is not installed: pip install 'audiomnist[pipeline]' installs it\n"
        )
        assert (ended.status, [*tmp_path.iterdir()]) == (1, [])


def test_without_a_page_nothing_that_pages_need_is_imported(original: Checkout) -> None:
    """The plain command stays as quick as it was."""
    script = (
        "import sys; from audiomnist.cli.main import app; app(['diff', 'main', 'other'], standalone_mode=False); "
        "print([name for name in sys.modules if name in ('altair', 'librosa', 'vl_convert', 'audiomnist.page')])"
    )
    command = [sys.executable, "-c", script]
    ended = subprocess.run(
        command, cwd=original.folder, env=ENVIRONMENT, check=True, capture_output=True, text=True, timeout=120
    )
    assert ended.stdout.splitlines()[-1] == "[]"


@pytest.fixture(scope="module")
def view(browser: Browser, index: Path) -> Opened:
    """The page, opened once."""
    return opened(browser, index)


@NEEDS_CHROMIUM
class TestInChromium:
    """As a reader has it."""

    def test_charts_are_drawn_in_the_colours_of_both_revisions(self, view: Opened) -> None:
        """A line per revision and subset."""
        drawing = view.page.locator("#curves-cnn")
        assert drawing.locator("svg .mark-line path").count() == 4
        assert len(drawing.get_attribute("aria-label") or "") > 40

    def test_a_player_plays(self, view: Opened) -> None:
        """To the end of the clip; meanwhile it is pressed."""
        assert view.page.locator(".changed .play").first.evaluate(PRESS) == ["true", "false"]
        assert played(view.page) == pytest.approx(0.4, abs=0.11)

    def test_filters_leave_the_clips_of_a_model_a_direction_a_digit_a_speaker(self, view: Opened) -> None:
        """Their number is announced."""
        rows, form = view.page.locator(".changed tbody tr:visible"), "#changed-filters [name={}]"
        assert rows.count() == 3
        for name, value, left in (
            ("direction", "only_second", 1),
            ("direction", "only_first", 2),
            ("digit", "7", 1),
            ("digit", "", 2),
            ("speaker", "ada", 1),
            ("speaker", HOSTILE_SPEAKER, 1),
        ):
            view.page.select_option(form.format(name), value)
            assert rows.count() == left
            expect(view.page.locator("#changed-filters output")).to_have_text(f"{left} of 3 answers")
        for name in ("direction", "speaker"):
            view.page.select_option(form.format(name), "")
        view.page.select_option(form.format("model"), "cnn")
        assert view.page.locator(".changed:visible h3").all_inner_texts() == ["CNN on MFCC"]
        view.page.select_option(form.format("model"), "")
        assert rows.count() == 3

    def test_a_click_on_a_cell_of_the_difference_lists_the_clips_that_moved(self, view: Opened) -> None:
        """With a player each."""
        matrix = view.page.locator("#confusion-cnn-difference")
        matrix.locator('.cell[data-label^="3 spoken, 4"]').click()
        expect(matrix.locator(".clips li")).to_have_text(["3_ada_0.wav"])
        expect(matrix.locator(".clips .play")).to_be_enabled()

    @pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), pytest.param(PHONE, "dark", marks=pytest.mark.long)])
    def test_no_error_no_request_and_nothing_serious_for_axe(
        self, browser: Browser, index: Path, size: tuple[int, int], scheme: Scheme
    ) -> None:
        """Nothing is wider than the window; no name has run as a script."""
        view = opened(browser, index, size, scheme)
        assert view.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert view.page.evaluate("window.hostile === undefined")
        assert (view.errors, view.requests_of_others()) == ([], [])
        view.page.locator("#confusion-cnn-difference .cell").first.click()
        assert view.severe_violations() == []
