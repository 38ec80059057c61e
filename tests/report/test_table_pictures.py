"""The pictures of a table show what they should, whatever the columns hold."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from planted_table import COLUMNS, plant_rows

from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.figures.columns import GENERATED, REAL, cut, draw_columns, range_of, tick
from ganforge.kinds.tables.figures.pairs import draw_dependence, draw_pairs

NAMES = [column.name for column in COLUMNS]


def pixels(content: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def area(content: bytes, colour: str) -> int:
    """How many pixels have exactly this colour."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return int((pixels(content) == wanted).all(axis=2).sum())


def test_columns_show_both_sides_and_a_lost_value_leaves_a_bar_out() -> None:
    train, whole = plant_rows(800, 0), plant_rows(800, 1)
    lost = whole | {"town": np.where(whole["town"] == "Bremen", "Elsewhere", whole["town"])}
    only = [COLUMNS[-1]]
    right, wrong = (draw_columns(train, side, only, ["town"]) for side in (whole, lost))
    assert pixels(right).shape[1] == 1650
    assert area(right, REAL) > 20_000
    # As many rows lie in all bars, but the one of Bremen is gone and "all others" has come: the axis is the same.
    assert area(right, GENERATED) == pytest.approx(area(right, REAL), rel=0.1)
    assert wrong != right


def test_a_spike_stands_apart_so_that_the_rest_can_be_seen() -> None:
    """Nine in ten gains are 0; drawn in one histogram, the others would be a line on the floor."""
    train = plant_rows(2000, 0)
    column = [next(one for one in COLUMNS if one.name == "gain")]
    drawn = pixels(draw_columns(train, train, column, ["gain"]))
    wanted = [int(REAL[i : i + 2], 16) for i in (1, 3, 5)]
    mask = (drawn == wanted).all(axis=2)
    right_part = mask[90:, 250:550]  # of the first panel, beyond the bar of the spike and below the legend
    assert right_part.sum() > 3_000


def test_the_same_rows_give_the_same_bytes() -> None:
    train, samples = plant_rows(300, 0), plant_rows(300, 1)
    assert draw_columns(train, samples, COLUMNS, NAMES) == draw_columns(train, samples, COLUMNS, NAMES)
    pairs = [("age", "hours"), ("town", "gain")]
    assert draw_pairs(train, samples, COLUMNS, pairs) == draw_pairs(train, samples, COLUMNS, pairs)


ODD: list[tuple[str, Any, Any]] = [
    ("decimal", np.full(50, np.nan), np.full(50, np.nan)),
    ("decimal", np.full(50, 3.0), np.linspace(0, 1, 50)),
    ("integer", np.full(50, 7.0), np.full(50, 7.0)),
    ("decimal", np.geomspace(1e-3, 1e9, 50), np.geomspace(1e-3, 1e9, 50)),
    ("decimal", np.full(50, 1e300), np.linspace(-1e300, 1e300, 50)),
    ("datetime", np.linspace(0, 20_000, 50), np.full(50, np.nan)),
    ("category", np.full(50, None, object), np.array([f"v{i}" for i in range(50)], object)),
    ("category", np.array(["$x^2$ and a very long name " * 5] * 50, object), np.full(50, None, object)),
    ("boolean", np.array(["True", "False"] * 25, object), np.array(["True"] * 50, object)),
    ("category", np.array(["a\nb", ""] * 25, object), np.array(["日本", "é"] * 25, object)),
]


@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")
@pytest.mark.parametrize("case", range(len(ODD)))
def test_odd_columns_are_drawn_alone_and_beside_others(case: int) -> None:
    kind, real, made = ODD[case]
    odd = Column(name="odd $ one", kind=kind, dtype="x", resolution="D" if kind == "datetime" else None)  # type: ignore[arg-type]
    columns = [odd, COLUMNS[0], COLUMNS[4]]
    train, samples = ({**plant_rows(50, i), odd.name: side} for i, side in enumerate((real, made)))
    assert pixels(draw_columns(train, samples, columns, [odd.name])).shape[1] == 1650
    pairs = [(odd.name, "age"), ("town", odd.name)]
    assert pixels(draw_pairs(train, samples, columns, pairs)).shape[1] == 1650


@pytest.mark.slow
def test_more_columns_and_pairs_than_fit_are_cut_to_the_worst() -> None:
    columns = [Column(name=f"c{i}", kind="decimal", dtype="float64") for i in range(60)]
    table = {column.name: np.random.default_rng(i).normal(size=60) for i, column in enumerate(columns)}
    names = [column.name for column in columns]
    assert draw_columns(table, table, columns, names) == draw_columns(table, table, columns, names[:24])
    scores = np.full((60, 60), 0.9)
    scores[5, 6] = scores[6, 5] = 0.1
    np.fill_diagonal(scores, np.nan)
    assert pixels(draw_dependence(names, scores)).shape[1] == 1650


def test_a_lost_pair_is_darker_than_a_kept_one() -> None:
    scores = np.array([[np.nan, 0.2, 1.0], [0.2, np.nan, 1.0], [1.0, 1.0, np.nan]])
    drawn = pixels(draw_dependence(["a", "b", "c"], scores)).astype(int)
    assert (drawn.sum(axis=2) < 250).sum() > 5_000  # the brown of the two lost cells
    kept = pixels(draw_dependence(["a", "b", "c"], np.where(np.isnan(scores), np.nan, 1.0))).astype(int)
    assert (kept.sum(axis=2) < 250).sum() < 8_000


def test_names_are_cut_and_values_read_well() -> None:
    assert cut("a" * 40) == "a" * 17 + "…"
    assert cut("$5") == r"\$5"
    day = Column(name="d", kind="datetime", dtype="x", resolution="D")
    assert tick(day, 19_000.0) == "2022-01-08"
    assert tick(day.model_copy(update={"resolution": "min"}), 60.0 * 24) == "1970-01-02"
    assert tick(Column(name="i", kind="integer", dtype="x"), 1234.0) == "1234"
    assert range_of(np.full(9, 2.0), np.zeros(0)) == (1.5, 2.5)
