"""Charts as Vega-Lite specifications, made with Altair. Colours are variables of the style, light and dark."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from audiomnist.evaluation.names import TITLES
from audiomnist.page.components import Chart, Table
from audiomnist.page.text import percent

if TYPE_CHECKING:
    import altair as alt

_HEIGHT = 220
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
Rows = Sequence[Mapping[str, Any]]


def title_of(model: str) -> str:
    """Return the title of a model, or of the linear baseline."""
    return TITLES.get(model, "linear on MFCC statistics" if model == "linear" else model)


def colour_of(model: str) -> str:
    """Return the colour of a model in the style; that of the text if it has none."""
    return f"var(--m-{model}, var(--ink))"


def curves(identifier: str, title: str, history: pd.DataFrame) -> Chart:
    """Return accuracy by epoch on the training and the test subset.

    Args:
        identifier: of the chart.
        title: of the chart.
        history: `epoch`, `train_accuracy` and `test_accuracy`, in [0, 1].
    """
    subsets = {"train (augmented)": "train_accuracy", "test": "test_accuracy"}
    rows = [
        {"epoch": int(epoch), "subset": subset, "accuracy": round(float(accuracy), 6)}
        for subset, column in subsets.items()
        for epoch, accuracy in zip(history["epoch"], history[column], strict=True)
    ]
    last = history.iloc[-1]
    label = (
        f"{title}: accuracy by epoch. After {len(history)} epochs {percent(last['train_accuracy'])} on augmented "
        f"training clips and {percent(last['test_accuracy'])} on test clips."
    )
    table = Table(
        f"{title}: accuracy by epoch",
        ("epoch", "train (augmented)", "test"),
        [
            (str(row["epoch"]), percent(row["train_accuracy"]), percent(row["test_accuracy"]))
            for row in history.to_dict("records")
        ],
    )
    return Chart(identifier, title, label, two_lines(rows, "epoch", "subset", list(subsets)), table)


def two_lines(
    rows: Rows, x: str, group: str, groups: Sequence[str], dash: str | None = None, dashes: Sequence[str] = ()
) -> dict[str, Any]:
    """Return lines of `accuracy` by a whole number `x`, one per group, in the colours and dashes of two series.

    With `dash`, there is a line per group and value of it: `group` gives the colour, `dash` whether it is dashed,
    which the page explains.
    """
    import altair as alt  # noqa: PLC0415 - takes a second

    base = _of(rows).encode(
        x=alt.X(f"{x}:Q", axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(nice=False, padding=4)),
        y=_accuracy_axis("accuracy"),
        color=alt.Color(
            f"{group}:N",
            scale=alt.Scale(domain=[*groups], range=["var(--m-cnn)", "var(--m-rnn)"]),
            legend=_legend(),
        ),
        tooltip=[
            f"{x}:Q",
            *(f"{field}:N" for field in (group, dash) if field),
            alt.Tooltip("accuracy:Q", format=".1%"),
        ],
    )
    dashed = dashes or groups
    scale = alt.Scale(domain=[*dashed], range=[[1, 0], [5, 3]])
    stroke = alt.StrokeDash(f"{dash or group}:N", scale=scale, legend=None if dash else _legend())
    return _spec(base.mark_line().encode(strokeDash=stroke) + base.mark_point(filled=True, size=18, opacity=1))


def error_rates(rows: Rows, kinds: Sequence[str]) -> dict[str, Any]:
    """Return error rates with intervals, on a logarithmic scale.

    Args:
        rows: `model`, `kind`, `error`, and of some `low` and `high`; in (0, 1].
        kinds: what was measured, in the order of the legend.
    """
    import altair as alt  # noqa: PLC0415

    names = list(dict.fromkeys(row["model"] for row in rows))
    axis = alt.X("error:Q", scale=alt.Scale(type="log"), title="error rate, logarithmic", axis=_percent_axis(4))
    base = _of(rows, height=46 * len(names)).encode(
        y=alt.Y("model:N", sort=names, title=None, axis=alt.Axis(labelLimit=160, labelPadding=6)),
        yOffset=alt.YOffset("kind:N", sort=[*kinds]),
        color=alt.Color(
            "kind:N",
            sort=[*kinds],
            legend=_legend(),
            scale=alt.Scale(domain=[*kinds], range=["var(--m-cnn)", "var(--m-rnn)", "var(--muted)"]),
        ),
    )
    shape = alt.Shape("kind:N", sort=[*kinds], scale=alt.Scale(domain=[*kinds], range=["circle", "square", "diamond"]))
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=axis, shape=shape, tooltip=["model:N", "kind:N", alt.Tooltip("error:Q", format=".2%")]
    )
    return _spec(base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q") + points)


def cost(rows: Rows) -> dict[str, Any]:
    """Return accuracy on unseen speakers against files per second.

    Args:
        rows: `name`, `kind`, `files_per_s`, `accuracy`, and `is_above`: the name is above its point, or else below.
    """
    import altair as alt  # noqa: PLC0415

    kinds = ["one model", "cascade, by threshold"]
    base = _of(rows, height=300).encode(
        x=alt.X(
            "files_per_s:Q",
            scale=alt.Scale(type="log", nice=False, padding=40),
            title="files per second and core, logarithmic",
            axis=alt.Axis(format=",", tickCount=4, grid=False),
        ),
        y=alt.Y(
            "accuracy:Q",
            scale=alt.Scale(zero=False, padding=20),
            title="accuracy, unseen speakers",
            axis=_percent_axis(5),
        ),
        color=alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=["var(--m-cnn)", "var(--m-rnn)"])),
    )
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        shape=alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=["square", "circle"])),
        color=alt.Color(
            "kind:N", scale=alt.Scale(domain=kinds, range=["var(--m-cnn)", "var(--m-rnn)"]), legend=_legend()
        ),
        tooltip=["name:N", alt.Tooltip("files_per_s:Q", format=",.0f"), alt.Tooltip("accuracy:Q", format=".1%")],
    )
    line = base.transform_filter(alt.datum.kind == kinds[1]).mark_line(strokeWidth=1.5)
    names = [
        base.transform_filter(alt.datum.is_above == is_above)
        .mark_text(dy=dy, fontSize=11, fill="var(--ink)")
        .encode(text="name:N")
        for is_above, dy in ((True, -11), (False, 15))
    ]
    return _spec(alt.layer(line, points, *names))


def by_group(rows: Rows, group: str, models: Sequence[str]) -> dict[str, Any]:
    """Return the accuracy of each model in each group, with intervals.

    Args:
        rows: `group`, `model`, `accuracy`, `low` and `high`.
        group: what the groups are.
        models: in the order of the legend.
    """
    import altair as alt  # noqa: PLC0415

    groups = list(dict.fromkeys(row["group"] for row in rows))
    base = _of(rows, height=(14 * len(models) + 10) * len(groups)).encode(
        y=alt.Y("group:N", sort=groups, title=group),
        yOffset=alt.YOffset("model:N", sort=[title_of(model) for model in models]),
        color=_model_colour(models),
    )
    points = base.mark_point(filled=True, size=45, opacity=1).encode(
        x=alt.X("accuracy:Q", scale=alt.Scale(zero=False), title="accuracy", axis=_percent_axis(5)),
        shape=_model_shape(models),
        tooltip=["group:N", "model:N", alt.Tooltip("accuracy:Q", format=".1%")],
    )
    return _spec(base.mark_rule(strokeWidth=1.5).encode(x="low:Q", x2="high:Q") + points)


def by_strength(rows: Rows, x: str, models: Sequence[str], *, is_reversed: bool = False) -> dict[str, Any]:
    """Return lines of accuracy by a number, one per model: `x`, `model`, `accuracy`."""
    import altair as alt  # noqa: PLC0415

    values = sorted({row["x"] for row in rows})
    base = _of(rows).encode(
        x=alt.X(
            "x:Q",
            title=x,
            scale=alt.Scale(reverse=is_reversed, zero=False, nice=False, padding=8),
            axis=alt.Axis(values=values, format="~g", grid=False),
        ),
        y=alt.Y("accuracy:Q", scale=alt.Scale(zero=False), axis=_percent_axis(5), title="accuracy"),
        color=_model_colour(models),
        tooltip=["x:Q", "model:N", alt.Tooltip("accuracy:Q", format=".1%")],
    )
    return _spec(
        base.mark_line(strokeWidth=1.5)
        + base.mark_point(filled=True, size=45, opacity=1).encode(shape=_model_shape(models))
    )


def reliability(rows: Rows, colour: str, lowest: float = 0.0) -> dict[str, Any]:
    """Return accuracy against confidence: `confidence`, `accuracy`, `low` and `high`, in [0, 1], and `clips`.

    Both axes begin at `lowest`.
    """
    import altair as alt  # noqa: PLC0415

    unit = alt.Scale(domain=[lowest, 1])
    x = alt.X("confidence:Q", scale=unit, axis=_percent_axis(5), title="confidence")
    y = alt.Y("accuracy:Q", scale=unit, axis=_percent_axis(5), title="accuracy")
    base = _of(rows)
    ideal = _of([{"confidence": lowest, "accuracy": lowest}, {"confidence": 1, "accuracy": 1}]).mark_line(
        strokeDash=[4, 4], strokeWidth=1, color="var(--muted)"
    )
    rule = base.mark_rule(color=colour, strokeWidth=1.5).encode(x=x, y=alt.Y("low:Q", scale=unit), y2="high:Q")
    points = base.mark_point(filled=True, color=colour, opacity=0.9).encode(
        x=x,
        y=y,
        size=alt.Size("clips:Q", scale=alt.Scale(range=[20, 220], zero=True), legend=None),
        tooltip=[
            alt.Tooltip("confidence:Q", format=".1%"),
            alt.Tooltip("accuracy:Q", format=".1%"),
            alt.Tooltip("clips:Q"),
        ],
    )
    return _spec(ideal.encode(x=x, y=y) + rule + points)


def histogram(rows: Rows, x: str) -> dict[str, Any]:
    """Return bars of `clips` between `start` and `end`."""
    import altair as alt  # noqa: PLC0415

    return _spec(
        _of(rows)
        .mark_bar(color="var(--m-cnn)", stroke="var(--paper)")
        .encode(
            x=alt.X("start:Q", title=x, axis=alt.Axis(format="~g", grid=False), scale=alt.Scale(nice=False)),
            x2="end:Q",
            y=alt.Y("clips:Q", title="recordings"),
            y2=alt.Y2Datum(0),
            tooltip=["start:Q", "end:Q", "clips:Q"],
        )
    )


def by_digit(rows: Rows, kinds: Sequence[str]) -> dict[str, Any]:
    """Return accuracies of each digit with intervals: `digit`, `kind`, `accuracy`, `low`, `high`, and `clips`."""
    import altair as alt  # noqa: PLC0415

    axis = alt.X("accuracy:Q", scale=alt.Scale(zero=False), title="accuracy", axis=_percent_axis(5))
    colours = alt.Scale(domain=[*kinds], range=["var(--m-cnn)", "var(--m-rnn)"])
    shapes = alt.Scale(domain=[*kinds], range=[*_SHAPES[: len(kinds)]])
    base = _of(rows, height=32 * len({row["digit"] for row in rows})).encode(
        y=alt.Y("digit:N", title="digit"),
        yOffset=alt.YOffset("kind:N", sort=[*kinds]),
        color=alt.Color("kind:N", scale=colours, legend=_legend()),
    )
    points = base.mark_point(filled=True, size=45, opacity=1).encode(
        x=axis,
        shape=alt.Shape("kind:N", scale=shapes, legend=_legend()),
        tooltip=["digit:N", "kind:N", alt.Tooltip("accuracy:Q", format=".1%"), "clips:Q"],
    )
    return _spec(base.mark_rule(strokeWidth=1.5).encode(x="low:Q", x2="high:Q") + points)


def shares(rows: Rows, groups: Sequence[str]) -> dict[str, Any]:
    """Return bars of the share of each digit, a colour per group: `digit`, `group`, `share`."""
    import altair as alt  # noqa: PLC0415

    colours = alt.Scale(domain=[*groups], range=["var(--m-cnn)", "var(--m-linear)"][: len(groups)])
    return _spec(
        _of(rows)
        .mark_bar()
        .encode(
            x=alt.X("digit:N", title="label", axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("group:N", sort=[*groups]),
            y=alt.Y("share:Q", title="share of the labels", axis=_percent_axis(4)),
            color=alt.Color("group:N", scale=colours, legend=_legend()),
            tooltip=["digit:N", "group:N", alt.Tooltip("share:Q", format=".1%")],
        )
    )


def stability(rows: Rows, quantities: Sequence[str], levels: Sequence[float]) -> dict[str, Any]:
    """Return lines of a population stability index by time: `started`, `run`, `of` and `index`; `levels` are dashed."""
    import altair as alt  # noqa: PLC0415

    colours = alt.Scale(domain=[*quantities], range=["var(--m-cnn)", "var(--m-rnn)", "var(--m-lstm)"])
    base = _of(rows).encode(
        x=alt.X(
            "started:T",
            title="run began (UTC)",
            scale=alt.Scale(type="utc", padding=8),
            axis=alt.Axis(grid=False, format="%d %b", tickCount=6, labelOverlap=True),
        ),
        y=alt.Y("index:Q", title="index", scale=alt.Scale(domainMin=0), axis=alt.Axis(tickCount=5)),
        color=alt.Color("of:N", scale=colours, legend=_legend()),
        tooltip=["run:N", "of:N", alt.Tooltip("index:Q", format=".3f")],
    )
    shapes = alt.Scale(domain=[*quantities], range=[*_SHAPES[: len(quantities)]])
    points = base.mark_point(filled=True, size=36, opacity=1).encode(
        shape=alt.Shape("of:N", scale=shapes, legend=_legend())
    )
    limits = (
        _of([{"level": level} for level in levels])
        .mark_rule(strokeDash=[4, 4], strokeWidth=1, color="var(--muted)")
        .encode(y="level:Q")
    )
    return _spec(limits + base.mark_line(strokeWidth=1.5) + points)


def _of(rows: Rows, height: int = _HEIGHT) -> "alt.Chart":
    import altair as alt  # noqa: PLC0415

    return alt.Chart(alt.InlineData(values=[dict(row) for row in rows]), width="container", height=height)


def _spec(chart: Any) -> dict[str, Any]:
    """Return the specification, without the address of its schema and with no default style: the page has one."""
    spec: dict[str, Any] = chart.properties(width="container").to_dict()
    return {key: value for key, value in spec.items() if key not in ("$schema", "config")}


def _legend() -> "alt.Legend":
    """Return a legend below the chart; the script of the page knows how many columns fit."""
    import altair as alt  # noqa: PLC0415

    return alt.Legend(title=None, orient="bottom", labelLimit=0)


def _percent_axis(ticks: int) -> "alt.Axis":
    import altair as alt  # noqa: PLC0415

    return alt.Axis(format="~%", tickCount=ticks)


def _accuracy_axis(column: str) -> "alt.Y":
    import altair as alt  # noqa: PLC0415

    return alt.Y(f"{column}:Q", scale=alt.Scale(domain=[0, 1]), axis=_percent_axis(5), title="accuracy")


def _model_colour(models: Sequence[str]) -> "alt.Color":
    import altair as alt  # noqa: PLC0415

    titles = [title_of(model) for model in models]
    scale = alt.Scale(domain=titles, range=[colour_of(model) for model in models])
    return alt.Color("model:N", scale=scale, legend=_legend())


def _model_shape(models: Sequence[str]) -> "alt.Shape":
    import altair as alt  # noqa: PLC0415

    titles = [title_of(model) for model in models]
    scale = alt.Scale(domain=titles, range=[*_SHAPES[: len(models)]])
    return alt.Shape("model:N", scale=scale, legend=_legend())
