"""What is found in an object store: every object is in one entry, or in a folder that is left out as a whole."""

import re
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from object_stores import Bucket as Store
from object_stores import ObjectStore

from audiomnist.scoring.inbox.bucket import Bucket
from audiomnist.scoring.inbox.discover import Candidate, Deferred, Entry, Excluded
from audiomnist.scoring.inbox.selection import Selection
from audiomnist.storage.url import Url

PAGE = 3
ODD = [" lead", "*", "50%", "a b+c", "a%2fb", "a&b<>'\"", "a\\b", "trail ", "~x", "ü#?%20", "\N{MICROPHONE}", "x\u202e"]
# A key's parts: those that the client does not take among them.
PARTS = st.sampled_from(["a", "b", "a.wav", "b-c", "é", "%", ".hidden", "x.part", "out", "", ".", "..", "c\x01"])
KEYS = st.sets(st.lists(PARTS, min_size=1, max_size=4).map("/".join), min_size=1, max_size=12)


def inbox(store: Store) -> Bucket:
    """Return the inbox in the folder `in`."""
    return Bucket(Url("s3", store.name, "in"))


def entries(store: Store, selection: Selection | None = None) -> list[Entry]:
    """Return the entries of the folder `in`."""
    return list(inbox(store).entries(selection or Selection()))


def put(store: Store, *keys: str) -> None:
    """Write objects into the folder `in`; each holds its key."""
    for key in keys:
        store.put(f"in/{key}", key.encode() or b"in/")


def paths(found: Iterable[Entry]) -> list[str]:
    """Return the paths of entries."""
    return [entry.path.decode() for entry in found]


def content(store: Store, entry: Entry) -> bytes:
    """Return what is read of a candidate."""
    assert isinstance(entry, Candidate)
    (read,) = inbox(store).read([entry], 1000)
    assert isinstance(read, bytes)
    return read


def test_names_of_any_characters_are_found_and_read(bucket: Store) -> None:
    """In the order of their bytes."""
    put(bucket, *ODD)
    found = entries(bucket)
    assert paths(found) == sorted(ODD, key=str.encode)
    assert [content(bucket, entry).decode() for entry in found] == paths(found)


def test_neighbours_of_the_folder_are_not_in_it(bucket: Store) -> None:
    """Though their keys begin with its name."""
    put(bucket, "a")
    for key in ("in", "in2/a", "in.wav", "another/in/b"):
        bucket.put(key, b"x")
    assert paths(entries(bucket)) == ["a"]


def test_a_listing_of_many_pages_is_one(bucket: Store, store: ObjectStore) -> None:
    """Each object once."""
    names = [f"{number % 4}/{number:02}" for number in range(20)]
    put(bucket, *names)
    store.proxy.page(PAGE)
    assert paths(entries(bucket)) == sorted(names)
    assert len(store.proxy.requests) == 7


@pytest.mark.long
def test_more_than_a_thousand_objects_are_listed(bucket: Store, store: ObjectStore) -> None:
    """As the server pages them."""
    put(bucket, *(f"{number:04}" for number in range(1100)))
    assert len(entries(bucket)) == 1100
    assert len(store.proxy.requests) == 2


def test_a_hidden_folder_and_an_excluded_one_are_one_entry_each(bucket: Store) -> None:
    """However many objects they have."""
    put(bucket, "a/.old/1", "a/.old/2/3", "b/1", "b/2", "c/1.wav", "c/1.txt", "c/2.wav.part", "c/.3.wav", "~x/1")
    found = entries(bucket, Selection(exclude=["b/", "*.txt"]))
    assert [(type(entry), entry.path) for entry in found] == [
        (Deferred, b"a/.old"),
        (Excluded, b"b"),
        (Deferred, b"c/.3.wav"),
        (Excluded, b"c/1.txt"),
        (Candidate, b"c/1.wav"),
        (Deferred, b"c/2.wav.part"),
        (Candidate, b"~x/1"),
    ]


