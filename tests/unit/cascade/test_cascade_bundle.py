"""The bundle of a cascade: what is in it, and which members are refused."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from audiomnist.cascade.build import CascadeError, build
from audiomnist.cascade.params import CascadeParams
from audiomnist.core.hashing import sha256_of
from audiomnist.report.select import select
from audiomnist.serving import cascade
from audiomnist.serving.bundle import out_of_fold
from audiomnist.serving.bundle.description import DESCRIPTION, BundleError, CascadeDescription, describe_served
from audiomnist.serving.bundle.out_of_fold import OutOfFold
from audiomnist.serving.cascade import Cascade

PARAMS = CascadeParams(cost_of_asking=0.02)


@pytest.fixture
def members(trained: Path, served: Path, tmp_path: Path) -> Path:
    """Copy the trained models and the bundles of the members, which may be spoiled."""
    for kind, source in (("trained", trained), ("served", served)):
        for name in ("cnn", "whisper"):
            shutil.copytree(source / name, tmp_path / kind / name)
    return tmp_path


def built(members: Path, params: CascadeParams = PARAMS) -> Path:
    """Build the cascade."""
    build(members / "trained", members / "served", params, members / "cascade")
    return members / "cascade"


def change(path: Path, **values: Any) -> None:
    """Change a description in its file."""
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


def test_it_has_the_bundles_of_its_members_with_their_hashes(members: Path) -> None:
    """Its version is the hash of its description, which has those of the members', which have those of their graphs."""
    folder = built(members)
    description, version = describe_served(folder)
    assert isinstance(description, CascadeDescription)
    assert description.members == {name: sha256_of(folder / name / DESCRIPTION) for name in ("cnn", "whisper")}
    assert version == sha256_of(folder / DESCRIPTION)
    assert sum(description.rule.weights) == pytest.approx(1)
    opened = cascade.load(folder, threads=1)
    assert isinstance(opened, Cascade)
    assert (opened.first.description.model, opened.second.description.model) == ("cnn", "whisper")
    assert opened.version == version


def test_the_same_members_give_the_same_bundle(members: Path) -> None:
    """To the bit."""
    first = (built(members) / DESCRIPTION).read_bytes()
    assert (built(members) / DESCRIPTION).read_bytes() == first


def test_the_rule_is_learnt_from_the_outputs_for_held_out_clips(members: Path) -> None:
    """Fewer clips, another rule."""
    whole = describe_served(built(members))[0]
    for name in ("cnn", "whisper"):
        outputs = out_of_fold.read(members / "trained" / name)
        order = sorted(range(len(outputs.files)), key=outputs.files.__getitem__)[:60]
        arrays = (outputs.digits[order], outputs.logits[order], outputs.novelty[order])
        part = OutOfFold([outputs.files[index] for index in order], *arrays)
        out_of_fold.write(members / "trained" / name, part)
    part_only = describe_served(built(members))[0]
    assert isinstance(whole, CascadeDescription)
    assert isinstance(part_only, CascadeDescription)
    assert whole.rule != part_only.rule


@pytest.mark.parametrize("key", ["dataset", "split"])
def test_members_of_other_data_or_another_split_are_refused(members: Path, key: str) -> None:
    """The message says what to do."""
    change(members / "served" / "whisper" / DESCRIPTION, **{key: {"name": "other", "version": "2"}})
    with pytest.raises(CascadeError, match=r"cnn and whisper do not have the same data, split .*dvc repro trains both"):
        built(members)


def test_a_member_without_its_outputs_is_refused(members: Path) -> None:
    """It is one of an earlier version."""
    (members / "trained" / "cnn" / out_of_fold.OUT_OF_FOLD).unlink()
    with pytest.raises(BundleError, match=r"cnn/out_of_fold.parquet cannot be read: .*dvc repro train@cnn writes it"):
        built(members)


def test_an_altered_member_is_refused(members: Path) -> None:
    """Its description, or its graph."""
    folder = built(members)
    (folder / "whisper" / "model.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match=r"whisper/model.onnx is not the file that bundle.json describes"):
        cascade.load(folder, threads=1)
    shutil.rmtree(folder / "whisper")
    shutil.copytree(members / "served" / "whisper", folder / "whisper")
    change(folder / "cnn" / DESCRIPTION, metrics={"accuracy": 1.0})
    with pytest.raises(BundleError, match=r"cnn/bundle.json is not the file that .*cascade/bundle.json describes"):
        cascade.load(folder, threads=1)


def test_an_absent_member_is_refused_with_what_brings_it_back(members: Path) -> None:
    """The selected bundle is in git, whole."""
    folder = members / "models" / "selected"
    shutil.copytree(built(members), folder)
    shutil.rmtree(folder / "cnn")
    with pytest.raises(BundleError, match=r"no model bundle in .*selected/cnn: .*git checkout HEAD -- .*selected/cnn"):
        cascade.load(folder, threads=1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"weights": [0, 0]}, "rule: the sum of the weights must be 1"),
        ({"weights": [0.5, 0.4]}, "rule: the sum of the weights must be 1"),
        ({"weights": [-0.5, 1.5]}, "rule.weights.0: "),
        ({"weights": [float("nan"), 1]}, "rule.weights.0: "),
        ({"weights": [float("inf"), 0]}, "rule.weights.0: "),
        ({"temperature": 0}, "rule.temperature: "),
        ({"temperature": -1}, "rule.temperature: "),
        ({"temperature": float("inf")}, "rule.temperature: "),
        ({"temperature": float("nan")}, "rule.temperature: "),
        ({"threshold": -0.1}, "rule.threshold: "),
    ],
)
def test_a_rule_that_fuses_nothing_is_refused(members: Path, changes: dict[str, Any], reason: str) -> None:
    """The message has the file, the value and the remedy."""
    path = built(members) / DESCRIPTION
    rule = json.loads(path.read_text(encoding="utf-8"))["rule"]
    change(path, rule=rule | changes)
    expected = rf"{path} is not a bundle description of version \d+: {re.escape(reason)}.*Restore it: dvc checkout"
    with pytest.raises(BundleError, match=expected):
        cascade.load(path.parent, threads=1)


@pytest.mark.parametrize("opening", [b"[", b'{"model":'])
def test_a_deeply_nested_description_is_refused(tmp_path: Path, opening: bytes) -> None:
    """It exhausts no stack."""
    (tmp_path / DESCRIPTION).write_bytes(100_000 * opening)
    with pytest.raises(BundleError, match=rf"{DESCRIPTION} is not a bundle description .*recursion limit.*Restore it"):
        cascade.load(tmp_path, threads=1)


def test_it_can_be_selected(members: Path) -> None:
    """With its members in it and its scores in the description; without the out-of-fold outputs."""
    folder = built(members)
    scores = {"cascade": {"accuracy": 0.9, "asked": 0.1}}
    (members / "scores.json").write_text(json.dumps(scores), encoding="utf-8")
    select(folder, members / "scores.json", members / "scores.json", members / "selected", members / "headline.json")
    description, _ = describe_served(members / "selected")
    assert description.metrics == scores["cascade"]
    assert json.loads((members / "headline.json").read_text(encoding="utf-8"))["selected"] == "cascade"
    assert isinstance(cascade.load(members / "selected", threads=1), Cascade)
    assert not list((members / "selected").rglob("*.parquet"))
