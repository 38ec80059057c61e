"""Categories that few training rows have are neither drawn nor held: their rows are learned with similar ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from codec_world import drawn_from, table_of

from ganforge.errors import InputError
from ganforge.kinds.tables.codec.codec import codec_content, restore_codec
from ganforge.kinds.tables.codec.rare_categories import RARE
from ganforge.kinds.tables.rules.conditions import parse_where

ROWS, DRAWN = 4_000, 100_000


def people(seed: int = 0) -> pd.DataFrame:
    """Three jobs, each at its own place; six rows of jobs that two or three rows have; half a number."""
    random = np.random.default_rng(seed)
    place = random.choice(3, ROWS, p=[0.6, 0.3, 0.1])
    job = np.array(["cook", "baker", "smith"], object)[place]
    job[:3], job[3:6], place[:6] = "lion tamer", "ghost writer", 2
    return pd.DataFrame({"job": job, "place": np.array(list("abc"), object)[place], "z": random.random(ROWS)})


@pytest.mark.parametrize("rare", [0, 1, 5])
def test_a_planted_category_is_drawn_only_if_all_are(rare: int, tmp_path: Path) -> None:
    table = table_of(people(), tmp_path, rare=rare)
    drawn, train = drawn_from(table, DRAWN), table.train_rows
    planted = {"lion tamer", "ghost writer"} & set(train["job"])
    assert planted and (planted & set(drawn["job"]) == (planted if rare < 2 else set()))
    for job in ("cook", "baker", "smith"):
        wanted = np.mean(train["job"] == job)
        lost = np.isin(train["job"], list(planted)).mean() * (rare > 1)
        assert abs(np.mean(drawn["job"] == job) - wanted) <= lost + 5 * np.sqrt(wanted / DRAWN)


def test_what_stands_for_a_rare_value_goes_with_the_other_columns(tmp_path: Path) -> None:
    frame = people()
    frame.loc[: 60 - 1, "job"], frame.loc[: 60 - 1, "place"] = [f"job {n // 2}" for n in range(60)], "c"
    drawn = drawn_from(table_of(frame, tmp_path, rare=5), DRAWN)
    at_c = drawn["place"] == "c"
    assert (drawn["job"][at_c] == "smith").mean() > 0.97 and set(drawn["job"]) == {"cook", "baker", "smith"}


def test_no_file_of_the_model_holds_a_rare_value(tmp_path: Path) -> None:
    table = table_of(people(), tmp_path, rare=5)
    content, arrays = codec_content(table.codec)
    assert "lion tamer" not in json.dumps(content) and "cook" in json.dumps(content)
    restored = restore_codec(content, arrays)
    assert restored.known == table.codec.known and "ghost writer" not in restored.known["job"]
    with pytest.raises(InputError, match=r"'job' is never 'lion tamer', or in fewer rows than rows\.rare"):
        parse_where("job=lion tamer", restored.columns, restored.known)


def test_no_training_row_is_without_a_code(tmp_path: Path) -> None:
    codes = table_of(people(), tmp_path, rare=5).train.tensors["x"].numpy()
    assert (codes >= 0).all()


def test_what_is_kept_back_is_counted(tmp_path: Path) -> None:
    table = table_of(people(), tmp_path, rare=5)
    kept = {"+".join(each.columns): each for each in table.protection.kept}
    rare = np.isin(table.train_rows["job"], ["lion tamer", "ghost writer"])
    assert kept["job"].values == len(set(table.train_rows["job"][rare])) and kept["job"].share == rare.mean()
    assert "frequent ones" in kept["job"].sentence and "place" not in kept


def test_a_missing_value_is_not_rare(tmp_path: Path) -> None:
    frame = people()
    frame.loc[[10, 11, 12], "job"] = None
    table = table_of(frame, tmp_path, rare=5)
    assert pd.isna(drawn_from(table, DRAWN)["job"]).mean() == pytest.approx(3 / ROWS, abs=5e-4)


def test_so_many_rare_values_that_frequent_ones_would_be_too_frequent_become_a_word(tmp_path: Path) -> None:
    frame = people()
    frame.loc[:1_199, "job"] = [f"job {n // 3}" for n in range(1_200)]
    table = table_of(frame, tmp_path, rare=5)
    drawn, train = drawn_from(table, DRAWN)["job"], table.train_rows["job"]
    rare = np.char.startswith(train.astype(str), "job ")
    assert set(drawn) == {"cook", "baker", "smith", RARE}
    for job in ("cook", "baker", "smith"):
        assert abs(np.mean(drawn == job) - np.mean(train == job)) < 0.01
    assert np.mean(drawn == RARE) == pytest.approx(rare.mean(), abs=0.01)
    assert len(parse_where(f"job={RARE}", table.codec.columns, table.codec.known)) == 1


def test_a_list_of_values_gets_no_word_that_it_does_not_hold(tmp_path: Path) -> None:
    frame = people()
    frame.loc[:1_199, "job"] = [f"job {n // 3}" for n in range(1_200)]
    frame = frame.astype({"job": "category"}).assign(yes=np.arange(ROWS) < 3)
    drawn = drawn_from(table_of(frame, tmp_path, rare=5), DRAWN)
    assert set(drawn["job"]) == {"cook", "baker", "smith"} and len(set(drawn["yes"])) == 1


def cities(seed: int = 0) -> pd.DataFrame:
    """Ten cities in two countries, and villages with two rows each, half of them in a country that has no city."""
    random = np.random.default_rng(seed)
    city = random.integers(0, 10, ROWS)
    names = np.array([f"City {n}" for n in range(10)], object)[city]
    country = np.array(["A", "B"], object)[city % 2]
    for row in range(300):
        names[row], country[row] = f"Village {row // 2}", "B" if row < 290 else "C"
    return pd.DataFrame({"city": names, "country": country, "z": random.random(ROWS)})


def test_of_a_rare_combination_the_frequent_part_is_kept(tmp_path: Path) -> None:
    table = table_of(cities(), tmp_path, ["city -> country"], rare=5)
    drawn, train = drawn_from(table, DRAWN), table.train_rows
    assert not any(city.startswith("Village") for city in set(drawn["city"])) and "C" not in drawn["country"]
    seen = set(zip(train["city"], train["country"], strict=True))
    assert set(zip(drawn["city"], drawn["country"], strict=True)) <= seen
    assert np.mean(drawn["country"] == "B") == pytest.approx(np.mean(train["country"] == "B"), abs=0.01)


@pytest.mark.parametrize("each", [2, 4])
def test_combinations_that_are_nearly_all_rare_do_not_vanish(each: int, tmp_path: Path) -> None:
    code = np.arange(ROWS) // each
    code[:100] = 0
    frame = pd.DataFrame({"product": code.astype(str), "price": code % 97 / 4, "z": np.arange(ROWS) % 7})
    table = table_of(frame.sample(frac=1, random_state=0), tmp_path, ["product -> price"], rare=5)
    drawn = drawn_from(table, 20_000)
    assert len(set(drawn["product"])) > 100
    assert any("drawn all the same" in each.sentence for each in table.protection.kept)


def test_a_key_of_another_table_gets_no_word(tmp_path: Path) -> None:
    frame = people()
    frame.loc[:1_199, "job"] = [f"job {n // 3}" for n in range(1_200)]
    drawn = drawn_from(table_of(frame, tmp_path, ["seen job"], rare=5), 20_000)
    assert set(drawn["job"]) <= set(frame["job"])


@pytest.mark.parametrize("rows", [30, 60])
def test_a_small_table_keeps_its_categories(rows: int, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.choice(list("abcdefg"), rows), "b": random.choice(["x", "y"], rows)})
    table = table_of(frame, tmp_path, rare=2)
    counts: Any = pd.Series(table.train_rows["a"]).value_counts()
    assert set(counts[counts > 1].index) <= set(drawn_from(table, 5_000)["a"]) <= {*counts[counts > 1].index, RARE}


def test_a_value_that_is_the_word_already_takes_the_rare_ones(tmp_path: Path) -> None:
    frame = people()
    frame.loc[:1_199, "job"] = [f"job {n // 3}" for n in range(1_200)]
    frame.loc[1_200:1_399, "job"] = RARE
    drawn = drawn_from(table_of(frame, tmp_path, rare=5), DRAWN)["job"]
    assert np.mean(drawn == RARE) == pytest.approx(1_400 / ROWS, abs=0.015)


def test_a_number_of_rows_that_no_value_has_leaves_the_word(tmp_path: Path) -> None:
    frame = people().assign(yes=np.arange(ROWS) % 3 == 0)
    drawn = drawn_from(table_of(frame, tmp_path, rare=10**9), 2_000)
    assert set(drawn["job"]) == {RARE} and len(set(drawn["yes"])) == 1 and len(set(drawn["z"])) <= 2


def test_a_column_that_is_rare_in_most_rows_is_named(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    code = np.array([f"0x{number:04x}" for number in random.integers(0, 900, 1_000)])
    frame = pd.DataFrame({"code": code, "shop": np.array(["north", "south"])[random.integers(0, 2, 1_000)]})
    (said,) = [one for one in table_of(frame, tmp_path, (), rare=5).passport["warnings"] if "(rare)" in one]
    assert "'code'" in said and "rows.rare=0" in said
    assert not any("(rare)" in one for one in table_of(frame, tmp_path, (), rare=0).passport["warnings"])
