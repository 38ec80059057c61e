"""The sums that are released of pictures: no record moves them by more than 1, and without noise they are exact."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from ganforge.core.noise import PrivateNoise
from ganforge.kinds.pictures.private import mixture, sums
from ganforge.kinds.pictures.private.coefficients import basis, coefficients
from ganforge.kinds.pictures.private.mixture import Form, factors_of, multipliers, release

SIZE, LABELS = 6, 3
RANDOM = np.random.default_rng(0)
HOSTILE = (np.zeros(SIZE), 1e9 * np.eye(SIZE)[0], np.full(SIZE, 1e-12), np.full(SIZE, -7.0), 1e300 * np.ones(SIZE))
Array = NDArray[np.float64]
EDGES = sums.norm_edges(28.0)
RELEASES: dict[str, Callable[[Array, NDArray[np.int64]], Array]] = {
    "norms": lambda x, cells: sums.exact_norms(x, EDGES),
    "sums": lambda x, cells: sums.exact_sums(x, cells, LABELS, 2.0),
    "squares": lambda x, cells: sums.exact_squares(x, cells, LABELS, 2.0),
}


@pytest.mark.parametrize("name", RELEASES)
@pytest.mark.parametrize("record", range(len(HOSTILE) + 3))
def test_one_record_moves_a_release_by_at_most_1(name: str, record: int) -> None:
    x, cells = RANDOM.normal(size=(20, SIZE)), RANDOM.integers(0, LABELS, 20)
    one = HOSTILE[record] if record < len(HOSTILE) else 3 * RANDOM.normal(size=SIZE)
    with np.errstate(over="ignore", invalid="ignore"):
        exact = RELEASES[name]
        more = exact(np.vstack([x, one]), np.append(cells, record % LABELS))
        assert np.linalg.norm(more - exact(x, cells)) <= 1 + 1e-6


@pytest.mark.parametrize("name", ["sums", "squares"])
def test_a_release_without_clipping_is_caught_by_the_same_test(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "clipped", lambda vectors, most: vectors)
    x, cells = RANDOM.normal(size=(20, SIZE)), RANDOM.integers(0, LABELS, 20)
    more = RELEASES[name](np.vstack([x, HOSTILE[3]]), np.append(cells, 0))
    assert np.linalg.norm(more - RELEASES[name](x, cells)) > 1 + 1e-6


def test_without_noise_the_moments_come_back_exactly() -> None:
    x, cells = RANDOM.normal(size=(50, SIZE)), RANDOM.integers(0, LABELS, 50)
    bound = float(np.linalg.norm(x, axis=1).max())
    found = sums.means_of(sums.exact_sums(x, cells, LABELS, bound), bound, 0.0)
    squares = sums.squares_of(sums.exact_squares(x, cells, LABELS, bound), SIZE, bound)
    for group in range(LABELS):
        mine = x[cells == group]
        assert found.counts[group] == pytest.approx(len(mine))
        np.testing.assert_allclose(found.means[group], mine.mean(0), atol=1e-12)
        np.testing.assert_allclose(squares[group], mine.T @ mine, atol=1e-9)


def test_without_noise_a_label_gets_its_own_covariance() -> None:
    roots = [np.diag([3.0, 2.0, 1.0]), np.array([[1.0, 0, 0], [1.0, 1.0, 0], [0, 0, 2.0]])]
    scatter = np.stack([100 * root @ root.T for root in roots])
    factors = factors_of(scatter, np.full(2, 100.0), 0.0, directions=3)
    for factor, root in zip(factors, roots, strict=True):
        np.testing.assert_allclose(factor @ factor.T, root @ root.T, atol=1e-9)


def test_the_noise_has_the_promised_deviation() -> None:
    """Of 10^5 numbers the deviation is known to 0.22 %, so 1 % are 4.5 standard errors."""
    noise = PrivateNoise(bytes(32))
    assert sums.noisy(np.zeros(100_000), 3.7, noise).std() == pytest.approx(3.7, rel=0.01)
    assert not np.array_equal(sums.noisy(np.zeros(9), 1.0, noise), sums.noisy(np.zeros(9), 1.0, noise))


def test_the_multipliers_of_all_releases_together_are_the_budget() -> None:
    each = multipliers(3.0)
    times = {"bounds": 3, "means": 1, "centres": mixture.ROUNDS, "covariances": 1}
    assert sum(times[name] / each[name] ** 2 for name in times) == pytest.approx(1 / 9)


def test_each_release_gets_the_noise_that_the_ledger_tells_and_sees_no_exact_sum_twice() -> None:
    told: list[tuple[str, float]] = []

    def publish(name: str, multiplier: float, exact: Callable[[], Array]) -> Array:
        told.append((name, multiplier))
        return exact()

    x, labels = RANDOM.normal(size=(90, SIZE)), np.repeat(np.arange(LABELS), 30)
    form = Form(labels=LABELS, size=SIZE, components=2, directions=4, largest=28.0, seed=0)
    made = release(lambda: (x, labels), form, multipliers(1.0), publish)
    names = ["norms", "means", "distances", *(f"centres{n}" for n in range(mixture.ROUNDS)), "residuals", "covariances"]
    assert [name for name, _ in told] == names
    kinds = ["bounds", "means", "bounds", *["centres"] * mixture.ROUNDS, "bounds", "covariances"]
    assert [noise for _, noise in told] == [multipliers(1.0)[kind] for kind in kinds]
    assert made.counts.shape == (LABELS, 2) and made.factors.shape == (LABELS, SIZE, 4)


def test_an_empty_label_is_drawn_from_noise_without_a_failure() -> None:
    x, labels = RANDOM.normal(size=(60, SIZE)), np.zeros(60, np.int64)
    form = Form(labels=2, size=SIZE, components=2, directions=4, largest=28.0, seed=0)
    noise = PrivateNoise(bytes(32))
    made = release(lambda: (x, labels), form, multipliers(3.0), lambda name, m, exact: sums.noisy(exact(), m, noise))
    assert np.isfinite(made.centres).all() and np.isfinite(made.factors).all() and (made.counts > 0).all()


def test_low_frequencies_are_orthonormal_and_give_a_smooth_picture_back() -> None:
    waves = basis(16, 5)
    np.testing.assert_allclose(waves @ waves.T, np.eye(5), atol=1e-12)
    smooth = 100 + 50 * np.outer(np.cos(np.pi * (np.arange(16) + 0.5) / 16), np.ones(16))
    found = coefficients(np.round(smooth)[None, None].astype(np.uint8), 5).reshape(5, 5)
    np.testing.assert_allclose(255 * waves.T @ found @ waves, smooth, atol=2)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_bound_holds_most_records(share: float) -> None:
    norms = np.concatenate([np.full(round(1000 * share), 2.0), np.full(1000 - round(1000 * share), 9.0)])
    counts = sums.exact_norms(norms[:, None] * np.eye(1), EDGES)
    assert sums.bound_of(counts, EDGES) >= 9.0
