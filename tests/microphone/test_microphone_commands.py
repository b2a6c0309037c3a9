"""`devices`, `record` and `listen` as processes, with PortAudio and a microphone that ALSA plays from a file."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import small_bundles
import soundfile
from fake_microphone import NEEDS_MICROPHONE, fake_microphone, spoken, synthesized
from shared_folders import shared

from audiomnist.audio.waveform import Samples
from audiomnist.corpus import manifest

DEADLINE_S = 120
COMMAND = [sys.executable, "-m", "audiomnist"]
NO_DEVICE = "</usr/share/alsa/alsa.conf>\n"
WITHOUT = "import sys; sys.modules[{!r}] = None; from audiomnist.__main__ import main; main()"
LINE = re.compile(r" +([0-9.]+) s  cnn      [0-9?]( +[0-9] +[0-9.]+%){3} +([0-9]+) ms")
HEAR = """
import json, sys
from audiomnist.microphone import portaudio
from audiomnist.microphone.endpoint import Endpointer

count, decided_s = int(sys.argv[1]), []
with portaudio.portaudio() as audio:
    device = portaudio.chosen(portaudio.inputs(audio), None)
    with portaudio.Microphone(audio, device) as microphone:
        endpointer, frames = Endpointer(microphone.SAMPLE_RATE), microphone.frames()
        while len(decided_s) < count:
            if word := endpointer.feed(next(frames)):
                decided_s.append(word.decided_s)
        frames.close()
print(json.dumps(decided_s))
"""

pytestmark = NEEDS_MICROPHONE
Environment = dict[str, str]


@pytest.fixture
def microphone(tmp_path: Path) -> Callable[[Sequence[Samples]], Environment]:
    """Return a function of words, which returns the environment in which they are said."""

    def say(words: Sequence[Samples]) -> Environment:
        folder = tmp_path / "microphone"
        folder.mkdir()
        return fake_microphone(folder, spoken(words)[0])

    return say


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small bundle of a cnn."""
    folder = shared(tmp_path_factory, "microphone_bundle", lambda folder: small_bundles.write("cnn", folder / "cnn"))
    return folder / "cnn" / "served"


