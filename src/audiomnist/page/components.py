"""What pages are made of: templates with one style and one script, tables, charts and confusion matrices.

`render` fills a template of `templates/`. A page extends `base.html`; the macros of `components.html` (`player`,
`table`, `chart`, `confusion`) draw what is described here. Nothing on a page is from another host.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from audiomnist.core.digits import CLASSES
from audiomnist.page.clips import Clips

TEMPLATES = Path(__file__).parent / "templates"
_CHARTS_SNIPPET = "window.vegaEmbed = vegaEmbed;"
_NUMBER = re.compile("(< |[-\N{MINUS SIGN}+])?[0-9]")


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, and what it is tinted by, in [0, 1]; None for no tint."""

    text: str
    tint: float | None = None


@dataclass(frozen=True)
class Table:
    """A table whose first column names the rows."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]

    @property
    def cells(self) -> Iterator[list[Cell]]:
        """The rows, each of cells."""
        for row in self.rows:
            yield [cell if isinstance(cell, Cell) else Cell(cell) for cell in row]

    @property
    def numeric(self) -> list[bool]:
        """Whether each column has numbers, which are aligned on the right; not the first."""
        _, *columns = zip(*self.cells, strict=True) if self.rows else [()] * len(self.head)
        return [
            False,
            *(all(_NUMBER.match(cell.text) or cell.text in ("", "-") for cell in column) for column in columns),
        ]


@dataclass(frozen=True)
class Chart:
    """A Vega-Lite chart.

    Attributes:
        id: unique on the page.
        title: above the chart.
        label: what it shows, in a sentence, for readers who do not see it.
        spec: Vega-Lite, of width `container`; colours are `var(--…)` of the style.
        table: its numbers.
    """

    id: str
    title: str
    label: str
    spec: Mapping[str, Any]
    table: Table | None = None


@dataclass(frozen=True)
class ConfusionCell:
    """A cell of a confusion matrix, or of the difference of two.

    Attributes:
        text: what is written in the cell.
        label: the cell in words.
        tint: share of the row, in [0, 1]; in a difference [-1, 1].
        clips: numbers of the clips, see `Clips`, least certain first.
    """

    text: str
    label: str
    tint: float
    clips: Sequence[int]


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix: truth by row, prediction by column."""

    id: str
    caption: str
    rows: Sequence[Sequence[ConfusionCell]]
    is_difference: bool = False


def confusion(identifier: str, caption: str, predictions: pd.DataFrame, clips: Clips) -> Confusion:
    """Return the confusion matrix of test predictions: `file`, `digit`, `predicted` and the confidence `confidence`."""
    groups = _files(predictions)
    sizes = predictions["digit"].value_counts()

    def cell(digit: int, predicted: int) -> ConfusionCell:
        files = groups.get((digit, predicted), [])
        label = f"{digit} spoken, {predicted} predicted: {_counted(len(files))}"
        numbers = [clips.number(file) for file in files]
        return ConfusionCell(str(len(files) or ""), label, len(files) / max(sizes.get(digit, 0), 1), numbers)

    return Confusion(identifier, caption, _square(cell))


def confusion_difference(
    identifier: str, caption: str, first: pd.DataFrame, second: pd.DataFrame, clips: Clips
) -> Confusion:
    """Return the second confusion matrix less the first, of the same clips; a cell has the clips that moved."""
    before, after = _files(first), _files(second)

    def cell(digit: int, predicted: int) -> ConfusionCell:
        old, new = (groups.get((digit, predicted), []) for groups in (before, after))
        came, went = [file for file in new if file not in old], [file for file in old if file not in new]
        change = len(new) - len(old)
        label = f"{digit} spoken, {predicted} predicted: {len(came)} more, {len(went)} fewer"
        text = f"{change:+d}".replace("-", "\N{MINUS SIGN}") if came or went else ""
        numbers = [clips.number(file) for file in came + went]
        return ConfusionCell(text, label, change / max(len(old), len(new), 1), numbers)

    return Confusion(identifier, caption, _square(cell), is_difference=True)


def _square(cell: Any) -> list[list[ConfusionCell]]:
    return [[cell(digit, predicted) for predicted in range(CLASSES)] for digit in range(CLASSES)]


def _files(predictions: pd.DataFrame) -> dict[tuple[int, int], list[str]]:
    ordered = predictions.sort_values(["confidence", "file"])
    groups: dict[tuple[int, int], list[str]] = {}
    for file, digit, predicted in zip(ordered["file"], ordered["digit"], ordered["predicted"], strict=True):
        groups.setdefault((int(digit), int(predicted)), []).append(str(file))
    return groups


def _counted(clips: int) -> str:
    return f"{clips} clip" if clips == 1 else f"{clips} clips"


def render(template: str, **context: Any) -> str:
    """Return a filled template; every text is escaped, in HTML and in scripts."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["md"] = markdown
    environment.globals |= {
        "asset": lambda name: Markup((TEMPLATES / name).read_text(encoding="utf-8")),  # noqa: S704 - our own files
        "charts_script": lambda: Markup(charts_script()),  # noqa: S704 - has no </script>, see there
    }
    return environment.get_template(template).render(context)


def markdown(text: object) -> str:
    r"""Return a text in which nothing is Markdown or HTML.

    >>> print(markdown("a|b <i>"))
    a\|b \<i\>
    """
    return re.sub(r"([\\`*_\[\]<>|#~$])", r"\\\1", " ".join(str(text).split()))


@cache
def charts_script() -> str:
    """Return Vega, Vega-Lite and vega-embed as one script, for all charts of a page."""
    import vl_convert  # noqa: PLC0415

    script: str = vl_convert.javascript_bundle(_CHARTS_SNIPPET, vl_version="6.4")
    return script.replace("</script", "<\\/script")
