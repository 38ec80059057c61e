"""Nearest-neighbour scores: precision, recall, density and coverage of samples, and signs of copying."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from ganforge.measures.intervals import Estimate, from_standard_error, of_share

K = 5  # neighbours that define a radius, as Naeem et al. 2020
FEWEST_COMPARED = 2 * K + 2  # different examples on each side of a comparison
NUMBERS = 2**19  # of a distance matrix held at a time, however many pictures are compared


def neighbour_scores(real: NDArray[np.floating], fake: NDArray[np.floating], k: int = K) -> dict[str, Estimate]:
    """Compute precision, recall, density and coverage of features real (N, D) and fake (M, D), N, M > k.

    With r(x) the distance of x to its k-th neighbour in its own set,
        precision = mean_j any_i [d(x_i, y_j) < r(x_i)]         recall   = mean_i any_j [d(x_i, y_j) < r(y_j)]
        density   = mean_j sum_i [d(x_i, y_j) < r(x_i)] / k     coverage = mean_i any_j [d(x_i, y_j) < r(x_i)]
    (Kynkaanniemi et al. 2019; Naeem et al. 2020). For equal distributions E density = 1 and
    E coverage = 1 - prod_{i=1..k} (N-i)/(N+M-i), 0.969 for N = M and k = 5.

    The intervals are normal, their variance that of an approximate jackknife over BOTH sets: leaving out a picture
    changes a score by its own mark and the marks that depend on it alone. Memory is some 25 bytes for each of NUMBERS.
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
    """Return the k smallest distances of each query (Q, D) to base (N, D), ascending: (Q, min(k, N))."""
    return nearest_with_index(queries, base, k)[0]


