"""docs/tour.md, followed line by line: a voice is recorded, scored, reviewed, trained on; two branches are compared."""

import re
import subprocess
from pathlib import Path

import pytest
from browsing import NEEDS_CHROMIUM
from checkout import ENVIRONMENT, ROOT, Checkout
from fake_microphone import NEEDS_MICROPHONE, fake_microphone, spoken, synthesized
from playwright.sync_api import Browser, expect

PAGE = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
TAKES = 3


def commands(section: str) -> list[str]:
    """Return the commands of a section."""
    block = re.search(rf"\n## {section}\n\n```\n(.+?)```", PAGE, re.DOTALL)
    assert block is not None
    return block[1].splitlines()


def press_seven_for_each_clip(browser: Browser, address: str) -> None:
    """Review all clips on the page at an address, and end the command with enter."""
    page = browser.new_page()
    page.goto(address)
    for clip in range(1, TAKES + 1):
        expect(page.locator("#progress")).to_have_text(f"{clip} of {TAKES}")
        page.wait_for_selector("#labels[aria-busy=false], #notice:not([hidden])")
        if page.locator("#notice").is_visible():
            page.keyboard.press("Space")
        expect(page.locator("#labels")).to_have_attribute("aria-busy", "false")
        page.keyboard.press("7")
    expect(page.locator("#end")).to_be_focused()
    page.keyboard.press("Enter")


@pytest.mark.long
@NEEDS_CHROMIUM
@NEEDS_MICROPHONE
def test_the_tour(checkout: Checkout, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of the page, in its order, fewer than five in each section."""
    said = fake_microphone(tmp_path, spoken([synthesized(7)] * TAKES)[0])
    for name, value in (said | {"PYTHONPATH": "src"}).items():
        monkeypatch.setitem(ENVIRONMENT, name, value)

    def typed(line: str) -> str:
        return checkout.run("bash", "-ec", line)

    list_devices, record = commands("Record")
    assert "default" in typed(list_devices)
    typed(record)
    takes = [f"7_me_{take}.wav" for take in range(TAKES)]
    assert sorted(path.name for path in (tmp_path / "recordings").iterdir()) == takes

    score, show = commands("Score")
    typed(score)
    assert f"{TAKES} of {TAKES} rows" in typed(show)

    review, report = commands("Review")
    with subprocess.Popen(
        review.split(), cwd=checkout.folder, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as it:
        assert it.stdout is not None
        press_seven_for_each_clip(browser, next(line.split()[0] for line in it.stdout if "http://" in line))
        assert f"{TAKES} of {TAKES} clips are judged" in it.stdout.read()
    assert it.returncode == 0
    typed(report)
    assert "me" in (tmp_path / "night.html").read_text(encoding="utf-8")

    before = (checkout.folder / "data" / "split.csv").read_text(encoding="utf-8")
    for line in commands("Train on it"):
        typed(line)
    added = "".join(f"{take},7,me,train\n" for take in takes)
    assert (checkout.folder / "data" / "split.csv").read_text(encoding="utf-8") == before + added
    assert checkout.git_status() == set()

    metrics, diff = commands("Compare")
    assert re.search(r"data\.json +corpus\.recordings +\d+ +\d+ +3\b", typed(metrics))
    assert "Test clips in common" in typed(diff)
    assert "my-voice" in (tmp_path / "diff.html").read_text(encoding="utf-8")
    assert all(len(commands(section)) < 5 for section in re.findall(r"\n## (.+)\n", PAGE))
