"""A clip is played only if it is the file that was scored."""

import hashlib
import io
import os
from pathlib import Path

import inbox_files
import numpy as np
import pytest
import soundfile

from audiomnist.core.errors import FaultError
from audiomnist.review import clips
from audiomnist.scoring.inbox import paths

SOUND = inbox_files.tone(3)
CONTENT = inbox_files.encoded(SOUND)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("name", [b"7.wav", b"a/b/7.wav", b"caf\xe9\\\n.wav", "ü/🎤.wav".encode()])
def test_a_file_that_is_as_it_was_is_read(tmp_path: Path, name: bytes) -> None:
    """Whatever its name and time; the inbox may be a link."""
    inbox_files.put(tmp_path / "inbox", name, CONTENT, modified_ns=1)
    (tmp_path / "link").symlink_to("inbox")
    for inbox in (tmp_path / "inbox", tmp_path / "link"):
        assert clips.read(inbox, paths.text(name), SHA256) == CONTENT


def test_another_content_is_refused(tmp_path: Path) -> None:
    """Of the same size and time, too."""
    inbox_files.put(tmp_path, "7.wav", CONTENT[:-1] + b"\x7f")
    with pytest.raises(FaultError, match="has changed since it was scored"):
        clips.read(tmp_path, "7.wav", SHA256)


@pytest.mark.parametrize(
    "path", ["../7.wav", "a/../../7.wav", "/7.wav", "", ".", "a//7.wav", "a/", "./7.wav", "a\x00b"]
)
def test_no_path_leads_out_of_the_inbox(tmp_path: Path, path: str) -> None:
    """Nor is one read that the scorer never writes, though the content is there."""
    inbox_files.put(tmp_path, "7.wav", CONTENT)
    inbox_files.put(tmp_path / "inbox" / "a", "7.wav", CONTENT)
    with pytest.raises(FaultError):
        clips.read(tmp_path / "inbox", path, SHA256)


@pytest.mark.parametrize("path", ["link.wav", "folder/7.wav", "inside/7.wav", "broken.wav", "fifo", "a", "absent.wav"])
def test_only_regular_files_are_read_and_no_link_is_followed(tmp_path: Path, path: str) -> None:
    """Links to files and to folders, within the inbox and out of it, a pipe, a folder, and nothing."""
    inbox = tmp_path / "inbox"
    inbox_files.put(tmp_path / "outside", "7.wav", CONTENT)
    inbox_files.put(inbox / "a", "7.wav", CONTENT)
    (inbox / "link.wav").symlink_to("../outside/7.wav")
    (inbox / "folder").symlink_to("../outside")
    (inbox / "inside").symlink_to("a")
    (inbox / "broken.wav").symlink_to("nowhere")
    os.mkfifo(inbox / "fifo")
    with pytest.raises(FaultError):
        clips.read(inbox, path, SHA256)


@pytest.mark.parametrize(
    ("container", "subtype", "rate_hz", "channels"),
    [
        ("WAV", "PCM_16", 8000, 1),
        ("WAV", "PCM_24", 48_000, 2),
        ("WAV", "ULAW", 8000, 1),
        ("WAVEX", "DOUBLE", 16_000, 8),
        ("FLAC", "PCM_24", 44_100, 1),
        ("WAV", "FLOAT", 4000, 1),
        ("FLAC", "PCM_16", 192_000, 2),
    ],
)
def test_every_kind_of_file_becomes_one_that_browsers_play(
    container: str, subtype: str, rate_hz: int, channels: int
) -> None:
    """Mono, 16 bits, at a rate that all of them know, of the same length and loudness."""
    sound = inbox_files.tone(3, rate_hz=rate_hz)
    content = inbox_files.encoded(np.stack([sound] * channels, axis=1), rate_hz, subtype, container)
    info = soundfile.info(io.BytesIO(clips.playable(content)))
    assert (info.format, info.subtype, info.channels) == ("WAV", "PCM_16", 1)
    assert 8000 <= info.samplerate <= 48_000
    assert info.duration == pytest.approx(len(sound) / rate_hz, abs=0.001)
    played, _ = soundfile.read(io.BytesIO(clips.playable(content)))
    assert np.sqrt(np.mean(played**2)) == pytest.approx(np.sqrt(np.mean(sound**2)), rel=0.05)


def test_a_file_of_16_bits_is_played_as_it_is() -> None:
    """Sample by sample."""
    expected, _ = soundfile.read(io.BytesIO(CONTENT), dtype="int16")
    played, _ = soundfile.read(io.BytesIO(clips.playable(CONTENT)), dtype="int16")
    assert np.array_equal(played, expected)
