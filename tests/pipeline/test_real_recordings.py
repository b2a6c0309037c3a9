"""The committed model on the real recordings, where they are at hand."""

import json
import os
from pathlib import Path

import pytest

from audiomnist import inference, splits
from audiomnist.corpus import manifest, sources
from audiomnist.params import section
from audiomnist.report import assessment
from audiomnist.splits import Clip, SplitParams

ROOT = Path(__file__).parents[2]

at_hand = pytest.mark.skipif(
    sources.SOURCE_VARIABLE not in os.environ, reason=f"{sources.SOURCE_VARIABLE} leads to no recordings"
)


@at_hand
def test_the_committed_model_labels_the_test_recordings_as_well_as_the_committed_metrics_say(tmp_path: Path) -> None:
    """Source, manifest, split, bundle and metrics in git belong together."""
    rows = manifest.read(ROOT / "data" / "manifest.csv")
    sources.fetch(tmp_path)
    manifest.verify(tmp_path, rows, os.environ[sources.SOURCE_VARIABLE])
    parts = splits.assign(rows, section(ROOT / "params.yaml", "split", SplitParams))
    clips = [Clip(row.file, row.digit, row.speaker, "test") for row in rows if parts[row.file] == "test"]
    model = inference.load(ROOT / "models" / "selected", threads=1)
    assert model.description.input.kind == "waveform"
    predictions = assessment.predict(model, clips, tmp_path, tmp_path)
    right = float((predictions["predicted"] == predictions["digit"]).mean())
    committed = json.loads((ROOT / "reports" / "metrics.json").read_text(encoding="utf-8"))
    assert len(clips) == committed["test_clips"]
    assert right == pytest.approx(committed["accuracy"], abs=1e-6)
