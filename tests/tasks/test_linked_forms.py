"""Two tables of every form come back as they came: names, types, keys and order. The models are not trained."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ganforge.kinds.tables.columns import RowSettings
from ganforge.kinds.tables.linked.likelihood import FamilyGenerator
from ganforge.kinds.tables.linked.model import LinkedModel, model_of
from ganforge.kinds.tables.linked.tables import inspect_tables, open_tables
from ganforge.kinds.tables.linked.write import write_tables
from ganforge.recipe import Network

PARENTS, CHILDREN = 80, 300
Frames = tuple[pd.DataFrame, pd.DataFrame]


def base() -> Frames:
    random = np.random.default_rng(0)
    parents = pd.DataFrame({"id": np.arange(1, PARENTS + 1), "age": random.integers(18, 80, PARENTS)})
    owner = random.integers(1, PARENTS - 5, CHILDREN)
    children = pd.DataFrame(
        {"number": random.permutation(CHILDREN), "parent_id": owner, "amount": random.normal(9, 2, CHILDREN).round(2)}
    )
    return parents, children


def with_dates(zone: str | None = None) -> Frames:
    parents, children = base()
    days = np.random.default_rng(1).integers(0, 900, CHILDREN)
    children["day"] = pd.Timestamp("2022-01-01", tz=zone) + pd.to_timedelta(days, "D")
    return parents, children


def with_holes() -> Frames:
    parents, children = with_dates()
    random = np.random.default_rng(2)
    children["kind"] = pd.Categorical(random.choice(["a", "b", "c"], CHILDREN))
    children["paid"] = pd.array(random.random(CHILDREN) < 0.5, dtype="boolean")
    children["unit"] = "m"
    for name in ("amount", "kind", "paid"):
        children.loc[random.random(CHILDREN) < 0.2, name] = pd.NA if name == "paid" else None
    parents["city"] = np.where(random.random(PARENTS) < 0.2, None, "Bonn")
    return parents, children


def with_uuids() -> Frames:
    parents, children = base()
    random = np.random.default_rng(3)
    keys = [str(uuid.UUID(bytes=random.bytes(16), version=4)) for _ in range(PARENTS)]
    parents["id"] = keys
    return parents, children.assign(parent_id=[keys[owner - 1] for owner in children["parent_id"]])


def one_each() -> Frames:
    parents, _ = base()
    return parents, pd.DataFrame({"parent_id": parents["id"][::-1].to_numpy(), "size": np.arange(PARENTS) % 7})


def named_with_dots() -> Frames:
    parents, children = with_dates()
    return (
        parents.rename(columns={"age": "age in years, or so"}),
        children.rename(columns={"amount": "net.amount", "day": "day <= end"}),
    )


def with_its_own_count() -> Frames:
    parents, children = base()
    return parents.assign(**{"number of children": 3 + parents["age"] % 2}), children


def senders_and_receivers() -> Frames:
    parents, children = base()
    random = np.random.default_rng(4)
    receiver = pd.array(random.integers(1, PARENTS + 1, CHILDREN), dtype="Int64")
    receiver[random.random(CHILDREN) < 0.25] = pd.NA
    return parents, children.assign(other_parent_id=receiver)


def visits_by_number() -> Frames:
    """Siblings stand in the file in the order of a number, as visits do in that of the days since the first."""
    parents, children = base()
    children = children.sort_values("parent_id", kind="stable").reset_index(drop=True)
    days = np.random.default_rng(5).integers(1, 90, CHILDREN)
    return parents, children.assign(day=pd.Series(days).groupby(children["parent_id"]).cumsum())


def _total(frame: pd.DataFrame) -> pd.Series:
    return (frame["amount"] + frame["tax"]).round(2)


FORMS: dict[str, Callable[[], Frames]] = {
    "running numbers": base,
    "dates": with_dates,
    "zones": lambda: with_dates("Europe/Berlin"),
    "holes": with_holes,
    "uuids": with_uuids,
    "one each": one_each,
    "dots and signs in names": named_with_dots,
    "a column called like the number of children": with_its_own_count,
    "nothing but a key": lambda: (base()[0][["id"]], base()[1]),
    "few columns of children": lambda: (base()[0], base()[1][["parent_id", "amount"]]),
    "nullable references": lambda: (base()[0], base()[1].astype({"parent_id": "Int64"})),
    "a second reference": senders_and_receivers,
    "an order by numbers": visits_by_number,
    "a parent with a thousand children": lambda: (base()[0], pd.concat([base()[1], base()[1].assign(parent_id=3)] * 4)),
    "sums": lambda: (base()[0], base()[1].assign(tax=lambda t: np.round(t["amount"] / 5) + 1, total=_total)),
    "references written as 1.0": lambda: (base()[0], base()[1].astype({"parent_id": "float64"})),
    "categories as keys": lambda: tuple(  # type: ignore[return-value]
        frame.assign(**{key: pd.Categorical("P" + frame[key].astype(str))})
        for frame, key in zip(base(), ("id", "parent_id"), strict=True)
    ),
}


def untrained(source: Path) -> LinkedModel:
    opened = open_tables(inspect_tables(str(source)), RowSettings(spans=8), seed=0, device="cpu")
    generator = FamilyGenerator(Network(name="autoregressive", width=16, depth=1), opened.sizes)
    return model_of(opened.relation, opened.parents, opened.children, generator, "cpu")


@pytest.mark.parametrize("form", FORMS)
def test_both_tables_come_back_as_they_came(form: str, tmp_path: Path) -> None:
    frames = dict(zip(("parents", "children"), FORMS[form](), strict=True))
    (tmp_path / "in").mkdir()
    for name, frame in frames.items():
        frame.to_parquet(tmp_path / "in" / f"{name}.parquet", index=False)
    model = untrained(tmp_path / "in")
    relation = model.relation
    assert (relation.parent.name, relation.child.foreign_key) == ("parents", "parent_id")
    write_tables((model.frames(families) for families in model.families(1_100, seed=1)), tmp_path / "out", relation)
    for name, frame in frames.items():
        made = pd.read_parquet(tmp_path / "out" / f"{name}.parquet")
        read = pd.read_parquet(tmp_path / "in" / f"{name}.parquet")
        keys = {relation.parent.primary_key, relation.child.foreign_key}
        assert list(made) == list(frame)
        for column in frame:
            if str(read[column].dtype) != "category" or column not in keys:  # new keys are not among the categories
                assert made[column].dtype == read[column].dtype, column
            if not frame[column].isna().any():
                assert not made[column].isna().any(), column
    made = {name: pd.read_parquet(tmp_path / "out" / f"{name}.parquet") for name in frames}
    assert len(made["parents"]) == 1_100 and len(made["children"]) > 0
    assert made["parents"]["id"].is_unique
    assert made["children"]["parent_id"].isin(made["parents"]["id"]).all()
    assert not made["parents"]["id"].isin(frames["parents"]["id"]).any()
    if "total" in frames["children"]:
        assert model.children.codec.computed  # found: total = amount + tax
        assert (_total(made["children"]) == made["children"]["total"]).all()
    assert set(relation.child.others) == ({"other_parent_id"} if form == "a second reference" else set())
    for name, other in relation.child.others.items():
        told = made["children"][name]
        assert told.dropna().isin(made["parents"]["id"]).all()
        assert abs(told.isna().mean() - other.missing) < 0.1
    if relation.child.others:
        blocks = (model.frames(families) for families in model.families(40, seed=1))
        with closing(sqlite3.connect(write_tables(blocks, tmp_path / "out.sqlite", relation))) as database:
            assert len(database.execute("PRAGMA foreign_key_list(children)").fetchall()) == 2
            assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    assert relation.child.order == {"an order by numbers": "day"}.get(form, relation.child.order)
    if relation.child.order:
        when = made["children"][relation.child.order]
        assert (when >= when.groupby(made["children"]["parent_id"], observed=True).cummax()).all()
