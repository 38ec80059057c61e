"""Spans end at gaps, and around the values of a rare category; an ordinary column keeps its spans."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ganforge.kinds.tables.codec.breaks import cut_at_gaps, cuts_of_rare, rare_categories
from ganforge.kinds.tables.codec.numbers import fit_numbers
from ganforge.kinds.tables.columns import Column

AMOUNT = Column(name="amount", kind="decimal", dtype="float64", decimals=2)
RANDOM = np.random.default_rng(0)
USUAL = RANDOM.gamma(2, 20, 4_982).round(2)


def spans_of(values: np.ndarray, cuts: np.ndarray | None = None) -> list[tuple[float, float]]:
    unit = fit_numbers(AMOUNT, values, len(values), 32, "seen", cuts=np.zeros(0) if cuts is None else cuts)
    return list(zip(unit.least.tolist(), unit.most.tolist(), strict=True))


def test_few_values_far_from_all_others_have_a_span_of_their_own() -> None:
    far = [RANDOM.normal(mean, 300, rows).round(2) for mean, rows in ((9_000, 18), (20_000, 14), (-5_000, 5))]
    spans = spans_of(np.concatenate([USUAL, *far]))
    assert len(spans) == 35
    for values in far:
        assert (values.min(), values.max()) in spans


@pytest.mark.parametrize(
    "values",
    [
        USUAL,
        RANDOM.pareto(1.0, 5_000).round(2),
        RANDOM.lognormal(0, 2, 5_000).round(2),
        RANDOM.uniform(0, 1, 5_000).round(4),
        np.concatenate([USUAL, [9_000.0, 9_100.0, 9_200.0, 9_300.0]]),  # too few to be a group
        RANDOM.integers(17, 91, 5_000).astype(float),
    ],
    ids=["gamma", "pareto", "lognormal", "uniform", "outliers", "ages"],
)
def test_a_column_without_a_group_apart_is_cut_at_equal_shares_alone(values: np.ndarray) -> None:
    assert len(spans_of(values)) <= 32


def test_all_spans_together_hold_every_value_once() -> None:
    distinct, counts = np.unique(np.concatenate([USUAL, USUAL + 5_000]), return_counts=True)
    starts = cut_at_gaps(np.arange(0, len(distinct), 200), distinct, counts)
    assert starts[0] == 0 and (np.diff(starts) > 0).all()
    assert all(distinct[b - 1] - distinct[a] < 1_000 for a, b in pairwise([*starts, len(distinct)]))


def test_a_span_is_cut_around_a_rare_category_and_only_where_it_lies_together() -> None:
    values = np.concatenate([USUAL, RANDOM.normal(200, 3, 18).round(2)])
    fraud = np.zeros(len(values), np.int32)
    fraud[-18:] = 1
    anyone = RANDOM.permutation(fraud)
    spans = fit_numbers(AMOUNT, values, len(values), 32, "seen").encode_values(values)
    assert len(cuts_of_rare(values, spans, rare_categories([anyone]))) == 0
    cuts = cuts_of_rare(values, spans, rare_categories([fraud]))
    ends = [span for span in spans_of(values, cuts) if span[0] == values[-18:].min()]
    assert len(cuts) == 2 and ends[0][1] == values[-18:].max()


def test_categories_count_as_rare_from_5_to_49_rows() -> None:
    codes = np.repeat(np.arange(5), [4, 5, 49, 50, 1_000]).astype(np.int32)
    assert [len(rows) for rows in rare_categories([codes])] == [5, 49]
    missing = np.where(codes == 1, np.nan, 1.0)
    assert len(cuts_of_rare(missing, np.zeros(len(codes), np.int32), rare_categories([codes]))) == 0
