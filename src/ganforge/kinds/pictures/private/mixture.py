"""The mixture of Gaussians that noisy sums describe: for each label some centres and one covariance.

Released, in this order: a bound on the norms of pictures, the mean of each label; a bound on the distances from it,
some rounds of k-means within each label (Lloyd 1982, with noisy sums as in Blum et al. 2005); a bound on the distances
from the centres, the covariance of each label around its centres. Each step sees the data through the noisy results of
the steps before it, so it is an adaptive composition of Gaussian releases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganforge.core.seeds import seed_for
from ganforge.kinds.pictures.private.coefficients import Coefficients
from ganforge.kinds.pictures.private.sums import (
    Cells,
    bound_of,
    exact_norms,
    exact_squares,
    exact_sums,
    means_of,
    norm_edges,
    squares_of,
)

ROUNDS = 3  # of k-means
SHARES = {"bounds": 0.04, "means": 0.10, "centres": 0.30, "covariances": 0.56}  # of what the judge leaves
VARIED = 0.2  # how far a label's variances are from those of all labels, as a relative variance (see `_of_label`)
Publish = Callable[[str, float, Callable[[], NDArray[np.float64]]], NDArray[np.float64]]
"""publish(name, multiplier, exact) -> exact() with noise, or what was released under this name before."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a mixture is made of, all of it public."""

    labels: int  # L, 1 without any
    size: int  # D of a coefficient vector
    components: int  # M
    directions: int  # R
    largest: float  # norm of a coefficient vector that is possible
    seed: int  # of random directions, from which k-means begins


@dataclass(frozen=True, slots=True)
class Mixture:
    """L labels (1 without any), each with M centres, and directions of its deviations from them."""

    counts: NDArray[np.float64]  # (L, M) of pictures, noisy and positive
    centres: NDArray[np.float64]  # (L, M, D)
    factors: NDArray[np.float64]  # (L, D, R): deviations are factor @ z, z standard normal

    @property
    def label_means(self) -> NDArray[np.float64]:
        """The mean (L, D) of each label."""
        shares = self.counts / self.counts.sum(1, keepdims=True)
        means: NDArray[np.float64] = (shares[:, :, None] * self.centres).sum(1)
        return means


def multipliers(total: float) -> dict[str, float]:
    """Return the multiplier of each release. Args: total the multiplier that all of them together may have."""
    parts = {"bounds": 3, "means": 1, "centres": ROUNDS, "covariances": 1}
    return {name: total / np.sqrt(SHARES[name] / count) for name, count in parts.items()}


