"""Batches of inputs that have equally many steps, so that none of them is padded."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from audiomnist.audio import waveform
from audiomnist.audio.waveform import Samples

# Clips in a batch, at most: few enough for what goes from step to step to stay near the processor.
BATCH_CLIPS = 64


def batches(clips: Sequence[Samples], win_length: int, hop_length: int) -> Iterator[tuple[NDArray[np.intp], Samples]]:
    """Yield each clip in one batch, the shortest first.

    Args:
        clips: float32 `(samples,)` each.
        win_length: length of a frame; a shorter clip has one, too.
        hop_length: distance between the starts of two frames.

    Yields:
        places of clips in the sequence, `(batch,)`, and the clips, float32 `(batch, samples)`, with zeros after the end
        of each, fewer than a hop where it is no shorter than a window.
    """
    frames = [max(0, len(clip) - win_length) // hop_length for clip in clips]
    for places in equal(frames):
        waveforms, _ = waveform.pad([clips[place] for place in places], at_least=win_length)
        yield places, waveforms


def equal(steps: Sequence[int]) -> Iterator[NDArray[np.intp]]:
    """Yield places of equal numbers, at most `BATCH_CLIPS` at a time, the smallest first."""
    order = np.argsort(steps, kind="stable")
    for same in np.split(order, np.flatnonzero(np.diff(np.asarray(steps)[order])) + 1):
        for start in range(0, len(same), BATCH_CLIPS):
            yield same[start : start + BATCH_CLIPS]
