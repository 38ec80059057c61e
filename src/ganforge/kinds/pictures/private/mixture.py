"""The mixture of Gaussians that noisy sums describe: for each label some centres and one covariance.

Released, in this order: a bound on the norms of pictures, the mean of each label; a bound on the distances from it,
some rounds of k-means within each label (Lloyd 1982, with noisy sums as in Blum et al. 2005); a bound on the distances
from the centres, the covariance of a label around its own. Each step sees the data through the noisy results of
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
VARIED = 0.2  # of an entry of a relative covariance: how far those of labels differ (see `_believed`)
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
    """L labels (1 without any), each with M centres, and directions of the deviations from them."""

    counts: NDArray[np.float64]  # (L, M) of pictures, noisy and positive
    centres: NDArray[np.float64]  # (L, M, D)
    factors: NDArray[np.float64]  # (L, D, R): deviations from a centre are factor @ z, z standard normal

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

    The covariance of all labels together is known best. In its eigenvectors a label's own is compared with it, and
    believed as far as the noise permits.

    Args: scatter (L, D, D); counts (L,); noise the deviation of the diagonal's noise, of the rest by sqrt 2 less.
    """
    labels, size, _ = scatter.shape
    total = counts.sum()
    values, basis = pooled(scatter.sum(0) / total, noise * np.sqrt(labels) / total)
    kept = max(1, min(directions, int((values > 0).sum())))
    roots, basis = np.sqrt(np.maximum(values[:kept], 0)), basis[:, :kept]
    factors = np.zeros((labels, size, directions))
    if not roots.all():
        return factors
    scale = np.outer(1 / roots, 1 / roots)  # in the eigenvectors and these units the covariance of all is I
    for label, own in enumerate(scatter):
        relative = (basis.T @ own @ basis) * scale / counts[label]
        found = _believed(relative, np.eye(kept), noise / counts[label] * scale)
        values, vectors = np.linalg.eigh(found)
        factors[label, :, :kept] = basis @ (roots[:, None] * (vectors * np.sqrt(np.maximum(values, 0))))
    return factors


def pooled(matrix: NDArray[np.float64], noise: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return eigenvalues, descending, and eigenvectors of a noisy covariance (D, D), freed of its noise.

    What stands above the noise is kept (`shrunk`); of the rest the variances of single coefficients are known, for
    the noise of a diagonal does not grow with D, but not how coefficients vary together.
    """
    values, vectors = shrunk(matrix, noise)
    clear = (vectors * values) @ vectors.T
    rest = np.maximum(np.diag(matrix) - np.diag(clear) - noise, 0)
    values, vectors = np.linalg.eigh(clear + np.diag(rest))
    return np.maximum(values[::-1], 0), vectors[:, ::-1]


def _believed(
    noisy: NDArray[np.float64], prior: NDArray[np.float64], noise: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a relative covariance (R, R) between a noisy one and the one expected before.

    Each entry is believed by VARIED / (VARIED + the noise's variance), which is the best for entries that differ from
    those expected with the variance VARIED. Args: noise its deviation (R, R) on the diagonal, elsewhere sqrt 2 less.
    """
    spread = np.where(np.eye(len(prior), dtype=bool), 1.0, 0.5) * np.square(noise)
    found: NDArray[np.float64] = prior + VARIED / (VARIED + spread) * (noisy - prior)
    return found


def shrunk(matrix: NDArray[np.float64], noise: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return eigenvalues, descending, freed of symmetric noise, and eigenvectors in columns.

    Above the edge 2 r of the noise, r = noise sqrt(D / 2), an eigenvalue w becomes sqrt(w^2 - 4 r^2), below it 0: the
    best under squared error (Donoho, Gavish and Johnstone 2018, for additive symmetric noise).
    """
    values, vectors = np.linalg.eigh(matrix)
    values, vectors = values[::-1], vectors[:, ::-1]
    edge = noise * np.sqrt(2 * len(matrix))
    return np.sqrt(np.maximum(np.square(np.maximum(values, 0)) - edge**2, 0)), vectors
