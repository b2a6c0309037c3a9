"""A night is reviewed in Chromium: keys, touch, the end, errors of the server; no request goes to any other host."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browsing import NEEDS_CHROMIUM, PHONE, WIDE, Scheme
from playwright.sync_api import Browser, Page, Route, expect
from reviewing import Night, Served, night, served

pytestmark = NEEDS_CHROMIUM
CLIPS = 4


@pytest.fixture
def made(tmp_path: Path) -> Night:
    """A night of four clips."""
    return night(tmp_path, CLIPS)


@contextmanager
def visited(browser: Browser, server: Served, size: tuple[int, int] = WIDE, scheme: Scheme = "light") -> Iterator[Page]:
    """Open the page of a server; at the end check that it had no error and asked no other host."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    context.set_default_timeout(120_000)  # for machines that are busy with other work
    page = context.new_page()
    errors: list[str] = []
    others: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: others.append(request.url))
    page.goto(server.address)
    yield page
    context.close()
    assert errors == []
    assert [url for url in others if not url.startswith((server.address, "blob:"))] == []


def heard(page: Page, clip: int) -> None:
    """Wait until the page plays a clip, counted from 1; with the first key if the browser wants one."""
    expect(page.locator("#progress")).to_have_text(f"{clip} of {CLIPS}")
    page.wait_for_selector("#labels[aria-busy=false], #notice:not([hidden])")
    if page.locator("#notice").is_visible():
        page.keyboard.press("Space")
    expect(page.locator("#labels")).to_have_attribute("aria-busy", "false")


def labels(made: Night) -> list[tuple[str, str | None]]:
    """Return the path and the label of each keystroke."""
    return [(row["path"], row["label"]) for row in made.keystrokes()]


def test_a_night_is_reviewed_with_keys(browser: Browser, made: Night) -> None:
    """Digits, x, undo, the model's answer, and the end, which ends the command."""
    with served(made) as server, visited(browser, server) as page:
        heard(page, 1)
        page.keyboard.press("m")
        expect(page.locator("#answer")).to_contain_text("The model: 0 (30.0%), then")
        page.keyboard.press("3")
        heard(page, 2)
        assert labels(made) == [("000.wav", "3")]
        expect(page.locator("#answer")).to_have_text("")
        expect(page.locator("#last")).to_contain_text("000.wav: you heard 3. The model: 0 (30.0%)")
        page.keyboard.press("x")
        heard(page, 3)
        page.keyboard.press("Backspace")
        heard(page, 2)
        page.reload()
        heard(page, 2)
        page.keyboard.press("Backspace")
        heard(page, 1)
        page.keyboard.press("0")
        for clip in (2, 3, 4):
            heard(page, clip)
            page.keyboard.press("Control+9")
            page.keyboard.press(str(clip))
        expect(page.locator("#end")).to_be_focused()
        expect(page.locator("#result")).to_have_text("All clips are judged.")
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_have_text("The program has ended. This page can be closed.")
        out, err = server.process.communicate(timeout=60)
        assert (server.process.returncode, err) == (0, "")
        assert f"run night: {CLIPS} of {CLIPS} clips are judged" in out
    first, second = ("000.wav", "001.wav")
    expected = [(first, "3"), (second, "no_digit"), (second, None), (first, None), (first, "0"), (second, "2")]
    assert labels(made) == [*expected, ("002.wav", "3"), ("003.wav", "4")]


@pytest.mark.long
def test_a_clip_that_was_not_heard_is_not_judged(browser: Browser, made: Night) -> None:
    """Keys that come too early play it; those that repeat themselves do nothing."""
    with served(made) as server, visited(browser, server) as page:
        heard(page, 1)
        page.evaluate("set({ heard: false })")
        page.keyboard.press("3")
        expect(page.locator("#labels")).to_have_attribute("aria-busy", "false")
        assert labels(made) == []
        page.keyboard.down("4")
        page.keyboard.down("4")
        page.keyboard.down("4")
        page.keyboard.up("4")
        heard(page, 2)
        assert labels(made) == [("000.wav", "4")]


@pytest.mark.long
def test_a_keystroke_is_sent_again_until_it_is_kept(browser: Browser, made: Night) -> None:
    """With its id; the next clip waits, and the page says why."""
    sent: list[str] = []

    def failing(route: Route) -> None:
        sent.append(route.request.post_data or "")
        if len(sent) == 1:
            route.fulfill(status=503, json={"error": "labels-reviews cannot be written: No space left on device."})
        elif len(sent) == 2:
            route.abort()
        elif len(sent) == 3:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    with served(made) as server, visited(browser, server) as page:
        heard(page, 1)
        page.route("**/judgements", failing)
        page.keyboard.press("3")
        expect(page.locator("#notice")).to_contain_text(
            "This judgement is not saved yet: labels-reviews cannot be written"
        )
        expect(page.locator("#progress")).to_have_text(f"1 of {CLIPS}")
        heard(page, 2)
        assert len(sent) == 4
        assert len(set(sent)) == 1
        assert labels(made) == [("000.wav", "3")]


@pytest.mark.long
def test_a_file_that_changed_is_left_out(browser: Browser, made: Night) -> None:
    """The page names it and goes on, wherever it is in the queue."""
    (made.inbox / "000.wav").unlink()
    (made.inbox / "002.wav").write_bytes(b"RIFF")
    with served(made) as server, visited(browser, server) as page:
        heard(page, 2)
        expect(page.locator("#last")).to_contain_text("Left out: 000.wav is no longer there.")
        page.keyboard.press("1")
        heard(page, 4)
        expect(page.locator("#last")).to_contain_text("Left out: 002.wav has changed since it was scored.")
        page.keyboard.press("3")
        expect(page.locator("#end")).to_be_focused()
        expect(page.locator("#result")).to_have_text("All clips are judged but 2.")
        assert [path for path, _ in labels(made)] == ["001.wav", "003.wav"]


@pytest.mark.long
def test_two_browsers_lose_nothing(browser: Browser, made: Night) -> None:
    """At one server, and at two."""
    with (
        served(made) as server,
        served(made, by="bob") as other,
        visited(browser, server) as first,
        visited(browser, server) as second,
        visited(browser, other) as third,
    ):
        for page in (first, second, third):
            heard(page, 1)
        for page, key in ((first, "1"), (second, "2"), (third, "3")):
            page.keyboard.press(key)
        for page in (first, second, third):
            heard(page, 2)
    assert sorted((row["judged_by"], row["label"]) for row in made.keystrokes()) == [
        ("ada", "1"),
        ("ada", "2"),
        ("bob", "3"),
    ]


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits_a_phone(browser: Browser, made: Night, scheme: Scheme) -> None:
    """Before and after the end; buttons are large enough to touch."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - needs Chromium

    with served(made) as server, visited(browser, server, PHONE, scheme) as page:
        heard(page, 1)
        for number in range(CLIPS + 1):
            violations = Axe().run(page).response["violations"]
            assert [(found["id"], found["nodes"][0]["html"]) for found in violations] == []
            assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
            if number < CLIPS:
                heard(page, number + 1)
                button = page.locator("[data-label='7']")
                box = button.bounding_box()
                assert box is not None
                assert min(box["width"], box["height"]) >= 44
                assert page.locator("#model").bounding_box()["y"] < PHONE[1] - 44  # type: ignore[index]
                button.click()
                expect(page.locator("#bar")).to_have_js_property("value", number + 1)
        expect(page.locator("#finished")).to_be_visible()
