"""`audiomnist review`: who may ask it for what, and that nothing listens when it has ended."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from reviewing import Night, Served, night, row, served, write_rows
from runs import audiomnist

CLIPS = 3


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """A night, with a secret beside the inbox."""
    made = night(tmp_path_factory.mktemp("night"), CLIPS)
    (made.inbox.parent / "secret.wav").write_bytes((made.inbox / "000.wav").read_bytes())
    return made


@pytest.fixture(scope="module")
def server(made: Night) -> Iterator[Served]:
    """The command at work."""
    with served(made) as server:
        yield server


def assert_refused(server: Served, method: str, path: str, status: int, **headers: str) -> None:
    """Check that a request is refused without a content."""
    body = {"id": str(uuid4()), "clip": 0, "label": "3"} if method == "POST" else None
    found, answered, content = server.request(method, path, body, **headers)
    assert (found, content) == (status, b"")
    assert answered["cache-control"] == "no-store"


class TestRequests:
    """What is passed on, and what is not."""

    def test_the_page_and_the_clips_are_there_for_those_who_know_the_token(self, server: Served) -> None:
        """With headers that keep others out."""
        status, headers, body = server.request("GET", server.prefix)
        assert status == 200
        assert b"Which digit do you hear?" in body
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers
        again = server.request("GET", server.prefix)[1]["content-security-policy"]
        assert again != policy
        status, headers, body = server.request("GET", f"{server.prefix}clips/0")
        assert (status, headers["content-type"], body[:4]) == (200, "audio/wav", b"RIFF")

    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/favicon.ico",
            "/state",
            "/clips/0",
            "//clips/0",
            "/{short}/clips/0",
            "/{other}/clips/0",
            "/{lower}/clips/0",
            "/x/../{token}/clips/0",
            "/x/%2e%2e/{token}/clips/0",
            "/{token}%2fclips/0?",
            "/{token}",
            "/?/{token}/clips/0",
            "/%ff%fe/clips/0",
        ],
    )
    def test_without_the_token_there_is_nothing(self, server: Served, path: str) -> None:
        """Whatever comes close to it."""
        token = server.prefix.strip("/")
        names = {"token": token, "short": token[:-1], "other": "A" * len(token), "lower": token.swapcase()}
        asked = path.format(**names)
        if "%2f" in asked:  # the same address, which proxies may write so
            assert server.request("GET", asked)[0] in {200, 404}
        else:
            assert_refused(server, "GET", asked, 404)

    @pytest.mark.parametrize(
        "host",
        ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}", "127.0.0.1:{port}.x"],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_another_host_name_is_refused(self, server: Served, method: str, host: str) -> None:
        """One that a page elsewhere made to lead here has the token neither, but needs not even that to be wrong."""
        host = host.format(port=server.host.partition(":")[2])
        for path in ("/", f"{server.prefix}clips/0"):
            assert_refused(server, method, path, 421, Host=host, Origin=f"http://{host}")

    @pytest.mark.parametrize(
        "origin",
        ["", "null", "http://evil.example", "https://{host}", "http://{host}.evil.example", "http://127.0.0.1"],
    )
    def test_another_page_changes_nothing(self, server: Served, made: Night, origin: str) -> None:
        """Nor what is no page: whoever posts must say that it is this one."""
        for path in ("judgements", "end"):
            assert_refused(server, "POST", server.prefix + path, 403, Origin=origin.format(host=server.host))
        assert made.keystrokes() == []

    @pytest.mark.parametrize(
        "name",
        [
            "clips/../../secret.wav",
            "clips/..%2f..%2fsecret.wav",
            "clips/%2e%2e/%2e%2e/secret.wav",
            "clips/000.wav",
            "clips/0/../0.wav",
            "clips//etc/passwd",
            "clips/%2fetc%2fpasswd",
            "clips/-1",
            "clips/3",
            "clips/1e0",
            "clips/0x1",
            "clips/%00",
            "clips/99999999999999999999999999",
            "secret.wav",
            "../secret.wav",
        ],
    )
    def test_a_clip_has_a_number_and_nothing_has_a_path(self, server: Served, name: str) -> None:
        """There is no way to name a file."""
        status, _, body = server.request("GET", server.prefix + name)
        assert status == 404
        assert b"RIFF" not in body

    @pytest.mark.parametrize(
        "body",
        [
            None,
            [],
            {},
            {"id": "not a UUID", "clip": 0, "label": "3"},
            {"id": str(uuid4()), "clip": "0", "label": "3"},
            {"id": str(uuid4()), "clip": True, "label": "3"},
            {"id": str(uuid4()), "clip": 0.0, "label": "3"},
            {"id": str(uuid4()), "clip": CLIPS, "label": "3"},
            {"id": str(uuid4()), "clip": -1, "label": "3"},
            {"id": str(uuid4()), "clip": 0, "label": "33"},
            {"id": str(uuid4()), "clip": 0, "label": 3},
            {"id": str(uuid4()), "clip": 0, "label": ["3"]},
            {"id": str(uuid4()), "clip": 0, "label": "3", "path": "../secret.wav"},
            {"id": str(uuid4()), "clip": 0, "label": "x" * 2000},
        ],
    )
    def test_what_is_no_keystroke_is_refused(self, server: Served, made: Night, body: object) -> None:
        """And nothing is kept."""
        status, _, _ = server.request("POST", f"{server.prefix}judgements", body)
        assert status in {400, 413}
        assert made.keystrokes() == []

    def test_only_this_machine_is_listened_to(self, server: Served) -> None:
        """The port of every other address is free."""
        port = int(server.host.partition(":")[2])
        with socket.socket() as other:
            other.bind(("127.0.0.2", port))


class TestSession:
    """From the start to the end of the command."""

    def test_keystrokes_are_kept_and_the_end_closes_the_port(self, tmp_path: Path) -> None:
        """Both are told: the page and the terminal. The next call has nothing left to ask."""
        made = night(tmp_path, CLIPS)
        with served(made) as server:
            assert server.printed == f"run night: 0 of {CLIPS} clips are judged\n"
            for clip in range(CLIPS):
                state = server.judge(clip, str(clip))
                assert [one["label"] for one in made.keystrokes()] == [*"012"][: clip + 1]
            assert state["clip"] is None
            assert server.request("POST", f"{server.prefix}end")[0] in {200, 413}
            status, _, _ = server.request("POST", f"{server.prefix}end", {})
            assert status == 200
            out, err = server.process.communicate(timeout=60)
        assert (server.process.returncode, err) == (0, "")
        assert out.splitlines() == [
            "all clips are judged: press enter on the page, or Ctrl-C here",
            f"run night: {CLIPS} of {CLIPS} clips are judged",
        ]
        with socket.socket() as other:
            assert other.connect_ex(("127.0.0.1", int(server.host.partition(":")[2]))) != 0
        again = audiomnist("review", made.table, "--inbox", made.inbox, "--by", "ada")
        assert (again.status, again.out) == (0, f"run night: {CLIPS} of {CLIPS} clips are judged\n")

    def test_ctrl_c_ends_it(self, tmp_path: Path) -> None:
        """An open connection does not keep it."""
        with served(night(tmp_path, CLIPS), "--sample", "2") as server, socket.socket() as idle:
            host, port = server.host.split(":")
            idle.connect((host, int(port)))
            server.process.send_signal(signal.SIGINT)
            out, err = server.process.communicate(timeout=60)
            assert (server.process.returncode, out, err) == (0, "run night: 0 of 2 clips are judged\n", "")
            with socket.socket() as other:
                assert other.connect_ex((host, int(port))) != 0

    def test_a_port_can_be_named(self, server: Served, made: Night) -> None:
        """One that is taken is reported."""
        taken = server.host.partition(":")[2]
        done = audiomnist("review", made.table, "--inbox", made.inbox, "--by", "bob", "--port", taken)
        assert done.status == 1
        assert (
            done.err == f"audiomnist: port {taken} cannot be used (Address already in use): name another with --port\n"
        )


def test_what_cannot_be_reviewed_is_explained(tmp_path: Path) -> None:
    """No table, no run, no rows with an answer, no inbox, no name."""
    made = night(tmp_path, 1)
    write_rows(tmp_path / "other", [row("a", 0.5, status="rejected", reason="empty", message="a")])
    cases = {
        "there is no table in": (tmp_path / "none", made.inbox, "ada"),
        "run night has labelled no files": (tmp_path / "other", made.inbox, "ada"),
        "is no folder that can be listed": (made.table, tmp_path / "none", "ada"),
        "it names nobody": (made.table, made.inbox, " "),
    }
    for message, (table, inbox, name) in cases.items():
        done = audiomnist("review", table, "--inbox", inbox, "--by", name)
        assert done.status != 0
        assert message in " ".join(done.err.replace("│", "").split())
        assert "Traceback" not in done.err
    assert not made.reviews.exists()
