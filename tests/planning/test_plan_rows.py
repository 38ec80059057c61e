"""Which tables are drawn unit after unit, and which by a game of two; and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import ganforge as gf
from ganforge.api.request import recipe_from
from ganforge.errors import RecipeError
from ganforge.kinds.tables.low_rank import UNIT_AFTER_UNIT
from ganforge.recipe import Recipe

SMALL = {"compute.threads": "1", "compute.device": "cpu"}


def table(rows: int, columns: int = 3) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame({f"c{place}": random.normal(size=rows).round(3) for place in range(columns)})


def planned(frame: pd.DataFrame, examples: int | None = 640, **more: Any) -> Recipe:
    settings = SMALL | more.pop("settings", {})
    return gf.plan(frame, examples=examples, settings=settings, size=more.pop("size", "tiny"), **more)


@pytest.mark.parametrize(
    ("frame", "more", "name", "why"),
    [
        (table(1_200), {}, "autoregressive", "learned by likelihood"),
        (table(1_000), {}, "rows", "of 800 rows it learns more"),  # a fifth is held out
        pytest.param(table(1_200, columns=120), {}, "low_rank", "million weights", marks=pytest.mark.slow),
        (table(600), {"settings": {"network.name": "low_rank"}}, "low_rank", "you asked for it"),
        (table(1_200), {"objective": "hinge"}, "rows", "which objective.name belongs to"),
        (table(1_200), {"settings": {"network.latent_size": "16"}}, "rows", "which network.latent_size belongs to"),
        (table(1_200), {"settings": {"network.name": "rows"}}, "rows", "you asked for it"),
        (table(600), {"settings": {"network.name": "autoregressive"}}, "autoregressive", "you asked for it"),
        (table(1_200), {"task": "impute"}, "rows", "residual layers"),
    ],
)
def test_a_table_is_drawn_unit_after_unit_where_that_is_better(
    frame: pd.DataFrame, more: dict[str, Any], name: str, why: str
) -> None:
    recipe = planned(frame, **more)
    assert recipe.network.name == name and why in recipe.reasons["network.name"]
    alone = {"objective", "latent_size"} - {*recipe.to_json(), *recipe.network.content()}
    assert alone == ({"objective", "latent_size"} if name in UNIT_AFTER_UNIT else set())
    assert recipe_from(recipe.to_json()) == recipe
    kept = (recipe.records.best_by, recipe.records.patience_looks, len(recipe.records.marks))
    looks = {"autoregressive": 11, "low_rank": 4}
    assert (kept == ("likelihood", 6, looks.get(name))) is (name in UNIT_AFTER_UNIT)


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(RecipeError, match="no network 'row' for rows"):
        planned(table(200), settings={"network.name": "row"})
    with pytest.raises(RecipeError, match=r"no opponent; --set network\.name=rows has one"):
        planned(table(200), settings={"network.name": "autoregressive"}, objective="hinge")
    with pytest.raises(RecipeError, match="draws nothing from noise"):
        planned(table(200), settings={"network.name": "autoregressive", "network.latent_size": "8"})


def test_weights_decay_the_less_the_more_rows_there_are_and_only_in_learning_alone() -> None:
    few, more = planned(table(1_200)), planned(table(20_000))
    assert (few.optimiser.weight_decay, more.optimiser.weight_decay) == (1.0, 0.44)  # of 18,000 rows
    assert planned(table(300)).optimiser.weight_decay is None
    assert planned(table(1_200), settings={"optimiser.weight_decay": "0.1"}).optimiser.weight_decay == 0.1
    plain = {"optimiser.kind": "sgd"}
    assert planned(table(1_200), settings=plain).optimiser.weight_decay is None
    with pytest.raises(RecipeError, match="no weight decay"):
        planned(table(1_200), settings=plain | {"optimiser.weight_decay": "0.1"})


def test_minutes_leave_time_for_the_verdict() -> None:
    recipe = planned(table(60_000), examples=None, minutes=0.05)
    assert recipe.length.seconds_allowed == pytest.approx(0.7 * 3)
    assert recipe.length.examples <= 0.7 * 3 * recipe.length.need("examples_per_second")
    assert recipe.reasons["length.examples"].endswith("and of the verdict")


def test_minutes_end_where_more_passes_would_teach_the_rows_by_heart_and_examples_do_not() -> None:
    recipe = planned(table(3_000), examples=None, minutes=600.0)
    assert recipe.length.examples == 20 * 2_700 and "by heart" in recipe.reasons["length.examples"]
    assert recipe.length.seconds_allowed is None
    assert planned(table(3_000), examples=99_840).length.examples == 99_840
