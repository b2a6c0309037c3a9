"""Recordings out of archives that nobody has to trust."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from audiomnist.ingest import archive
from audiomnist.ingest.archive import ArchiveError

Member = tuple[str, bytes]
Pack = Callable[[Path, Sequence[Member]], Path]


def pack_tar(folder: Path, members: Sequence[Member]) -> Path:
    """Write a .tar.gz of regular files."""
    path = folder / "recordings.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def pack_zip(folder: Path, members: Sequence[Member]) -> Path:
    """Write a .zip of regular files."""
    path = folder / "recordings.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in members:
            zipped.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return path


def pack_tar_link(folder: Path, name: str, kind: bytes) -> Path:
    """Write a .tar.gz whose one member is not a regular file."""
    path = folder / "recordings.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    return path


def pack_zip_special(folder: Path, name: str, mode: int) -> Path:
    """Write a .zip whose one member has this Unix mode."""
    path = folder / "recordings.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        member = zipfile.ZipInfo(name)
        member.external_attr = mode << 16
        zipped.writestr(member, "/etc/passwd")
    return path


@pytest.fixture(params=[pack_tar, pack_zip], ids=["tar.gz", "zip"])
def pack(request: pytest.FixtureRequest) -> Pack:
    """Each kind of archive in turn."""
    kind: Pack = request.param
    return kind


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An empty folder within an empty folder."""
    folder = tmp_path / "around" / "out"
    folder.mkdir(parents=True)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Return name and content of every file."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.tar.gz", True), ("a.tgz", True), ("a.zip", True), ("a.tar", False), ("a.7z", False), ("zip", False)],
)
def test_an_archive_is_known_by_its_name(name: str, *, expected: bool) -> None:
    """Only what can be unpacked counts."""
    assert archive.is_archive(Path(name)) is expected


def test_every_wav_is_taken_out_under_its_last_name(tmp_path: Path, out: Path, pack: Pack) -> None:
    """Folders within the archive do not matter, nor does an empty recording."""
    members = [("fsdd-1.0/recordings/0_ada_0.wav", b"zero"), ("1_ada_0.wav", b"one"), ("./a/2_ada_0.wav", b"")]
    archive.extract_recordings(pack(tmp_path, members), out)
    assert contents(out) == {"0_ada_0.wav": b"zero", "1_ada_0.wav": b"one", "2_ada_0.wav": b""}


def test_other_members_are_passed_over(tmp_path: Path, out: Path, pack: Pack) -> None:
    """Whatever is not named `*.wav` stays in the archive, wherever it points."""
    members = [("README.md", b"text"), ("../../evil.py", b"code"), ("a.wav.txt", b"text"), ("0_ada_0.wav", b"zero")]
    archive.extract_recordings(pack(tmp_path, members), out)
    assert contents(out) == {"0_ada_0.wav": b"zero"}


@pytest.mark.parametrize("name", ["/0_ada_0.wav", "../0_ada_0.wav", "a/../../0_ada_0.wav", "..\\0_ada_0.wav"])
def test_a_name_that_points_out_of_the_archive_is_refused(tmp_path: Path, out: Path, pack: Pack, name: str) -> None:
    """Nothing is written, inside or outside, and the error has the name."""
    with pytest.raises(ArchiveError, match="points out of the archive") as caught:
        archive.extract_recordings(pack(tmp_path, [(name, b"evil")]), out)
    assert repr(name) in str(caught.value)
    assert [path.name for path in out.parent.rglob("*")] == ["out"]


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE],
    ids=["symlink", "hard link", "pipe", "device", "folder"],
)
def test_a_wav_in_a_tar_that_is_no_regular_file_is_refused(tmp_path: Path, out: Path, kind: bytes) -> None:
    """Links are not followed, and devices are not made."""
    with pytest.raises(ArchiveError, match=r"'0_ada_0\.wav/?' is not a regular file|cannot be unpacked"):
        archive.extract_recordings(pack_tar_link(tmp_path, "0_ada_0.wav", kind), out)
    assert contents(out) == {}


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO, stat.S_IFCHR], ids=["symlink", "pipe", "device"])
def test_a_wav_in_a_zip_that_is_no_regular_file_is_refused(tmp_path: Path, out: Path, mode: int) -> None:
    """The Unix mode in the archive's directory tells."""
    with pytest.raises(ArchiveError, match=r"'0_ada_0\.wav' is not a regular file"):
        archive.extract_recordings(pack_zip_special(tmp_path, "0_ada_0.wav", mode), out)
    assert contents(out) == {}


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("other", ["a/0_ada_0.wav", "b/0_ada_0.wav"])
def test_one_name_that_is_repeated_is_refused(tmp_path: Path, out: Path, pack: Pack, other: str) -> None:
    """In one folder of the archive or in two: no file takes another's place."""
    with pytest.raises(ArchiveError, match=r"0_ada_0\.wav is twice"):
        archive.extract_recordings(pack(tmp_path, [("a/0_ada_0.wav", b"first"), (other, b"second")]), out)
    assert contents(out) == {"0_ada_0.wav": b"first"}


