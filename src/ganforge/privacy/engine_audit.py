"""An audit of the engine that takes private steps: does it keep what the accounting takes for granted?

Each test runs the engine itself and measures something that a correct engine keeps within a bar. A finding that fails
proves a fault; findings that pass prove that these faults are not there, and nothing about others. The false alarms of
a correct engine are set to LEVEL for each test, so that a hundred audits of it give none.

Canaries are records whose gradient is one coordinate of the network that no other record moves: orthogonal unit
directions, as in Nasr et al. 2023. A legal adversary knows the contribution of all other records and subtracts it;
here it is 0 by construction. What two sets of scores show is a lower bound of mu in Gaussian differential privacy
(Dong, Roth and Su 2022), exact for a Gaussian release without sampling, and so of epsilon at DELTA.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import beta, chi2, kstest
from torch import Tensor, nn

from ganforge.contracts import Batch, Game, Loss, OptimiserSettings, Player, Schedule, Turn
from ganforge.core.private import Private
from ganforge.core.seeds import generator_for
from ganforge.engine.feed import TensorFeed
from ganforge.engine.fit import FitSettings, fit
from ganforge.engine.private import PrivateGradients, read_ledger
from ganforge.privacy.accounting import Release, epsilon_of, gaussian_epsilon, gaussian_multiplier, sampled_multiplier
from ganforge.run import Run

LEVEL = 1e-6  # chance of a false alarm of each test
CLAIM, DELTA = 4.0, 1e-5  # epsilon that the audited steps claim
FEATURES, HIDDEN = 4, 8  # of the audited network
BIG = 10.0  # how many times `clip` a canary's gradient is before it is clipped
Engine = type[PrivateGradients]


@dataclass(frozen=True, slots=True)
class EngineFinding:
    """The result of one test of an engine."""

    name: str
    measured: float
    bar: float  # the test fails if what was measured is above it
    passed: bool
    words: str


def audit_engine(engine: Engine = PrivateGradients) -> list[EngineFinding]:
    """Run every test on an engine: some two CPU seconds."""
    return [audit_adjacency(engine), *audit_noise(engine), audit_step(engine), *audit_training(engine)]


# ---- what is audited -------------------------------------------------------------------------------------------------


class AuditedNetwork(nn.Module):
    """FEATURES numbers -> a score, and one weight for each canary, which nothing else moves."""

    def __init__(self, canaries: int) -> None:
        super().__init__()
        self.hidden, self.score = nn.Linear(FEATURES, HIDDEN), nn.Linear(HIDDEN, 1)
        self.canaries = nn.Parameter(torch.zeros(canaries))
        random = generator_for(0, "audit/network")
        for weight in (*self.hidden.parameters(), *self.score.parameters()):
            nn.init.normal_(weight, 0.0, 0.5, generator=random)

    def forward(self, x: Tensor) -> Tensor:
        score: Tensor = self.score(F.leaky_relu(self.hidden(x), 0.2))[:, 0]
        return score


def audited_player(
    canaries: int, claim: tuple[float, float, int], poisoned: Callable[[], bool] | None = None
) -> Player:
    """Return a private player with plain steps, whose weights show what each step added.

    Args: claim multiplier, rate and most turns; poisoned whether the part of the loss on no data is not finite now.
    """
    network = AuditedNetwork(canaries)
    multiplier, rate, turns = claim

    def on_real(batch: Batch) -> Loss:
        own = batch["size"] * network.canaries[batch["canary"].clamp_min(0)]
        return Loss({"real": torch.where(batch["canary"] >= 0, own, F.softplus(-network(batch["x"])))})

    def on_nothing(turn: Turn) -> Loss:
        factor = math.nan if poisoned is not None and poisoned() else 0.0
        return Loss({"nothing": factor * network.canaries[:1]})

    private = Private(on_real, 1.0, multiplier, rate, turns)
    steps = OptimiserSettings(Schedule(1.0, 1.0, "constant"), kind="sgd")
    return Player("audited", network, on_nothing, steps, private=private)


def records(count: int, canary: Tensor | None = None, size: Tensor | None = None) -> dict[str, Tensor]:
    """Return ordinary records; `canary` (N,) >= 0 makes them canaries, with a gradient of `size` (N,)."""
    x = torch.randn(count, FEATURES, generator=generator_for(0, "audit/records"))
    ordinary = torch.full((count,), -1, dtype=torch.int64)
    return {
        "x": x,
        "canary": ordinary if canary is None else canary,
        "size": torch.ones(count) if size is None else size,
    }


# ---- the four tests, the sampler and the ledger ----------------------------------------------------------------------


def audit_adjacency(engine: Engine) -> EngineFinding:
    """Measure how much one hostile record moves the clipped sum, in units of `clip`."""
    others = 40
    hostile = torch.stack(
        [torch.full((FEATURES,), value) for value in (1e4, -1e4, 1e-4, 30.0, 1e35, math.inf, math.nan)]
    )
    held = records(others + len(hostile) + 1)
    held["x"][others:-1] = hostile
    held["canary"][-1], held["size"][-1] = 0, 1e6
    held["x"][-1] = 1e4
    feed = TensorFeed("cpu", **held)
    measured = 0.0
    for scale in (1.0, 30.0):
        player = audited_player(1, (1.0, 1.0, 1))
        with torch.no_grad():
            player.network.score.weight.mul_(scale)  # type: ignore[union-attr, operator]
        found = engine(player, feed)
        without = found.clipped_sum(torch.arange(others))
        for place in range(others, len(feed)):
            moved = float((found.clipped_sum(torch.tensor([*range(others), place])) - without).norm())
            measured = max(measured, moved if math.isfinite(moved) else math.inf)
    bar = 1 + 1e-6
    words = f"One hostile record of {others + 1} moves the clipped sum by {measured:.4g} times the clip norm"
    return EngineFinding("adjacency", measured, bar, measured <= bar, f"{words}; at most 1 is what noise hides.")


def audit_noise(engine: Engine) -> list[EngineFinding]:
    """Measure what is added to gradients of 0 in a run that is killed, resumed and rewound, and what is counted."""
    coordinates, multiplier, taken = 25_000, 2.0, list[NDArray[np.float64]]()

    class Heard(engine):  # type: ignore[misc, valid-type]
        def mean(self) -> list[Tensor]:
            found: list[Tensor] = super().mean()
            whole = torch.cat([part.flatten() for part in found]).double() * self.rule.rate * len(self.feed)
            taken.append(whole.numpy())
            return found

    feed = TensorFeed("cpu", **records(8, torch.zeros(8, dtype=torch.int64), torch.zeros(8)))

    def session(run: Run, stop: Callable[[], bool], poisoned: Callable[[], bool] | None = None) -> None:
        player = audited_player(coordinates, (multiplier, 0.5, 1000), poisoned)
        settings = FitSettings(seed=1, batch_size=4, length_examples=24, half_life_examples=0.0,
                               record_every_steps=3, checkpoint_every_steps=3)  # fmt: skip
        fit(Game((player,), player.name), feed, settings, run=run, stop=stop, private=Heard)

    with tempfile.TemporaryDirectory() as folder:
        run = Run(folder)
        killed = iter([False, False, False, False, True])
        try:
            session(run, lambda: _kill() if next(killed) else False)
        except _Killed:
            first = len(taken)
        bad = iter([True] * 3)  # three turns that are not finite: the run is rewound
        session(run, lambda: False, lambda: next(bad, False))
        counted = sum(part.turns for part in read_ledger(Path(folder)))
    noise = np.stack(taken) / multiplier
    wrong = float(abs(noise.std() - 1))
    shape = float(kstest(noise.ravel()[:100_000], "norm").pvalue)
    unit = noise - noise.mean(1, keepdims=True)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True) + 1e-300
    alike = float(np.abs(np.triu(unit @ unit.T, 1)).max())
    pairs = len(noise) * (len(noise) - 1) / 2
    bar = float(-ndtri(LEVEL / 2 / pairs)) / math.sqrt(noise.shape[1])
    words = f"Over {noise.size:,} coordinates the noise deviates by {noise.std():.4f} times what is promised"
    return [
        EngineFinding("noise", wrong, 0.02, wrong <= 0.02 and shape >= LEVEL, f"{words}; normal with p = {shape:.2g}."),
        EngineFinding("fresh noise", alike, bar, alike <= bar, f"Noise of {len(noise)} steps, {first} of them before a "
                      f"kill, then resumed and rewound, has correlations up to {alike:.3f}."),
        EngineFinding("ledger after a kill", len(taken), counted, len(taken) <= counted,
                      f"{len(taken)} turns were taken, with those taken back, and {counted} were counted."),
    ]  # fmt: skip


def audit_step(engine: Engine, trials: int = 3000) -> EngineFinding:
    """Bound epsilon from below by single steps without sampling, on trials with and trials without a canary.

    Half of them share steps: canaries in orthogonal directions are in or out by a coin. The others take one hostile
    record in or out, in the direction in which the engine's own sums differ, where examples may have met.
    """
    multiplier = gaussian_multiplier(CLAIM, DELTA)
    together = 50
    coins = torch.rand(2 * trials // together, together, generator=generator_for(0, "audit/coins")) < 0.5
    scores = []
    for coin in coins:
        held = records(together + 10, torch.cat([torch.arange(together), torch.full((10,), -1)]))
        held["size"][:together] = BIG * coin
        found = engine(audited_player(together, (multiplier, 1.0, 1)), TensorFeed("cpu", **held))
        scores.append(found.mean()[0] * len(held["x"]))  # the canaries' weights are the network's own, and come first
    score = torch.stack(scores).double().numpy()
    inserted = coins.numpy()
    alone = _hostile_scores(engine, multiplier, trials)
    bounds = {
        level: max(mu_from_errors(score[inserted], score[~inserted], level), mu_from_errors(*alone, level))
        for level in (LEVEL, 0.05)
    }
    return _claimed("step", bounds, f"{2 * trials:,} trials of one step with and without a canary")


def _hostile_scores(engine: Engine, multiplier: float, trials: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scores of steps with and without a hostile record, in the direction in which their sums differ."""
    held = records(42)
    held["x"][40:] = torch.tensor([[1e4], [-1e4]])
    found = engine(audited_player(1, (multiplier, 1.0, 1)), TensorFeed("cpu", **held))
    without = found.clipped_sum(torch.arange(40))
    sums = [found.clipped_sum(torch.tensor([*range(40), place])) - without for place in (40, 41)]
    moved = max(sums, key=lambda moved: float(moved.norm()))
    size = float(moved.norm())
    direction = moved / max(size, 1e-300)
    noise = np.array([float(found.noise() @ direction) for _ in range(2 * trials)])
    return noise[:trials] + size, noise[trials:]


