"""Figures of columns, real and generated values overlaid; and the common style of all figures of tables: two colours
that differ in lightness, sizes of text, and short names."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, PercentFormatter
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.core.format import short
from ganforge.kinds.tables.columns import TIMES, Column, learned
from ganforge.kinds.tables.rules.values import moment, write_time

REAL, GENERATED = "#b9b3a7", "#0f766e"  # light and dark, so that nobody confuses them; the page's own colours
DARK_REAL = "#57534b"  # where the real ones are drawn as points or as the dark end of a scale
INK, SOFT, LINE = "#211f1c", "#67625a", "#e4e0d8"
REAL_SCALE = LinearSegmentedColormap.from_list("real", ["#ffffff", REAL, "#2b2924"])
GENERATED_SCALE = LinearSegmentedColormap.from_list("generated", ["#ffffff", "#7fb8b2", "#06403b"])
WIDTH = 11.0  # inches
DOTS = 150  # per inch
SMALL, NORMAL = 8.5, 10.5  # points
LETTERS = 18  # of a name before it is cut
MOST_DRAWN = 20_000  # rows of each side
DRAWN_AT_A_LOOK = 6  # columns
SKEWED = 20.0  # high end over the median, from which on an axis is logarithmic

Floats = NDArray[np.float64]


def figure(height: float) -> Figure:
    """Make an empty figure of the page's width and `height` inches."""
    return Figure(figsize=(WIDTH, height), dpi=DOTS, facecolor="white", layout="constrained")


def png(drawn: Figure) -> bytes:
    """Encode the figure as a PNG without a date or a program's name in it: the same figure gives the same bytes."""
    content = io.BytesIO()
    drawn.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()


def legend(drawn: SubFigure, real: str = "real rows", made: str = "generated rows") -> None:
    """Add a legend of the colours."""
    keys = [Patch(color=REAL, label=real), Patch(color=GENERATED, label=made)]
    drawn.legend(handles=keys, loc="upper left", ncols=2, frameon=False, fontsize=NORMAL, labelcolor=INK)


def learned_names(columns: Sequence[Column]) -> list[str]:
    """Return the first learned columns: as many as a look can draw without delaying training."""
    return [column.name for column in learned(columns)][:DRAWN_AT_A_LOOK]


def plain_axes(axes: Axes, title: str, colour: str = INK) -> None:
    """Style axes: a title on the left, two thin spines, small grey ticks."""
    axes.set_title(title, loc="left", fontsize=NORMAL, color=colour)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
    axes.tick_params(labelsize=SMALL, labelcolor=SOFT, color=LINE, length=3)


def front(values: NDArray[Any]) -> NDArray[Any]:
    """Take at most 20,000 values, evenly from the whole column."""
    return values[np.linspace(0, len(values) - 1, min(len(values), MOST_DRAWN)).astype(np.int64)]


def cut(name: str, letters: int = LETTERS) -> str:
    """Shorten a name to fit; escape dollar signs, which matplotlib would read as formulas."""
    fitting = name if len(name) <= letters else name[: letters - 1] + "…"
    return fitting.replace("$", r"\$")


def axis_labels(write: Callable[[float], str]) -> FuncFormatter:
    """Return the labels of an axis. A layout requests each many times: it is formatted once."""
    written = lru_cache(maxsize=128)(write)
    return FuncFormatter(lambda value, _: written(float(value)))


def tick(column: Column, value: float) -> str:
    """Format a value on an axis."""
    if column.kind == "datetime":
        return str(moment(value, column).astype("M8[D]"))
    if column.kind in TIMES:
        return write_time(value, column)
    if column.kind == "integer" and abs(value) < 10_000:
        return f"{value:.0f}"
    return short(value)


def most_frequent(values: NDArray[Any], count: int) -> list[str]:
    """Return the most frequent texts, without missing ones."""
    texts, counts = np.unique(np.array([text for text in values if text is not None], dtype=str), return_counts=True)
    return [str(text) for text in texts[np.argsort(-counts, kind="stable")][:count]]


def range_of(real: Floats, made: Floats) -> tuple[float, float]:
    """Return the range of nearly all values of both sides: at most 0.5 % of either side are beyond each end."""
    ends = [np.quantile(side, (0.005, 0.995)) for side in (real, made) if len(side)]
    low, high = (min(e[0] for e in ends), max(e[1] for e in ends)) if ends else (0.0, 1.0)
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(low) + 0.5)


def skewed(column: Column, real: Floats, low: float, high: float) -> bool:
    """Return whether an axis from low to high should be logarithmic: all above 0, and most of it near the low end."""
    return low > 0 and column.kind != "datetime" and len(real) > 0 and high > SKEWED * float(np.median(real))


