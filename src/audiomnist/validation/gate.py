"""The pipeline's data gates: measurements are held against rules with Great Expectations.

A gate writes its report only when every rule is met, so that DVC stops behind a gate that is shut; the
Data Docs, which show each rule with the values that broke it, are written either way. Both depend on nothing but
the data: the docs give every run the same time. Great Expectations takes seconds to import, and is imported here
only, on use.
"""

import logging
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from audiomnist.core import atomic
from audiomnist.core.errors import AudiomnistError
from audiomnist.core.text import listed
from audiomnist.corpus import info
from audiomnist.validation import features, recordings, transcripts
from audiomnist.validation.bounds import ValidateParams
from audiomnist.validation.rules import Rule

_SITE = Path("gx", "uncommitted", "data_docs", "local_site")
_RUN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
# What differs from run to run in a page: random identifiers, and the times in the address of the logo and of loading.
_IDENTIFIER = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z")


class UnmetError(AudiomnistError):
    """Data broke an expectation; the message names, rule by rule, the recordings that did."""


@dataclass(frozen=True)
class Gate:
    """What to measure, given a manifest and a folder, and what to demand of it."""

    measure: Callable[[Path, Path], pd.DataFrame]
    rules: Callable[[ValidateParams], list[Rule]]


GATES = {
    "recordings": Gate(recordings.measure, lambda params: recordings.rules(params.recordings)),
    "features": Gate(features.measure, lambda params: features.rules(params.features)),
    "transcripts": Gate(transcripts.measure, lambda params: transcripts.rules(params.transcripts)),
}


def validate(  # the paths of a stage, as dvc.yaml hands them
    kind: str, manifest: Path, data: Path, corpus: Path, params: ValidateParams, report: Path, docs: Path
) -> None:
    """Hold `data` against the rules of its kind.

    Args:
        kind: which of `GATES`.
        manifest: the recordings that the data is about, as `corpus.manifest` writes it.
        data: folder of the recordings, of the feature tensor and its index, or of the transcripts.
        corpus: the JSON that names the dataset.
        params: the bounds.
        report: JSON file to write if every rule is met (rows, expectations); an older one is removed.
        docs: folder for the Data Docs, replaced whole; `index.html` is its entrance.

    Raises:
        UnmetError: a rule is broken; names the recordings that break it.
        MeasurementError: the data cannot be measured at all; neither report nor docs are written.
        ManifestError: the manifest cannot be read.
    """
    report.unlink(missing_ok=True)
    gate = GATES[kind]
    measured, rules = gate.measure(manifest, data), gate.rules(params)
    hold(kind, measured, rules, docs)
    counts = {"rows": len(measured), "expectations": len(rules), "unmet": 0}
    atomic.write_json(report, {"validation": {kind: {"dataset": info.read(corpus).name, **counts}}})


def hold(kind: str, measured: pd.DataFrame, rules: list[Rule], docs: Path | None = None) -> None:
    """Hold a table against rules.

    Args:
        kind: what the table is about.
        measured: a row per thing that is measured; the column `recording` names it.
        rules: about the other columns.
        docs: folder for the Data Docs, replaced whole; None keeps none.

    Raises:
        UnmetError: a rule is broken; names the recordings that break it.
    """
    with tempfile.TemporaryDirectory() as folder, _quietly():
        results = _checked(kind, measured, rules, Path(folder))
        if docs is not None:
            _remove_identifiers_and_times(Path(folder) / _SITE)
            with atomic.replaced_directory(docs) as site:
                shutil.copytree(Path(folder) / _SITE, site, dirs_exist_ok=True)
    broken = [result for result in results if not result.success]
    if broken:
        where = "" if docs is None else f", see {docs / 'index.html'}"
        head = f"{kind}: {len(broken)} of {len(rules)} expectations are not met{where}"
        raise UnmetError("\n".join([head, *map(_sentence, broken)]))


def _remove_identifiers_and_times(site: Path) -> None:
    """Number the random identifiers of each page by their order, and give every time the value of `_RUN_TIME`."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for number, identifier in enumerate(dict.fromkeys(_IDENTIFIER.findall(text))):
            text = text.replace(identifier, str(number))
        page.write_text(_TIME.sub(f"{_RUN_TIME:%Y%m%dT%H%M%S.%fZ}", text), encoding="utf-8")


def _sentence(result: Any) -> str:
    names = _names(result)
    return f"  {result.expectation_config.description}; not so for {len(names)}: {listed(names)}"


def _checked(kind: str, measured: pd.DataFrame, rules: list[Rule], folder: Path) -> list[Any]:
    """Return a result for each rule, having built the Data Docs in `folder`."""
    gx = _great_expectations()
    context = gx.get_context(mode="file", project_root_dir=folder)
    context.variables.progress_bars = gx.data_context.types.base.ProgressBarsConfig(globally=False)
    batch = context.data_sources.add_pandas("audiomnist").add_dataframe_asset(kind)
    suite = gx.ExpectationSuite(kind, expectations=[_expectation(gx, rule) for rule in rules])
    definition = gx.ValidationDefinition(
        name=kind,
        data=batch.add_batch_definition_whole_dataframe(kind),
        suite=context.suites.add(suite),
    )
    checkpoint = gx.Checkpoint(
        name=kind,
        validation_definitions=[context.validation_definitions.add(definition)],
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["recording"]},
    )
    run_id = gx.RunIdentifier(run_name=kind, run_time=_RUN_TIME)
    outcome = context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": measured}, run_id=run_id)
    context.build_data_docs()
    (suite_result,) = outcome.run_results.values()
    return list(suite_result.results)


def _great_expectations() -> Any:
    """Return the library, imported with its telemetry off."""
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    import great_expectations  # noqa: PLC0415  # takes seconds

    return great_expectations


def _expectation(gx: Any, rule: Rule) -> Any:
    return getattr(gx.expectations, rule.expectation)(**rule.arguments, description=rule.sentence)


def _names(result: Any) -> list[str]:
    """Return the recordings that broke a rule, in the order of the table, each once."""
    if not result.result:
        raise RuntimeError(f"{result.expectation_config.description}: {result.exception_info}")
    return list(dict.fromkeys(row["recording"] for row in result.result["unexpected_index_list"]))


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the library's warnings and log lines below errors to itself."""
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
