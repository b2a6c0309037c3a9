"""The command `audiomnist record` without its options: takes of digits, recorded one by one."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from speech_recognition import Recognizer, WaitTimeoutError

from audiomnist.audio.waveform import Waveform
from audiomnist.core.digits import CLASSES, DIGIT_WORDS
from audiomnist.core.errors import FaultError
from audiomnist.microphone import take as takes
from audiomnist.microphone.portaudio import Microphone, MicrophoneError, samples_of
from audiomnist.microphone.take import RecordingError

Ask = Callable[[str], str]

_AMBIENT_S = 1.0
_LOUDER_THAN_AMBIENT = 2.5
_WAIT_S = 5.0
_LONGEST_S = 4.0
_PAUSE_S, _KEPT_SILENCE_S, _SHORTEST_S = 0.5, 0.3, 0.1
_KEYSTROKE_S = 0.2
_MAX_REFUSALS = 5


class Session(NamedTuple):
    """What the takes of a session have in common.

    Attributes:
        microphone: open.
        folder: for the files.
        speaker: in their names.
        console: where everything is printed.
        ask: prints a question and returns the answer; None if nobody is there to answer: then each good take is kept.
    """

    microphone: Microphone
    folder: Path
    speaker: str
    console: Console
    ask: Ask | None


class _QuitError(Exception):
    """The user ends the session."""


def order(digit: int | None, count: int) -> list[int]:
    """Return the digits to say: one digit so many times, or all ten so many times, in random order each time."""
    if digit is not None:
        return [digit] * count
    return [each for _ in range(count) for each in random.sample(range(CLASSES), CLASSES)]


def record(session: Session, digits: Sequence[int]) -> None:
    """Record the digits until there is a take of each, or the user ends it.

    Raises:
        MicrophoneError: the device is gone.
        RecordingError: a take cannot be written, or nobody is asked and five takes in a row were refused.
    """
    takes.check_writable(session.folder)
    device = session.microphone.device
    session.console.print(f"Microphone: {device.name}. Listening to the room for a second: be quiet, please.")
    recognizer = _recognizer()
    recognizer.adjust_for_ambient_noise(session.microphone, _AMBIENT_S)
    written = 0
    try:
        for number, digit in enumerate(digits, 1):
            path = _recorded(session, recognizer, f"{number}/{len(digits)}", digit)
            written += 1
            session.console.print(f"  {path}", soft_wrap=True)
    except _QuitError:
        pass
    finally:
        session.console.print(f"{written} of {len(digits)} takes are in {session.folder}", soft_wrap=True)


def _recognizer() -> Recognizer:
    recognizer = Recognizer()
    recognizer.dynamic_energy_ratio = _LOUDER_THAN_AMBIENT
    recognizer.dynamic_energy_threshold = False
    recognizer.pause_threshold = _PAUSE_S
    recognizer.non_speaking_duration = _KEPT_SILENCE_S
    recognizer.phrase_threshold = _SHORTEST_S
    return recognizer


def _recorded(session: Session, recognizer: Recognizer, position: str, digit: int) -> Path:
    """Return the file of a take, the first that is good and that the user keeps."""
    refusals = 0
    while True:
        _announce(session, f"{position}  say [bold]{digit}[/] ({DIGIT_WORDS[digit]})")
        try:
            take = takes.checked(_phrase(session.microphone, recognizer))
        except FaultError as fault:
            session.console.print(f"  refused, {fault.detail}.")
            refusals += 1
            if session.ask is None and refusals == _MAX_REFUSALS:
                raise RecordingError(f"{refusals} takes in a row were refused; the last: {fault.detail}") from fault
        else:
            if session.ask is None or _is_kept(session, take):
                return takes.write(take, session.folder, digit, session.speaker)


def _announce(session: Session, what: str) -> None:
    if session.ask is None:
        session.console.print(what)
        return
    with session.microphone.paused():
        answer = session.ask(f"{what}. Enter begins, q ends: ")
    if answer == "q":
        raise _QuitError
    session.microphone.read(round(_KEYSTROKE_S * session.microphone.SAMPLE_RATE))
    session.console.print("  speak now")


def _phrase(microphone: Microphone, recognizer: Recognizer) -> Waveform:
    """Return the next phrase; raises FaultError if there is none."""
    try:
        heard = recognizer.listen(microphone, timeout=_WAIT_S, phrase_time_limit=_LONGEST_S)
    except WaitTimeoutError as error:
        detail = f"silent: no word in {_WAIT_S:.0f} s. Speak up, or go nearer to the microphone"
        raise FaultError("silent", detail) from error
    return Waveform(samples_of(heard.frame_data), heard.sample_rate)


def _is_kept(session: Session, take: Waveform) -> bool:
    peak_dbfs = 20 * np.log10(np.abs(take.samples).max())
    described = f"  {take.duration_s:.2f} s, peak {peak_dbfs:.0f} dBFS. Enter keeps it, p plays it, r repeats, q ends: "
    with session.microphone.paused():
        while True:
            answer = session.ask(described) if session.ask else ""
            if answer == "q":
                raise _QuitError
            if answer != "p":
                return answer != "r"
            try:
                session.microphone.play(take)
            except MicrophoneError as error:
                session.console.print(f"  {error}")
