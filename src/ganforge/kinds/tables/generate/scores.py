"""The scores of codes, and their covariance, counted in training rows: what a Gaussian copula of many columns needs.

A number's codes are ascending spans: their scores are the means of a standard normal over spans of such shares, and a
missing value is a dimension of its own. Codes of other units have no order. Each is a point in the space of the
factors that all columns share, where the rows that have it are centred; their scores are their places along the one
or two lines through these points that tell them best apart ("optimal scaling"; Gifi 1990).

A covariance of a thousand columns, counted in some thousand rows, is half chance. Kept are that of a few factors, and
what two columns share besides, where it is more than chance would give (Fan, Liao and Mincheva 2013, "Large covariance
estimation by thresholding principal orthogonal complements").
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.special import ndtri
from torch import Tensor

from ganforge.core.seeds import generator_for, seed_for
from ganforge.engine.feed import TensorFeed
from ganforge.kinds.tables.codec.codec import TableCodec
from ganforge.kinds.tables.codec.numbers import NumberUnit
from ganforge.kinds.tables.networks import RowLayout

MOST_ROWS = 50_000  # training rows that are counted
FACTOR_ROWS = 10_000  # of them, in which factors are searched
MOST_CELLS = 2**26  # of these rows' indicators: a quarter of a GiB
MOST_FACTORS = 128
MOST_DIMENSIONS = 2  # of a unit
CLEAR = 2.0  # times what chance would give: the spread of codes along a line that counts
PRIOR_ROWS = 5.0  # at the centre, that each code counts besides its own
LEAST_SHARE = 1e-9
ROUNDS, LEAST_OWN = 8, 0.02  # of the search for factors; share of its variance that each dimension keeps to itself
LEAST_VARIANCE = 0.01  # of any sum of dimensions, so that the covariance has an inverse
Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@lru_cache(maxsize=1)  # a plan builds its game a few times
def fit_scores(train: TensorFeed, sizes: tuple[int, ...], spans: tuple[bool | None, ...]) -> tuple[Tensor, Tensor]:
    """Return the scores of codes (P, D), and the covariance of the dimensions of all units (H, H).

    Args: sizes (U,) of the units; spans (U,) as `spans_of` returns it.
    """
    chosen = torch.randperm(len(train), generator=generator_for(0, "scores of codes"))[:MOST_ROWS]
    codes = train.batch(chosen)["x"].cpu().numpy().astype(np.int64)
    shares = [_shares(codes[:, unit], size) for unit, size in enumerate(sizes)]
    scores = [
        _indicators(share) if missing is None else _of_number(share, with_missing=missing)
        for share, missing in zip(shares, spans, strict=True)
    ]
    others = [place for place, missing in enumerate(spans) if missing is None]
    if others:
        starts = [0, *np.cumsum([found.shape[1] for found in scores]).tolist()]
        part = codes[: min(FACTOR_ROWS, max(1, MOST_CELLS // max(1, starts[-1])))]
        hidden = _hidden(part, scores)
        loadings = _factors(hidden)
        factors = hidden @ loadings
        for place in others:
            own = slice(starts[place], starts[place + 1])
            scores[place] = _along_lines(part[:, place], factors - hidden[:, own] @ loadings[own], shares[place])
    layout = RowLayout(sizes)
    table = np.zeros((layout.width, MOST_DIMENSIONS))
    for place, found in enumerate(scores):
        table[layout.unit_places(place), : found.shape[1]] = found
    hidden = _hidden(codes, scores)
    return torch.from_numpy(table).float(), torch.from_numpy(covariance_of(hidden)).float()


def spans_of(codec: TableCodec) -> tuple[bool | None, ...]:
    """Return for each unit (U,) whether a number of ascending spans has a code for missing; None for other units."""
    return tuple(unit.with_missing if isinstance(unit, NumberUnit) else None for unit in codec.units)


def _shares(codes: Codes, size: int) -> Floats:
    counts = np.bincount(codes[codes >= 0], minlength=size)
    return np.asarray(counts / max(1, counts.sum()))


def _of_number(share: Floats, *, with_missing: bool) -> Floats:
    """Return the scores (K, 1 or 2) of a number's codes: with mean 0 and, unless it is constant, variance 1."""
    there = share[int(with_missing) :]
    ends = ndtri(np.clip(np.concatenate([[0.0], there.cumsum() / max(there.sum(), LEAST_SHARE)]), 0, 1))
    density = np.exp(-(ends**2) / 2) / np.sqrt(2 * np.pi)
    rising = (density[:-1] - density[1:]) / np.maximum(there / max(there.sum(), LEAST_SHARE), LEAST_SHARE)
    scores = np.concatenate([np.zeros(int(with_missing)), rising])[:, None]
    if with_missing:
        scores = np.concatenate([scores, (np.arange(len(share)) == 0)[:, None] - share[0]], axis=1)
    return _standard(scores, share)


