"""Section `features` of params.yaml."""

from audiomnist.audio.augment import AugmentParams
from audiomnist.features.front_end import FrontEndParams


class FeatureParams(FrontEndParams):
    """Section `features`: the front end, and the augmented copies beside the clean ones."""

    augment: AugmentParams

    @property
    def front_end(self) -> FrontEndParams:
        """The front end alone."""
        return FrontEndParams.model_validate(self.model_dump(include=set(FrontEndParams.model_fields)))
