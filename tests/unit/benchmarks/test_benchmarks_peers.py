"""Peers do the scorer's work: the same MFCCs, the same labels where they have the same weights."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from audiomnist.audio import waveform
from audiomnist.core import params
from audiomnist.corpus import splits
from audiomnist.export.optimize import WithFrontEnd, exported
from audiomnist.features.extract import FeatureParams
from audiomnist.features.mfcc import FrontEnd
from audiomnist.models.common.registry import architecture
from audiomnist.serving import batching
from audiomnist.serving.bundle.session import session
from audiomnist.training.cross_validation import judged
from audiomnist.training.trainer import Recipe, TrainParams, fit
from benchmarks import mfcc, networks, peers, spectra
from benchmarks.peers import Peer

ROOT = Path(__file__).parents[3]
FRONT_END = params.section(ROOT / "params.yaml", "features", FeatureParams).front_end

TOLERANCE_DB = 1e-3
TOLERANCE_OF_LOGITS = 1e-3


@pytest.fixture(scope="module")
def recipe(toy: Path) -> Recipe:
    """A few epochs of a small network on tones."""
    chosen = architecture("cnn")
    how = params.section(toy / "params.yaml", "train", TrainParams).model_copy(update={"epochs": 4})
    network = params.section(toy / "params.yaml", "models.cnn", chosen.params)
    return Recipe(chosen, network, toy / "features", how, splits.read(toy / "split.csv"))


@pytest.fixture(scope="module")
def peer(recipe: Recipe) -> Iterator[Peer]:
    """A trained network that peers can ask."""
    threads = torch.get_num_threads()
    yield Peer(fit(recipe, recipe.examples(), lambda _epoch, _scores: None), FRONT_END)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=False)


@pytest.fixture(scope="module")
def files(toy: Path) -> list[Path]:
    """More than a batch of recordings, of all digits."""
    return sorted((toy / "raw").glob("*.wav"))[::2]


@pytest.fixture(scope="module")
def served(peer: Peer, recipe: Recipe, files: list[Path]) -> NDArray[np.float32]:
    """What the exported graph says of the files, with the peer's weights in it: logits `(files, 10)`."""
    samples = [
        waveform.prepare(waveform.read(path), FRONT_END.sample_rate_hz, FRONT_END.trim_db, FRONT_END.max_samples)
        for path in files
    ]
    batches = [*batching.batches(samples, FRONT_END.window_samples, FRONT_END.hop_samples)]
    judge = judged(peer.network, recipe, recipe.examples())
    graph = exported(WithFrontEnd(FrontEnd(FRONT_END), judge), [np.zeros((2, 1000), dtype=np.float32)])
    opened, logits = session(graph, threads=1), np.empty((len(files), 10), dtype=np.float32)
    for places, waveforms in batches:
        (logits[places],) = opened.run(["logits"], {"inputs": waveforms})
    return logits


@pytest.mark.parametrize("style", [*peers.STYLES, "dataloader"])
def test_peers_give_the_labels_of_the_served_graph(
    style: str, peer: Peer, files: list[Path], served: NDArray[np.float32]
) -> None:
    """With the same weights, up to the rounding of other MFCCs."""
    logits = (
        peers.through_loader(peer, peers.loader(peer, files, workers=0))
        if style == "dataloader"
        else peers.STYLES[style](peer, files)
    )
    assert len(set(served.argmax(axis=1).tolist())) > 3
    np.testing.assert_array_equal(logits.argmax(axis=1), served.argmax(axis=1))
    np.testing.assert_allclose(logits, served, rtol=0, atol=TOLERANCE_OF_LOGITS * float(np.abs(served).max()))


@pytest.mark.parametrize("samples", [120, 279])
def test_both_libraries_give_the_front_ends_mfccs_at_any_level(samples: int) -> None:
    """Of a clip shorter than a window too, and frames are counted alike."""
    clip = np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)
    waveforms, lengths = waveform.pad([clip], at_least=FRONT_END.window_samples)
    with torch.inference_mode():
        expected = FrontEnd(FRONT_END)(torch.from_numpy(waveforms), torch.from_numpy(lengths))[0][0].numpy()
        by_torchaudio = spectra.ByTorchaudio(FRONT_END)(torch.from_numpy(clip)).numpy()
    np.testing.assert_allclose(spectra.by_librosa(clip, FRONT_END), expected, rtol=0, atol=TOLERANCE_DB)
    np.testing.assert_allclose(by_torchaudio, expected, rtol=0, atol=TOLERANCE_DB)
    assert expected.shape[1] == int(spectra.frames(torch.from_numpy(lengths), FRONT_END)[0])


def test_the_corpus_in_batches_has_every_clip() -> None:
    """Sorted by length, in batches of 64."""
    clips = [np.full(200 + 80 * (number % 7), 0.1, dtype=np.float32) for number in range(70)]
    with torch.inference_mode():
        batches = mfcc.in_batches(FrontEnd(FRONT_END), clips)
    assert [tuple(batch.shape) for batch in batches] == [(64, 40, 7), (6, 40, 7)]


def test_the_network_of_the_peers_is_that_of_params(peer: Peer, toy: Path, files: list[Path]) -> None:
    """With as many weights as one that is trained, ready to be asked."""
    untrained = networks.untrained("cnn", toy / "params.yaml", files[:8])
    counts = [sum(weights.numel() for weights in one.network.parameters()) for one in (peer, untrained)]
    assert counts[0] == counts[1]
    assert untrained.front_end == FRONT_END
    assert not untrained.network.training
    assert peers.notebook(untrained, files[:2]).shape == (2, 10)
