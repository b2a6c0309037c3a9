"""The report as one HTML file, and the model card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiomnist.core import atomic, params
from audiomnist.corpus import splits
from audiomnist.evaluation.names import TITLES
from audiomnist.features.params import FeatureParams
from audiomnist.page import card, data, groups, mistakes, results, robustness
from audiomnist.page.clips import Clips
from audiomnist.page.components import render
from audiomnist.page.inputs import PROTOCOLS_COMMAND, Reports, read_predictions
from audiomnist.page.text import bytes_of

# Of the page: what sounds and pictures may take in base64. The rest, a quarter, are charts, their script and tables.
BUDGET_BYTES = 8_000_000
SOUNDS_AND_PICTURES = 0.75


def page(
    parameters: Path,
    split: Path,
    raw: Path,
    predictions: Path,
    transcripts: Path,
    logprobs: Path,
    reports: Path,
    out: Path,
    card_out: Path,
    budget_bytes: int = BUDGET_BYTES,
) -> None:
    """Write the report and the model card.

    Args:
        parameters: params.yaml.
        split: the CSV of the subset of each clip.
        raw: the folder of recordings.
        predictions: the folder of the test predictions, `<model>.parquet`.
        transcripts: the folder of the table of transcripts.
        logprobs: the folder of the table of log-probabilities of first tokens.
        reports: the folder of reports; the page says which reports of other pipelines are missing.
        out: folder to write, with `index.html`.
        card_out: Markdown to write.
        budget_bytes: maximum of the page, roughly: sounds that would exceed it are left out.

    Raises:
        PageError: a report or a table of predictions cannot be read.
    """
    found = Reports(reports)
    clips_of_split = splits.read(split)
    tables = read_predictions(predictions)
    features = params.section(parameters, "features", FeatureParams)
    clips = Clips(raw, round(SOUNDS_AND_PICTURES * budget_bytes))
    context: dict[str, Any] = {
        "results": results.section(found),
        "groups": groups.section(found, tables, clips),
        "robustness": robustness.section(found, tables),
        "mistakes": mistakes.section(tables, clips_of_split, raw, transcripts, logprobs, features.front_end, clips),
        "data": data.section(
            found, clips_of_split, raw, features.front_end, params.read(parameters)["validate"], clips
        ),
        "selected": _selected(found),
    }
    clips.embed(next(iter(tables.values()))["file"])
    context |= {
        "titles": TITLES,
        "clips": clips.content(),
        "clips_left_out": clips.left_out,
        "budget": bytes_of(budget_bytes),
    }
    html = render("page.html", **context)
    with atomic.replaced_directory(out) as folder:
        atomic.write_text(folder / "index.html", html)
    atomic.write_text(card_out, card.card(found, context["selected"]["model"], clips_of_split))


def _selected(reports: Reports) -> Mapping[str, Any]:
    headline = reports.required("metrics.json")
    unseen = reports.json("unseen.json", PROTOCOLS_COMMAND) or {}
    return {"model": headline["selected"], "scores": headline, "unseen": unseen.get(headline["selected"])}
