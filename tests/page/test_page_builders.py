"""The report page and the model card: what is on them, and what is not."""

import json
import re
import shutil
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from page_inputs import HOSTILE_FILE, HOSTILE_NAME, HOSTILE_TEXT, PageInputs
from ruamel.yaml import YAML

from audiomnist.audio import waveform
from audiomnist.corpus import splits
from audiomnist.evaluation.metrics import expected_calibration_error
from audiomnist.page import groups, mistakes, results, robustness
from audiomnist.page.clips import Clips, flac
from audiomnist.page.components import Cell, Table, confusion, confusion_difference, markdown
from audiomnist.page.inputs import PageError, Reports, read_predictions

PROTOCOLS = (
    "random.json",
    "official.json",
    "unseen.json",
    "learning_curve.json",
    "plots/unseen.csv",
    "robustness/cnn.json",
)


def html_of(inputs: PageInputs) -> str:
    """Return the page that was made once."""
    return (inputs.folder / "page" / "index.html").read_text(encoding="utf-8")


def embedded(html: str) -> dict[str, str | None]:
    """Return the sounds on a page by the name of their recording."""
    match = re.search(r'<script type="application/json" id="clips">(.*?)</script>', html)
    assert match is not None
    return dict(json.loads(match[1]))


def copied(built: PageInputs, folder: Path) -> PageInputs:
    """Return a copy of the inputs, to change."""
    return PageInputs(shutil.copytree(built.folder, folder / "inputs"))


def test_equal_inputs_give_equal_bytes(built: PageInputs, tmp_path: Path) -> None:
    """DVC versions the page: neither times nor random numbers are on it."""
    assert copied(built, tmp_path).build() == html_of(built)


def test_no_text_of_the_data_is_markup(built: PageInputs) -> None:
    """Names of files and of the dataset, and transcripts, are escaped wherever they are."""
    html = html_of(built)
    for hostile in (HOSTILE_FILE, HOSTILE_NAME, HOSTILE_TEXT, "<img src=x"):
        assert hostile not in html
    assert "&lt;/script&gt;&lt;script&gt;" in html
    assert markdown(HOSTILE_NAME) in built.card


def test_the_page_names_no_address_of_a_host(built: PageInputs) -> None:
    """There is no URL outside scripts; test_page_in_browser.py sees what the scripts ask for."""
    without_scripts = re.sub(r"<script.*?</script>|base64,[^\"]*", "", html_of(built), flags=re.DOTALL)
    assert re.findall(r"(?:https?:)?//\w[^\s\"']*", without_scripts) == []
    assert re.findall(r"<(?:link|script|img|iframe)[^>]+(?:src|href)=\"(?!data:)[^\"]*", without_scripts) == []


def test_every_clip_is_embedded_once(built: PageInputs) -> None:
    """All test clips, the neighbours of the mistakes and an example of each digit, sample by sample."""
    sounds = embedded(html_of(built))
    test = {clip.file for clip in splits.read(built.folder / "split.csv") if clip.subset == "test"}
    assert test <= sounds.keys()
    for file in test:
        content = sounds[file]
        assert content is not None
        samples, _ = soundfile.read(BytesIO(b64decode(content)), dtype="float32")
        np.testing.assert_array_equal(samples, waveform.read(built.folder / "raw" / file).samples)
        assert html_of(built).count(content) == 1


def test_sounds_beyond_the_budget_are_left_out_mistakes_last(built: PageInputs, tmp_path: Path) -> None:
    """The page says how many."""
    inputs = copied(built, tmp_path)
    html = inputs.build(budget_bytes=120_000)
    sounds = embedded(html)
    left_out = [file for file, sound in sounds.items() if sound is None]
    assert 0 < len(left_out) < len(sounds)
    assert sounds[HOSTILE_FILE] is not None
    assert f"{len(left_out)} recordings are named and not embedded" in html
    assert sum(len(sound) for sound in sounds.values() if sound) <= 90_000


