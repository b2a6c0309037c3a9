"""Bundles: what is read back, what is refused and how, and what opening one never does."""

import hashlib
import json
import pickle
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiomnist import scoring
from audiomnist.models.common import registry
from audiomnist.serving import model as inference
from audiomnist.serving.bundle import description as bundle
from audiomnist.serving.bundle.description import (
    BundleError,
    Description,
    LogprobsInput,
    TranscriptInput,
    WaveformInput,
)

SCORING = [module.name for module in pkgutil.iter_modules(scoring.__path__, "audiomnist.scoring.")]
HISTOGRAM = {"edges": [0.5], "shares": [0.25, 0.75]}
CALIBRATION = {"temperature": 1.5, "ood_median": -0.5, "ood_p95": 2.0}
REFERENCE = {"labels": [0.1] * 10, "confidence": HISTOGRAM, "duration_s": HISTOGRAM}
CONTENT: dict[str, Any] = {
    "model": "cnn",
    "input": {
        "kind": "waveform",
        "front_end": {
            "sample_rate_hz": 8000,
            "win_length": 200,
            "hop_length": 80,
            "trim_top_db": 40.0,
            "max_duration_s": 1.0,
        },
    },
    "dataset": {"name": "tones", "version": "1"},
    "split": {"scheme": "random"},
    "parameters": {"train": {"epochs": 1}},
    "calibration": CALIBRATION,
    "reference": REFERENCE,
    "graph_sha256": "0" * 64,
}
TRANSCRIPT_INPUT = {"kind": "transcript", "recognizer": {"engine": "sphinx"}}


