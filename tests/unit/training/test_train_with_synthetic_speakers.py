"""Synthetic speakers in training: in the training subset alone, and never in validation, calibration or evaluation."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from tiny_training import BARE, StubDataset
from torch import Tensor, nn

from audiomnist.core import params
from audiomnist.core.params import Section
from audiomnist.corpus import splits
from audiomnist.corpus.splits import SUBSETS, Clip
from audiomnist.models.cnn import Cnn
from audiomnist.models.common import checkpoint
from audiomnist.models.common.base import Architecture, ClipDataset, Network
from audiomnist.models.common.registry import architecture
from audiomnist.serving.bundle import description
from audiomnist.synthesis.speakers import SyntheticSpeakersParams
from audiomnist.training.cross_validation import folds, out_of_fold_outputs
from audiomnist.training.params import TrainParams
from audiomnist.training.train import train
from audiomnist.training.trainer import FittingError, TrainingJob, train_network

pytestmark = pytest.mark.usefixtures("torch_as_it_was")
STEPS = 4
SPEAKERS = ("ada", "ben", "cyd")
VOICES = [Clip(f"{digit}_voice{number}", digit, f"voice{number}", "train") for number in (0, 1) for digit in range(10)]


@dataclass
class Ledger(StubDataset):
    """ClipDataset of one folder, `(batch, 4)`; it keeps the files that were asked for, as they are and varied."""

    clean_files: list[str] = field(default_factory=list)
    drawn_files: list[str] = field(default_factory=list)
    drawings: list[list[str]] = field(default_factory=list)
    speakers: "Ledger | None" = None

    def synthetic(self) -> tuple[ClipDataset, list[Clip], dict[str, Any]] | None:
        """Return the synthetic speakers' ledger, where there is one."""
        return None if self.speakers is None else (self.speakers, VOICES, {})

    def get(self, files: list[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return inputs that hang on the file's name alone."""
        self.clean_files += files
        return self._inputs(files)

    def sample(
        self, files: list[str], clean_prob: float, rng: Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the same."""
        del clean_prob, rng
        self.drawn_files += files
        self.drawings.append(files)
        return self._inputs(files)

    def _inputs(self, files: list[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        rows = [np.random.default_rng([*file.encode()]).normal(int(file[0]), 1, STEPS) for file in files]
        return np.array(rows, dtype=np.float32), np.full(len(files), STEPS, dtype=np.int64)


class Linear(Network):
    """A linear classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.classify = nn.Linear(STEPS, 10)

    def embed(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the inputs."""
        del lengths
        return inputs


class Library:
    """A ledger for the recordings, and one for two synthetic speakers."""

    def __init__(self, *, has_synthetic: bool = True) -> None:
        self.synthetic = Ledger()
        self.own = Ledger(speakers=self.synthetic if has_synthetic else None)

    def open_dataset(self, folder: Path) -> Ledger:
        """Open the recordings."""
        del folder
        return self.own


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """Return the folder of inputs, which no ledger reads."""
    return tmp_path / "inputs"


def job_of(inputs: Path, library: Library, **changes: Any) -> TrainingJob:
    """Return the job of a linear classifier of 90 recordings, 30 of each part."""
    how = {
        "epochs": 2,
        "synthetic_ratio": 0.5,
        "batch_size": 8,
        "learning_rate": 0.01,
        "calibration_folds": 3,
    }
    clips = [
        Clip(f"{digit}_{speaker}_{take}", digit, speaker, part)
        for digit in range(10)
        for speaker in SPEAKERS
        for take, part in enumerate(SUBSETS)
    ]
    chosen = Architecture(Section, library.open_dataset, lambda _params, _given: Linear())
    return TrainingJob(chosen, Section(), inputs, TrainParams.model_validate(BARE.model_dump() | how | changes), clips)


def trained(job: TrainingJob) -> Network:
    """Train the network of a job."""
    return train_network(job, job.open_dataset())


def test_voices_are_used_in_training_alone(inputs: Path) -> None:
    """Neither the network's statistics nor any score knows them; recordings are drawn from the training part."""
    library = Library()
    trained(job_of(inputs, library))
    assert set(library.synthetic.drawn_files) <= {clip.file for clip in VOICES}
    assert library.synthetic.clean_files == []
    assert {file.rpartition("_")[2] for file in library.own.drawn_files} == {"0"}
    assert {file.rpartition("_")[2] for file in library.own.clean_files[:30]} == {"0"}
    assert {file.rpartition("_")[2] for file in library.own.clean_files[30:]} == {"1", "2"}
    assert not any("voice" in file for file in library.own.clean_files)


@pytest.mark.parametrize(("synthetic_ratio", "voices"), [(0.1, 3), (0.5, 15), (0.65, 20), (7.0, 20)])
def test_as_many_voices_are_drawn_as_the_training_part_asks_for(
    inputs: Path, synthetic_ratio: float, voices: int
) -> None:
    """At most as many as there are, each once in an epoch; 30 recordings ask for a share of 30."""
    library = Library()
    trained(job_of(inputs, library, synthetic_ratio=synthetic_ratio))
    assert [len(set(files)) for files in library.synthetic.drawings] == [voices] * 2
    assert [len(files) for files in library.synthetic.drawings] == [voices] * 2
    assert [len(set(files)) for files in library.own.drawings] == [30] * 2


def test_where_no_voices_are_wanted_none_is_read(inputs: Path) -> None:
    """The network is the one of a folder that has none, to the bit."""
    library = Library()
    weights = trained(job_of(inputs, library, synthetic_ratio=0.0)).state_dict()
    assert library.synthetic.drawn_files == []
    without = job_of(inputs, Library(has_synthetic=False))
    assert all(torch.equal(weight, weights[name]) for name, weight in trained(without).state_dict().items())


def test_voices_change_what_is_learned(inputs: Path) -> None:
    """Otherwise they would be of no use."""
    with_them, without = (
        trained(job_of(inputs, Library(), synthetic_ratio=share)).state_dict() for share in (0.5, 0.0)
    )
    assert any(not torch.equal(weight, without[name]) for name, weight in with_them.items())


def test_in_the_plain_epochs_at_the_end_no_voice_is_used(inputs: Path) -> None:
    """Of five epochs two are plain: recordings go on, as they are."""
    library = Library()
    trained(job_of(inputs, library, epochs=5, clean_finetune_fraction=0.4))
    assert len(library.synthetic.drawings) == 3
    assert len(library.own.drawings) == 5


def test_the_networks_that_calibrate_are_trained_on_voices_and_asked_about_recordings_alone(inputs: Path) -> None:
    """Held-out speakers are recorded ones; no fold leaves out a synthetic speaker, or predicts one."""
    library = Library()
    job = job_of(inputs, library)
    all_folds = folds(job)
    assert [{clip.speaker for clip in fold.held_out} for fold in all_folds] == [{name} for name in SPEAKERS]
    assert not any(clip.speaker.startswith("voice") for fold in all_folds for clip in [*fold.job.clips, *fold.held_out])
    found = out_of_fold_outputs(all_folds[0])
    assert len(found.labels) == len(all_folds[0].held_out) == 20
    assert [len(files) for files in library.synthetic.drawings] == [10, 10]
    assert library.synthetic.clean_files == []
    assert not any("_ada_" in file for file in library.own.drawn_files)


def test_voices_do_not_make_up_for_missing_recordings(inputs: Path) -> None:
    """One training clip is too few, whatever else there is to learn from."""
    job = job_of(inputs, Library())
    few = [clip for clip in job.clips if clip.subset != "train"] + [job.subset("train")[0]]
    with pytest.raises(FittingError, match=r"1 training clips are too few"):
        trained(TrainingJob(job.architecture, job.network_params, inputs, job.params, few))


def trained_bundle(model: str, toy: Path, folder: Path, **changes: Any) -> Path:
    """Train a model of a toy corpus for three epochs; return its bundle."""
    values = params.read(toy / "params.yaml")
    values["train"] |= {"epochs": 3, **changes}
    folder.mkdir()
    (folder / "params.yaml").write_text(json.dumps(values), encoding="utf-8")
    inputs = {"cnn": "features", "lstm": "transcripts"}[model]
    paths = folder / "params.yaml", toy / inputs, toy / "split.csv", toy / "data.json", folder / "out"
    train(model, *paths, folder / "curves.csv", processes=1)
    return folder / "out"


@pytest.fixture(scope="module")
def with_synthetic(toy_with_voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train the cnn with voices; return its bundle."""
    return trained_bundle("cnn", toy_with_voices, tmp_path_factory.mktemp("with_synthetic") / "cnn")


@pytest.mark.long
def test_a_bundle_says_which_synthetic_speakers_it_was_trained_on(with_synthetic: Path) -> None:
    """All that they were drawn by, and the synthesizer."""
    synthetic = description.describe_training(with_synthetic).synthetic_voices
    assert synthetic is not None
    assert synthetic.pop("synthesizer") == "eSpeak NG"
    voices = SyntheticSpeakersParams.model_validate(synthetic)
    assert voices.count == 3
    assert len(voices.espeak_languages) > 1


@pytest.mark.long
def test_with_voices_two_runs_write_the_same_bundle(
    with_synthetic: Path, toy_with_voices: Path, tmp_path: Path
) -> None:
    """As without."""
    again = trained_bundle("cnn", toy_with_voices, tmp_path / "again")
    for file in (checkpoint.WEIGHTS, description.DESCRIPTION):
        assert (again / file).read_bytes() == (with_synthetic / file).read_bytes()
    assert (again.parent / "curves.csv").read_bytes() == (with_synthetic.parent / "curves.csv").read_bytes()


@pytest.mark.long
def test_a_bundle_trained_without_voices_says_so(
    with_synthetic: Path, toy: Path, toy_with_voices: Path, tmp_path: Path
) -> None:
    """Where none was wanted and where there is none it is the same model; with voices it is another."""
    unwanted = trained_bundle("cnn", toy_with_voices, tmp_path / "unwanted", synthetic_ratio=0)
    absent = trained_bundle("cnn", toy, tmp_path / "absent")
    weights = [(folder / checkpoint.WEIGHTS).read_bytes() for folder in (unwanted, absent, with_synthetic)]
    assert weights[0] == weights[1] != weights[2]
    for folder in (unwanted, absent):
        assert description.describe_training(folder).synthetic_voices is None
    assert description.describe_training(unwanted).reference == description.describe_training(absent).reference


def test_the_shares_of_the_digits_and_the_durations_are_those_of_recordings(with_synthetic: Path, toy: Path) -> None:
    """What drift is measured against."""
    reference = description.describe_training(with_synthetic).reference
    deciles = json.loads((toy / "data.json").read_text(encoding="utf-8"))["corpus"]["duration_deciles_s"]
    assert reference.labels == pytest.approx([0.1] * 10)
    assert reference.duration_s.edges == tuple(deciles)


def test_mean_and_deviation_of_the_bands_are_those_of_recordings(toy: Path, toy_with_voices: Path) -> None:
    """Before and after training with voices."""
    chosen = architecture("cnn")
    means = []
    for folder in (toy, toy_with_voices):
        network_params = params.section(folder / "params.yaml", "models.cnn", chosen.params)
        how = params.section(folder / "params.yaml", "train", TrainParams).model_copy(update={"epochs": 1})
        job = TrainingJob(chosen, network_params, folder / "features", how, splits.read(folder / "split.csv"))
        network = trained(job)
        assert isinstance(network, Cnn)
        means.append((network.spectrum.mean, network.spectrum.std))
    assert all(torch.equal(*pair) for pair in zip(*means, strict=True))


def test_a_model_of_transcripts_hears_no_voice(toy_with_voices: Path, tmp_path: Path) -> None:
    """Its inputs have none, and its bundle says so."""
    assert (
        description.describe_training(trained_bundle("lstm", toy_with_voices, tmp_path / "lstm")).synthetic_voices
        is None
    )
