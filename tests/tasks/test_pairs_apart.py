"""Pairs of categories that never occur though chance would give many: counted rightly, and what they cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import ganforge as gf
from ganforge.engine.feed import TensorFeed
from ganforge.kinds.tables.columns import RowSettings
from ganforge.kinds.tables.generate.apart import pairs_apart, share_apart
from ganforge.kinds.tables.networks import RowLayout
from ganforge.kinds.tables.table import Table, inspect_table, open_table
from ganforge.run import Run

ROWS = 20_000


def written(folder: Path) -> Path:
    """Husbands are men but for two slips; a rare role never meets a rare town, of which chance expects five rows."""
    random = np.random.default_rng(0)
    sex = random.choice(["man", "woman"], ROWS)
    role = np.where((random.random(ROWS) < 0.4) & (sex == "man"), "husband", "child")
    role[np.flatnonzero(sex == "woman")[:2]] = "husband"
    town = random.choice(["A", "B", "C"], ROWS, p=[0.6, 0.38, 0.02])
    town[(role == "husband") & (town == "C")] = "A"
    guild = random.choice(["x", "y"], ROWS, p=[0.98, 0.02])
    guild[(guild == "y") & (town == "C")] = "x"
    frame = pd.DataFrame({"sex": sex, "role": role, "town": town, "guild": guild, "age": random.integers(0, 9, ROWS)})
    frame.to_parquet(folder / "table.parquet", index=False)
    return folder / "table.parquet"


def opened(folder: Path) -> Table:
    return open_table(inspect_table(written(folder), (), ()), RowSettings(), seed=0, device="cpu")


def named(table: Table, apart: torch.Tensor) -> set[frozenset[str]]:
    layout, codec = RowLayout(table.codec.sizes), table.codec
    assert torch.equal(apart, apart.T)
    words = {
        int(layout.starts[place]) + code: f"{unit.columns[0]}={unit.values[unit.columns[0]][code]}"  # type: ignore[union-attr, index]
        for place, unit in enumerate(codec.units)
        if unit.columns[0] != "age"
        for code in range(unit.size)
    }
    return {frozenset((words[i], words[j])) for i, j in apart.nonzero().tolist()}


def test_pairs_are_kept_apart_where_chance_would_give_many_and_there_are_none_or_almost(tmp_path: Path) -> None:
    table = opened(tmp_path)
    apart = pairs_apart(table.codec, table.train, expected=20)
    assert named(table, apart) == {frozenset(("sex=woman", "role=husband")), frozenset(("role=husband", "town=C"))}
    # Chance would give the rare guild in the rare town eight rows: too few to be a fact.
    more = named(table, pairs_apart(table.codec, table.train, expected=4))
    assert more - named(table, apart) == {frozenset(("guild=y", "town=C"))}
    assert not pairs_apart(table.codec, table.train, expected=0).any()


def test_what_it_costs_is_the_share_of_real_rows_that_are_no_longer_drawn(tmp_path: Path) -> None:
    table = opened(tmp_path)
    apart = pairs_apart(table.codec, table.train, expected=20)
    rows = torch.cat([table.train.tensors["x"], table.held_out.tensors["x"]])
    assert share_apart(apart, table.codec, TensorFeed("cpu", x=rows)) == pytest.approx(2 / ROWS)


@pytest.mark.slow
def test_a_run_tells_how_many_pairs_it_does_not_draw_and_draws_none(tmp_path: Path) -> None:
    settings = {"compute.threads": "1", "records.marks": "[1]", "network.width": "8"}
    trained = gf.train(written(tmp_path), run=tmp_path / "run", examples=2_560, settings=settings)
    told = [event["sentence"] for event in Run(trained.folder).read_events() if event["kind"] == "noted"]
    assert len(told) == 1 and told[0].startswith("2 pairs of values that never occur are not drawn")
    rows = trained.sample(8_192)
    assert not ((rows["sex"] == "woman") & (rows["role"] == "husband")).any() and (rows["role"] == "husband").any()
