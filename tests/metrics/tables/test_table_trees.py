"""What trees say of a table: areas, skill, detection, against scikit-learn and planted worlds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import r2_score, roc_auc_score
from tables_world import COLUMNS, chosen, people, permuted

from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.measures.scoring import detection, find_targets, of_real_rows, utility
from ganforge.kinds.tables.measures.similarity import Coding
from ganforge.measures.prediction import auc, auc_standard_error, macro_auc, r_squared


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=2, max_size=40))
def test_the_area_is_scikit_learns_with_ties(rows: list[tuple[bool, int]]) -> None:
    truth, score = np.array([r[0] for r in rows]), np.array([float(r[1]) for r in rows])
    if truth.all() or not truth.any():
        assert auc(truth, score) == 0.5
    else:
        assert auc(truth, score) == pytest.approx(roc_auc_score(truth, score))


def test_the_standard_error_of_an_area_is_the_spread_of_repetitions() -> None:
    random = np.random.default_rng(0)
    areas = []
    for _ in range(400):
        score = np.concatenate([random.normal(0, 1, 80), random.normal(1, 1, 60)])
        areas.append(auc(np.arange(140) >= 80, score))
    assert auc_standard_error(float(np.mean(areas)), 60, 80) == pytest.approx(np.std(areas), rel=0.15)


def test_the_macro_area_and_the_explained_share_are_scikit_learns() -> None:
    random = np.random.default_rng(1)
    truth, block = random.integers(0, 3, 300), np.arange(300) % 7
    scores = random.random((300, 3)).round(1) + np.eye(3)[truth]  # rounded, so that there are ties
    scores /= scores.sum(axis=1, keepdims=True)
    for kept, found in zip([block >= 0, *(block != b for b in range(7))], macro_auc(truth, scores, 7), strict=True):
        assert found == pytest.approx(roc_auc_score(truth[kept], scores[kept], multi_class="ovr"))
    once = np.arange(300) == 5  # a class of one row, which a block takes along
    two = macro_auc(once.astype(np.int64), np.stack([1 - scores[:, 0], scores[:, 0]], axis=1), 7)
    assert two[1 + 5] == 0.5
    assert two[0] == pytest.approx(roc_auc_score(once, scores[:, 0]))
    assert (macro_auc(np.zeros(9, np.int64), np.ones((9, 2)), 3) == 0.5).all()
    y = random.normal(size=300)
    assert r_squared(y[:50], y[:50] + 0.1) == pytest.approx(r2_score(y[:50], y[:50] + 0.1))
    assert r_squared(np.ones(5), np.zeros(5)) == 0


def test_the_columns_that_can_be_predicted_are_found_and_the_label_comes_first() -> None:
    train, held_out = people(2000, 0), people(1000, 1)
    coding = Coding.fit(train, COLUMNS)
    names = [target.name for target in find_targets(coding, train, held_out, "rich")]
    assert names[0] == "rich"
    assert {"age", "hours"} <= set(names)
    assert not {"gain", "seen", "id", "planet"} & set(names)


def test_an_integer_of_few_values_is_predicted_as_classes_and_missing_ones_are_left_out() -> None:
    random = np.random.default_rng(0)

    def world(count: int) -> dict[str, np.ndarray]:
        x = random.integers(0, 3, count).astype(float)
        y = np.where(random.random(count) < 0.2, np.nan, x)
        return {"x": x, "y": y}

    columns = [Column(name=name, kind="integer", dtype="int64", distinct=3) for name in ("x", "y")]
    train, held_out = world(400), world(200)
    coding = Coding.fit(train, columns)
    targets = find_targets(coding, train, held_out, None)
    assert [(target.name, target.measure) for target in targets] == [("x", "AUC"), ("y", "AUC")]
    assert targets[1].real[0] == 1
    assert len(targets[1].truth) == int((~np.isnan(held_out["y"])).sum())


@pytest.mark.slow
def test_real_rows_keep_the_skill_shuffled_ones_none_and_rows_of_one_kind_none() -> None:
    train, held_out = people(3000, 0), people(1500, 1)
    coding = Coding.fit(train, COLUMNS)
    targets = find_targets(coding, train, held_out, "rich")
    other = utility(coding, targets, people(3000, 2), held_out)
    assert other.kept is not None
    assert other.kept.value == pytest.approx(1, abs=0.06)
    assert other.scores["rich"].high <= 1
    lost = utility(coding, targets, permuted(people(3000, 2), 0), held_out)
    assert lost.kept is not None
    assert lost.kept.value < 0.1
    one = people(3000, 2)
    one = {name: np.full_like(values, values[0]) for name, values in one.items()}
    nothing = utility(coding, targets, one, held_out)
    assert nothing.kept is not None
    assert nothing.kept.value == pytest.approx(0, abs=1e-9)
    assert nothing.scores["rich"].value == 0.5
    assert of_real_rows(targets).scores["rich"].value == targets[0].real[0]


def test_flipped_answers_are_worth_nothing_not_less() -> None:
    train, held_out = people(2000, 0), people(1000, 1)
    coding = Coding.fit(train, chosen("age", "rich"))
    targets = find_targets(coding, train, held_out, "rich")
    flipped = people(2000, 2)
    flipped["rich"] = np.where(flipped["rich"] == "True", "False", "True").astype(object)
    found = utility(coding, targets[:1], flipped, held_out)
    assert found.scores["rich"].value < 0.2
    assert found.kept is not None
    assert found.kept.value == 0


@pytest.mark.parametrize(
    ("spoil", "low", "high"),
    [
        (lambda table: table, 0.44, 0.56),
        (lambda table: permuted(table, 0), 0.7, 1.0),
        (lambda table: table | {"gain": table["gain"] + 0.5}, 0.99, 1.0),
        (lambda table: table | {"town": np.where(table["town"] == "Celle", "Aachen", table["town"])}, 0.55, 0.8),
    ],
    ids=["real", "permuted", "shifted", "dropped"],
)
def test_rows_are_told_apart_as_far_as_they_differ(spoil, low: float, high: float) -> None:  # type: ignore[no-untyped-def]
    coding = Coding.fit(people(2000, 0), COLUMNS)
    found = detection(coding, people(1000, 1), spoil(people(1000, 2)), np.random.default_rng(0))
    assert low <= found.value <= high
    assert found.low <= found.value <= found.high


def test_texts_that_were_never_seen_count_as_one() -> None:
    coding = Coding.fit({"town": np.array(["a", "a", "b"], object)}, chosen("town"))
    found = coding.features({"town": np.array(["a", "b", "x", "y", None], object)})[:, 0]
    assert found[:4].tolist() == [0, 1, 2, 2]
    assert np.isnan(found[4])