def release(
    vectors: Callable[[], tuple[Coefficients, Cells]], form: Form, noise_of: Mapping[str, float], publish: Publish
) -> Mixture:
    """Return the mixture of private vectors, which only `publish` sees.

    Args: vectors gives coefficients (N, D) and labels (N,) in 0..L-1; noise_of as `multipliers` gives it.
    """
    labels, size, components = form.labels, form.size, form.components
    edges = norm_edges(form.largest)

    def residuals(centres: NDArray[np.float64]) -> tuple[Coefficients, Cells]:
        x, label = vectors()
        nearest = _nearest(x, label, centres)
        return x - centres[label, nearest], label * centres.shape[1] + nearest

    zero = np.zeros((labels, 1, size))
    bound = bound_of(publish("norms", noise_of["bounds"], lambda: exact_norms(residuals(zero)[0], edges)), edges)
    found = means_of(
        publish("means", noise_of["means"], lambda: exact_sums(*residuals(zero), labels, bound)),
        bound,
        noise_of["means"],
    )
    means = found.means[:, None]
    bound = bound_of(publish("distances", noise_of["bounds"], lambda: exact_norms(residuals(means)[0], edges)), edges)
    directions_of_start = np.random.default_rng(seed_for(form.seed, "private/centres")).normal(size=(components, size))
    start = directions_of_start / np.linalg.norm(directions_of_start, axis=1, keepdims=True)
    centres = means + (0.5 * bound * start if components > 1 else 0 * start)
    for number in range(ROUNDS):
        centres, counts = _round(number, centres, means, vectors, bound, noise_of["centres"], publish)
    bound = bound_of(publish("residuals", noise_of["bounds"], lambda: exact_norms(residuals(centres)[0], edges)), edges)

    def squares() -> NDArray[np.float64]:
        x, cell = residuals(centres)
        return exact_squares(x, cell // components, labels, bound)

    scatter = squares_of(publish("covariances", noise_of["covariances"], squares), size, bound)
    factors = factors_of(scatter, counts.sum(1), noise_of["covariances"] * bound**2, form.directions)
    return Mixture(counts, centres, factors)


def _round(
    number: int,
    centres: NDArray[np.float64],
    means: NDArray[np.float64],
    vectors: Callable[[], tuple[Coefficients, Cells]],
    bound: float,
    multiplier: float,
    publish: Publish,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the next centres and the counts of one noisy round of k-means within each label."""
    labels, components, _ = centres.shape

    def sums() -> NDArray[np.float64]:
        x, label = vectors()
        cells = label * components + _nearest(x, label, centres)
        return exact_sums(x - means[label, 0], cells, labels * components, bound)

    found = means_of(publish(f"centres{number}", multiplier, sums), bound, multiplier)
    return means + found.means.reshape(centres.shape), found.counts.reshape(labels, components)


def _nearest(x: Coefficients, label: Cells, centres: NDArray[np.float64]) -> Cells:
    """Return which centre of its own label each vector is nearest to (N,)."""
    nearest = np.zeros(len(x), np.int64)
    for number, own in enumerate(centres):
        mine = label == number
        nearest[mine] = (np.square(own).sum(1)[None] - 2 * x[mine] @ own.T).argmin(1)
    return nearest


def factors_of(
    scatter: NDArray[np.float64], counts: NDArray[np.float64], noise: float, directions: int
) -> NDArray[np.float64]:
    """Return factors (L, D, R) from noisy sums of squares.

    The covariance of all labels together is known best: its eigenvalues are shrunk for the noise. A label's own is
    compared with it in its eigenvectors, and believed as far as the noise permits.

    Args: scatter (L, D, D); counts (L,); noise the deviation of the diagonal's noise, of the rest by sqrt 2 smaller.
    """
    total = counts.sum()
    values, basis = shrunk(scatter.sum(0) / total, noise * np.sqrt(len(scatter)) / total)
    kept = max(1, min(directions, int((values > 0).sum())))
    roots, basis = np.sqrt(np.maximum(values[:kept], 0)), basis[:, :kept]
    factors = np.zeros((*scatter.shape[:2], directions))
    for label, own in enumerate(scatter):
        factors[label, :, :kept] = basis @ _of_label(own / counts[label], basis, roots, noise / counts[label])
    return factors


def shrunk(matrix: NDArray[np.float64], noise: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return eigenvalues, descending, freed of symmetric noise, and eigenvectors in columns.

    Above the edge 2 r of the noise, r = noise sqrt(D / 2), an eigenvalue w becomes sqrt(w^2 - 4 r^2), below it 0: the
    best under squared error (Donoho, Gavish and Johnstone 2018, for additive symmetric noise).
    """
    values, vectors = np.linalg.eigh(matrix)
    values, vectors = values[::-1], vectors[:, ::-1]
    edge = noise * np.sqrt(2 * len(matrix))
    return np.sqrt(np.maximum(np.square(np.maximum(values, 0)) - edge**2, 0)), vectors


def _of_label(
    own: NDArray[np.float64], basis: NDArray[np.float64], roots: NDArray[np.float64], noise: float
) -> NDArray[np.float64]:
    """Return the root (R, R) of a label's covariance in the eigenvectors of all labels together.

    Relative to theirs it is I + E, of whose entries the variance is VARIED before and known noise after the release:
    each is believed by VARIED / (VARIED + noise).
    """
    if not roots.any():
        return np.zeros((len(roots), len(roots)))
    scale = 1 / np.maximum(roots, 1e-12)
    relative = scale[:, None] * (basis.T @ own @ basis) * scale[None]
    spread = (noise * scale[:, None] * scale[None]) ** 2
    spread = np.where(np.eye(len(roots), dtype=bool), spread, spread / 2)
    believed = np.eye(len(roots)) + VARIED / (VARIED + spread) * (relative - np.eye(len(roots)))
    values, vectors = np.linalg.eigh(believed)
    found: NDArray[np.float64] = roots[:, None] * (vectors * np.sqrt(np.maximum(values, 0)))
    return found
