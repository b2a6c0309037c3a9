"""The longer evaluations: which splits every model is trained and judged on."""

from typing import Literal

from pydantic import ConfigDict, Field

from audiomnist.core.params import Section


class SplitChoice(Section):
    """What one protocol's split has in place of the values in section `split`.

    The names are those of the stages' options, to which dvc.yaml hands them on.

    Attributes:
        scheme: `random`, `official` or `speaker`.
        seed: of the random choices (>= 0).
        held_out: (in the file: `held-out`) the speaker of the test part.
        training_speakers: (in the file: `training-speakers`) how many of the others are heard.
    """

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"))

    scheme: Literal["random", "official", "speaker"]
    seed: int | None = Field(default=None, ge=0)
    held_out: str | None = None
    training_speakers: int | None = Field(default=None, ge=1)


class BootstrapParams(Section):
    """Section `protocols.bootstrap`.

    Attributes:
        seed: of the resamples (>= 0).
        resamples: how many there are, 100 to 100,000.
    """

    seed: int = Field(ge=0)
    resamples: int = Field(ge=100, le=100_000)


class ProtocolsParams(Section):
    """Section `protocols`.

    Attributes:
        splits: by name: `random_<seed>`, `official`, `unseen_<speaker>`.
        learning_curve: by name: `heard_<training speakers>_<speaker>`.
        bootstrap: of the intervals.
    """

    splits: dict[str, SplitChoice]
    learning_curve: dict[str, SplitChoice]
    bootstrap: BootstrapParams
