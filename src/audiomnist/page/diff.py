"""A comparison of two revisions as one HTML file: tables, curves, confusion matrices, clips that changed sides."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from audiomnist.audio import wav, waveform
from audiomnist.audio.wav import WavError
from audiomnist.audio.waveform import Waveform
from audiomnist.core import atomic
from audiomnist.core.digits import PROBABILITIES
from audiomnist.features.front_end import FrontEndParams
from audiomnist.page import charts, pictures
from audiomnist.page.build import BUDGET_BYTES, SOUNDS_AND_PICTURES
from audiomnist.page.clips import Clips
from audiomnist.page.components import Chart, Confusion, Table, confusion, confusion_difference, render
from audiomnist.page.inputs import PageError
from audiomnist.page.text import bytes_of, percent, points
from audiomnist.report import tables
from audiomnist.report.diff import Comparison, MissingFileError, Revision, in_common

_RAW = Path("data/raw")
_CURVES = {"train (augmented)": "train_accuracy", "test": "test_accuracy"}
Recordings = Callable[[Path], Waveform | None]


@dataclass(frozen=True)
class Answer:
    """What the model of a revision says of a clip; the confidence is in [0, 1]."""

    predicted: int
    confidence: float
    is_right: bool


@dataclass(frozen=True)
class ChangedClip:
    """A clip that only one of two revisions gets right: `direction` is `only_first` or `only_second`."""

    file: str
    digit: int
    speaker: str
    direction: str
    answers: tuple[Answer, Answer]
    number: int


def write(comparison: Comparison, out: Path, budget_bytes: int = BUDGET_BYTES) -> str | None:
    """Write the page.

    Args:
        comparison: two revisions; their `params.yaml`, `reports` and `data/raw` are read where they have them.
        out: HTML to write.
        budget_bytes: maximum of the page, roughly: sounds and pictures that would exceed it are left out.

    Returns:
        A sentence on the recordings that neither revision has at hand; None if there are none.

    Raises:
        PageError: the page cannot be written, or a file of a revision is not what its name says.
    """
    try:
        with atomic.replaced_file(out) as temporary:
            html, missing = _page(comparison, budget_bytes)
            temporary.write_text(html, encoding="utf-8")
    except OSError as error:
        raise PageError(f"{out} cannot be written ({error.strerror}): name another file with --html") from error
    if not missing:
        return None
    return (
        f"{out} lacks {missing} recordings, which are neither in DVC's cache nor in its remote: "
        f"dvc pull {_RAW} gets them if they were pushed"
    )


def _page(comparison: Comparison, budget_bytes: int) -> tuple[str, int]:
    """Return the HTML, and how many recordings cannot be read."""
    recordings = cache(lambda path: _recording(comparison, path))
    clips = Clips(_RAW, round(SOUNDS_AND_PICTURES * budget_bytes), lambda path: _present(recordings(path)))
    both = {model: _in_common(comparison, model) for model, found in comparison.differences.items() if found.clips}
    parameters = [_parameters(revision) for revision in (comparison.first, comparison.second)]
    changed = {model: list(_changed(table, clips)) for model, table in both.items()}
    shown = list(dict.fromkeys(clip.file for rows in changed.values() for clip in rows))
    missing = {file for file in shown if recordings(_RAW / file) is None}
    replaced = {file for file in shown if file not in missing and _is_replaced(comparison, _RAW / file)}
    clips.embed(file for file in shown if file not in missing)
    drawn = _pictures([file for file in shown if clips.has(file)], recordings, parameters, clips)
    confusions = {model: _confusions(comparison, model, table, clips) for model, table in both.items()}
    wrong = [file for file in _wrong(both) if file not in missing and recordings(_RAW / file) is not None]
    clips.embed(wrong)
    html = render(
        "diff.html",
        first=comparison.first.name,
        second=comparison.second.name,
        title_of=charts.title_of,
        facts=_facts(comparison, changed),
        scores=_scores(comparison),
        notes=comparison.notes,
        curves=[chart for model in _models(comparison) if (chart := _curves(comparison, model))],
        without_curves=list(_without_curves(comparison)),
        confusions=confusions,
        changed=changed,
        missing=missing,
        replaced=replaced,
        pictures=drawn,
        digits=sorted({clip.digit for rows in changed.values() for clip in rows}),
        speakers=sorted({clip.speaker for rows in changed.values() for clip in rows}),
        parameters=_values(comparison, "Parameters that differ", *map(_flat, parameters)),
        metrics=_metrics(comparison),
        clips=clips.content(),
        clips_left_out=sum(not clips.has(file) for file in shown if file not in missing),
        budget=bytes_of(budget_bytes),
    )
    return html, len(missing)


def _present(recording: Waveform | None) -> Waveform:
    if recording is None:
        raise LookupError("only recordings that were read are embedded")
    return recording


def _recording(comparison: Comparison, path: Path) -> Waveform | None:
    """Return a recording as the second revision has it, or else the first; None if neither can be read."""
    for revision in (comparison.second, comparison.first):
        content = _content(revision, path.as_posix())
        if content is not None:
            try:
                return waveform.mixed(wav.parse(content))
            except WavError:
                continue
    return None


def _is_replaced(comparison: Comparison, path: Path) -> bool:
    """Return whether each revision has a recording of this name, and they are not the same."""
    first, second = (_content(revision, path.as_posix()) for revision in (comparison.first, comparison.second))
    return None not in (first, second) and first != second


def _content(revision: Revision, path: str) -> bytes | None:
    """Return a file of a revision; None if it has none, or none that can be had."""
    try:
        return revision.content(PurePosixPath(path))
    except MissingFileError:
        return None


def _models(comparison: Comparison) -> list[str]:
    return list(dict.fromkeys([*comparison.predictions[0], *comparison.predictions[1]]))


def _in_common(comparison: Comparison, model: str) -> pd.DataFrame:
    """Return the test clips in common, by name, with the confidence of each revision."""
    found = []
    for revision, predictions in zip((comparison.first, comparison.second), comparison.predictions, strict=True):
        table = predictions[model]
        if lacking := {"speaker", *PROBABILITIES} - {*table}:
            raise PageError(
                f"the predictions of {model} in {revision.name} have no column {min(lacking)}: dvc repro writes it"
            )
        found.append(table.assign(confidence=table[PROBABILITIES].max(axis=1)))
    return in_common(*found).sort_values("file", ignore_index=True)


def _side(both: pd.DataFrame, side: str) -> pd.DataFrame:
    columns = {f"{name}_{side}": name for name in ("digit", "predicted", "confidence")}
    return both[["file", *columns]].rename(columns=columns)


def _scores(comparison: Comparison) -> Table:
    found = tables.differences(comparison)
    return Table(found.title, found.head, [(charts.title_of(name), *cells) for name, *cells in found.rows])


def _facts(comparison: Comparison, changed: Mapping[str, Sequence[ChangedClip]]) -> list[tuple[str, str, str]]:
    """Return what is at the top of the page: name, value, explanation."""
    rows = [clip for clips in changed.values() for clip in clips]
    gained = sum(clip.direction == "only_second" for clip in rows)
    facts = [
        ("Models compared", str(len(changed)), ""),
        ("Test clips in common", f"{max((found.clips for found in comparison.differences.values()), default=0):,}", ""),
        ("Answers that changed sides", f"{len(rows):,}", f"{gained:,} to right, {len(rows) - gained:,} to wrong"),
    ]
    scored = {
        model: found.difference_points
        for model, found in comparison.differences.items()
        if found.difference_points is not None
    }
    if scored:
        model = max(scored, key=lambda name: abs(scored[name]))
        facts.append(("Largest difference", f"{points(scored[model] / 100)} points", charts.title_of(model)))
    return facts


def _changed(both: pd.DataFrame, clips: Clips) -> Iterator[ChangedClip]:
    """Yield the clips that only one revision gets right: lost ones first, the most confident errors before others."""
    rows = both[both["only_first"] | both["only_second"]]
    wrong = rows["confidence_second"].where(rows["only_first"], rows["confidence_first"])
    ordered = rows.assign(wrong=wrong).sort_values(["only_first", "wrong", "file"], ascending=[False, False, True])
    for row in ordered.to_dict("records"):
        yield ChangedClip(
            file=str(row["file"]),
            digit=int(row["digit_first"]),
            speaker=str(row["speaker_second"]),
            direction="only_first" if row["only_first"] else "only_second",
            answers=(_answer(row, "first"), _answer(row, "second")),
            number=clips.number(str(row["file"])),
        )


def _answer(row: Mapping[Any, Any], side: str) -> Answer:
    return Answer(int(row[f"predicted_{side}"]), float(row[f"confidence_{side}"]), bool(row[f"only_{side}"]))


def _pictures(
    files: Sequence[str], recordings: Recordings, parameters: Sequence[Mapping[str, Any]], clips: Clips
) -> dict[int, str]:
    """Return spectrograms in base64 by the number of their clip, with the front end of the second revision."""
    front_end = _front_end(*reversed(parameters))
    if front_end is None:
        return {}
    drawn = {
        clips.number(file): clips.within_budget(pictures.spectrogram(_present(recordings(_RAW / file)), front_end))
        for file in files
    }
    return {number: picture for number, picture in drawn.items() if picture}


def _front_end(*parameters: Mapping[str, Any]) -> FrontEndParams | None:
    """Return the first valid front end of several params.yaml."""
    for sections in parameters:
        features = sections.get("features")
        if isinstance(features, dict):
            try:
                return FrontEndParams.model_validate(
                    {name: value for name, value in features.items() if name in FrontEndParams.model_fields}
                )
            except ValidationError:
                continue
    return None


def _wrong(both: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the clips that a model of either revision gets wrong."""
    wrong = [
        file
        for table in both.values()
        for side in ("first", "second")
        for file in table.loc[table[f"predicted_{side}"] != table["digit_first"], "file"]
    ]
    return list(dict.fromkeys(wrong))


