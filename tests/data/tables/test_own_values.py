"""The upper column of `a <= b` keeps the values that are its own: 9999-12-31 for "open", prices that end in .99."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from codec_world import table_of

from ganforge.kinds.tables.codec.codec import TableCodec, codec_content, restore_codec
from ganforge.kinds.tables.codec.fill import fill
from ganforge.kinds.tables.codec.gaps import GapUnit
from ganforge.kinds.tables.generate.game import build_row_networks
from ganforge.kinds.tables.generate.model import RowModel
from ganforge.kinds.tables.networks import RowProduct
from ganforge.kinds.tables.rules.conditions import parse_where
from ganforge.measures.intervals import of_share
from ganforge.recipe import Network

ROWS, DRAWN = 3_000, 8_192
OPEN, UNKNOWN = (np.datetime64(day) for day in ("9999-12-31", "1900-01-01"))


def days(rows: int = ROWS, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    random = np.random.default_rng(seed)
    start = np.datetime64("2020-01-01") + random.integers(0, 1_500, rows)
    return start, start + random.integers(1, 400, rows), random


def contracts() -> pd.DataFrame:
    """The end is open in 54 % of the rows."""
    start, end, random = days()
    return pd.DataFrame({"start": start, "end": np.where(random.random(ROWS) < 0.54, OPEN, end)})


def unknown_starts() -> pd.DataFrame:
    """The start is unknown in a fifth of the rows."""
    start, end, random = days()
    return pd.DataFrame({"start": np.where(random.random(ROWS) < 0.2, UNKNOWN, start), "end": end})


def both() -> pd.DataFrame:
    """An unknown start, a missing one, an open end, a missing one."""
    start, end, random = days()
    start[random.random(ROWS) < 0.1] = UNKNOWN
    start[random.random(ROWS) < 0.1] = np.datetime64("NaT")
    end[random.random(ROWS) < 0.3] = OPEN
    end[random.random(ROWS) < 0.1] = np.datetime64("NaT")
    return pd.DataFrame({"start": start, "end": end})


def chain() -> pd.DataFrame:
    start, end, random = days()
    paid = end + random.integers(0, 60, ROWS)
    paid[random.random(ROWS) < 0.4] = OPEN
    end[(paid == OPEN) & (random.random(ROWS) < 0.5)] = OPEN
    return pd.DataFrame({"start": start, "end": end, "paid": paid})


def prices() -> pd.DataFrame:
    """The price is the next .99 above the cost or above a little more."""
    random = np.random.default_rng(0)
    cost = np.round(random.gamma(2, 12, ROWS), 2)
    price = np.round(np.ceil((cost + random.gamma(1, 4, ROWS)) / 5) * 5 - 0.01, 2)
    return pd.DataFrame({"start": cost, "end": np.maximum(price, np.ceil(cost) - 0.01 + (cost % 1 > 0.99))})


def month_ends() -> pd.DataFrame:
    start, end, _ = days()
    return pd.DataFrame({"start": start, "end": end.astype("M8[M]").astype("M8[D]") + 31})


def balances() -> pd.DataFrame:
    """Never above 0, which a third of the rows are."""
    random = np.random.default_rng(0)
    low = np.round(-random.gamma(2, 50, ROWS), 2)
    high = np.round(low * random.random(ROWS), 2)
    return pd.DataFrame({"start": low, "end": np.where(random.random(ROWS) < 0.33, 0.0, high)})


def open_starts() -> pd.DataFrame:
    """Both are open together, so the lower column has the value too."""
    start, end, random = days()
    opened = random.random(ROWS) < 0.2
    return pd.DataFrame({"start": np.where(opened, OPEN, start), "end": np.where(opened, OPEN, end)})


TABLES = {
    made.__name__: made for made in (contracts, unknown_starts, both, chain, prices, month_ends, balances, open_starts)
}


def in_days(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({name: "M8[s]" for name in frame if frame[name].dtype.kind == "M"})


@pytest.fixture(scope="module", params=TABLES)
def fitted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    frame = in_days(TABLES[request.param]())
    rules = [f"{a} <= {b}" for a, b in zip(frame.columns, frame.columns[1:], strict=False)]
    frame["other"] = np.random.default_rng(1).normal(size=len(frame))
    return request.param, table_of(frame, tmp_path_factory.mktemp("own"), rules, spans=32)


def shuffled(codec: TableCodec, rows: dict, seed: int = 0) -> np.ndarray:  # type: ignore[type-arg]
    """Codes as frequent as in training, but of columns that know nothing of each other."""
    codes = codec.encode(rows)
    random = np.random.default_rng(seed)
    return np.stack([random.choice(codes[:, place], DRAWN) for place in range(codes.shape[1])], axis=1)


def keeps_the_rules(codec: TableCodec, rows: dict) -> bool:  # type: ignore[type-arg]
    return all(not (rows[a] > rows[b]).any() for a, b in [(u.lowers[0], u.upper) for u in gaps(codec)])


def gaps(codec: TableCodec) -> list[GapUnit]:
    return [unit for unit in codec.units if isinstance(unit, GapUnit)]


def test_training_rows_come_back_as_the_same_codes(fitted) -> None:  # type: ignore[no-untyped-def]
    name, table = fitted
    codec, rows = table.codec, table.train_rows
    codes = codec.encode(rows)
    again = codec.encode(codec.decode(codes, np.random.default_rng(0)))
    near = 2 if name in ("prices", "month_ends") else 0  # the lower value is another one, in the same span
    assert (codes >= 0).all() and (np.abs(again - codes) <= near).mean() > (0.9 if near else 0.97), name


def test_own_values_keep_their_share_though_columns_are_drawn_independently(fitted) -> None:  # type: ignore[no-untyped-def]
    name, table = fitted
    codes = shuffled(table.codec, table.train_rows)
    if name == "chain":  # an open end leaves no other payment: independent columns cannot keep both shares
        codes = np.random.default_rng(0).choice(table.codec.encode(table.train_rows), DRAWN)
    drawn = table.codec.decode(codes, np.random.default_rng(0))
    assert keeps_the_rules(table.codec, drawn)
    for unit in gaps(table.codec):
        real, made = table.train_rows[unit.upper], drawn[unit.upper]
        for value in unit.own.frequent if unit.own else ():
            share = of_share(int((made == value).sum()), len(made))
            theirs = of_share(int((real == value).sum()), len(real))
            assert share.low <= theirs.high and theirs.low <= share.high, (name, share, theirs)


def test_nothing_is_made_up_beyond_what_was_seen(fitted) -> None:  # type: ignore[no-untyped-def]
    name, table = fitted
    drawn = table.codec.decode(shuffled(table.codec, table.train_rows), np.random.default_rng(0))
    for unit in gaps(table.codec):
        real, made = table.train_rows[unit.upper], drawn[unit.upper]
        strange = ~np.isnan(made) & ~np.isin(made, real)
        sentinel = np.nanmax(real)
        assert np.nanmax(made) <= sentinel
        if unit.own and len(unit.own.frequent):  # between the usual values and 9999-12-31 there is nothing
            usual = np.nanmax(real[~np.isin(real, unit.own.frequent)])
            assert not ((made > usual) & strange).any(), name
        if name in ("prices", "month_ends"):
            assert not strange.any(), name


WHERE = {
    "contracts": ["end=9999-12-31", "end<=2022-06-30", "start>=2023-01-01", "end>=2024"],
    "unknown_starts": ["start=1900-01-01", "start>=2020-01-01", "end<=2021-01-01"],
    "both": ["start=1900-01-01", "start is missing", "end=9999-12-31", "end is missing"],
    "chain": ["paid=9999-12-31", "end=9999-12-31", "paid<=2022-01-01", "start>=2022-01-01"],
    "prices": ["end=24.99", "end>=50", "start>=40", "start<=5"],
    "month_ends": ["end>=2023-01-01", "start<=2020-03-01"],
    "balances": ["end=0", "end<=-20", "start>=-20"],
    "open_starts": ["start=9999-12-31", "end=9999-12-31", "end<=2021-01-01"],
}


@pytest.fixture(scope="module")
def model(fitted) -> RowModel:  # type: ignore[no-untyped-def]
    codec = fitted[1].codec
    generator, _ = build_row_networks(Network(name="rows", latent_size=4, width=16, depth=1), codec.sizes)
    return RowModel(RowProduct(generator, None), 4, codec)


def test_conditions_on_either_column_hold_with_the_rule(fitted, model: RowModel) -> None:  # type: ignore[no-untyped-def]
    name, table = fitted
    for where in WHERE[name]:
        rows = model.draw(500, conditions=model.conditions(where), seed=1)
        asked = parse_where(where, table.codec.columns, table.codec.known)
        assert all(condition.holds(rows).all() for condition in asked), (name, where)
        assert keeps_the_rules(table.codec, rows), (name, where)
        if name in ("prices", "month_ends"):
            assert np.isin(rows["end"], table.train_rows["end"]).all(), where


@pytest.mark.parametrize("draw", [False, True])
def test_a_hole_is_filled_with_a_value_of_the_column(fitted, draw: bool) -> None:  # type: ignore[no-untyped-def]
    """Where the codes are certain, the best guess of 9999-12-31 is that day, not the mean of the year 6000."""
    _, table = fitted
    codec, rows = table.codec, table.train_rows
    shares = [np.eye(size)[np.maximum(code, 0)] for size, code in zip(codec.sizes, codec.encode(rows).T, strict=True)]
    for unit in gaps(codec):
        holes = {**rows, unit.upper: np.where(np.arange(len(rows["other"])) % 2 == 0, np.nan, rows[unit.upper])}
        filled = fill(codec, holes, shares, np.random.default_rng(0) if draw else None)
        assert keeps_the_rules(codec, filled)
        for value in unit.own.frequent if unit.own else ():
            right = filled[unit.upper][rows[unit.upper] == value] == value
            assert right.all()


def test_the_unit_is_stored_and_read_back_to_the_bit(fitted) -> None:  # type: ignore[no-untyped-def]
    codec = fitted[1].codec
    again = restore_codec(*codec_content(codec))
    codes = shuffled(codec, fitted[1].train_rows)
    one, other = (each.decode(codes, np.random.default_rng(0)) for each in (codec, again))
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name])


def test_a_column_without_such_values_is_learned_as_its_distance_alone(tmp_path) -> None:  # type: ignore[no-untyped-def]
    start, end, random = days()
    frame = in_days(pd.DataFrame({"start": start, "end": end, "other": random.normal(size=ROWS)}))
    (unit,) = gaps(table_of(frame, tmp_path, ["start <= end"]).codec)
    assert unit.own is None and unit.seen is None and unit.size == unit.gap.size


def test_a_frequent_end_that_follows_from_a_frequent_distance_stays_a_distance(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Ten starts, mostly thirty days: the thirty days are the rule, and each end only follows."""
    random = np.random.default_rng(0)
    start = np.datetime64("2024-01-01") + 31 * random.integers(0, 10, ROWS)
    end = start + np.where(random.random(ROWS) < 0.8, 30, random.integers(0, 90, ROWS))
    frame = in_days(pd.DataFrame({"start": start, "end": end, "other": random.normal(size=ROWS)}))
    (unit,) = gaps(table_of(frame, tmp_path, ["start <= end"]).codec)
    assert unit.own is None
