"""A Gaussian copula of codes that knows each unit given any others: what a generator of many columns starts from.

Each code has scores, one or two numbers (generate/scores.py). The scores of a row count as one draw of a Gaussian, so
those of a unit, given the scores of any others, are Gaussian too: their mean is a regression on the others, their
covariance is what the regression leaves. By Bayes' rule that tells how likely each code is: its share, times how much
likelier its scores are so than at all (a discriminant analysis; Fisher 1936).

One Cholesky factor of the covariance, with the units in the order in which they are drawn, holds the regressions of
all units on those before them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor, nn

from ganforge.kinds.tables.networks import RowLayout

P = ParamSpec("P")
R = TypeVar("R")


def exactly(method: Callable[P, R]) -> Callable[P, R]:
    """Compute in float32 and without gradients, also where a network around it uses bfloat16."""

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with torch.no_grad(), torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            return method(*args, **kwargs)

    return call


@dataclass(slots=True)
class Drawn:
    """What is known of rows that are drawn unit after unit: one order for all of them.

    first (U,) where the dimensions of each unit begin in that order; factor (H, H) the Cholesky factor of the
    covariance in that order; innovations (B, H) what each unit's scores add to those before it, 0 where unknown.
    """

    first: list[int]
    factor: Tensor
    innovations: Tensor


class Copula(nn.Module):
    """The scores of codes and their covariance; constants, which training does not change."""

    scores: Tensor  # (P, D) of each code; a unit of fewer than D dimensions has zeros in the others
    covariance: Tensor  # (H, H) of the dimensions of all units, in the units' order

    def __init__(self, places: int, most: int, dimensions: int) -> None:
        """Args: places P; most D, dimensions of a unit at most; dimensions H of all units together."""
        super().__init__()
        self.register_buffer("scores", torch.zeros(places, most))
        self.register_buffer("covariance", torch.eye(dimensions))
        self._whole: tuple[Tensor, Tensor, int] | None = None  # the factor of whole rows; of what, in which version

    @classmethod
    def of(cls, scores: Tensor, covariance: Tensor) -> Copula:
        places, most = scores.shape
        copula = cls(places, most, len(covariance))
        copula.load_state_dict({"scores": scores, "covariance": covariance})
        return copula

    def refuse_unusable(self, layout: RowLayout) -> None:
        """Raises: ValueError unless the covariance is one of the dimensions that the scores have."""
        finite = bool(self.scores.isfinite().all() and self.covariance.isfinite().all())
        if not finite or len(self.covariance) != int(self._there(layout).sum()):
            raise ValueError("the covariance of its codes is not that of their scores")
        if int(torch.linalg.cholesky_ex(self.covariance).info):
            raise ValueError("the covariance of its codes is not positive definite")

    @exactly
    def before(self, x: Tensor, layout: RowLayout, before: Tensor) -> Tensor:
        """Return what to add to the logarithm of each code's share, (B, P).

        Args: x (B, P) one-hots of whole rows; before (U, U) ones at [i, j] where unit i comes before unit j: units of
            which one sees fewer others than another one sees only such as that one does.
        """
        units, slots = self._dimensions(layout)
        order = before.sum(dim=0).argsort(stable=True)
        places = self._in_order(order, units)
        factor = self._factor(places, order)
        hidden = self._hidden(x, layout)[:, places]
        innovations = torch.linalg.solve_triangular(factor, hidden.T, upper=False)  # (H, B)
        of = units[places]
        seen = factor * before[of][:, of].T
        padded = seen.new_zeros(len(layout.sizes), self.scores.shape[1], len(places))
        padded[of, slots[places]] = seen
        left = self._blocks(layout) - padded @ padded.transpose(1, 2)
        return self._logits(layout, (padded.flatten(0, 1) @ innovations).view(*padded.shape[:2], -1), left)

    @exactly
    def beside(self, x: Tensor, layout: RowLayout) -> Tensor:
        """Return what to add to the logarithm of each code's share, (B, P), where every row has other units given.

        It is 0 for given units. Args: x (B, P) one-hots, zeros for units that are not given.
        """
        given = torch.cat([bucket.cut(x).amax(dim=2) for bucket in layout.buckets], dim=1)[:, layout.to_units] > 0
        hidden, (units, slots) = self._hidden(x, layout), self._dimensions(layout)
        added = torch.zeros_like(x)
        patterns, of = torch.unique(given, dim=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            rows = (of == number).nonzero()[:, 0]
            known, open_ = pattern[units].nonzero()[:, 0], (~pattern[units]).nonzero()[:, 0]
            if not len(known) or not len(open_):
                continue
            across = self.covariance[open_][:, known]
            solved = torch.linalg.solve(self.covariance[known][:, known], across.T)  # (G, M)
            means = hidden.new_zeros(len(layout.sizes), self.scores.shape[1], len(rows))
            means[units[open_], slots[open_]] = (hidden[rows][:, known] @ solved).T
            there = hidden.new_zeros(len(layout.sizes), self.scores.shape[1], len(known))
            solved_there = there.clone()
            there[units[open_], slots[open_]], solved_there[units[open_], slots[open_]] = across, solved.T
            left = self._blocks(layout) - there @ solved_there.transpose(1, 2)
            added[rows] = self._logits(layout, means, left) * layout.spread(~pattern[None])
        return added

    @exactly
    def begin(self, codes: Tensor, layout: RowLayout, order: Tensor) -> Drawn:
        """Return what is known of rows of codes (B, U) of which all have the same units; -1 where not given.

        Args: order (U,) the units, those that are given first.
        """
        units, _ = self._dimensions(layout)
        places = self._in_order(order, units)
        factor = self._factor(places, order)
        hidden = self._hidden(layout.one_hot(codes), layout)[:, places]
        innovations = torch.linalg.solve_triangular(factor, hidden.T, upper=False).T.contiguous()
        given = (codes >= 0).any(dim=0)[units[places]]
        counts = torch.bincount(units, minlength=len(layout.sizes))[order]
        first = torch.zeros_like(order).index_copy_(0, order, counts.cumsum(0) - counts)
        return Drawn(first.tolist(), factor, innovations * given)

    @exactly
    def logits_of(self, unit: int, drawn: Drawn, layout: RowLayout) -> Tensor:
        """Return what to add to the logarithms of the shares of one unit's codes, (B, K)."""
        scores, mean, left, usual = self._regression(unit, drawn, layout)
        sharp, flat = torch.linalg.inv(left), torch.linalg.inv(usual)
        told: Tensor = mean @ sharp @ scores.T - ((scores @ (sharp - flat)) * scores).sum(dim=1) / 2
        return told

    @exactly
    def with_unit(self, drawn: Drawn, unit: int, codes: Tensor, layout: RowLayout) -> Drawn:
        """Return what is known with one more unit. Args: codes (B,) of it."""
        scores, mean, *_ = self._regression(unit, drawn, layout)
        here = slice(drawn.first[unit], drawn.first[unit] + scores.shape[1])
        new = torch.linalg.solve_triangular(drawn.factor[here, here], (scores[codes] - mean).T, upper=False)
        drawn.innovations[:, here] = new.T
        return drawn

    def _regression(self, unit: int, drawn: Drawn, layout: RowLayout) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return a unit's scores (K, d), and its mean (B, d), covariance given what is known, and at all, (d, d)."""
        scores = self.scores[layout.unit_places(unit)]
        scores = scores[:, scores.abs().sum(dim=0) > 0]
        first = drawn.first[unit]
        rows = drawn.factor[first : first + scores.shape[1]]
        mean = drawn.innovations[:, :first] @ rows[:, :first].T
        own = rows[:, first : first + scores.shape[1]]
        return scores, mean, own @ own.T, rows @ rows.T

    def _there(self, layout: RowLayout) -> Tensor:
        """Return which dimensions each unit has, (U, D)."""
        sums = self.scores.new_zeros(len(layout.sizes), self.scores.shape[1])
        return sums.index_add(0, layout.unit_of, self.scores.abs()) > 0

    def _dimensions(self, layout: RowLayout) -> tuple[Tensor, Tensor]:
        """Return the unit of each dimension, (H,), and which of that unit's it is, (H,)."""
        units, slots = self._there(layout).nonzero(as_tuple=True)
        return units, slots

    def _in_order(self, order: Tensor, units: Tensor) -> Tensor:
        """Return the dimensions, (H,), as their units come in an order (U,)."""
        rank = torch.empty_like(order).index_copy_(0, order, torch.arange(len(order), device=order.device))
        return rank[units].argsort(stable=True)

    def _factor(self, places: Tensor, order: Tensor) -> Tensor:
        """Return the Cholesky factor of the covariance of dimensions in an order; that of whole rows is kept."""
        if not torch.equal(order, torch.arange(len(order), device=order.device)):
            ordered: Tensor = torch.linalg.cholesky(self.covariance[places][:, places])
            return ordered
        now = self.covariance, self.covariance._version
        if self._whole is None or self._whole[1] is not now[0] or self._whole[2] != now[1]:
            self._whole = torch.linalg.cholesky(self.covariance), *now
        factor: Tensor = self._whole[0]
        return factor

    def _hidden(self, x: Tensor, layout: RowLayout) -> Tensor:
        """Return the scores of rows x (B, P), (B, H): 0, their mean, where a unit is not given."""
        parts = [
            torch.bmm(bucket.cut(x.float()).transpose(0, 1), self._cut(bucket.places, len(bucket.units)))
            for bucket in layout.buckets
        ]
        units, slots = self._dimensions(layout)
        hidden: Tensor = torch.cat(parts)[layout.to_units][units, :, slots].T
        return hidden

    def _blocks(self, layout: RowLayout) -> Tensor:
        """Return the covariance of each unit's own dimensions, (U, D, D); ones where it has no dimension."""
        units, slots = self._dimensions(layout)
        most = self.scores.shape[1]
        blocks = torch.eye(most, device=units.device).repeat(len(layout.sizes), 1, 1)
        same = (units[:, None] == units).nonzero(as_tuple=True)
        blocks[units[same[0]], slots[same[0]], slots[same[1]]] = self.covariance[same]
        return blocks

    def _logits(self, layout: RowLayout, means: Tensor, left: Tensor) -> Tensor:
        """Return what Bayes' rule adds, (B, P). Args: means (U, D, B) of each unit; left (U, D, D) its covariance."""
        sharp = torch.linalg.inv(left)
        flat = torch.linalg.inv(self._blocks(layout))
        slopes, parts = torch.bmm(sharp, means), []
        for bucket in layout.buckets:
            scores, units = self._cut(bucket.places, len(bucket.units)), list(bucket.units)
            part = torch.bmm(scores, slopes[units])  # (units, size, B)
            part = part - (torch.bmm(scores, (sharp - flat)[units]) * scores).sum(dim=2, keepdim=True) / 2
            parts.append(part.flatten(0, 1).T)
        return torch.cat(parts, dim=1)

    def _cut(self, places: slice, units: int) -> Tensor:
        return self.scores[places].view(units, -1, self.scores.shape[1])
