"""The bundle of a cascade: those of its members, and the rule that is learnt from their out-of-fold predictions."""

import shutil
from pathlib import Path

from audiomnist.cascade.learn import learn
from audiomnist.cascade.params import MEMBERS, CascadeParams
from audiomnist.core import atomic
from audiomnist.core.errors import AudiomnistError
from audiomnist.serving.bundle.description import CascadeDescription, describe, write_description
from audiomnist.serving.held_out import held_out_predictions


class CascadeError(AudiomnistError):
    """The members of a cascade do not fit each other."""


def build(trained: Path, served: Path, params: CascadeParams, out: Path) -> None:
    """Learn the rule of a cascade and write its bundle.

    Args:
        trained: folder of the members' trained models, `<member>`, with their out-of-fold outputs.
        served: folder of their bundles, `<member>`.
        params: the section `models.cascade`.
        out: output folder: `bundle.json`, and a copy of each member's bundle.

    Raises:
        CascadeError: the members were trained on other data or another split, or calibrated on other clips.
        BundleError: a member cannot be read.
    """
    first, second = (held_out_predictions(trained / name) for name in MEMBERS)
    (description, version), (other, other_version) = (describe(served / name) for name in MEMBERS)
    if (description.dataset, description.split, first.files) != (other.dataset, other.split, second.files):
        raise CascadeError(
            f"{' and '.join(MEMBERS)} do not have the same data, split and calibration clips: dvc repro trains both"
        )
    cascade = CascadeDescription(
        members=dict(zip(MEMBERS, (version, other_version), strict=True)),
        rule=learn(first.predictions, second.predictions, first.digits, params),
        parameters=params.model_dump(),
        dataset=description.dataset,
        split=description.split,
        reference=description.reference,
    )
    with atomic.replaced_directory(out) as folder:
        for name in MEMBERS:
            shutil.copytree(served / name, folder / name)
        write_description(folder, cascade)
