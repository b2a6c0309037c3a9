"""A corpus of tones with everything that is made of it, and a small bundle of each model: made once, read by many."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import small_bundles
import soundfile
import torch
from shared_folders import shared

from audiomnist.cascade.build import build
from audiomnist.cascade.params import CascadeParams
from audiomnist.core import params
from audiomnist.core.digits import DIGIT_WORDS
from audiomnist.corpus import manifest
from audiomnist.export.optimize import export_bundle
from audiomnist.features.extract import featurize
from audiomnist.features.params import FeatureParams
from audiomnist.logprobs import table as logprobs
from audiomnist.synthesis.speakers import SyntheticSpeakersParams
from audiomnist.training.train import train
from audiomnist.transcripts import table as transcripts

COMMITTED = Path(__file__).parents[2] / "params.yaml"

SPEAKERS = ("ada", "ben", "cyd")
SUBSETS = ("test", "validation", "train", "train", "train")
DECILES_S = [round(0.15 + 0.0025 * percent, 4) for percent in range(10, 100, 10)]
RECOGNIZER = {"engine": "sphinx", "version": "0", "weights_sha256": None, "settings": {"n_best": 5}}
# Toy digits are pitches: a warp would make one of another.
SMALL_SPECTRUM = {
    "top_db": 100.0,
    "cmn_strength": 0.2,
    "time_mask_fraction": 0.1,
    "freq_mask_bands": 2,
    "vtlp_range": 0.02,
}
SMALL_NETWORKS: dict[str, dict[str, Any]] = {
    "cnn": {
        "channels": [6, 12],
        "kernel_size": 3,
        "residual_blocks": [0, 1],
        "downsampling": "stride",
        "dropout": 0.1,
        **SMALL_SPECTRUM,
    },
    "rnn": {
        "channels": [6],
        "kernel_size": 3,
        "residual_blocks": [0],
        "hidden_sizes": [12],
        "dropout": 0.1,
        **SMALL_SPECTRUM,
    },
    "lstm": {"hidden_sizes": [12], "dropout": 0.0, "embedding_dim": 8},
}


@pytest.fixture
def torch_as_it_was() -> Iterator[None]:
    """Give PyTorch's process-wide settings back."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=False)


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make `params.yaml`, `raw`, `manifest.csv`, `data.json`, `split.csv`, `features`, `transcripts` and `logprobs`.

    Each digit is another pitch and another word; each of three speakers says it five times.
    """
    return shared(tmp_path_factory, "toy", _write_toy)


def _write_toy(folder: Path) -> None:
    values = small_params()
    (folder / "params.yaml").write_text(json.dumps(values), encoding="utf-8")
    corpus = {"dataset": "tones", "version": "1", "duration_deciles_s": DECILES_S}
    (folder / "data.json").write_text(json.dumps({"corpus": corpus}), encoding="utf-8")
    (folder / "raw").mkdir()
    for digit, speaker, take in clips():
        path = folder / "raw" / f"{digit}_{speaker}_{take}.wav"
        soundfile.write(path, tone(digit, SPEAKERS.index(speaker), take), 8000, subtype="PCM_16")
    recordings = manifest.describe_folder(folder / "raw").recordings
    manifest.write(folder / "manifest.csv", recordings)
    write_split(folder / "split.csv")
    featurize(
        folder / "manifest.csv",
        folder / "raw",
        FeatureParams.model_validate(values["features"]),
        folder / "features",
    )
    (folder / "transcripts").mkdir()
    transcripts.write(folder / "transcripts", recognized(recordings))
    (folder / "logprobs").mkdir()
    logprobs.write(folder / "logprobs", [read_logprobs(row) for row in recordings], small_bundles.FIRST_TOKEN)


@pytest.fixture(scope="session")
def toy_with_voices(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the toy corpus again, with three synthetic voices in `features`."""

    def write(folder: Path) -> None:
        shutil.copytree(toy, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("features"))
        values = params.read(toy / "params.yaml")
        featurize(
            folder / "manifest.csv",
            folder / "raw",
            FeatureParams.model_validate(values["features"]),
            folder / "features",
            SyntheticSpeakersParams.model_validate(values["synthetic_speakers"] | {"count": 3}),
        )

    return shared(tmp_path_factory, "toy_with_voices", write)


