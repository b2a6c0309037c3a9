"""Section `validate` of params.yaml: the bounds of each data gate."""

from pydantic import Field, model_validator

from audiomnist.core.params import Section


class RecordingBounds(Section):
    """Section `validate.recordings`.

    Attributes:
        min_sample_rate_hz: smallest sample rate; recordings are resampled to `features.sample_rate_hz`.
        min_peak: smallest peak magnitude; full scale is 1.
        min_level_dbfs: smallest root mean square, in dB below full scale.
        max_clipped_fraction: largest fraction of samples within 0.001 of full scale or beyond.
        min_digits_per_speaker: smallest number of different digits per speaker.
        max_take_imbalance: largest difference from the most common number of takes per digit and speaker, None for any.
    """

    min_sample_rate_hz: int = Field(gt=0)
    min_duration_s: float = Field(ge=0)
    max_duration_s: float = Field(gt=0)
    min_peak: float = Field(gt=0, le=1)
    min_level_dbfs: float = Field(le=0)
    max_clipped_fraction: float = Field(ge=0, le=1)
    min_digits_per_speaker: int = Field(ge=1, le=10)
    max_take_imbalance: int | None = Field(ge=0)

    @model_validator(mode="after")
    def _check_durations(self) -> "RecordingBounds":
        if self.min_duration_s > self.max_duration_s:
            raise ValueError("min_duration_s must be at most max_duration_s")
        return self


class FeatureBounds(Section):
    """Section `validate.features`.

    Attributes:
        min_std_over_time_db: smallest standard deviation over time, mean of the coefficients.
        min_std_over_coefficients_db: smallest standard deviation of the coefficients' means.
    """

    min_value_db: float
    max_value_db: float
    min_std_over_time_db: float = Field(gt=0)
    min_std_over_coefficients_db: float = Field(gt=0)

    @model_validator(mode="after")
    def _check_values(self) -> "FeatureBounds":
        if self.min_value_db > self.max_value_db:
            raise ValueError("min_value_db must be at most max_value_db")
        return self


class TranscriptBounds(Section):
    """Section `validate.transcripts`.

    Attributes:
        min_recognized_fraction: smallest fraction of recordings with a text.
        max_failed_fraction: largest fraction of recordings that the recognizer failed on.
    """

    min_recognized_fraction: float = Field(ge=0, le=1)
    max_failed_fraction: float = Field(ge=0, le=1)
    max_hypotheses: int = Field(ge=1)


class LogprobBounds(Section):
    """Section `validate.logprobs`.

    Attributes:
        min_listed_probability: smallest probability of all listed tokens together, by which a digit is recognized.
        min_recognized_fraction: smallest fraction of recordings in which one is.
    """

    min_listed_probability: float = Field(ge=0, le=1)
    min_recognized_fraction: float = Field(ge=0, le=1)


class ValidateParams(Section):
    """Section `validate`."""

    recordings: RecordingBounds
    features: FeatureBounds
    transcripts: TranscriptBounds
    logprobs: LogprobBounds
