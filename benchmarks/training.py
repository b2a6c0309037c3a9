"""What training the convolutional network costs, beside the paper's: clips per CPU second, extrapolated.

Nothing is trained to the end. A few clips go through the training loop, and what a whole training takes is the number
of its clips over that speed. The networks that are trained beside it for the calibration are not counted.
"""

import tempfile
from collections.abc import Mapping
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any

import torch

from audiomnist.core.processes import pool
from audiomnist.training.trainer import Recipe
from benchmarks import figures, recipes
from benchmarks.figures import Round
from benchmarks.material import Setting

_CURVES = Path("reports/plots/cnn/curves.csv")
_CLIPS, _FEW_CLIPS = 192, 8
# Of these the first two do not teach.
_PAPERS_CLIPS, _PAPERS_FEW_CLIPS = 34, 4


def measure(setting: Setting) -> dict[str, Any]:
    """Return clips per CPU second of both, and CPU seconds of whole trainings, on one thread."""
    trainings = {"": recipes.ours(setting.parameters), "paper_": recipes.papers(setting.parameters)}
    whole = {name: training.clips(len(setting.recordings)) for name, training in trainings.items()}
    with tempfile.TemporaryDirectory(dir=setting.work) as place, pool(1, torch.set_num_threads, 1) as process:
        folder = Path(place)
        clips = recipes.featurized(setting.recordings[: setting.size(_CLIPS, _FEW_CLIPS)], setting.parameters, folder)
        few = {"": len(clips), "paper_": setting.size(_PAPERS_CLIPS, _PAPERS_FEW_CLIPS)}
        measures = [
            partial(_timed, process, name, training.recipe(recipes.inputs(folder), clips[: few[name]]))
            for name, training in trainings.items()
        ]
        rounds = figures.interleaved(measures, setting.repetitions, "training", setting.console)
    return {
        "threads": 1,
        "is_extrapolated": True,
        **recipes.reached(setting.checkout / _CURVES),
        **{f"{name}clips": clips for name, clips in whole.items()},
        **figures.told([_derived(found, whole) for found in rounds]),
    }


def _timed(process: Executor, name: str, recipe: Recipe) -> Round:
    return {f"{name}clips_per_cpu_s": process.submit(recipes.clips_per_cpu_s, recipe).result()}


def _derived(found: Round, clips: Mapping[str, int]) -> Round:
    """Return a round with the CPU seconds of whole trainings, of so many clips, and their ratio."""
    seconds = {f"{name}cpu_s": count / found[f"{name}clips_per_cpu_s"] for name, count in clips.items()}
    return figures.with_ratios(found | seconds, {"ratio_to_paper": ("paper_cpu_s", "cpu_s")})
