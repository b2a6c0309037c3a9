"""Decoding FLAC in a child process: exact where the file is good, a reason where it is not, and nobody harmed."""

import fcntl
import io
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import soundfile

from audiomnist.audio.wav import Sound
from audiomnist.scoring.decoding.decoder import (
    READY,
    SIZE,
    Decoder,
    DecoderKilledError,
    DecoderStartError,
    DecodingError,
)

SOURCE = Path(__file__).parents[3] / "src"
DEADLINE_S = 30
SHORT_LIMIT_S, FAIR_LIMIT_S = 1, 5
MEMORY_LIMIT_BYTES = 128 << 20
MAX_DURATION_S = 60
REASONS = {
    "bad_rate",
    "empty",
    "not_audio",
    "too_long",
    "truncated",
    "undecodable",
    "unsupported_encoding",
}
# A child that does what these contents say, and decodes all others.
OBEDIENT = """
import os, signal
from pathlib import Path
from audiomnist.scoring.decoding.child import decode_flac, main

kept = []

def obey(content, max_duration_s):
    match content:
        case b"hang":
            Path("/proc/self/comm").write_text("hanging")
            while True: signal.pause()
        case b"spin":
            while True: pass
        case b"fault": os.kill(os.getpid(), signal.SIGSEGV)
        case b"kill": os.kill(os.getpid(), signal.SIGKILL)
        case b"exit": os._exit(3)
        case b"raise": raise LookupError
        case b"hoard":
            while True: kept.append(bytes(1 << 20))
        case b"leak": kept.append(bytes(100 << 20))
        case b"print":
            os.write(1, b"noise")
            os.write(2, b"noise")
            print("noise", flush=True)
    return decode_flac(content, max_duration_s)

main(obey)
"""
# A child that lasts for one file only.
ONCE = """
import os
from audiomnist.scoring.decoding.child import decode_flac, main

done = []

def decode(content, max_duration_s):
    if done: os._exit(1)
    done.append(True)
    return decode_flac(content, max_duration_s)

main(decode)
"""
DEAF = "import signal; print('ready', flush=True); signal.pause()"
BABBLING = "import os, sys; print('ready', flush=True); sys.stdin.buffer.read(9); os.write(1, {answer!r})"
# A parent that says which child it has, once that decodes a file or hangs on one.
PARENT = """
import sys
from pathlib import Path
from audiomnist.scoring.decoding.decoder import Decoder

decoder = Decoder(time_limit_s=1000, command=[sys.executable, "-P", "-c", sys.argv[1]])
decoder.decode(Path(sys.argv[2]).read_bytes())
print(Path("/proc/thread-self/children").read_text(), flush=True)
decoder.decode(b"hang") if sys.argv[3] == "hanging" else input()
"""

# A parent that decodes its input and says whether libsndfile was loaded for that.
ALONE = """
import sys
from audiomnist.scoring.decoding.decoder import Decoder

with Decoder() as decoder:
    print(len(decoder.decode(sys.stdin.buffer.read()).samples), "soundfile" in sys.modules)
"""

Value = TypeVar("Value")


def noise(seconds: float = 0.5, rate_hz: int = 8000, channels: int = 1) -> np.ndarray:
    """Return seeded noise `(frames, channels)`."""
    return np.random.default_rng(0).uniform(-1, 1, (round(seconds * rate_hz), channels))


def encoded(samples: np.ndarray, rate_hz: int = 8000, subtype: str = "PCM_16", container: str = "FLAC") -> bytes:
    """Return the content of a sound file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, subtype=subtype, format=container)
    return file.getvalue()


def with_stream_info(content: bytes, *, rate_hz: int = 8000, bits: int = 16, frames: int = 0) -> bytes:
    """Return a FLAC file of one channel whose header says something else than its sound; no frames: unknown."""
    return content[:18] + (rate_hz << 44 | (bits - 1) << 36 | frames).to_bytes(8, "big") + content[26:]


def with_padding(content: bytes, size: int) -> bytes:
    """Return a FLAC file with one more metadata block, as taggers leave them for later."""
    return content[:42] + b"\x01" + size.to_bytes(3, "big") + bytes(size) + content[42:]


def assert_decoded(sound: Sound, content: bytes) -> None:
    """Check that the sound is, bit by bit, what libsndfile gives in this process."""
    samples, rate_hz = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    assert sound.sample_rate_hz == rate_hz
    assert sound.samples.dtype == np.float32
    np.testing.assert_array_equal(sound.samples, samples)


def refusal(decoder: Decoder, content: bytes) -> DecodingError:
    """Return the error that a file leads to."""
    with pytest.raises(DecodingError) as caught:
        decoder.decode(content)
    return caught.value


def eventually(look: Callable[[], Value]) -> Value:
    """Return what `look` finds as soon as it is true; fails after a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s"
        time.sleep(0.01)
    return found