def test_a_large_member_is_refused(tmp_path: Path, out: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is the last size that is taken."""
    monkeypatch.setattr(archive, "MAX_FILE_BYTES", 100)
    members = [("0_ada_0.wav", bytes(100)), ("1_ada_0.wav", bytes(101))]
    with pytest.raises(ArchiveError, match=r"'1_ada_0\.wav' is larger than 100 bytes"):
        archive.extract_recordings(pack(tmp_path, members), out)
    assert contents(out) == {"0_ada_0.wav": bytes(100)}


def test_a_large_sum_is_refused(tmp_path: Path, out: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small members count together."""
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 250)
    members = [(f"{digit}_ada_0.wav", bytes(100)) for digit in range(3)]
    with pytest.raises(ArchiveError, match="unpacks to more than 250 bytes"):
        archive.extract_recordings(pack(tmp_path, members), out)
    assert len(contents(out)) == 2


def test_many_members_are_refused(tmp_path: Path, out: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if most of them are no recordings; as many as the bound says are taken."""
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    names = ["a.txt", "b.txt", "0_ada_0.wav", "c.txt"]
    archive.extract_recordings(pack(tmp_path, [(name, b"") for name in names[:3]]), out)
    with pytest.raises(ArchiveError, match="has more than 3 members"):
        archive.extract_recordings(pack(tmp_path, [(name, b"") for name in names]), tmp_path)


@pytest.mark.parametrize("kept", [0.0, 0.2, 0.5, 0.9])
def test_a_truncated_archive_is_refused(tmp_path: Path, out: Path, pack: Pack, kept: float) -> None:
    """A download that broke off is damage, whatever came through; no part of a recording is written."""
    noise = bytes((7 * index * index) % 251 for index in range(5000))
    members = {f"{digit}_ada_0.wav": noise[digit:] for digit in range(8)}
    path = pack(tmp_path, list(members.items()))
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(ArchiveError, match=f"{path.name} cannot be unpacked"):
        archive.extract_recordings(path, out)
    assert contents(out).items() <= members.items()


@pytest.mark.parametrize("name", ["garbage.tar.gz", "garbage.zip", "absent.tar.gz", "absent.zip"])
def test_what_is_no_archive_is_refused(tmp_path: Path, out: Path, name: str) -> None:
    """The error names the file."""
    for kind in ("tar.gz", "zip"):
        (tmp_path / f"garbage.{kind}").write_bytes(b"no archive at all")
    with pytest.raises(ArchiveError, match=f"{name} cannot be unpacked"):
        archive.extract_recordings(tmp_path / name, out)


def test_a_zip_that_understates_a_size_is_refused(tmp_path: Path, out: Path) -> None:
    """A member that says 10 bytes and inflates to a million is not believed, and not written."""
    path = pack_zip(tmp_path, [("0_ada_0.wav", bytes(1_000_000))])
    content = path.read_bytes()
    assert content.count((1_000_000).to_bytes(4, "little")) == 2
    path.write_bytes(content.replace((1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(ArchiveError):
        archive.extract_recordings(path, out)
    assert contents(out) == {}


def test_damage_in_the_middle_is_an_archive_error_or_seen_in_the_bytes(tmp_path: Path, out: Path, pack: Pack) -> None:
    """What the decompressor does not notice, the manifest's hash will; no other error comes out."""
    sound = bytes(range(256)) * 40
    path = pack(tmp_path, [("0_ada_0.wav", sound)])
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle - 20 : middle + 20] = b"\xff" * 40
    path.write_bytes(content)
    with suppress(ArchiveError):
        archive.extract_recordings(path, out)
        assert contents(out) != {"0_ada_0.wav": sound}


def test_what_macos_writes_beside_each_file_is_passed_over(tmp_path: Path, out: Path, pack: Pack) -> None:
    """Its Finder adds `._name` for every name."""
    path = pack(tmp_path, [("recordings/0_ada_0.wav", b"sound"), ("__MACOSX/recordings/._0_ada_0.wav", b"?")])
    archive.extract_recordings(path, out)
    assert contents(out) == {"0_ada_0.wav": b"sound"}
