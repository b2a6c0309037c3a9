"""Training: that it repeats itself, what it chooses by, what it leaves when it is cut off."""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from tiny_training import BARE, StubDataset
from torch import Tensor, nn

from audiomnist.core import params
from audiomnist.core.params import ParamsError, Section
from audiomnist.corpus.splits import Clip, SplitParams
from audiomnist.corpus.splits import read as read_split
from audiomnist.export.optimize import export_bundle
from audiomnist.models.common import checkpoint, registry
from audiomnist.models.common.base import Architecture, Network
from audiomnist.models.common.registry import architecture
from audiomnist.serving import model as inference
from audiomnist.serving.bundle import description as bundle
from audiomnist.serving.bundle import out_of_fold
from audiomnist.serving.bundle.reference import histogram_of
from audiomnist.training import calibration, cross_validation
from audiomnist.training.history import history_writer
from audiomnist.training.params import TrainParams
from audiomnist.training.train import train
from audiomnist.training.trainer import FittingError, TrainingJob, train_network
from audiomnist.transcripts import table as transcripts

INPUTS = {"cnn": "features", "rnn": "features", "lstm": "transcripts", "whisper": "logprobs"}
COLUMNS = ["epoch", *(f"{part}_{what}" for part in ("train", "validation", "test") for what in ("loss", "accuracy"))]
pytestmark = pytest.mark.usefixtures("torch_as_it_was")
CLIPS = [Clip(f"{part}{digit}", digit, "ada", part) for part in ("train", "validation", "test") for digit in (0, 1)]