def children() -> list[int]:
    """Return the processes that this thread has started and not yet taken the status of."""
    return [int(pid) for pid in Path("/proc/thread-self/children").read_text(encoding="ascii").split()]


def is_gone(pid: int) -> bool:
    """Return whether a process has ended, be its status taken or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def running(script: str, *arguments: str, **limits: Any) -> Decoder:
    """Return a decoder whose child runs a script."""
    return Decoder(command=[sys.executable, "-P", "-c", script, *arguments], **limits)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    """Lend one decoder, and with it one child, to many tests."""
    with Decoder(max_duration_s=MAX_DURATION_S) as decoder:
        yield decoder


@pytest.fixture(scope="module")
def good() -> bytes:
    """Half a second of noise as FLAC."""
    return encoded(noise())


@pytest.fixture
def obedient() -> Iterator[Decoder]:
    """A decoder whose child can be told to misbehave."""
    with running(OBEDIENT, memory_limit_bytes=MEMORY_LIMIT_BYTES) as decoder:
        yield decoder


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize("rate_hz", [4000, 8000, 192_000])
def test_flac_is_decoded_exactly(decoder: Decoder, subtype: str, channels: int, rate_hz: int) -> None:
    """Whatever bits, channels and rate are: the samples are those of libsndfile in this process."""
    content = encoded(noise(0.1, rate_hz, channels), rate_hz, subtype)
    sound = decoder.decode(content)
    assert sound.samples.shape == (rate_hz // 10, channels)
    assert_decoded(sound, content)


@pytest.mark.parametrize(
    "dress",
    [
        pytest.param(lambda content: with_stream_info(content, frames=0), id="length left open"),
        pytest.param(lambda content: with_padding(content, 100_000), id="padding"),
        pytest.param(lambda content: b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + content, id="ID3 tag before"),
        pytest.param(lambda content: content + b"TAG" + bytes(125), id="ID3 tag after"),
    ],
)
def test_what_other_programs_put_around_the_sound_is_no_fault(
    decoder: Decoder, good: bytes, dress: Callable[[bytes], bytes]
) -> None:
    """Tags, padding, and the unknown length of an encoder that wrote to a pipe leave the sound as it is."""
    np.testing.assert_array_equal(decoder.decode(dress(good)).samples, decoder.decode(good).samples)


@pytest.mark.parametrize("seconds", [0.1, 0.5, 5])
def test_a_file_cut_anywhere_is_truncated(decoder: Decoder, seconds: float) -> None:
    """In the header, in a frame, between two frames, before the last byte: the file has been cut."""
    content = with_padding(encoded(noise(seconds)), 60)
    cuts = {
        *range(4, 160),
        len(content) // 2,
        len(content) - 1,
        *np.random.default_rng(0).integers(160, len(content), 50),
    }
    assert {refusal(decoder, content[:cut]).reason for cut in cuts} == {"truncated"}


def test_a_file_that_ends_with_a_frame_is_truncated_where_more_are_promised(decoder: Decoder) -> None:
    """What is there decodes without any error of the library."""
    content = encoded(noise(5))
    assert_decoded(decoder.decode(content), content)
    error = refusal(decoder, with_stream_info(content, frames=5 * 8000 + 1))
    assert error.reason == "truncated"
    assert "before the 40001 frames that its header promises" in error.sentence


def test_a_file_of_unknown_length_cut_in_a_frame_is_truncated(decoder: Decoder) -> None:
    """No promise is broken, but a frame is."""
    content = with_stream_info(encoded(noise(5)), frames=0)
    error = refusal(decoder, content[: len(content) // 2])
    assert (error.reason, error.sentence) == ("truncated", "is cut short or damaged: its sound breaks off")


def test_a_file_damaged_in_the_middle_is_undecodable(decoder: Decoder) -> None:
    """A frame whose checksum is wrong, with others after it, is not what cutting leaves."""
    content = bytearray(encoded(noise(5)))
    content[len(content) // 2] ^= 1
    error = refusal(decoder, bytes(content))
    assert error.reason == "undecodable"
    assert "is damaged: libsndfile cannot decode it" in error.sentence


def test_a_damaged_header_is_undecodable(decoder: Decoder, good: bytes) -> None:
    """The file is whole, but the comments in its second block say that they are longer than the block."""
    assert refusal(decoder, good[:46] + b"\xff" * 4 + good[50:]).reason == "undecodable"


@pytest.mark.parametrize("frames", [2**36 - 1, MAX_DURATION_S * 8000 + 1])
def test_a_claim_beyond_the_longest_duration_is_too_long(decoder: Decoder, good: bytes, frames: int) -> None:
    """The header alone decides: the samples would not fit in memory."""
    error = refusal(decoder, with_stream_info(good, frames=frames))
    assert (error.reason, error.sentence) == ("too_long", "lasts longer than the 60 s allowed")


def test_a_claim_of_the_longest_duration_is_not_too_long(decoder: Decoder, good: bytes) -> None:
    """It is the sound that falls short of it."""
    assert refusal(decoder, with_stream_info(good, frames=MAX_DURATION_S * 8000)).reason == "truncated"


@pytest.mark.parametrize(("frames", "fits"), [(4000, True), (4001, False)])
def test_the_longest_duration_holds_without_a_claim(frames: int, *, fits: bool) -> None:
    """Where the header leaves the length open, no more than that is read."""
    content = with_stream_info(encoded(noise(1)[:frames]), frames=0)
    with Decoder(max_duration_s=0.5) as decoder:
        if fits:
            assert len(decoder.decode(content).samples) == frames
        else:
            assert refusal(decoder, content).reason == "too_long"


@pytest.mark.parametrize("rate_hz", [0, 1, 3999, 192_001, 655_350])
def test_an_absurd_rate_is_named(decoder: Decoder, good: bytes, rate_hz: int) -> None:
    """It is told before anything is decoded."""
    error = refusal(decoder, with_stream_info(good, rate_hz=rate_hz, frames=4000))
    assert error.reason == "bad_rate"
    assert f"{rate_hz} Hz" in error.sentence


def test_bits_that_libsndfile_does_not_read_are_named(decoder: Decoder, good: bytes) -> None:
    """FLAC of 20 bits is good FLAC; the sentence says what to do."""
    error = refusal(decoder, with_stream_info(good, bits=20, frames=4000))
    assert error.reason == "unsupported_encoding"
    assert error.sentence == "is FLAC of 20 bits: convert it to FLAC of 16 or 24 bits"


@pytest.mark.parametrize(
    ("container", "subtype", "name"),
    [
        ("OGG", "VORBIS", "OGG (OGG Container format)"),
        ("MP3", "MPEG_LAYER_III", "MPEG-1/2 Audio"),
        ("AIFF", "PCM_16", "AIFF (Apple/SGI)"),
    ],
)
def test_other_formats_are_named(decoder: Decoder, container: str, subtype: str, name: str) -> None:
    """Libsndfile could read them; a model was never shown what lossy compression leaves."""
    error = refusal(decoder, encoded(noise(), subtype=subtype, container=container))
    assert error.reason == "unsupported_encoding"
    assert error.sentence == f"is {name}: convert it to WAV or FLAC"


@pytest.mark.parametrize(
    "content",
    [
        b"f",
        b"plain text, and not a sound",
        np.random.default_rng(0).bytes(5000),
        b"OggS" + np.random.default_rng(0).bytes(5000),
        b"\xff\xfb\x90\x00" + np.random.default_rng(0).bytes(5000),
        b"ID3\x04" + bytes(5000),
    ],
)
def test_what_is_no_sound_is_not_audio(decoder: Decoder, content: bytes) -> None:
    """Neither are bytes that only begin like Ogg or MP3."""
    assert refusal(decoder, content).reason == "not_audio"


@pytest.mark.parametrize("content", [b"", encoded(noise()[:0])])
def test_a_file_without_sound_is_empty(decoder: Decoder, content: bytes) -> None:
    """Be it that it has no bytes, or a header only."""
    assert refusal(decoder, content).reason == "empty"


def test_many_megabytes_go_both_ways(decoder: Decoder) -> None:
    """The pipes hold 64 KiB: neither side waits for the other for ever."""
    content = encoded(noise(25, 192_000, 2), 192_000)
    assert len(content) > 18 << 20
    assert_decoded(decoder.decode(content), content)


def test_nothing_is_started_before_the_first_file() -> None:
    """The child comes with the first file, serves the second, and is gone at the end."""
    before = children()
    with Decoder() as decoder:
        assert children() == before
        refusal(decoder, b"no sound")
        (child,) = set(children()) - set(before)
        refusal(decoder, b"no sound either")
        assert set(children()) - set(before) == {child}
    assert is_gone(child)
    assert children() == before


def test_a_closed_decoder_can_be_closed_and_used_again(good: bytes) -> None:
    """It starts another child."""
    with Decoder() as decoder:
        decoder.close()
        assert_decoded(decoder.decode(good), good)
        decoder.close()
        assert_decoded(decoder.decode(good), good)


@pytest.mark.parametrize(
    ("order", "reason", "sentence"),
    [
        (b"fault", "decoder_crashed", "made its decoder end with signal 11 (Segmentation fault)"),
        (b"exit", "decoder_crashed", "made its decoder end with status 3"),
        (b"raise", "decoder_crashed", "made its decoder end with status 1"),
        (b"hoard", "undecodable", "takes more than 128 MiB of memory to decode"),
    ],
)
def test_a_file_that_harms_its_decoder_harms_no_other(
    obedient: Decoder, good: bytes, order: bytes, reason: str, sentence: str
) -> None:
    """It is refused, first or not, and what comes after it is decoded."""
    for _ in range(2):
        error = refusal(obedient, order)
        assert (error.reason, error.sentence) == (reason, sentence)
        assert_decoded(obedient.decode(good), good)


def test_a_decoder_that_somebody_else_kills_is_no_fault_of_a_file(obedient: Decoder, good: bytes) -> None:
    """The system may have been short of memory; what comes after it is decoded."""
    for _ in range(2):
        with pytest.raises(DecoderKilledError, match="perhaps for want of memory"):
            obedient.decode(b"kill")
        assert_decoded(obedient.decode(good), good)


def test_a_file_that_its_decoder_hangs_on_harms_no_other(good: bytes) -> None:
    """It is refused at the end of its time, and what comes before and after it is decoded."""
    with running(OBEDIENT, time_limit_s=FAIR_LIMIT_S) as decoder:
        assert_decoded(decoder.decode(good), good)
        error = refusal(decoder, b"hang")
        assert (error.reason, error.sentence) == ("decoder_timeout", "could not be decoded within 5 s")
        assert_decoded(decoder.decode(good), good)


def test_no_file_is_blamed_for_what_an_earlier_one_did(good: bytes) -> None:
    """A child that fails on its second file has that file decoded by a new one."""
    with running(ONCE) as decoder:
        for _ in range(3):
            assert_decoded(decoder.decode(good), good)


def test_memory_that_an_earlier_file_left_behind_counts_for_none(obedient: Decoder, good: bytes) -> None:
    """The limit is what one file may take: 100 MB lost thrice leave 128 MiB for the next."""
    for _ in range(3):
        assert refusal(obedient, b"leak").reason == "not_audio"
    assert_decoded(obedient.decode(good), good)


def test_a_child_that_was_killed_while_idle_is_replaced(good: bytes) -> None:
    """Nobody is blamed: whoever killed it, it was not a file."""
    before = children()
    with Decoder() as decoder:
        decoder.decode(good)
        (child,) = set(children()) - set(before)
        os.kill(child, signal.SIGKILL)
        eventually(lambda: is_gone(child))
        assert_decoded(decoder.decode(good), good)


def test_a_child_that_does_not_read_is_not_waited_for() -> None:
    """Writing 20 MB to it ends at the deadline too."""
    with running(DEAF, time_limit_s=SHORT_LIMIT_S) as decoder:
        assert refusal(decoder, bytes(20_000_000)).reason == "decoder_timeout"


@pytest.mark.parametrize(
    "answer",
    [
        b"noise",
        b"\xff" * 100,
        struct.pack("=QQ", 2, 1 << 40) + b"{}",
        struct.pack("=QQ", 2, 0) + b"{}",
        struct.pack("=QQ", 2, 0) + b"{]",
        struct.pack("=QQ", 2, 0) + b"[]",
        struct.pack("=QQ", 35, 6) + b'{"sample_rate_hz": 1, "channels": 1}' + bytes(6),
        struct.pack("=QQ", 35, 4) + b'{"sample_rate_hz": 1, "channels": 2}' + bytes(4),
    ],
)
def test_an_answer_that_makes_no_sense_counts_as_a_crash(answer: bytes) -> None:
    """A child whose memory was overwritten may say anything; it is not believed."""
    with running(BABBLING.format(answer=answer)) as decoder:
        assert refusal(decoder, b"x").reason == "decoder_crashed"


def test_what_a_library_prints_is_no_part_of_the_answer(
    obedient: Decoder, good: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor does it reach the terminal."""
    assert refusal(obedient, b"print").reason == "not_audio"
    assert_decoded(obedient.decode(good), good)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "command", [["/nowhere/python"], [sys.executable, "-c", "raise SystemExit(3)"], [sys.executable, "-c", "print(7)"]]
)
def test_a_child_that_does_not_start_is_no_fault_of_a_file(command: list[str]) -> None:
    """The error names the command to try, and is no DecodingError."""
    before = children()
    with Decoder(command=command) as decoder, pytest.raises(DecoderStartError) as caught:
        decoder.decode(b"x")
    assert command[0] in str(caught.value)
    assert children() == before


