"""The table of the protocols."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from audiomnist.cli import main
from audiomnist.core.errors import AudiomnistError
from audiomnist.evaluation.names import TITLES
from audiomnist.report import tables

MODELS = ("cnn", "rnn", "lstm", "whisper", "linear")


def reports(folder: Path, **changes: Any) -> Path:
    """Write the three reports of models that are equally good."""
    random = {"mean": 0.995, "lowest": 0.99, "highest": 0.9983}
    unseen = {"mean": 0.925, "mean_low": 0.915, "mean_high": 0.934, "worst": 0.842}
    content = {"random": random, "official": {"accuracy": 0.99333}, "unseen": unseen}
    for name, figures in content.items():
        of_models = changes.get(name, dict.fromkeys(MODELS, figures))
        (folder / f"{name}.json").write_text(json.dumps(of_models | {"difference": {}}), encoding="utf-8")
    return folder


def test_each_model_has_a_row_with_every_protocol(tmp_path: Path) -> None:
    """Accuracies are per cent with one digit; ranges and intervals follow the means."""
    rows = tables.protocols(reports(tmp_path)).rows
    assert [row[0] for row in rows] == [*TITLES.values(), "linear on MFCC statistics"]
    assert rows[0][1:] == ("99.5% (99.0 to 99.8%)", "99.3%", "92.5%", "91.5 to 93.4%", "84.2%")


def test_the_command_prints_the_table_and_its_markdown(tmp_path: Path) -> None:
    """For a terminal, and for the README."""
    reports(tmp_path)
    printed = CliRunner().invoke(main.app, ["protocols", str(tmp_path)])
    assert printed.exit_code == 0
    assert all(text in printed.stdout for text in ("CNN on MFCC", "99.3%", "84.2%"))
    lines = CliRunner().invoke(main.app, ["protocols", str(tmp_path), "--markdown"]).stdout.splitlines()
    assert len(lines) == 2 + len(MODELS)
    assert lines[2].startswith("| CNN on MFCC | 99.5% (99.0 to 99.8%) | 99.3% |")


def test_a_protocol_that_has_not_run_is_shown_as_such(tmp_path: Path) -> None:
    """One protocol alone makes a table too."""
    reports(tmp_path)
    (tmp_path / "random.json").unlink()
    (tmp_path / "official.json").unlink()
    rows = tables.protocols(tmp_path).rows
    assert rows[0][1:] == ("not run", "not run", "92.5%", "91.5 to 93.4%", "84.2%")


def test_no_report_at_all_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    """The error names the folder; a damaged report is named itself."""
    with pytest.raises(AudiomnistError, match=r"dvc repro stages/protocols/dvc\.yaml"):
        tables.protocols(tmp_path)
    (tmp_path / "unseen.json").write_text("{", encoding="utf-8")
    with pytest.raises(AudiomnistError, match=r"unseen\.json"):
        tables.protocols(tmp_path)


def test_a_report_without_a_model_is_an_error(tmp_path: Path) -> None:
    """As one of an earlier version may be."""
    reports(tmp_path, official={name: {"accuracy": 1} for name in MODELS[:-1]})
    with pytest.raises(AudiomnistError, match="linear"):
        tables.protocols(tmp_path)
