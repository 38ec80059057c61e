"""Every pair of columns in one square: where what belongs together was lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, Normalize

from ganforge.kinds.tables.figures.ink import INK, LINE, SMALL, SOFT, Floats, cut, figure, png

MOST_COLUMNS = 40  # the ones with the worst pairs
MOST_NUMBERED = 20  # columns up to which the scores are written into the cells
LOSS = LinearSegmentedColormap.from_list("loss", ["#fbfaf7", "#f3d3a8", "#d9822b", "#7a3206"])  # light: alike


def score_matrix(scores_of: Mapping[tuple[str, str], float], order: Sequence[str]) -> tuple[list[str], Floats]:
    """Scores of pairs as a matrix (C, C) of the columns that are in any pair, NaN where there is none.

    Args: order of all columns, which the matrix keeps. Returns: the C columns, and the matrix.
    """
    names = [name for name in order if any(name in pair for pair in scores_of)]
    scores = np.full((len(names), len(names)), np.nan)
    for (first, second), score in scores_of.items():
        a, b = names.index(first), names.index(second)
        scores[a, b] = scores[b, a] = score
    return names, scores


def draw_dependence(names: Sequence[str], scores: Floats) -> bytes:
    """A PNG of the scores (C, C) of all pairs of the columns `names`, 1 for alike; the diagonal is left empty."""
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
