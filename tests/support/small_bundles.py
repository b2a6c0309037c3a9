"""Small bundles with random weights, made in a second: the scorer's part of the work is the same as with good ones."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import soundfile
import torch
from torch import Tensor, nn

from audiomnist.asr.params import TranscribeParams
from audiomnist.core import params
from audiomnist.core.digits import DIGIT_WORDS
from audiomnist.core.params import Section
from audiomnist.corpus import manifest, splits
from audiomnist.corpus.info import Dataset
from audiomnist.corpus.splits import Clip
from audiomnist.export.optimize import export_bundle
from audiomnist.features.extract import featurize
from audiomnist.features.params import FeatureParams
from audiomnist.logprobs import table as logprobs
from audiomnist.logprobs.params import LogprobsParams
from audiomnist.models.common import checkpoint
from audiomnist.models.common.base import ClipDataset
from audiomnist.models.common.ood import OodClassifier
from audiomnist.models.common.registry import architecture
from audiomnist.serving.bundle.description import Calibration, Training
from audiomnist.training.trainer import embed, labels_of
from audiomnist.transcripts import table as transcripts

COMMITTED = Path(__file__).parents[2] / "params.yaml"
WHISPER = {
    "engine": "whisper",
    "version": "0",
    "weights_sha256": TranscribeParams().whisper.weights.sha256,
    "settings": TranscribeParams().settings(),
}

FIRST_TOKEN = {
    "engine": "whisper",
    "version": "0",
    "weights_sha256": TranscribeParams().whisper.weights.sha256,
    "settings": {**LogprobsParams().model_dump(), "compute_type": "int8"},
    "tokens": [*(f" {digit}" for digit in range(10)), *(f" {word}" for word in DIGIT_WORDS)],
}

_NETWORKS: dict[str, dict[str, Any]] = {
    "cnn": {"channels": (6, 12), "residual_blocks": (0, 1)},
    "rnn": {"channels": (6,), "residual_blocks": (0,), "hidden_sizes": (12,)},
    "lstm": {"hidden_sizes": (12,), "embedding_dim": 8},
    "whisper": {},
}
_HALVES = {"edges": [0.5], "shares": [0.5, 0.5]}
_REFERENCE = {"labels": [0.1] * 10, "confidence": _HALVES, "duration_s": _HALVES}
_TEMPERATURE, _TOLERATED_NOVELTY = 0.5, 20.0
_FILES = [f"{digit}_ada_0.wav" for digit in range(10)]
_CLIPS = [Clip(file, digit, "ada", "train") for digit, file in enumerate(_FILES)]


def write(model: str, folder: Path, seed: int = 0, features: dict[str, Any] | None = None, **network: Any) -> Path:
    """Write a bundle of a model into a folder, which is made; another seed gives other weights.

    Its answers differ from clip to clip, and some clips are strange to it. The recognizer, if any, is Whisper.

    Args:
        model: its name.
        folder: to be made.
        seed: of the weights.
        features: what is not as committed in the section `features`.
        network: what is not as is usual here in the model's own section.
    """
    (folder / "inputs").mkdir(parents=True)
    inputs = {"lstm": _transcribed, "whisper": _read}.get(model, partial(_featurized, changes=features or {}))
    examples = inputs(folder / "inputs")
    how = _parameters(model, network)
    judge = _network(model, how, examples, seed)
    content = {
        "model": model,
        "input": examples.input_spec(),
        "dataset": Dataset("noises", "1"),
        "split": {},
        "parameters": {"seed": seed, "model": how.model_dump()},
        "calibration": _calibration(judge, examples),
        "reference": _REFERENCE,
    }
    (folder / "trained").mkdir()
    checkpoint.save(folder / "trained", judge, Training.model_validate(content))
    splits.write(folder / "split.csv", _CLIPS)
    export_bundle(folder / "trained", folder / "inputs" / "raw", folder / "split.csv", folder / "served")
    return folder / "served"


def _featurized(folder: Path, changes: dict[str, Any]) -> ClipDataset:
    (folder / "raw").mkdir()
    for digit, file in enumerate(_FILES):
        noise = np.random.default_rng(digit).normal(0, 0.1, 800 * (digit + 1))
        soundfile.write(folder / "raw" / file, noise, 8000, subtype="PCM_16")
    manifest.write(folder / "manifest.csv", manifest.describe_folder(folder / "raw").recordings)
    how = params.section(COMMITTED, "features", FeatureParams)
    clean = how.model_copy(update={"augment": how.augment.model_copy(update={"copies_per_clip": 0}), **changes})
    featurize(folder / "manifest.csv", folder / "raw", clean, folder / "features")
    return architecture("cnn").open_dataset(folder / "features")


def _transcribed(folder: Path) -> ClipDataset:
    rows = [
        {
            "file": file,
            "sha256": "0" * 64,
            "engine": "whisper",
            "engine_version": "0",
            "status": transcripts.Status.RECOGNIZED.value,
            "text": DIGIT_WORDS[digit],
            "hypotheses": [{"text": DIGIT_WORDS[digit], "score": -0.1}],
        }
        for digit, file in enumerate(_FILES)
    ]
    table = pa.Table.from_pylist(rows, schema=transcripts.SCHEMA)
    transcripts.write(folder, table.replace_schema_metadata({transcripts.METADATA_KEY: json.dumps(WHISPER)}))
    return architecture("lstm").open_dataset(folder)


def _read(folder: Path) -> ClipDataset:
    values = np.random.default_rng(0).uniform(-10, -1, (len(_FILES), len(FIRST_TOKEN["tokens"])))
    rows = [
        {"file": file, "sha256": "0" * 64, "context": 150, "logprobs": row.tolist()}
        for file, row in zip(_FILES, values, strict=True)
    ]
    logprobs.write(folder, rows, FIRST_TOKEN)
    return architecture("whisper").open_dataset(folder)


def _parameters(model: str, changes: dict[str, Any]) -> Section:
    how = params.section(COMMITTED, f"models.{model}", architecture(model).params)
    return how.model_copy(update=_NETWORKS[model] | changes)


def _network(model: str, how: Section, examples: ClipDataset, seed: int) -> OodClassifier:
    torch.manual_seed(seed)
    network = architecture(model).build(how, examples.input_spec())
    network.scale_by(*_clean(examples))
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight)
    features = embed(network.eval(), examples, _CLIPS).repeat(9, 1)
    spread = 0.3 * features.std() * torch.randn(features.shape)
    return OodClassifier.fitted(network, features + spread, labels_of(_CLIPS).repeat(9)).eval()


def _calibration(judge: OodClassifier, examples: ClipDataset) -> Calibration:
    with torch.inference_mode():
        _, novelty = judge(*_clean(examples))
    typical = float(novelty.median())
    return Calibration(temperature=_TEMPERATURE, ood_median=typical, ood_p95=typical + _TOLERATED_NOVELTY)


def _clean(examples: ClipDataset) -> tuple[Tensor, Tensor]:
    inputs, lengths = (torch.from_numpy(np.ascontiguousarray(array)) for array in examples.get(_FILES))
    return inputs, lengths
