"""The pipeline's data gates: Great Expectations checks measurements against rules.

A gate writes its report only if every rule is met, so that DVC runs no stage behind it otherwise. The Data Docs, which
show each rule with the values that broke it, are written in both cases. If every rule is met, both are functions of the
data: the docs have the same time in every run. Great Expectations takes seconds to import: it is
imported here alone, on use.
"""

import os
import re
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from audiomnist.core import atomic
from audiomnist.core.errors import AudiomnistError
from audiomnist.core.quiet import quiet
from audiomnist.core.text import listed
from audiomnist.corpus import info
from audiomnist.corpus import manifest as manifests
from audiomnist.validation import features, logprobs, recordings, transcripts
from audiomnist.validation.bounds import ValidateParams
from audiomnist.validation.rules import Rule

GATES = {"recordings": recordings, "features": features, "transcripts": transcripts, "logprobs": logprobs}

_SITE = Path("gx", "uncommitted", "data_docs", "local_site")
_RUN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
# What differs from run to run in a page: random identifiers, and the times in the address of the logo and of loading.
_IDENTIFIER = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z")


class UnmetError(AudiomnistError):
    """Data breaks a rule; the message names, rule by rule, the recordings that do."""


def validate(  # the paths of a stage in dvc.yaml
    kind: str,
    manifest: Path,
    reviewed: Path,
    data: Path,
    corpus: Path,
    params: ValidateParams,
    report: Path,
    docs: Path,
) -> None:
    """Check the folder `data` with the rules of its kind, one of `GATES`.

    The JSON `report` is written if every rule is met; an older one is removed. The folder `docs`, of the Data Docs, is
    replaced as a whole. `corpus` is the JSON with the dataset's name. The balance of the corpus is not asked of the
    recordings that the manifest `reviewed` lists.

    Raises:
        UnmetError: a rule is broken; the message names the recordings that break it.
        MeasurementError: the data cannot be measured; neither report nor docs are written.
        ManifestError: the manifest cannot be read.
    """
    report.unlink(missing_ok=True)
    added = {"reviewed": {row.file for row in manifests.read(reviewed)}} if kind == "recordings" else {}
    measured: pd.DataFrame = GATES[kind].measure(manifest, data, **added)
    rules: list[Rule] = GATES[kind].rules(getattr(params, kind))
    check(kind, measured, rules, docs)
    counts = {"rows": len(measured), "expectations": len(rules), "unmet": 0}
    atomic.write_json(report, {"validation": {kind: {"dataset": info.read(corpus).name, **counts}}})


def check(kind: str, measured: pd.DataFrame, rules: list[Rule], docs: Path | None = None) -> None:
    """Check a table with rules about its columns; raises UnmetError with the `recording` of the rows that break one."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        results = _results(kind, measured, rules, Path(folder))
        if docs is not None:
            _remove_identifiers_and_times(Path(folder) / _SITE)
            with atomic.replaced_directory(docs) as site:
                shutil.copytree(Path(folder) / _SITE, site, dirs_exist_ok=True)
    broken = [result for result in results if not result.success]
    if broken:
        head = f"{kind}: {len(broken)} of {len(rules)} expectations are not met"
        raise UnmetError("\n".join([head, *map(_message, broken), *_remedies(kind, docs)]))


def _remedies(kind: str, docs: Path | None) -> list[str]:
    if docs is None:
        return []
    return [
        f"See {docs / 'index.html'}. Correct or leave out what breaks a rule, or change validate.{kind} in params.yaml"
    ]


def _results(kind: str, measured: pd.DataFrame, rules: list[Rule], folder: Path) -> list[Any]:
    """Return a result for each rule, and build the Data Docs in `folder`."""
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    import great_expectations as gx  # noqa: PLC0415 - takes seconds
    from great_expectations.data_context.types.base import ProgressBarsConfig  # noqa: PLC0415

    context = gx.get_context(mode="file", project_root_dir=folder)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    batch = context.data_sources.add_pandas("audiomnist").add_dataframe_asset(kind)
    expectations = [
        getattr(gx.expectations, rule.expectation)(**rule.arguments, description=rule.description) for rule in rules
    ]
    definition = gx.ValidationDefinition(
        name=kind,
        data=batch.add_batch_definition_whole_dataframe(kind),
        suite=context.suites.add(gx.ExpectationSuite(kind, expectations=expectations)),
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


def _remove_identifiers_and_times(site: Path) -> None:
    """Number the random identifiers of each page by their order, and give every time the value of `_RUN_TIME`."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for number, identifier in enumerate(dict.fromkeys(_IDENTIFIER.findall(text))):
            text = text.replace(identifier, str(number))
        page.write_text(_TIME.sub(f"{_RUN_TIME:%Y%m%dT%H%M%S.%fZ}", text), encoding="utf-8")


def _message(result: Any) -> str:
    """Return a broken rule with the recordings that break it, in the order of the table, each once."""
    description = result.expectation_config.description
    if not result.result:
        raise RuntimeError(f"{description}: {result.exception_info}")
    names = list(dict.fromkeys(row["recording"] for row in result.result["unexpected_index_list"]))
    return f"  {description}; not so for {len(names)}: {listed(names)}"
