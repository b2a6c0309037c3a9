"""The selected model: its bundle is the served one, its scores are the headline."""

import json
import shutil
from pathlib import Path

from audiomnist.core import atomic
from audiomnist.serving.bundle.description import GRAPH, describe, write_description


def select(model: Path, metrics: Path, out: Path, headline: Path) -> None:
    """Copy a model's bundle and scores to paths that do not depend on its name.

    Args:
        model: the bundle's folder.
        metrics: its scores, JSON under the model's name.
        out: the folder of the served bundle to write, with the scores in its description.
        headline: flat JSON of the scores to write.
    """
    description, _ = describe(model)
    scores = json.loads(metrics.read_text(encoding="utf-8"))[description.model]
    with atomic.replaced_directory(out) as folder:
        shutil.copyfile(model / GRAPH, folder / GRAPH)
        write_description(folder, description.model_copy(update={"metrics": scores}))
    atomic.write_json(headline, {"selected": description.model, **scores})
