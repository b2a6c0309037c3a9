"""Section `validate` of params.yaml: the bounds of each data gate."""

from pydantic import Field, model_validator

from audiomnist.core.params import Section


class RecordingBounds(Section):
    """What a corpus must be like.

    Attributes:
        sample_rate_hz: the one rate of all recordings.
        min_duration_s: the shortest length.
        max_duration_s: the greatest length.
        min_peak: the smallest largest magnitude; full scale is 1.
        min_level_dbfs: the smallest root mean square, in dB below full scale.
        max_clipped_fraction: the largest share of samples within 0.001 of full scale or beyond.
        min_digits_per_speaker: how many of the ten digits each speaker says at least.
        max_take_imbalance: how far the takes of one digit by one speaker may lie from the usual number.
    """

    sample_rate_hz: int = Field(gt=0)
    min_duration_s: float = Field(ge=0)
    max_duration_s: float = Field(gt=0)
    min_peak: float = Field(gt=0, le=1)
    min_level_dbfs: float = Field(le=0)
    max_clipped_fraction: float = Field(ge=0, le=1)
    min_digits_per_speaker: int = Field(ge=1, le=10)
    max_take_imbalance: int = Field(ge=0)

    @model_validator(mode="after")
    def _some_duration_is_allowed(self) -> "RecordingBounds":
        if self.min_duration_s > self.max_duration_s:
            raise ValueError("min_duration_s must be at most max_duration_s")
        return self


class FeatureBounds(Section):
    """What the feature tensor must be like.

    Attributes:
        min_value_db: the smallest value.
        max_value_db: the largest value.
        min_std_over_time_db: the smallest standard deviation over time, mean of the coefficients.
        min_std_over_coefficients_db: the smallest standard deviation of the coefficients' means.
    """

    min_value_db: float
    max_value_db: float
    min_std_over_time_db: float = Field(gt=0)
    min_std_over_coefficients_db: float = Field(gt=0)

    @model_validator(mode="after")
    def _some_value_is_allowed(self) -> "FeatureBounds":
        if self.min_value_db > self.max_value_db:
            raise ValueError("min_value_db must be at most max_value_db")
        return self


class TranscriptBounds(Section):
    """What the transcripts must be like.

    Attributes:
        min_recognized_fraction: the smallest share of recordings in which something was recognized.
        max_failed_fraction: the largest share of recordings on which the engine failed.
        max_hypotheses: the most hypotheses that one recording has.
    """

    min_recognized_fraction: float = Field(ge=0, le=1)
    max_failed_fraction: float = Field(ge=0, le=1)
    max_hypotheses: int = Field(ge=1)


class ValidateParams(Section):
    """Section `validate` of params.yaml: the bounds of each gate."""

    recordings: RecordingBounds
    features: FeatureBounds
    transcripts: TranscriptBounds
