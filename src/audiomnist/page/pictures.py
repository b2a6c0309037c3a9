"""Pictures of sounds by librosa: waveform, mel spectrogram, MFCCs. Equal samples give equal bytes."""

import io
from collections.abc import Callable
from typing import Any

from audiomnist.audio.waveform import Waveform
from audiomnist.features.front_end import FrontEndParams

MFCCS = 13
_DPI = 100
_DYNAMIC_RANGE_DB = 60.0
Draw = Callable[[Any], object]


def spectrogram(recording: Waveform, params: FrontEndParams) -> bytes:
    """Return the mel spectrogram of a recording as WebP, with the parameters of the front end."""
    import librosa.display  # noqa: PLC0415 - takes seconds
    import numpy as np  # noqa: PLC0415

    level_db = librosa.power_to_db(_mel_powers(recording, params), ref=np.max, top_db=_DYNAMIC_RANGE_DB)
    return _webp(
        lambda axes: librosa.display.specshow(level_db, ax=axes, cmap="magma", vmin=-_DYNAMIC_RANGE_DB, vmax=0)
    )


def mfccs(recording: Waveform, params: FrontEndParams) -> bytes:
    """Return its first MFCCs, each coefficient less its mean over time and divided by its standard deviation."""
    import librosa.display  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    level_db = librosa.power_to_db(_mel_powers(recording, params), ref=np.max, top_db=_DYNAMIC_RANGE_DB)
    values = librosa.feature.mfcc(S=level_db, n_mfcc=MFCCS)
    scaled = (values - values.mean(axis=1, keepdims=True)) / (values.std(axis=1, keepdims=True) + 1e-9)
    return _webp(lambda axes: librosa.display.specshow(scaled, ax=axes, cmap="cividis", vmin=-2.5, vmax=2.5))


def waveform(recording: Waveform) -> bytes:
    """Return its samples over time, relative to the maximum; the background is transparent."""
    import librosa.display  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    peak = max(float(np.abs(recording.samples).max()), 1e-9)

    def draw(axes: Any) -> None:
        librosa.display.waveshow(
            recording.samples / peak, sr=recording.sample_rate_hz, ax=axes, color="#2f7fc1", axis=None
        )
        axes.set(ylim=(-1.02, 1.02), xlim=(0, recording.duration_s))

    return _webp(draw)


def _mel_powers(recording: Waveform, params: FrontEndParams) -> Any:
    import librosa  # noqa: PLC0415

    return librosa.feature.melspectrogram(
        y=recording.samples,
        sr=recording.sample_rate_hz,
        n_fft=params.n_fft,
        win_length=params.win_length,
        hop_length=params.hop_length,
        n_mels=params.n_mels,
        fmin=params.f_min,
        fmax=params.f_max,
        htk=True,
    )


def _webp(draw: Draw) -> bytes:
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(3.6, 1.4))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    draw(axes)
    axes.set_axis_off()
    content = io.BytesIO()
    figure.savefig(content, format="webp", dpi=_DPI, transparent=True, pil_kwargs={"quality": 75, "method": 4})
    return content.getvalue()