def audit_training(engine: Engine, steps: int = 100, canaries: int = 500) -> list[EngineFinding]:
    """Bound epsilon from below by one training with canaries, half of them inserted; check its sampler and ledger."""
    rate, count = 0.1, canaries + 100
    multiplier = _claimed_multiplier(rate, steps)
    inserted = torch.rand(canaries, generator=generator_for(0, "audit/inserted")) < 0.5
    held = records(count, torch.cat([torch.arange(canaries), torch.full((canaries,), -1)]))
    held["size"][:canaries] = BIG * inserted
    read = np.zeros((steps, count), dtype=np.int64)
    step = 0

    class Reading(TensorFeed):
        def batch(self, indices: Tensor) -> Batch:
            if begun:
                np.add.at(read[step], indices.numpy(), 1)
            return super().batch(indices)

    def stepped() -> bool:
        nonlocal step
        step += 1
        return False

    begun = False

    class Begun(engine):  # type: ignore[misc, valid-type]
        def sample(self) -> Tensor:
            nonlocal begun
            begun = True
            found: Tensor = super().sample()
            return found

    player = audited_player(canaries, (multiplier, rate, steps))
    assert isinstance(player.network, AuditedNetwork)
    settings = FitSettings(
        seed=1, batch_size=1, length_examples=steps, half_life_examples=0.0, record_every_steps=steps
    )
    with tempfile.TemporaryDirectory() as folder:
        fit(
            Game((player,), player.name), Reading("cpu", **held), settings, run=Run(folder), stop=stepped, private=Begun
        )
        spent = read_ledger(Path(folder))
    moved = -player.network.canaries.detach().double().numpy() * rate * count
    coin = inserted.numpy()
    bounds = {level: mu_from_means(moved[coin], moved[~coin], level) for level in (LEVEL, 0.05)}
    return [
        _claimed("training", bounds, f"One training of {steps} steps with {canaries} canaries, half of them inserted"),
        _sampler(read, rate),
        _ledger([Release("steps", "gaussian", part.multiplier, part.rate, part.turns) for part in spent], read),
    ]


