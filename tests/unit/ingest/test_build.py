"""Filling the folder of raw recordings from every source there is."""

import http.server
import json
import os
import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audiomnist.corpus import info, manifest
from audiomnist.corpus.manifest import ManifestError, Recording
from audiomnist.ingest import build, download
from audiomnist.ingest.archive import ArchiveError
from audiomnist.ingest.download import SOURCE_VARIABLE, SourceError
from audiomnist.ingest.params import DataParams
from audiomnist.reviewed.files import ReviewedError
from audiomnist.serving.bundle.reference import quantiles_histogram
from audiomnist.synthesis.corpus import VOICES, SyntheticParams

FIRST_THREE, NEXT_TWO, LAST = ["jackson", "nicolas", "theo"], ["george", "yweweler"], ["lucas"]


@dataclass(frozen=True)
class Checkout:
    """A working tree: the complete manifest, and where ingest writes."""

    root: Path

    @property
    def complete(self) -> Path:
        """The manifest in git."""
        return self.root / "manifest.csv"

    @property
    def reviewed(self) -> Path:
        """The manifest of the reviewed recordings, whose files are in the folder `reviewed`."""
        return self.root / "reviewed.csv"

    @property
    def raw(self) -> Path:
        """The folder to be filled."""
        return self.root / "raw"

    def ingest(self, *speakers: str, source: str = "recordings", name: str | None = None) -> dict[str, Any]:
        """Run the stage, with all speakers if none is named; return its report."""
        synthetic = SyntheticParams(seed=0, takes=1)
        params = DataParams.model_validate(
            {"source": source, "name": name, "speakers": speakers or None, "synthetic": synthetic}
        )
        recordings, report = self.root / "recordings.csv", self.root / "report.json"
        build.ingest(self.complete, params, self.reviewed, self.root / "reviewed", self.raw, recordings, report)
        corpus: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))["corpus"]
        return corpus

    def written(self) -> set[str]:
        """Return what ingest has left, temporary files included."""
        return {path.name for path in self.root.iterdir()} - {"manifest.csv", "reviewed.csv"}


@pytest.fixture
def checkout(tmp_path: Path, recordings: Path) -> Checkout:
    """A checkout whose manifest lists the twelve recordings."""
    root = tmp_path / "checkout"
    manifest.write(root / "manifest.csv", manifest.describe_folder(recordings).recordings)
    manifest.write(root / "reviewed.csv", [])
    return Checkout(root)