@pytest.fixture(scope="session")
def trained(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train the models: weights and description `<model>` and curves `<model>.csv` of each."""

    def write(folder: Path) -> None:
        for model, inputs in {
            "cnn": "features",
            "rnn": "features",
            "lstm": "transcripts",
            "whisper": "logprobs",
        }.items():
            train(
                model,
                toy / "params.yaml",
                toy / inputs,
                toy / "split.csv",
                toy / "data.json",
                folder / model,
                folder / f"{model}.csv",
                processes=1,
            )

    return shared(tmp_path_factory, "trained", write)


@pytest.fixture(scope="session")
def served(toy: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export the models: a bundle `<model>` of each, with the curves `<model>.csv` of its training."""

    def write(folder: Path) -> None:
        for model in ("cnn", "rnn", "lstm", "whisper"):
            export_bundle(trained / model, toy / "raw", toy / "split.csv", folder / model)
            shutil.copyfile(trained / f"{model}.csv", folder / f"{model}.csv")
        build(trained, folder, CascadeParams(threshold=0.9, cost_of_asking=0), folder / "cascade")

    return shared(tmp_path_factory, "served", write)


def small_params() -> dict[str, Any]:
    """Return the committed parameters with small networks, one augmented copy and few epochs."""
    values = params.read(COMMITTED)
    for name, small in SMALL_NETWORKS.items():
        values["models"][name] |= small
    values["features"]["augment"] |= {
        "copies_per_clip": 1,
        "pitch_semitones": [-1.0, 1.0],
        "noise_snr_db": [20.0, 40.0],
    }
    values["synthetic_speakers"]["count"] = 0
    values["train"] |= {"epochs": 12, "batch_size": 16, "learning_rate": 0.02, "num_threads": 1, "device": "cpu"}
    values["train"]["calibration_folds"] = 2
    return values


def clips() -> Iterator[tuple[int, str, int]]:
    """Yield digit, speaker and take of each clip."""
    for digit in range(10):
        for speaker in SPEAKERS:
            for take in range(len(SUBSETS)):
                yield digit, speaker, take


def tone(digit: int, voice: int, take: int) -> np.ndarray:
    """Return 0.15 to 0.4 s of three harmonics with some noise, float64 in [-1, 1] at 8 kHz."""
    draw = np.random.default_rng([digit, voice, take])
    time_s = np.arange(round(8000 * draw.uniform(0.15, 0.4))) / 8000
    pitch_hz = 200 * 1.2**digit * (1 + 0.02 * voice)
    sound = sum(np.sin(2 * np.pi * pitch_hz * harmonic * time_s) / harmonic for harmonic in (1, 2, 3))
    envelope = np.minimum(1, np.minimum(time_s, time_s[::-1]) / 0.02)
    noise = draw.normal(0, 0.01, len(time_s))
    return np.asarray(draw.uniform(0.2, 0.5) * (envelope * sound + noise) / 1.5)


def write_split(path: Path) -> None:
    """Write the split: a take's number says its part."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "digit", "speaker", "subset"])
        for digit, speaker, take in clips():
            writer.writerow([f"{digit}_{speaker}_{take}.wav", digit, speaker, SUBSETS[take]])


def recognized(recordings: list[manifest.Recording]) -> pa.Table:
    """Return transcripts in which each digit's word is recognized, with a second guess: its numeral, or nonsense."""
    rows = [
        {
            "file": row.file,
            "sha256": row.sha256,
            "engine": "sphinx",
            "engine_version": "0",
            "status": transcripts.Status.RECOGNIZED.value,
            "text": DIGIT_WORDS[row.digit],
            "hypotheses": [
                {"text": DIGIT_WORDS[row.digit], "score": -0.1},
                {"text": "uh" if row.take % 2 else " ".join(3 * str(row.digit)), "score": -2.0},
            ],
        }
        for row in recordings
    ]
    table = pa.Table.from_pylist(rows, schema=transcripts.SCHEMA)
    return table.replace_schema_metadata({transcripts.METADATA_KEY: json.dumps(RECOGNIZER)})


def read_logprobs(row: manifest.Recording) -> dict[str, Any]:
    """Return the row of a recording whose digit is the most probable token, and the next digit the second."""
    draw = np.random.default_rng([*row.file.encode()])
    values = draw.uniform(-9, -5, len(small_bundles.FIRST_TOKEN["tokens"]))
    values[[row.digit, (row.digit + 1) % 10]] = draw.uniform(-0.6, -0.1), draw.uniform(-4, -2)
    return {"file": row.file, "sha256": row.sha256, "context": 150, "logprobs": values.tolist()}
