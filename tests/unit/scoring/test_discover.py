"""Listing an inbox and reading a file, on a real file system."""

import errno
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiomnist.scoring.inbox import discover
from audiomnist.scoring.inbox.discover import Candidate, Deferred, Entry, Excluded, InboxError, Unusable
from audiomnist.scoring.inbox.selection import PatternError, Selection

LIMIT_BYTES = 1000
STRANGE_NAMES = [
    b"a\nb.wav",
    "naïve 🎤.wav".encode(),
    b"caf\xe9 \xff.wav",
    b"n" * 251 + b".wav",
    b"--help",
    b"-",
    b"a\\b\\x41.wav",
    b" ",
    b"*?[a]$HOME;.wav",
    b"\x1b[2J\r.wav",
    "\u202egpj.wav".encode(),
    b"no suffix",
    b"7.txt",
]
NAMES = st.sampled_from([b".a", b"a.part", b"b~", b"c.TMP"]) | st.binary(min_size=1, max_size=20).filter(
    lambda name: (
        not set(name) & set(b"\0/") and name not in {b".", b".."} and not Selection().excludes(name, is_folder=False)
    )
)
CONTENTS = st.binary(max_size=20)
TREES = st.dictionaries(
    NAMES, st.recursive(CONTENTS, lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=12), max_size=4
)