def chosen(columns: Sequence[Column], names: Sequence[str], most: int) -> list[Column]:
    """Return the columns of these names, in the order of the names."""
    by_name = {column.name: column for column in columns}
    return [by_name[name] for name in names if name in by_name][:most]


MOST_PANELS, ACROSS = 24, 3
BINS, FEW_VALUES = 32, 16
BARS = 7  # texts of a category; the others are one more bar
SPIKE = 0.15  # share of the rows from which on a single value is drawn apart
ERROR_BINS, ERROR_HEIGHT = 24, 4.4  # of the picture of predictions; inches


def draw_columns(
    train: Plain,
    samples: Plain,
    columns: Sequence[Column],
    names: Sequence[str],
    words: tuple[str, str] = ("real rows", "generated rows"),
) -> bytes:
    """Draw a PNG with a panel for each of `names`, at most 24, in order: put the worst first. Args: words for both.

    Numbers are histograms; a value that many rows share, and missing ones, are separate, with their shares written on
    them, because they would flatten the rest. Categories are the most frequent texts of the real rows. Values beyond
    the axis count into its last bars.
    """
    panels = chosen(columns, names, MOST_PANELS)
    rows = max(1, math.ceil(len(panels) / ACROSS))
    drawn = figure(0.45 + 2.25 * rows)
    grid = drawn.subfigures(rows + 1, ACROSS, squeeze=False, height_ratios=[0.16, *[1] * rows], wspace=0.02)
    legend(grid[0, 0], *words)
    for i, column in enumerate(panels):
        panel = grid[1 + i // ACROSS, i % ACROSS]
        real, made = front(train[column.name]), front(samples[column.name])
        (_numbers if column.is_number else _texts)(panel, column, real, made)
    return png(drawn)


def _texts(panel: SubFigure, column: Column, real: NDArray[Any], made: NDArray[Any]) -> None:
    names = most_frequent(real, BARS)
    shares = [[float(np.mean(side == name)) for name in names] for side in (real, made)]
    labels = [cut(name) for name in names]
    gone = [float(np.mean([value is None for value in side])) for side in (real, made)]
    rest = [max(0.0, 1 - sum(parts) - missing) for parts, missing in zip(shares, gone, strict=True)]
    for label, pair in (("all others", rest), ("no value", gone)):
        if max(pair) > 1e-9:
            labels.append(label)
            for parts, share in zip(shares, pair, strict=True):
                parts.append(share)
    axes = panel.add_subplot()
    at = np.arange(len(labels))
    axes.barh(at - 0.2, shares[0], 0.4, color=REAL)
    axes.barh(at + 0.2, shares[1], 0.4, color=GENERATED)
    axes.set_yticks(at, labels)
    axes.set_ylim(max(len(labels), 4) - 0.5, -0.5)
    plain_axes(axes, cut(column.name, 34))
    axes.xaxis.set_major_formatter(PercentFormatter(1, 0, " %"))
    axes.locator_params(axis="x", nbins=4)
    axes.tick_params(axis="y", length=0, labelcolor=INK)


def _numbers(panel: SubFigure, column: Column, real: Floats, made: Floats) -> None:
    sides = (real, made)
    apart: list[tuple[str, list[float]]] = []
    if any(np.isnan(side).any() for side in sides):
        apart.append(("no value", [float(np.isnan(side).mean()) for side in sides]))
    left = [side[~np.isnan(side)] for side in sides]
    spike = _spike(left[0], len(real))
    if spike is not None:
        apart.append((tick(column, spike), [float((side == spike).mean()) for side in sides]))
        left = [side[side != spike] for side in left]
    if not apart:
        axes = panel.add_subplot()
        _histogram(axes, column, left, (len(real), len(made)))
        plain_axes(axes, cut(column.name, 34))
        return
    bars, axes = panel.subplots(1, 2, width_ratios=[0.35 + 0.85 * len(apart), 3.2])
    _bars_apart(bars, apart)
    plain_axes(bars, cut(column.name, 34))
    _histogram(axes, column, left, (len(real), len(made)))
    plain_axes(axes, "")


def _bars_apart(axes: Axes, apart: Sequence[tuple[str, list[float]]]) -> None:
    """Draw bars on a scale of their own from 0 to all rows, each with its share written above."""
    at = np.arange(len(apart))
    for side, colour, shift in ((0, REAL, -0.21), (1, GENERATED, 0.21)):
        heights = [shares[side] for _, shares in apart]
        axes.bar(at + shift, heights, 0.42, color=colour)
        for place, height in zip(at + shift, heights, strict=True):
            digits = 0 if height >= 0.0995 or height == 0 else 1
            share = f"{100 * height:.{digits}f} %"
            axes.text(place, height + 0.02, share, ha="center", fontsize=SMALL - 1, color=SOFT)
    axes.set_xticks(at, [label for label, _ in apart])
    axes.set_xlim(-0.55, len(apart) - 0.45)
    axes.set_ylim(0, 1.12)
    axes.set_yticks([])


def _histogram(axes: Axes, column: Column, sides: Sequence[Floats], counts: tuple[int, int]) -> None:
    """Draw shares of all rows, as the area of the real ones under the outline of the generated ones."""
    if not len(sides[0]) and not len(sides[1]):
        axes.set_axis_off()
        return
    values = np.unique(sides[0])
    if column.kind == "integer" and 0 < len(values) <= FEW_VALUES and values[-1] - values[0] < 3 * FEW_VALUES:
        edges, log = np.arange(values[0] - 0.5, values[-1] + 1), False
    else:
        edges, log = _edges(column, sides)
    looks: tuple[dict[str, Any], ...] = ({"fill": True, "color": REAL}, {"color": GENERATED, "linewidth": 1.6})
    for side, count, look in zip(sides, counts, looks, strict=True):
        inside = np.clip(side, edges[0], np.nextafter(edges[-1], edges[0]))
        axes.stairs(np.histogram(inside, edges)[0] / max(count, 1), edges, **look)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    if log:
        axes.set_xscale("log")
    else:
        axes.locator_params(axis="x", nbins=3 if column.kind == "datetime" else 5)
    axes.xaxis.set_major_formatter(axis_labels(partial(tick, column)))
    axes.yaxis.set_major_formatter(axis_labels(lambda share: f"{100 * share:.3g} %"))
    axes.locator_params(axis="y", nbins=4)


def _edges(column: Column, sides: Sequence[Floats]) -> tuple[Floats, bool]:
    low, high = range_of(sides[0], sides[1])
    if skewed(column, sides[0], low, high):
        return np.geomspace(low, high, BINS + 1), True
    if column.kind == "integer":  # bins of equal whole numbers, else some would hold one more than others
        step = max(1, math.ceil((high - low + 1) / BINS))
        return np.arange(low - 0.5, high + step, step), False
    return np.linspace(low, high, BINS + 1), False


def _spike(values: Floats, count: int) -> float | None:
    """Return the value that so many rows share that it would flatten the others; None if there are few values."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= FEW_VALUES:
        return None
    often = int(counts.argmax())
    return float(distinct[often]) if counts[often] >= SPIKE * count else None


def draw_predictions(measured: Floats, predicted: Floats, mean: float, target: str) -> bytes:
    """Draw a PNG of two panels. Args: measured, predicted (N,) in the target's units; mean of the training rows."""
    drawn = figure(ERROR_HEIGHT)
    parts = drawn.subfigures(2, 1, squeeze=False, height_ratios=[0.09, 1])
    legend(parts[0, 0], "predicting the mean", "this model")
    points, errors = parts[1, 0].subplots(1, 2, width_ratios=[1, 1.25])
    there = np.isfinite(predicted)  # of a network that has diverged some are not
    measured, predicted = (
        (measured[there], predicted[there]) if there.any() else (measured, np.full_like(measured, mean))
    )
    both = np.concatenate([measured, predicted])
    ends = [float(both.min()), float(both.max())]
    points.plot(ends, ends, color=LINE, linewidth=1.5)
    points.plot(measured, np.full_like(measured, mean), color=REAL, linewidth=1.5)
    points.scatter(measured, predicted, s=16, color=GENERATED, alpha=0.6, linewidths=0)
    plain_axes(points, f"{cut(target, 34)}: predicted against measured")
    own, of_mean = predicted - measured, mean - measured
    edges = np.histogram_bin_edges(np.concatenate([own, of_mean]), ERROR_BINS)
    errors.stairs(np.histogram(of_mean, edges)[0] / len(of_mean), edges, fill=True, color=REAL)
    errors.stairs(np.histogram(own, edges)[0] / len(own), edges, color=GENERATED, linewidth=1.6)
    plain_axes(errors, "Errors, predicted less measured")
    errors.yaxis.set_major_formatter(axis_labels(lambda share: f"{100 * share:.3g} %"))
    for axes in (points, errors):
        axes.xaxis.set_major_formatter(axis_labels(short))
        axes.locator_params(nbins=5)
    points.yaxis.set_major_formatter(axis_labels(short))
    return png(drawn)
