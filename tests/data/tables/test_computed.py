"""Computed columns from codes to rows and back, under conditions, with holes, and stored."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from codec_world import random_codes, table_of

from ganforge.errors import InputError, RunError
from ganforge.kinds.tables.codec.codec import TableCodec, codec_content, restore_codec
from ganforge.kinds.tables.codec.fill import fill
from ganforge.kinds.tables.generate import model as model_module
from ganforge.kinds.tables.generate.game import build_row_networks
from ganforge.kinds.tables.generate.model import RowModel
from ganforge.kinds.tables.networks import RowProduct
from ganforge.kinds.tables.reading.arrays import from_plain, take
from ganforge.kinds.tables.rules.checks import broken
from ganforge.kinds.tables.rules.rule_text import parse_rules
from ganforge.kinds.tables.table import Table
from ganforge.recipe import Network

RULES = ("f = 1.8 * c + 32", "total = net + tax", "amount = quantity * price", "near ~ 2 * c", "net <= total")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """Exact rules, one with exceptions, holes on both sides, and whole numbers of one byte."""
    rng, rows = np.random.default_rng(0), 1_500
    c, net = rng.normal(15, 8, rows).round(1), rng.gamma(2, 50, rows).round(2)
    tax = (net * rng.choice([0.07, 0.19], rows)).round(2)
    quantity, price = rng.integers(1, 9, rows), rng.integers(1, 29, rows)
    near = (2 * c + rng.normal(0, 0.2, rows)).round(1)
    near[::50] = 77.7
    frame = pd.DataFrame(
        {
            "f": np.where(rng.random(rows) < 0.1, np.nan, (1.8 * c + 32).round(1)),
            "c": np.where(rng.random(rows) < 0.1, np.nan, c),
            "total": (net + tax).round(2),
            "net": net,
            "tax": tax,
            "quantity": quantity.astype(np.uint8),
            "price": price.astype(np.uint8),
            "amount": (quantity * price).astype(np.uint8),
            "near": near,
            "shop": np.array(["north", "south"])[rng.integers(0, 2, rows)],
        }
    )
    return table_of(frame, tmp_path_factory.mktemp("table"), RULES)


def model_of(codec: TableCodec) -> RowModel:
    """An untrained network: any combination of codes may come."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator, _ = build_row_networks(Network(name="rows", latent_size=8, width=8, depth=1), codec.sizes)
    return RowModel(RowProduct(generator, None), 8, codec)


def test_any_codes_give_rows_that_keep_the_rules(table: Table) -> None:
    codec = table.codec
    plain = codec.decode(random_codes(codec, 5_000, seed=0), np.random.default_rng(0))
    exact = parse_rules(RULES[:3], codec.columns)
    assert set(broken(exact, plain, table.train_rows, codec.columns).values()) == {0}
    kept = take(plain, np.flatnonzero(codec.keeps(plain, {})))
    assert set(broken(codec.rules, kept, table.train_rows, codec.columns).values()) == {0}
    assert len(kept["f"]) > 3_000 and kept["amount"].max() <= 255
    from_plain(kept, codec.columns)  # every dtype holds its values
    for name in ("f", "c"):  # with holes of their own, as in training
        assert 0.02 < np.isnan(plain[name]).mean() < 0.9
    assert (np.isnan(plain["c"]) & ~np.isnan(plain["f"])).any()


def test_rows_are_codes_and_come_back(table: Table) -> None:
    codec, rows = table.codec, table.train_rows
    again = codec.decode(codec.encode(rows), np.random.default_rng(0))
    assert (np.isnan(again["f"]) == np.isnan(rows["f"])).all()
    off = np.abs(again["near"] - 2 * again["c"]), np.abs(rows["near"] - 2 * rows["c"])
    assert np.nanquantile(off[0], 0.9) < 2 * np.nanquantile(off[1], 0.9)  # the rest is learned
    assert 0.01 < (off[0] > 5).mean() < 0.04  # and so are exceptions
    both = ~np.isnan(again["c"]) & ~np.isnan(again["f"])
    assert np.corrcoef(again["c"][both], again["f"][both])[0, 1] > 0.9999


@pytest.mark.parametrize(
    ("where", "met"),
    [
        ("f>=80", lambda rows: rows["f"] >= 80),
        ("total<=20", lambda rows: rows["total"] <= 20),
        ("40<=amount<=50", lambda rows: (rows["amount"] >= 40) & (rows["amount"] <= 50)),
        ("near=77.7", lambda rows: rows["near"] == 77.7),
        ("f is missing", lambda rows: np.isnan(rows["f"])),
        ("f in {50, 59, missing}", lambda rows: np.isnan(rows["f"]) | np.isin(rows["f"], [50, 59])),
    ],
)
def test_conditions_on_computed_columns_are_met_in_every_row(table: Table, where: str, met: Any) -> None:
    model = model_of(table.codec)
    rows = model.draw(300, conditions=model.conditions(where), seed=0)
    assert len(rows["f"]) == 300 and met(rows).all()
    assert set(broken(table.codec.rules, rows, table.train_rows, table.codec.columns).values()) == {0}
    first = model.draw(50, conditions=model.conditions(where), seed=0)
    assert all(pd.Series(first[name]).equals(pd.Series(rows[name][:50])) for name in first)


