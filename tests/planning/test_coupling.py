"""Objectives that tie the examples of a batch together say so, and are not trained where a batch is split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import ganforge as gf
from ganforge.api.distributed import Crew
from ganforge.contracts import BoundDiscriminator, Dial, Loss, Objective
from ganforge.core.seeds import Draws, generator_for
from ganforge.core.world import World
from ganforge.errors import RecipeError
from ganforge.objectives import OBJECTIVES
from ganforge.planning.draft import refuse_coupled

BATCH = 5


@dataclass(frozen=True, slots=True)
class RelativisticAverage:
    """Each score against the mean of the other side's (Jolicoeur-Martineau 2019, section 4): it couples."""

    generator_reads_real: ClassVar[bool] = True
    couples_examples: ClassVar[bool] = True
    gamma: ClassVar[tuple[float, float] | None] = None

    def discriminator_loss(
        self, discriminator: BoundDiscriminator, real: Tensor, fake: Tensor, gamma: Dial, random: Draws
    ) -> Loss:
        one, other = discriminator(real), discriminator(fake)
        return Loss({"real": F.softplus(other.mean() - one), "fake": F.softplus(other - one.mean())})

    def generator_loss(self, discriminator: BoundDiscriminator, real: Tensor, fake: Tensor) -> Loss:
        return Loss({"adversarial": F.softplus(discriminator(real).mean() - discriminator(fake))})


@dataclass(frozen=True, slots=True)
class Silent(RelativisticAverage):
    """It couples and does not say so."""

    couples_examples: ClassVar[bool] = False


def losses(objective: Objective, real: Tensor, fake: Tensor) -> Tensor:
    """The loss of each example of both players, (2, B)."""
    weight = torch.randn(3, 4, generator=generator_for(0, "test/weight"))

    def score(x: Tensor) -> Tensor:
        return torch.tanh(x @ weight).sum(dim=1)

    random = Draws(generator_for(0, "test/coupling"))
    judged = objective.discriminator_loss(score, real.clone(), fake.clone(), 0.7, random)
    made = objective.generator_loss(score, real.clone(), fake.clone())
    return torch.stack([torch.stack(list(loss.terms.values())).sum(dim=0).detach() for loss in (judged, made)])


def couples(objective: Objective) -> bool:
    """Whether the losses of all examples but the last change with the last one."""
    source = generator_for(0, "test/examples")
    real, fake, other = torch.randn(3, BATCH, 3, generator=source)
    changed = [torch.cat([x[:-1], other[:1] if number else other[1:2]]) for number, x in enumerate((real, fake))]
    whole, one_changed = losses(objective, real, fake), losses(objective, *changed)
    assert not torch.equal(whole[:, -1], one_changed[:, -1])  # the last one's own loss did change
    return not torch.equal(whole[:, :-1], one_changed[:, :-1])


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objective_couples_examples_exactly_where_it_says_so(name: str) -> None:
    assert couples(OBJECTIVES[name]()) is OBJECTIVES[name].couples_examples


def test_a_planted_objective_that_couples_is_found_out() -> None:
    assert couples(RelativisticAverage()) is RelativisticAverage.couples_examples
    assert couples(Silent()) is not Silent.couples_examples


@pytest.fixture
def average(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OBJECTIVES, "average", RelativisticAverage)


@pytest.mark.usefixtures("average")
def test_a_batch_whose_examples_are_tied_together_is_not_split() -> None:
    refuse_coupled("average")
    ways: tuple[dict[str, Any], ...] = ({"pieces": 2}, {"processes": 2})
    for way in ways:
        with pytest.raises(RecipeError, match="depends on all others of the batch"):
            refuse_coupled("average", **way)
        refuse_coupled("r3gan", **way)


@pytest.mark.slow
@pytest.mark.usefixtures("average")
def test_pieces_are_refused_while_planning_and_processes_before_anything_is_written() -> None:
    with pytest.raises(RecipeError, match="pieces is 2"):
        gf.plan("digits8", objective="average", examples=64, settings={"compute.pieces": "2"})
    recipe = gf.plan("digits8", objective="average", examples=64)
    Crew(World(0, 1)).check(recipe)
    with pytest.raises(RecipeError, match="2 processes train together"):
        Crew(World(0, 2)).check(recipe)
    Crew(World(0, 2)).check(gf.plan("digits8", examples=64))


@pytest.mark.parametrize("source", ["digits8", "wine"])
def test_a_penalty_that_the_paper_gives_is_the_papers_and_others_follow_the_data(source: str) -> None:
    for name, kind in OBJECTIVES.items():
        chosen = gf.plan(source, objective=name, examples=64).adversary
        if kind.gamma is None:
            assert chosen.gamma_end < chosen.gamma_start
        else:
            assert (chosen.gamma_start, chosen.gamma_end) == kind.gamma
    assert OBJECTIVES["wasserstein"].gamma == (10.0, 10.0)