def _indicators(share: Floats) -> Floats:
    """Return each code as a dimension of its own, (K, K), scaled as in correspondence analysis."""
    scale = np.sqrt(np.maximum(share, LEAST_SHARE))
    return np.asarray(np.where(share > 0, np.eye(len(share)) / scale[:, None], 0.0) - scale * (share > 0)[:, None])


def _standard(scores: Floats, share: Floats) -> Floats:
    """Return scores (K, d') with mean 0 and variance 1 over rows, without the dimensions that do not vary."""
    scores = scores - share @ scores
    spread = np.sqrt(share @ scores**2)
    return np.asarray(scores[:, spread > LEAST_SHARE] / spread[spread > LEAST_SHARE])


def _hidden(codes: Codes, scores: Sequence[Floats]) -> NDArray[np.float32]:
    """Return the scores of rows of codes (N, U), (N, H); 0 for a code -1."""
    parts = [
        np.where(codes[:, place, None] >= 0, found[codes[:, place]], 0.0).astype(np.float32)
        for place, found in enumerate(scores)
    ]
    return np.concatenate(parts, axis=1)


def _factors(hidden: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what each dimension adds to each factor, (H, R): the principal components beyond those of chance."""
    rows, dimensions = hidden.shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(0, "factors of codes"))
        _, sizes, found = torch.svd_lowrank(torch.from_numpy(hidden), q=min(MOST_FACTORS, rows, dimensions), niter=1)
    variances = (sizes**2 / rows).numpy().astype(np.float64)
    kept = max(1, int((variances > _edge(dimensions, rows)).sum()))
    scale = np.sqrt(np.maximum(variances[:kept], LEAST_SHARE))
    return np.asarray(found.numpy()[:, :kept] / scale, np.float32)


def _edge(dimensions: int, rows: int) -> float:
    """Return the largest variance of a principal component of independent dimensions (Marchenko and Pastur 1967)."""
    return float((1 + np.sqrt(dimensions / rows)) ** 2)


def _along_lines(codes: Codes, factors: NDArray[np.float32], share: Floats) -> Floats:
    """Return the scores (K, 1 or 2) of a unit's codes (N,), by the factors (N, R) of all other units."""
    (rows, count), size = factors.shape, len(share)
    there = codes >= 0
    sums = torch.zeros(size, count).index_add_(0, torch.from_numpy(codes[there]), torch.from_numpy(factors[there]))
    weights = np.bincount(codes[there], minlength=size)[:, None] + PRIOR_ROWS
    scale = np.sqrt(np.maximum(share, LEAST_SHARE))[:, None]
    lines, spread, _ = np.linalg.svd(scale * sums.numpy() / weights, full_matrices=False)
    chance = CLEAR * (np.sqrt(size / rows) + np.sqrt(count / rows)) ** 2
    kept = min(MOST_DIMENSIONS, max(1, int((spread**2 > chance).sum())))
    return _standard(np.where(share[:, None] > 0, lines[:, :kept] / scale, 0.0), share)


def covariance_of(hidden: NDArray[np.float32]) -> Floats:
    """Return the covariance (H, H) of dimensions with variance 1 in rows (N, H), without what may be chance.

    A correlation r that is counted in N rows varies by chance by (1 - r^2)^2 / N; of H (H - 1) / 2 of them the largest
    lies about sqrt(2 log H) such standard deviations away.
    """
    rows, dimensions = hidden.shape
    counted = (torch.from_numpy(hidden).T @ torch.from_numpy(hidden) / rows).numpy().astype(np.float64)
    np.fill_diagonal(counted, 1.0)
    told = _by_factors(counted, rows)
    chance = np.sqrt(2 * np.log(max(2, dimensions)) / rows) * (1 - np.minimum(counted**2, 1.0))
    kept = told + np.where(np.abs(counted - told) > chance, counted - told, 0.0)
    np.fill_diagonal(kept, 1.0)
    least = float(eigh(kept, eigvals_only=True, subset_by_index=[0, 0])[0])
    raised = max(0.0, LEAST_VARIANCE - least)  # so that it is positive definite
    return np.asarray((kept + raised * np.eye(dimensions)) / (1 + raised))


def _by_factors(counted: Floats, rows: int) -> Floats:
    """Return what common factors tell of correlations (H, H): those beyond chance, found by principal axes."""
    dimensions, own = len(counted), np.full(len(counted), 0.5)
    most = min(MOST_FACTORS, dimensions)
    variances = eigh(counted, eigvals_only=True, subset_by_index=[dimensions - most, dimensions - 1])
    subset = [dimensions - max(1, int((variances > _edge(dimensions, rows)).sum())), dimensions - 1]
    for _ in range(ROUNDS):
        scale = np.sqrt(own)
        variances, lines = eigh(counted / np.outer(scale, scale), subset_by_index=subset)
        loadings = lines * np.sqrt(np.maximum(variances - 1, 0)) * scale[:, None]
        own = np.clip(1 - (loadings**2).sum(axis=1), LEAST_OWN, 1.0)
    return np.asarray(loadings @ loadings.T)
