"""Where new sounds begin: a mixture of Gaussians of each label's spectrograms, which a small network then refines.

The spectrograms of a label are of several sorts (a speaker, a way of playing). One Gaussian of all of them lies between
the sorts, too; a mixture does not. What it draws is blurred, and that is what the network, judged by a discriminator,
has to mend.

A label of few sounds has no sorts to be found. Each of its sounds has a sort with its nearest neighbours then (as in
manifold Parzen windows, Vincent and Bengio 2003), and what is drawn is made longer or shorter.

Shape letters: P = M * N cells of a spectrogram, C principal components, Q sorts of all labels together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from ganforge.core.levels import HALF
from ganforge.core.seeds import subset
from ganforge.engine.feed import ArrayFeed
from ganforge.measures.gaussian import covariance_root
from ganforge.networks import PAIRS, Pairs
from ganforge.networks.conv import SLOPE, ConvPair, bounded
from ganforge.networks.resnet import ResnetPair

OWN = 16  # directions of a sort's own spread; all others are those of every sort together
PICK = 1  # entry of the latent that picks the sort
MOST_COMPONENTS = 300
SORT, LEAST_SORT, MOST_SORT = 1.3, 4, 20  # spectrograms of a sort: so many roots of those of its label, and bounds
MOST_SORTS = 1024
FEW = 64  # spectrograms of a label: so many have sorts; of fewer, each has its own, of NEIGHBOURS with itself
NEIGHBOURS = 3
WHOLE = 0.2  # of the covariance of such a sort is its label's
STRETCH = 0.25  # standard deviation of the natural logarithm of the factor by which what few sounds give is stretched
SHRUNK = 5  # spectrograms of a sort that weigh as much as the spread of all sorts together
MOST_FITTED, NUMBERS = 10_000, 60_000_000  # spectrograms that the mixture is fitted to, and float32 numbers of them
PATCH, REACH = 4, 8  # cells of a side of a patch, and of what is seen of it
BLOCKS = 2


def sorts_for(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of sorts of each label. Args: counts (L,) of its training spectrograms."""
    each = np.clip(SORT * np.sqrt(counts), LEAST_SORT, MOST_SORT)  # of few sounds a large sort is a mean of all
    least = np.maximum(each, math.ceil(int(counts.sum()) / MOST_SORTS))
    sorts: NDArray[np.int64] = np.maximum(1, np.rint(counts / least)).astype(np.int64)
    return np.where(_few(counts), counts, sorts)


