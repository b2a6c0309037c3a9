"""Pages in Chromium, and what happened on them."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Playwright, expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NEEDS_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
WIDE, PHONE = (1280, 900), (390, 844)
_TIMEOUT_MS = 120_000  # for machines that are busy with other work
expect.set_options(timeout=_TIMEOUT_MS)
Scheme = Literal["light", "dark"]
# Presses a player and returns its `aria-pressed` while the clip plays, and when it has ended.
PRESS = """button => new Promise((ended) => {
    let pressed;
    audio.addEventListener("playing", () => { pressed = button.ariaPressed; }, { once: true });
    audio.addEventListener("ended", () => ended([pressed, button.ariaPressed]), { once: true });
    button.click();
})"""
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@dataclass
class Opened:
    """A page, and what happened on it."""

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def requests_of_others(self) -> list[str]:
        """Return the addresses that were asked for, other than the page and what is in it."""
        return [url for url in self.requests if url != self.page.url and not url.startswith(("data:", "blob:"))]

    def severe_violations(self) -> list[tuple[str, str]]:
        """Return what axe-core finds that is serious or critical: the rule and the first element."""
        violations = Axe().run(self.page).response["violations"]
        severe = [found for found in violations if found["impact"] in ("serious", "critical")]
        return [(found["id"], found["nodes"][0]["html"]) for found in severe]


def started(playwright: Playwright) -> Browser:
    """Start Chromium with a fresh profile."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)


def opened(browser: Browser, index: Path, size: tuple[int, int] = WIDE, scheme: Scheme = "light") -> Opened:
    """Open a page and wait for its charts."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    context.set_default_timeout(_TIMEOUT_MS)
    found = Opened(context.new_page())
    found.page.on("console", lambda message: found.errors.append(message.text))
    found.page.on("pageerror", lambda error: found.errors.append(str(error)))
    found.page.on("request", lambda request: found.requests.append(request.url))
    found.page.goto(index.as_uri())
    found.page.wait_for_selector("html[data-charts=drawn]")
    return found


def played(page: Page) -> float:
    """Return how much was played of the last clip, in seconds."""
    seconds: float = page.evaluate("(() => { const { played } = audio; return played.length && played.end(0); })()")
    return seconds
