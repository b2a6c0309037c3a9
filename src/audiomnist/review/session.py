"""A session: what one person has judged of a queue of clips, what comes next, and what cannot be heard any more."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from audiomnist.core.errors import FaultError
from audiomnist.review import clips
from audiomnist.review.judgements import Judgement, Judgements, current
from audiomnist.review.sample import Clip, Queue
from audiomnist.scoring.inbox.paths import shown

_DIGITS = 3


@dataclass(frozen=True)
class Keystroke:
    """What a page sends: the UUID that it made for a keystroke, the number of the clip, and the label.

    The label is one of `judgements.LABELS`, or None to take back the last judgement of the clip.
    """

    id: str
    clip: int
    label: str | None


class Session:
    """Queue of a person, who may have judged a part of it before; safe for threads.

    Args:
        queue: the clips.
        judgements: where they are kept.
        inbox: where the files are.
        person: who judges.
        ended: is called with the progress when there is no clip left to judge.
    """

    def __init__(
        self,
        queue: Queue,
        judgements: Judgements,
        inbox: Path,
        person: str,
        ended: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        self._queue = queue
        self._judgements = judgements
        self._inbox = inbox
        self._person = person
        self._ended = ended
        self._lock = threading.Lock()
        made = judgements.all()
        judged = {judgement.clip for judgement in current(filter(self._is_own, made))}
        self._open = [identity not in judged for identity in queue.identities()]
        self._first = 0  # no clip before it is open
        self._lost: dict[int, str] = {}
        self._done: set[str] = set()
        self._last_at = max((judgement.judged_at for judgement in made), default=datetime.min.replace(tzinfo=UTC))

    def progress(self, clip: int | None = None) -> dict[str, Any]:
        """Return the state of the page: the clip to hear, by default the first that is not judged, and the counts.

        `clip` is None if there is none left, `then` the one after it; `lost` has the files that cannot be heard.
        """
        with self._lock:
            return self._progress(clip)

    def judge(self, keystroke: Keystroke) -> dict[str, Any]:
        """Keep a keystroke; it is on the disk when the call returns, once, however often it is made.

        Returns:
            the state of the page, as `progress` does, and as `last` what the model says of the judged clip.

        Raises:
            IndexError: there is no such clip.
            TableError, TableWriteError: the keystroke is not kept, or may not be synced to disk; it can be repeated.
        """
        with self._lock:
            clip = self._clip(keystroke.clip)
            if keystroke.id not in self._done:
                self._judgements.append([self._judgement(keystroke, clip)])
                self._done.add(keystroke.id)
                self._lost.pop(keystroke.clip, None)
                self._open[keystroke.clip] = keystroke.label is None
            if keystroke.label is None:
                self._first = min(self._first, keystroke.clip)
                return self._progress(keystroke.clip)
            said = {"label": keystroke.label, **_answer(clip)}
            state = {**self._progress(), "last": said}
        if state["clip"] is None:
            self._ended(state)
        return state

    def sound(self, number: int) -> bytes:
        """Return a clip as a WAV file; raises IndexError if there is none, FaultError if it cannot be heard any more.

        In the latter case the clip is left out.
        """
        clip = self._clip(number)
        try:
            return clips.playable(clips.read(self._inbox, clip.path, clip.content_sha256))
        except FaultError as fault:
            with self._lock:
                if self._open[number]:
                    self._open[number] = False
                    self._lost[number] = f"{shown(clip.path)} {fault.detail}"
                state = self._progress()
            if state["clip"] is None:
                self._ended(state)
            raise

    def answer(self, number: int) -> dict[str, Any]:
        """Return what the model says of a clip; raises IndexError if there is none."""
        return _answer(self._clip(number))

    def _clip(self, number: int) -> Clip:
        if not 0 <= number < len(self._queue):
            raise IndexError(number)
        return self._queue[number]

    def _is_own(self, judgement: Judgement) -> bool:
        """Return whether a judgement is by the person, and for the sample if there is one."""
        is_for = self._queue.sample is None or judgement.sample == self._queue.sample
        return is_for and judgement.judged_by == self._person

    def _progress(self, clip: int | None = None) -> dict[str, Any]:
        total = len(self._queue)
        others = (number for number in range(self._first, total) if self._open[number] and number != clip)
        if clip is None:
            clip = next(others, None)
            self._first = total if clip is None else clip
        then = next(others, None)
        judged = total - sum(self._open) - len(self._lost)
        return {"clip": clip, "then": then, "judged": judged, "total": total, "lost": list(self._lost.values())}

    def _judgement(self, keystroke: Keystroke, clip: Clip) -> Judgement:
        self._last_at = max(datetime.now(UTC), self._last_at + timedelta(microseconds=1))
        return Judgement(
            keystroke.id,
            clip.path,
            clip.content_sha256,
            clip.model_version,
            clip.run_id,
            keystroke.label,
            self._person,
            self._last_at,
            self._queue.sample,
            clip.stratum,
            clip.stratum_rows,
        )


def _answer(clip: Clip) -> dict[str, Any]:
    """Return the file's name, and the model's three most probable digits with their probabilities."""
    digits = sorted(range(len(clip.probabilities)), key=lambda digit: -clip.probabilities[digit])
    return {
        "file": shown(clip.path),
        "digits": [(digit, clip.probabilities[digit]) for digit in digits[:_DIGITS]],
        "is_withheld": clip.status == "abstained",
    }
