"""Scores of nearest neighbours: are the samples like real pictures, and do they cover all kinds of them?"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.measures.intervals import Estimate, from_standard_error

K = 5  # neighbours that make a radius, as Naeem et al. 2020
NUMBERS = 2**19  # of a distance matrix held at a time, however many pictures are compared


def neighbour_scores(real: NDArray[np.floating], fake: NDArray[np.floating], k: int = K) -> dict[str, Estimate]:
    """Precision, recall, density and coverage of features real (N, D) and fake (M, D), N, M > k.

    With r(x) the distance of x to its k-th neighbour in its own set,
        precision = mean_j any_i [d(x_i, y_j) < r(x_i)]         recall   = mean_i any_j [d(x_i, y_j) < r(y_j)]
        density   = mean_j sum_i [d(x_i, y_j) < r(x_i)] / k     coverage = mean_i any_j [d(x_i, y_j) < r(x_i)]
    (Kynkaanniemi et al. 2019; Naeem et al. 2020). For equal distributions E density = 1 and
    E coverage = 1 - prod_{i=1..k} (N-i)/(N+M-i), 0.969 for N = M and k = 5.

    The intervals are normal, their variance that of an approximate jackknife over BOTH sets: leaving out a picture
    changes a score by its own mark and by the marks that hang on it alone. Memory is some 25 bytes for each of NUMBERS.
    """
    x, y = _tensor(real), _tensor(fake)
    n, m = len(x), len(y)
    radius_x, radius_y = _radii(x, k), _radii(y, k)
    in_real = np.zeros(m)  # how many real balls hold fake j
    holds = np.zeros(n)  # how many fakes lie in real ball i
    in_fake = np.zeros(n)  # how many fake balls hold real i
    first_fake = np.full(n, -1)  # one fake in the ball of real i: THE one where holds is 1
    first_ball = np.full(n, -1)  # one fake ball that holds real i: THE one where in_fake is 1
    owner_sum = np.zeros(m)  # sum of the indices of real balls that hold fake j: THE index where in_real is 1
    rows = rows_at_once(m)
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        distance = torch.cdist(x[start:stop], y)  # (rows, M)
        inside = distance < radius_x[start:stop, None]
        reached = distance < radius_y[None]
        in_real += inside.sum(0).numpy()
        owner_sum += (inside * torch.arange(start, stop, dtype=torch.float64)[:, None]).sum(0).numpy()
        holds[start:stop] = inside.sum(1).numpy()
        in_fake[start:stop] = reached.sum(1).numpy()
        first_fake[start:stop] = inside.int().argmax(1).numpy()
        first_ball[start:stop] = reached.int().argmax(1).numpy()
    alone_real = np.bincount(owner_sum[in_real == 1].astype(np.int64), minlength=n)
    alone_fake = np.bincount(first_fake[holds == 1], minlength=m)
    alone_ball = np.bincount(first_ball[in_fake == 1], minlength=m)
    return {
        "precision": _share(in_real > 0, alone_real),
        "recall": _share(in_fake > 0, alone_ball),
        "density": from_standard_error(
            float(in_real.mean()) / k, math.sqrt(in_real.var() / m + (holds * n / m).var() / n) / k, least=0.0
        ),
        "coverage": _share(holds > 0, alone_fake),
    }


def nearest(queries: NDArray[np.floating], base: NDArray[np.floating], k: int) -> NDArray[np.float32]:
    """The k smallest distances of each query (Q, D) to base (N, D), in rising order: (Q, min(k, N))."""
    return nearest_with_index(queries, base, k)[0]


def nearest_with_index(
    queries: NDArray[np.floating], base: NDArray[np.floating], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """As `nearest`, and the rows of base they belong to: (Q, k) and (Q, k)."""
    q, b = _tensor(queries), _tensor(base)
    k, rows = min(k, len(b)), rows_at_once(len(b))
    # Written into arrays made before: small results kept between large temporary blocks would pin those in the heap.
    distances, places = torch.empty(len(q), k), torch.empty(len(q), k, dtype=torch.int64)
    for start in range(0, len(q), rows):
        part = slice(start, start + rows)
        distances[part], places[part] = torch.cdist(q[part], b).topk(k, dim=1, largest=False)
    return distances.numpy(), places.numpy()


def rows_at_once(columns: int) -> int:
    """Rows of a matrix of so many columns that NUMBERS allow, at least 1."""
    return max(1, NUMBERS // columns)


def _tensor(features: NDArray[np.floating]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(features, np.float32))


def _radii(x: torch.Tensor, k: int) -> torch.Tensor:
    """Distance of each row to its k-th neighbour among the others: (N,)."""
    radii, rows = torch.empty(len(x)), rows_at_once(len(x))
    for start in range(0, len(x), rows):
        distance = torch.cdist(x[start : start + rows], x)
        distance.diagonal(start).zero_()  # rounding leaves the distance to itself above 0
        radii[start : start + rows] = distance.kthvalue(min(k + 1, len(x)), dim=1).values
    return radii


def _share(marks: NDArray[np.bool_], alone: NDArray[np.int64]) -> Estimate:
    """The mean of marks; `alone` (of the other set) counts the marks that hang on one member alone."""
    n, others = len(marks), len(alone)
    variance = marks.var() / n + others * (alone / n).var()
    variance = max(variance, 1 / (4 * n**2))  # all marks equal does not mean no doubt
    return from_standard_error(float(marks.mean()), math.sqrt(variance), least=0.0, most=1.0)
