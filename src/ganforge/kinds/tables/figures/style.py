"""What all pictures of tables share: two colours that differ in lightness, sizes of text, and short names."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ganforge.core.format import short
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.rules.values import moment

REAL, GENERATED = "#b9b3a7", "#0f766e"  # light and dark, so that no eye confuses them; the page's own colours
DARK_REAL = "#57534b"  # where the real ones are drawn as points or as the dark end of a scale
INK, SOFT, LINE = "#211f1c", "#67625a", "#e4e0d8"
REAL_SCALE = LinearSegmentedColormap.from_list("real", ["#ffffff", REAL, "#2b2924"])
GENERATED_SCALE = LinearSegmentedColormap.from_list("generated", ["#ffffff", "#7fb8b2", "#06403b"])
WIDTH = 11.0  # inches
DOTS = 150  # per inch
SMALL, NORMAL = 8.5, 10.5  # points
LETTERS = 18  # of a name before it is cut
MOST_DRAWN = 20_000  # rows of each side
SKEWED = 20.0  # high end over the median, from which on an axis is logarithmic

Floats = NDArray[np.float64]


def figure(height: float) -> Figure:
    """An empty figure of the page's width and `height` inches."""
    return Figure(figsize=(WIDTH, height), dpi=DOTS, facecolor="white", layout="constrained")


def png(drawn: Figure) -> bytes:
    """The figure as a PNG without a date or a program's name in it: the same figure gives the same bytes."""
    content = io.BytesIO()
    drawn.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()


def legend(drawn: SubFigure, real: str = "real rows", made: str = "generated rows") -> None:
    """Which colour is which."""
    keys = [Patch(color=REAL, label=real), Patch(color=GENERATED, label=made)]
    drawn.legend(handles=keys, loc="upper left", ncols=2, frameon=False, fontsize=NORMAL, labelcolor=INK)


def plain_axes(axes: Axes, title: str, colour: str = INK) -> None:
    """A title on the left, two thin spines, small soft ticks."""
    axes.set_title(title, loc="left", fontsize=NORMAL, color=colour)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
    axes.tick_params(labelsize=SMALL, labelcolor=SOFT, color=LINE, length=3)


def front(values: NDArray[Any]) -> NDArray[Any]:
    """At most 20,000 values, evenly from the whole column."""
    return values[np.linspace(0, len(values) - 1, min(len(values), MOST_DRAWN)).astype(np.int64)]


def cut(name: str, letters: int = LETTERS) -> str:
    """A name that fits; dollar signs escaped, because matplotlib would read formulas into them."""
    fitting = name if len(name) <= letters else name[: letters - 1] + "…"
    return fitting.replace("$", r"\$")


def tick(column: Column, value: float) -> str:
    """A value on an axis."""
    if column.kind == "datetime":
        return str(moment(value, column).astype("M8[D]"))
    if column.kind == "integer" and abs(value) < 10_000:
        return f"{value:.0f}"
    return short(value)


def most_frequent(values: NDArray[Any], count: int) -> list[str]:
    """The texts that most rows have, missing ones left out."""
    texts, counts = np.unique(np.array([text for text in values if text is not None], dtype=str), return_counts=True)
    return [str(text) for text in texts[np.argsort(-counts, kind="stable")][:count]]


def range_of(real: Floats, made: Floats) -> tuple[float, float]:
    """Where nearly all values of both sides lie: beyond are at most 0.5 % on either end of either side."""
    ends = [np.quantile(side, (0.005, 0.995)) for side in (real, made) if len(side)]
    low, high = (min(e[0] for e in ends), max(e[1] for e in ends)) if ends else (0.0, 1.0)
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(low) + 0.5)


def skewed(column: Column, real: Floats, low: float, high: float) -> bool:
    """Whether an axis from low to high should be logarithmic: all above 0, and most of it near the low end."""
    return low > 0 and column.kind != "datetime" and len(real) > 0 and high > SKEWED * float(np.median(real))


def chosen(columns: Sequence[Column], names: Sequence[str], most: int) -> list[Column]:
    """The columns of these names, in the order of the names."""
    by_name = {column.name: column for column in columns}
    return [by_name[name] for name in names if name in by_name][:most]