def test_devices_are_listed(microphone: Callable[[Sequence[Samples]], Environment]) -> None:
    """With the default marked; what ALSA and JACK print while PortAudio looks for them does not appear."""
    environment = microphone([])
    ended = run(["devices"], environment)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(r"[0-9] +│ fakemic +│ [0-9]+ +│ 44,100 Hz │ +│", ended.stdout)
    assert re.search(r"[0-9] +│ default +│ [0-9]+ +│ 44,100 Hz │ default │", ended.stdout)
    loud = subprocess.run(
        [sys.executable, "-c", "import pyaudio; pyaudio.PyAudio()"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert loud.stderr.count("ALSA lib") > 5


@pytest.mark.skipif(Path("/dev/snd").exists(), reason="this machine has a sound card")
@pytest.mark.parametrize("command", [["devices"], ["record", "--speaker", "me", "--into"], ["listen", "--model"]])
def test_without_a_device_there_is_one_sentence(command: list[str], bundle: Path, tmp_path: Path) -> None:
    """With a remedy."""
    (tmp_path / "asound.conf").write_text(NO_DEVICE, encoding="utf-8")
    last = {"record": [str(tmp_path / "takes")], "listen": [str(bundle)]}.get(command[0], [])
    ended = run([*command, *last], {"ALSA_CONFIG_PATH": str(tmp_path / "asound.conf")})
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(r"audiomnist: there is no microphone: connect one.*alsa-utils.*\n", ended.stderr)
    assert not (tmp_path / "takes").exists()


@pytest.mark.parametrize("package", ["pyaudio", "speech_recognition"])
@pytest.mark.parametrize(
    "command",
    [["devices"], ["record", "--speaker", "me", "--into", "takes"], ["listen"]],
    ids=lambda command: command[0],
)
def test_without_the_extra_there_is_one_sentence(package: str, command: list[str]) -> None:
    """With the Debian package and the extra."""
    ended = run(command, {}, program=[sys.executable, "-c", WITHOUT.format(package)])
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(
        r"audiomnist: the microphone cannot be used .*apt-get install portaudio19-dev gcc, then pip install "
        r"'audiomnist\[microphone\]'\n",
        ended.stderr,
    )


def test_takes_are_recorded_and_bad_ones_refused(
    microphone: Callable[[Sequence[Samples]], Environment], tmp_path: Path
) -> None:
    """Without a terminal nothing is asked: each good take is kept, and a bad one is recorded again."""
    seven = synthesized(7)
    said = [seven, np.clip(20 * seven, -1, 1), synthesized(7, "en"), synthesized(7, "en-us+f3")]
    (tmp_path / "takes").mkdir()
    (tmp_path / "takes" / "7_me_4.wav").write_bytes(b"mine")
    ended = run(
        ["record", "--digit", "7", "--speaker", "me", "--takes", "3", "--into", str(tmp_path / "takes")],
        microphone(said),
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.findall(r"refused, (\w+)", ended.stdout) == ["clipped"]
    assert (tmp_path / "takes" / "7_me_4.wav").read_bytes() == b"mine"
    (tmp_path / "takes" / "7_me_4.wav").unlink()
    recordings = manifest.describe_folder(tmp_path / "takes").recordings
    assert [recording.file for recording in recordings] == ["7_me_5.wav", "7_me_6.wav", "7_me_7.wav"]
    assert len({recording.sha256 for recording in recordings}) == 3
    for recording in recordings:
        info = soundfile.info(tmp_path / "takes" / recording.file)
        assert (info.samplerate, info.channels, info.subtype) == (8000, 1, "PCM_16")
        assert 0.3 < info.duration < 1


def test_all_digits_are_asked_for(microphone: Callable[[Sequence[Samples]], Environment], tmp_path: Path) -> None:
    """In random order, each once before any of them again."""
    ended = run(
        ["record", "--speaker", "me", "--takes", "2", "--into", str(tmp_path / "takes")],
        microphone([synthesized(digit) for digit in range(10)] * 2),
    )
    assert ended.returncode == 0, ended
    asked = re.findall(r"/20  say ([0-9])", ended.stdout)
    assert sorted(asked[:10]) == sorted(asked[10:]) == sorted("0123456789")
    assert len(list((tmp_path / "takes").iterdir())) == 20


def test_silence_ends_a_session_that_asks_nothing(
    microphone: Callable[[Sequence[Samples]], Environment], tmp_path: Path
) -> None:
    """After five refusals, with the reason; the takes before are kept."""
    ended = run(
        ["record", "--digit", "7", "--speaker", "me", "--yes", "--into", str(tmp_path / "takes")],
        microphone([synthesized(7)]),
    )
    assert ended.returncode == 1
    assert re.fullmatch(r"audiomnist: 5 takes in a row were refused; the last: silent: no word.*\n", ended.stderr)
    assert "1 of 10 takes" in ended.stdout
    assert [path.name for path in (tmp_path / "takes").iterdir()] == ["7_me_0.wav"]


def test_on_a_terminal_a_take_is_played_repeated_and_kept(
    microphone: Callable[[Sequence[Samples]], Environment], tmp_path: Path
) -> None:
    """As the user answers; after q, what was kept is there."""
    answers = [("Enter begins", ""), ("p plays", "p"), ("p plays", "r"), ("Enter begins", ""), ("p plays", "")]
    command = ["record", "--digit", "7", "--speaker", "me", "--takes", "2", "--into", str(tmp_path / "takes")]
    status, text = at_terminal(
        command,
        microphone([synthesized(7, voice) for voice in ("en", "en-us", "en-us+f3", "en+m2")]),
        [*answers, ("2/2", "q")],
    )
    assert status == 0
    assert "ALSA" not in text
    assert text.count("speak now") == 2
    assert "1 of 2 takes" in text
    assert max(len(line) for line in text.split("\r\n") if str(tmp_path) not in line) <= 80
    assert [path.name for path in (tmp_path / "takes").iterdir()] == ["7_me_0.wav"]


def test_words_are_labelled_where_they_end(
    microphone: Callable[[Sequence[Samples]], Environment], bundle: Path
) -> None:
    """A line each, with the three most likely digits, and how long after the word."""
    words = [synthesized(digit) for digit in (3, 7, 8)]
    ended = run(["listen", "--model", str(bundle), "--count", "3"], microphone(words))
    assert (ended.returncode, ended.stderr) == (0, "")
    heading, *lines = ended.stdout.splitlines()
    assert heading == "Listening to default. Ctrl-C ends."
    found = [match for line in lines if (match := LINE.match(line))]
    assert len(found) == len(lines) == 3
    np.testing.assert_allclose([float(match[1]) for match in found], spoken(words)[1], rtol=0, atol=0.1)


def test_a_word_is_decided_within_a_quarter_of_a_second(
    microphone: Callable[[Sequence[Samples]], Environment],
) -> None:
    """Of the stream of a real PortAudio, counted in samples: what remains of 300 ms is for the model."""
    words = [synthesized(digit) for digit in range(10)]
    ended = run([], microphone(words), program=[sys.executable, "-c", HEAR, "10"])
    decided_s = json.loads(ended.stdout)
    latencies_ms = [round(1000 * (late - end)) for late, end in zip(decided_s, spoken(words)[1], strict=True)]
    assert max(latencies_ms) <= 250


def test_ctrl_c_ends_listening(microphone: Callable[[Sequence[Samples]], Environment], bundle: Path) -> None:
    """With status 0; on a terminal there is a level meter, and the cursor is back."""
    command = ["listen", "--model", str(bundle), "--model", str(bundle)]
    status, text = at_terminal(command, microphone([synthesized(7)]), [("dBFS", ""), (" ms", signal.SIGINT)])
    assert status == 0
    assert "ALSA" not in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def run(
    command: Sequence[str], environment: Mapping[str, str], program: Sequence[str] = COMMAND
) -> subprocess.CompletedProcess[str]:
    """Run a command without a terminal."""
    return subprocess.run(
        [*program, *command],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )


def at_terminal(
    command: Sequence[str], environment: Mapping[str, str], answers: Sequence[tuple[str, str | signal.Signals]]
) -> tuple[int, str]:
    """Run a command in a terminal of 80 columns; whenever a text appears, type a line or send a signal.

    Returns:
        The exit status, and all that was printed.
    """
    ours, its = pty.openpty()
    text, seen, waiting = "", 0, list(answers)
    variables = os.environ | environment | {"COLUMNS": "80", "LINES": "24", "TERM": "xterm"}
    with subprocess.Popen([*COMMAND, *command], env=variables, stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        while chunk := _read(ours):
            text += chunk
            while waiting and waiting[0][0] in text[seen:]:
                expected, answer = waiting.pop(0)
                seen = text.index(expected, seen) + len(expected)
                if isinstance(answer, signal.Signals):
                    process.send_signal(answer)
                else:
                    os.write(ours, f"{answer}\n".encode())
        status = process.wait(DEADLINE_S)
    os.close(ours)
    assert not waiting, text
    return status, text


def _read(descriptor: int) -> str:
    """Return what a terminal shows next, nothing if it is closed."""
    assert select.select([descriptor], [], [], DEADLINE_S)[0], f"nothing for {DEADLINE_S} s"
    try:
        return os.read(descriptor, 65536).decode(errors="replace")
    except OSError:
        return ""