def test_a_child_that_does_not_start_is_not_tried_for_every_file(tmp_path: Path) -> None:
    """Each attempt may take a minute, and a night has many files."""
    starts = tmp_path / "starts"
    program = f"open({str(starts)!r}, 'a').write('x'); raise SystemExit(3)"
    with Decoder(command=[sys.executable, "-c", program]) as decoder:
        for _ in range(3):
            with pytest.raises(DecoderStartError, match="does not start"):
                decoder.decode(b"x")
    assert starts.read_text(encoding="utf-8") == "x"


def test_an_interrupted_decoding_leaves_no_answer_for_the_next_file(obedient: Decoder, good: bytes) -> None:
    """Whatever exception ends the wait, the child that was asked is not asked again."""

    def interrupt(*_: object) -> None:
        raise InterruptedError

    obedient.decode(good)
    handler = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, SHORT_LIMIT_S)
        with pytest.raises(InterruptedError):
            obedient.decode(b"hang")
    finally:
        signal.signal(signal.SIGALRM, handler)
    assert_decoded(obedient.decode(good), good)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_that_are_meant_for_the_parent_do_not_end_the_child(good: bytes, number: signal.Signals) -> None:
    """Ctrl-C reaches every process of a terminal, a stopping service's SIGTERM each of its processes."""
    before = children()
    with Decoder() as decoder:
        decoder.decode(good)
        (child,) = set(children()) - set(before)
        os.kill(child, number)
        assert_decoded(decoder.decode(good), good)
        assert set(children()) - set(before) == {child}
    assert number not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_the_child_inherits_nothing_but_its_pipes(good: bytes, tmp_path: Path) -> None:
    """A lock that its parent holds, even on an inheritable descriptor, is free as soon as the parent lets go."""
    lock = tmp_path / "lock"
    with Decoder() as decoder, lock.open("w") as first, lock.open("w") as second:
        os.set_inheritable(first.fileno(), True)
        fcntl.flock(first, fcntl.LOCK_EX)
        before = children()
        decoder.decode(good)
        (child,) = set(children()) - set(before)
        kinds = {str(link.readlink()).partition(":")[0] for link in Path(f"/proc/{child}/fd").iterdir()}
        assert kinds == {"pipe", os.devnull}
        first.close()
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_child_leaves_no_core_file(good: bytes) -> None:
    """A crash is told in a row, not in a dump beside the program."""
    before = children()
    with Decoder() as decoder:
        decoder.decode(good)
        (child,) = set(children()) - set(before)
        assert resource.prlimit(child, resource.RLIMIT_CORE) == (0, 0)


