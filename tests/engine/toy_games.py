"""The smallest games that exercise the loop: one player, two and four, on a handful of numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ganforge.contracts import Game, Loss, OptimiserSettings, Player, Schedule, Turn
from ganforge.core.seeds import generator_for, seed_for
from ganforge.engine.fit import FitSettings
from ganforge.kinds.tables.regress.model import LinearRegressor
from ganforge.networks.mlp import MlpPair
from ganforge.objectives import OBJECTIVES, squared_error

BATCH = 16
LATENT = 3


class TableFeed:
    """Named tensors, gathered by index."""

    resident = True

    def __init__(self, **tensors: Tensor) -> None:
        self.tensors = tensors

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def batch(self, indices: Tensor) -> Mapping[str, Tensor]:
        return {name: tensor[indices] for name, tensor in self.tensors.items()}


class Clock:
    """Seconds that pass only where a test lets them: it takes the place of `perf_counter`, so that no load matters."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class SlowFeed(TableFeed):
    """Each batch takes `seconds` by a clock of the test's own: a number, or what a moment of that clock makes it."""

    resident = False

    def __init__(self, clock: Clock, seconds: float | Callable[[float], float], **tensors: Tensor) -> None:
        super().__init__(**tensors)
        self.clock, self.seconds = clock, seconds

    def batch(self, indices: Tensor) -> Mapping[str, Tensor]:
        self.clock.now += self.seconds(self.clock.now) if callable(self.seconds) else self.seconds
        return super().batch(indices)


class Notebook:
    """An observer that keeps everything it is told."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []

    def record(self, record: dict[str, Any]) -> None:
        self.records.append(record)

    def event(self, event: Mapping[str, Any]) -> None:
        self.events.append(dict(event))

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.events]


class Killed(Exception):  # noqa: N818 - it stands for a signal
    """What a kill looks like from inside: the loop is left at once and nothing is saved."""


def kill_after(calls: int) -> Callable[[], bool]:
    """A `stop` that ends the program at its `calls`-th question instead of answering."""
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        if asked == calls:
            raise Killed
        return False

    return stop


def stop_after(calls: int) -> Callable[[], bool]:
    """A `stop` that says yes at its `calls`-th question: what Ctrl-C does."""
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked >= calls

    return stop


def points(count: int = 200, features: int = 2) -> Tensor:
    """Points of a Gaussian away from the origin, (count, features)."""
    return torch.randn(count, features, generator=generator_for(0, "toy/points")) + 2.0


def line_feed(count: int = 120) -> TableFeed:
    """y = 3 - 2 x_0 + 0.5 x_1 with a little noise."""
    x = torch.randn(count, 2, generator=generator_for(0, "toy/x"))
    noise = 0.1 * torch.randn(count, generator=generator_for(0, "toy/noise"))
    return TableFeed(x=x, y=3.0 - 2.0 * x[:, 0] + 0.5 * x[:, 1] + noise)


def plain_steps(rate: float) -> OptimiserSettings:
    """The textbook's theta <- theta - alpha gradient, with a constant alpha."""
    return OptimiserSettings(Schedule(rate, rate, "constant"), kind="sgd")


def adam_steps(rate: float = 0.01) -> OptimiserSettings:
    return OptimiserSettings(Schedule(rate, 0.0, "cosine"))


def regression_game(settings: OptimiserSettings | None = None) -> Game:
    """One player: a line fitted to `line_feed`."""
    network = LinearRegressor(2)

    def loss(turn: Turn) -> Loss:
        return squared_error(network(turn.batch["x"]), turn.batch["y"])

    return Game((Player("learner", network, loss, settings or adam_steps()),), product="learner")


def adversarial_players(
    names: tuple[str, str],
    generator: nn.Module,
    discriminator: nn.Module,
    steps: OptimiserSettings,
    *,
    objective: str = "r3gan",
    gamma: float = 0.5,
    latent_size: int = LATENT,
    key: str = "x",
) -> tuple[Player, Player]:
    """A discriminator and a generator that play on the batch's `key`."""
    scored = OBJECTIVES[objective]()

    def draw(turn: Turn) -> Tensor:
        latent = turn.random.normal(len(turn.batch[key]), latent_size)
        fake: Tensor = generator(latent)
        return fake

    def discriminator_loss(turn: Turn) -> Loss:
        return scored.discriminator_loss(discriminator, turn.batch[key], draw(turn).detach(), gamma, turn.random)

    def generator_loss(turn: Turn) -> Loss:
        return scored.generator_loss(discriminator, turn.batch[key], draw(turn))

    return (
        Player(names[0], discriminator, discriminator_loss, steps),
        Player(names[1], generator, generator_loss, steps),
    )


def tiny_pair(seed: int = 0) -> tuple[nn.Module, nn.Module]:
    """A generator and a discriminator of one hidden layer on two numbers."""
    pair = MlpPair(shape=(2,), latent_size=LATENT, width=8, depth=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "toy/networks"))
        return pair.generator(), pair.discriminator()


def adversarial_game(order: str = "alternating", steps: OptimiserSettings | None = None) -> Game:
    """Two players: tiny networks on `points`."""
    players = adversarial_players(("discriminator", "generator"), *tiny_pair(), steps or adam_steps())
    return Game(players, product="generator", order=order)  # type: ignore[arg-type]


def settings(steps: int, **changes: Any) -> FitSettings:
    """Settings for `steps` steps of BATCH examples, recorded every 10 and saved every 20 steps."""
    given: dict[str, Any] = {
        "seed": 1,
        "batch_size": BATCH,
        "length_examples": steps * changes.get("batch_size", BATCH),
        "half_life_examples": 100.0,
        "record_every_steps": 10,
        "checkpoint_every_steps": 20,
    }
    return FitSettings(**{**given, **changes})


def weights(network: nn.Module) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in network.state_dict().values()]


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    """Whether two lists of tensors are bit-equal."""
    return len(first) == len(second) and all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
