"""Weight decay of a player's optimiser: decoupled from the gradient, and only of matrices."""

from __future__ import annotations

import torch
from torch import nn

from ganforge.contracts import OptimiserSettings, Schedule
from ganforge.engine.optimiser import build_optimiser


def stepped(decay: float, gradient: float) -> list[torch.Tensor]:
    weights = [nn.Parameter(torch.full(shape, 2.0)) for shape in ((3, 2), (2,))]
    optimiser = build_optimiser(OptimiserSettings(Schedule(0.1, 0.1), weight_decay=decay), weights)
    for weight in weights:
        weight.grad = torch.full_like(weight, gradient)
    optimiser.step()
    return [weight.detach() for weight in weights]


def test_a_step_takes_the_rate_times_the_decay_off_each_matrix_and_nothing_off_a_vector() -> None:
    matrix, vector = stepped(decay=0.5, gradient=0.0)
    assert torch.allclose(matrix, torch.full((3, 2), 2.0 * (1 - 0.1 * 0.5)))
    assert torch.equal(vector, torch.full((2,), 2.0))


def test_the_step_along_the_gradient_is_that_without_decay() -> None:
    decayed, plain = stepped(decay=0.5, gradient=3.0), stepped(decay=0.0, gradient=3.0)
    assert torch.allclose(decayed[0], plain[0] - 2.0 * 0.1 * 0.5)
    assert torch.equal(decayed[1], plain[1])