class Trap:
    """What, unpickled, leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.fixture
def cnn(served: Path, tmp_path: Path) -> Path:
    """Copy a bundle that may be spoiled."""
    return Path(shutil.copytree(served / "cnn", tmp_path / "cnn"))


def redescribe(folder: Path, **changes: Any) -> None:
    """Change the description in its file."""
    path = folder / bundle.DESCRIPTION
    content = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(content), encoding="utf-8")


def refusal(folder: Path) -> str:
    """Return the sentence with which a bundle is refused."""
    with pytest.raises(BundleError) as error:
        inference.load(folder, threads=1)
    return str(error.value)


@pytest.mark.parametrize("given", [CONTENT["input"], TRANSCRIPT_INPUT])
def test_a_description_is_read_back_as_it_was_written(given: dict[str, Any], tmp_path: Path) -> None:
    """With either kind of input; its version is the hash of its file."""
    description = Description.model_validate(CONTENT | {"input": given, "metrics": {"accuracy": 0.5, "recall": {}}})
    bundle.write_description(tmp_path, description)
    found, version = bundle.describe(tmp_path)
    assert found == description
    assert isinstance(found.input, {"waveform": WaveformInput, "transcript": TranscriptInput}[given["kind"]])
    assert version == hashlib.sha256((tmp_path / bundle.DESCRIPTION).read_bytes()).hexdigest()


@pytest.mark.parametrize("model", registry.MODULES)
def test_a_served_bundle_opens(model: str, served: Path) -> None:
    """It is a graph and a page about it, and nothing else."""
    opened = inference.load(served / model, threads=1)
    assert opened.description.model == model
    assert {path.name for path in (served / model).iterdir()} == {bundle.GRAPH, bundle.DESCRIPTION}


def test_a_bundle_that_lists_other_tokens_than_its_graph_takes_is_refused(served: Path, tmp_path: Path) -> None:
    """One is missing; the message has their number and the remedy."""
    shutil.copytree(served / "whisper", tmp_path / "whisper")
    description, _ = bundle.describe(tmp_path / "whisper")
    assert isinstance(description.input, LogprobsInput)
    description.input.recognizer["tokens"].pop()
    bundle.write_description(tmp_path / "whisper", description)
    tokens = len(description.input.recognizer["tokens"])
    with pytest.raises(BundleError, match=rf"does not take the {tokens} tokens .* Restore it: dvc checkout"):
        inference.load(tmp_path / "whisper", threads=1)


@pytest.mark.parametrize("record", [{}, {"tokens": []}, {"tokens": None}])
def test_a_bundle_that_lists_no_tokens_is_refused(served: Path, tmp_path: Path, record: dict[str, Any]) -> None:
    """The message has the field."""
    shutil.copytree(served / "whisper", tmp_path / "whisper")
    redescribe(tmp_path / "whisper", input={"kind": "logprobs", "recognizer": record})
    assert "input.logprobs: recognizer lacks a list of tokens. Restore it: " in refusal(tmp_path / "whisper")


def test_a_model_of_transcripts_refuses_waveforms(served: Path) -> None:
    """The message has the input of the model."""
    opened = inference.load(served / "lstm", threads=1)
    with pytest.raises(BundleError, match="takes what a speech recognizer returns, not waveforms"):
        opened.predict_waveforms([np.zeros(200, dtype=np.float32)])


def test_probabilities_sum_to_one_whatever_the_logits() -> None:
    """Huge logits overflow nothing."""
    logits = np.array([[1e4, 0, -1e4], [0, 0, 0]], dtype=np.float32)
    expected = np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])
    np.testing.assert_allclose(inference.softmax(logits), expected, atol=1e-6)


def test_an_altered_graph_is_refused(cnn: Path) -> None:
    """One changed byte is enough; the sentence names the file and what brings it back."""
    graph = bytearray((cnn / bundle.GRAPH).read_bytes())
    graph[len(graph) // 2] ^= 1
    (cnn / bundle.GRAPH).write_bytes(graph)
    sentence = refusal(cnn)
    assert str(cnn / bundle.GRAPH) in sentence
    assert "dvc checkout" in sentence


def test_a_truncated_graph_is_refused(cnn: Path) -> None:
    """A copy that was cut off does not pass."""
    graph = (cnn / bundle.GRAPH).read_bytes()
    (cnn / bundle.GRAPH).write_bytes(graph[: len(graph) // 2])
    assert str(cnn / bundle.GRAPH) in refusal(cnn)


def test_a_truncated_graph_with_the_right_hash_is_refused(cnn: Path) -> None:
    """What the hash lets pass and the runtime cannot read is no graph."""
    graph = (cnn / bundle.GRAPH).read_bytes()
    half = graph[: len(graph) // 2]
    (cnn / bundle.GRAPH).write_bytes(half)
    redescribe(cnn, graph_sha256=hashlib.sha256(half).hexdigest())
    assert f"{cnn / bundle.GRAPH} is not a graph that can be run" in refusal(cnn)


def test_an_absent_folder_is_refused(tmp_path: Path) -> None:
    """The sentence names it, and what brings it."""
    sentence = refusal(tmp_path / "nowhere")
    assert f"no model bundle in {tmp_path / 'nowhere'}" in sentence
    assert "dvc" in sentence


@pytest.mark.parametrize("name", [bundle.GRAPH, bundle.DESCRIPTION])
def test_an_absent_file_is_refused(name: str, cnn: Path) -> None:
    """The sentence names it."""
    (cnn / name).unlink()
    assert str(cnn / name) in refusal(cnn)


@pytest.mark.parametrize("name", [bundle.GRAPH, bundle.DESCRIPTION])
def test_a_folder_in_a_files_place_is_refused(name: str, cnn: Path) -> None:
    """It is no file that can be read."""
    (cnn / name).unlink()
    (cnn / name).mkdir()
    assert str(cnn / name) in refusal(cnn)


@pytest.mark.parametrize(
    "changes",
    [
        {"schema_version": 1},
        {"schema_version": 2},
        {"schema_version": 4},
        {"schema_version": None},
        {"temperature": 1.5},
        {"labels": 3},
        {"novelty": True},
        {"calibration": CALIBRATION | {"temperature": 0}},
        {"calibration": CALIBRATION | {"temperature": float("inf")}},
        {"calibration": CALIBRATION | {"ood_p95": float("nan")}},
        {"calibration": CALIBRATION | {"ood_p95": -0.5}},
        {"calibration": CALIBRATION | {"ood_p95": -0.6}},
        {"calibration": {"temperature": 1.5}},
        {"reference": None},
        {"reference": REFERENCE | {"labels": [0.1] * 9 + [0.2]}},
        {"reference": REFERENCE | {"confidence": {"edges": [0.5, 0.5], "shares": [0.2, 0.3, 0.5]}}},
        {"reference": REFERENCE | {"duration_s": {"edges": [0.5], "shares": [1.0]}}},
    ],
)
def test_a_description_of_another_version_is_refused(changes: dict[str, Any], cnn: Path) -> None:
    """So is one with values or keys that version 3 does not have; the sentence names one of these."""
    redescribe(cnn, **changes)
    sentence = refusal(cnn)
    assert f"{cnn / bundle.DESCRIPTION} is not a bundle description of version 3: " in sentence
    assert next(iter(changes)) in sentence


def test_a_description_of_version_1_is_refused(cnn: Path) -> None:
    """A bundle from before calibration knew novelty has a temperature instead."""
    path = cnn / bundle.DESCRIPTION
    content = json.loads(path.read_text(encoding="utf-8"))
    older = {key: content[key] for key in content.keys() - {"calibration", "reference"}}
    path.write_text(json.dumps(older | {"schema_version": 1, "temperature": 1.5}), encoding="utf-8")
    sentence = refusal(cnn)
    assert f"{path} is not a bundle description of version 3: schema_version" in sentence
    assert "make it again with dvc repro" in sentence


def test_a_bundle_for_another_preparation_is_refused(cnn: Path) -> None:
    """Its description is otherwise the same; restoring it would not help."""
    redescribe(cnn, schema_version=2)
    sentence = refusal(cnn)
    assert f"{cnn / bundle.DESCRIPTION} is not a bundle description of version 3: schema_version: " in sentence
    assert "prepares sounds otherwise" in sentence
    assert "Restore it" not in sentence


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_a_description_that_is_no_json_object_is_refused(content: bytes, cnn: Path) -> None:
    """Whatever it is instead."""
    (cnn / bundle.DESCRIPTION).write_bytes(content)
    assert str(cnn / bundle.DESCRIPTION) in refusal(cnn)


def test_a_pickle_in_the_graphs_place_is_refused_and_not_opened(cnn: Path, tmp_path: Path) -> None:
    """Even where the description vouches for it: what it would do does not happen."""
    poison = pickle.dumps(Trap(tmp_path / "sprung"))
    (cnn / bundle.GRAPH).write_bytes(poison)
    redescribe(cnn, graph_sha256=hashlib.sha256(poison).hexdigest())
    assert f"{cnn / bundle.GRAPH} is not a graph that can be run" in refusal(cnn)
    assert not (tmp_path / "sprung").exists()


def test_a_pickle_in_the_descriptions_place_is_refused_and_not_opened(cnn: Path, tmp_path: Path) -> None:
    """It is no JSON."""
    (cnn / bundle.DESCRIPTION).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    assert str(cnn / bundle.DESCRIPTION) in refusal(cnn)
    assert not (tmp_path / "sprung").exists()


def test_the_trap_would_spring(tmp_path: Path) -> None:
    """Unpickling has the side effect whose absence the other tests look for."""
    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung")))  # noqa: S301 - a pickle of our own
    assert (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "module", ["audiomnist.serving.model", "audiomnist.serving.predictor", "audiomnist.cli.main", *SCORING]
)
def test_the_scorers_modules_import_nothing_of_training(module: str) -> None:
    """A machine that scores needs neither PyTorch nor librosa nor Great Expectations."""
    program = (
        f"import sys, {module}\n"
        "heavy = {'torch', 'torchaudio', 'librosa', 'great_expectations', 'audiomnist.training'} & sys.modules.keys()\n"
        "sys.exit(', '.join(sorted(heavy)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("models/selected", "git checkout HEAD -- models/selected"),
        ("site-packages/audiomnist/served_model", "install audiomnist again"),
        ("models/served/rnn", "dvc checkout, or dvc repro"),
    ],
)
def test_an_absent_bundle_names_what_brings_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, remedy: str
) -> None:
    """The selected model is in git, not in DVC's cache; an installed one comes with the program."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=rf"no model bundle in {name}: .* Restore it: {remedy}$"):
        bundle.describe(Path(name))
