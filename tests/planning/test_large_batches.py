"""A batch of more examples than there are is refused, before memory runs out."""

from __future__ import annotations

from typing import Any

import pytest

import ganforge as gf
from ganforge.errors import RecipeError


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        ("digits8", {"examples": 640}),
        ("digits8", {"minutes": 1}),
        ("ring8", {"examples": 640}),
        ("wine", {"examples": 640}),
        ("diabetes", {"task": "regress", "label": "target"}),
        ([f"the cat number {number} sat" for number in range(200)], {"examples": 640}),
    ],
)
def test_a_batch_far_beyond_the_data_is_refused_in_every_kind(source: object, asked: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"is 1,000,000, and there are [\d,]+ examples") as refused:
        gf.plan(source, size="tiny", settings={"optimiser.batch_size": "1000000"}, **asked)
    assert refused.value.why and refused.value.do


def test_a_batch_of_a_few_hundred_is_taken_of_any_data() -> None:
    plan = gf.plan("wine", size="tiny", examples=640, settings={"optimiser.batch_size": "256"})
    assert plan.optimiser.batch_size == 256