def test_a_child_that_nobody_watches_ends_itself() -> None:
    """Its processor time is limited too, for the case that its parent cannot kill it."""
    with started(OBEDIENT, "0", str(1 << 30), "60") as child:
        assert child.stdin is not None
        child.stdin.write(SIZE.pack(4) + b"spin")
        child.stdin.flush()
        assert child.wait(DEADLINE_S) == -signal.SIGXCPU
        assert child.stdout is not None
        assert child.stdout.read() == READY


@pytest.mark.parametrize("state", ["idle", "hanging"])
def test_no_child_outlives_its_killed_parent(good: bytes, tmp_path: Path, state: str) -> None:
    """Be it waiting for a file, or hanging on one: the kernel ends it."""
    file = tmp_path / "good.flac"
    file.write_bytes(good)
    with started(PARENT, OBEDIENT, str(file), state) as parent:
        assert parent.stdout is not None
        assert select.select([parent.stdout], [], [], DEADLINE_S)[0]
        child = int(parent.stdout.readline())
        if state == "hanging":
            eventually(lambda: Path(f"/proc/{child}/comm").read_text(encoding="ascii") == "hanging\n")
        assert not is_gone(child)
        parent.send_signal(signal.SIGKILL)
        parent.wait(DEADLINE_S)
        eventually(lambda: is_gone(child))


