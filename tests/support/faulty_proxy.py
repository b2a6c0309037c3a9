"""A proxy in front of an S3 server that records requests, and lets those that a test chooses go wrong.

It is in the server's process, not in that of the test: some calls of Delta Lake hold up all threads of theirs.
"""

import pickle
import re
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

# What the server takes as a request to S3, by no one in particular.
AUTHORIZED = {"Authorization": "AWS4-HMAC-SHA256 Credential=tests/20260101/us-east-1/s3/aws4_request"}
_CONTROL = "/-/change"
_ANSWER = """<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>{code}</Code><Message>{code}, said the proxy to {key}</Message><RequestId>1</RequestId></Error>"""
_OF_CONNECTION = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass(frozen=True)
class Request:
    """A request: its method, its path without percent signs, and its query."""

    method: str
    path: str
    query: str

    @property
    def is_listing(self) -> bool:
        """Whether it lists objects."""
        return "list-type=2" in self.query


@dataclass
class Answer:
    """What the server answered, or the proxy in its place."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    send_bytes: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of it is sent."""
        return self.send_bytes is None


Carry = Callable[[], Answer]


class Fault(Protocol):
    """What happens to a request; picklable."""

    def __call__(self, key: str, headers: dict[str, str], carry: Carry, /) -> Answer | None:
        """Answer a request, which `carry` takes to the server; None for no answer."""


@dataclass(frozen=True)
class Answers:
    """The request is answered with an error, and not carried out."""

    status: int
    code: str

    def __call__(self, key: str, _headers: dict[str, str], _carry: Carry) -> Answer:
        """See `Fault`."""
        return Answer(
            self.status, [("Content-Type", "application/xml")], _ANSWER.format(code=self.code, key=key).encode()
        )


@dataclass(frozen=True)
class Without:
    """The server does not look at a header of the request."""

    header: str

    def __call__(self, _key: str, headers: dict[str, str], carry: Carry) -> Answer:
        """See `Fault`."""
        headers.pop(self.header.lower(), None)
        return carry()


@dataclass(frozen=True)
class Delayed:
    """The request is carried out, and answered later."""

    seconds: float

    def __call__(self, _key: str, _headers: dict[str, str], carry: Carry) -> Answer:
        """See `Fault`."""
        answer = carry()
        time.sleep(self.seconds)
        return answer


@dataclass(frozen=True)
class Before:
    """The request is answered as usual, but an object is put, or deleted if it has no content, before that."""

    port: int
    target: str
    content: bytes | None

    def __call__(self, _key: str, _headers: dict[str, str], carry: Carry) -> Answer:
        """See `Fault`."""
        answer = carry()
        connection = HTTPConnection("127.0.0.1", self.port)
        connection.request("DELETE" if self.content is None else "PUT", self.target, self.content or b"", AUTHORIZED)
        connection.getresponse().read()
        connection.close()
        return answer


SLOW_DOWN = Answers(503, "SlowDown")


def breaks_off(_key: str, _headers: dict[str, str], carry: Carry) -> Answer:
    """Be a fault: the connection ends after half of the body."""
    answer = carry()
    answer.send_bytes = len(answer.body) // 2
    return answer


def is_lost(_key: str, _headers: dict[str, str], carry: Carry) -> Answer | None:
    """Be a fault: the request is carried out, and the connection ends without an answer."""
    carry()
    return None


def is_refused(_key: str, _headers: dict[str, str], _carry: Carry) -> Answer | None:
    """Be a fault: the connection ends at once, as by a server that is down."""
    return None


@dataclass
class Rule:
    """A fault that befalls requests of a method to a path, as often as `times` says, one in `every`."""

    fault: Fault
    method: str
    path: str
    times: float
    every: int
    met: int = 0
    befallen: int = 0

    def befalls(self, request: Request) -> bool:
        """Return whether it befalls a request, which is counted."""
        target = f"{request.path}?{request.query}"
        if not re.fullmatch(self.method, request.method) or not re.search(self.path, target):
            return False
        self.met += 1
        is_its_turn = self.met % self.every == 0 and self.befallen < self.times
        self.befallen += is_its_turn
        return is_its_turn