def nearest_with_index(
    queries: NDArray[np.floating], base: NDArray[np.floating], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the distances of `nearest` and their rows of base: (Q, k) and (Q, k)."""
    q, b = _tensor(queries), _tensor(base)
    k, rows = min(k, len(b)), rows_at_once(len(b))
    # Written into preallocated arrays: small results between large temporary blocks would pin those in the heap.
    distances, places = torch.empty(len(q), k), torch.empty(len(q), k, dtype=torch.int64)
    for start in range(0, len(q), rows):
        part = slice(start, start + rows)
        distances[part], places[part] = torch.cdist(q[part], b).topk(k, dim=1, largest=False)
    return distances.numpy(), places.numpy()


def rows_at_once(columns: int) -> int:
    """Return the number of rows that NUMBERS allow for so many columns, at least 1."""
    return max(1, NUMBERS // columns)


def _tensor(features: NDArray[np.floating]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(features, np.float32))


def _radii(x: torch.Tensor, k: int) -> torch.Tensor:
    """Return the distance of each row to its k-th neighbour among the others: (N,)."""
    radii, rows = torch.empty(len(x)), rows_at_once(len(x))
    for start in range(0, len(x), rows):
        distance = torch.cdist(x[start : start + rows], x)
        distance.diagonal(start).zero_()  # rounding leaves the distance to itself above 0
        radii[start : start + rows] = distance.kthvalue(min(k + 1, len(x)), dim=1).values
    return radii


def _share(marks: NDArray[np.bool_], alone: NDArray[np.int64]) -> Estimate:
    """Return the mean of marks; `alone` (of the other set) counts the marks that depend on one member alone."""
    n, others = len(marks), len(alone)
    variance = marks.var() / n + others * (alone / n).var()
    variance = max(variance, 1 / (4 * n**2))  # equal marks do not mean certainty
    return from_standard_error(float(marks.mean()), math.sqrt(variance), least=0.0, most=1.0)


FAR = 10  # the neighbour whose distance measures local density
RARE = 0.01  # the share of unseen real examples that may look like copies
SAME = 1e-5  # distances closer than this share of themselves are equal: the precision of float32
SUSPICIOUS = 0.05  # the share of samples from which on copying is suspected


@dataclass(frozen=True, slots=True)
class Copying:
    """The result of `copying`. `share`: samples nearer to one training example than 99 % of unseen real ones."""

    share: Estimate
    unseen: float  # the same share among unseen real examples, each half judged by the other
    z: float  # Meehan's C_T in the first space; far below 0 if samples as a whole lie too near
    suspected: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Space:
    """Examples as vectors of one kind (judge features, or small pixels): (N, D), (H, D), (M, D)."""

    train: NDArray[np.floating]
    held_out: NDArray[np.floating]
    samples: NDArray[np.floating]


def copying(spaces: Sequence[Space], train_count: int | None = None, nouns: str = "examples") -> Copying:
    """Search the samples for copies of training examples.

    Args: spaces hold the training examples that are searched; train_count how many the generator was trained on, by
        default those; nouns for several of them. Where only a part is searched, only copies of that can be found.

    An example's closeness is d1 / d10: the distance to its nearest training example relative to its tenth nearest. A
    plain distance is also small for blurred or simple samples, which are near to everything; a copy is near
    to ONE example. (Carlini et al. 2023 normalise likewise.) In each space the threshold is the closeness below which
    RARE / len(spaces) of the unseen real examples lie; a sample that is below it in any space counts. Suspected, when
    the share's lower end is above what the calibration leaves possible and the share is at least SUSPICIOUS, times the
    part of the training examples that was searched.
    """
    unseen = [_closeness(space.held_out, space.train) for space in spaces]
    fake = [_closeness(space.samples, space.train) for space in spaces]
    counted = _rare(unseen, fake)
    share = of_share(int(counted.sum()), len(counted))
    half = len(unseen[0]) // 2
    halves = (
        _rare([u[:half] for u in unseen], [u[half:] for u in unseen]),
        _rare([u[half:] for u in unseen], [u[:half] for u in unseen]),
    )
    floor = float(np.concatenate(halves).mean()) if half else RARE
    below = int(_rare(unseen, unseen).sum())
    possible = float(stats.beta.ppf(0.975, below + 1, len(unseen[0]) - below + 1))  # of the true unseen share
    searched = len(spaces[0].train)
    part = min(1.0, searched / (train_count or searched))
    suspected = share.value >= SUSPICIOUS * part and share.low > possible
    z = mann_whitney_z(
        nearest(spaces[0].samples, spaces[0].train, 1)[:, 0], nearest(spaces[0].held_out, spaces[0].train, 1)[:, 0]
    )
    return Copying(
        share, floor, z, suspected, _sentence(share, floor, suspected, searched, train_count or searched, nouns)
    )


def nearer_share(
    points: NDArray[np.floating], train: NDArray[np.floating], unseen: NDArray[np.floating]
) -> tuple[float, float]:
    """Return the share of points (N, D) nearer to a training example than to an unseen one, and its trials.

    Ties count half. Points with the same nearest real example are not independent: which side that one is on decides
    for all of them. So there are as many trials as (sum c)^2 / sum c^2, where c counts the points that each real
    example is nearest to.

    Args: train (M, D) and unseen (M, D), equally many.
    """
    (to_train, first), (to_unseen, second) = (
        (distances[:, 0].astype(np.float64), places[:, 0])
        for distances, places in (nearest_with_index(points, side, 1) for side in (train, unseen))
    )
    tie = np.abs(to_train - to_unseen) <= SAME * (1 + to_train)
    score = float(((to_train < to_unseen) & ~tie).sum() + tie.sum() / 2)
    counts = np.bincount(np.where(to_train <= to_unseen, first, len(train) + second)).astype(np.float64)
    return score / len(points), len(points) ** 2 / float((counts**2).sum())


def authentic(points: NDArray[np.floating], train: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which points (N, D) are farther from their nearest training example than that is from its own nearest.

    Source: authenticity (Alaa et al. 2022, section 3).
    """
    distances, places = nearest_with_index(points, train, 1)
    own = nearest(train, train, 2)[:, 1]
    return np.asarray(distances[:, 0] > own[places[:, 0]])


def mann_whitney_z(fake_distances: NDArray[np.floating], unseen_distances: NDArray[np.floating]) -> float:
    """Return C_T of Meehan et al. 2020: the standardised rank sum of distances to the training examples.
    It is above 0 (farther: underfitting) or below 0 (nearer: copying) relative to unseen real examples."""
    m, n = len(fake_distances), len(unseen_distances)
    u = float(stats.mannwhitneyu(fake_distances, unseen_distances, method="asymptotic").statistic)
    return (u - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)


def _closeness(examples: NDArray[np.floating], train: NDArray[np.floating]) -> NDArray[np.float64]:
    distances = nearest(examples, train, FAR).astype(np.float64)
    return distances[:, 0] / np.maximum(distances[:, -1], 1e-12)


def _rare(unseen: Sequence[NDArray[np.float64]], examples: Sequence[NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Return which examples are at or below the threshold in any space; at, because repeats have distance 0."""
    marks = np.zeros(len(examples[0]), dtype=bool)
    for u, p in zip(unseen, examples, strict=True):
        marks |= p <= np.quantile(u, RARE / len(unseen), method="lower")
    return marks


def _sentence(share: Estimate, floor: float, suspected: bool, searched: int, train_count: int, nouns: str) -> str:
    among = f" (among {searched:,} of the {train_count:,} that it was trained on)" if searched < train_count else ""
    numbers = (
        f"{share.value:.1%} of the samples lie unusually close to one of the training {nouns}{among}; "
        f"of real {nouns} that were never shown, {floor:.1%} do."
    )
    if suspected:
        return f"{numbers} That is far more than chance: the generator returns training {nouns}."
    return f"{numbers} There is no sign that training {nouns} are copied."
