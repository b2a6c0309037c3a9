"""Decoding in a child process, where libsndfile may hang, crash or eat memory without harm to anyone else.

A child decodes one file after the other. It is asked and answers over its stdin and stdout:

    child -> READY                                                 once, when it has started
    parent -> SIZE (of the content), content
    child -> SIZES (of header and samples), header, samples        and so on, until stdin ends

The header is JSON: `sample_rate_hz` and `channels` of the float32 samples that follow, or `reason` and
`sentence` where nothing follows. A child that does not answer is killed, and the file tried once more in a new
one, so that no file is blamed for what an earlier one did to the child that they shared.
"""

import json
import select
import shlex
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from os import environ, set_blocking
from typing import Self, cast

import numpy as np

from audiomnist.audio.wav import Sound
from audiomnist.core.errors import AudiomnistError, FaultError
from audiomnist.core.processes import ENDING_SIGNALS, held_back

READY = b"ready\n"
SIZE = struct.Struct("=Q")
SIZES = struct.Struct("=QQ")

_COMMAND = (sys.executable, "-P", "-m", "audiomnist.scoring.decoding.child")
_START_LIMIT_S = 60.0
_MAX_HEADER_BYTES = 1 << 16
_KILLED = "was being decoded when its decoder was killed, perhaps for want of memory"
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class DecodingError(FaultError):
    """A file holds no sound that can be used. `reason` is a stable code; `sentence` says it without the path."""


class DecoderStartError(AudiomnistError):
    """No child process can be started; no file is to blame."""


class DecoderKilledError(AudiomnistError):
    """A child was killed by somebody else, mostly the system for want of memory; the file need not be to blame."""


class Decoder:
    """Decodes FLAC in a child process that starts with the first file, is used again, and replaced when it is lost.

    It belongs to one thread, whose end is the child's end too.
    """

    def __init__(
        self,
        time_limit_s: float = 10,
        memory_limit_bytes: int = 1 << 30,
        max_duration_s: float = 60,
        command: Sequence[str] = _COMMAND,
    ) -> None:
        """Start nothing yet.

        Args:
            time_limit_s: how long one child may take over one file.
            memory_limit_bytes: what the child may allocate beyond what it takes to run.
            max_duration_s: longer sounds are refused.
            command: the child's program and its first arguments; the three limits are added in this order.
        """
        self._time_limit_s = time_limit_s
        self._memory_limit_bytes = memory_limit_bytes
        self._command = [*command, str(time_limit_s), str(memory_limit_bytes), str(max_duration_s)]
        self._child: _Child | None = None
        self._refusal: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def decode(self, content: bytes) -> Sound:
        """Decode a file's content.

        Raises:
            DecodingError: it is no sound that can be used; the reason is one of empty, not_audio, truncated,
                unsupported_encoding, bad_rate, too_long, undecodable, decoder_timeout, decoder_crashed.
            DecoderStartError: the child does not start; once it did not, it is not tried again, which may take minutes.
            DecoderKilledError: the child was killed, and not by this process.
        """
        if self._child:
            with suppress(_LostError, DecoderKilledError):
                return self._ask(self._child, content)
        return self._ask(self._started(), content)

    def close(self) -> None:
        """End the child, if there is one."""
        if self._child:
            self._child.end()
        self._child = None

    def _ask(self, child: "_Child", content: bytes) -> Sound:
        self._child = None
        answer = child.decode(content, self._time_limit_s)
        self._child = child
        if isinstance(answer, DecodingError):
            raise answer
        return answer

    def _started(self) -> "_Child":
        if self._refusal:
            raise DecoderStartError(self._refusal)
        try:
            return _Child(self._command, self._memory_limit_bytes)
        except (OSError, EOFError) as error:
            self._refusal = (
                f"the process that decodes FLAC does not start ({error}): see what `{shlex.join(self._command)}` says"
            )
            raise DecoderStartError(self._refusal) from error


class _LostError(DecodingError):
    """The child did not answer; it is no more."""


class _Child:
    """A running child process. Every wait for it ends at a deadline; it does not survive one that is missed."""

    def __init__(self, command: Sequence[str], max_samples_bytes: int) -> None:
        """Start it, and wait until it is ready; raises OSError or EOFError if it does not come to that."""
        pipe = subprocess.PIPE
        with held_back(ENDING_SIGNALS):
            self._process = subprocess.Popen(  # noqa: S603 - the program is this one's own
                command, bufsize=0, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environ | _ONE_THREAD
            )
        self._requests = cast("FileIO", self._process.stdin)
        self._replies = cast("FileIO", self._process.stdout)
        self._max_samples_bytes = max_samples_bytes
        set_blocking(self._requests.fileno(), False)
        set_blocking(self._replies.fileno(), False)
        with self._ended_on_error():
            if self._receive(len(READY), time.monotonic() + _START_LIMIT_S) != READY:
                raise EOFError("it says something else than that it is ready")

    def decode(self, content: bytes, time_limit_s: float) -> Sound | DecodingError:
        """Return what the child says of a file; raises _LostError if it says nothing."""
        request = SIZE.pack(len(content)) + content
        deadline = time.monotonic() + time_limit_s
        try:
            with self._ended_on_error():
                self._send(request, deadline)
                return self._answer(deadline)
        except TimeoutError:
            raise _LostError("decoder_timeout", f"could not be decoded within {time_limit_s:g} s") from None
        except (BrokenPipeError, EOFError, ValueError, LookupError, TypeError) as error:
            if isinstance(error, BrokenPipeError | EOFError) and self._process.returncode == -signal.SIGKILL:
                raise DecoderKilledError(_KILLED) from None
            raise _LostError("decoder_crashed", f"made its decoder end with {self._ending()}") from None

    def end(self) -> None:
        """Kill the child and take its status."""
        with self._process:
            self._process.kill()

    def _answer(self, deadline: float) -> Sound | DecodingError:
        header_bytes, samples_bytes = SIZES.unpack(self._receive(SIZES.size, deadline))
        if header_bytes > _MAX_HEADER_BYTES or samples_bytes > self._max_samples_bytes:
            raise ValueError("no answer is that long")
        header = json.loads(self._receive(header_bytes, deadline))
        if "reason" in header:
            return DecodingError(header["reason"], header["sentence"])
        samples = np.frombuffer(self._receive(samples_bytes, deadline), np.float32)
        return Sound(samples.reshape(-1, header["channels"]), header["sample_rate_hz"])

    def _send(self, data: bytes, deadline: float) -> None:
        left = memoryview(data)
        while left:
            _wait(self._requests, select.POLLOUT, deadline)
            left = left[self._requests.write(left) or 0 :]

    def _receive(self, size: int, deadline: float) -> bytearray:
        data = bytearray(size)
        left = memoryview(data)
        while left:
            _wait(self._replies, select.POLLIN, deadline)
            received = self._replies.readinto(left)
            if received == 0:
                raise EOFError("it ended")
            left = left[received or 0 :]
        return data

    @contextmanager
    def _ended_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.end()
            raise

    def _ending(self) -> str:
        status = self._process.returncode
        return f"status {status}" if status >= 0 else f"signal {-status} ({signal.strsignal(-status)})"


def _wait(pipe: FileIO, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(pipe, event)
    if not poll.poll(max(0, deadline - time.monotonic()) * 1000):
        raise TimeoutError("it did not answer in time")