@dataclass
class Script(StubDataset):
    """ClipDataset whose validation inputs get better and worse by a script, an epoch after the other.

    Attributes:
        margins: how far the true digit's logit lies above the others in each epoch; the last one repeats.
        fails_in: epoch in which drawing a batch fails.
    """

    margins: list[float]
    fails_in: int = 1000
    validations: int = 0
    drawings: int = 0
    seen: list[list[str]] = field(default_factory=list)

    def get(self, files: list[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the logits that the network hands on."""
        margin = 0.0
        if files[0].startswith("validation"):
            margin = self.margins[min(self.validations, len(self.margins) - 1)]
            self.validations += 1
        digits = [int(file[-1]) for file in files]
        return (margin * np.eye(10)[digits]).astype(np.float32), np.full(len(files), 10, dtype=np.int64)

    def sample(
        self, files: list[str], clean_prob: float, rng: Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return zeros, or fail."""
        del clean_prob, rng
        self.drawings += 1
        self.seen.append(files)
        if self.drawings == self.fails_in:
            raise KeyboardInterrupt
        return np.zeros((len(files), 10), dtype=np.float32), np.full(len(files), 10, dtype=np.int64)


class Clock(Network):
    """A network that hands its inputs on, and counts its training steps: one per epoch here."""

    steps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.classify = nn.Identity()
        self.weight = nn.Parameter(torch.zeros(10))
        self.register_buffer("steps", torch.zeros(()))

    def embed(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the inputs."""
        del lengths
        if self.training:
            self.steps += 1
        return inputs + 0 * self.weight


def build(network_params: Any, given: Any) -> Clock:
    """Return the clock."""
    del network_params, given
    return Clock()


def no_dataset(folder: Path) -> Script:
    """Open nothing."""
    del folder
    return Script([])


CLOCK = Architecture(Section, no_dataset, build)


def read_curves(path: Path) -> list[dict[str, str]]:
    """Return the rows of the curves."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run(script: Script, curves: Path, **changes: float) -> Network:
    """Train the clock."""
    job = TrainingJob(CLOCK, Section(), Path(), BARE.model_copy(update=changes), CLIPS)
    with history_writer(curves, job.params.epochs) as on_epoch:
        return train_network(job, script, on_epoch)


def trained_again(
    model: str, toy: Path, folder: Path, split: Path | None = None, processes: int = 1, **changes: Any
) -> None:
    """Train a model on the toy corpus, with other values in the section `train` where they are given."""
    folder.mkdir()
    values = params.read(toy / "params.yaml")
    values["train"] |= changes
    (folder / "params.yaml").write_text(json.dumps(values), encoding="utf-8")
    train(
        model,
        folder / "params.yaml",
        toy / INPUTS[model],
        split or toy / "split.csv",
        toy / "data.json",
        folder / "out",
        folder / "curves.csv",
        processes=processes,
    )


def job_of(model: str, toy: Path, clips: list[Clip], **changes: Any) -> TrainingJob:
    """Return the job of a training on the toy corpus."""
    chosen = architecture(model)
    network_params = params.section(toy / "params.yaml", f"models.{model}", chosen.params)
    how = params.section(toy / "params.yaml", "train", TrainParams).model_copy(update=changes)
    return TrainingJob(chosen, network_params, toy / INPUTS[model], how, clips)


def write_split(path: Path, clips: list[Clip]) -> None:
    """Write a split."""
    rows = [f"{clip.file},{clip.digit},{clip.speaker},{clip.subset}" for clip in clips]
    path.write_text("\n".join(["file,digit,speaker,subset", *rows, ""]), encoding="utf-8")


@pytest.mark.parametrize(
    ("model", "processes"),
    [
        ("lstm", 1),
        ("whisper", 1),
        *(pytest.param(model, n, marks=pytest.mark.long) for model, n in (("cnn", 1), ("rnn", 1), ("rnn", 2))),
    ],
)
def test_two_runs_give_the_same_bytes(model: str, processes: int, toy: Path, trained: Path, tmp_path: Path) -> None:
    """Curves, weights and description, however many processes share the work."""
    trained_again(model, toy, tmp_path / "two", processes=processes)
    assert (tmp_path / "two" / "curves.csv").read_bytes() == (trained / f"{model}.csv").read_bytes()
    for file in (checkpoint.WEIGHTS, bundle.DESCRIPTION):
        assert (tmp_path / "two" / "out" / file).read_bytes() == (trained / model / file).read_bytes()


@pytest.mark.parametrize(
    "model",
    ["lstm", "whisper", pytest.param("cnn", marks=pytest.mark.long), pytest.param("rnn", marks=pytest.mark.long)],
)
def test_the_test_part_chooses_nothing(model: str, toy: Path, trained: Path, tmp_path: Path) -> None:
    """With other labels in the test part, weights, calibration and all but the test curve stay the same."""
    clips = [
        replace(clip, digit=(clip.digit + 1) % 10) if clip.subset == "test" else clip
        for clip in read_split(toy / "split.csv")
    ]
    write_split(tmp_path / "split.csv", clips)
    trained_again(model, toy, tmp_path / "false", tmp_path / "split.csv")
    folders = [trained / model, tmp_path / "false" / "out"]
    for file in (checkpoint.WEIGHTS, bundle.DESCRIPTION):
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes()
    curves = [read_curves(trained / f"{model}.csv"), read_curves(tmp_path / "false" / "curves.csv")]
    for true, false in zip(*curves, strict=True):
        assert {name for name in COLUMNS if true[name] != false[name]} <= {"test_loss", "test_accuracy"}
        assert true["test_loss"] != false["test_loss"]


@pytest.mark.parametrize(
    "model", ["lstm", pytest.param("cnn", marks=pytest.mark.long), pytest.param("rnn", marks=pytest.mark.long)]
)
def test_the_folds_of_the_speakers_bear_on_calibration_alone(
    model: str, toy: Path, trained: Path, tmp_path: Path
) -> None:
    """With three folds or two, the network that is served, what it calls novel, and its curves are bit for bit one."""
    trained_again(model, toy, tmp_path / "three", calibration_folds=3)
    folders = [trained / model, tmp_path / "three" / "out"]
    assert (folders[0] / checkpoint.WEIGHTS).read_bytes() == (folders[1] / checkpoint.WEIGHTS).read_bytes()
    assert (tmp_path / "three" / "curves.csv").read_bytes() == (trained / f"{model}.csv").read_bytes()
    two, three = map(bundle.describe_training, folders)
    assert two.calibration != three.calibration


@pytest.mark.parametrize("model", ["lstm", pytest.param("cnn", marks=pytest.mark.long)])
def test_a_model_is_calibrated_by_voices_that_were_new_to_networks_like_it(
    model: str, toy: Path, trained: Path
) -> None:
    """These outputs are beside its weights. The reference of confidence is that of its validation set."""
    job = job_of(model, toy, read_split(toy / "split.csv"))
    folds = cross_validation.folds(job)
    assert len(folds) == 2
    unseen = cross_validation.concatenate([cross_validation.out_of_fold_outputs(fold) for fold in folds])
    dataset = job.open_dataset()
    network = train_network(job, dataset)
    own = cross_validation.outputs_of(
        cross_validation.ood_classifier(network, job, dataset), dataset, job.subset("validation")
    )
    expected = calibration.calibrate(unseen, own)
    description = bundle.describe_training(trained / model)
    assert description.calibration == expected
    assert description.reference.confidence == histogram_of(calibration.confidence(own, expected).numpy())
    written = out_of_fold.read(trained / model)
    assert written.files == [clip.file for fold in folds for clip in fold.held_out]
    assert written.digits.tolist() == unseen.labels.tolist()
    np.testing.assert_array_equal(written.logits, unseen.logits.numpy())
    np.testing.assert_array_equal(written.novelty, unseen.novelty.numpy())


def test_the_model_of_a_single_voice_is_calibrated_by_its_validation_part(toy: Path, tmp_path: Path) -> None:
    """There is no voice to leave out."""
    clips = [clip for clip in read_split(toy / "split.csv") if clip.speaker == "ben"]
    write_split(tmp_path / "split.csv", clips)
    trained_again("lstm", toy, tmp_path / "ben", tmp_path / "split.csv")
    job = job_of("lstm", toy, clips)
    dataset = job.open_dataset()
    network = train_network(job, dataset)
    own = cross_validation.outputs_of(
        cross_validation.ood_classifier(network, job, dataset), dataset, job.subset("validation")
    )
    description = bundle.describe_training(tmp_path / "ben" / "out")
    assert description.calibration == calibration.calibrate(own)
    written = out_of_fold.read(tmp_path / "ben" / "out")
    assert written.files == [clip.file for clip in job.subset("validation")]
    np.testing.assert_array_equal(written.logits, own.logits.numpy())


@pytest.mark.long
def test_without_folds_a_model_is_calibrated_by_its_validation_part(toy: Path, trained: Path, tmp_path: Path) -> None:
    """Whether params.yaml says so or the caller does, who goes before it; the network and its curves stay."""
    trained_again("lstm", toy, tmp_path / "section", calibration_folds=0)
    train(
        "lstm",
        toy / "params.yaml",
        toy / "transcripts",
        toy / "split.csv",
        toy / "data.json",
        tmp_path / "argument",
        tmp_path / "argument.csv",
        calibration_folds=0,
        processes=1,
    )
    for file in (checkpoint.WEIGHTS, bundle.DESCRIPTION):
        assert (tmp_path / "argument" / file).read_bytes() == (tmp_path / "section" / "out" / file).read_bytes()
    job = job_of("lstm", toy, read_split(toy / "split.csv"))
    dataset = job.open_dataset()
    network = train_network(job, dataset)
    own = cross_validation.outputs_of(
        cross_validation.ood_classifier(network, job, dataset), dataset, job.subset("validation")
    )
    description = bundle.describe_training(tmp_path / "argument")
    assert description.calibration == calibration.calibrate(own)
    assert description.parameters["train"]["calibration_folds"] == 0
    weights = [(folder / checkpoint.WEIGHTS).read_bytes() for folder in (tmp_path / "argument", trained / "lstm")]
    assert weights[0] == weights[1]
    assert (tmp_path / "argument.csv").read_bytes() == (trained / "lstm.csv").read_bytes()


def test_a_bundle_says_by_what_its_split_was_made_where_that_is_not_the_section(toy: Path, tmp_path: Path) -> None:
    """What the caller says goes before params.yaml; nothing else follows from it."""
    section = params.section(toy / "params.yaml", "split", SplitParams)
    made_by = section.model_copy(update={"scheme": "speaker", "test_speaker": "ada", "max_train_speakers": 2})
    bundles = []
    for name, how in (("argument", made_by), ("section", None)):
        train(
            "lstm",
            toy / "params.yaml",
            toy / "transcripts",
            toy / "split.csv",
            toy / "data.json",
            tmp_path / name,
            tmp_path / f"{name}.csv",
            split_params=how,
            processes=1,
        )
        bundles.append(bundle.describe_training(tmp_path / name))
    assert bundles[0].split == made_by.model_dump()
    assert bundles[1].split == params.read(toy / "params.yaml")["split"]
    assert bundles[0].model_copy(update={"split": bundles[1].split}) == bundles[1]


def test_transcripts_without_a_fault_make_a_model(toy: Path, tmp_path: Path) -> None:
    """Where all clips of a digit are alike to the network, novelty has a measure all the same."""
    table = transcripts.read(toy / "transcripts")
    rows = [row | {"hypotheses": row["hypotheses"][:1]} for row in table.to_pylist()]
    (tmp_path / "toy" / "transcripts").mkdir(parents=True)
    transcripts.write(tmp_path / "toy" / "transcripts", pa.Table.from_pylist(rows, schema=table.schema))
    for name in ("params.yaml", "split.csv", "data.json"):
        (tmp_path / "toy" / name).write_bytes((toy / name).read_bytes())
    trained_again("lstm", tmp_path / "toy", tmp_path / "lstm")
    export_bundle(tmp_path / "lstm" / "out", toy / "raw", toy / "split.csv", tmp_path / "served")
    opened = inference.load(tmp_path / "served", threads=1)
    found = opened.predict_texts([["zero"], ["nine"], ["who goes there"]])
    assert found.probabilities.argmax(axis=1).tolist()[:2] == [0, 9]
    assert found.ood_scores[2] > found.ood_scores[:2].max()


@pytest.mark.parametrize(("model", "epochs"), [(name, 1 if name == "whisper" else 12) for name in registry.MODULES])
def test_every_architecture_learns_a_separable_problem(model: str, epochs: int, trained: Path) -> None:
    """Digits that are pitches, words or first tokens: within a dozen epochs, or at once."""
    rows = read_curves(trained / f"{model}.csv")
    assert [int(row["epoch"]) for row in rows] == list(range(1, epochs + 1))
    assert epochs == 1 or float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    assert float(rows[-1]["validation_accuracy"]) > 0.9
    assert float(rows[-1]["test_accuracy"]) > 0.9


@pytest.mark.parametrize(("margins", "best"), [([1, 2, 3, 4, 5, 6], 6), ([9, 1, 2, 3], 1), ([1, 5, 2, 6, 3, 4], 4)])
def test_the_weights_of_the_best_epoch_are_returned(margins: list[float], best: int, tmp_path: Path) -> None:
    """Best by validation loss; the network is in evaluation mode."""
    network = run(Script(margins), tmp_path / "curves.csv")
    assert network.state_dict()["steps"] == best
    assert not network.training


@pytest.mark.parametrize(("checkpoint_from_last", "best"), [(1.0, 2), (0.5, 4), (0.34, 5), (0.01, 6)])
def test_the_checkpoint_is_one_of_the_settled_epochs(checkpoint_from_last: float, best: int, tmp_path: Path) -> None:
    """The second epoch is the best of all, by luck; of the last three each is worse than the one before."""
    network = run(Script([1, 9, 2, 7, 6, 4]), tmp_path / "curves.csv", checkpoint_from_last=checkpoint_from_last)
    assert network.state_dict()["steps"] == best


def test_an_interruption_leaves_a_row_for_each_finished_epoch(tmp_path: Path) -> None:
    """The curves of a run that is cut off in its third epoch hold two."""
    with pytest.raises(KeyboardInterrupt):
        run(Script([1], fails_in=3), tmp_path / "curves.csv")
    rows = read_curves(tmp_path / "curves.csv")
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert list(rows[0]) == COLUMNS


def test_each_row_is_on_disk_before_the_next_epoch_begins(tmp_path: Path) -> None:
    """A reader of the file sees every epoch that has ended."""
    lines: list[int] = []

    class Watcher(Script):
        def sample(
            self, files: list[str], clean_prob: float, rng: Generator
        ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
            lines.append(len((tmp_path / "curves.csv").read_text(encoding="utf-8").splitlines()))
            return super().sample(files, clean_prob, rng)

    run(Watcher([1, 2, 3, 4, 5, 6]), tmp_path / "curves.csv")
    assert lines[1:] == [2, 3, 4, 5, 6]


def test_training_draws_from_the_training_part_alone(tmp_path: Path) -> None:
    """Each of its clips once an epoch."""
    script = Script([1, 2, 3, 4, 5, 6])
    run(script, tmp_path / "curves.csv")
    assert [sorted(files) for files in script.seen] == [["train0", "train1"]] * 6


@pytest.mark.parametrize(("clean_finetune_fraction", "varied"), [(0.0, 6), (0.34, 4), (0.5, 3), (1.0, 0)])
def test_in_the_last_epochs_clips_are_drawn_as_they_were_recorded(clean_finetune_fraction: float, varied: int) -> None:
    """In those before as often as asked for; there the network augments its inputs, in the last it does not."""
    switched: list[bool] = []
    shares: list[float] = []

    class Switched(Clock):
        def augment(self, *, enabled: bool) -> None:
            switched.append(enabled)

    class Watcher(Script):
        def sample(
            self, files: list[str], clean_prob: float, rng: Generator
        ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
            shares.append(clean_prob)
            return super().sample(files, clean_prob, rng)

    switched_architecture = Architecture(Section, no_dataset, lambda _params, _given: Switched())
    how = BARE.model_copy(update={"clean_prob": 0.3, "clean_finetune_fraction": clean_finetune_fraction})
    job = TrainingJob(switched_architecture, Section(), Path(), how, CLIPS)
    train_network(job, Watcher([1, 2, 3, 4, 5, 6]))
    assert switched == [True] * varied + [False] * (6 - varied)
    assert shares == [0.3] * varied + [1.0] * (6 - varied)


def mixtures(mixup_alpha: float, clean_finetune_fraction: float = 0.0, *, tokens: bool = False) -> list[list[float]]:
    """Return the first input of each clip of each step, where clips are all 1 or all 2."""
    seen: list[list[float]] = []

    class Kind(Script):
        def sample(self, files: list[str], clean_prob: float, rng: Generator) -> tuple[NDArray[Any], NDArray[np.int64]]:
            _, lengths = super().sample(files, clean_prob, rng)
            inputs = np.array([[1 + int(file[-1])] * 10 for file in files])
            return inputs.astype(np.int64 if tokens else np.float32), lengths

    class Watching(Clock):
        def embed(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
            if self.training:
                seen.append(sorted(inputs[:, 0].tolist()))
            return super().embed(inputs.float(), lengths)

    watched = Architecture(Section, no_dataset, lambda _params, _given: Watching())
    how = BARE.model_copy(
        update={"mixup_alpha": mixup_alpha, "clean_finetune_fraction": clean_finetune_fraction, "epochs": 20}
    )
    train_network(TrainingJob(watched, Section(), Path(), how, CLIPS), Kind([1]))
    return seen


def test_mixed_clips_keep_the_larger_share_of_themselves() -> None:
    """Each step has one share for its clips, at least a half; often enough two clips are mixed with each other."""
    seen = mixtures(1.0)
    mixed = [pair for pair in seen if pair != [1.0, 2.0]]
    assert len(mixed) > 5
    assert len({pair[0] for pair in mixed}) == len(mixed)
    for low, high in mixed:
        assert 1 < low <= 1.5 <= high < 2
        assert low + high == pytest.approx(3)


def test_nothing_is_mixed_where_it_is_not_wanted_in_plain_epochs_or_in_texts() -> None:
    """Tokens have no mean."""
    assert mixtures(0.0) == [[1.0, 2.0]] * 20
    assert mixtures(1.0, tokens=True) == [[1, 2]] * 20
    assert mixtures(1.0, clean_finetune_fraction=0.5)[10:] == [[1.0, 2.0]] * 10


def test_a_batch_normalisation_never_meets_a_single_clip() -> None:
    """A last batch of one clip is left out of its epoch: five clips make two steps of two."""
    extra = [Clip(f"train{digit}", digit, "ada", "train") for digit in (2, 3, 4)]
    job = TrainingJob(CLOCK, Section(), Path(), BARE.model_copy(update={"epochs": 1}), CLIPS + extra)
    network = train_network(job, Script([1]))
    assert network.state_dict()["steps"] == 2


@pytest.mark.parametrize("model", registry.MODULES)
def test_a_bundle_says_where_it_comes_from(model: str, toy: Path, trained: Path) -> None:
    """Model, data, split and parameters; the graph's hash is checked in the bundle's own tests."""
    description = bundle.describe_training(trained / model)
    values = params.read(toy / "params.yaml")
    assert description.model == model
    assert (description.dataset.name, description.dataset.version) == ("tones", "1")
    assert description.split == values["split"]
    own_folds = {name: value for name, value in values["models"][model].items() if name == "calibration_folds"}
    assert json.loads(description.model_dump_json())["parameters"] == {
        "train": values["train"] | own_folds,
        "model": values["models"][model],
    }
    kinds = {"features": "waveform", "transcripts": "transcript", "logprobs": "logprobs"}
    assert description.input.kind == kinds[INPUTS[model]]
    assert 0.05 <= description.calibration.temperature <= 20


@pytest.mark.parametrize("model", registry.MODULES)
def test_a_bundle_says_what_its_training_clips_were_like(model: str, toy: Path, trained: Path) -> None:
    """As many of each digit, the corpus's deciles of duration, and confidence in [0, 1]."""
    reference = bundle.describe_training(trained / model).reference
    assert reference.labels == pytest.approx([0.1] * 10)
    deciles = json.loads((toy / "data.json").read_text(encoding="utf-8"))["corpus"]["duration_deciles_s"]
    assert reference.duration_s.edges == tuple(deciles)
    assert reference.duration_s.shares == pytest.approx([0.1] * 10)
    assert all(0.1 <= edge <= 1 for edge in reference.confidence.edges)


def test_the_shares_of_the_digits_are_those_of_the_training_part(toy: Path, tmp_path: Path) -> None:
    """A digit that it lacks has none, and is no trouble."""
    clips = [clip for clip in read_split(toy / "split.csv") if clip.digit != 3]
    fewer = [clip for clip in clips if clip.subset != "train" or clip.digit != 5 or clip.speaker == "ada"]
    write_split(tmp_path / "split.csv", fewer)
    trained_again("lstm", toy, tmp_path / "lstm", tmp_path / "split.csv", epochs=2)
    labels = bundle.describe_training(tmp_path / "lstm" / "out").reference.labels
    assert labels == pytest.approx([0 if digit == 3 else (3 if digit == 5 else 9) / 75 for digit in range(10)])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda values: values["train"].update(epochs=0),
        lambda values: values["train"].update(device="tpu"),
        lambda values: values["train"].update(calibration_folds=-1),
        lambda values: values["models"]["lstm"].update(cell="elman"),
        lambda values: values["models"].pop("lstm"),
    ],
)
def test_a_mistake_in_the_parameters_is_reported_before_training(
    spoil: Callable[[dict[str, Any]], Any], toy: Path, tmp_path: Path
) -> None:
    """No bundle and no curves appear."""
    values = params.read(toy / "params.yaml")
    spoil(values)
    (tmp_path / "params.yaml").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(ParamsError):
        train(
            "lstm",
            tmp_path / "params.yaml",
            toy / "transcripts",
            toy / "split.csv",
            toy / "data.json",
            tmp_path / "out",
            tmp_path / "curves.csv",
        )
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "curves.csv").exists()


@pytest.mark.long
def test_a_training_that_diverges_says_so_and_leaves_no_bundle(toy: Path, tmp_path: Path) -> None:
    """Out of the process that it happened in, with the parameter to change."""
    with pytest.raises(FittingError, match=r"diverged in epoch \d+: lower train\.learning_rate"):
        trained_again("lstm", toy, tmp_path / "lstm", processes=2, learning_rate=1e30)
    assert not (tmp_path / "lstm" / "out").exists()


def test_a_single_training_clip_is_too_few(tmp_path: Path) -> None:
    """The error names the section to change."""
    job = TrainingJob(CLOCK, Section(), tmp_path, BARE, [clip for clip in CLIPS if clip.file != "train1"])
    with pytest.raises(FittingError, match=r"1 training clips are too few: see split in params\.yaml"):
        train_network(job, Script([1]))


def test_copies_of_training_clips_are_drawn_and_the_clean_ones_too(toy: Path) -> None:
    """Over many draws each version of a clip turns up, the clip itself as often as is asked for."""
    dataset = architecture("cnn").open_dataset(toy / "features")
    rng = np.random.default_rng(0)
    clean = dataset.get(["3_ada_2.wav"])[0].tobytes()
    drawn = [dataset.sample(["3_ada_2.wav"], 0.3, rng)[0].tobytes() for _ in range(300)]
    assert len(set(drawn)) == 2
    assert drawn.count(clean) == pytest.approx(90, abs=30)
    assert all(dataset.sample(["3_ada_2.wav"], 1, rng)[0].tobytes() == clean for _ in range(30))
    assert all(dataset.sample(["3_ada_2.wav"], 0, rng)[0].tobytes() != clean for _ in range(30))


def test_a_model_with_folds_of_its_own_is_calibrated_by_them(trained: Path) -> None:
    """The linear head leaves out each speaker alone; other networks follow the section `train`."""
    folds_of = {
        model: bundle.describe_training(trained / model).parameters["train"]["calibration_folds"]
        for model in ("lstm", "whisper")
    }
    assert folds_of == {"lstm": 2, "whisper": 10}