def _confusions(comparison: Comparison, model: str, both: pd.DataFrame, clips: Clips) -> list[Confusion]:
    """Return the confusion matrices of both revisions, and their difference."""
    before, after = _side(both, "first"), _side(both, "second")
    moved = int((before["predicted"] != after["predicted"]).sum())
    names = (comparison.first.name, comparison.second.name)
    return [
        *(
            confusion(f"confusion-{model}-{side}", f"{name}: {_errors(table)}", table, clips)
            for side, name, table in zip(("first", "second"), names, (before, after), strict=True)
        ),
        confusion_difference(
            f"confusion-{model}-difference", f"Difference: {moved or 'no'} answers differ", before, after, clips
        ),
    ]


def _errors(predictions: pd.DataFrame) -> str:
    return f"{int((predictions['predicted'] != predictions['digit']).sum())} of {len(predictions)} wrong"


def _history(revision: Revision, model: str) -> pd.DataFrame | None:
    """Return accuracies by epoch; None if the revision has none of this model."""
    content = _content(revision, f"reports/plots/{model}/history.csv")
    if content is None:
        return None
    try:
        table = pd.read_csv(BytesIO(content))
        return table[["epoch", *_CURVES.values()]].astype({"epoch": int} | dict.fromkeys(_CURVES.values(), float))
    except (ValueError, KeyError) as error:
        raise PageError(
            f"reports/plots/{model}/history.csv of {revision.name} is no table of epochs: dvc repro writes it"
        ) from error


