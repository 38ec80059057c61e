"""What is said of backpropagation names the layer in which something was planted, and nothing else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from layered import LAYERS, Layers, layered

from ganforge.reports.layers import flows, in_words, late


def said(records: list[dict[str, Any]]) -> dict[str, str]:
    return {flow.player: in_words(flow) for flow in flows(records)}


def test_a_healthy_run_is_called_healthy_also_where_the_learning_rate_has_fallen_to_nothing() -> None:
    for words in said(layered()).values():
        assert "Its steps are healthy" in words
        assert "copes with that" in words
        assert "now than early" not in words


@pytest.mark.parametrize("layer", LAYERS[:2])
def test_a_gradient_that_dies_on_its_way_to_the_input_names_the_layer(layer: str) -> None:
    def plant(_: int, told: Layers) -> None:
        told["generator"][layer]["gradient_norm"] = 1e-6

    words = said(layered(plant))
    assert f"`{layer}` gets " in words["generator"]
    assert "vanishes on its way to the input" in words["generator"]
    assert "vanishes" not in words["discriminator"]


def test_how_many_times_less_is_what_was_planted() -> None:
    def plant(_: int, told: Layers) -> None:
        for place, name in enumerate(LAYERS):
            told["generator"][name]["gradient_norm"] = 0.5 if place else 0.5 / 40

    words = said(layered(plant))["generator"]
    assert words.startswith(
        "In the generator, `start` gets 40 times less gradient than `blocks.0`, which gets the most"
    )


def test_a_layer_that_is_cut_off_near_the_output_is_no_vanishing_towards_the_input() -> None:
    def plant(_: int, told: Layers) -> None:
        told["discriminator"]["last"]["gradient_norm"] = 1e-7

    words = said(layered(plant))["discriminator"]
    assert "`last` gets " in words and "next to nothing" in words


def test_a_layer_without_any_gradient_does_not_learn() -> None:
    def plant(_: int, told: Layers) -> None:
        told["generator"]["blocks.1"]["gradient_norm"] = 0.0

    assert "`blocks.1` gets no gradient at all" in said(layered(plant))["generator"]


def test_a_gradient_that_grows_a_thousandfold_names_the_layer() -> None:
    def plant(i: int, told: Layers) -> None:
        told["discriminator"]["blocks.2"]["gradient_norm"] = 0.5 * (1000.0 if i >= 25 else 1.0)

    words = said(layered(plant))
    assert "`blocks.2` gets 1,000 times more gradient now than early in the run" in words["discriminator"]
    assert "early" not in words["generator"]


@pytest.mark.parametrize(
    ("ratio", "expected"), [(1e-8, "`blocks.0` stands still"), (0.5, "The steps of `blocks.0` are too large: 50 %")]
)
def test_steps_out_of_the_healthy_band_name_the_layer(ratio: float, expected: str) -> None:
    def plant(_: int, told: Layers) -> None:
        told["generator"]["blocks.0"]["update_ratio"] = ratio

    words = said(layered(plant))
    assert expected in words["generator"]
    assert "healthy" not in words["generator"]
    assert "healthy" in words["discriminator"]


def test_numbers_that_were_not_finite_are_counted_and_named() -> None:
    def plant(i: int, told: Layers) -> None:
        if i in (7, 8):
            told["generator"]["last"]["gradient_norm"] = None

    words = said(layered(plant))
    assert words["generator"].startswith("In 2 records the numbers of `last` in the generator were not finite.")
    assert "finite" not in words["discriminator"]


def test_a_run_that_does_not_tell_of_its_layers_has_none() -> None:
    records = layered()
    for record in records:
        del record["layers"]
    assert flows(records) == []
    assert flows([]) == []


def test_a_run_that_begins_to_tell_of_its_layers_half_way_is_read_from_there() -> None:
    records = layered()
    for record in records[:25]:
        del record["layers"]
    assert [flow.gradient.shape for flow in flows(records)] == [(5, 15), (5, 15)]


def test_what_no_run_writes_counts_as_not_told() -> None:
    hostile: list[Any] = ["text", True, [], {}, math.nan, -math.inf, -1.0]

    def plant(i: int, told: Layers) -> None:
        told["generator"]["start"]["gradient_norm"] = hostile[i % len(hostile)]
        told["generator"]["blocks.0"] = hostile[i % 4]

    (_, flow) = flows(layered(plant))
    assert np.isnan(flow.gradient[1]).all()
    assert isinstance(in_words(flow), str)


def test_the_late_numbers_are_those_of_the_end() -> None:
    def plant(i: int, told: Layers) -> None:
        told["generator"]["start"]["gradient_norm"] = 7.0 if i >= 30 else 1.0

    (_, flow) = flows(layered(plant))
    assert late(flow)["start"]["gradient_norm"] == 7.0