@cache
def _claimed_multiplier(rate: float, steps: int) -> float:
    return sampled_multiplier(CLAIM, DELTA, rate, steps)


def _sampler(read: NDArray[np.int64], rate: float) -> EngineFinding:
    """Compare how often each record was read, and the size of each batch, with what a Poisson sample does."""
    steps, count = read.shape
    variance = rate * (1 - rate)
    spread = float(((read.sum(0) - steps * rate) ** 2).sum() / (steps * variance))  # chi2 of `count` degrees of freedom
    sizes = float(((read.sum(1) - count * rate) ** 2).sum() / (count * variance))  # chi2 of `steps`
    chances = [
        2 * min(chi2.cdf(value, free), chi2.sf(value, free)) for value, free in ((spread, count), (sizes, steps))
    ]
    passed = min(chances) >= LEVEL / 2 and int(read.max()) <= 1
    words = f"Inclusions vary {spread / count:.2f} times, and batch sizes {sizes / steps:.2f} times, as Poisson's do"
    worst = max(abs(spread / count - 1), abs(sizes / steps - 1))
    bar = max(abs(chi2.ppf(LEVEL / 4, steps) / steps - 1), chi2.isf(LEVEL / 4, steps) / steps - 1)
    return EngineFinding(
        "sampler", worst, bar, passed, f"{words}, with chances of {chances[0]:.2g} and {chances[1]:.2g}."
    )


