"""Section `models.whisper` of params.yaml."""

from pydantic import Field

from audiomnist.core.params import Section


class WhisperHeadParams(Section):
    """Section `models.whisper`.

    Attributes:
        C: inverse of the strength of the L2 penalty (> 0), over standardized log-probabilities.
        max_iter: maximum number of iterations of the solver (L-BFGS), within which it has to converge.
        calibration_folds: replaces `train.calibration_folds`: fitting takes a second, so that each speaker, of up to as
            many, can be left out alone.
    """

    C: float = Field(gt=0)
    max_iter: int = Field(ge=1)
    calibration_folds: int = Field(ge=2)
