"""Users that do not exist: tastes and traits are drawn, then sequences step after step, gaps and ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganforge.core.device import torch_threads
from ganforge.core.seeds import generator_for, seed_for
from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.simulate.population import Gaps, Mixture, Ratings
from ganforge.kinds.interactions.simulate.walk import Simulator, Walk

MOST_ROUNDS = 10  # of discriminators
BLOCK = 250  # users drawn at once: another number would give others for the same seed


@dataclass(frozen=True, slots=True)
class Form:
    """The sizes of what a product holds."""

    items: int
    tastes: int
    parts: int  # of the mixture
    levels: int  # of ratings; 0: there are none
    times: bool


class People(nn.Module):
    """All that users are drawn from: what a run stores."""

    guided: Tensor
    ranked: Tensor

    def __init__(self, simulator: Simulator, form: Form) -> None:
        super().__init__()
        self.form, self.simulator = form, simulator
        self.mixture = Mixture(form.tastes, form.parts)
        self.gaps = Gaps() if form.times else None
        self.ratings = Ratings(form.items, form.levels) if form.levels else None
        self.register_buffer("guided", torch.zeros((), dtype=torch.bool))  # whether the guide helps
        self.register_buffer("ranked", torch.zeros(MOST_ROUNDS + 1))  # how well each discriminator ranked users

    def draw(self, count: int, seed: int, guided: bool | None = None, weights: Tensor | None = None) -> Log:
        """Draw users, numbered from 1. The first ones do not depend on `count`.

        Args: guided whether the guide changes chances, None for where it helps; weights (E,) of experts, None for those
            that were learned.
        """
        guided = bool(self.guided) if guided is None else guided
        weights = self.simulator.drawn if weights is None else weights
        seeds = [seed_for(seed, "interactions/users", step=first) for first in range(0, count, BLOCK)]
        found = [self._block(one, weights, guided) for one in seeds]
        sequences = [one for block in found for one in block[0]][:count]
        lengths = np.array([len(one) for one in sequences])
        whole = int(lengths.sum())
        time = np.concatenate([block[1] for block in found])[:whole] if self.gaps is not None else None
        rating = np.concatenate([block[2] for block in found])[:whole] if self.ratings is not None else None
        return Log(
            users=np.arange(1, count + 1).astype(np.str_),
            items=np.arange(self.form.items).astype(np.str_),
            user=np.repeat(np.arange(count, dtype=np.int32), lengths),
            item=np.concatenate(sequences).astype(np.int32),
            rating=None if rating is None else rating.astype(np.float32),
            time=time,
        )

    def _block(
        self, seed: int, weights: Tensor, guided: bool
    ) -> tuple[list[NDArray[np.int64]], NDArray[np.float64], NDArray[np.float64]]:
        random = np.random.default_rng(seed)
        tastes, traits = self.mixture.draw(BLOCK, random)
        lengths = np.clip(np.round(np.exp(traits[:, 0])), 1, self.form.items).astype(np.int64)
        with torch_threads(1):
            items = self._walk(torch.from_numpy(tastes), lengths, generator_for(seed, "walk"), weights, guided)
        there = np.arange(items.shape[1]) < lengths[:, None]
        time = rating = np.zeros(0)
        if self.gaps is not None:
            time = (traits[:, 1:2] + self.gaps.draw(items.shape[1], traits[:, 2], random).cumsum(1))[there]
        if self.ratings is not None:
            rating = self.ratings.draw(items[there], np.repeat(traits[:, 3], lengths), random)
        return [row[:length] for row, length in zip(items, lengths, strict=True)], time, rating

    @torch.no_grad()
    def _walk(
        self, tastes: Tensor, lengths: NDArray[np.int64], generator: torch.Generator, weights: Tensor, guided: bool
    ) -> NDArray[np.int64]:
        """Draw items (B, longest), of each row as many as its length."""
        order = np.argsort(-lengths, kind="stable")  # those that go on are always the first rows
        walk = Walk(self.simulator, len(tastes), tastes[torch.from_numpy(order)])
        items = torch.zeros(len(tastes), int(lengths.max()), dtype=torch.int64)
        for step in range(items.shape[1]):
            rows = slice(0, int((lengths > step).sum()))
            scores = walk.scores(weights, rows, guided=guided)
            noise = -torch.empty_like(scores).exponential_(generator=generator).log()
            items[rows, step] = drawn = (scores + noise).argmax(1)
            walk.take(drawn, rows)
        found = np.empty(items.shape, np.int64)
        found[order] = items.numpy()
        return found