def _few(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each label whether every spectrogram has a sort of its own. Args: counts (L,)."""
    few: NDArray[np.bool_] = (counts >= NEIGHBOURS) & (counts < FEW) & (counts.sum() <= MOST_SORTS)
    return few


class Mixture(nn.Module):
    """Latent (B, PICK + OWN + C) and label (B,) -> spectrogram (B, 1, M, N), in -1..1 but for its tails."""

    centre: Tensor
    components: Tensor
    means: Tensor
    own: Tensor
    shared: Tensor
    rest: Tensor
    stretch: Tensor
    upto: Tensor

    def __init__(self, shape: tuple[int, ...], sorts: int, components: int) -> None:
        super().__init__()
        if components < 1:
            raise ValueError(f"a latent of {PICK + OWN + components} numbers picks a sort and its spread, and no more")
        self.shape = shape
        for name, size in {
            "centre": (math.prod(shape),),
            "components": (components, math.prod(shape)),
            "means": (sorts, components),
            "own": (sorts, OWN, components),  # directions, each as long as the spread along it
            "shared": (components, components),  # a root of the covariance within sorts
            "rest": (sorts, 1),  # the factor of `shared`
            "stretch": (sorts,),  # STRETCH, or 0
            "upto": (sorts,),  # label + share of the label's sorts up to this one
        }.items():
            self.register_buffer(name, torch.zeros(size))

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        share = 0.5 * (1 + torch.erf(latent[:, 0] / math.sqrt(2)))
        place = share if label is None else share + label
        sort = torch.searchsorted(self.upto, place).clamp(max=len(self.upto) - 1)
        own = (latent[:, PICK : PICK + OWN, None] * self.own[sort]).sum(dim=1)
        code = self.means[sort] + own + self.rest[sort] * (latent[:, PICK + OWN :] @ self.shared)
        drawn = (self.centre + code @ self.components).view(-1, *self.shape)
        return _stretched(drawn, torch.exp(self.stretch[sort] * latent[:, -1]))

    def fit(self, train: ArrayFeed) -> None:
        """Fit to training spectrograms, levels (1, M, N), of each label at least one."""
        most = max(100, min(MOST_FITTED, NUMBERS // len(self.centre)))
        chosen = np.sort(subset(len(train), most, "sounds/mixture"))
        x = (train.examples(chosen).astype(np.float32) / HALF - 1).reshape(len(chosen), -1)
        of = np.zeros(len(train), np.int64) if train.labels is None else train.labels
        counts = np.bincount(of)
        few = _few(counts)
        count = min(len(self.components), len(x) - 1)
        found = PCA(count, svd_solver="randomized", random_state=0).fit(x)
        codes = np.zeros((len(x), len(self.components)))
        codes[:, :count] = found.transform(x)
        sorts = [
            (_neighbours if few[label] else _sorted)(codes, np.flatnonzero(of[chosen] == label), int(k))
            for label, k in enumerate(sorts_for(counts))
        ]
        within = np.concatenate([codes[one] - codes[one].mean(axis=0) for part in sorts for one in part if len(one)])
        spared = sum(len(part) for part in sorts)
        self.shared.copy_(torch.from_numpy(covariance_root(within.T @ within / max(1, len(within) - spared))))
        self.centre.copy_(torch.from_numpy(found.mean_))
        self.components[:count] = torch.from_numpy(found.components_)
        rows: Iterator[int] = iter(range(len(self.means)))
        for label, part in enumerate(sorts):
            sizes = np.array([len(one) for one in part], np.float64)
            shares = np.cumsum(sizes) / sizes.sum() if sizes.sum() else np.linspace(0, 1, len(part) + 1)[1:]
            for members, share in zip(part, shares, strict=True):
                row, near = next(rows), codes[members] if len(members) else codes
                self.means[row], self.upto[row] = torch.from_numpy(near.mean(axis=0)), label + float(share)
                if few[label]:
                    parts = (1 - WHOLE, near), (WHOLE, codes[of[chosen] == label])
                    roots = [math.sqrt(part / (len(one) - 1)) * (one - one.mean(axis=0)) for part, one in parts]
                    self._spread(row, np.concatenate(roots), 1.0)
                    self.stretch[row] = STRETCH
                else:
                    weight = len(near) / (len(near) + SHRUNK)
                    self._spread(row, near - near.mean(axis=0), math.sqrt(weight / max(1, len(near) - 1)))
                    self.rest[row] = math.sqrt(1 - weight)

    def _spread(self, row: int, deviations: NDArray[np.float64], scale: float) -> None:
        """Set a sort's own directions. Args: deviations (n, C), times `scale` a root of its covariance."""
        _, sizes, directions = np.linalg.svd(deviations, full_matrices=False)
        kept = min(OWN, len(sizes))
        self.own[row, :kept] = torch.from_numpy(scale * sizes[:kept, None] * directions[:kept])


def _sorted(codes: NDArray[np.float64], members: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """Divide a label's spectrograms into sorts by k-means. Returns: the rows of each, none for those too many."""
    different = min(count, len(np.unique(codes[members].round(6), axis=0)))
    sort = np.zeros(len(members), np.int64)
    if different > 1:
        sort = KMeans(different, n_init=3, random_state=0).fit_predict(codes[members])
    return [members[sort == one] for one in range(count)]


def _neighbours(codes: NDArray[np.float64], members: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """Return for each of a label's spectrograms the rows of the NEIGHBOURS nearest ones, itself among them."""
    found = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(codes[members]).kneighbors(return_distance=False)
    return list(members[found])


def _stretched(x: Tensor, factor: Tensor) -> Tensor:
    """Make each spectrogram (B, 1, M, N) longer by its factor (B,); silence follows what ends before N."""
    last = x.shape[3] - 1
    place = (torch.arange(last + 1, device=x.device) / factor[:, None])[:, None, None]  # (B, 1, 1, N)
    before = place.floor().clamp(max=last)
    after = (before + 1).clamp(max=last)
    low, high = (torch.take_along_dim(x, frame.long(), dim=3) for frame in (before, after))
    return torch.where(place <= last, torch.lerp(low, high, (place - before).to(x.dtype)), -1.0)


class Refiner(nn.Module):
    """Latent (and label) -> what the mixture draws + strength * what a network adds after seeing it, patch by patch."""

    strength: Tensor

    def __init__(self, pair: RefinerPair) -> None:
        super().__init__()
        self.mixture = Mixture(pair.shape, pair.sorts, pair.latent_size - PICK - OWN)
        edge = (REACH - PATCH) // 2
        self.see = nn.Conv2d(1, pair.width, REACH, PATCH, edge)
        self.embed = nn.Embedding(pair.labels, pair.width) if pair.labels else None
        self.blocks = nn.ModuleList(nn.Conv2d(pair.width, pair.width, 3, padding=1) for _ in range(2 * BLOCKS))
        self.add = nn.ConvTranspose2d(pair.width, 1, REACH, PATCH, edge)
        with torch.no_grad():
            for weights in self.add.parameters():
                weights.zero_()
        self.register_buffer("strength", torch.ones(()))  # 0 where training did not bring the samples nearer

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        drawn = self.mixture(latent, label)
        x = self.see(drawn.contiguous(memory_format=torch.channels_last))
        if self.embed is not None and label is not None:
            x = x + self.embed(label)[:, :, None, None]
        for first, second in zip(self.blocks[::2], self.blocks[1::2], strict=True):
            x = x + second(F.leaky_relu(first(F.leaky_relu(x, SLOPE)), SLOPE))
        return bounded(drawn + self.strength * self.add(F.leaky_relu(x, SLOPE)))


class PatchDiscriminator(nn.Module):
    """Spectrogram -> patches, halved twice by 4x4 convolutions -> linear: one score per label (networks/conv.py)."""

    def __init__(self, pair: RefinerPair) -> None:
        super().__init__()
        widths = (pair.width, 2 * pair.width, 4 * pair.width)
        self.see = nn.Conv2d(1, widths[0], REACH, PATCH, (REACH - PATCH) // 2)
        self.downward = nn.ModuleList(nn.Conv2d(widths[place], widths[place + 1], 4, 2, 1) for place in range(2))
        _, bands, frames = pair.shape
        self.score = nn.Linear(widths[-1] * (bands // PATCH // 4) * (frames // PATCH // 4), max(pair.labels, 1))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        x = self.see(x)
        for layer in self.downward:
            x = layer(F.leaky_relu(x, SLOPE))
        scores: Tensor = self.score(F.leaky_relu(x, SLOPE).flatten(1))
        return scores[:, 0] if label is None else scores.gather(1, label[:, None])[:, 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefinerPair:
    """A mixture of `sorts` Gaussians with a network of `width` channels after it, and its discriminator."""

    shape: tuple[int, ...]  # (1, M, N), both multiples of 16
    labels: int = 0
    latent_size: int = PICK + OWN + MOST_COMPONENTS
    width: int = 48
    sorts: int = 1

    def generator(self) -> nn.Module:
        return Refiner(self)

    def discriminator(self) -> nn.Module:
        return PatchDiscriminator(self)


def pairs_for(sorts: int) -> Pairs:
    """Return the networks that make spectrograms, by name. Args: sorts of the mixture that a refiner begins with."""
    return {"refiner": partial(RefinerPair, sorts=sorts), "conv": ConvPair, "resnet": ResnetPair, **PAIRS}
