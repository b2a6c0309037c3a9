"""Temperature scaling: that it finds what is known, and that it ends."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from audiomnist.calibration import temperature


def calibrated(clips: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return logits `(clips, 10)` and labels drawn from the probabilities that they stand for."""
    draw = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(clips, 10, generator=draw)
    labels = torch.multinomial(logits.softmax(dim=1), 1, generator=draw).flatten()
    return logits, labels


@pytest.mark.parametrize("known", [0.5, 1.0, 2.5, 8.0])
def test_a_known_temperature_is_found(known: float) -> None:
    """Logits that were multiplied by it are divided by it again."""
    logits, labels = calibrated(20_000)
    assert temperature(known * logits, labels) == pytest.approx(known, rel=0.03)


@pytest.mark.parametrize("margin", [5.0, 10.0, 30.0])
@pytest.mark.parametrize("clips", [30, 240])
def test_a_faultless_validation_part_gives_a_finite_temperature(clips: int, margin: float) -> None:
    """A label counts as (n + 1) / (n + 2) certain, and that is the confidence which comes out."""
    labels = torch.arange(clips) % 10
    logits = margin * functional.one_hot(labels, 10).float()
    found = temperature(logits, labels)
    assert 0.051 < found < 19.9
    confidence = (logits / found).softmax(dim=1).amax(dim=1)
    assert confidence.numpy() == pytest.approx((clips + 1) / (clips + 2), abs=1e-4)


def test_the_temperature_stays_within_its_bounds() -> None:
    """Labels that contradict the logits ask for an infinite temperature, and get the highest."""
    logits, _ = calibrated(200)
    assert temperature(logits, logits.argmin(dim=1)) == pytest.approx(20, rel=0.01)
    labels = logits.argmax(dim=1)
    assert temperature(1e-4 * logits, labels) == pytest.approx(0.05, rel=0.01)


@settings(deadline=None, max_examples=25)
@given(scale=st.floats(0.2, 5), seed=st.integers(0, 1000))
def test_the_temperature_is_no_worse_than_none(scale: float, seed: int) -> None:
    """The smoothed loss at the temperature found is at most that at 1."""
    logits, labels = calibrated(100, seed)
    logits = (scale * logits).double()
    found = temperature(logits, labels)
    smoothing = 10 / 9 / 102

    def loss(divisor: float) -> float:
        return float(functional.cross_entropy(logits / divisor, labels, label_smoothing=smoothing))

    assert 0.05 <= found <= 20
    assert np.isfinite(found)
    assert loss(found) <= loss(1.0) + 1e-9