def test_empty_objects_that_mark_folders_are_no_entries(bucket: Store) -> None:
    """Consoles make them."""
    for key in ("in/", "in/sub/", "in/sub.wav", "in/sub/deep/"):
        bucket.put(key, b"" if key.endswith("/") else b"x")
    put(bucket, "sub/1", "sub/deep/2")
    assert paths(entries(bucket)) == ["sub.wav", "sub/1", "sub/deep/2"]


def test_an_empty_object_is_found_beside_a_folder_of_another_name(bucket: Store) -> None:
    """It is no mark."""
    bucket.put("in/a", b"")
    put(bucket, "a.wav", "ab/c")
    assert paths(entries(bucket)) == ["a", "a.wav", "ab/c"]


@pytest.mark.parametrize("others", [(), ("tr",), ("tr.b",), ("tr/a",)])
def test_an_object_whose_key_ends_with_a_slash_is_deferred_for_its_key(others: tuple[str, ...], bucket: Store) -> None:
    """Whatever is beside it: it has a content, which the client cannot read."""
    put(bucket, "tr/", *others)
    candidates = [entry for entry in entries(bucket) if isinstance(entry, Candidate)]
    found = [*inbox(bucket).read(candidates, 99), *(entry for entry in entries(bucket) if isinstance(entry, Deferred))]
    assert sorted(entry.decode() for entry in found if isinstance(entry, bytes)) == sorted(others)
    (deferred,) = (entry for entry in found if isinstance(entry, Deferred))
    assert (deferred.path, deferred.reason) == (b"tr", "unusable_key")
    assert "ends with /" in deferred.detail


@pytest.mark.parametrize("key", ["d//z", "d/../z", "d/./z", "d/c\x01.wav", "d//"])
@pytest.mark.parametrize("page", [2, 1000])
def test_a_folder_with_a_key_that_cannot_be_listed_is_deferred_and_all_others_are_found(
    key: str, page: int, bucket: Store, store: ObjectStore
) -> None:
    """On whichever page the key is; the entry names it."""
    put(bucket, "a", "c/1", "d/!1", "d/!2", "d/!3", key, "d/e/1", "d/zz", "e/1", "z")
    store.proxy.page(page)
    found = entries(bucket)
    assert {"a", "c/1", "d", "e/1", "z"} <= set(paths(found))
    (deferred,) = (entry for entry in found if isinstance(entry, Deferred))
    assert (deferred.path, deferred.reason) == (b"d", "unusable_key")
    assert f"({'in/' + key.removesuffix('z')}".encode("unicode_escape").decode() in deferred.detail


def test_a_key_that_cannot_be_listed_at_the_top_defers_the_inbox(bucket: Store) -> None:
    """With the path `.`."""
    put(bucket, "a", "../z", "b/c")
    (deferred,) = entries(bucket)
    assert (deferred.path, type(deferred)) == (b".", Deferred)


@pytest.mark.property
@given(KEYS, st.sampled_from([1, 2, 3, 1000]))
@settings(max_examples=60)
def test_every_object_is_in_one_entry_or_in_a_folder_that_is_left_out(
    running_store: ObjectStore, keys: set[str], page: int
) -> None:
    """Whatever the keys, and however the listing is paged."""
    bucket = running_store.bucket()
    put(bucket, *keys)
    running_store.proxy.reset()
    running_store.proxy.page(page)
    found = entries(bucket, Selection(exclude=["out"]))
    listed = [entry for entry in found if isinstance(entry, Candidate)]
    assert len({entry.path for entry in listed}) == len(listed)
    for key in keys:
        assert _entries_of(key, found) >= 1, (key, found)
    for entry in listed:
        assert entry.path.decode() in {key.removesuffix("/") for key in keys}
        assert not re.search(r"(^|/)(\.{0,2}|out|\.hidden|c\x01)(/|$)|x\.part$", entry.path.decode())


def _entries_of(key: str, found: list[Entry]) -> int:
    """Return how many entries an object is in: its own, or those of the folders on the way to it."""
    parts = key.removesuffix("/").split("/")
    ways = {"/".join(parts[:count]) for count in range(1, len(parts) + 1)}
    return sum(
        entry.path.decode() == key.removesuffix("/")
        if isinstance(entry, Candidate)
        else entry.path.decode() in ways | {"."}
        for entry in found
    )
