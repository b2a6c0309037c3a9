"""The table of figures on the page about speed: what stands between its two markers, and nothing else of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from audiomnist.core import atomic
from audiomnist.report.tables import markdown
from benchmarks.commands import BenchmarkError
from benchmarks.lines import LINES, Line

START, END = "<!-- benchmark: make benchmark -->\n", "<!-- /benchmark -->"
HEAD = ("measured", "here", "beside it", "ratio", "cores")


def write(page: Path, report: Mapping[str, Any]) -> None:
    """Put the figures of a report between the markers of a page; raises what `around` raises."""
    before, after = around(page)
    atomic.write_text(page, f"{before}{START}{table(report)}\n{END}{after}")


def around(page: Path) -> tuple[str, str]:
    """Return what stands before and after the markers of a page.

    Raises:
        BenchmarkError: the page cannot be read, or has not each marker once, in their order.
    """
    try:
        before, start, rest = page.read_text(encoding="utf-8").partition(START)
    except OSError as error:
        raise BenchmarkError(f"{page} cannot be read ({error.strerror}): --page names another") from error
    _, end, after = rest.partition(END)
    if not (start and end) or START in after or END in after:
        raise BenchmarkError(f"{page} must have the lines {START.strip()} and {END} once each, in this order")
    return before, after


def table(report: Mapping[str, Any]) -> str:
    """Return the machine in a sentence, and a Markdown table of what the report has; of each figure the spread too."""
    lines = [markdown(HEAD, [*_rows(report)])]
    if machine := report.get("machine"):
        libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
        told = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, Python {machine['python']}"
        lines = [f"{told}; {libraries}.", "", *lines]
    return "\n".join(lines)


def _rows(report: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for line in LINES:
        section = report.get(line.section, {})
        if _value(section, line.ours) is not None:
            yield _row(line, section)


def _row(line: Line, section: Mapping[str, Any]) -> tuple[str, ...]:
    figures = (_figure(section, name) for name in (line.ours, line.beside, line.ratio))
    return line.title, *figures, str(section.get("threads", ""))


def _figure(section: Mapping[str, Any], name: str) -> str:
    """Return a median with the least and the greatest behind it, "" if there is none."""
    value = _value(section, name)
    if value is None:
        return ""
    spread = section["spread"].get(name)
    return f"{value:,g} ({spread[0]:,g} to {spread[1]:,g})" if spread else f"{value:,g}"


def _value(section: Mapping[str, Any], name: str) -> float | None:
    found: Any = section
    for key in name.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return None if found is None else float(found)
