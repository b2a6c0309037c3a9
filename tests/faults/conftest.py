"""Bundles and inboxes, made once."""

from pathlib import Path

import inbox_files
import pyarrow as pa
import pytest
import small_bundles
from score_process import Scorer
from table_files import rows


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small cnn."""
    return small_bundles.write("cnn", tmp_path_factory.mktemp("cnn"))


@pytest.fixture(scope="session")
def other_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another one."""
    return small_bundles.write("cnn", tmp_path_factory.mktemp("other"), seed=1)


@pytest.fixture(scope="session")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files for sixty rows: fifty sounds, six copies, four bad files; and an unfinished file."""
    folder = tmp_path_factory.mktemp("inbox")
    for number in range(50):
        content = inbox_files.encoded(inbox_files.tone(number % 10, seed=number))
        inbox_files.put(folder, f"{number % 3}/{number:02}.wav", content)
        if number % 8 == 0 and number < 48:
            inbox_files.put(folder, f"copies/{number:02}.wav", content)
    whole = inbox_files.encoded(inbox_files.tone(7))
    for name, content in {
        "empty": b"",
        "cut": whole[:-100],
        "riff": b"RIFF\x04\0\0\0WAVE",
        "short": whole[:444],
    }.items():
        inbox_files.put(folder, f"bad/{name}.wav", content)
    inbox_files.put(folder, "unfinished.wav.part", whole)
    return folder


@pytest.fixture(scope="session")
def undisturbed(inbox: Path, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """The rows that an undisturbed run makes of the inbox."""
    table = tmp_path_factory.mktemp("undisturbed") / "table"
    summary = Scorer(inbox, table, bundle).summary()
    assert (summary.found, summary.scored, summary.rejected, summary.deferred) == (61, 56, 4, 1)
    return rows(table)


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six hundred sounds, no two alike, the first one FLAC: more than a chunk."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(600):
        container = "WAV" if number else "FLAC"
        content = inbox_files.encoded(inbox_files.tone(number % 10, 0.15, seed=number), container=container)
        inbox_files.put(folder, f"{number % 7}/{number:03}.wav", content)
    return folder


@pytest.fixture(scope="session")
def undisturbed_many(many: Path, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """The rows that an undisturbed run makes of those six hundred."""
    table = tmp_path_factory.mktemp("undisturbed") / "table"
    assert Scorer(many, table, bundle, batch_size=15).summary().scored == 600
    return rows(table)
