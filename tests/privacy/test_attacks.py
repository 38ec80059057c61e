"""Attacks together: a planted leak is found, fresh data raise no alarm, and what cannot be told is said to be so."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from ganforge.core.exposure import Cells, Exposure
from ganforge.errors import DataError
from ganforge.privacy.attacks import ABLE, FEWEST, attack
from ganforge.reports.audit import audit_blocks

SIZE = 8
MIX = np.random.default_rng(9).normal(size=(SIZE, SIZE)) / SIZE**0.5
NUMERIC = (True,) * 4 + (False,) * 4


def cells_of(rows: np.ndarray) -> np.ndarray:
    """Four numbers, and four texts of three values."""
    return np.c_[rows[:, :4].round(1), (rows[:, 4:] > -0.5).astype(float) + (rows[:, 4:] > 0.5)]


def exposure(
    seed: int, members: int = 80, others: int = 80, made: int = 400, leak: float = 0.0, scale: float = 1.0
) -> Exposure:
    """Three samples of one Gaussian. Args: leak the share of generated ones that are members with a little noise."""
    random = np.random.default_rng(seed)
    x, y, g = (random.normal(size=(n, SIZE)) @ MIX for n in (members, others, made))
    g *= scale
    copied = round(leak * made)
    g[:copied] = x[random.integers(0, members, copied)] + 0.02 * random.normal(size=(copied, SIZE))
    cells = Cells(
        names=tuple("abcdefgh"), numeric=NUMERIC, members=cells_of(x), non_members=cells_of(y), generated=cells_of(g)
    )
    sides = {"members": x, "non_members": y, "generated": g}
    return Exposure(
        **{name: side.astype(np.float32) for name, side in sides.items()},
        nouns="rows",
        features="As they are.",
        trained_on=members,
        cells=cells,
    )


def without_cells(given: Exposure) -> Exposure:
    return replace(given, cells=None)


def test_a_model_that_returns_training_examples_is_caught_by_every_attack_on_samples() -> None:
    found = attack(exposure(0, members=200, others=200, made=400, leak=1.0))
    areas = {one.name: one.shown.area.value for one in found.attacks}
    assert min(areas[name] for name in ("nearness", "calibrated", "monte_carlo", "density_ratio", "inference")) > 0.9
    assert areas["linkability"] > 0.6
    assert all(one.leaks for one in found.attacks if one.name != "singling_out")  # noise moves its conditions
    assert found.copies.leaks and found.copies.c_t < -10 and found.copies.authentic.value < 0.1
    assert found.outcome == "leak"
    assert next(found.sentences()) == "Leak found: 7 of 8 attacks tell training rows from others."


def test_a_fifth_of_copies_is_caught() -> None:
    assert attack(exposure(1, members=200, others=200, leak=0.2)).outcome == "leak"


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_fresh_data_raise_no_more_alarms_than_the_level_allows(scale: float) -> None:
    """One in twenty at most, also where the model is too smooth: that alone is no leak."""
    seeds = 60
    outcomes = Counter(attack(without_cells(exposure(seed, scale=scale)), seed).outcome for seed in range(seeds))
    assert outcomes["leak"] + outcomes["unclear"] <= binom.ppf(1 - 1e-3, seeds, 0.05)
    assert outcomes["none found"] > seeds / 2


@pytest.mark.slow
def test_attacks_on_columns_raise_no_more_alarms_than_the_level_allows() -> None:
    seeds = 15
    alarms = sum(attack(exposure(seed, made=150), seed).outcome == "leak" for seed in range(seeds))
    assert alarms <= binom.ppf(1 - 1e-3, seeds, 0.05)


def test_the_scores_of_a_network_count_as_an_attack_and_a_missing_one_is_told() -> None:
    random = np.random.default_rng(0)
    scores = random.normal(size=80) + 2, random.normal(size=80)
    given = replace(
        without_cells(exposure(0)), white_box={"discriminator": scores}, missing={"likelihood": "It has none."}
    )
    content = attack(given).content()
    by_name = {one["name"]: one for one in content["attacks"]}
    assert by_name["discriminator"]["leaks"] and by_name["discriminator"]["needs"] == "the run's networks"
    assert content["outcome"] == "leak" and content["missing"] == {"likelihood": "It has none."}
    assert "The strongest is the discriminator" in content["verdict"]["sentences"][0]


def test_members_and_others_that_differ_by_themselves_are_not_laid_to_the_model() -> None:
    given = without_cells(exposure(0, members=300, others=300))
    found = attack(replace(given, non_members=given.non_members * 0.5))
    assert found.outcome == "unclear"
    headline, why, _ = found.sentences()
    assert headline == "Unclear: the training rows and the held-out ones differ by themselves."
    assert "nothing that an attack finds can be laid to the model" in why


def test_the_verdict_never_says_that_a_model_is_private_or_passed() -> None:
    found = attack(without_cells(exposure(3)))
    words = " ".join(found.sentences())
    assert found.outcome == "none found" and ABLE in words
    assert not any(word in words.lower() for word in ("passed", "private", "safe", "secure"))
    assert "With 80 training and 80 held-out rows, an AUC below 0." in words


def test_too_few_to_attack_get_a_sentence() -> None:
    with pytest.raises(DataError, match=f"at least {FEWEST} of each"):
        attack(exposure(0, others=FEWEST - 1))


def test_the_same_seed_attacks_in_the_same_way_and_the_content_is_json() -> None:
    one, other = (attack(exposure(0, made=100), seed=4).content() for _ in range(2))
    assert json.dumps(one, allow_nan=False) == json.dumps(other, allow_nan=False)


def test_the_block_shows_every_attack_the_control_and_a_test_of_the_engine() -> None:
    tested = {"name": "noise", "measured": 1.01, "bar": 1.02, "passed": False, "words": "Its deviation."}
    content = {**attack(exposure(0, made=100)).content(), "engine": [tested]}
    (block,) = audit_blocks(content)
    text = str(block)
    assert audit_blocks({}) == ()
    for one in content["attacks"]:
        assert one["title"] in text and f"{one['auc']['value']:.3f}" in text
    assert "Without any model" in text and "NO" in text and "Its deviation." in text
