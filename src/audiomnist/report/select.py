"""The selected model: its bundle is the served one, its metrics are the headline."""

import json
import shutil
from pathlib import Path

from audiomnist.core import atomic
from audiomnist.serving.bundle.description import describe_served, write_description


def select(model: Path, metrics: Path, report: Path, out: Path, headline: Path) -> None:
    """Copy the bundle in the folder `model`, and its metrics, to paths that do not depend on the model's name.

    It may be a cascade's, with the bundles of its members in it.

    The description in `out` has the scores of `report`, and `headline` is a flat JSON of the name and of `metrics`.
    """
    description, _ = describe_served(model)
    compared, scores = (json.loads(path.read_text(encoding="utf-8"))[description.model] for path in (metrics, report))
    with atomic.replaced_directory(out) as folder:
        shutil.copytree(model, folder, dirs_exist_ok=True)
        write_description(folder, description.model_copy(update={"metrics": scores}))
    atomic.write_json(headline, {"selected": description.model, **compared})
