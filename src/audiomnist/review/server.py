"""Web page of a session, for browsers on this machine.

Every address begins with a random token. Requests are refused unless `Host` is this server's, so that no other name
can be made to lead here (DNS rebinding), and those that change something unless `Origin` is this page. A clip is asked
for by its number. The page loads nothing from elsewhere, and only its own script runs in it.

    GET  /TOKEN/              the page
    GET  /TOKEN/state         what is to be heard next, see `Session.progress`
    GET  /TOKEN/clips/N       sound of a clip; 410 with the state and the reason if it cannot be heard any more
    GET  /TOKEN/clips/N/model what the model says of it
    POST /TOKEN/judgements    a keystroke; 503 with the reason if it could not be kept
    POST /TOKEN/end           ends the server
"""

import json
import secrets
import socket
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import UUID

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from audiomnist.core.errors import AudiomnistError, FaultError
from audiomnist.review.judgements import LABELS
from audiomnist.review.session import Keystroke, Session

_TEMPLATES = Path(__file__).parent / "templates"
_ADDRESS = "127.0.0.1"
_MAX_BODY_BYTES = 300
_SHUTDOWN_S = 2
_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; media-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    b"cache-control": b"no-store",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}


class PortError(AudiomnistError):
    """The server cannot listen."""


def serve(session: Session, port: int, opened: Callable[[str], None]) -> None:
    """Serve a session on the loopback interface until the page or a signal ends it; then nothing listens any more.

    Args:
        session: what is served.
        port: 0 for a free one.
        opened: is called with the address of the page once the server listens, and a signal ends it.

    Raises:
        PortError: the port is taken.
        KeyboardInterrupt: it was ended by SIGINT.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_ADDRESS, port))
        except OSError as error:
            raise PortError(f"port {port} cannot be used ({error.strerror}): name another with --port") from error
        listener.listen()
        port, token = listener.getsockname()[1], secrets.token_urlsafe(32)
        server: _Server

        def end() -> None:
            server.should_exit = True

        config = uvicorn.Config(
            app(session, token, port, end),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
        server = _Server(config, lambda: opened(f"http://{_ADDRESS}:{port}/{token}/"))
        server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """A server that calls `started` when it handles requests and signals."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self._started()


def app(session: Session, token: str, port: int, end: Callable[[], None]) -> ASGIApp:
    """Return the application: `end` is called when the page asks for it."""
    pages = _Pages(session, end)
    routes = [
        Route("/", pages.page),
        Route("/state", pages.state),
        Route("/clips/{number:int}", pages.sound),
        Route("/clips/{number:int}/model", pages.model),
        Route("/judgements", pages.judge, methods=["POST"]),
        Route("/end", pages.end, methods=["POST"]),
    ]
    return _Guard(Starlette(routes=routes), token, port)


class _Pages:
    """What is behind the addresses; functions that are not `async` run in other threads."""

    def __init__(self, session: Session, end: Callable[[], None]) -> None:
        self._session = session
        self._end = end

    def page(self, _: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        headers = {"content-security-policy": _POLICY.format(nonce=nonce)}
        return HTMLResponse(_page(self._session.progress(), nonce), headers=headers)

    def state(self, _: Request) -> Response:
        return JSONResponse(self._session.progress())

    def sound(self, request: Request) -> Response:
        try:
            return Response(self._session.sound(request.path_params["number"]), media_type="audio/wav")
        except IndexError:
            return Response(status_code=HTTPStatus.NOT_FOUND)
        except FaultError:
            return JSONResponse(self._session.progress(), HTTPStatus.GONE)

    def model(self, request: Request) -> Response:
        try:
            return JSONResponse(self._session.answer(request.path_params["number"]))
        except IndexError:
            return Response(status_code=HTTPStatus.NOT_FOUND)

    async def judge(self, request: Request) -> Response:
        try:
            keystroke = _keystroke(await request.body())
            return JSONResponse(await run_in_threadpool(self._session.judge, keystroke))
        except (ValueError, IndexError):
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        except AudiomnistError as error:
            return JSONResponse({"error": str(error)}, HTTPStatus.SERVICE_UNAVAILABLE)

    def end(self, _: Request) -> Response:
        self._end()
        return JSONResponse({})


class _Guard:
    """Passes on what is meant for this server, without the token, and sets the headers of every answer."""

    def __init__(self, inner: ASGIApp, token: str, port: int) -> None:
        self._inner = inner
        self._prefix = f"/{token}"
        self._hosts = {f"{name}:{port}" for name in (_ADDRESS, "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS.items()]
            await send(message)

        status = self._refusal(scope)
        if status:
            await Response(status_code=status)(scope, receive, send_with_headers)
            return
        path = scope["path"].removeprefix(self._prefix)
        await self._inner({**scope, "path": path, "raw_path": path.encode()}, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> int | None:
        """Return the status with which a request is refused, None if it is passed on."""
        headers: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value.decode("latin-1"))
        (host, *others) = headers.get(b"host", [""])
        if others or host not in self._hosts:
            return HTTPStatus.MISDIRECTED_REQUEST
        prefix, slash, _ = scope["path"][1:].partition("/")
        if not (secrets.compare_digest(f"/{prefix}".encode(), self._prefix.encode()) and slash):
            return HTTPStatus.NOT_FOUND
        if scope["method"] in {"GET", "HEAD"}:
            return None
        if headers.get(b"origin") != [f"http://{host}"]:
            return HTTPStatus.FORBIDDEN
        (length,) = headers.get(b"content-length", ["-"])
        if not (length.isdecimal() and int(length) <= _MAX_BODY_BYTES):
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return None


def _keystroke(body: bytes) -> Keystroke:
    """Return the keystroke in a request; raises ValueError for anything else."""
    match json.loads(body):
        case {"id": str(name), "clip": int(clip), "label": label, **others}:
            if label in (*LABELS, None) and not (others or isinstance(clip, bool)):
                return Keystroke(str(UUID(name)), clip, label)
    raise ValueError("it is no keystroke")


def _page(state: dict[str, Any], nonce: str) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=select_autoescape(["html"]), undefined=StrictUndefined
    )
    environment.globals["asset"] = lambda name: Markup((_TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - our own files
    return environment.get_template("review.html").render(state=state, nonce=nonce)
