"""The audit of the engine: a correct engine passes every test, and each test fails on an engine broken for it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from broken_engines import (
    BROKEN,
    BatchNormalised,
    HalfNoise,
    MinibatchStatistics,
    NoClipping,
    Replayed,
    Shuffled,
)
from scipy.special import ndtri

from ganforge.engine.private import Ledger, PrivateGradients
from ganforge.privacy import engine_audit
from ganforge.privacy.engine_audit import (
    CLAIM,
    LEVEL,
    Engine,
    EngineFinding,
    audit_adjacency,
    audit_engine,
    audit_noise,
    audit_step,
    audit_training,
    mu_from_errors,
    mu_from_means,
)

NAMES = ["adjacency", "noise", "fresh noise", "ledger after a kill", "step", "training", "sampler", "ledger"]


def named(findings: list[EngineFinding]) -> dict[str, EngineFinding]:
    return {finding.name: finding for finding in findings}


@pytest.mark.slow
def test_a_correct_engine_passes_every_test() -> None:
    found = named(audit_engine())
    assert list(found) == NAMES
    assert all(finding.passed for finding in found.values()), found
    assert found["adjacency"].measured == pytest.approx(1.0, abs=1e-6)  # a hostile record does reach the bound
    assert 2.0 < found["step"].measured < CLAIM  # and the bound of the step audit is not an idle one
    assert found["training"].measured < CLAIM


@pytest.mark.parametrize("engine", [NoClipping, BatchNormalised, MinibatchStatistics])
def test_adjacency_fails_where_one_record_moves_more_than_its_clip(engine: Engine) -> None:
    found = audit_adjacency(engine)
    assert not found.passed and found.measured > 5


def test_the_noise_meter_fails_on_half_the_noise() -> None:
    found = named(audit_noise(HalfNoise))
    assert not found["noise"].passed and found["noise"].measured == pytest.approx(0.5, abs=0.02)
    assert found["fresh noise"].passed and found["ledger after a kill"].passed


def test_the_noise_meter_fails_on_noise_that_is_not_normal() -> None:
    class Flat(PrivateGradients):
        """Uniform noise of the right deviation."""

        def noise(self):  # type: ignore[no-untyped-def]
            width = 12**0.5 * self.rule.multiplier * self.rule.clip
            return super().noise().uniform_(-width / 2, width / 2)

    found = named(audit_noise(Flat))
    assert not found["noise"].passed and found["noise"].measured < 0.02


def test_noise_that_a_resumed_run_draws_again_is_found() -> None:
    found = named(audit_noise(Replayed))
    assert not found["fresh noise"].passed and found["fresh noise"].measured == pytest.approx(1.0)


@pytest.fixture
def _miscounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that counts every other turn."""
    count, write = itertools.count(), Ledger.write
    monkeypatch.setattr(Ledger, "write", lambda self, turns: None if next(count) % 2 else write(self, turns))


@pytest.mark.usefixtures("_miscounted")
def test_turns_that_nobody_counts_are_found_after_a_kill() -> None:
    assert not named(audit_noise(PrivateGradients))["ledger after a kill"].passed


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "least"), [(HalfNoise, 6.0), (NoClipping, 30.0), (BatchNormalised, 30.0)])
def test_the_step_audit_proves_more_than_the_claim_of_a_broken_engine(engine: Engine, least: float) -> None:
    found = audit_step(engine)
    assert not found.passed and found.measured > least


@pytest.mark.slow
def test_one_training_proves_more_than_the_claim_without_clipping() -> None:
    found = named(audit_training(NoClipping))
    assert not found["training"].passed and found["training"].measured > 30
    assert found["sampler"].passed and found["ledger"].passed


@pytest.mark.slow
@pytest.mark.usefixtures("_miscounted")
def test_turns_that_nobody_counts_are_found_in_a_training() -> None:
    assert not named(audit_training(PrivateGradients))["ledger"].passed


@pytest.mark.slow
def test_shuffling_sold_as_poisson_sampling_is_found() -> None:
    assert not named(audit_training(Shuffled))["sampler"].passed


@pytest.mark.parametrize("mu", [0.5, 0.925, 2.0])
def test_lower_bounds_of_mu_stay_below_it_and_come_near(mu: float) -> None:
    """On normal scores, whose mu is known, in 200 draws: at most some 5 % above; not one at the audit's level."""
    random = np.random.default_rng(0)
    draws = [(random.normal(mu, 1, 3000), random.normal(0, 1, 3000)) for _ in range(200)]
    for bound in (mu_from_errors, mu_from_means):
        usual = np.array([bound(*draw, 0.05) for draw in draws])
        assert (usual > mu).mean() < 0.11 and usual.mean() > 0.75 * mu
        assert max(bound(*draw, LEVEL) for draw in draws) < mu


def test_every_broken_engine_is_one_of_the_five_and_scores_that_agree_prove_nothing() -> None:
    assert len(BROKEN) == 5
    same = np.arange(100.0)
    assert mu_from_errors(same, same, 0.05) == mu_from_means(same, same, 0.05) == 0.0
    assert engine_audit.epsilon_of_mu(0.0) == 0.0 and ndtri(0.5) == 0.0