def _ledger(spent: list[Release], read: NDArray[np.int64]) -> EngineFinding:
    """Compare the epsilon of what the ledger says with the claim, and its turns with those that read the data."""
    recomputed, turns = epsilon_of(spent, DELTA), sum(release.steps for release in spent)
    seen = int((read.sum(1) > 0).sum())
    passed = CLAIM * 0.999 <= recomputed <= CLAIM * 1.000001 and turns >= seen
    words = f"The ledger's {turns} turns come to epsilon {recomputed:.4f}, the claim is {CLAIM:g}"
    return EngineFinding("ledger", recomputed, CLAIM, passed, f"{words}; {seen} turns read data.")


# ---- what scores prove -----------------------------------------------------------------------------------------------


def mu_from_errors(inside: NDArray[np.float64], outside: NDArray[np.float64], level: float) -> float:
    """Return a lower bound of mu from the errors of a threshold halfway between the means.

    mu >= -Phi^-1(false positives) - Phi^-1(false negatives), each at its upper bound of Clopper and Pearson.
    Args: inside, outside scores (n,) of trials with and without a canary; level of a bound that is too high.
    """
    threshold = (inside.mean() + outside.mean()) / 2
    missed = _upper(int((inside <= threshold).sum()), len(inside), level / 2)
    false = _upper(int((outside > threshold).sum()), len(outside), level / 2)
    return max(0.0, float(-ndtri(missed) - ndtri(false)))


def _upper(hits: int, trials: int, level: float) -> float:
    return 1.0 if hits >= trials else float(beta.isf(level, hits + 1, trials - hits))


def mu_from_means(inside: NDArray[np.float64], outside: NDArray[np.float64], level: float) -> float:
    """Return a lower bound of mu from the difference of means over the deviation outside, for normal scores.

    Args: see mu_from_errors.
    """
    size = (inside.mean() - outside.mean()) / outside.std(ddof=1)
    error = math.sqrt(1 / len(inside) + 1 / len(outside) + size**2 / (2 * len(outside)))
    return max(0.0, float(size + ndtri(level) * error))


def epsilon_of_mu(mu: float) -> float:
    """Return the epsilon at DELTA of Gaussian differential privacy."""
    return gaussian_epsilon(1 / mu, DELTA) if mu > 0 else 0.0


def _claimed(name: str, bounds: dict[float, float], what: str) -> EngineFinding:
    sure, usual = epsilon_of_mu(bounds[LEVEL]), epsilon_of_mu(bounds[0.05])
    words = f"{what} prove epsilon >= {sure:.2f} (>= {usual:.2f} at 95 %); the claim is {CLAIM:g}."
    return EngineFinding(name, sure, CLAIM, sure <= CLAIM, words)


class _Killed(Exception):  # noqa: N818 - it stands for a signal
    """What a kill looks like from inside: nothing is saved."""


def _kill() -> bool:
    raise _Killed
