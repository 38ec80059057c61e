"""Two linked tables, learned and drawn: nothing is broken in any row, and what depends on a parent is learned."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import ganforge as gf
from ganforge.api.request import task_of
from ganforge.api.stored_run import recipe_of, with_source
from ganforge.core.files import write_folder
from ganforge.errors import ChangedDataError, DataError, InputError, RunError
from ganforge.kinds.tables.columns import LinkedTable
from ganforge.kinds.tables.linked.evaluate import lost
from ganforge.kinds.tables.linked.families import Families, Relation, together
from ganforge.kinds.tables.linked.judge import Judge, independent
from ganforge.kinds.tables.linked.likelihood import WAVES, FamilyGenerator, FamilyLayout, FamilySizes, features
from ganforge.kinds.tables.linked.model import LinkedModel, load_generator
from ganforge.kinds.tables.linked.tables import inspect_tables
from ganforge.kinds.tables.linked.write import files_of
from ganforge.kinds.tables.networks import RowLayout
from ganforge.recipe import Network
from ganforge.run import Run

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from two_tables import write_shop

CUSTOMERS = 400
QUICK = {"compute.threads": "1", "compute.device": "cpu", "compute.precision": "float32", "records.marks": "[0, 1]"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("shop"), CUSTOMERS, seed=0)


@pytest.fixture(scope="module")
def run(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "run"
    gf.train(source, run=folder, task="generate", size="tiny", examples=40_000, settings=QUICK)
    return Run(folder)


@pytest.fixture(scope="module")
def model(run: Run) -> LinkedModel:
    found = load_generator(run.model)
    assert isinstance(found, LinkedModel)
    return found


@pytest.fixture(scope="module")
def real(source: Path) -> tuple[Relation, Families]:
    found = inspect_tables(str(source))
    return found.relation, found.families


def test_a_child_is_told_of_its_context_and_of_its_units_before_and_of_nothing_else() -> None:
    torch.manual_seed(0)
    sizes = FamilySizes(parents=(3, 2), context=(4, 12, 9), unordered=(4, 1, 0), own=(5, 3, 4))
    assert features(sizes).shape == (RowLayout(sizes.context).width, 4 + (1 + WAVES) + WAVES)
    layout, generator = (
        FamilyLayout(sizes),
        FamilyGenerator(Network(name="autoregressive", width=8, depth=1), sizes).child,
    )
    codes = torch.stack([torch.randint(size, (6,)) for size in (*sizes.context, *sizes.own)], dim=1)

    def logits(codes: torch.Tensor) -> torch.Tensor:
        told = layout.told(generator, codes[:, :3])
        return generator.rows(layout.own.one_hot(codes[:, 3:]), layout.own, layout.before, told)

    for changed in range(6):
        other = codes.clone()
        other[:, changed] = (other[:, changed] + 1) % (*sizes.context, *sizes.own)[changed]
        differs = (logits(codes) - logits(other)).abs().amax(dim=0) > 1e-6
        for unit in range(3):
            here = bool(differs[layout.own.unit_places(unit)].any())
            assert here is (changed < 3 or unit > changed - 3), (changed, unit)


def test_likelihood_adds_up_to_one_over_all_children() -> None:
    torch.manual_seed(0)
    sizes = FamilySizes(parents=(2,), context=(3, 9), unordered=(3, 0), own=(3, 4, 2))
    layout, generator = (
        FamilyLayout(sizes),
        FamilyGenerator(Network(name="autoregressive", width=8, depth=1), sizes).child,
    )
    every = torch.cartesian_prod(*(torch.arange(size) for size in sizes.own))
    codes = torch.cat([torch.tensor([[1, 7]]).expand(len(every), 2), every], dim=1)
    assert float(layout.of_children(generator, codes).detach().exp().sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_every_child_has_its_parent_and_every_rule_holds_in_every_row(
    run: Run, real: tuple[Relation, Families]
) -> None:
    tables = gf.load(run.folder).sample(2_500, seed=1)
    people, orders = tables["customers"], tables["orders"]
    assert len(people) == 2_500 and len(orders) > 5_000
    assert list(people) == ["id", "segment", "city", "age", "since"]
    assert list(orders) == ["number", "customer_id", "ordered", "kind", "amount"]
    assert orders["customer_id"].isin(people["id"]).all()
    assert people["id"].is_unique and orders["number"].is_unique
    assert not people["id"].isin(pd.Series(real[1].parents["customers.id"])).any()
    assert (~people["id"].isin(orders["customer_id"])).sum() > 100  # parents without children too
    days = pd.to_datetime(orders["ordered"]).astype("datetime64[s]")
    assert (days >= days.groupby(orders["customer_id"]).cummax()).all()
    latest = pd.Series(real[1].children["orders.ordered"]).max()
    assert (days.astype("int64") // 86_400 == latest).mean() < 0.005  # no distance leads beyond the range
    since = people.set_index("id")["since"].reindex(orders["customer_id"]).to_numpy()
    assert (orders["ordered"].to_numpy() >= since).all()  # found: customers.since <= orders.ordered
    rules = json.loads(run.evaluation.read_text())["rules"]
    assert "customers.since <= orders.ordered" in rules and not any(rules.values())


@pytest.mark.slow
def test_the_first_families_do_not_depend_on_how_many_are_drawn(model: LinkedModel) -> None:
    few, many = model.draw(30, seed=2), together(list(model.families(1_500, seed=2)))
    children = len(few.owner)
    for one, other in ((few.parents, many.parents), (few.children, many.children)):
        for name, values in one.items():
            assert pd.Series(values).equals(pd.Series(other[name][: len(values)])), name
    assert many.owner[children - 1] < 30 <= many.owner[children]
    assert len(np.unique(many.children["orders.number"])) == len(many.owner)


@pytest.mark.slow
def test_a_condition_that_few_parents_met_is_told(model: LinkedModel) -> None:
    (age,) = (column for column in model.parents.codec.columns if column.name == "customers.age")
    assert age.maximum is not None
    oldest = int(age.maximum)
    (note,) = model.sample(5, {"where": f"customers.age>={oldest - 1}"}, seed=0).notes
    assert "rests on these few" in note
    assert model.sample(5, {"where": "customers.city=Bonn"}, seed=0).notes == ()


@pytest.mark.slow
def test_conditions_on_parents_hold_and_those_on_children_are_refused(run: Run) -> None:
    trained = gf.load(run.folder)
    tables = trained.sample(200, where=["customers.city=Bonn", "customers.number of orders>=3"])
    assert set(tables["customers"]["city"]) == {"Bonn"}
    assert (tables["orders"].groupby("customer_id").size() >= 3).all()
    assert tables["orders"]["customer_id"].nunique() == 200
    none = trained.sample(40, where="customers.number of orders=0")
    assert len(none["customers"]) == 40 and len(none["orders"]) == 0
    assert list(none["orders"]) == list(tables["orders"])
    with pytest.raises(InputError, match="--balance was given, and this run draws two tables"):
        trained.sample(5, balance="customers.city=Bonn:0.5")
    cold = trained.sample(400, temperature=0.2, seed=4)["orders"]
    assert cold["amount"].std() < trained.sample(400, seed=4)["orders"]["amount"].std()
    for where, words in (("orders.amount>5", "Children are drawn after"), ("city=Bonn", "customers.city")):
        with pytest.raises(InputError, match=words):
            trained.sample(5, where=where)


@pytest.mark.slow
def test_tables_are_written_as_they_came_or_as_a_database(run: Run, tmp_path: Path) -> None:
    drawn = gf.load(run.folder).sample(40, seed=3)
    gf.sample(run.folder, 40, tmp_path / "new", seed=3)
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["customers.csv", "orders.csv"]
    gf.sample(run.folder, 40, tmp_path / "new.sqlite", seed=3)
    with closing(sqlite3.connect(tmp_path / "new.sqlite")) as database:
        database.execute("PRAGMA foreign_keys = ON")
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        for name, frame in drawn.items():
            text = pd.read_csv(tmp_path / "new" / f"{name}.csv")
            stored = pd.read_sql_query(f"SELECT * FROM {name}", database)
            assert stored.equals(text), name
            assert len(text) == len(frame)
    before = (tmp_path / "new" / "orders.csv").read_bytes()
    with pytest.raises(InputError, match="exists already"):
        gf.sample(run.folder, 5, tmp_path / "new")
    (tmp_path / "new" / "mine.txt").write_text("keep me")
    with pytest.raises(InputError, match="did not write"):
        gf.sample(run.folder, 5, tmp_path / "new", force=True)
    with pytest.raises(InputError, match=r"cannot be written as 'new\.csv'"):
        gf.sample(run.folder, 5, tmp_path / "new.csv")
    assert (tmp_path / "new" / "orders.csv").read_bytes() == before


@pytest.mark.slow
def test_tables_that_have_changed_since_are_refused_until_that_is_accepted(
    run: Run, source: Path, tmp_path: Path
) -> None:
    shutil.copytree(source, tmp_path / "shop")
    recipe = with_source(recipe_of(run), str(tmp_path / "shop"))
    opened = task_of(recipe).open(recipe, lambda kind, **content: None)
    assert opened.recipe.data.hash == recipe.data.hash
    orders = tmp_path / "shop" / "orders.csv"
    lines = orders.read_text().splitlines()
    orders.write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(ChangedDataError, match="are not the ones") as changed:
        task_of(recipe).open(recipe, lambda kind, **content: None)
    accepted = recipe.model_copy(update={"data": recipe.data.model_copy(update={"hash": changed.value.now})})
    assert len(task_of(recipe).open(accepted, lambda kind, **content: None).feed) > 0
    orders.unlink()
    with pytest.raises(DataError, match="are not the ones this run was started with"):
        task_of(recipe).open(recipe, lambda kind, **content: None)


@pytest.mark.slow
def test_a_model_whose_parts_do_not_fit_each_other_is_refused(run: Run, tmp_path: Path) -> None:
    content = json.loads((run.model / "model.json").read_text())
    weights = (run.model / "model.safetensors").read_bytes()

    def changed(**update: Any) -> Path:
        def fill(folder: Path) -> None:
            (folder / "model.json").write_text(json.dumps({**content, **update}))
            (folder / "model.safetensors").write_bytes(weights)

        write_folder(tmp_path / "model", fill)
        return tmp_path / "model"

    customers, orders = content["tables"]
    assert isinstance(load_generator(changed()), LinkedModel)
    for tables in (
        [customers],
        [orders, customers],
        [customers, {**orders, "foreign_key": "kind of"}],
        [{**customers, "primary_key": "x"}, orders],
        [{**customers, "ending": "/../.csv"}, orders],
        [{**customers, "columns": customers["columns"][:-1]}, orders],
        [customers, {**orders, "columns": orders["columns"][1:]}],
        "customers",
    ):
        with pytest.raises(RunError):
            load_generator(changed(tables=tables))
    network = content["network"]
    for update in (
        {"parents": content["children"]},
        {"children": content["parents"]},
        {"children": {**content["children"], "units": []}},
        {"network": {**network, "name": "rows", "latent_size": 8}},
        {"network": {**network, "width": 10**9}},
    ):
        with pytest.raises(RunError):
            load_generator(changed(**update))


def test_a_strangers_names_do_not_lead_out_of_the_folder(real: tuple[Relation, Families]) -> None:
    told = [table.model_dump() for table in (real[0].parent, real[0].child)]
    told[0]["name"], told[1]["name"], told[1]["parent"] = "../../etc/a", ".b/..", "../../etc/a"
    files = files_of(Relation.of([LinkedTable.model_validate(table) for table in told]))
    assert all(Path(file).name == file and not file.startswith(".") for file in files.values())


def test_the_judge_sees_what_independent_children_lose(real: tuple[Relation, Families]) -> None:
    relation, families = real
    half = np.arange(len(families)) % 2 == 0
    judge = Judge.prepare(relation, families.chosen(half))
    unseen = judge.score(families.chosen(~half), CUSTOMERS // 2)
    simple = judge.score(independent(relation, families.chosen(half), CUSTOMERS // 2), CUSTOMERS // 2)
    for name in ("parent_child", "siblings"):
        assert simple[name].high < unseen[name].low  # for certain
    assert lost(unseen, unseen, simple) == 0
    assert lost(simple, unseen, simple) == pytest.approx(1)


def test_the_distance_of_the_numbers_of_children_is_that_of_the_distributions(real: tuple[Relation, Families]) -> None:
    relation, families = real
    judge = Judge.prepare(relation, families)
    assert judge.score(families, len(families))["children_per_parent"].value == 0
    none = families.parents | {relation.count: np.zeros(len(families))}
    childless = Families(none, {name: values[:0] for name, values in families.children.items()}, families.owner[:0])
    more = Families(
        families.parents | {relation.count: families.parents[relation.count] + 50}, families.children, families.owner
    )
    assert judge.score(more, len(families))["children_per_parent"].value == 1
    share = float((families.parents[relation.count] > 0).mean())
    assert judge.score(childless, len(families))["children_per_parent"].value == pytest.approx(share)
