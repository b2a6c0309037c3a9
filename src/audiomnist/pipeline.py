"""The whole of params.yaml, checked before any stage does anything."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from audiomnist import atomic, params
from audiomnist.corpus.ingest import DataParams
from audiomnist.expectations import ValidateParams
from audiomnist.featurize import FeatureParams
from audiomnist.fitting import TrainParams
from audiomnist.models.cnn import CnnParams
from audiomnist.models.lstm import LstmParams
from audiomnist.models.rnn import RnnParams
from audiomnist.params import Section
from audiomnist.recognition.params import TranscribeParams
from audiomnist.splits import SplitParams


class ModelsParams(Section):
    """Section `models`: a section per network."""

    cnn: CnnParams
    rnn: RnnParams
    lstm: LstmParams


class Parameters(Section):
    """params.yaml.

    Attributes:
        model: the model that is reported and served.
        data: which recordings.
        gates: bounds of the data gates (in the file: `validate`).
        split: which clips train, choose and judge.
        features: the MFCC front end and the augmented copies.
        transcribe: speech to text.
        train: how every network is trained.
        models: the networks.
    """

    model: Literal["cnn", "rnn", "lstm"]
    data: DataParams
    gates: ValidateParams = Field(alias="validate")
    split: SplitParams
    features: FeatureParams
    transcribe: TranscribeParams
    train: TrainParams
    models: ModelsParams

    @model_validator(mode="after")
    def _held_out_speaks(self) -> "Parameters":
        by_speaker = self.split.scheme == "speaker" and self.data.source == "recordings"
        if by_speaker and self.split.held_out not in self.data.speakers:
            raise ValueError(f"split.held_out is {self.split.held_out!r}, who is not among data.speakers")
        return self


def check(parameters: Path, out: Path) -> None:
    """Read every section of params.yaml; raises ParamsError with all mistakes in one message.

    `out` is written only when there is none. Its content is always the same, so that nothing that hangs on
    it runs again because some parameter changed.
    """
    params.validated(parameters, Parameters, params.read(parameters))
    atomic.write_text(out, "params.yaml is valid\n")
