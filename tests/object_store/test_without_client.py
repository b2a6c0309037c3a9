"""Where the client of object stores is not installed, folders of this machine are scored as ever."""

import sys
from pathlib import Path
from typing import cast

import inbox_files
import pytest
from score_process import Scorer

LAUNCHER = (sys.executable, str(Path(__file__).parents[1] / "support" / "without_obstore.py"))


@pytest.mark.parametrize("place", ["inbox", "table", "model"])
def test_a_url_needs_the_extra(place: str, bundle: Path, tmp_path: Path) -> None:
    """One sentence names it."""
    places = {"inbox": tmp_path, "table": tmp_path.with_name("table"), "model": bundle}
    places[place] = cast("Path", "s3://bucket/folder")
    ended = Scorer(places["inbox"], places["table"], places["model"], launcher=LAUNCHER).ended()
    assert ended.status == 4
    said = "the package obstore is not installed: pip install 'audiomnist[cloud]' installs it"
    assert ended.err == f"audiomnist score: {said}\n"


def test_folders_need_no_client(bundle: Path, tmp_path: Path) -> None:
    """Also where they are named by URLs of files."""
    inbox_files.put_good(tmp_path / "inbox", 2)
    inbox, table, model = (cast("Path", path.as_uri()) for path in (tmp_path / "inbox", tmp_path / "table", bundle))
    assert Scorer(inbox, table, model, launcher=LAUNCHER).summary().scored == 2
