"""The pipeline of the protocols, under the real dvc, on small parameters."""

import json
import shutil

import pytest
from checkout import ROOT, Checkout, alter

PIPELINE = "stages/protocols/dvc.yaml"
STAGES = ("split", "linear", *(f"{verb}-{model}" for verb in ("train", "evaluate") for model in ("cnn", "rnn", "lstm")))

pytestmark = pytest.mark.long


def test_a_protocol_trains_and_judges_every_model_on_its_split(checkout: Checkout) -> None:
    """The report has all four models on the same clips; again nothing runs; the main pipeline is left alone."""
    (checkout.folder / PIPELINE).parent.mkdir()
    shutil.copyfile(ROOT / PIPELINE, checkout.folder / PIPELINE)
    alter(checkout.folder / "params.yaml", {"protocols": {"splits": {"official": {"scheme": "random", "seed": 3}}}})
    ran = checkout.stages_run("repro", f"{PIPELINE}:official")
    assert ran - {"check"} == {f"{PIPELINE}:{stage}@official" for stage in STAGES} | {f"{PIPELINE}:official"}
    report = json.loads((checkout.folder / "reports" / "official.json").read_text(encoding="utf-8"))
    assert {"cnn", "rnn", "lstm", "linear"} < report.keys()
    assert 0 <= report["difference"]["cnn_linear"]["mcnemar_p"] <= 1
    assert checkout.stages_run("repro", f"{PIPELINE}:official") == set()
    assert checkout.stages_run("repro") == set()
    assert "reports/official.json" in checkout.run("dvc", "metrics", "show")
    description = json.loads((checkout.folder / "data/protocols/official/cnn/bundle.json").read_text(encoding="utf-8"))
    assert (description["split"]["scheme"], description["split"]["seed"]) == ("random", 3)
