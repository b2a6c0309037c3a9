"""The report page in Chromium: charts, players, filters, keys, accessibility; and no request to any host."""

from itertools import pairwise
from pathlib import Path

import pytest
from browsing import NEEDS_CHROMIUM, PHONE, PRESS, WIDE, Opened, Scheme, opened, played
from playwright.sync_api import Browser, expect

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def view(browser: Browser, index: Path) -> Opened:
    """Return the page, opened once for tests that leave its state as it was, or do not depend on it."""
    return opened(browser, index)


def test_every_chart_has_marks(view: Opened) -> None:
    """Each is an SVG with at least one mark of data, and has a text alternative."""
    drawings = view.page.locator(".drawing")
    assert drawings.count() > 10
    for drawing in drawings.all():
        assert drawing.locator("svg .mark-symbol path, svg .mark-rect path, svg .mark-line path").count() > 0
        assert len(drawing.get_attribute("aria-label") or "") > 40


def test_a_player_plays(view: Opened) -> None:
    """To the end of the clip, meanwhile it is pressed; and stops when it is pressed again."""
    button = view.page.locator("#mistakes .play").first
    assert button.evaluate(PRESS) == ["true", "false"]
    assert played(view.page) == pytest.approx(0.4, abs=0.11)
    press_twice = """button => new Promise((stopped) => {
        audio.addEventListener("playing", () => button.click(), { once: true });
        audio.addEventListener("pause", () => stopped(button.ariaPressed), { once: true });
        button.click();
    })"""
    assert button.evaluate(press_twice) == "false"


def test_a_click_on_a_cell_lists_its_clips_and_another_click_hides_them(view: Opened) -> None:
    """With a player each."""
    matrix = view.page.locator("#confusion-cnn")
    cell = matrix.locator(".cell").first
    cell.click()
    panel = matrix.locator(".clips")
    expect(panel).to_be_visible()
    assert panel.locator("p").inner_text() == cell.get_attribute("aria-label")
    assert panel.locator(".play").count() == len((cell.get_attribute("data-clips") or "").split())
    button = panel.locator(".play").last
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    assert played(view.page) > 0
    cell.click()
    expect(panel).to_be_hidden()


def test_enter_on_a_cell_lists_its_clips(view: Opened) -> None:
    """A keyboard is enough."""
    matrix = view.page.locator("#confusion-rnn")
    matrix.locator(".cell").nth(1).focus()
    view.page.keyboard.press("Enter")
    expect(matrix.locator(".clips")).to_be_visible()
    view.page.keyboard.press("Tab")
    assert view.page.evaluate("document.activeElement.closest('#confusion-rnn') !== null")


def test_filters_leave_the_mistakes_of_a_model_a_digit_a_speaker(view: Opened) -> None:
    """The number of clips that are shown is announced."""
    page = view.page
    total = page.locator(".mistake").count()
    page.select_option("#filters [name=model]", "lstm")
    shown = page.locator(".mistake:visible")
    assert 0 < shown.count() < total
    assert all("lstm" in (card.get_attribute("data-models") or "").split() for card in shown.all())
    assert page.locator("#filters output").inner_text() == f"{shown.count()} of {total} clips"
    page.select_option("#filters [name=digit]", "7")
    assert {card.get_attribute("data-digit") for card in shown.all()} == {"7"}
    page.select_option("#filters [name=speaker]", "bob")
    assert {card.get_attribute("data-speaker") for card in shown.all()} <= {"bob"}
    for name in ("model", "digit", "speaker"):
        page.select_option(f"#filters [name={name}]", "")
    assert shown.count() == total


def test_mistakes_can_be_ordered(view: Opened) -> None:
    """By digit, and by confidence."""
    page = view.page
    page.select_option("#filters [name=order]", "digit")
    digits = [card.get_attribute("data-digit") for card in page.locator(".mistake").all()]
    assert digits == sorted(digits, key=str)
    page.select_option("#filters [name=order]", "confidence")
    values = [float(card.get_attribute("data-confidence") or "") for card in page.locator(".mistake").all()]
    assert values == sorted(values, reverse=True)


def test_a_table_is_sorted_by_the_numbers_of_a_column(view: Opened) -> None:
    """Ascending, then descending."""
    table = view.page.locator("#robustness table.sortable")
    head = table.locator("thead th").nth(1)

    def values() -> list[float]:
        cells = table.locator("tbody td:nth-child(2)").all_inner_texts()
        return [float(text.removesuffix("%")) for text in cells]

    head.locator("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert values() == sorted(values())
    head.locator("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    assert values() == sorted(values(), reverse=True)


def test_headings_are_in_order(view: Opened) -> None:
    """One h1, and no level is skipped on the way down."""
    script = "[...document.querySelectorAll('h1, h2, h3, h4')].map((heading) => +heading.tagName[1])"
    levels = view.page.evaluate(script)
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), pytest.param(PHONE, "dark", marks=pytest.mark.long)])
def test_no_error_and_no_request(browser: Browser, index: Path, size: tuple[int, int], scheme: Scheme) -> None:
    """Nothing is wider than the window; no text of the data has run as a script."""
    view = opened(browser, index, size, scheme)
    assert view.page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert view.page.evaluate("window.hostile === undefined")
    assert view.errors == []
    assert view.requests_of_others() == []


@pytest.mark.long
@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark")])
def test_axe_finds_nothing_serious(browser: Browser, index: Path, size: tuple[int, int], scheme: Scheme) -> None:
    """Contrast, names, roles and structure, with the clips of a cell listed."""
    view = opened(browser, index, size, scheme)
    view.page.locator("#confusion-cnn .cell").first.click()
    assert view.severe_violations() == []


def test_the_policy_of_the_page_forbids_requests(browser: Browser, index: Path) -> None:
    """Even a script that asks for something gets nothing."""
    view = opened(browser, index)
    asked = view.page.evaluate("fetch('https://example.org/').then(() => 'answered', () => 'refused')")
    assert asked == "refused"
    assert any("Content Security Policy" in error for error in view.errors)


@pytest.mark.long
def test_the_page_prints(browser: Browser, index: Path) -> None:
    """Charts and pictures are on paper, buttons are not."""
    view = opened(browser, index)
    view.page.emulate_media(media="print")
    assert view.page.locator(".play:visible, nav:visible, .filters:visible").count() == 0
    assert view.page.locator(".drawing svg:visible").count() == view.page.locator(".drawing").count()
    undrawn = "[...document.images].filter((image) => !image.complete || !image.naturalWidth).length"
    assert view.page.evaluate(undrawn) == 0
    assert view.page.pdf(format="A4").startswith(b"%PDF")
