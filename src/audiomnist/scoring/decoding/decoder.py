"""FLAC decoding with libsndfile.

The library runs in the scoring process. A file that crashes it, or on which it hangs, costs that process, which
`audiomnist.scoring.workers.worker` replaces.
"""

import io

from soundfile import LibsndfileError, SoundFile

from audiomnist.audio.wav import MAX_RATE_HZ, MIN_RATE_HZ, PcmAudio
from audiomnist.core.errors import FaultError

_FLAC = b"fLaC"
_UNKNOWN_FRAMES = (1 << 63) - 1  # value of libsndfile if a FLAC header has no length


class _Stream(SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file that is read once, from its start: libsndfile cannot seek beyond the last frame of a FLAC file."""

    def seekable(self) -> bool:
        return False


def decode_flac(content: bytes, max_duration_s: float) -> PcmAudio:
    """Decode the content of a FLAC file (the format has 1 to 8 channels).

    Samples take no more memory than a sound of the maximum duration, whatever the file contains.

    Raises:
        FaultError: it is not FLAC, damaged, truncated, empty, of a rate outside 4 to 192 kHz, or too long; the
            reason is one of empty, not_audio, truncated, unsupported_encoding, bad_rate, too_long, undecodable.
    """
    if not content:
        raise FaultError("empty", "holds no bytes")
    file = io.BytesIO(content)
    try:
        opened = _Stream(file)
    except LibsndfileError as error:
        raise _open_error(content, error) from error
    with opened as sound_file:
        try:
            return _read(sound_file, max_duration_s)
        except LibsndfileError as error:
            left = len(content) - file.tell()
            raise _damaged(error) if left else _cut_short(sound_file.frames) from error


def _open_error(content: bytes, error: LibsndfileError) -> FaultError:
    """Return why libsndfile cannot open a file; its messages are misleading for a truncated header."""
    if not content.startswith(_FLAC):
        return FaultError("not_audio", "is neither WAV nor FLAC, nor of any other format known here")
    if not _has_whole_header(content):
        return FaultError("truncated", "ends within its FLAC header")
    packed = int.from_bytes(content[18:26])  # in STREAMINFO, the first metadata block
    rate_hz, bits = packed >> 44, (packed >> 36 & 0x1F) + 1
    if rate_hz == 0:
        return _bad_rate(rate_hz)
    if bits not in {8, 16, 24}:
        return FaultError("unsupported_encoding", f"is FLAC of {bits} bits: convert it to FLAC of 16 or 24 bits")
    return _damaged(error)


def _has_whole_header(content: bytes) -> bool:
    """Return whether the metadata blocks (each: last-block flag, type, size) end within the content."""
    position, is_last = len(_FLAC), False
    while not is_last and position < len(content):
        is_last = content[position] >= 0x80  # noqa: PLR2004 - the flag is the highest bit
        position += 4 + int.from_bytes(content[position + 1 : position + 4])
    return is_last and position <= len(content)


def _read(sound_file: _Stream, max_duration_s: float) -> PcmAudio:
    """Read all frames, or one more than allowed if the header has no length."""
    rate_hz, claimed = sound_file.samplerate, sound_file.frames
    if sound_file.format != "FLAC":
        raise FaultError("unsupported_encoding", f"is {sound_file.format_info}: convert it to WAV or FLAC")
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise _bad_rate(rate_hz)
    if max_duration_s * rate_hz < claimed != _UNKNOWN_FRAMES:
        raise _too_long(max_duration_s)
    samples = sound_file.read(min(claimed, int(max_duration_s * rate_hz) + 1), dtype="float32", always_2d=True)
    if len(samples) < claimed != _UNKNOWN_FRAMES:
        raise _cut_short(claimed)
    if len(samples) == 0:
        raise FaultError("empty", "holds no samples")
    if len(samples) > max_duration_s * rate_hz:
        raise _too_long(max_duration_s)
    return PcmAudio(samples, rate_hz)


def _bad_rate(rate_hz: int) -> FaultError:
    return FaultError("bad_rate", f"has a rate of {rate_hz} Hz: {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz are read")


def _too_long(max_duration_s: float) -> FaultError:
    return FaultError("too_long", f"lasts longer than the {max_duration_s:g} s allowed")


def _cut_short(claimed: int) -> FaultError:
    promise = "" if claimed == _UNKNOWN_FRAMES else f" before the {claimed} frames that its header promises"
    return FaultError("truncated", f"is cut short or damaged: its sound breaks off{promise}")


def _damaged(error: LibsndfileError) -> FaultError:
    return FaultError("undecodable", f"is damaged: libsndfile cannot decode it ({error.error_string.rstrip('.')})")
