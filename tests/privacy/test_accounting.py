"""The price of releases: published and calculated values, closed forms, and what must grow or fall."""

import math

import numpy as np
import pytest
from scipy.stats import kstest

from ganforge.core.noise import PrivateNoise
from ganforge.privacy.accounting import (
    Release,
    epsilon_of,
    gaussian_delta,
    gaussian_epsilon,
    gaussian_multiplier,
    sampled_multiplier,
)

DELTA = 1e-5


@pytest.mark.parametrize(("epsilon", "multiplier"), [(1, 3.731), (2, 1.994), (5, 0.892), (10, 0.500)])
def test_the_analytic_gaussian_mechanism_has_its_known_multipliers(epsilon, multiplier):
    assert gaussian_multiplier(epsilon, DELTA) == pytest.approx(multiplier, abs=6e-4)


def test_the_delta_of_a_gaussian_release_is_the_integral_of_its_privacy_loss():
    epsilon, multiplier = 1.3, 1.7
    x = np.linspace(-60, 60, 2_000_001)
    ours = np.exp(-((x - 1) ** 2) / (2 * multiplier**2)) - math.exp(epsilon) * np.exp(-(x**2) / (2 * multiplier**2))
    integral = np.maximum(ours, 0).sum() * (x[1] - x[0]) / (multiplier * math.sqrt(2 * math.pi))
    assert gaussian_delta(epsilon, multiplier) == pytest.approx(integral, rel=1e-6)


@pytest.mark.parametrize(
    ("batch", "multiplier", "steps", "epsilon"),
    [(128, 1.0, 450_000, 10.11), (512, 2.0, 174_000, 10.21), (128, 5.0, 325_000, 0.994), (512, 14.0, 165_000, 1.004)],
)
def test_the_settings_of_bie_and_others_cost_what_they_say(batch, multiplier, steps, epsilon):
    spent = epsilon_of([Release("steps", "gaussian", multiplier, batch / 60_000, steps)], DELTA)
    assert spent == pytest.approx(epsilon, abs=0.006)


def test_a_multiplier_for_sampled_steps_costs_just_what_was_asked():
    multiplier = sampled_multiplier(1.0, DELTA, 256 / 60_000, 5_000)
    assert multiplier == pytest.approx(1.43, abs=0.01)
    assert epsilon_of([Release("", "gaussian", multiplier, 256 / 60_000, 5_000)], DELTA) == pytest.approx(1, abs=1e-4)
    less = epsilon_of([Release("", "gaussian", 0.99 * multiplier, 256 / 60_000, 5_000)], DELTA)
    assert less > 1  # the least multiplier, not a comfortable one


def test_gaussian_releases_compose_to_one_and_renyi_never_says_less():
    two = [Release("a", "gaussian", 3.0), Release("b", "gaussian", 4.0)]
    assert epsilon_of(two, DELTA) == pytest.approx(gaussian_epsilon(2.4, DELTA))
    with_choice = [*two, Release("c", "exponential", 0.0, epsilon=1e-9)]
    assert epsilon_of(two, DELTA) < epsilon_of(with_choice, DELTA) < 1.2 * epsilon_of(two, DELTA)
    assert epsilon_of([*two, Release("c", "exponential", 0.0, epsilon=0.5)], DELTA) > epsilon_of(with_choice, DELTA)


def test_no_noise_costs_everything_and_no_release_costs_nothing():
    assert epsilon_of([], DELTA) == 0
    assert math.isinf(epsilon_of([Release("", "gaussian", 0.0, 0.1, 10)], DELTA))
    assert math.isinf(epsilon_of([Release("", "gaussian", 0.0)], DELTA))


def test_private_noise_is_normal_uniform_and_of_the_gumbel_distribution():
    noise = PrivateNoise(b"0" * 32)  # a fixed key: the test is of the transformation, not of luck
    assert kstest(noise.gaussian(200_000, 2.0) / 2.0, "norm").pvalue > 1e-3
    assert kstest(noise.uniform(200_000), "uniform").pvalue > 1e-3
    assert kstest(noise.gumbel(200_000), "gumbel_r").pvalue > 1e-3
    assert noise.gaussian((3, 5), 1.0).shape == (3, 5)


def test_noise_is_never_repeated():
    one, other = PrivateNoise(), PrivateNoise()
    drawn = [stream.uniform(1000) for stream in (one, one, other)]
    assert len(np.unique(np.concatenate(drawn))) == 3000


def test_a_poisson_sample_takes_each_record_by_itself():
    noise = PrivateNoise(b"1" * 32)
    counts = np.zeros(1000)
    sizes = []
    for _ in range(2000):
        taken = noise.poisson_sample(1000, 0.1)
        counts[taken] += 1
        sizes.append(len(taken))
    assert np.var(sizes) == pytest.approx(90, rel=5 * math.sqrt(2 / 2000))  # of fixed batches it would be 0
    assert np.var(counts) == pytest.approx(2000 * 0.09, rel=5 * math.sqrt(2 / 1000))  # of shuffled ones too


@pytest.mark.parametrize(
    ("rate", "multiplier", "steps", "epsilon"),
    [
        (128 / 60_000, 1.0, 450_000, 9.9696),
        (128 / 60_000, 5.0, 325_000, 0.9941),
        (0.01, 1.1, 1000, 1.7118),
        (0.0256, 1.19, 5000, 9.9254),
        (0.1, 2.5, 400, 3.9884),
        (0.0256, 0.8, 1000, 9.2958),
    ],
)
def test_sampled_steps_cost_what_opacus_says_within_2_percent_and_never_less(rate, multiplier, steps, epsilon):
    """Values of opacus 1.6.0, accountants.analysis.rdp, at its default orders, which fractions are among."""
    ours = epsilon_of([Release("steps", "gaussian", multiplier, rate, steps)], DELTA)
    assert epsilon - 1e-3 <= ours <= 1.02 * epsilon
