"""Numbers that few training rows have are not drawn: others near them are, on the same grid, and no extreme."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from codec_world import RULES, drawn_from, orders, random_codes, table_of

from ganforge.kinds.tables.codec.codec import codec_content, restore_codec
from ganforge.kinds.tables.codec.rare_numbers import ends_kept, with_stand_ins
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.rules.checks import broken

ROWS, DRAWN = 3_000, 100_000
RANDOM = np.random.default_rng(0)


def column(kind: Any = "integer", **more: Any) -> Column:
    return Column(name="x", kind=kind, dtype="float64", **more)


def moved(values: np.ndarray[Any, Any], about: Column, rare: int = 5) -> tuple[np.ndarray[Any, Any], ...]:
    return with_stand_ins(about, *np.unique(values, return_counts=True), rare)


@pytest.mark.parametrize("inside", ["seen", "smooth"])
@pytest.mark.parametrize("rare", [0, 5])
def test_a_planted_extreme_is_drawn_only_if_all_values_are(inside: Any, rare: int, tmp_path: Path) -> None:
    values = RANDOM.normal(1_000, 100, ROWS).round(1)
    values[:400:200], values[1:401:200] = 90_000.5, -70_000.5  # two rows each: at least one of them is trained on
    table = table_of(pd.DataFrame({"x": values, "y": RANDOM.random(ROWS)}), tmp_path, inside=inside, rare=rare)
    drawn = drawn_from(table, DRAWN)["x"]
    if rare:
        assert drawn.min() > 0 and drawn.max() < 2_000
        assert table.codec.columns[0].maximum == pytest.approx(np.sort(values)[-7], abs=100)
    else:
        assert drawn.min() < -60_000 and drawn.max() > 80_000


def test_values_of_many_rows_are_drawn_as_often_as_they_come(tmp_path: Path) -> None:
    ages = RANDOM.integers(17, 91, ROWS)
    stars = RANDOM.choice(5, ROWS, p=[0.01, 0.09, 0.2, 0.3, 0.4]) + 1
    end = np.where(RANDOM.random(ROWS) < 0.5, np.datetime64("9999-12-31"), np.datetime64("2024-01-01"))
    end = np.where(RANDOM.random(ROWS) < 0.2, np.datetime64("2020-01-01") + RANDOM.integers(0, 3_000, ROWS), end)
    frame = pd.DataFrame({"age": ages, "stars": stars, "end": end.astype("datetime64[s]")})
    table = table_of(frame, tmp_path, spans=32, rare=5)
    drawn, train = drawn_from(table, DRAWN), table.train_rows
    for name in ("age", "stars"):
        for value in np.unique(train[name]):
            share, wanted = (np.mean(side[name] == value) for side in (drawn, train))
            assert abs(share - wanted) < 5 * np.sqrt(wanted / DRAWN)
    last = train["end"].max()
    assert abs(np.mean(drawn["end"] == last) - np.mean(train["end"] == last)) < 0.01
    usual = train["end"] < last
    assert drawn["end"][drawn["end"] < last].max() <= train["end"][usual].max()  # and no day in between


def test_nearly_unique_numbers_are_made_up_and_distributed_alike() -> None:
    values = np.sort(RANDOM.lognormal(12, 0.5, 20_000).round())
    made, counts = moved(values, column())
    drawn = np.repeat(made, counts)
    assert np.isin(drawn, values).mean() < 0.2 and len(drawn) == len(values) - 8
    at = np.searchsorted(np.sort(drawn), values) / len(drawn) - np.arange(len(values)) / len(values)
    assert np.abs(at).max() < 0.003  # their distribution functions
    assert values[4] <= made[0] and made[-1] <= values[-5]


PRICES = np.floor(RANDOM.lognormal(6, 1, ROWS))
QUARTERS = RANDOM.integers(0, 4 * 24 * 365, ROWS) * 900
GRIDS = {
    "prices that end in .99": (PRICES + 0.99, column("decimal", decimals=2), 1.0, 0.99),
    "multiples of 5": (RANDOM.integers(0, 30_000, ROWS) * 5.0, column(), 5.0, 0.0),
    "multiples of 12": (RANDOM.integers(0, 30_000, ROWS) * 12.0, column(), 12.0, 0.0),
    "quarters of an hour": (QUARTERS * 1.0, column("datetime", resolution="s"), 900.0, 0.0),
    "nickels": (RANDOM.integers(0, 30_000, ROWS) / 20, column("decimal", decimals=2), 0.05, 0.0),
}


@pytest.mark.parametrize("name", GRIDS)
def test_a_grid_is_kept(name: str) -> None:
    values, about, step, remainder = GRIDS[name]
    made, counts = moved(values, about)
    left = (made - remainder) / step
    np.testing.assert_allclose(left, np.round(left), atol=1e-6)
    assert counts.sum() >= len(values) - 8 and len(np.setdiff1d(made, values)) > 0.02 * len(made)


def test_of_heaped_numbers_as_many_are_round() -> None:
    values = RANDOM.normal(50_000, 9_000, ROWS).round()
    values[: ROWS // 2] = values[: ROWS // 2].round(-2)
    made, counts = moved(values, column())
    shares = [float(np.average(side % 100 == 0, weights=rows)) for side, rows in ((made, counts), (values, None))]
    assert shares[0] == pytest.approx(shares[1], abs=0.03)


def test_weekdays_remain_weekdays() -> None:
    days = np.datetime64("2000-01-03") + RANDOM.integers(0, 400, ROWS) * 7 + RANDOM.integers(0, 5, ROWS)
    values = np.repeat(days[: ROWS // 2].astype("datetime64[D]").astype(np.float64), 2)
    made, counts = moved(values, column("datetime", resolution="D"))
    weekday = (made + 3) % 7
    assert np.average(weekday < 5, weights=counts) > 0.98


@pytest.mark.parametrize("values", [[3.0], [3.0, 4.0], [3.0] * 9, [1.0, 2.0, 3.0, 4.0]])
def test_a_handful_of_rows_leaves_a_value_within_their_range(values: list[float]) -> None:
    made, counts = moved(np.array(values), column())
    assert len(made) == len(counts) > 0 and min(values) <= made[0] and made[-1] <= max(values)


def test_the_ends_of_a_column_that_is_never_above_another_are_not_above_its_ends() -> None:
    for rows in (1, 2, 9, 10, 11, 500):
        lower = RANDOM.normal(size=rows).round(1)
        upper = lower + RANDOM.integers(0, 3, rows)
        assert all(low <= up for low, up in zip(ends_kept(lower, 5), ends_kept(upper, 5), strict=True))


def test_an_order_holds_without_the_extremes(tmp_path: Path) -> None:
    start = np.datetime64("2024-01-01") + RANDOM.integers(0, 300, ROWS)
    end = start + RANDOM.integers(0, 40, ROWS)
    start[:3], end[:3] = np.datetime64("1931-05-07"), np.datetime64("2091-03-03")
    frame = pd.DataFrame({"start": start, "end": end}).astype("datetime64[s]")
    table = table_of(frame, tmp_path, ["start <= end"], rare=5)
    drawn = drawn_from(table, DRAWN)
    assert (drawn["start"] <= drawn["end"]).all()
    units = [f"datetime64[{each.resolution}]" for each in table.codec.columns]
    first, last = drawn["start"].min().astype(units[0]), drawn["end"].max().astype(units[1])
    assert first >= np.datetime64("2024-01-01") and last < np.datetime64("2026-01-01")


def test_a_key_of_another_table_stays_as_it_is(tmp_path: Path) -> None:
    store = RANDOM.choice(RANDOM.integers(0, 10**6, 900), ROWS)
    table = table_of(pd.DataFrame({"store": store, "y": RANDOM.random(ROWS)}), tmp_path, ["seen store"], rare=5)
    assert np.isin(drawn_from(table, 5_000)["store"], store).all()


def test_rules_hold_and_a_stored_codec_is_the_same(tmp_path: Path) -> None:
    table = table_of(orders(), tmp_path, RULES, rare=5)
    codec = table.codec
    restored = restore_codec(*codec_content(codec))
    codes = random_codes(codec, 20_000, seed=1)
    sides = [each.decode(codes, np.random.default_rng(0)) for each in (codec, restored)]
    assert not any(broken(codec.rules, sides[0], table.train_rows, codec.columns).values())
    for name, values in sides[0].items():
        assert pd.Series(values).equals(pd.Series(sides[1][name]))
        if codec.columns[[each.name for each in codec.columns].index(name)].is_number:
            low, high = (end(table.train_rows[name]) for end in (np.nanmin, np.nanmax))
            assert low <= np.nanmin(values) and np.nanmax(values) <= high


def test_what_is_kept_back_of_numbers_and_of_points_is_counted(tmp_path: Path) -> None:
    place = RANDOM.integers(0, 40, ROWS) / 8
    frame = pd.DataFrame({"lat": 50 + place, "lon": 8 + place**2, "x": RANDOM.integers(0, 10, ROWS)})
    frame.loc[:2, ["lat", "lon"]], frame.loc[:2, "x"] = [[60.5, 9.5], [41.5, 5.5], [44.5, 19.5]], [-70, 80, 90]
    table = table_of(frame, tmp_path, ["joint lat, lon"], rare=5)
    for each in table.protection.kept:
        rows = pd.DataFrame({name: table.train_rows[name] for name in each.columns})
        few = rows.value_counts()
        few = few[few < 5]
        assert each.values == len(few) and each.share == few.sum() / len(rows)
        assert "lowest and highest rows are left out" in each.sentence
    assert {each.columns for each in table.protection.kept} == {("lat", "lon"), ("x",)}