@pytest.mark.parametrize("report", PROTOCOLS)
def test_a_missing_report_is_noted_in_its_section(built: PageInputs, tmp_path: Path, report: str) -> None:
    """With the command that makes it."""
    shutil.copytree(built.reports, tmp_path / "reports")
    (tmp_path / "reports" / report).unlink()
    reports, tables = Reports(tmp_path / "reports"), read_predictions(built.folder / "predictions")
    sections = results.section(reports), groups.section(reports, tables, Clips(tmp_path, 0))
    notes = [note for section in (*sections, robustness.section(reports, tables)) for note in section["missing"]]
    assert set(notes) == {(report, "make protocols")}


def test_without_any_protocol_there_are_still_five_sections_and_a_card(built: PageInputs, tmp_path: Path) -> None:
    """A run of the main pipeline alone gives a page."""
    inputs = copied(built, tmp_path)
    for name in PROTOCOLS:
        (inputs.reports / name).unlink()
    shutil.rmtree(inputs.reports / "robustness")
    shutil.rmtree(inputs.reports / "protocols")
    (inputs.reports / "cost.json").unlink()
    html = inputs.build()
    assert html.count("<h2 ") == 5
    for name in PROTOCOLS:
        assert f"reports/{name} is missing: <code>make protocols</code> makes it." in html
    assert "reports/cost.json is missing: <code>python -m benchmarks.cost</code> makes it." in html
    assert "`make protocols` does" in inputs.card


def test_a_report_that_cannot_be_read_is_an_error(built: PageInputs, tmp_path: Path) -> None:
    """It names the file and the remedy, and the former page stays."""
    inputs = copied(built, tmp_path)
    (inputs.reports / "unseen.json").write_text("{", encoding="utf-8")
    with pytest.raises(PageError, match=r"unseen\.json is no report.*make protocols writes it"):
        inputs.build()
    assert html_of(inputs) == html_of(built)


def test_a_missing_report_of_the_main_pipeline_is_an_error(tmp_path: Path) -> None:
    """Without accuracies there is no page."""
    with pytest.raises(PageError, match=r"comparison\.json cannot be read.*dvc repro writes it"):
        Reports(tmp_path).required("comparison.json")


def test_predictions_of_other_clips_are_an_error(built: PageInputs, tmp_path: Path) -> None:
    """Models are compared on the same clips."""
    inputs = copied(built, tmp_path)
    path = inputs.folder / "predictions" / "rnn.parquet"
    pd.read_parquet(path).iloc[1:].to_parquet(path)
    with pytest.raises(PageError, match=r"rnn\.parquet has other clips"):
        read_predictions(inputs.folder / "predictions")


def test_the_mistakes_are_those_of_the_predictions(built: PageInputs) -> None:
    """One entry per clip that a model gets wrong; those of most models are first."""
    html = html_of(built)
    tables = read_predictions(built.folder / "predictions")
    wrong = {file for table in tables.values() for file in table.loc[table["predicted"] != table["digit"], "file"]}
    found = re.findall(r'<article class="card mistake" data-models="([^"]*)"', html)
    assert len(found) == len(wrong) == 11
    assert found[0].split() == [*tables]


def test_the_nearest_clips_are_training_clips_of_the_same_kind(built: PageInputs) -> None:
    """In the toy corpus log-probabilities tell digits apart; there are four training clips of a digit."""
    clips = splits.read(built.folder / "split.csv")
    found = mistakes.nearest(built.folder / "logprobs", ["3_ada_3.wav", HOSTILE_FILE], clips, 4)
    for file, neighbours in found.items():
        assert {clip.digit for clip, _ in neighbours} == {int(file[0])}
        assert {clip.subset for clip, _ in neighbours} == {"train"}
        assert [distance for _, distance in neighbours] == sorted(distance for _, distance in neighbours)