def test_conditions_that_the_rules_do_not_leave_are_refused_in_words(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_module, "MOST_EMPTY", 2)
    model = model_of(table.codec)
    with pytest.raises(InputError, match="No row can meet") as caught:
        model.draw(10, conditions=model.conditions(["f>=80", "c<=10"]))
    assert caught.value.why and caught.value.do
    with pytest.raises(InputError, match="No row can meet") as caught:
        model.draw(10, conditions=model.conditions(["amount>=101", "price<=2"]))
    assert "price >= 13" in str(caught.value)  # 101 / 8, on the grid of whole numbers
    monkeypatch.setattr(model_module, "unreachable", lambda *_: None)
    with pytest.raises(InputError, match=r"None of 16,384 rows.*amount=53") as caught:
        model.draw(10, conditions=model.conditions("amount=53"))  # a prime: no such product
    assert caught.value.why and caught.value.do


def test_holes_are_computed_or_solved_where_a_rule_decides_them(table: Table) -> None:
    codec = table.codec
    there = np.flatnonzero(~np.isnan(table.held_out_rows["f"]) & ~np.isnan(table.held_out_rows["c"]))
    truth = take(table.held_out_rows, there)
    shares = [np.full((len(there), unit.size), 1 / unit.size) for unit in codec.units]
    for names, exact in ((("f",), True), (("c",), True), (("total", "amount"), True), (("net", "price"), True)):
        rows = {name: np.full(len(there), np.nan) if name in names else values for name, values in truth.items()}
        filled = fill(codec, codec.solved(rows), shares, None)
        for name in names:
            assert exact and np.allclose(filled[name], truth[name], atol=0.011), name
    rows = {**truth, "net": np.full(len(there), np.nan), "tax": np.full(len(there), np.nan)}
    filled = fill(codec, codec.solved(rows), shares, np.random.default_rng(0))
    assert set(broken(parse_rules(RULES[:3], codec.columns), filled, truth, codec.columns).values()) == {0}


def test_a_stored_codec_is_the_same_and_a_damaged_one_is_refused(table: Table) -> None:
    content, arrays = codec_content(table.codec)
    codec = restore_codec(content, arrays)
    codes = random_codes(codec, 500, seed=1)
    one, two = (each.decode(codes, np.random.default_rng(0)) for each in (codec, table.codec))
    assert all(pd.Series(one[name]).equals(pd.Series(two[name])) for name in one)
    place = next(place for place, unit in enumerate(content["units"]) if unit.get("column") == "f")
    for changed in (
        {**arrays, f"unit{place}/rest/most": arrays[f"unit{place}/rest/most"] + 1},
        {**arrays, f"unit{place}/alone/least": arrays[f"unit{place}/alone/least"][:-1]},
    ):
        with pytest.raises(RunError, match="damaged"):
            restore_codec(content, changed)
    for rules in (content["rules"][1:], [*content["rules"][1:], "f = 1.8 * cc + 32"]):
        with pytest.raises(RunError, match="damaged"):
            restore_codec({**content, "rules": rules}, arrays)


def test_a_value_that_no_seen_values_lead_to_is_refused_before_any_row_is_drawn(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    quantity, price = rng.integers(1, 9, 400), rng.choice([4.5, 9.99, 12.0, 33.25], 400)
    frame = pd.DataFrame({"quantity": quantity, "price": price, "amount": (quantity * price).round(2)})
    model = model_of(table_of(frame, tmp_path, ["amount = quantity * price"], spans=32).codec)
    monkeypatch.setattr(RowModel, "_codes", None)  # nothing can be drawn
    reached = sorted({round(each * one, 2) for each in range(1, 9) for one in (4.5, 9.99, 12.0, 33.25)})
    for value in (4.51, 13.0, 28.5, 100.0):
        assert value not in reached
        with pytest.raises(InputError, match=r"In every row amount = (price \* quantity|quantity \* price), and no"):
            model.conditions([f"amount={value}"])
    for value in reached:
        assert model.conditions([f"amount={value}"])
    assert model.conditions(["13 <= amount <= 14"])  # 13.5
    with pytest.raises(InputError, match=r"No row can meet 13\.6 <= amount"):
        model.conditions(["13.6 <= amount <= 17.9"])
