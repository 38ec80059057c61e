"""Great circles: constant length and speed where the ends have the same length, and walks that close."""

from __future__ import annotations

import pytest
import torch

from ganforge.kinds.pictures.generate.interpolate import closed_walk, slerp

SHARES = torch.linspace(0, 1, 9)


def test_between_two_unit_vectors_the_arc_is_the_textbooks() -> None:
    start, end = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    angle = SHARES * torch.pi / 2
    expected = torch.stack([angle.cos(), angle.sin(), 0 * angle], dim=1)
    torch.testing.assert_close(slerp(start, end, SHARES), expected)


def test_speed_is_constant_and_the_length_goes_from_one_end_to_the_other() -> None:
    random = torch.Generator().manual_seed(0)
    start, end = torch.randn(64, generator=random, dtype=torch.float64), torch.randn(64, generator=random).double()
    way = slerp(start, end, SHARES.double())
    directions = way / way.norm(dim=1, keepdim=True)
    steps = torch.arccos((directions[1:] * directions[:-1]).sum(1).clamp(-1, 1))
    torch.testing.assert_close(steps, steps.mean().expand(8))
    torch.testing.assert_close(way.norm(dim=1), torch.lerp(start.norm(), end.norm(), SHARES.double()))
    torch.testing.assert_close(way[[0, -1]], torch.stack([start, end]))


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0])
def test_where_no_arc_is_defined_the_way_is_straight_and_finite(factor: float) -> None:
    start = torch.tensor([3.0, 4.0])
    torch.testing.assert_close(slerp(start, factor * start, SHARES), torch.lerp(start, factor * start, SHARES[:, None]))


def test_a_walk_meets_every_key_and_its_end_is_one_step_from_its_beginning() -> None:
    keys = torch.randn(5, 32, generator=torch.Generator().manual_seed(1))
    walk = closed_walk(keys, steps=12)
    assert walk.shape == (60, 32)
    torch.testing.assert_close(walk[::12], keys)
    around = (walk.roll(-1, dims=0) - walk).norm(dim=1)
    assert around[-1] < around.max() / 5  # eased: the last step before a key is a short one
    assert around.max() < keys.norm(dim=1).max() / 3