# Prints what is found and read as a user who is not root; the modules are imported before, in case they are where
# that user may not look.
UNPRIVILEGED = """
import json, os, sys
from pathlib import Path
from audiomnist.scoring.inbox import discover
folder = Path(sys.argv[1])
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
def outcome(found):
    if not isinstance(found, discover.Candidate):
        return getattr(found, "reason", "excluded")
    content = discover.read(folder, found, 1000)
    return content.decode() if isinstance(content, bytes) else content.reason
try:
    print(json.dumps({found.path.decode(): outcome(found) for found in discover.discover(folder)}))
except discover.InboxError as error:
    sys.exit(str(error))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An inbox, beside which tests can put other things."""
    path = tmp_path / "inbox"
    path.mkdir()
    return path


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """An inbox in a folder that every user of the machine may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        path = Path(name, "inbox")
        path.mkdir()
        yield path
        path.chmod(0o755)


@pytest.fixture
def nest(folder: Path) -> Iterator[Callable[[int], None]]:
    """Make folders within folders, each named `d`, the innermost of which holds the file `7.wav`."""

    def make(levels: int) -> None:
        descriptor = os.open(folder, os.O_RDONLY)
        for _ in range(levels):
            os.mkdir("d", dir_fd=descriptor)
            outer, descriptor = descriptor, os.open("d", os.O_RDONLY, dir_fd=descriptor)
            os.close(outer)
        os.close(os.open("7.wav", os.O_CREAT, dir_fd=descriptor))
        os.close(descriptor)

    yield make
    while (folder / "d" / "d").is_dir():
        (folder / "d" / "d").rename(folder / "inner")
        (folder / "d").rmdir()
        (folder / "inner").rename(folder / "d")


def place(folder: Path, path: bytes) -> Path:
    """Return where a path of the inbox is, having made the folders on the way."""
    whole = Path(os.fsdecode(os.fsencode(folder) + b"/" + path))
    whole.parent.mkdir(parents=True, exist_ok=True)
    return whole


def found_in(folder: Path) -> dict[bytes, Entry]:
    """Return what is found by its path."""
    found = list(discover.discover(folder))
    assert len({item.path for item in found}) == len(found)
    return {item.path: item for item in found}


def described(found: Entry) -> str:
    """Return the class of what is found, and its reason if it has one."""
    return " ".join([type(found).__name__, *([] if isinstance(found, Candidate | Excluded) else [found.reason])])


def reasons_in(folder: Path) -> dict[bytes, str]:
    """Return the class and the reason of each thing that is found, by its path."""
    return {path: described(found) for path, found in found_in(folder).items()}


def candidate(folder: Path, name: bytes) -> Candidate:
    """Return the candidate of that name."""
    found = found_in(folder)[name]
    assert isinstance(found, Candidate)
    return found


def read(folder: Path, found: Candidate | Unusable) -> bytes:
    """Return the content of one file."""
    content = discover.read(folder, found, LIMIT_BYTES)
    assert isinstance(content, bytes)
    return content


def outcome_of_reading(folder: Path, found: Candidate | Unusable) -> Deferred | Unusable:
    """Return why a file is not read."""
    outcome = discover.read(folder, found, LIMIT_BYTES)
    assert not isinstance(outcome, bytes)
    assert outcome.path == found.path
    return outcome


def as_unprivileged_user(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Discover and read a folder as a user who is not root."""
    command = [sys.executable, "-c", UNPRIVILEGED, str(folder)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Let this process open no more files."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open("/", os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_an_empty_inbox_holds_nothing(folder: Path) -> None:
    """Nor do empty folders in it."""
    (folder / "night" / "late").mkdir(parents=True)
    assert found_in(folder) == {}


def test_a_file_is_found_with_its_size_and_time(folder: Path) -> None:
    """The time counts nanoseconds."""
    (folder / "7.wav").write_bytes(b"sound")
    os.utime(folder / "7.wav", ns=(0, 1_700_000_000_123_456_789))
    assert list(discover.discover(folder)) == [Candidate(b"7.wav", 5, 1_700_000_000_123_456_789)]


@pytest.mark.parametrize("name", STRANGE_NAMES)
def test_any_name_is_found_and_read(folder: Path, name: bytes) -> None:
    """As a file's name, and as a folder's; whatever the suffix."""
    for path in (name, b"night/" + name + b"/" + name):
        place(folder, path).write_bytes(path)
    found = list(discover.discover(folder))
    assert {item.path for item in found} == {name, b"night/" + name + b"/" + name}
    for item in found:
        assert isinstance(item, Candidate)
        assert read(folder, item) == item.path


@pytest.mark.parametrize("spelling", ["relative", "dotted", "link", "trailing slash"])
def test_the_inbox_may_be_spelt_in_any_way(folder: Path, monkeypatch: pytest.MonkeyPatch, spelling: str) -> None:
    """Paths are relative to it all the same; the inbox itself may be a link."""
    (folder / "night").mkdir()
    (folder / "night" / "7.wav").write_bytes(b"sound")
    (folder.parent / "door").symlink_to("inbox")
    monkeypatch.chdir(folder.parent)
    spelt = Path({"relative": "inbox", "dotted": "inbox/../inbox", "link": "door"}.get(spelling, f"{folder}/"))
    assert reasons_in(spelt) == {b"night/7.wav": "Candidate"}
    assert read(spelt, candidate(spelt, b"night/7.wav")) == b"sound"


LEFT_BY_SYSTEMS = [
    *(
        "lost+found/",
        "System Volume Information/",
        "$RECYCLE.BIN/",
        "@eaDir/",
        "__MACOSX/",
        ".Trash-1000/",
        ".Trashes/",
    ),
    *(".DS_Store", "Thumbs.db", "desktop.ini", "Desktop.ini", "._7.wav"),
]


@pytest.mark.parametrize("name", LEFT_BY_SYSTEMS)
@pytest.mark.parametrize("inside", ["", "night/"])
def test_what_systems_leave_is_excluded(folder: Path, name: str, inside: str) -> None:
    """Wherever it lies; a folder is one entry, and is not entered."""
    left = place(folder, f"{inside}{name}".rstrip("/").encode())
    if name.endswith("/"):
        left.mkdir()
        (left / "7.wav").write_bytes(b"sound")
    else:
        left.write_bytes(b"")
    place(folder, f"{inside}lost and found.wav".encode()).write_bytes(b"sound")
    assert reasons_in(folder) == {
        f"{inside}{name}".rstrip("/").encode(): "Excluded",
        f"{inside}lost and found.wav".encode(): "Candidate",
    }


def test_a_folder_of_the_file_system_that_only_root_may_list_needs_nobody(open_folder: Path) -> None:
    """As at the top of a disk."""
    (open_folder / "7.wav").write_bytes(b"sound")
    (open_folder / "lost+found").mkdir(mode=0o700)
    assert {found.path for found in discover.discover(open_folder)} == {b"7.wav", b"lost+found"}
    ended = as_unprivileged_user(open_folder)
    assert json.loads(ended.stdout) == {"7.wav": "sound", "lost+found": "excluded"}, ended.stderr


@pytest.mark.parametrize(
    ("include", "exclude", "taken"),
    [
        ([], [], {"a.wav", "a.txt", "old/a.wav", "new/a.wav", "new/old/b.wav"}),
        (["*.wav"], [], {"a.wav", "old/a.wav", "new/a.wav", "new/old/b.wav"}),
        (["/*.wav"], [], {"a.wav"}),
        (["new/"], [], {"new/a.wav", "new/old/b.wav"}),
        (["*.wav", "*.txt"], ["old/"], {"a.wav", "a.txt", "new/a.wav"}),
        ([], ["/old/"], {"a.wav", "a.txt", "new/a.wav", "new/old/b.wav"}),
        ([], ["*.wav", "!b.wav"], {"a.txt", "new/old/b.wav"}),
        (["**/old/*"], [], {"old/a.wav", "new/old/b.wav"}),
        (["*.flac"], [], set()),
    ],
)
def test_patterns_are_those_of_gitignore_files(
    folder: Path, include: list[str], exclude: list[str], taken: set[str]
) -> None:
    """Files that match one of those to include, but none of those to exclude."""
    for path in ("a.wav", "a.txt", "old/a.wav", "new/a.wav", "new/old/b.wav"):
        place(folder, path.encode()).write_bytes(b"sound")
    found = list(discover.discover(folder, Selection(include, exclude)))
    assert {item.path.decode() for item in found if isinstance(item, Candidate)} == taken
    assert {type(item) for item in found} <= {Candidate, Excluded}


def test_a_folder_that_is_excluded_is_one_entry(folder: Path) -> None:
    """It is not entered; a file of its name is not meant."""
    for path in (b"old/a.wav", b"old/b.wav", b"new/old"):
        place(folder, path).write_bytes(b"sound")
    found = list(discover.discover(folder, Selection(exclude=["old/"])))
    assert [(item.path, type(item)) for item in found] == [(b"new/old", Candidate), (b"old", Excluded)]


@pytest.mark.parametrize("name", STRANGE_NAMES)
def test_patterns_match_any_name(folder: Path, name: bytes) -> None:
    """Be it text or not."""
    place(folder, name).write_bytes(b"sound")
    assert reasons_in(folder) == {name: "Candidate"}
    (left,) = discover.discover(folder, Selection(exclude=["*"]))
    assert left == Excluded(name)


@pytest.mark.parametrize("pattern", ["", "#a", " "])
def test_a_pattern_that_matches_nothing_is_refused(pattern: str) -> None:
    """It is no doubt a mistake."""
    with pytest.raises(PatternError, match="matches no file"):
        Selection([pattern])


def test_what_is_no_pattern_is_refused_with_its_text() -> None:
    """And the reason."""
    with pytest.raises(PatternError, match=r"^'!' is not a pattern of \.gitignore files: .*!"):
        Selection(["!"])


def test_entries_come_depth_first_in_the_order_of_their_bytes(folder: Path) -> None:
    """The files of a folder are sorted at the position of its name."""
    names = [b"B", b"a", b"b/a", b"b/c/z", b"b/d", b"b!", b"c", b"\xff"]
    for name in names:
        place(folder, name).touch()
    assert [found.path for found in discover.discover(folder)] == sorted(names, key=lambda name: name.split(b"/"))
    assert [found.path for found in discover.discover(folder)][2] == b"b/a"


def test_a_name_that_the_system_lists_twice_is_found_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As some file systems do with a file that is renamed while they list."""
    folder.joinpath("a.wav").touch()
    listed = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: 2 * listed(path))
    assert [found.path for found in discover.discover(folder)] == [b"a.wav"]


@given(tree=TREES)
def test_what_is_found_is_what_os_walk_finds(tree: dict[bytes, Any]) -> None:
    """Each file once, in the one order, none left out but what is hidden or unfinished."""
    with tempfile.TemporaryDirectory() as name:
        grow(os.fsencode(name), tree)
        found = list(discover.discover(Path(name)))
        assert [item.path for item in found] == walked(os.fsencode(name))
        for item in found:
            assert isinstance(item, Candidate) == (not unfinished(item.path))
            if isinstance(item, Candidate):
                assert read(Path(name), item) == Path(name, os.fsdecode(item.path)).read_bytes()


def grow(folder: bytes, tree: dict[bytes, Any]) -> None:
    """Make the files and folders of a tree; a file is given by its content."""
    for name, inner in tree.items():
        path = Path(os.fsdecode(folder + b"/" + name))
        if isinstance(inner, bytes):
            path.write_bytes(inner)
        else:
            path.mkdir()
            grow(os.fsencode(path), inner)


def walked(folder: bytes) -> list[bytes]:
    """Return the paths that the standard library finds, those of hidden folders in the place of their content."""
    paths = []
    for place, folders, files in os.walk(folder):
        hidden = [name for name in folders if name.startswith(b".")]
        folders[:] = [name for name in folders if name not in hidden]
        paths += [os.path.relpath(place + b"/" + name, folder) for name in files + hidden]
    return sorted(paths, key=lambda path: path.split(b"/"))


def unfinished(path: bytes) -> bool:
    """Return whether the name is one of an unfinished file."""
    name = path.rpartition(b"/")[2]
    suffixes = (b".part", b".partial", b".tmp", b".crdownload", b".filepart", b"~")
    return name.startswith(b".") or name.lower().endswith(suffixes)


@pytest.mark.parametrize(
    "name",
    [".7.wav.Xy12", "7.wav.part", "7.PARTIAL", "7.Tmp", "7.crdownload", "7.wav.filepart", "~"],
)
def test_a_file_whose_name_says_that_it_is_unfinished_is_deferred(folder: Path, name: str) -> None:
    """Programs that copy and download write under such names first."""
    (folder / "night").mkdir()
    (folder / "night" / name).touch()
    assert reasons_in(folder) == {f"night/{name}".encode(): "Deferred unfinished_name"}


@pytest.mark.parametrize("name", ["7.part.wav", "part", "tmp", "a~b.wav", "7.parts"])
def test_a_name_that_only_resembles_an_unfinished_one_is_no_reason(folder: Path, name: str) -> None:
    """The end of the name counts, with its dot."""
    (folder / name).touch()
    assert reasons_in(folder) == {name.encode(): "Candidate"}


def test_a_hidden_folder_is_deferred_as_one(folder: Path) -> None:
    """What it holds is not found; a folder with the suffix of an unfinished file is like any other."""
    for name in (".rsync-partial", "new.part"):
        (folder / name).mkdir()
        (folder / name / "7.wav").touch()
    assert reasons_in(folder) == {b".rsync-partial": "Deferred unfinished_name", b"new.part/7.wav": "Candidate"}


def test_a_link_is_unusable_wherever_it_leads(folder: Path) -> None:
    """To a file or a folder of the inbox, out of it, to nothing, to itself: none is followed."""
    place(folder, b"night/7.wav").touch()
    targets = {
        "a": "night/7.wav",
        "b": "night",
        "c": ".",
        "d": "..",
        "e": "/dev/null",
        "f": "absent",
        "g": "g",
    }
    for name, target in targets.items():
        (folder / name).symlink_to(target)
    expected = dict.fromkeys((name.encode() for name in targets), "Unusable link")
    assert reasons_in(folder) == {**expected, b"night/7.wav": "Candidate"}


def test_a_link_has_its_own_size_and_time_and_no_content(folder: Path) -> None:
    """Nothing is reported about its target."""
    (folder / "target").write_bytes(b"sound")
    link = folder / "7.wav"
    link.symlink_to("target")
    os.utime(link, ns=(0, 1_700_000_000_123_456_789), follow_symlinks=False)
    found = found_in(folder)[b"7.wav"]
    assert isinstance(found, Unusable)
    assert (found.size_bytes, found.modified_ns) == (len("target"), 1_700_000_000_123_456_789)
    assert outcome_of_reading(folder, found) == found


def test_a_link_with_the_name_of_an_unfinished_file_is_deferred(folder: Path) -> None:
    """As a file of that name is."""
    (folder / "7.wav.part").symlink_to("absent")
    assert reasons_in(folder) == {b"7.wav.part": "Deferred unfinished_name"}


def test_pipes_and_sockets_are_unusable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is opened, which would wait for a writer."""
    monkeypatch.chdir(folder)
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    assert reasons_in(folder) == dict.fromkeys((b"pipe", b"socket"), "Unusable not_regular_file")


def test_devices_are_unusable() -> None:
    """As in /dev."""
    null = next(found for found in discover.discover(Path("/dev")) if found.path == b"null")
    assert described(null) == "Unusable not_regular_file"


def test_what_vanishes_while_the_folder_is_walked_is_deferred(folder: Path) -> None:
    """A folder and a file; what comes after is found."""
    for path in (b"a", b"b/7.wav", b"c", b"e/7.wav"):
        place(folder, path).touch()
    found = discover.discover(folder)
    assert next(found).path == b"a"
    shutil.rmtree(folder / "b")
    (folder / "c").unlink()
    *gone, file = found
    assert [(item.path, getattr(item, "reason", None)) for item in gone] == [
        (name, "vanished") for name in (b"b", b"c")
    ]
    assert file.path == b"e/7.wav"


def test_a_folder_that_becomes_a_file_while_it_is_walked_takes_its_names_along(folder: Path) -> None:
    """What was in it is deferred, not an error."""
    for path in (b"a/1", b"a/2"):
        place(folder, path).touch()
    found = discover.discover(folder)
    assert next(found).path == b"a/1"
    shutil.rmtree(folder / "a")
    (folder / "a").touch()
    assert list(found) == [Deferred(b"a/2", "vanished", "is no longer there")]


def test_what_may_not_be_read_is_deferred_and_the_walk_goes_on(open_folder: Path) -> None:
    """A folder that cannot be listed is one outcome; one that cannot be entered has its names; a file its own."""
    for path in (b"a/7.wav", b"b/7.wav", b"c.wav", b"d.wav"):
        place(open_folder, path).write_text("sound", encoding="utf-8")
    for name, mode in {"a": 0o000, "b": 0o444, "c.wav": 0o000}.items():
        (open_folder / name).chmod(mode)
    done = as_unprivileged_user(open_folder)
    refused = dict.fromkeys(("a", "b/7.wav", "c.wav"), "no_permission")
    assert json.loads(done.stdout) == {**refused, "d.wav": "sound"}


def test_an_inbox_that_may_not_be_listed_is_an_error(open_folder: Path) -> None:
    """Before anything is found."""
    open_folder.chmod(0o311)
    done = as_unprivileged_user(open_folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip() == (
        f"{open_folder} is no folder that can be listed (Permission denied): name one that this user may read"
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [("absent", "No such file"), ("file", "Not a directory"), ("loop", "Too many levels"), ("n" * 256, "too long")],
)
def test_an_inbox_that_is_no_folder_is_an_error(tmp_path: Path, name: str, why: str) -> None:
    """The call raises it, before anything is asked for."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InboxError, match=why) as caught:
        discover.discover(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name} is no folder")


def test_an_error_about_the_inbox_can_be_printed(tmp_path: Path) -> None:
    """Whatever its name is made of."""
    with pytest.raises(InboxError) as caught:
        discover.discover(tmp_path / os.fsdecode(b"a\n\xff"))
    assert rf"{tmp_path}/a\n\xff is no folder" in str(caught.value)


def test_an_error_of_the_system_is_deferred(folder: Path) -> None:
    """The folder and the file may be read by the next run."""
    (folder / "a").mkdir()
    (folder / "a" / "7.wav").touch()
    (folder / "b.wav").touch()
    found = discover.discover(folder)
    why = os.strerror(errno.EMFILE)
    with no_descriptor_left():
        folder_outcome, file = found
        assert isinstance(file, Candidate)
        file_outcome = outcome_of_reading(folder, file)
    assert folder_outcome == Deferred(b"a", "io_error", f"cannot be read: {why}")
    assert file_outcome == Deferred(b"b.wav", "io_error", f"cannot be read: {why}")


def test_folders_within_folders_are_followed_far_down(folder: Path, nest: Callable[[int], None]) -> None:
    """Deeper than functions may call themselves."""
    nest(1500)
    path = b"d/" * 1500 + b"7.wav"
    assert list(found_in(folder)) == [path]
    assert read(folder, candidate(folder, path)) == b""


def test_what_lies_too_deep_for_a_path_is_deferred(folder: Path, nest: Callable[[int], None]) -> None:
    """The system takes 4,095 bytes; the walk goes on."""
    nest(5000)
    (folder / "e.wav").touch()
    deep, file = discover.discover(folder)
    assert deep == Deferred(deep.path, "io_error", f"cannot be read: {os.strerror(errno.ENAMETOOLONG)}")
    assert 4090 < len(os.fsencode(folder) + b"/" + deep.path) < 4100
    assert file.path == b"e.wav"


def test_of_a_large_folder_only_the_names_are_held(folder: Path) -> None:
    """A million names would take less than 150 MB."""
    for number in range(4000):
        (folder / f"recording_{number:07}.wav").touch()
    tracemalloc.start()
    try:
        count = sum(1 for _ in discover.discover(folder))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 4000
    assert peak_bytes < 150 * count


@pytest.mark.parametrize("content", [b"", b"sound", bytes(LIMIT_BYTES)])
def test_a_file_is_read_whole(folder: Path, content: bytes) -> None:
    """An empty one too, and one of just the size that is allowed."""
    (folder / "7.wav").write_bytes(content)
    assert read(folder, candidate(folder, b"7.wav")) == content


def test_a_file_that_comes_in_pieces_is_read_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system may return fewer bytes than it was asked for."""
    (folder / "7.wav").write_bytes(b"a sound in pieces")
    file = candidate(folder, b"7.wav")
    original = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, size: original(descriptor, min(size, 3)))
    assert read(folder, file) == b"a sound in pieces"


def test_a_file_that_is_too_large_is_unusable_and_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte is enough."""
    (folder / "7.wav").write_bytes(bytes(LIMIT_BYTES + 1))
    file = candidate(folder, b"7.wav")
    monkeypatch.delattr(os, "read")
    assert outcome_of_reading(folder, file) == Unusable(
        b"7.wav", 1001, file.modified_ns, "too_large", "holds 1001 bytes, more than the 1000 that are read"
    )


def grown(path: Path) -> None:
    """Add to a file, and leave its time."""
    status = path.stat()
    with path.open("ab") as file:
        file.write(b"!")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def touched(path: Path) -> None:
    """Set a file's time a nanosecond on."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def shortened(path: Path) -> None:
    """Take a byte off a file, and leave its time."""
    status = path.stat()
    os.truncate(path, status.st_size - 1)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


CHANGES = [grown, touched, shortened]


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changed_since_it_was_found_is_deferred(folder: Path, change: Callable[[Path], None]) -> None:
    """Its size or time reveals it; the next run reads it."""
    (folder / "7.wav").write_bytes(b"sound")
    file = candidate(folder, b"7.wav")
    change(folder / "7.wav")
    assert described(outcome_of_reading(folder, file)) == "Deferred changing"
    assert read(folder, candidate(folder, b"7.wav")) == (folder / "7.wav").read_bytes()


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_it_is_read_is_deferred(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    """Another program writes after the first bytes have been read, before the file is compared again."""
    (folder / "7.wav").write_bytes(b"sound")
    file = candidate(folder, b"7.wav")
    writers = iter([change])
    original = os.read

    def read_then_change(descriptor: int, size: int) -> bytes:
        content = original(descriptor, size)
        for writer in writers:
            writer(folder / "7.wav")
        return content

    monkeypatch.setattr(os, "read", read_then_change)
    assert described(outcome_of_reading(folder, file)) == "Deferred changing"


@pytest.mark.parametrize("size_bytes", [4, 6])
def test_content_that_is_not_as_long_as_the_file_says_is_deferred(
    folder: Path, monkeypatch: pytest.MonkeyPatch, size_bytes: int
) -> None:
    """Size and time from a network file system can be some seconds old."""
    (folder / "7.wav").write_bytes(b"sound")
    file = candidate(folder, b"7.wav")
    status = (folder / "7.wav").stat()
    os.truncate(folder / "7.wav", size_bytes)
    monkeypatch.setattr(os, "fstat", lambda _: status)
    assert described(outcome_of_reading(folder, file)) == "Deferred changing"


def removed(path: Path) -> None:
    """Remove a file."""
    path.unlink()


def replaced_by_a_pipe(path: Path) -> None:
    """Put a pipe in a file's place."""
    path.unlink()
    os.mkfifo(path)


def replaced_by_a_folder(path: Path) -> None:
    """Put a folder in a file's place."""
    path.unlink()
    path.mkdir()


def replaced_by_a_link_outside(path: Path) -> None:
    """Move a file out of the inbox, and leave a link to it."""
    path.rename(path.parents[3] / "moved")
    path.symlink_to("../../moved")


def folder_removed(path: Path) -> None:
    """Remove a file with its folder."""
    shutil.rmtree(path.parent)


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (removed, "Deferred vanished"),
        (folder_removed, "Deferred vanished"),
        (replaced_by_a_pipe, "Deferred changing"),
        (replaced_by_a_folder, "Deferred changing"),
        (replaced_by_a_link_outside, "Deferred changing"),
    ],
)
def test_what_has_been_exchanged_since_it_was_found_is_not_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None], outcome: str
) -> None:
    """Nor waited for; and though the file at the end of a link may have the same size and time, it is another."""
    (folder / "night").mkdir()
    (folder / "night" / "7.wav").write_bytes(b"sound")
    file = candidate(folder, b"night/7.wav")
    change(folder / "night" / "7.wav")
    monkeypatch.delattr(os, "read")
    assert described(outcome_of_reading(folder, file)) == outcome


def test_a_pipe_with_the_size_and_time_of_the_file_is_not_read(folder: Path) -> None:
    """Only a regular file has content."""
    (folder / "7.wav").touch()
    file = candidate(folder, b"7.wav")
    replaced_by_a_pipe(folder / "7.wav")
    os.utime(folder / "7.wav", ns=(0, file.modified_ns))
    assert described(outcome_of_reading(folder, file)) == "Deferred changing"


def test_no_descriptor_stays_open(folder: Path) -> None:
    """Whether a file is read or not."""
    (folder / "night").mkdir()
    (folder / "night" / "7.wav").write_bytes(b"sound")
    (folder / "large").write_bytes(bytes(LIMIT_BYTES + 1))
    files = [found for found in discover.discover(folder) if isinstance(found, Candidate)]
    free = os.dup(0)
    os.close(free)
    for file in [*files, Candidate(b"night/absent", 0, 0), Candidate(b"absent/7.wav", 0, 0)]:
        discover.read(folder, file, LIMIT_BYTES)
    assert os.dup(0) == free
    os.close(free)
