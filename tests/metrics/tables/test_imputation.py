"""How well cells are filled: closed forms of the two measures, and what is hidden."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ganforge.contracts import Plain
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.impute import (
    HIDDEN,
    SIMPLEST,
    MaskedRows,
    by_means,
    by_neighbours,
    by_regression,
    filling_scores,
    mask_cells,
    verdict,
)
from ganforge.records import Estimate

COLUMNS = (
    Column(name="x", kind="decimal", dtype="float64", minimum=0.0, maximum=10.0),
    Column(name="y", kind="integer", dtype="int64", minimum=-5.0, maximum=5.0),
    Column(name="day", kind="datetime", dtype="datetime64[s]", resolution="D", minimum=0.0, maximum=100.0),
    Column(name="word", kind="category", dtype="str"),
    Column(name="flag", kind="boolean", dtype="bool"),
    Column(name="id", kind="identifier", dtype="str"),
    Column(name="same", kind="constant", dtype="str"),
)


def rows(count: int = 20_000, seed: int = 0) -> Plain:
    random = np.random.default_rng(seed)
    x = random.uniform(0, 10, count)
    x[::10] = np.nan
    word = np.array(["a", "b", "c", None], dtype=object)[random.choice(4, count, p=[0.5, 0.2, 0.2, 0.1])]
    return {
        "x": x,
        "y": np.round(random.uniform(-5, 5, count)),
        "day": np.round(random.uniform(0, 100, count)),
        "word": word,
        "flag": np.array(["True", "False"], dtype=object)[random.integers(0, 2, count)],
        "id": np.array([f"C-{n}" for n in range(count)], dtype=object),
        "same": np.full(count, "k", dtype=object),
    }


def test_a_fifth_of_the_cells_that_are_there_is_hidden_and_nothing_else() -> None:
    plain = rows()
    kept = {name: values.copy() for name, values in plain.items()}
    holes = mask_cells(plain, COLUMNS, seed=0)
    assert set(holes.hidden) == {"x", "y", "day", "word", "flag"}
    for name, cells in holes.hidden.items():
        there = ~pd.isna(kept[name])
        assert not (cells & ~there).any()
        assert cells[there].mean() == pytest.approx(HIDDEN, abs=4 * np.sqrt(0.16 / there.sum()))
        assert pd.isna(holes.rows[name][cells]).all()
        np.testing.assert_array_equal(holes.rows[name][~cells], kept[name][~cells])
    for name, values in kept.items():
        assert pd.Series(plain[name]).equals(pd.Series(values))  # the rows that were given are not touched
        assert pd.Series(holes.truth[name]).equals(pd.Series(values))
    assert holes.rows["id"] is plain["id"]


def test_columns_are_hidden_independently_of_each_other_and_repeatably() -> None:
    plain = rows()
    one, again, other = (mask_cells(plain, COLUMNS, seed).hidden for seed in (0, 0, 1))
    assert all((one[name] == again[name]).all() for name in one)
    assert (one["y"] != other["y"]).any()
    both = (one["y"] & one["day"]).mean()
    assert both == pytest.approx(HIDDEN**2, abs=4 * np.sqrt(0.04 / 20_000))


def holes_of(**hidden: list[bool]) -> MaskedRows:
    plain = rows(4)
    plain["x"], plain["y"] = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 1.0, 2.0, 3.0])
    plain["word"] = np.array(["a", "b", "a", "c"], dtype=object)
    return MaskedRows(plain, plain, {name: np.array(cells) for name, cells in hidden.items()})


def test_the_error_is_the_root_mean_square_of_the_columns_ranges() -> None:
    holes = holes_of(x=[True, True, False, False], y=[False, False, False, True])
    filled = {**holes.truth, "x": np.array([2.0, 4.0, 99.0, 99.0]), "y": np.array([0.0, 1.0, 2.0, 1.0])}
    found = filling_scores(holes, filled, COLUMNS)
    assert set(found) == {"rmse"}
    assert found["rmse"].value == pytest.approx(np.sqrt((0.1**2 + 0.2**2 + 0.2**2) / 3), rel=1e-12)
    assert found["rmse"].low <= found["rmse"].value <= found["rmse"].high


def test_accuracy_is_the_share_of_hidden_words_that_are_found() -> None:
    holes = holes_of(word=[True, True, True, False], flag=[False] * 4)
    filled = {**holes.truth, "word": np.array(["a", "a", "a", "wrong, but not hidden"], dtype=object)}
    found = filling_scores(holes, filled, COLUMNS)
    assert set(found) == {"accuracy"} and found["accuracy"].value == pytest.approx(2 / 3)


def test_what_was_hidden_given_back_is_perfect_and_nothing_hidden_has_no_score() -> None:
    holes = mask_cells(rows(500), COLUMNS, seed=0)
    perfect = filling_scores(holes, holes.truth, COLUMNS)
    assert (perfect["rmse"].value, perfect["rmse"].high, perfect["accuracy"].value) == (0.0, 0.0, 1.0)
    none = holes_of(x=[False] * 4, word=[False] * 4)
    assert filling_scores(none, none.truth, COLUMNS) == {}


def test_means_fill_with_the_mean_and_the_most_frequent_value_of_the_training_rows() -> None:
    train, asked = rows(2_000), rows(50, seed=1)
    asked["y"][:5] = np.nan
    filled = by_means(train, asked, COLUMNS)
    holes = np.isnan(asked["x"])
    assert (filled["x"][holes] == pytest.approx(np.nanmean(train["x"]), rel=1e-12)) and holes.any()
    np.testing.assert_array_equal(filled["x"][~holes], asked["x"][~holes])
    assert (filled["y"][:5] == train["y"].mean()).all()
    assert set(filled["word"][pd.isna(asked["word"])]) == {"a"}
    assert filled["id"] is asked["id"]


def test_by_means_a_uniform_column_has_the_error_of_its_standard_deviation() -> None:
    plain = {"x": np.random.default_rng(0).uniform(0, 10, 40_000)}
    holes = mask_cells(plain, COLUMNS[:1], seed=0)
    found = filling_scores(holes, by_means(plain, holes.rows, COLUMNS[:1]), COLUMNS[:1])["rmse"]
    assert found.value == pytest.approx(1 / np.sqrt(12), abs=0.005)
    assert found.low < 1 / np.sqrt(12) < found.high


@pytest.mark.parametrize("rival", [by_neighbours, by_regression])
def test_rivals_find_a_relation_that_means_do_not_and_leave_what_is_there(rival) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(0)
    x = random.uniform(0, 10, 1_500)
    plain = {"x": x, "y": np.round(x - 5), "word": np.array(["a", "b"], dtype=object)[random.integers(0, 2, 1_500)]}
    columns = (COLUMNS[0], COLUMNS[1], COLUMNS[3])
    holes = mask_cells(plain, columns, seed=0)
    filled = rival(plain, holes.rows, columns)
    mine = filling_scores(holes, filled, columns)
    simplest = filling_scores(holes, by_means(plain, holes.rows, columns), columns)
    assert mine["rmse"].value < 0.6 * simplest["rmse"].value
    assert abs(mine["accuracy"].value - 0.5) < 0.15  # the word follows from nothing
    for name, cells in holes.hidden.items():
        assert not pd.isna(filled[name]).any()
        if name != "word":
            np.testing.assert_allclose(filled[name][~cells], plain[name][~cells], rtol=0, atol=1e-12)


@pytest.mark.parametrize("rival", [by_neighbours, by_regression])
def test_rivals_see_categories_and_fill_them(rival) -> None:  # type: ignore[no-untyped-def]
    """The number follows from the word alone, and the word from the number or the flag."""
    random = np.random.default_rng(0)
    word = random.integers(0, 3, 1_500)
    plain = {
        "x": np.array([1.0, 9.0, 4.0])[word] + random.normal(0, 0.1, 1_500),
        "word": np.array(["a", "b", "c"], dtype=object)[word],
        "flag": np.array(["True", "False", "True"], dtype=object)[word],
    }
    columns = (COLUMNS[0], COLUMNS[3], COLUMNS[4])
    holes = mask_cells(plain, columns, seed=0)
    filled = rival(plain, holes.rows, columns)
    found = filling_scores(holes, filled, columns)
    simplest = filling_scores(holes, by_means(plain, holes.rows, columns), columns)
    assert found["accuracy"].value > simplest["accuracy"].value + 0.2
    assert found["rmse"].value < 0.5 * simplest["rmse"].value
    for name, cells in holes.hidden.items():
        assert (filled[name][~cells] == plain[name][~cells]).all()


def test_a_column_without_any_value_and_words_that_training_has_not_seen_are_no_trouble() -> None:
    train = {
        "x": np.arange(40.0) % 10,
        "word": np.full(40, None),
        "flag": np.array(["True", "False"] * 20, dtype=object),
    }
    asked = {**train, "flag": np.array(["never", None] * 20, dtype=object)}
    for rival in (by_neighbours, by_regression):
        filled = rival(train, asked, (COLUMNS[0], COLUMNS[3], COLUMNS[4]))
        assert (filled["flag"][::2] == "never").all() and set(filled["flag"][1::2]) <= {"True", "False"}


def scores(rmse: float, accuracy: float, spread: float = 0.002) -> dict[str, Estimate]:
    told = {"rmse": rmse, "accuracy": accuracy}
    return {name: Estimate(value, value - spread, value + spread) for name, value in told.items()}


RIVALS = {SIMPLEST: scores(0.2, 0.5), "k-nearest neighbours": scores(0.078, 0.6)}


def test_the_verdict_weighs_numbers_and_categories_together() -> None:
    """A little more error in numbers, a tenth of the wrong categories."""
    found = verdict(scores(0.083, 0.967), RIVALS)
    assert found.grade == "good" and "better than by k-nearest neighbours" in found.headline
    assert found.sentences[0].endswith("In this alone k-nearest neighbours is better.")
    assert "alone" not in found.sentences[1]


@pytest.mark.parametrize(
    ("mine", "grade", "said"),
    [
        (scores(0.078, 0.6), "fair", "k-nearest neighbours fills hidden cells better"),
        (scores(0.077, 0.6, spread=0.02), "fair", "as well as by k-nearest neighbours"),
        (scores(0.07, 0.58), "good", "better than by k-nearest neighbours"),
        (scores(0.15, 0.55), "fair", "k-nearest neighbours fills hidden cells better: use it here"),
        (scores(0.25, 0.4), "failed", "k-nearest neighbours fills hidden cells better"),
        ({"rmse": Estimate(0.05, 0.04, 0.06)}, "good", "better than by k-nearest neighbours"),
        ({"accuracy": Estimate(0.55, 0.54, 0.56)}, "fair", "k-nearest neighbours fills hidden cells better"),
        ({"accuracy": Estimate(1.0, 1.0, 1.0)}, "good", "better than by k-nearest neighbours"),
    ],
)
def test_the_verdict_follows_from_the_mean_of_the_ratios(mine: dict[str, Estimate], grade: str, said: str) -> None:
    theirs = {name: {measure: told[measure] for measure in mine} for name, told in RIVALS.items()}
    found = verdict(mine, theirs)
    assert found.grade == grade and said in found.headline
