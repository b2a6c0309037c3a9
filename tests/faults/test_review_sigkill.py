"""A review that is killed at any moment has lost no keystroke that the page showed as done, and wrote none twice."""

import json
import random
import threading
from http.client import HTTPException
from pathlib import Path
from uuid import uuid4

import pytest
from reviewing import Night, Served, night, served

CLIPS, MANY_CLIPS = 40, 300


def press_keys(server: Served, done: list[tuple[str, int]], sent: list[str]) -> None:
    """Judge clip after clip until the server is gone; note what it has answered, and what it was sent."""
    try:
        _, _, body = server.request("GET", f"{server.prefix}state")
        clip = json.loads(body)["clip"]
        while clip is not None:
            identifier = str(uuid4())
            sent.append(identifier)
            state = server.judge(clip, str(clip % 10), identifier)
            done.append((identifier, clip))
            clip = state["clip"]
    except (OSError, HTTPException):
        pass


def kill_at(made: Night, seconds: float, done: list[tuple[str, int]], sent: list[str], by: str = "ada") -> None:
    """Press keys, and kill the server after a time in seconds from the first answered one."""
    with served(made, by=by) as server:
        before = len(done)
        keys = threading.Thread(target=press_keys, args=(server, done, sent))
        keys.start()
        while len(done) == before and keys.is_alive():
            keys.join(0.001)
        keys.join(seconds)
        server.process.kill()
        keys.join(60)
        assert not keys.is_alive()


def assert_kept(made: Night, done: list[tuple[str, int]], sent: list[str]) -> None:
    """Check that all that was answered is there, each once, and nothing that was not sent."""
    found = [row["judgement_id"] for row in made.keystrokes()]
    assert len(found) == len(set(found))
    assert {identifier for identifier, _ in done} <= set(found) <= set(sent)


def test_a_kill_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    """The next session goes on with the first clip that was not judged."""
    made = night(tmp_path, CLIPS)
    done: list[tuple[str, int]] = []
    sent: list[str] = []
    kill_at(made, 0.2, done, sent)
    assert_kept(made, done, sent)
    kept = len(made.keystrokes())
    with served(made) as server:
        _, _, body = server.request("GET", f"{server.prefix}state")
        assert json.loads(body)["judged"] == kept


@pytest.mark.long
def test_kills_at_random_keystrokes_lose_nothing_that_was_answered(tmp_path: Path) -> None:
    """While another person reviews the same night, whose server is killed too."""
    draw = random.Random(17)
    made = night(tmp_path, MANY_CLIPS)
    done: list[tuple[str, int]] = []
    sent: list[str] = []
    for _ in range(10):
        times = [draw.uniform(0, 0.3) for _ in range(2)]
        pair = [
            threading.Thread(target=kill_at, args=(made, seconds, done, sent, by))
            for seconds, by in zip(times, ("ada", "bob"), strict=True)
        ]
        for thread in pair:
            thread.start()
        for thread in pair:
            thread.join()
        assert_kept(made, done, sent)
    for by in ("ada", "bob"):
        with served(made, by=by) as server:
            press_keys(server, done, sent)
    assert_kept(made, done, sent)
    judged = {(row["judged_by"], row["path"]) for row in made.keystrokes()}
    assert len(judged) == 2 * MANY_CLIPS
