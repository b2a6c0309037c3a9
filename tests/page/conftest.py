"""A report page of a small corpus, made once."""

from pathlib import Path

import page_inputs
import pytest
from page_inputs import HOSTILE_NAME, PageInputs


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> PageInputs:
    """Return inputs with hostile names and texts in them, and the page of them."""
    inputs = page_inputs.write(tmp_path_factory.mktemp("page") / "inputs")
    page_inputs.rename_dataset(inputs.reports, HOSTILE_NAME)
    inputs.build()
    return inputs


@pytest.fixture(scope="session")
def index(built: PageInputs) -> Path:
    """Return the page."""
    return built.folder / "page" / "index.html"
