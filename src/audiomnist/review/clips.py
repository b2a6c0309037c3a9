"""Sound of a clip of the table: read from the inbox if it is still the one that was scored, and made ready to play."""

import hashlib
import io
import os
import stat
from pathlib import Path

import soundfile

from audiomnist.audio import wav, waveform
from audiomnist.audio.waveform import Waveform
from audiomnist.core.errors import FaultError
from audiomnist.scoring.decoding import checks
from audiomnist.scoring.decoding.decoder import decode_flac
from audiomnist.scoring.inbox import paths

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | os.O_NOFOLLOW
# Outside of these, browsers differ in what they play.
_MIN_RATE_HZ, _MAX_RATE_HZ = 8_000, 48_000


def read(inbox: Path, path: str, content_sha256: str) -> bytes:
    """Return the content of a file, which is a regular one below the inbox; no link on the way to it is followed.

    Args:
        inbox: the folder; it may itself be a link.
        path: of the file, as the table has it.
        content_sha256: of the file when it was scored.

    Raises:
        FaultError: it is gone, changed, or cannot be read; the reason is `vanished`, `changed` or `unreadable`.
    """
    try:
        descriptor = _opened(inbox, paths.path_of(path))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > checks.MAX_BYTES:
                raise _changed()
            content = file.read(checks.MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FaultError("vanished", "is no longer there") from error
    except OSError as error:
        raise FaultError("unreadable", f"cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != content_sha256:
        raise _changed()
    return content


def playable(content: bytes) -> bytes:
    """Return a file that was scored as browsers play it: a mono WAV file of 16 bits, at 8 to 48 kHz.

    Raises:
        FaultError: it cannot be decoded.
    """
    decode = wav.parse if wav.is_riff(content) else decode_flac
    sound = waveform.mixed(decode(content, checks.MAX_DURATION_S))
    if not _MIN_RATE_HZ <= sound.sample_rate_hz <= _MAX_RATE_HZ:
        sound = Waveform(waveform.resampled(sound, _MAX_RATE_HZ), _MAX_RATE_HZ)
    file = io.BytesIO()
    soundfile.write(file, sound.samples, sound.sample_rate_hz, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _opened(inbox: Path, path: bytes) -> int:
    """Open a file, folder by folder, so that none of them can be replaced by a link; return its descriptor."""
    *folders, name = path.split(b"/")
    if {b"", b".", b".."} & {*folders, name} or b"\0" in path:
        raise _changed()
    parent = os.open(inbox, _FOLDER)
    try:
        for folder in folders:
            below = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
            os.close(parent)
            parent = below
        return os.open(name, _FILE, dir_fd=parent)
    finally:
        os.close(parent)


def _changed() -> FaultError:
    return FaultError("changed", "has changed since it was scored")