def _histories(comparison: Comparison, model: str) -> dict[str, pd.DataFrame]:
    """Return the accuracies by epoch of each revision that has them, by its name."""
    found = {revision.name: _history(revision, model) for revision in (comparison.first, comparison.second)}
    return {name: history for name, history in found.items() if history is not None and len(history)}


def _curves(comparison: Comparison, model: str) -> Chart | None:
    histories = _histories(comparison, model)
    if all(len(history) == 1 for history in histories.values()):
        return None
    rows = [
        {"epoch": epoch, "revision": name, "subset": subset, "accuracy": round(accuracy, 6)}
        for name, history in histories.items()
        for subset, column in _CURVES.items()
        for epoch, accuracy in zip(history["epoch"].tolist(), history[column].tolist(), strict=True)
    ]
    title = charts.title_of(model)
    if len(histories) == 2 and histories[comparison.first.name].equals(histories[comparison.second.name]):  # noqa: PLR2004
        title = f"{title}: the same curves"
    label = f"{title}: accuracy by epoch. " + " ".join(
        f"{name}, after {len(history)} epochs: {percent(history['train_accuracy'].iloc[-1])} on augmented training "
        f"clips, {percent(history['test_accuracy'].iloc[-1])} on test clips."
        for name, history in histories.items()
    )
    columns = {
        f"{name}: {subset}": dict(zip(history["epoch"].tolist(), history[column].tolist(), strict=True))
        for name, history in histories.items()
        for subset, column in _CURVES.items()
    }
    epochs = sorted({row["epoch"] for row in rows})
    numbers = [
        (str(epoch), *(percent(column[epoch]) if epoch in column else "-" for column in columns.values()))
        for epoch in epochs
    ]
    spec = charts.two_lines(rows, "epoch", "revision", list(histories), dash="subset", dashes=list(_CURVES)[::-1])
    table = Table(f"{title}: accuracy by epoch", ("epoch", *columns), numbers)
    return Chart(f"curves-{model}", title, label, spec, table)


