"""Columns and pairs against numbers that are known without the code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interval_checks import assert_intervals_hold
from scipy import stats
from tables_world import COLUMNS, chosen, people, permuted

from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.measures import similarity as module
from ganforge.kinds.tables.measures.similarity import (
    BINS,
    MISSING,
    MOST_QUICK,
    MOST_VALUES,
    Coding,
    quick_table_quality,
    similarity,
)
from ganforge.measures.distributions import correlations, cramers_v, kolmogorov_smirnov, total_variation


@given(
    st.lists(st.integers(0, 8), min_size=3, max_size=40),
    st.lists(st.integers(0, 8), min_size=3, max_size=40),
)
def test_the_distance_of_distributions_is_scipys(real: list[int], fake: list[int]) -> None:
    found = kolmogorov_smirnov(np.array(real, float), np.array(fake, float))[0]
    assert found == pytest.approx(stats.ks_2samp(real, fake, method="asymp").statistic)


def test_a_missing_number_counts_as_a_value_below_all_others() -> None:
    real, fake = np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 3, np.nan])
    assert kolmogorov_smirnov(real, fake)[0] == pytest.approx(0.25)
    assert kolmogorov_smirnov(fake, fake)[0] == 0
    assert kolmogorov_smirnov(np.full(3, np.nan), real)[0] == 1
    as_low = np.array([1.0, 2, 3, -9])
    mixed = np.array([np.nan, np.nan, 1.0, 3.5])
    assert (
        kolmogorov_smirnov(fake, mixed)[0]
        == kolmogorov_smirnov(as_low, np.where(np.isnan(mixed), -9, mixed))[0]
        == pytest.approx(0.25)
    )


def test_total_variation_is_half_the_sum_of_differences_of_shares() -> None:
    real, fake = np.repeat([0, 1, 2], [5, 3, 2]), np.repeat([0, 1, 3], [1, 2, 1])
    assert total_variation(real, fake, 4)[0] == pytest.approx((0.25 + 0.2 + 0.2 + 0.25) / 2)


def test_each_jackknife_value_is_the_distance_without_that_block() -> None:
    random = np.random.default_rng(0)
    real, fake = random.normal(size=53), random.normal(0.5, 1, 41)
    found = kolmogorov_smirnov(real, fake, blocks=4)
    for block in range(4):
        kept_real, kept_fake = (side[np.arange(len(side)) % 4 != block] for side in (real, fake))
        assert found[1 + block] == pytest.approx(stats.ks_2samp(kept_real, kept_fake).statistic)


def test_correlations_are_those_of_the_rows_where_both_are_there() -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(200, 3)) @ random.normal(size=(3, 3)) + 5
    x[random.random(x.shape) < 0.2] = np.nan
    found = correlations(x, blocks=3)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        both = ~np.isnan(x[:, i]) & ~np.isnan(x[:, j])
        assert found[0, i, j] == pytest.approx(np.corrcoef(x[both, i], x[both, j])[0, 1])
        both &= np.arange(200) % 3 != 1
        assert found[2, i, j] == pytest.approx(np.corrcoef(x[both, i], x[both, j])[0, 1])


def test_a_column_that_does_not_vary_has_correlation_zero() -> None:
    x = np.stack([np.arange(10.0), np.full(10, 3.0), np.full(10, np.nan)], axis=1)
    assert correlations(x)[0][0].tolist() == pytest.approx([1, 0, 0])


def test_dependence_is_one_for_a_function_and_nought_for_strangers() -> None:
    assert cramers_v(np.eye(4) / 4, 400) == pytest.approx(1)
    assert cramers_v(np.full((4, 5), 1 / 20), 400) == 0
    noise = np.histogram2d(*np.random.default_rng(0).integers(0, 10, (2, 300)), bins=10)[0] / 300
    assert cramers_v(noise, 300) < 0.08  # without Bergsma's correction it is 0.17


def test_the_same_rows_are_wholly_alike_and_shuffled_columns_in_their_pairs_only_are_not() -> None:
    train = people(4000, 0)
    coding = Coding.fit(train, COLUMNS)
    coded = coding.code(train)
    same, mixed = similarity(coded, coded), similarity(coded, coding.code(permuted(train, 1)))
    assert same.quality.value == same.shapes.value == 1
    assert same.pairs is not None
    assert same.pairs.value == 1
    assert mixed.shapes.value == 1
    assert mixed.pairs is not None
    assert mixed.pairs.value < 0.8
    assert same.names == ("age", "hours", "gain", "seen", "town", "rich")


def test_only_pairs_that_depend_on_each_other_count_unless_none_does() -> None:
    train = people(4000, 0)
    coded = Coding.fit(train, COLUMNS).code(train)
    found = similarity(coded, coded)
    pairs = {(found.names[i], found.names[j]) for i, j in zip(*np.nonzero(np.triu(found.related)), strict=True)}
    assert pairs == {("age", "hours"), ("age", "rich"), ("hours", "rich")}
    strangers = chosen("gain", "seen", "town")
    alone = Coding.fit(train, strangers).code(train)
    assert int(similarity(alone, alone).related.sum()) == 6


def test_the_interval_of_the_quality_holds_its_expectation() -> None:
    """Of 40 draws of two tables from one world."""
    columns = chosen("age", "hours", "rich")
    found = []
    for seed in range(40):
        coding = Coding.fit(people(300, 1000), columns)
        real, fake = (coding.code(people(300, 2 * seed + part)) for part in (0, 1))
        found.append(similarity(real, fake).quality)
    assert_intervals_hold(found)


def test_codes_follow_frequency_and_bins_follow_quantiles() -> None:
    table = {"town": np.array(["b", "a", "a", None, "c"], object), "age": np.array([0.0, 0, 0, 0, 7])}
    coding = Coding.fit(table, chosen("town", "age"))
    assert coding.code(table).codes["town"].tolist() == [2, 1, 1, MISSING, 3]
    other = {"town": np.array(["z"], object), "age": np.array([np.nan])}
    assert coding.code(other).codes["town"].tolist() == [4]
    assert coding.code(other).codes["age"].tolist() == [MISSING]
    bins = coding.code(table).codes["age"]
    assert bins[:4].tolist() == [1, 1, 1, 1]
    assert bins[4] > 1  # a spike is a bin of its own


def test_quantile_bins_of_a_continuous_column_are_equally_full() -> None:
    values = {"hours": np.random.default_rng(0).normal(size=1000)}
    counts = np.bincount(Coding.fit(values, chosen("hours")).code(values).codes["hours"])
    assert counts[1:].tolist() == [1000 // BINS] * BINS


def test_ten_thousand_values_and_more_are_counted_in_bounded_codes() -> None:
    column = (Column(name="k", kind="category", dtype="str"),)
    table = {"k": np.array([f"v{i}" for i in range(MOST_VALUES + 500)] + ["v0"], object)}
    coded = Coding.fit(table, column).code(table)
    assert coded.codes["k"][0] == 1
    assert coded.codes["k"].max() == MOST_VALUES + 1
    assert coded.sizes["k"] == MOST_VALUES + 2


def test_a_look_gives_five_scores_with_their_ends() -> None:
    found = quick_table_quality(people(800, 0), people(800, 1), COLUMNS)
    assert {name.removesuffix("_low").removesuffix("_high") for name in found} == {
        "column_shapes",
        "column_pairs",
        "table_quality",
        "coverage",
        "diversity",
    }
    assert len(found) == 15
    assert found["table_quality"] == pytest.approx((found["column_shapes"] + found["column_pairs"]) / 2)
    assert found["table_quality_low"] < found["table_quality"] < found["table_quality_high"]
    assert (
        found["table_quality"]
        > quick_table_quality(people(800, 0), permuted(people(800, 1), 0), COLUMNS)["table_quality"]
    )


def test_a_look_at_sorted_rows_sees_all_of_them() -> None:
    many = {"age": np.sort(np.random.default_rng(0).normal(size=4 * MOST_QUICK))}
    assert quick_table_quality(many, many, chosen("age"))["column_shapes"] == 1
    shown = {"age": np.random.default_rng(1).permutation(many["age"])}
    assert quick_table_quality(many, shown, chosen("age"))["column_shapes"] > 0.97


def test_a_look_at_one_column_has_no_pairs() -> None:
    found = quick_table_quality(people(100, 0), people(100, 1), chosen("town", "id"))
    assert "column_pairs" not in found
    assert found["table_quality"] == found["column_shapes"]


@pytest.mark.parametrize("shuffled", [False, True], ids=["related", "independent"])
def test_of_very_many_pairs_some_are_compared_and_the_others_do_not_count(
    monkeypatch: pytest.MonkeyPatch, shuffled: bool
) -> None:
    table = people(2_000, 0)
    if shuffled:  # no pair is related: all that were compared count
        random = np.random.default_rng(0)
        table = {name: random.permutation(values) for name, values in table.items()}
    coded = Coding.fit(table, COLUMNS).code(table)
    whole = similarity(coded, coded)
    monkeypatch.setattr(module, "MOST_COUNTED_PAIRS", 3)
    found = similarity(coded, coded)
    numbers = [name in coded.numbers for name in found.names]
    both = np.outer(numbers, numbers)
    assert int((~np.isnan(found.by_pair)).sum()) == 2 * 3 + int(both.sum()) - sum(numbers)
    assert found.quality.value == pytest.approx(whole.quality.value) == pytest.approx(1.0)
    assert not (found.related & np.isnan(found.by_pair)).any() and found.related.any()
