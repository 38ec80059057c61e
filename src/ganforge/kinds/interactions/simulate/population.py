"""The population that new users are drawn from: tastes and traits in a Gaussian mixture, time gaps, and ratings.

Everything here is a module whose buffers a model stores. Shape letters: B users, Z numbers of a taste, T traits,
K parts of the mixture, I items, G gaps.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

from ganforge.kinds.interactions.log import Log

Numbers = NDArray[np.float64]
TRAITS = ("length", "start", "pace", "rating")  # log of interactions, first time, mean log of gaps, kindness
USERS_OF_A_PART, MOST_PARTS = 75, 20  # of the mixture
GRID = 201  # points of a trait's quantiles
RIDGE = 1e-3  # variance that is added to each part
GROUPS = 4  # of users by their pace, each with its own gaps
GAPS, POINTS = 16, 17  # classes of gaps: none, and others of like size; quantiles of each
SMOOTH = 0.5  # of a gap that is added to each count
MOST_LEVELS = 50  # different ratings, beyond which they are numbers on a line
FEWEST_OF_ITEM = 5  # ratings of an item whose mean counts half


def traits_of(log: Log, ratings: Ratings | None) -> Numbers:
    """Return the traits of each user, (U, T); 0 for what the log does not tell."""
    counts, starts = log.counts(), log.starts()
    found = np.zeros((len(counts), len(TRAITS)))
    found[:, 0] = np.log(np.maximum(1, counts))
    if log.time is not None:
        found[:, 1] = log.time[starts[:-1]]
        same = log.user[1:] == log.user[:-1]
        gaps = np.log1p(np.diff(log.time)[same])
        found[:, 2] = np.bincount(log.user[1:][same], gaps, len(counts)) / np.maximum(1, counts - 1)
    if ratings is not None and log.rating is not None:
        left = log.rating - ratings.usual.numpy()[log.item]
        found[:, 3] = np.bincount(log.user, left, len(counts)) / np.maximum(1, counts)
    return found


class Mixture(nn.Module):
    """A Gaussian mixture of tastes and of traits, each trait as a standard normal number by its rank."""

    shares: Tensor
    means: Tensor
    factors: Tensor
    quantiles: Tensor

    def __init__(self, tastes: int, parts: int) -> None:
        super().__init__()
        size = tastes + len(TRAITS)
        self.tastes = tastes
        self.register_buffer("shares", torch.zeros(parts, dtype=torch.float64))
        self.register_buffer("means", torch.zeros(parts, size, dtype=torch.float64))
        self.register_buffer("factors", torch.zeros(parts, size, size, dtype=torch.float64))  # Cholesky, lower
        self.register_buffer("quantiles", torch.zeros(len(TRAITS), GRID, dtype=torch.float64))

    @classmethod
    def fit(cls, tastes: Numbers, traits: Numbers, seed: int) -> Mixture:
        """Fit it to users. Args: tastes (U, Z); traits (U, T)."""
        parts = min(MOST_PARTS, max(1, len(tastes) // USERS_OF_A_PART))
        made = cls(tastes.shape[1], parts)
        chosen = np.random.default_rng(seed).permutation(len(tastes))
        quantiles = np.quantile(traits, np.linspace(0, 1, GRID), axis=0).T
        varied = quantiles[:, -1] > quantiles[:, 0]
        rank = np.argsort(np.argsort(traits[chosen], 0, kind="stable"), 0, kind="stable")
        normal = ndtri((rank + 0.5) / len(traits)) * varied
        fitted = GaussianMixture(parts, reg_covar=RIDGE, random_state=seed % 2**32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a hundred rounds are near enough
            fitted.fit(np.hstack([tastes[chosen], normal]))
        factors = np.linalg.cholesky(fitted.covariances_)
        for name, value in (
            ("shares", fitted.weights_), ("means", fitted.means_), ("factors", factors), ("quantiles", quantiles),
        ):  # fmt: skip
            made.get_buffer(name).copy_(torch.from_numpy(value))
        return made

    def draw(self, count: int, random: np.random.Generator) -> tuple[NDArray[np.float32], Numbers]:
        """Draw tastes (count, Z) and traits (count, T)."""
        shares, means, factors = (getattr(self, name).numpy() for name in ("shares", "means", "factors"))
        part = np.searchsorted(np.cumsum(shares)[:-1], random.random(count) * shares.sum(), side="right")
        noise = random.standard_normal((count, means.shape[1]))
        drawn = means[part] + np.einsum("nij,nj->ni", factors[part], noise)
        grid = np.linspace(0, 1, GRID)
        quantiles = self.quantiles.numpy()
        places = ndtr(drawn[:, self.tastes :])
        traits = np.stack([np.interp(places[:, one], grid, own) for one, own in enumerate(quantiles)], 1)
        return drawn[:, : self.tastes].astype(np.float32), traits


class Gaps(nn.Module):
    """The time from one interaction to the next: a Markov chain of classes of gaps, one for each pace."""

    inside: Tensor
    chances: Tensor
    paces: Tensor

    def __init__(self) -> None:
        super().__init__()
        # quantiles of log(1 + gap) in each class; class 0 is no gap
        self.register_buffer("inside", torch.zeros(GAPS, POINTS, dtype=torch.float64))
        self.register_buffer("chances", torch.zeros(GROUPS, GAPS + 1, GAPS, dtype=torch.float64))  # after GAPS: first
        self.register_buffer("paces", torch.zeros(GROUPS - 1, dtype=torch.float64))

    @classmethod
    def fit(cls, log: Log, pace: Numbers) -> Gaps:
        """Fit them to a log with times. Args: pace (U,) of each user."""
        assert log.time is not None
        made = cls()
        same = log.user[1:] == log.user[:-1]
        user, gaps = log.user[1:][same], np.log1p(np.diff(log.time)[same])
        longer = np.sort(gaps[gaps > 0])
        edges = longer[np.arange(1, GAPS - 1) * len(longer) // (GAPS - 1)] if len(longer) else np.zeros(GAPS - 2)
        kind = np.where(gaps > 0, np.searchsorted(edges, gaps, side="right") + 1, 0)
        for one in np.unique(kind[kind > 0]):
            own = np.quantile(gaps[kind == one], np.linspace(0, 1, POINTS))
            made.inside[int(one)] = torch.from_numpy(own)
        paces = np.quantile(pace, np.linspace(0, 1, GROUPS + 1)[1:-1])
        made.paces.copy_(torch.from_numpy(paces))
        first = np.append(True, user[1:] != user[:-1])[: len(user)]
        before = np.where(first, GAPS, np.append(0, kind[:-1])[: len(kind)])
        counts = np.zeros((GROUPS, GAPS + 1, GAPS))
        np.add.at(counts, (np.searchsorted(paces, pace)[user], before, kind), 1)
        usual = counts.sum(1, keepdims=True) + 1e-9 * np.bincount(kind, minlength=GAPS)  # of a pace
        counts += SMOOTH * usual / np.maximum(1e-12, usual.sum(2, keepdims=True))
        made.chances.copy_(torch.from_numpy(counts / np.maximum(1e-12, counts.sum(2, keepdims=True))))
        return made

    def draw(self, steps: int, pace: Numbers, random: np.random.Generator) -> Numbers:
        """Draw the gap before each interaction, (B, steps); there is none before the first. Args: pace (B,)."""
        sums, inside = self.chances.numpy().cumsum(2), self.inside.numpy()
        group = np.searchsorted(self.paces.numpy(), pace)
        gaps, before = np.zeros((len(pace), steps)), np.full(len(pace), GAPS)
        for step in range(1, steps):
            own = sums[group, before]
            kind = (random.random((len(pace), 1)) * own[:, -1:] >= own).sum(1).clip(max=GAPS - 1)
            place, above = np.divmod((POINTS - 1) * random.random(len(pace)), 1)
            low, high = (inside[kind, place.astype(np.int64) + side] for side in (0, 1))
            gaps[:, step], before = np.expm1(low + (high - low) * above), kind
        return gaps


class Ratings(nn.Module):
    """A rating: what is usual for the item, the user's kindness, and noise, rounded to one that is given."""

    usual: Tensor
    levels: Tensor
    exact: Tensor
    noise: Tensor

    def __init__(self, items: int, levels: int) -> None:
        super().__init__()
        self.register_buffer("usual", torch.zeros(items, dtype=torch.float64))
        self.register_buffer("levels", torch.zeros(levels, dtype=torch.float64))
        self.register_buffer("exact", torch.zeros((), dtype=torch.bool))  # then levels are the least and the greatest
        self.register_buffer("noise", torch.zeros((), dtype=torch.float64))

    @classmethod
    def fit(cls, log: Log) -> Ratings:
        """Fit them to a log with ratings."""
        assert log.rating is not None
        rating = log.rating.astype(np.float64)
        levels = np.unique(rating)
        exact = len(levels) > MOST_LEVELS
        levels = levels[[0, -1]] if exact else levels
        made = cls(len(log.items), len(levels))
        made.exact.fill_(exact)
        counts, mean = np.bincount(log.item, minlength=len(log.items)), rating.mean()
        usual = mean + np.bincount(log.item, rating - mean, len(log.items)) / (counts + FEWEST_OF_ITEM)
        made.usual.copy_(torch.from_numpy(usual))
        made.levels.copy_(torch.from_numpy(levels))
        kindness = traits_of(log, made)[:, 3]
        made.noise.fill_(float((rating - usual[log.item] - kindness[log.user]).std()))
        return made

    def draw(self, items: NDArray[np.int64], kindness: Numbers, random: np.random.Generator) -> Numbers:
        """Draw ratings (N,) of items (N,) by users whose kindness is (N,)."""
        noise = float(self.noise) * random.standard_normal(len(items))
        rating, levels = self.usual.numpy()[items] + kindness + noise, self.levels.numpy()
        if self.exact:
            return np.asarray(np.clip(rating, levels[0], levels[1]))
        place = np.searchsorted((levels[1:] + levels[:-1]) / 2, rating)
        rated: Numbers = levels[place]
        return rated
