"""The model card of the selected model, with Hugging Face's fields."""

import io
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from audiomnist.corpus.info import FSDD
from audiomnist.corpus.splits import SUBSETS, Clip
from audiomnist.evaluation.names import TITLES
from audiomnist.page.components import render
from audiomnist.page.data import speakers_of
from audiomnist.page.inputs import PROTOCOLS_COMMAND, Reports
from audiomnist.page.robustness import conditions_of, shown
from audiomnist.page.text import interval, percent


def card(reports: Reports, model: str, split: Sequence[Clip]) -> str:
    """Return the card in Markdown, with YAML in front."""
    corpus = reports.required("data.json")["corpus"]
    evaluations = {name: reports.required(f"evaluation/{name}.json")[name] for name in TITLES}
    unseen = reports.json("unseen.json", PROTOCOLS_COMMAND) or {}
    robustness = (reports.json(f"robustness/{model}.json", PROTOCOLS_COMMAND) or {}).get(model, {})
    disturbed = {shown(keys): scores["accuracy"] for keys, scores in conditions_of(robustness)}
    noticed = {
        kind.replace("_", " "): scores["detection_rate"]
        for kind, scores in robustness.get("ood", {}).items()
        if kind != "digits"
    }
    counts = Counter(clip.subset for clip in split)
    transcripts = reports.json("transcripts.json")
    return render(
        "model_card.md",
        front_matter=_yaml(_front_matter(model, corpus, evaluations[model], unseen.get(model))),
        model=model,
        title=TITLES[model],
        corpus=corpus,
        is_fsdd=corpus["dataset"] == FSDD,
        speakers=speakers_of(split),
        subsets=", ".join(f"{counts[subset]:,} {subset}" for subset in SUBSETS),
        is_known=_speakers(split, "test") <= _speakers(split, "train"),
        transcripts=transcripts and transcripts["transcripts"],
        scores=evaluations[model],
        unseen=unseen.get(model),
        models=[_row(name, scores, unseen.get(name)) for name, scores in evaluations.items()],
        hardest=min(disturbed.items(), key=lambda item: item[1]) if disturbed else None,
        clean=disturbed.get("clean"),
        missed=min(noticed.items(), key=lambda item: item[1]) if noticed else None,
        interval=interval,
    )


def _speakers(split: Sequence[Clip], subset: str) -> set[str]:
    return {clip.speaker for clip in split if clip.subset == subset}


def _row(model: str, scores: dict[str, Any], unseen: dict[str, Any] | None) -> tuple[str, ...]:
    new = ("-", "-", "-")
    if unseen:
        new = (percent(unseen["mean"]), interval(unseen["mean_low"], unseen["mean_high"]), percent(unseen["worst"]))
    known = (percent(scores["accuracy"]), interval(scores["accuracy_low"], scores["accuracy_high"]))
    return (TITLES[model], *known, *new, percent(scores["ece"]))


def _front_matter(
    model: str, corpus: dict[str, Any], scores: dict[str, Any], unseen: dict[str, Any] | None
) -> dict[str, Any]:
    dataset = {"name": corpus["dataset"], "type": _slug(corpus["dataset"]), "revision": corpus["version"]}
    results = [_result(dataset, "test", {"accuracy": scores["accuracy"], "f1": scores["macro_f1"]})]
    if unseen:
        results.append(_result(dataset, "unseen speakers", {"accuracy": unseen["mean"], "f1": unseen["macro_f1"]}))
    return {
        "language": ["en"],
        "license": "mit",
        "library_name": "onnx",
        "pipeline_tag": "audio-classification",
        "tags": ["audio", "spoken-digits", "speech-commands", model],
        "datasets": [dataset["type"]],
        "metrics": ["accuracy", "f1"],
        "model-index": [{"name": f"audiomnist-{model}", "results": results}],
    }


def _result(dataset: dict[str, str], split: str, metrics: dict[str, float]) -> dict[str, Any]:
    return {
        "task": {"type": "audio-classification", "name": "spoken digits"},
        "dataset": {**dataset, "split": split},
        "metrics": [{"type": name, "value": value} for name, value in metrics.items()],
    }


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "dataset"


def _yaml(value: dict[str, Any]) -> str:
    from ruamel.yaml import YAML  # noqa: PLC0415

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    text = io.StringIO()
    yaml.dump(value, text)
    return text.getvalue()
