"""Peers do the scorer's work: the same MFCCs, the same labels where they have the same weights."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import small_bundles
import torch
from numpy.typing import NDArray

from audiomnist.audio import waveform
from audiomnist.core import params
from audiomnist.corpus import splits
from audiomnist.export.optimize import WaveformModel, exported
from audiomnist.features.mfcc import FrontEnd
from audiomnist.features.params import FeatureParams
from audiomnist.models.common.registry import architecture
from audiomnist.serving import batching
from audiomnist.serving.bundle.description import describe
from audiomnist.serving.bundle.session import session
from audiomnist.training.cross_validation import ood_classifier
from audiomnist.training.params import TrainParams
from audiomnist.training.trainer import TrainingJob, train_network
from benchmarks import peers, spectra
from benchmarks.peers import Peer
from benchmarks.rounds import BenchmarkError

ROOT = Path(__file__).parents[3]
FRONT_END = params.section(ROOT / "params.yaml", "features", FeatureParams).front_end

TOLERANCE_DB = 1e-3
TOLERANCE_OF_LOGITS = 1e-3
TOLERANCE_OF_ROUNDING_DB = 2.0


@pytest.fixture(scope="module")
def job(toy: Path) -> TrainingJob:
    """A few epochs of a small network on tones."""
    chosen = architecture("cnn")
    how = params.section(toy / "params.yaml", "train", TrainParams).model_copy(update={"epochs": 4})
    network = params.section(toy / "params.yaml", "models.cnn", chosen.params)
    return TrainingJob(chosen, network, toy / "features", how, splits.read(toy / "split.csv"))


@pytest.fixture(scope="module")
def peer(job: TrainingJob) -> Iterator[Peer]:
    """A trained network that peers can ask."""
    threads = torch.get_num_threads()
    yield Peer(train_network(job, job.open_dataset()), FRONT_END)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=False)


@pytest.fixture(scope="module")
def files(toy: Path) -> list[Path]:
    """More than a batch of recordings, of all digits."""
    return sorted((toy / "raw").glob("*.wav"))[::2]


@pytest.fixture(scope="module")
def served(peer: Peer, job: TrainingJob, files: list[Path]) -> NDArray[np.float32]:
    """What the exported graph says of the files, with the peer's weights in it: logits `(files, 10)`."""
    samples = [
        waveform.prepare(waveform.read(path), FRONT_END.sample_rate_hz, FRONT_END.trim_top_db, FRONT_END.max_samples)
        for path in files
    ]
    batches = [*batching.batches(samples, FRONT_END.win_length, FRONT_END.hop_length)]
    classifier = ood_classifier(peer.network, job, job.open_dataset())
    graph = exported(WaveformModel(FrontEnd(FRONT_END), classifier), [np.zeros((2, 1000), dtype=np.float32)])
    opened, logits = session(graph, threads=1), np.empty((len(files), 10), dtype=np.float32)
    for places, waveforms in batches:
        (logits[places],) = opened.run(["logits"], {"inputs": waveforms})
    return logits


def through_loader(peer: Peer, paths: Sequence[Path]) -> peers.Logits:
    """Return logits `(files, 10)`, without processes."""
    return peers.through_loader(peer, peers.loader(peer, paths, workers=0))


@pytest.mark.parametrize("style", [peers.notebook, peers.batched_torch, through_loader])
@pytest.mark.long
def test_peers_give_the_labels_of_the_served_graph(
    style: peers.Style, peer: Peer, files: list[Path], served: NDArray[np.float32]
) -> None:
    """With the same weights, up to the rounding of other MFCCs."""
    logits = style(peer, files)
    assert len(set(served.argmax(axis=1).tolist())) > 3
    np.testing.assert_array_equal(logits.argmax(axis=1), served.argmax(axis=1))
    np.testing.assert_allclose(logits, served, rtol=0, atol=TOLERANCE_OF_LOGITS * float(np.abs(served).max()))


@pytest.mark.parametrize("samples", [120, 279])
def test_both_libraries_give_the_front_ends_mfccs_at_any_level(samples: int) -> None:
    """Of a clip shorter than a window too, and frames are counted alike."""
    clip = np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)
    waveforms, lengths = waveform.pad([clip], at_least=FRONT_END.win_length)
    with torch.inference_mode():
        expected = FrontEnd(FRONT_END)(torch.from_numpy(waveforms), torch.from_numpy(lengths))[0][0].numpy()
        by_torchaudio = spectra.ByTorchaudio(FRONT_END)(torch.from_numpy(clip)).numpy()
    np.testing.assert_allclose(spectra.by_librosa(clip, FRONT_END), expected, rtol=0, atol=TOLERANCE_DB)
    np.testing.assert_allclose(by_torchaudio, expected, rtol=0, atol=TOLERANCE_DB)
    assert expected.shape[1] == int(spectra.frames(torch.from_numpy(lengths), FRONT_END)[0])


def test_the_served_graph_gives_mfccs_up_to_rounding(tmp_path: Path) -> None:
    """The part of the graph before the network, on clips of several lengths."""
    bundle = small_bundles.write("cnn", tmp_path / "cnn")
    draw = np.random.default_rng(0)
    clips = [draw.normal(0, 0.1, 200 + 800 * (number % 7)).astype(np.float32) for number in range(70)]
    exact = spectra.in_batches(spectra.by_front_end(FRONT_END), clips, FRONT_END)
    rounded = spectra.in_batches(spectra.by_graph(bundle), clips, FRONT_END)
    assert exact.shape == (40, sum(1 + 10 * (number % 7) for number in range(70)))
    assert 0 < np.abs(rounded - exact).mean() < TOLERANCE_OF_ROUNDING_DB


@pytest.mark.long
def test_the_network_of_the_peers_is_that_of_the_bundle(tmp_path: Path, files: list[Path]) -> None:
    """In evaluation mode, with the bundle's settings."""
    description, _ = describe(small_bundles.write("cnn", tmp_path / "cnn", channels=(5, 7)))
    untrained = peers.untrained(description)
    shapes = [weights.shape[0] for name, weights in untrained.network.named_parameters() if weights.ndim == 4]
    assert {5, 7} <= set(shapes)
    assert untrained.front_end == FRONT_END
    assert not untrained.network.training
    assert peers.notebook(untrained, files[:2]).shape == (2, 10)


def test_a_model_over_transcripts_has_no_peers(tmp_path: Path) -> None:
    """The error says which option names another."""
    description, _ = describe(small_bundles.write("lstm", tmp_path / "lstm"))
    with pytest.raises(BenchmarkError, match="--model names another bundle"):
        peers.untrained(description)
