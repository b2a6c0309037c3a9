"""Choosing a microphone, and microphones that fail; a real PortAudio is in tests/microphone."""

from typing import Any

import pytest

portaudio = pytest.importorskip("audiomnist.microphone.portaudio", reason="needs PyAudio", exc_type=ImportError)

USB = portaudio.Device(0, "USB Audio: #1 (hw:1,0)", 1, 48_000, is_default=False)
DEFAULT = portaudio.Device(4, "default", 32, 44_100, is_default=True)
PULSE = portaudio.Device(5, "pulse", 32, 44_100, is_default=False)
DEVICES = [USB, DEFAULT, PULSE]


class GoneStream:
    """A stream whose device was pulled out after the first frame."""

    frames = 1

    def read(self, samples: int, **_: bool) -> bytes:
        """Return silence once."""
        self.frames -= 1
        if self.frames < 0:
            raise OSError(-9999, "Unanticipated host error")
        return bytes(2 * samples)

    def close(self) -> None:
        """Fail, as PortAudio does."""
        raise OSError(-9988, "Stream closed")

    stop_stream = close


class Host:
    """A PortAudio with one microphone, or none."""

    def __init__(self, stream: GoneStream | None) -> None:
        self._stream = stream

    def open(self, **_: Any) -> GoneStream:
        """Return the stream."""
        if self._stream is None:
            raise OSError(-9985, "Device unavailable")
        return self._stream

    def get_default_input_device_info(self) -> dict[str, Any]:
        """Fail."""
        raise OSError("No Default Input Device Available")

    def get_device_count(self) -> int:
        """Return 0."""
        return 0


@pytest.mark.parametrize(
    ("device", "expected"),
    [(None, DEFAULT), ("0", USB), ("default", DEFAULT), ("usb", USB), ("PULSE", PULSE), ("hw:1,0", USB)],
)
def test_a_microphone_is_chosen_by_index_or_name(device: str | None, expected: Any) -> None:
    """Or by a part of its name, in any case."""
    assert portaudio.chosen(DEVICES, device) == expected


@pytest.mark.parametrize(("device", "how_many"), [("9", "none"), ("u", "several"), ("mic", "none")])
def test_a_name_that_fits_none_or_several_is_an_error(device: str, how_many: str) -> None:
    """Which lists what there is."""
    with pytest.raises(portaudio.MicrophoneError, match=rf"--device {device} is {how_many} of the microphones: 0 USB"):
        portaudio.chosen(DEVICES, device)


def test_without_a_default_the_first_is_taken() -> None:
    """Some systems have none."""
    assert portaudio.chosen([USB, PULSE], None) == USB


def test_no_microphone_is_an_error_with_a_remedy() -> None:
    """With the Debian package to look for it."""
    with pytest.raises(portaudio.MicrophoneError, match=r"there is no microphone: connect one.*alsa-utils"):
        portaudio.inputs(Host(None))


def test_a_microphone_in_use_is_an_error_with_a_remedy() -> None:
    """It names the device."""
    with pytest.raises(portaudio.MicrophoneError, match=r"0 USB Audio.* cannot be opened .*--device"):
        portaudio.Microphone(Host(None), USB)


def test_a_microphone_that_disappears_is_an_error_with_a_remedy() -> None:
    """However it is read; what was heard before is heard."""
    gone = r"0 USB Audio.* delivers no sound any more .*connect it again"
    with portaudio.Microphone(Host(GoneStream()), USB) as microphone:
        assert len(microphone.read(480)) == 960
        with pytest.raises(portaudio.MicrophoneError, match=gone):
            microphone.read(480)
        with pytest.raises(portaudio.MicrophoneError, match=gone), microphone.paused():
            raise AssertionError
    with portaudio.Microphone(Host(GoneStream()), USB) as microphone:
        frames = microphone.frames()
        assert len(next(frames)) == 480
        with pytest.raises(portaudio.MicrophoneError, match=gone):
            next(frames)