def _without_curves(comparison: Comparison) -> Iterator[str]:
    """Yield a sentence on each model that has no curve of a revision."""
    for model in _models(comparison):
        histories, title = _histories(comparison, model), charts.title_of(model)
        if not histories:
            yield f"{title} has no curve."
        elif all(len(history) == 1 for history in histories.values()):
            yield f"{title} is fitted at once."
        elif len(histories) == 1:
            yield f"{title} has a curve in {next(iter(histories))} alone."


def _parameters(revision: Revision) -> dict[str, Any]:
    content = _content(revision, "params.yaml")
    try:
        value = YAML(typ="safe", pure=True).load(content.decode("utf-8")) if content else {}
    except (YAMLError, UnicodeDecodeError) as error:
        raise PageError(f"params.yaml of {revision.name} cannot be read: {error}") from error
    return value if isinstance(value, dict) else {}


def _metrics(comparison: Comparison) -> Table | None:
    flat: list[dict[str, Any]] = []
    for revision in (comparison.first, comparison.second):
        found: dict[str, Any] = {}
        for model in _models(comparison):
            path = f"reports/metrics/{model}.json"
            try:
                found |= _flat(json.loads(_content(revision, path) or b"{}"))
            except ValueError as error:
                raise PageError(f"{path} of {revision.name} is no JSON ({error}): dvc repro writes it") from error
        flat.append(found)
    return _values(comparison, "Metrics that differ", *flat)


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings by their dotted keys.

    >>> _flat({"train": {"epochs": 30, "seeds": [0, 1]}})
    {'train.epochs': 30, 'train.seeds': [0, 1]}
    """
    if not isinstance(value, dict):
        return {prefix: value}
    return {
        name: leaf for key, item in value.items() for name, leaf in _flat(item, f"{prefix}.{key}".lstrip(".")).items()
    }


def _values(comparison: Comparison, caption: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> Table | None:
    """Return the values that differ; a value that a revision lacks is a hyphen."""
    names = [
        name for name in {**first, **second} if (name in first, first.get(name)) != (name in second, second.get(name))
    ]
    if not names:
        return None
    rows = [(name, *(_text(values[name]) if name in values else "-" for values in (first, second))) for name in names]
    return Table(caption, ("name", comparison.first.name, comparison.second.name), rows)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
