"""Two tables and the key between them: found with its reason, asked for, or refused in sentences."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ganforge as gf
from ganforge.errors import DataError, GanforgeError, InputError, RecipeError
from ganforge.kinds import recognise
from ganforge.kinds.tables.linked.families import previous
from ganforge.kinds.tables.linked.link import choose_link, find_link, match_rows, names_agree
from ganforge.kinds.tables.linked.source import holds_several, read_tables
from ganforge.kinds.tables.linked.tables import InspectedTables, inspect_tables

CUSTOMERS, ORDERS = 60, 240


def customers() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": [f"C{number}" for number in range(CUSTOMERS)],
            "age": random.integers(18, 80, CUSTOMERS),
            "city": random.choice(["Bonn", "Graz"], CUSTOMERS),
        }
    )


def orders() -> pd.DataFrame:
    random = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "id": np.arange(ORDERS),
            "customer_id": [f"C{number}" for number in random.integers(0, CUSTOMERS - 10, ORDERS)],
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 300, ORDERS), "D"),
            "amount": random.normal(50, 9, ORDERS).round(2),
        }
    )


def written(folder: Path, **tables: pd.DataFrame) -> Path:
    folder.mkdir(exist_ok=True)
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder


def shop(folder: Path) -> Path:
    return written(folder / "shop", customers=customers(), orders=orders())


def test_the_key_is_found_by_values_and_names_and_the_plan_says_why(tmp_path: Path) -> None:
    recipe = gf.plan(shop(tmp_path), task="generate", size="tiny", examples=512)
    tables = recipe.data.tables  # type: ignore[attr-defined]
    assert [table.name for table in tables] == ["customers", "orders"]
    assert (tables[0].primary_key, tables[1].parent, tables[1].foreign_key) == ("id", "customers", "customer_id")
    assert tables[1].order == "day"
    why = recipe.reasons["data.tables"]
    assert why.startswith("found: id names each row of customers, every customer_id of orders is one of them")
    assert why.endswith("day gives their order")


@pytest.mark.parametrize(
    ("reference", "key", "parent", "agree"),
    [
        ("customer_id", "id", "customers", True),
        ("CustomerID", "id", "customers", True),
        ("customer", "id", "customers", True),
        ("category_no", "no", "categories", True),
        ("box_id", "id", "boxes", True),
        ("customers_key", "key", "customers", True),
        ("customer_id", "customer_id", "people", True),
        ("id", "id", "customers", False),
        ("quantity", "id", "customers", False),
        ("age", "id", "customers", False),
    ],
)
def test_names_agree_where_one_names_the_table_of_the_other(reference: str, key: str, parent: str, agree: bool) -> None:
    assert names_agree(reference, key, parent) is agree


def test_counters_that_fit_the_key_by_chance_are_not_taken() -> None:
    persons = pd.DataFrame({"id": np.arange(1000), "age": 7})
    bought = pd.DataFrame({"id": np.arange(50), "person_id": np.arange(50) % 30, "number": np.arange(50) % 4})
    assert str(find_link({"bought": bought, "persons": persons})) == "bought.person_id -> persons.id"


def test_a_name_that_says_identifier_is_enough_where_only_one_column_fits() -> None:
    people = pd.DataFrame({"id": np.arange(100), "age": 7})
    visits = pd.DataFrame({"id": np.arange(50), "person_id": np.arange(50) % 30, "ward": np.arange(50) % 4})
    assert str(find_link({"people": people, "visits": visits})) == "visits.person_id -> people.id"


def test_several_possible_keys_are_asked_about() -> None:
    sent = pd.DataFrame({"sender": ["a", "b"] * 9, "receiver": ["b", "c"] * 9})
    people = pd.DataFrame({"name": ["a", "b", "c"]})
    with pytest.raises(InputError, match="not clear") as asked:
        find_link({"people": people, "sent": sent})
    for words in ("2 pairs of columns", '--rule "sent.sender -> people.name"', "sent.receiver"):
        assert words in str(asked.value)
    link, others = choose_link({"people": people, "sent": sent}, ["sent.sender -> people.name", "unique people.name"])
    assert (str(link), link.why, others) == ("sent.sender -> people.name", "you asked for it", ("unique people.name",))


def test_whole_numbers_that_fit_by_values_alone_are_asked_about() -> None:
    with pytest.raises(InputError, match="names do not"):
        find_link({"a": pd.DataFrame({"x": np.arange(99)}), "b": pd.DataFrame({"y": [1, 2, 3, 3] * 9})})


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("orders.customer -> customers.id", "Did you mean 'customer_id'?"),
        ("orders.customer_id -> customers.nr", "no column 'nr' in 'customers'"),
        ("orders.amount -> customers.id", "cannot be a key"),
        ("orders.customer_id -> customers.city", "The key 'city' of 'customers' holds"),
        ("orders.id -> customers.age", "times"),
    ],
)
def test_a_key_that_cannot_be_is_refused(rule: str, words: str) -> None:
    frames = {"customers": customers(), "orders": orders()}
    with pytest.raises(GanforgeError) as refused:
        match_rows(choose_link(frames, [rule])[0], frames)
    assert words in str(refused.value)


def test_two_keys_for_two_tables_are_refused() -> None:
    with pytest.raises(RecipeError, match="linked by one key"):
        choose_link(
            {"customers": customers(), "orders": orders()},
            ["orders.customer_id -> customers.id", "orders.id -> customers.id"],
        )


def test_tables_without_a_key_are_refused_with_what_one_is() -> None:
    with pytest.raises(DataError, match="No column of 'a' or 'b' is a key"):
        find_link({"a": pd.DataFrame({"x": [1.5, 2.5]}), "b": pd.DataFrame({"y": ["u", "u"]})})


def test_a_key_of_several_columns_is_refused_in_words() -> None:
    people = pd.DataFrame({"country": ["DE", "FR"] * 20, "no": np.arange(40) // 2, "age": np.arange(40) % 7})
    bought = people.iloc[np.arange(90) % 40][["country", "no"]].assign(amount=1.5)
    with pytest.raises(DataError, match="The key of 'people' is 'country' and 'no' together"):
        find_link({"people": people, "bought": bought})


def test_children_without_a_column_to_learn_are_refused(tmp_path: Path) -> None:
    bare = orders()[["id", "customer_id"]]
    with pytest.raises(DataError, match="'orders' has no column that can be learned"):
        inspect_tables(str(written(tmp_path / "shop", customers=customers(), orders=bare)))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"settings": {"network.name": "rows"}}, "learned by likelihood"),
        ({"settings": {"rows.referee": "1000"}}, "no referee chooses"),
        ({"settings": {"objective.name": "r3gan"}}, "has no opponent"),
        ({"label": "city"}, "--label city was given with two tables"),
        ({"plan": "plan.json"}, "--plan was given with two tables"),
    ],
)
def test_what_is_for_one_table_alone_is_refused(asked: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=words):
        gf.plan(shop(tmp_path), task="generate", **asked)


def test_a_few_orphans_are_told_and_left_out_and_many_are_refused(tmp_path: Path) -> None:
    few = orders()
    few.loc[[3, 70], "customer_id"] = ["C999", None]
    found = inspect_tables(str(written(tmp_path / "few", customers=customers(), orders=few)))
    assert len(found.families.owner) == ORDERS - 2
    assert (
        "2 rows of orders belong to no row of customers ('C999', say) and were left out." in found.passport["warnings"]
    )
    few.loc[:20, "customer_id"] = "C999"
    with pytest.raises(DataError, match=r"Of 240 rows of 'orders' 22 belong to no row of 'customers'"):
        inspect_tables(
            str(written(tmp_path / "many", customers=customers(), orders=few)), ["orders.customer_id -> customers.id"]
        )


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_an_empty_or_tiny_child_table_is_refused(rows: int, tmp_path: Path) -> None:
    source = written(tmp_path / "shop", customers=customers(), orders=orders()[:rows])
    with pytest.raises(DataError, match=r"has \d rows|no rows"):
        inspect_tables(str(source), ["orders.customer_id -> customers.id"])


@pytest.mark.parametrize("count", [1, 3])
def test_other_numbers_of_tables_are_refused(count: int, tmp_path: Path) -> None:
    source = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(source)) as database:
        for number in range(count):
            customers().to_sql(f"t{number}", database, index=False)
    with pytest.raises(DataError, match=rf"holds {count} tables: t0.*more cannot yet"):
        gf.plan(source, task="generate")


def test_duplicate_keys_are_named(tmp_path: Path) -> None:
    twice = pd.concat([customers(), customers()[:1]])
    source = written(tmp_path / "shop", customers=twice, orders=orders())
    with pytest.raises(DataError, match="holds 'C0' 2 times"):
        inspect_tables(str(source), ["orders.customer_id -> customers.id"])


def test_a_key_with_rows_without_a_value_is_refused() -> None:
    people = customers()
    people.loc[7, "id"] = None
    frames = {"customers": people, "orders": orders()}
    with pytest.raises(DataError, match="has rows without a value"):
        match_rows(choose_link(frames, ["orders.customer_id -> customers.id"])[0], frames)


def test_numbers_and_the_same_numbers_as_texts_are_one_key() -> None:
    frames = {
        "persons": pd.DataFrame({"id": np.arange(40), "age": 7}),
        "visits": pd.DataFrame({"person_id": [str(number % 40) for number in range(90)]}),
    }
    assert match_rows(find_link(frames), frames)[0].tolist() == [number % 40 for number in range(90)]


def test_the_same_tables_come_from_text_parquet_and_a_database(tmp_path: Path) -> None:
    tables = {"customers": customers(), "orders": orders()}
    sources = [shop(tmp_path), tmp_path / "parquet", tmp_path / "shop.db"]
    sources[1].mkdir()
    with closing(sqlite3.connect(sources[2])) as database:
        for name, frame in tables.items():
            frame.to_parquet(sources[1] / f"{name}.parquet", index=False)
            dates = frame.select_dtypes("datetime").columns
            frame.astype(dict.fromkeys(dates, str)).to_sql(name, database, index=False)
    found: list[InspectedTables] = []
    for source in sources:
        assert holds_several(source)
        assert recognise(source)[0].name == "tables"
        assert [table.name for table in read_tables(source)] == ["customers", "orders"]
        found.append(inspect_tables(str(source)))
    for other in found[1:]:
        assert other.relation.order == "orders.day"
        _equal(other.families.parents, found[0].families.parents)
        _equal(other.families.children, found[0].families.children)


def _equal(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert pd.Series(values).equals(pd.Series(other[name])), name


def test_parts_of_one_table_and_single_files_are_not_several(tmp_path: Path) -> None:
    for number in (1, 2):
        orders().to_parquet(tmp_path / f"part-{number}.parquet", index=False)
    assert not holds_several(tmp_path)
    assert not holds_several(tmp_path / "part-1.parquet")
    assert not holds_several("wine")
    customers().to_parquet(tmp_path / "customers.parquet", index=False)
    assert holds_several(tmp_path)


def test_a_file_that_only_looks_like_a_database_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"SQLite format 3\0" + b"x" * 200, b"nothing"):
        (tmp_path / "a.sqlite").write_bytes(content)
        with pytest.raises(DataError):
            gf.plan(tmp_path / "a.sqlite", task="generate")


def test_bytes_in_a_database_are_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as database:
        database.execute("CREATE TABLE a (x, y)")
        database.execute("INSERT INTO a VALUES (1, x'00')")
        database.commit()
    with pytest.raises(DataError, match="'y' of 'a' holds bytes"):
        read_tables(tmp_path / "a.db")


def test_the_context_of_a_child_is_what_a_loop_finds(tmp_path: Path) -> None:
    found = inspect_tables(str(shop(tmp_path)))
    rows, owner, relation = found.families.children, found.families.owner, found.relation
    seen: dict[int, list[float]] = {}
    for row, parent in enumerate(owner):
        earlier = seen.setdefault(int(parent), [])
        assert rows["earlier orders"][row] == len(earlier)
        assert rows["customers.age"][row] == found.families.parents["customers.age"][parent]
        before, mean = rows[previous("orders.amount")][row], rows["mean of earlier orders.amount"][row]
        if earlier:
            assert before == earlier[-1] and mean == pytest.approx(np.mean(earlier))
            assert rows[previous("orders.day")][row] <= rows["orders.day"][row]
        else:
            assert np.isnan(before) and np.isnan(mean)
        earlier.append(float(rows["orders.amount"][row]))
    counts = found.families.parents[relation.count]
    assert counts.tolist() == [len(seen.get(parent, [])) for parent in range(CUSTOMERS)]
    assert (counts == 0).sum() >= 10  # those without children are there


def test_rules_are_of_one_table_or_from_the_parent_up_to_the_child(tmp_path: Path) -> None:
    people = customers().assign(low=customers()["age"] - 18)
    bought = orders().assign(level=300 + np.arange(ORDERS) % 5, kind=["book", "toy"] * (ORDERS // 2))
    source = str(written(tmp_path / "shop", customers=people, orders=bought))
    asked = ["customers.age <= 120", "0 <= orders.amount <= 200", "customers.low <= orders.level"]
    words = [rule for rule, _ in inspect_tables(source, asked).rules]
    assert {"customers.age <= 120", "0 <= orders.amount <= 200", "customers.low <= orders.level"} <= set(words)
    for rule in ("customers.low <= orders.amount", "customers.age <= 40", "orders.level <= 200"):
        with pytest.raises(DataError, match="breaks the rule"):
            inspect_tables(source, [rule])
    with pytest.raises(RecipeError, match="between two tables"):
        inspect_tables(source, ["customers.city, orders.kind -> orders.level"])
    with pytest.raises(RecipeError, match="no column"):
        inspect_tables(source, ["orders.amuont <= 3"])
