"""The parameters of the MFCC front end."""

from pydantic import Field, model_validator

from audiomnist.core.params import Section


class FrontEndParams(Section):
    """Parameters of the MFCC front end.

    Attributes:
        sample_rate_hz: rate to which every recording is resampled.
        win_length: length of the Hann window, one frame.
        hop_length: distance between the starts of two frames.
        n_fft: length of the Fourier transform, at least `win_length`.
        n_mels: triangular filters on HTK's mel scale.
        f_min: lower edge of the first filter.
        f_max: upper edge of the last filter, at most half the sample rate.
        n_mfcc: cepstral coefficients kept, at most `n_mels`.
        amin: minimum of the mel powers, for a clip of peak 1.
        trim_top_db: how far below the loudest frame both ends count as silence at most, see `waveform.trim_silence`.
        max_duration_s: of a clip that is longer after trimming, the loudest stretch of this length is taken.
    """

    sample_rate_hz: int = Field(ge=4000, le=192_000)
    win_length: int = Field(ge=2)
    hop_length: int = Field(ge=1)
    n_fft: int = Field(ge=2)
    n_mels: int = Field(ge=1)
    f_min: float = Field(ge=0)
    f_max: float = Field(gt=0)
    n_mfcc: int = Field(ge=1)
    amin: float = Field(gt=0)
    trim_top_db: float = Field(gt=0)
    max_duration_s: float = Field(gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> "FrontEndParams":
        demands = {
            "n_fft must be at least win_length": self.n_fft >= self.win_length,
            "f_min < f_max <= sample_rate_hz / 2 must hold": self.f_min < self.f_max <= self.sample_rate_hz / 2,
            "n_mfcc must be at most n_mels": self.n_mfcc <= self.n_mels,
            "max_duration_s must be at least win_length long": self.max_samples >= self.win_length,
        }
        if not all(demands.values()):
            raise ValueError("; ".join(demand for demand, is_met in demands.items() if not is_met))
        return self

    @property
    def max_samples(self) -> int:
        """`max_duration_s` in samples."""
        return round(self.max_duration_s * self.sample_rate_hz)
