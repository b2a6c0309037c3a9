"""An S3 server, and a small inbox and model, made once."""

from collections.abc import Iterator
from pathlib import Path

import inbox_files
import object_stores
import pytest
import small_bundles
from object_stores import Bucket, ObjectStore


@pytest.fixture(scope="session")
def running_store() -> Iterator[ObjectStore]:
    """A server, and a proxy before it."""
    with object_stores.running() as store:
        yield store


@pytest.fixture
def store(running_store: ObjectStore) -> ObjectStore:
    """The server, and a proxy that lets nothing go wrong as yet."""
    running_store.proxy.reset()
    return running_store


@pytest.fixture
def bucket(store: ObjectStore) -> Bucket:
    """An empty bucket."""
    return store.bucket()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model."""
    return small_bundles.write("cnn", tmp_path_factory.mktemp("cnn"))


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve good files and eighteen bad ones, in three folders."""
    folder = tmp_path_factory.mktemp("sounds")
    inbox_files.put_good(folder / "good", 8)
    inbox_files.put_good(folder / "deep/er", 4)
    inbox_files.put_bad(folder / "bad", 18)
    return folder


@pytest.fixture
def inbox(bucket: Bucket) -> Bucket:
    """A bucket with ten sounds in the folder `inbox`."""
    for number in range(10):
        bucket.put(f"inbox/{number % 3}/{number}.wav", object_stores.sound(number))
    return bucket
