"""Planted generators get the verdict that they deserve, whatever the table looks like."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tables_world import COLUMNS, Table, chosen, people, permuted

from ganforge.errors import DataError
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.measures.evaluate import (
    TABLE_MEANINGS,
    evaluate_table,
    sdmetrics_available,
    sdmetrics_quality,
)
from ganforge.kinds.tables.measures.rivals import GaussianCopula, smote_available
from ganforge.records import Evaluation

TRAIN, HELD_OUT = people(1200, 0), people(600, 1)


def judge(samples: Table, columns: tuple[Column, ...] = COLUMNS, label: str | None = "rich") -> Evaluation:
    return evaluate_table(TRAIN, HELD_OUT, samples, columns, label=label, seed=0)


@pytest.fixture(scope="module")
def fresh() -> Evaluation:
    return judge(people(1200, 2))


def test_new_real_rows_are_excellent_and_beat_the_copula(fresh: Evaluation) -> None:
    assert fresh.verdict.grade == "excellent"
    assert fresh.verdict.adversarial_helps
    assert not fresh.facts["copying_suspected"]
    assert [column["sentence"] for column in fresh.facts["columns"] if column["sentence"]] == []
    for measure in fresh.measures:
        assert measure.low <= measure.value <= measure.high
        assert measure.meaning == TABLE_MEANINGS[measure.name].sentence
    names = [measure.name for measure in fresh.measures]
    assert {"table_quality", "utility", "label_score", "detection", "nearer_to_train", "exact_copies"} <= set(names)
    assert fresh.measure("detection").floor == 0.5
    assert fresh.measure("utility").reference < 0.9


def test_everything_goes_into_json_and_worst_comes_first(fresh: Evaluation) -> None:
    content = json.loads(json.dumps(fresh.to_json(), allow_nan=False))
    assert content["classes"] is None
    scores = [column["score"] for column in content["columns"]]
    assert scores == sorted(scores)
    assert len(content["pairs"]) == 15
    assert content["targets"][0]["name"] == "rich"
    named = [rival["name"] for rival in content["rivals"]]
    smote = ["SMOTE"] if smote_available() else []
    assert named == ["this model", "independent columns", "Gaussian copula", *smote, "held-out real rows"]
    assert [block["title"] for block in content["blocks"]][-2:] == ["Pair by pair", "Does it copy?"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_evaluation() -> None:
    one, other = (judge(people(1200, 2), chosen("age", "rich")).to_json() for _ in range(2))
    assert one == other


@pytest.mark.slow
def test_shuffled_columns_fail() -> None:
    found = judge(permuted(people(1200, 2), 0))
    assert found.verdict.grade in ("poor", "failed")
    assert not found.verdict.adversarial_helps
    assert found.measure("utility").value < 0.15
    assert "copula" in found.verdict.headline
    worst = next(pair for pair in found.facts["pairs"] if set(pair["columns"]) == {"age", "hours"})
    assert "their correlation is" in worst["sentence"]
    assert worst["counts"]


@pytest.mark.slow
def test_training_rows_are_called_copies_however_good_they_are() -> None:
    found = judge(TRAIN)
    assert found.facts["copying_suspected"]
    assert found.verdict.grade == "poor"
    assert "trained on" in found.verdict.headline


@pytest.mark.slow
def test_the_copula_itself_is_told_to_be_as_good() -> None:
    drawn = dict(GaussianCopula.fit(TRAIN, COLUMNS).sample(1200, np.random.default_rng(9)))
    found = judge(drawn)
    assert not found.verdict.adversarial_helps
    assert any("use the copula" in sentence for sentence in found.verdict.sentences)


@pytest.mark.parametrize(
    ("name", "spoil", "sentence"),
    [
        ("town", lambda v: np.where(v == "Bremen", "Aachen", v), 'town: none of the rows have "Bremen", 2'),
        ("gain", lambda v: np.where(v > 0, 0.0, v), "gain: none of the rows lie above 0, "),
        pytest.param(
            "hours",
            lambda v: np.where(np.isnan(v), 30.0, v),
            "hours: none of the rows have no value, 1",
            marks=pytest.mark.slow,
        ),
        pytest.param("age", lambda v: v + 12, "age: ", marks=pytest.mark.slow),
        ("seen", lambda v: v + 300, "seen: "),
    ],
)
def test_a_column_that_is_off_is_named_with_numbers(name: str, spoil, sentence: str) -> None:  # type: ignore[no-untyped-def]
    samples = people(1200, 2)
    samples[name] = spoil(samples[name])
    found = judge(samples, chosen(name, "rich"), label=None)
    assert found.facts["columns"][0]["name"] == name
    assert found.facts["columns"][0]["sentence"].startswith(sentence)
    assert "of the real ones do." in found.facts["columns"][0]["sentence"]
    assert [column["name"] for column in found.facts["columns"] if column["sentence"]] == [name]
    if name == "town":
        assert found.verdict.grade not in ("excellent", "good")
        assert any('no row has "Bremen"' in sentence for sentence in found.verdict.sentences)
    if name == "seen":
        assert "20" in found.facts["columns"][0]["sentence"].split("above ")[-1][:4]  # a date, not a number of days


@pytest.mark.slow
def test_one_row_again_and_again_has_failed() -> None:
    one = {name: np.repeat(values[:1], 1500) for name, values in people(10, 3).items()}
    found = judge(one, chosen("age", "hours", "town"), label=None)
    assert found.verdict.grade == "failed"
    assert "repeats" in found.verdict.headline


@pytest.mark.parametrize(
    "names",
    [
        ("age",),
        ("town",),
        pytest.param(("age", "hours", "gain"), marks=pytest.mark.slow),
        ("town", "rich"),
        ("seen",),
        ("gain", "town"),
    ],
    ids="-".join,
)
def test_any_part_of_a_table_can_be_judged(names: tuple[str, ...]) -> None:
    found = judge(people(1200, 2), chosen(*names), label=None)
    assert found.verdict.grade in ("excellent", "good")
    assert found.measure("column_shapes").value > 0.93
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.slow
def test_a_tiny_table_is_judged_and_what_cannot_be_proved_is_said() -> None:
    train, held_out, samples = people(136, 0), people(34, 1), people(500, 2)
    found = evaluate_table(train, held_out, samples, COLUMNS, label="rich", seed=0)
    assert any("Only 34 real rows were held out" in sentence for sentence in found.verdict.sentences)
    quality = found.measure("table_quality")
    assert quality.high - quality.low > 0.01
    assert quality.value == pytest.approx(quality.floor, abs=0.05)  # ten groups of 34, as many as were held out


def test_a_category_of_ten_thousand_values_is_judged() -> None:
    columns = (*chosen("age", "rich"), Column(name="key", kind="category", dtype="str", distinct=10_000))

    def with_keys(count: int, seed: int) -> Table:
        random = np.random.default_rng(seed)
        return people(count, seed) | {"key": np.array([f"k{i}" for i in random.integers(0, 10_000, count)], object)}

    found = evaluate_table(with_keys(3000, 0), with_keys(600, 1), with_keys(1500, 2), columns, label=None, seed=0)
    assert found.measure("detection").value < 0.6
    assert found.verdict.grade in ("excellent", "good")


@pytest.mark.parametrize("side", [0, 1, 2])
def test_too_few_rows_are_refused_by_name(side: int) -> None:
    sides = [people(9 if i == side else 50, i) for i in range(3)]
    with pytest.raises(DataError, match=("training", "held-out", "generated")[side]) as caught:
        evaluate_table(*sides, COLUMNS, label=None, seed=0)
    assert "9" in caught.value.what


def test_a_table_without_a_column_to_measure_is_refused() -> None:
    with pytest.raises(DataError, match="no column to measure"):
        judge(people(50, 2), chosen("id", "planet"))


@pytest.mark.skipif(not sdmetrics_available(), reason="needs the extra ganforge[sdmetrics]")
def test_the_package_agrees_with_our_quality(fresh: Evaluation) -> None:
    complete = chosen("age", "rich", "gain")  # without missing values, which it leaves out
    ours = judge(people(1200, 2), complete, label=None).measure("table_quality").value
    theirs = sdmetrics_quality(TRAIN, {k: v[:600] for k, v in people(1200, 2).items()}, complete)
    assert theirs == pytest.approx(ours, abs=0.02)
    assert fresh.measure("sdmetrics_quality").value > 0.9