@contextmanager
def started(script: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a script with pipes to it; it is killed at the end."""
    command = [sys.executable, "-P", "-c", script, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_child_is_found_by_the_path_of_its_parent_alone(good: bytes, tmp_path: Path) -> None:
    """Modules that lie in the current folder under the names of others are not taken for them."""
    for name in ("numpy", "soundfile", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)", encoding="utf-8")
    command = [sys.executable, "-P", "-c", ALONE]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    said = subprocess.run(command, input=good, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert said.stdout == b"4000 False\n"


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a FLAC file with up to three faults, half of them in its header."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        end = 90 if rng.random() < 0.5 else len(data)
        at = int(rng.integers(min(end, len(data))))
        size = int(rng.integers(1, 9))
        match rng.integers(5):
            case 0:
                data[at] ^= 1 << int(rng.integers(8))
            case 1:
                data[at : at + size] = rng.choice([b"\0", b"\x01", b"\x7f", b"\x80", b"\xff"]) * size
            case 2:
                del data[at : at + size]
            case 3:
                data[at:at] = data[at : at + 40 * size]
            case _:
                del data[max(at, 1) :]
    return bytes(data)


def assert_decoded_or_refused(decoder: Decoder, mutations: int) -> None:
    """Decode mutations of FLAC files; each is a sound within the limits, or refused for a fault of its own."""
    rng = np.random.default_rng(mutations)
    originals = [encoded(noise(seconds, channels=channels)) for seconds in (0.05, 0.5, 2) for channels in (1, 2)]
    outcomes = set()
    for number in range(mutations):
        try:
            sound = decoder.decode(mutated(originals[number % len(originals)], rng))
        except DecodingError as error:
            outcomes.add(error.reason)
        else:
            outcomes.add("sound")
            assert 0 < len(sound.samples) <= MAX_DURATION_S * sound.sample_rate_hz
            assert np.abs(sound.samples).max() <= 1
    assert outcomes <= REASONS | {"sound"}
    assert outcomes >= {"sound", "truncated", "undecodable", "not_audio", "bad_rate"}
    assert_decoded(decoder.decode(originals[0]), originals[0])


def test_mutations_are_decoded_or_refused(decoder: Decoder) -> None:
    """None crashes the child or makes it hang."""
    assert_decoded_or_refused(decoder, 300)


@pytest.mark.long
def test_many_mutations_are_decoded_or_refused(decoder: Decoder) -> None:
    """None of many crashes the child or makes it hang."""
    assert_decoded_or_refused(decoder, 3000)
