"""The selected model: its bundle is the served one, its scores are the headline."""

import json
import shutil
from pathlib import Path

from audiomnist.core import atomic
from audiomnist.serving.bundle.description import GRAPH, describe, write_description


def select(model: Path, metrics: Path, out: Path, headline: Path) -> None:
    """Copy the bundle in the folder `model`, and its scores, to paths that do not depend on the model's name.

    The description in `out` has the scores, and `headline` is a flat JSON of them.
    """
    description, _ = describe(model)
    scores = json.loads(metrics.read_text(encoding="utf-8"))[description.model]
    with atomic.replaced_directory(out) as folder:
        shutil.copyfile(model / GRAPH, folder / GRAPH)
        write_description(folder, description.model_copy(update={"metrics": scores}))
    atomic.write_json(headline, {"selected": description.model, **scores})
