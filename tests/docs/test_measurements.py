"""Numbers on the pages are those of the committed run."""

import json
import re

import pytest
from committed import ROOT

SCORING = (ROOT / "docs" / "scoring.md").read_text(encoding="utf-8")
ROWS = {
    cells[0]: cells[1:]
    for line in re.findall(r"^\| `(\w+)` \| (.+) \|$", SCORING.partition("<!-- measurements -->")[2], re.MULTILINE)
    if len(cells := [line[0], *line[1].split(" | ")]) == 7
}


@pytest.mark.parametrize("column", [1, 2, 3, 4, 5])
def test_the_table_of_sounds_that_are_no_digits_is_that_of_the_reports(column: int) -> None:
    """AUROC and mean confidence of each kind of sound, for each model."""
    model = ("cnn", "rnn", "lstm", "whisper", "cascade")[column - 1]
    report = json.loads((ROOT / "reports" / "robustness" / f"{model}.json").read_text(encoding="utf-8"))[model]["ood"]
    kinds = {kind: scores for kind, scores in report.items() if kind != "digits"}
    measured = {kind: f"{scores['auroc']:.3f}, {scores['confidence']:.0%}" for kind, scores in kinds.items()}
    assert {kind: cells[column] for kind, cells in ROWS.items()} == measured
