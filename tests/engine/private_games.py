"""The smallest private games: a discriminator of points whose real examples are paid for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from toy_games import BATCH, LATENT, adam_steps, tiny_pair

from ganforge.contracts import Batch, Game, Loss, OptimiserSettings, Player, Turn
from ganforge.core.private import Private
from ganforge.objectives import OBJECTIVES, parted

RULE: dict[str, Any] = {"clip": 1.0, "multiplier": 1.0, "rate": 0.1, "most_turns": 10_000}


def private_game(
    discriminator: nn.Module | None = None, *, steps: OptimiserSettings | None = None, **rule: Any
) -> Game:
    """A private discriminator and a generator on two numbers; `rule` changes RULE."""
    generator, own = tiny_pair()
    judge = own if discriminator is None else discriminator
    scored = parted("nonsaturating", OBJECTIVES["nonsaturating"]())

    def draw(turn: Turn) -> Tensor:
        fake: Tensor = generator(turn.random.normal(BATCH, LATENT))
        return fake

    def on_real(batch: Batch) -> Loss:
        return Loss({"real": scored.on_real(judge(batch["x"]))})

    def on_fake(turn: Turn) -> Loss:
        assert not turn.batch
        return Loss({"fake": scored.on_fake(judge(draw(turn).detach()))})

    def answer(turn: Turn) -> Loss:
        assert not turn.batch
        return scored.generator_loss(judge, torch.empty(0), draw(turn))

    chosen = steps or adam_steps()
    private = Private(on_real, **{**RULE, **rule})
    players = (
        Player("discriminator", judge, on_fake, chosen, private=private),
        Player("generator", generator, answer, chosen),
    )
    return Game(players, product="generator")
