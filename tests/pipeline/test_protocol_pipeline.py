"""The pipeline of the protocols, under the real dvc, on small parameters."""

import json
import shutil

import pandas as pd
import pytest
from checkout import ROOT, Checkout

PIPELINE = "stages/protocols/dvc.yaml"
NETWORKS = ("cnn", "rnn", "lstm")

pytestmark = pytest.mark.long


def test_a_protocol_trains_and_evaluates_every_model_on_its_split(checkout: Checkout) -> None:
    """The report has all four models on the same clips; again nothing runs; the main pipeline is left alone."""
    (checkout.folder / PIPELINE).parent.mkdir()
    shutil.copyfile(ROOT / PIPELINE, checkout.folder / PIPELINE)
    ran = checkout.stages_run("repro", f"{PIPELINE}:random")
    networks = {f"{PIPELINE}:cross-validate@random-{model}" for model in NETWORKS}
    assert ran - {"check"} == networks | {f"{PIPELINE}:linear@random", f"{PIPELINE}:random"}
    report = json.loads((checkout.folder / "reports" / "random.json").read_text(encoding="utf-8"))
    assert {*NETWORKS, "linear"} < report.keys()
    assert checkout.stages_run("repro", f"{PIPELINE}:random") == set()
    assert checkout.stages_run("repro") == set()
    assert "reports/random.json" in checkout.run("dvc", "metrics", "show")
    for model in NETWORKS:
        main = pd.read_parquet(checkout.folder / "data" / "predictions" / f"{model}.parquet")
        again = pd.read_parquet(checkout.folder / "reports" / "protocols" / "random" / f"{model}.parquet")
        of_seed = again[again["seed"] == 0].reset_index(drop=True)
        if model == "cnn":  # the others have no folds here, which changes their calibration
            pd.testing.assert_frame_equal(of_seed[main.columns], main)
        assert of_seed["predicted"].tolist() == main["predicted"].tolist()
