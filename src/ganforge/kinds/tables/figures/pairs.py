"""Figures of pairs of columns: the real rows beside the generated ones, and the scores of all pairs in one matrix."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.figures.columns import (
    DARK_REAL,
    GENERATED,
    GENERATED_SCALE,
    INK,
    LINE,
    REAL_SCALE,
    SMALL,
    SOFT,
    Floats,
    axis_labels,
    cut,
    figure,
    front,
    most_frequent,
    plain_axes,
    png,
    range_of,
    skewed,
    tick,
)

MOST_PAIRS = 8
MOST_POINTS = 1_500
MOST_TEXTS, BINS = 7, 14
LETTERS = 13
MOST_COLUMNS = 40  # the ones with the worst pairs
MOST_NUMBERED = 20  # columns up to which the scores are written into the cells
LOSS = LinearSegmentedColormap.from_list("loss", ["#fbfaf7", "#f3d3a8", "#d9822b", "#7a3206"])  # light: alike


def draw_pairs(train: Plain, samples: Plain, columns: Sequence[Column], pairs: Sequence[tuple[str, str]]) -> bytes:
    """Draw a PNG of at most eight pairs in the order given: put the worst first.

    Two numbers are points, as many of each side. With a category it is a heat map of shares, dark for many, where both
    sides have one scale.
    """
    by_name = {column.name: column for column in columns}
    known = [(by_name[a], by_name[b]) for a, b in pairs if a in by_name and b in by_name][:MOST_PAIRS]
    rows = max(1, math.ceil(len(known) / 2))
    drawn = figure(2.55 * rows)
    halves = drawn.subfigures(rows, 2, squeeze=False, wspace=0.03, hspace=0.04)
    for i, (first, second) in enumerate(known):
        # A category is read more easily at the side than below.
        x, y = (second, first) if not first.is_number and second.is_number else (first, second)
        half = halves[i // 2, i % 2]
        half.suptitle(f"{cut(y.name, 26)}  by  {cut(x.name, 26)}", x=0.02, ha="left", fontsize=10.5, color=INK)
        left, right = half.subplots(1, 2, sharex=True, sharey=True)
        sides = [(front(table[x.name]), front(table[y.name])) for table in (train, samples)]
        if x.is_number and y.is_number:
            _points((left, right), x, y, sides)
        else:
            _heat((left, right), x, y, sides)
        plain_axes(left, "real", DARK_REAL)
        plain_axes(right, "generated", GENERATED)
    return png(drawn)


def score_matrix(scores_of: Mapping[tuple[str, str], float], order: Sequence[str]) -> tuple[list[str], Floats]:
    """Return scores of pairs as a matrix (C, C) of the columns that are in any pair, NaN where there is none.

    Args: order of all columns, which the matrix keeps. Returns: the C columns and the matrix.
    """
    names = [name for name in order if any(name in pair for pair in scores_of)]
    scores = np.full((len(names), len(names)), np.nan)
    for (first, second), score in scores_of.items():
        a, b = names.index(first), names.index(second)
        scores[a, b] = scores[b, a] = score
    return names, scores


def draw_dependence(names: Sequence[str], scores: Floats) -> bytes:
    """Draw a PNG of the scores (C, C) of all pairs of the columns `names`, 1 for alike; the diagonal is left empty."""
    scores = np.asarray(scores, np.float64)
    if len(names) > MOST_COLUMNS:
        kept = np.sort(np.argsort(np.nanmin(scores, axis=1))[:MOST_COLUMNS])
        names, scores = [names[i] for i in kept], scores[np.ix_(kept, kept)]
    numbered = len(names) <= MOST_NUMBERED
    drawn = figure(max(3.2, min(11.0, 1.6 + (0.42 if numbered else 0.24) * len(names))))
    axes = drawn.add_subplot()
    finite = scores[np.isfinite(scores)]
    worst = min(float(finite.min()) if len(finite) else 1.0, 0.9)
    losses = np.ma.masked_invalid(1 - scores)
    shown = axes.imshow(losses, cmap=LOSS, norm=Normalize(0, 1 - worst), aspect="auto")
    places = range(len(names))
    axes.set_xticks(places, [cut(name, 16) for name in names], rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, [cut(name, 20) for name in names])
    axes.tick_params(labelsize=SMALL, labelcolor=INK, length=0)
    axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    if numbered:
        for i, j in zip(*np.nonzero(np.isfinite(scores)), strict=True):
            dark = 1 - scores[i, j] > 0.55 * (1 - worst)
            axes.text(
                j, i, f"{100 * scores[i, j]:.0f}", ha="center", va="center", fontsize=8, color="white" if dark else SOFT
            )
    bar = drawn.colorbar(shown, ax=axes, shrink=0.6, aspect=18, pad=0.015)
    bar.ax.yaxis.set_major_formatter(lambda loss, _: f"{100 * (1 - loss):.0f} %")
    bar.ax.tick_params(labelsize=SMALL, labelcolor=SOFT, color=LINE)
    bar.ax.set_title("alike", fontsize=SMALL, color=SOFT)
    bar.outline.set_visible(False)
    return png(drawn)


def _points(both: tuple[Axes, Axes], x: Column, y: Column, sides: Sequence[tuple[Any, Any]]) -> None:
    there = [~(np.isnan(a) | np.isnan(b)) for a, b in sides]
    cleaned = [(a[keep], b[keep]) for (a, b), keep in zip(sides, there, strict=True)]
    count = min(MOST_POINTS, *(len(a) for a, _ in cleaned))
    for axes, (a, b), colour in zip(both, cleaned, (DARK_REAL, GENERATED), strict=True):
        rows = np.linspace(0, len(a) - 1, count).astype(np.int64)
        axes.scatter(a[rows], b[rows], s=5, alpha=0.35, linewidths=0, color=colour)
    letters: tuple[tuple[Column, int, Literal["x", "y"]], ...] = ((x, 0, "x"), (y, 1, "y"))
    for column, i, letter in letters:
        low, high = range_of(cleaned[0][i], cleaned[1][i])
        room = 0.04 * (high - low)
        both[0].set(**{f"{letter}lim": (low - room, high + room)})
        both[0].locator_params(axis=letter, nbins=3 if column.kind == "datetime" else 4)
        for axes in both:
            getattr(axes, f"{letter}axis").set_major_formatter(axis_labels(partial(tick, column)))


def _heat(both: tuple[Axes, Axes], x: Column, y: Column, sides: Sequence[tuple[Any, Any]]) -> None:
    cells_x, cells_y = (_Cells(column, sides[0][i], sides[1][i]) for i, column in enumerate((x, y)))
    shares = [_shares(cells_x.places(a), cells_y.places(b), len(cells_x), len(cells_y)) for a, b in sides]
    most = max(float(share.max()) for share in shares) or 1.0
    for axes, share, scale in zip(both, shares, (REAL_SCALE, GENERATED_SCALE), strict=True):
        # The root of the share: a cell of a hundredth of the rows would else look like an empty one.
        axes.imshow(np.sqrt(share.T), aspect="auto", cmap=scale, vmin=0, vmax=math.sqrt(most), origin="upper")
        axes.set_xticks(*cells_x.ticks(slanted=True))
        axes.set_yticks(*cells_y.ticks())
        if cells_x.texts:
            axes.tick_params(axis="x", rotation=35)
            for label in axes.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor", color=SOFT)


class _Cells:
    """The values of one column as the rows or columns of a heat map; missing ones are the last."""

    def __init__(self, column: Column, real: NDArray[Any], made: NDArray[Any]) -> None:
        self._column, self._gone = column, bool(pd.isna(real).any() or pd.isna(made).any())
        self.texts: list[str] = []
        self._edges: Floats = np.zeros(0)
        if column.is_number:
            low, high = range_of(real[~np.isnan(real)], made[~np.isnan(made)])
            space = np.geomspace if skewed(column, real[~np.isnan(real)], low, high) else np.linspace
            self._edges = space(low, high, BINS + 1)
        else:
            self._known = pd.Index(most_frequent(real, MOST_TEXTS), dtype=object)
            others = any((~pd.isna(side) & (self._known.get_indexer(side) < 0)).any() for side in (real, made))
            self.texts = [*self._known, *["all others"] * others, *["no value"] * self._gone]

    def __len__(self) -> int:
        return len(self.texts) if self.texts else len(self._edges) - 1 + self._gone

    def places(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Return the cell of each value."""
        if self.texts:
            inside = self._known.get_indexer(values)
            inside = np.where(inside < 0, len(self._known), inside)
        else:
            inside = np.clip(np.searchsorted(self._edges, values, "right") - 1, 0, len(self._edges) - 2)
        return np.where(pd.isna(values), len(self) - 1, inside)

    def ticks(self, slanted: bool = False) -> tuple[list[float], list[str]]:
        """Return the places and labels of ticks."""
        if self.texts:
            return list(range(len(self.texts))), [cut(text, LETTERS if slanted else LETTERS + 3) for text in self.texts]
        bins = len(self._edges) - 1
        middle = () if self._column.kind == "datetime" else (bins // 2,)
        shown = (
            0,
            *middle,
            *(() if self._gone else (bins,)),
        )  # "no value" stands in the last one's place
        labels = [tick(self._column, float(self._edges[i])) for i in shown]
        places = [i - 0.5 for i in shown]
        return ([*places, float(bins)], [*labels, "no value"]) if self._gone else (places, labels)


def _shares(x: NDArray[np.int64], y: NDArray[np.int64], width: int, height: int) -> Floats:
    """Return the shares of all cells, (width, height)."""
    return np.bincount(x * height + y, minlength=width * height).reshape(width, height) / max(len(x), 1)