@dataclass
class State:
    """What was asked, and what is to go wrong."""

    requests: list[Request] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    page_size: int | None = None

    def changed(self, change: str, value: Any) -> Any:
        """Carry out a change that a test asks for; return the requests if that is what it asks for."""
        if change == "let":
            self.rules.append(value)
        elif change == "page_size":
            self.page_size = value
        elif change == "reset":
            self.requests, self.rules, self.page_size = [], [], None
        return self.requests if change == "requests" else None

    def fault_of(self, request: Request) -> Fault | None:
        """Record a request; return what befalls it."""
        self.requests.append(request)
        return next((rule.fault for rule in self.rules if rule.befalls(request)), None)


@dataclass(frozen=True)
class Proxy:
    """The proxy that listens at a port, as a test sees it."""

    port: int

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[Request]:
        """What was asked."""
        found: list[Request] = self._change("requests")
        return found

    def let(
        self, fault: Fault, method: str = ".*", path: str = "", times: float = float("inf"), every: int = 1
    ) -> None:
        """Let a fault befall requests from now on: of a method, to a path (with its query), both as patterns."""
        self._change("let", Rule(fault, method, path, times, every))

    def page(self, size: int) -> None:
        """Let listings have pages of so many objects."""
        self._change("page_size", size)

    def reset(self) -> None:
        """Forget what was asked, and let nothing go wrong any more."""
        self._change("reset")

    def asked(self, method: str, path: str = "") -> list[str]:
        """Return the paths of the requests of a method to a path that matches a pattern; listings are none."""
        found = [request for request in self.requests if request.method == method and not request.is_listing]
        return [request.path for request in found if re.search(path, request.path)]

    def _change(self, change: str, value: object = None) -> Any:
        connection = HTTPConnection("127.0.0.1", self.port)
        try:
            connection.request("POST", _CONTROL, pickle.dumps((change, value)))
            return pickle.loads(connection.getresponse().read())  # noqa: S301 - of our own server
        finally:
            connection.close()


def serve(port: int) -> ThreadingHTTPServer:
    """Serve in threads as a proxy of the server at a port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, port, State(), threading.Lock(), threading.Lock()))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def __init__(
        self, port: int, state: State, lock: threading.Lock, conditional: threading.Lock, *arguments: Any
    ) -> None:
        self._port, self._state, self._lock = port, state, lock
        # The server looks whether there is an object, and then puts it: only with this lock is that one step.
        self._conditional = conditional
        super().__init__(*arguments)

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == _CONTROL:
            with self._lock:
                changed = self._state.changed(*pickle.loads(body))  # noqa: S301 - of our own test
                self._send(Answer(200, [], pickle.dumps(changed)))
            return
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, unquote(url.path), url.query)
        paged = request.is_listing and self._state.page_size
        target = f"{self.path}&max-keys={self._state.page_size}" if paged else self.path

        def carry() -> Answer:
            with self._conditional if "if-none-match" in headers else nullcontext():
                return self._carried(target, headers, body)

        with self._lock:
            fault = self._state.fault_of(request)
        answer = fault(request.path, headers, carry) if fault else carry()
        if answer is None:
            self.close_connection = True
        else:
            self._send(answer)

    def _carried(self, target: str, headers: dict[str, str], body: bytes) -> Answer:
        connection = HTTPConnection("127.0.0.1", self._port)
        try:
            connection.request(self.command, target, body, {**headers, "connection": "close"})
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        length = str(len(answer.body))
        for name, value in answer.headers:
            if self.command == "HEAD" and name.lower() == "content-length":
                length = value
            if name.lower() not in _OF_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: answer.send_bytes])
        self.wfile.flush()
        self.close_connection |= not answer.is_whole

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _serve  # noqa: N815 - names of the base class