def test_the_bins_of_the_diagram_are_those_of_the_calibration_error(built: PageInputs) -> None:
    """The mean gap of the drawn points, weighted by clips, is the ECE beside them."""
    table = pd.read_parquet(built.reports / "protocols" / "unseen" / "cnn.parquet")
    bins = robustness.reliability(table)
    gap = ((bins["confidence"] - bins["accuracy"]).abs() * bins["clips"]).sum() / bins["clips"].sum()
    probabilities = table[[f"p{digit}" for digit in range(10)]].to_numpy(dtype=np.float64)
    assert gap == pytest.approx(
        expected_calibration_error(probabilities, (table["predicted"] == table["digit"]).to_numpy())
    )


def test_a_confusion_matrix_lists_the_clips_of_a_cell_least_certain_first(tmp_path: Path) -> None:
    """Cells without clips are empty."""
    table = pd.DataFrame({"file": ["a", "b", "c"], "digit": 1, "predicted": [1, 1, 2], "confidence": [0.9, 0.5, 0.4]})
    clips = Clips(tmp_path, 0)
    matrix = confusion("m", "a matrix", table, clips)
    assert [clips.content()[number][0] for number in matrix.rows[1][1].clips] == ["b", "a"]
    assert (matrix.rows[1][1].text, matrix.rows[1][2].text, matrix.rows[0][0].text) == ("2", "1", "")
    assert matrix.rows[1][2].label == "1 spoken, 2 predicted: 1 clip"


def test_the_difference_of_two_matrices_has_the_clips_that_moved(tmp_path: Path) -> None:
    """A cell that kept all its clips is empty."""
    before = pd.DataFrame({"file": ["a", "b", "c"], "digit": 1, "predicted": [1, 1, 2], "confidence": 0.9})
    clips = Clips(tmp_path, 0)
    matrix = confusion_difference("m", "a difference", before, before.assign(predicted=[1, 3, 2]), clips)
    shown = {(row, column): cell.text for row, cells in enumerate(matrix.rows) for column, cell in enumerate(cells)}
    assert {place: text for place, text in shown.items() if text} == {(1, 1): "\N{MINUS SIGN}1", (1, 3): "+1"}
    assert [clips.content()[number][0] for number in matrix.rows[1][1].clips] == ["b"]


def test_flac_keeps_every_sample_in_fewer_bytes(built: PageInputs) -> None:
    """Of a recording of 16 bits."""
    path = built.folder / "raw" / "3_ada_0.wav"
    recording = waveform.read(path)
    content = flac(recording)
    np.testing.assert_array_equal(soundfile.read(BytesIO(content), dtype="float32")[0], recording.samples)
    assert len(content) < path.stat().st_size


def test_columns_of_numbers_are_aligned_as_numbers() -> None:
    """Percentages, p-values and gaps are numbers; a column with a word is not."""
    rows = [("cnn", "99.3%", Cell("< 0.0001"), "yes"), ("rnn", "-", Cell("0.5"), "1")]
    assert Table("", ("model", "a", "b", "c"), rows).numeric == [False, True, True, False]


def test_the_card_has_the_fields_of_hugging_face(built: PageInputs) -> None:
    """With the numbers of the reports."""
    _, front, body = built.card.split("---\n", 2)
    fields = YAML(typ="safe", pure=True).load(front)
    assert {"language", "license", "tags", "datasets", "metrics", "model-index"} <= fields.keys()
    (entry,) = fields["model-index"]
    reported = json.loads((built.reports / "evaluation" / "cnn.json").read_text())["cnn"]
    unseen = json.loads((built.reports / "unseen.json").read_text())["cnn"]
    accuracies = [result["metrics"][0]["value"] for result in entry["results"]]
    assert accuracies == [reported["accuracy"], unseen["mean"]]
    assert entry["results"][0]["dataset"]["name"] == HOSTILE_NAME
    for title in ("Intended use", "Data", "Metrics", "Limits", "Calibration", "How to reproduce it", "Licences"):
        assert f"\n## {title}\n" in body
