"""Sound devices, through PyAudio."""

import os
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyaudio
from speech_recognition import AudioSource

from audiomnist.asr.audio_data import audio_data
from audiomnist.audio.waveform import Samples, Waveform, resampled
from audiomnist.core.errors import AudiomnistError
from audiomnist.microphone.endpoint import FRAME_S

_SAMPLE_BYTES = 2
_FULL_SCALE = 32768
_BUFFERED_FRAMES = 500
_SILENT_FOR_S = 5.0  # a stream that delivers nothing for so long is dead
_OTHERS = "`audiomnist devices` lists the others, for --device"


class MicrophoneError(AudiomnistError):
    """There is no such microphone, or it cannot be used, or it is gone."""


@dataclass(frozen=True)
class Device:
    """An input of sound; `sample_rate_hz` is its default, and the one that it is used with."""

    index: int
    name: str
    channels: int
    sample_rate_hz: int
    is_default: bool


@contextmanager
def portaudio() -> Iterator[pyaudio.PyAudio]:
    """Yield PortAudio; until it is closed, nothing that is written to file descriptor 2 is seen.

    Looking for devices, ALSA and JACK write dozens of lines there, and others when a buffer overflows. JACK's server is
    not started.
    """
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    with _silent_stderr():
        audio = pyaudio.PyAudio()
        try:
            yield audio
        finally:
            audio.terminate()


@contextmanager
def _silent_stderr() -> Iterator[None]:
    try:
        before = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nothing)


def inputs(audio: pyaudio.PyAudio) -> list[Device]:
    """Return the inputs; raises MicrophoneError if there is none."""
    default = None
    with suppress(OSError):  # there is none
        default = audio.get_default_input_device_info()["index"]
    every = [audio.get_device_info_by_index(index) for index in range(audio.get_device_count())]
    devices = [
        Device(
            int(info["index"]),
            str(info["name"]),
            int(info["maxInputChannels"]),
            round(float(info["defaultSampleRate"])),
            info["index"] == default,
        )
        for info in every
        if int(info["maxInputChannels"]) > 0
    ]
    if not devices:
        raise MicrophoneError(
            "there is no microphone: connect one, and see whether `arecord -l` lists it (Debian package alsa-utils), "
            "and whether this user is in the group audio"
        )
    return devices


def chosen(devices: list[Device], device: str | None) -> Device:
    """Return the default input, or the one with this index, this name, or alone with this in its name.

    Raises:
        MicrophoneError: there is none, or more than one.
    """
    if device is None:
        return next((each for each in devices if each.is_default), devices[0])
    wanted = device.casefold()
    tries = (
        [each for each in devices if str(each.index) == device],
        [each for each in devices if each.name.casefold() == wanted],
        [each for each in devices if wanted in each.name.casefold()],
    )
    found = next(filter(None, tries), [])
    if len(found) != 1:
        names = ", ".join(f"{each.index} {each.name}" for each in found or devices)
        raise MicrophoneError(f"--device {device} is {'several' if found else 'none'} of the microphones: {names}")
    return found[0]


class Microphone(AudioSource):  # type: ignore[misc]
    """An open input of one channel of 16 bits, from which SpeechRecognition can listen, too.

    Its own class Microphone does not say why a device cannot be opened, nor lets a caller pause.
    """

    SAMPLE_WIDTH = _SAMPLE_BYTES

    def __init__(self, audio: pyaudio.PyAudio, device: Device) -> None:
        """Open a device; raises MicrophoneError if it cannot be."""
        self.device = device
        self.SAMPLE_RATE = device.sample_rate_hz
        self.CHUNK = round(FRAME_S * device.sample_rate_hz)
        self.stream = self
        self._audio = audio
        try:
            self._input = audio.open(
                rate=device.sample_rate_hz,
                channels=1,
                format=pyaudio.paInt16,
                input=True,
                input_device_index=device.index,
                frames_per_buffer=self.CHUNK,
            )
        except OSError as error:
            raise MicrophoneError(
                f"the microphone {device.index} {device.name} cannot be opened ({error}): another program may use it, "
                f"or {_OTHERS}"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # it is gone
            self._input.close()

    def read(self, samples: int) -> bytes:
        """Wait for so many samples; raises MicrophoneError if the device is gone."""
        try:
            return bytes(self._input.read(samples, exception_on_overflow=False))
        except OSError as error:
            raise self._gone(str(error)) from error

    def frames(self) -> Generator[Samples]:
        """Yield frames of 10 ms, float32 `(samples,)`, which a thread reads in the meantime.

        Raises:
            MicrophoneError: the device is gone.
        """
        waiting: queue.Queue[bytes | MicrophoneError] = queue.Queue(_BUFFERED_FRAMES)
        is_over = threading.Event()

        def fill() -> None:
            while not is_over.is_set():
                try:
                    waiting.put(self.read(self.CHUNK))
                except MicrophoneError as error:
                    waiting.put(error)
                    return

        thread = threading.Thread(target=fill, daemon=True)
        thread.start()
        try:
            while True:
                yield samples_of(self._next(waiting))
        finally:
            is_over.set()
            with suppress(queue.Empty):
                waiting.get_nowait()  # the thread may wait for room
            thread.join(_SILENT_FOR_S)

    def _next(self, waiting: "queue.Queue[bytes | MicrophoneError]") -> bytes:
        try:
            frame = waiting.get(timeout=_SILENT_FOR_S)
        except queue.Empty:
            raise self._gone(f"nothing for {_SILENT_FOR_S:.0f} s") from None
        if isinstance(frame, MicrophoneError):
            raise frame
        return frame

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hear nothing in this context, so that afterwards nothing older is heard."""
        self._switch(self._input.stop_stream)
        yield
        self._switch(self._input.start_stream)

    def _switch(self, stop_or_start: Callable[[], None]) -> None:
        try:
            stop_or_start()
        except OSError as error:
            raise self._gone(str(error)) from error

    def play(self, waveform: Waveform) -> None:
        """Play a sound on the default output; raises MicrophoneError if there is none."""
        try:
            rate_hz = round(float(self._audio.get_default_output_device_info()["defaultSampleRate"]))
            output = self._audio.open(rate=rate_hz, channels=1, format=pyaudio.paInt16, output=True)
        except OSError as error:
            raise MicrophoneError(f"there is nothing to play it on ({error})") from error
        played = Waveform(resampled(waveform, rate_hz), rate_hz)
        try:
            output.write(audio_data(played).get_raw_data())
            output.stop_stream()  # when all of it was played
        finally:
            output.close()

    def _gone(self, reason: str) -> MicrophoneError:
        return MicrophoneError(
            f"the microphone {self.device.index} {self.device.name} delivers no sound any more ({reason}): connect it "
            f"again, or {_OTHERS}"
        )


def samples_of(pcm: bytes) -> Samples:
    """Return samples of 16 bits as float32 `(samples,)`, full scale [-1, 1]."""
    return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(_FULL_SCALE)
