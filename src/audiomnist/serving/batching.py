"""Batches of inputs of equal length, which need no padding."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from audiomnist.audio import waveform
from audiomnist.audio.waveform import Samples

# Clips per batch, at most: few enough for the activations of a batch to stay in the processor's cache.
BATCH_CLIPS = 64


def batches(clips: Sequence[Samples], win_length: int, hop_length: int) -> Iterator[tuple[NDArray[np.intp], Samples]]:
    """Yield the clips in batches of equally many frames, the shortest first.

    Args:
        clips: float32 `(samples,)` each.
        win_length: length of a frame; a shorter clip has one frame.
        hop_length: distance between the starts of two frames.

    Yields:
        The indices of the clips in the sequence, `(batch,)`, and the clips, float32 `(batch, samples)`, each padded
        with zeros: fewer than `hop_length` of them if it has at least `win_length` samples.
    """
    frames = [max(0, len(clip) - win_length) // hop_length for clip in clips]
    for indices in equal(frames):
        waveforms, _ = waveform.pad([clips[index] for index in indices], at_least=win_length)
        yield indices, waveforms


def equal(lengths: Sequence[int]) -> Iterator[NDArray[np.intp]]:
    """Yield the indices of equal lengths, at most `BATCH_CLIPS` at a time, the shortest first."""
    order = np.argsort(lengths, kind="stable")
    for same in np.split(order, np.flatnonzero(np.diff(np.asarray(lengths)[order])) + 1):
        for start in range(0, len(same), BATCH_CLIPS):
            yield same[start : start + BATCH_CLIPS]