@pytest.fixture
def source(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of recordings, as AUDIOMNIST_SOURCE names it."""
    monkeypatch.setenv(SOURCE_VARIABLE, str(recordings))
    return recordings


class Upstream(http.server.ThreadingHTTPServer):
    """A server that gives the same answer to everyone, after some that break off in the middle."""

    body = b""
    status = 200
    breaks = 0

    @property
    def url(self) -> str:
        """The address of the archive."""
        return f"http://127.0.0.1:{self.server_address[1]}/archive.tar.gz"


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends what the server holds."""

    server: Upstream

    def do_HEAD(self) -> None:
        """Announce the body."""
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body) * (2 if self.server.breaks else 1)))
        self.end_headers()

    def do_GET(self) -> None:
        """Send the body."""
        self.do_HEAD()
        self.wfile.write(self.server.body)
        self.server.breaks = max(0, self.server.breaks - 1)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def no_source(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but upstream is left, which has the twelve recordings, and it is not looked for behind a proxy."""
    monkeypatch.setattr(
        info, "_LATEST_FSDD_SHA256", info.content_sha256(manifest.describe_folder(recordings).recordings)
    )
    monkeypatch.delenv(SOURCE_VARIABLE, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def upstream(tmp_path: Path, recordings: Path, no_source: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    """A real server that serves the recordings as upstream does, in a folder of a .tar.gz."""
    del no_source
    packed = shutil.make_archive(str(tmp_path / "served"), "gztar", recordings.parent, recordings.name)
    with Upstream(("127.0.0.1", 0), Handler) as server:
        server.body = Path(packed).read_bytes()
        monkeypatch.setattr(download, "UPSTREAM_URL", server.url)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def closed_port(no_source: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The upstream URL has a port at which no server listens."""
    del no_source
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/archive.tar.gz"
    monkeypatch.setattr(download, "UPSTREAM_URL", url)
    return url


def assert_complete(checkout: Checkout) -> None:
    """Check that raw and the written manifest are the complete manifest."""
    rows = manifest.read(checkout.complete)
    manifest.verify(checkout.raw, rows, "raw")
    assert manifest.read(checkout.root / "recordings.csv") == rows


@pytest.mark.usefixtures("source")
def test_a_folder_of_recordings_is_copied(checkout: Checkout) -> None:
    """Raw holds every file to the byte; nothing else is left beside manifest and report."""
    checkout.ingest("ada", "bob", "eve")
    assert_complete(checkout)
    assert checkout.written() == {"raw", "recordings.csv", "report.json"}


def test_a_folder_with_a_sub_folder_of_recordings_is_copied(
    checkout: Checkout, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clone of upstream's repository is a source, whatever else it holds."""
    (recordings.parent / "1_other_0.wav").touch()
    monkeypatch.setenv(SOURCE_VARIABLE, str(recordings.parent))
    checkout.ingest("ada", "bob", "eve")
    assert_complete(checkout)


@pytest.mark.parametrize(("kind", "suffix"), [("gztar", ".tar.gz"), ("zip", ".zip")])
def test_an_archive_is_unpacked(
    checkout: Checkout, tmp_path: Path, recordings: Path, monkeypatch: pytest.MonkeyPatch, kind: str, suffix: str
) -> None:
    """Both kinds, as common tools write them, with a folder inside."""
    packed = shutil.make_archive(str(tmp_path / "packed"), kind, recordings.parent, recordings.name)
    assert packed.endswith(suffix)
    monkeypatch.setenv(SOURCE_VARIABLE, packed)
    checkout.ingest("ada", "bob", "eve")
    assert_complete(checkout)


def test_a_relative_source_starts_at_the_current_folder(
    checkout: Checkout, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read as every other tool reads a path."""
    monkeypatch.chdir(recordings.parent)
    monkeypatch.setenv(SOURCE_VARIABLE, recordings.name)
    checkout.ingest("ada", "bob", "eve")
    assert_complete(checkout)


def test_other_files_of_a_folder_are_passed_over(checkout: Checkout, source: Path) -> None:
    """A README, a hidden file of a Mac and a folder beside the recordings are not unexpected."""
    (source / "README.md").touch()
    (source / "._3_ada_0.wav").touch()
    (source / "recordings").mkdir()
    checkout.ingest("ada", "bob", "eve")
    assert_complete(checkout)


@pytest.mark.usefixtures("source")
def test_only_the_chosen_speakers_are_kept(checkout: Checkout) -> None:
    """Raw and manifest hold their recordings alone, ordered as in the complete manifest."""
    report = checkout.ingest("eve", "ada")
    rows = manifest.read(checkout.root / "recordings.csv")
    assert rows == [row for row in manifest.read(checkout.complete) if row.speaker != "bob"]
    manifest.verify(checkout.raw, rows, "raw")
    assert (report["recordings"], report["speakers"]) == (8, 2)


def test_what_is_not_chosen_need_not_be_there(checkout: Checkout, source: Path) -> None:
    """A source with the recordings of one speaker serves for that speaker."""
    for path in source.glob("*_bob_*.wav"):
        path.unlink()
    (source / "3_eve_0.wav").write_bytes(b"altered")
    assert checkout.ingest("ada")["recordings"] == 4


@pytest.mark.usefixtures("source")
def test_another_choice_of_speakers_replaces_the_folder(checkout: Checkout) -> None:
    """Nothing of an earlier choice stays."""
    checkout.ingest("ada", "bob", "eve")
    checkout.ingest("bob")
    assert {path.name.split("_")[1] for path in checkout.raw.iterdir()} == {"bob"}


@pytest.mark.usefixtures("source")
def test_an_unknown_speaker_is_named(checkout: Checkout) -> None:
    """The error tells who, which parameter and which manifest; known speakers are not named."""
    with pytest.raises(ManifestError, match=r"data\.speakers names nobody, zoe, of whom .*manifest\.csv lists no"):
        checkout.ingest("zoe", "ada", "nobody")
    assert checkout.written() == set()


def test_bad_files_of_a_source_are_named_and_nothing_is_left(checkout: Checkout, source: Path) -> None:
    """Missing, unexpected and altered ones are in one message with the source; no out is written."""
    (source / "3_ada_0.wav").unlink()
    (source / "9_zoe_0.wav").touch()
    (source / "7_eve_1.wav").write_bytes(b"altered")
    with pytest.raises(ManifestError) as caught:
        checkout.ingest("ada", "bob", "eve")
    for part in (str(source), "1 missing: 3_ada_0.wav", "1 unexpected: 9_zoe_0.wav", "1 altered: 7_eve_1.wav"):
        assert part in str(caught.value)
    assert checkout.written() == set()


def test_a_failure_leaves_an_older_raw_folder(checkout: Checkout, source: Path) -> None:
    """What a good run wrote stays whole until another one has succeeded."""
    checkout.ingest("ada", "bob", "eve")
    (source / "7_eve_1.wav").write_bytes(b"altered")
    with pytest.raises(ManifestError):
        checkout.ingest("ada", "bob", "eve")
    assert_complete(checkout)
    assert checkout.written() == {"raw", "recordings.csv", "report.json"}


def test_a_recording_that_cannot_be_read_is_reported_without_a_traceback(checkout: Checkout, source: Path) -> None:
    """With the path and the reason; nothing is left."""
    (source / "3_ada_0.wav").unlink()
    (source / "3_ada_0.wav").symlink_to("/proc/self/mem")  # not even root can read where nothing is mapped
    with pytest.raises(SourceError, match=r"the recordings in .* cannot be copied to .*: .*"):
        checkout.ingest("ada", "bob", "eve")
    assert checkout.written() == set()


def test_a_damaged_archive_leaves_nothing(checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive's error comes through, and raw does not come into being."""
    (tmp_path / "packed.tar.gz").write_bytes(b"no archive")
    monkeypatch.setenv(SOURCE_VARIABLE, str(tmp_path / "packed.tar.gz"))
    with pytest.raises(ArchiveError):
        checkout.ingest("ada", "bob", "eve")
    assert checkout.written() == set()


@pytest.mark.parametrize("name", ["nowhere", "nowhere.zip", "notes.txt"])
def test_a_source_that_is_none_names_the_resolved_path_and_the_remedies(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The message has the absolute path."""
    (tmp_path / "notes.txt").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(SOURCE_VARIABLE, name)
    with pytest.raises(SourceError) as caught:
        checkout.ingest("ada", "bob", "eve")
    assert f"{SOURCE_VARIABLE} leads to {tmp_path / name}," in str(caught.value)
    assert download.REMEDIES in str(caught.value)
    assert checkout.written() == set()


def test_upstream_out_of_reach_names_the_address_and_the_remedies(checkout: Checkout, closed_port: str) -> None:
    """The user learns what was tried and the three ways on."""
    with pytest.raises(SourceError) as caught:
        checkout.ingest("ada", "bob", "eve")
    assert f"{closed_port} cannot be reached" in str(caught.value)
    for remedy in (SOURCE_VARIABLE, "give access to", "data.source: synthetic"):
        assert remedy in str(caught.value)
    assert checkout.written() == set()
    assert not download.upstream_is_reachable()


def test_upstreams_archive_is_downloaded(checkout: Checkout, upstream: Upstream) -> None:
    """Without AUDIOMNIST_SOURCE, what the server sends is unpacked and verified."""
    del upstream
    assert download.upstream_is_reachable()
    checkout.ingest("ada", "bob", "eve")
    assert_complete(checkout)


def answer_not_found(upstream: Upstream) -> None:
    """Let the server know nothing of an archive."""
    upstream.status = 404


def answer_in_part(upstream: Upstream) -> None:
    """Let the connection break off before the announced end."""
    upstream.breaks = 100


@pytest.mark.parametrize("answer", [answer_not_found, answer_in_part])
def test_a_download_that_fails_is_a_source_error(
    checkout: Checkout, upstream: Upstream, answer: Callable[[Upstream], None]
) -> None:
    """An error status and a broken connection leave nothing but the remedies."""
    answer(upstream)
    with pytest.raises(SourceError, match=r"data\.source: synthetic"):
        checkout.ingest("ada", "bob", "eve")
    assert checkout.written() == set()


def test_a_download_that_breaks_off_is_begun_again(checkout: Checkout, upstream: Upstream) -> None:
    """Twice at most."""
    upstream.breaks = 2
    checkout.ingest("ada", "bob", "eve")
    assert_complete(checkout)


def test_a_configured_source_comes_before_upstream(checkout: Checkout, closed_port: str, source: Path) -> None:
    """Nothing is asked of the network where AUDIOMNIST_SOURCE is set."""
    del closed_port, source
    checkout.ingest("ada", "bob", "eve")
    assert_complete(checkout)


@pytest.mark.usefixtures("closed_port")
def test_a_synthetic_corpus_needs_no_source(checkout: Checkout) -> None:
    """It has all its voices, and the report names it, its seed and its takes."""
    report = checkout.ingest("ada", source="synthetic")
    rows = manifest.read(checkout.root / "recordings.csv")
    manifest.verify(checkout.raw, rows, "raw")
    assert {row.speaker for row in rows} == {voice.speaker for voice in VOICES}
    assert (report["dataset"], report["version"]) == (info.SYNTHETIC, "seed 0, 1 takes")
    assert (report["recordings"], report["speakers"]) == (60, 6)


@pytest.mark.usefixtures("source")
def test_the_report_counts_recordings_speakers_and_seconds(checkout: Checkout) -> None:
    """Twelve recordings of a tenth of a second by three speakers, and the version of the dataset: their hash."""
    report = checkout.ingest("ada", "bob", "eve")
    assert report == {
        "dataset": info.OWN,
        "version": info.content_sha256(manifest.read(checkout.complete))[:12],
        "recordings": 12,
        "speakers": 3,
        "seconds": 1.2,
        "duration_deciles_s": [0.1] * 9,
    }
    assert info.read(checkout.root / "report.json") == info.Dataset(report["dataset"], report["version"])


@pytest.fixture
def reviewed(checkout: Checkout) -> list[Recording]:
    """Two reviewed recordings of a speaker who is not in the manifest; their files lie in the folder."""
    (checkout.root / "reviewed").mkdir()
    for take in (0, 1):
        samples = np.full(1600, take + 1, dtype=np.int16)
        soundfile.write(checkout.root / "reviewed" / f"7_yan_{take}.wav", samples, 8000, subtype="PCM_16")
    rows = manifest.describe_folder(checkout.root / "reviewed").recordings
    manifest.write(checkout.reviewed, rows)
    return rows


@pytest.mark.usefixtures("source")
def test_reviewed_recordings_are_added_whoever_is_selected(checkout: Checkout, reviewed: list[Recording]) -> None:
    """After the others; the version of the dataset says how many, and which."""
    alone = [row for row in manifest.read(checkout.complete) if row.speaker == "ada"]
    report = checkout.ingest("ada")
    written = manifest.read(checkout.root / "recordings.csv")
    assert written == [*alone, *reviewed]
    manifest.verify(checkout.raw, written, "raw")
    assert report["version"] == (
        f"{info.content_sha256(alone)[:12]} and 2 reviewed, {info.content_sha256(reviewed)[:12]}"
    )
    assert (report["dataset"], report["recordings"], report["speakers"]) == (info.OWN, 6, 2)
    assert report["seconds"] == 0.8


def test_reviewed_recordings_are_added_to_a_synthetic_corpus(checkout: Checkout, reviewed: list[Recording]) -> None:
    """Which has its voices, and one speaker more."""
    report = checkout.ingest(source="synthetic")
    assert manifest.read(checkout.root / "recordings.csv")[-2:] == reviewed
    assert (report["recordings"], report["speakers"]) == (62, 7)
    assert re.fullmatch("seed 0, 1 takes and 2 reviewed, [0-9a-f]{12}", report["version"])


def altered(path: Path) -> None:
    """Write something else into a file."""
    path.write_bytes(b"altered")


@pytest.mark.usefixtures("source", "reviewed")
@pytest.mark.parametrize("spoil", [Path.unlink, altered])
def test_a_reviewed_recording_that_is_not_there_is_named_with_the_remedy(
    checkout: Checkout, spoil: Callable[[Path], None]
) -> None:
    """As in a clone without the data; nothing is left."""
    spoil(checkout.root / "reviewed" / "7_yan_1.wav")
    remedy = r"`dvc checkout .*reviewed\.dvc` brings them, or `dvc pull .*reviewed\.dvc`"
    with pytest.raises(ReviewedError, match=rf"lacks 1 of the 2 reviewed .*: 7_yan_1\.wav\. {remedy}"):
        checkout.ingest("ada")
    assert checkout.written() == {"reviewed"}


@pytest.mark.usefixtures("source")
def test_a_reviewed_recording_with_the_name_of_another_is_named(checkout: Checkout, reviewed: list[Recording]) -> None:
    """As after a new manifest."""
    manifest.write(checkout.reviewed, [replace(reviewed[0], file="7_ada_0.wav", speaker="ada")])
    with pytest.raises(ReviewedError, match=r"the names of others in the corpus: 7_ada_0\.wav\. Delete their rows"):
        checkout.ingest("ada")
    assert checkout.written() == {"reviewed"}


@pytest.mark.usefixtures("source")
def test_a_dataset_has_its_users_name_and_a_version_by_its_content(checkout: Checkout) -> None:
    """Fewer speakers are another version."""
    every, fewer = checkout.ingest(name="digits"), checkout.ingest("ada", name="digits")
    assert (every["dataset"], fewer["dataset"], every["speakers"]) == ("digits", "digits", 3)
    assert every["version"] != fewer["version"]


@pytest.mark.usefixtures("upstream")
def test_upstreams_recordings_are_known_by_their_content(checkout: Checkout) -> None:
    """Whatever a user calls them otherwise."""
    report = checkout.ingest("ada", "bob")
    assert (report["dataset"], report["version"]) == (info.FSDD, "1.0.10, only ada, bob")
    assert checkout.ingest(name="twelve")["dataset"] == "twelve"


def in_folders(recordings: Path, target: Path) -> Path:
    """Copy the recordings into a folder of each speaker, with equal names in all."""
    for path in recordings.iterdir():
        digit, speaker, take = path.stem.split("_")
        (target / speaker).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / speaker / f"{digit}-{take}.WAV")
    return target


def test_recordings_in_folders_are_copied_under_their_names_in_the_corpus(
    checkout: Checkout, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest says where each is; raw and its own manifest have the names alone."""
    own = in_folders(recordings, tmp_path / "own")
    rows = manifest.describe_folder(own, "{speaker}/{digit}-{take}.wav").recordings
    manifest.write(checkout.complete, rows)
    monkeypatch.setenv(SOURCE_VARIABLE, str(own))
    checkout.ingest()
    written = manifest.read(checkout.root / "recordings.csv")
    manifest.verify(checkout.raw, written, "raw")
    assert [row.file for row in written] == [path.name for path in sorted(recordings.iterdir())]
    assert (rows[0].source, written[0].source) == ("ada/3-0.WAV", "")
    (own / "ada" / "3-0.WAV").unlink()
    with pytest.raises(ManifestError, match=r"1 missing: ada/3-0\.WAV \(3_ada_0\.wav\)"):
        checkout.ingest()


def test_an_archive_has_no_folders_to_look_in(
    checkout: Checkout, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to do with it."""
    own = in_folders(recordings, tmp_path / "own")
    manifest.write(checkout.complete, manifest.describe_folder(own, "{speaker}/{digit}-{take}.wav").recordings)
    monkeypatch.setenv(SOURCE_VARIABLE, shutil.make_archive(str(tmp_path / "packed"), "zip", own))
    with pytest.raises(SourceError, match=r"unpack .*packed\.zip"):
        checkout.ingest()


def test_other_recordings_than_upstreams_are_not_downloaded(checkout: Checkout, closed_port: str, source: Path) -> None:
    """The error names the variable, and nothing is asked of the network."""
    del closed_port
    (source / "3_ada_0.wav").unlink()
    manifest.write(checkout.complete, manifest.describe_folder(source).recordings)
    os.environ.pop(SOURCE_VARIABLE)
    with pytest.raises(SourceError, match=f"the manifest lists other recordings: set {SOURCE_VARIABLE}"):
        checkout.ingest()
    assert checkout.written() == set()


def test_the_report_has_the_deciles_of_the_durations(checkout: Checkout, source: Path) -> None:
    """In seconds; a reference for later runs is made of them."""
    for index, path in enumerate(sorted(source.iterdir())):
        soundfile.write(path, np.full(800 * (index + 1), index + 1, dtype=np.int16), 8000, subtype="PCM_16")
    manifest.write(checkout.complete, manifest.describe_folder(source).recordings)
    report = checkout.ingest("ada", "bob", "eve")
    deciles = np.quantile(np.arange(1, 13) / 10, np.arange(1, 10) / 10)
    assert report["duration_deciles_s"] == pytest.approx(deciles.tolist(), abs=1e-4)
    assert info.deciles_of_durations(checkout.root / "report.json") == report["duration_deciles_s"]
    assert report["seconds"] == pytest.approx(7.8)
    found = quantiles_histogram(report["duration_deciles_s"])
    assert found.edges == tuple(report["duration_deciles_s"])
    assert found.shares == pytest.approx([0.1] * 10)


def test_every_recording_that_is_no_sound_is_named_and_nothing_is_left(checkout: Checkout, source: Path) -> None:
    """Although they are what the manifest lists."""
    (source / "3_ada_0.wav").write_bytes(b"not a sound")
    (source / "7_eve_1.wav").write_bytes(b"")
    soundfile.write(source / "3_bob_0.wav", np.full(800, 1e30), 8000, subtype="FLOAT")
    manifest.write(checkout.complete, manifest.describe_folder(source).recordings)
    with pytest.raises(
        ManifestError,
        match=r"(?s)cannot be used.*3_ada_0\.wav: is no WAVE.*3_bob_0\.wav: has samples up to 1e\+30"
        r".*7_eve_1\.wav: holds no bytes",
    ):
        checkout.ingest("ada", "bob", "eve")
    assert checkout.written() == set()


@pytest.mark.parametrize(
    ("speakers", "version"),
    [
        (FIRST_THREE, "1.0.8"),
        (FIRST_THREE + NEXT_TWO, "1.0.9"),
        (LAST + NEXT_TWO + FIRST_THREE, "1.0.10"),
        (["theo", "george"], "1.0.10, only george, theo"),
        (["zoe"], "1.0.10, only zoe"),
    ],
)
def test_upstreams_versions_are_known_by_their_speakers(speakers: list[str], version: str) -> None:
    """The order of the names does not matter, and any other choice is listed by name."""
    assert info.fsdd_version(speakers) == version
