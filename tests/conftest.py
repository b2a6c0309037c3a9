"""What the tests share: a profile for hypothesis, and sounds made on the spot."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from hypothesis import settings

from audiomnist.audio.waveform import Samples

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SAMPLE_RATE_HZ = 8000

# The same examples every time; `make test-long` draws fresh ones (--hypothesis-profile fresh).
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("fresh", deadline=None)
settings.load_profile("repeatable")


# The longest files, which would otherwise end last, with nothing beside them; the last of them waits for the first.
FIRST = ["test_small_pipeline.py", "test_sigkill.py", "test_quickstart_command.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    items.sort(key=lambda item: FIRST.index(item.path.name) if item.path.name in FIRST else len(FIRST))


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Chromium with a fresh profile, for tests that are marked `NEEDS_CHROMIUM`."""
    from browsing import started  # noqa: PLC0415 - few tests need it
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with sync_playwright() as playwright:
        running = started(playwright)
        yield running
        running.close()


@pytest.fixture
def tone() -> Samples:
    """Half a second of 400 Hz at 8 kHz, its peak 0.5."""
    time_s = np.arange(SAMPLE_RATE_HZ // 2) / SAMPLE_RATE_HZ
    return (0.5 * np.sin(2 * np.pi * 400 * time_s)).astype(np.float32)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Twelve recordings of a tenth of a second: two digits, speakers ada, bob and eve, two takes, no two alike."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for digit, speaker, take in product((3, 7), ("ada", "bob", "eve"), (0, 1)):
        samples = rng.uniform(-0.5, 0.5, SAMPLE_RATE_HZ // 10)
        soundfile.write(folder / f"{digit}_{speaker}_{take}.wav", samples, SAMPLE_RATE_HZ, subtype="PCM_16")
    return folder
