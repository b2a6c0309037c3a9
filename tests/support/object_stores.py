"""An S3 server, what is in it, and a proxy by which it can be let down."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from urllib.parse import quote, unquote_plus, urlencode

import inbox_files
import pytest
from faulty_proxy import AUTHORIZED, Before, Proxy

SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIAOFTHETESTS123456",
    "AWS_SECRET_ACCESS_KEY": "secret/of+the/tests0123456789abcdefghijk",
    "AWS_SESSION_TOKEN": "session+token/of==the+tests",
}
_SERVER = str(Path(__file__).with_name("s3_server.py"))
_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
_numbers = count(1)


@dataclass(frozen=True)
class Bucket:
    """A bucket of the server, read and written without the proxy and without a client of ours."""

    port: int
    name: str

    def url(self, folder: str = "") -> str:
        """Return the URL of a folder in it."""
        return f"s3://{self.name}/{folder}".removesuffix("/")

    def put(self, key: str, content: bytes) -> None:
        """Write an object."""
        self._request("PUT", key, content)

    def put_all(self, folder: Path, prefix: str) -> None:
        """Write the files of a folder, and of those in it."""
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                self.put(f"{prefix}/{path.relative_to(folder)}", path.read_bytes())

    def put_before(self, key: str, content: bytes | None) -> Before:
        """Return a fault: an object is put, or deleted, before the answer to a request arrives."""
        return Before(self.port, f"/{self.name}/{quote(key)}", content)

    def get(self, key: str) -> bytes:
        """Return the content of an object."""
        return self._request("GET", key)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._request("DELETE", key)

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys of the objects below a prefix."""
        found: list[str] = []
        query = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
        while True:
            page = ET.fromstring(self._request("GET", "", query=query))  # noqa: S314 - of our own server
            found += [unquote_plus(key.text or "") for key in page.iterfind(f"{_NAMESPACE}Contents/{_NAMESPACE}Key")]
            token = page.findtext(f"{_NAMESPACE}NextContinuationToken")
            if not token:
                return found
            query["continuation-token"] = token

    def _request(self, method: str, key: str, content: bytes = b"", query: dict[str, str] | None = None) -> bytes:
        connection = HTTPConnection("127.0.0.1", self.port)
        try:
            target = f"/{self.name}/{quote(key)}" + (f"?{urlencode(query)}" if query else "")
            connection.request(method, target, content, AUTHORIZED)
            response = connection.getresponse()
            body = response.read()
            assert response.status < 300, (method, key, response.status, body)
            return body
        finally:
            connection.close()


@dataclass(frozen=True)
class ObjectStore:
    """The server at `port`, and the proxy before it."""

    port: int
    proxy: Proxy

    def bucket(self) -> Bucket:
        """Return a new bucket."""
        bucket = Bucket(self.port, f"bucket-{next(_numbers)}")
        bucket.put("", b"")
        return bucket

    def environment(self) -> dict[str, str]:
        """Return the environment variables by which programs find the proxy."""
        return {
            **SECRETS,
            "AWS_ENDPOINT_URL": self.proxy.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_METADATA_ENDPOINT": "http://127.0.0.1:9",
        }


def sound(number: int) -> bytes:
    """Return a sound; another number gives another one of the same size."""
    return inbox_files.encoded(inbox_files.tone(number % 10, 0.2, seed=number))


@contextmanager
def running() -> Iterator[ObjectStore]:
    """Run a server with a proxy before it, of which the programs started from now on know."""
    command = [sys.executable, _SERVER, str(os.getpid())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout
            port, proxy_port = map(int, server.stdout.readline().split())
            with pytest.MonkeyPatch.context() as patch:
                found = ObjectStore(port, Proxy(proxy_port))
                for name in [name for name in os.environ if name.startswith("AWS_")]:
                    patch.delenv(name)
                for name, value in found.environment().items():
                    patch.setenv(name, value)
                yield found
        finally:
            server.kill()
