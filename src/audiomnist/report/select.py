"""The selected model: its bundle is served, its scores are the headline."""

import json
import shutil
from pathlib import Path

from audiomnist.core import atomic
from audiomnist.serving.bundle import description as bundle


def select(model: Path, metrics: Path, out: Path, headline: Path) -> None:
    """Copy a model's bundle and scores to the places that do not depend on its name.

    Args:
        model: the bundle's folder.
        metrics: its scores, JSON under the model's name.
        out: the folder of the served bundle; the scores are written into its description.
        headline: flat JSON of the scores.
    """
    description, _ = bundle.describe(model)
    scored = json.loads(metrics.read_text(encoding="utf-8"))[description.model]
    with atomic.replaced_directory(out) as folder:
        shutil.copyfile(model / bundle.GRAPH, folder / bundle.GRAPH)
        bundle.write_description(folder, description.model_copy(update={"metrics": scored}))
    atomic.write_json(headline, {"selected": description.model, **scored})
