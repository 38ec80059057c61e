"""What the engine costs, and what it gains.

1. The same networks and objective in ganforge's loop and in the shortest hand-written loop with the same tricks
   (one 2B pass, one gradient for both penalties, frozen networks, fused Adam, channels_last, the same precision):
   pictures/s of the first over the second. Bar: at least 0.97.
2. The tutorial's DCGAN networks in ganforge's loop against the tutorial's own loop (NCHW, eager, unfused Adam, noise
   from the host, `.item()` twice and a print at each step): bar: at least 2.2, and 5 on a GPU, in the precision that
   ganforge chooses for the device; the ratio with float32 on both sides stands beside it. (ganforge draws the fakes
   twice a step, the tutorial once.)

Both sides of each comparison run in turn, several times; the ratio is that of the medians. On a GPU the pictures of
both sides live there, and ganforge's steps are repeated from a recording, which is made anew in each round.

    python benchmarks/engine_speed.py [--rounds 5] [--device cuda] [--only tutorial] [--json FIGURES.json]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch
import torch.nn.functional as F
from figures import Figures
from torch import Tensor, nn

from ganforge import __version__
from ganforge.contracts import Batch, Game
from ganforge.core.device import survey_machine
from ganforge.engine.fit import FitSettings, fit
from ganforge.engine.profile import wait_for
from ganforge.kinds.pictures.game import build_game
from ganforge.planning.compute import use
from ganforge.planning.game import adversarial_game
from ganforge.recipe import Adversary, Compute, Data, Length, Network, Optimiser, Recipe, Request

BATCH, LATENT = 64, 64


@dataclass(frozen=True)
class Pictures:
    """A feed of uint8 pictures in memory, as ganforge's own picture feed holds them."""

    pixels: Tensor  # (N, H, W, C) uint8

    @property
    def resident(self) -> bool:
        return True

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: Tensor) -> Batch:
        return {"x": self.pixels[indices].permute(0, 3, 1, 2).to(torch.get_default_dtype()).mul_(1 / 127.5).sub_(1.0)}


def recipe_for(
    network: Network, shape: tuple[int, int, int], objective: Adversary, precision: str, device: str = "cpu"
) -> Recipe:
    return Recipe(
        ganforge=__version__,
        task="generate",
        ask=Request(source="random"),
        data=Data(source="random", kind="pictures", shape=shape),
        network=network,
        objective=objective,
        optimiser=Optimiser(batch_size=BATCH, learning_rate_start=2e-4),
        length=Length(examples=BATCH),
        compute=Compute(device=device, precision="bfloat16" if precision == "bfloat16" else "float32"),
    )


def in_ganforge(game: Game, feed: Pictures, precision: str, steps: int) -> None:
    settings = FitSettings(
        seed=0,
        batch_size=BATCH,
        length_examples=steps * BATCH,
        half_life_examples=10_000,
        precision=precision,
        record_every_steps=20 if feed.pixels.device.type == "cpu" else 200,
    )
    fit(game, feed, settings)
    wait_for(feed.pixels.device)


def by_hand(game: Game, feed: Pictures, precision: str, steps: int) -> None:
    """The shortest loop with the same tricks; it records nothing, checks nothing and cannot be resumed."""
    discriminator, generator = (player.network for player in game.players)
    device = feed.pixels.device
    average = [parameter.detach().clone() for parameter in generator.parameters()]
    steps_d = torch.optim.Adam(discriminator.parameters(), 2e-4, betas=(0.0, 0.99), fused=True)
    steps_g = torch.optim.Adam(generator.parameters(), 2e-4, betas=(0.0, 0.99), fused=True)
    amp = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
    for _ in range(steps):
        real = feed.batch(torch.randint(len(feed), (BATCH,), device=device))["x"]
        discriminator.requires_grad_(True)
        generator.requires_grad_(False)
        with amp:
            fake = generator(torch.randn(BATCH, LATENT, device=device))
            both = torch.cat([real, fake]).requires_grad_()
            score = discriminator(both).float()
            (slope,) = torch.autograd.grad(score.sum(), both, create_graph=True)
            penalty = slope.float().square().sum() / BATCH
            loss = F.softplus(score[BATCH:] - score[:BATCH]).mean() + 0.5 * penalty
        steps_d.zero_grad()
        loss.backward()
        steps_d.step()
        real = feed.batch(torch.randint(len(feed), (BATCH,), device=device))["x"]
        discriminator.requires_grad_(False)
        generator.requires_grad_(True)
        with amp:
            with torch.no_grad():
                real_score = discriminator(real).float()
            fake = generator(torch.randn(BATCH, LATENT, device=device))
            loss = F.softplus(real_score - discriminator(fake).float()).mean()
        steps_g.zero_grad()
        loss.backward()
        steps_g.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, [parameter.detach() for parameter in generator.parameters()], 0.001)
    wait_for(device)


class TutorialGenerator(nn.Module):
    """The widely copied DCGAN at 32x32: linear to 128x8x8, then twice upsample and 3x3 convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Linear(100, 128 * 8 * 8)
        self.layers = nn.Sequential(
            nn.BatchNorm2d(128),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(128, 128, 3, padding=1),
            nn.BatchNorm2d(128),
            nn.LeakyReLU(0.2),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(128, 64, 3, padding=1),
            nn.BatchNorm2d(64),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 1, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        x: Tensor = self.layers(self.start(latent).view(-1, 128, 8, 8))
        return x


class TutorialDiscriminator(nn.Module):
    """Four 3x3 convolutions of stride 2 with dropout, then linear. The score is before the sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((1, 16), (16, 32), (32, 64), (64, 128)):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.LeakyReLU(0.2), nn.Dropout2d(0.25)]
        self.layers = nn.Sequential(*layers)
        self.score = nn.Linear(128 * 2 * 2, 1)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        score: Tensor = self.score(self.layers(x).flatten(1))
        return score[:, 0]


def tutorial_loop(
    generator: nn.Module, discriminator: nn.Module, feed: Pictures, steps: int = 10**9, end: float = math.inf
) -> int:
    """The tutorial's loop: two passes of the discriminator, nothing frozen, a host synchronisation at each step.

    Ends after so many steps or at `end` by perf_counter, and returns the steps made.
    """
    steps_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    steps_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    loss, device = nn.BCEWithLogitsLoss(), feed.pixels.device
    for step in range(steps):
        real = feed.batch(torch.randint(len(feed), (BATCH,)).to(device))["x"].contiguous()
        valid, invalid = torch.ones(BATCH).to(device), torch.zeros(BATCH).to(device)
        steps_g.zero_grad()
        fake = generator(torch.randn(BATCH, 100).to(device))
        loss_g = loss(discriminator(fake), valid)
        loss_g.backward()
        steps_g.step()
        steps_d.zero_grad()
        loss_d = (loss(discriminator(real), valid) + loss(discriminator(fake.detach()), invalid)) / 2
        loss_d.backward()
        steps_d.step()
        print(f"[Batch {step}/{steps}] [D loss: {loss_d.item():f}] [G loss: {loss_g.item():f}]")
        if perf_counter() >= end:
            return step + 1
    return steps


def compare(
    names: tuple[str, str], sides: tuple[Callable[[int], object], Callable[[int], object]], asked: object
) -> float:
    """Prints pictures/s of both sides, measured in turn, and returns the ratio of the medians."""
    rates: tuple[list[float], list[float]] = ([], [])
    for side in sides:
        with contextlib.redirect_stdout(io.StringIO()):
            side(5)  # warm up
    for _ in range(asked.rounds):  # type: ignore[attr-defined]
        for kept, side in zip(rates, sides, strict=True):
            started = perf_counter()
            with contextlib.redirect_stdout(io.StringIO()):
                side(asked.steps)  # type: ignore[attr-defined]
            kept.append(asked.steps * BATCH / (perf_counter() - started))  # type: ignore[attr-defined]
    for name, kept in zip(names, rates, strict=True):
        print(f"  {name:28s} {statistics.median(kept):8.0f} pictures/s   ({min(kept):.0f} to {max(kept):.0f})")
    ratio = statistics.median(rates[0]) / statistics.median(rates[1])
    pairs = sorted(a / b for a, b in zip(*rates, strict=True))
    print(f"  ratio {ratio:.3f}   (rounds {pairs[0]:.3f} to {pairs[-1]:.3f})", flush=True)
    return ratio


def own_networks(device: str, precision: str, asked: argparse.Namespace, figures: Figures) -> None:
    feed = Pictures(torch.randint(256, (10_000, 28, 28, 1), dtype=torch.uint8).to(device))
    recipe = recipe_for(
        Network(name="conv", latent_size=LATENT, width=32),
        (1, 28, 28),
        Adversary(gamma_start=1, gamma_end=1),
        precision,
        device,
    )
    games = build_game(recipe), build_game(recipe)
    print("1. the same networks and objective, 28x28, width 32")
    own = compare(
        ("ganforge's loop", "shortest hand-written loop"),
        (
            lambda steps: in_ganforge(games[0], feed, precision, steps),
            lambda steps: by_hand(games[1], feed, precision, steps),
        ),
        asked,
    )
    figures.add("over the shortest hand-written loop", own, "ratio", ">= 0.97")
    print(f"bar 1: >= 0.97   {'met' if own >= 0.97 else 'NOT met'}: {own:.3f}")


def tutorial_networks(device: str, precision: str, asked: argparse.Namespace, figures: Figures) -> None:
    if device == "cpu":
        asked.steps = max(5, asked.steps // 10)
    feed32 = Pictures(torch.randint(256, (10_000, 32, 32, 1), dtype=torch.uint8).to(device))
    classical = recipe_for(
        Network(name="conv", latent_size=100, width=1),
        (1, 32, 32),
        Adversary(name="nonsaturating", gamma_start=0, gamma_end=0),
        precision,
        device,
    )
    tuned = [
        network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        for network in (TutorialGenerator(), TutorialDiscriminator())
    ]
    plain = TutorialGenerator().to(device), TutorialDiscriminator().to(device)
    game = adversarial_game(classical, *tuned)
    print("2. the tutorial's DCGAN networks, 32x32")
    gain = compare(
        ("ganforge's loop", "the tutorial's loop"),
        (
            lambda steps: in_ganforge(game, feed32, precision, steps),
            lambda steps: tutorial_loop(*plain, feed32, steps),
        ),
        asked,
    )
    bar = 5.0 if device.startswith("cuda") else 2.2
    figures.add("over the tutorial's loop", gain, "ratio", f">= {bar}", precision=precision)
    full = compare(
        ("ganforge's loop, float32", "the tutorial's loop"),
        (
            lambda steps: in_ganforge(game, feed32, "float32", steps),
            lambda steps: tutorial_loop(*plain, feed32, steps),
        ),
        asked,
    )
    figures.add("over the tutorial's loop, float32 on both sides", full, "ratio")
    met = "met" if gain >= bar else "NOT met"
    print(f"bar 2: >= {bar}    {met}: {gain:.2f}; {full:.2f} with float32 on both sides")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, help="in a round; else 100, and 5,000 on a GPU")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", choices=("own", "tutorial"), help="one of the two comparisons")
    parser.add_argument("--json", type=Path, help="where the figures are written")
    asked = parser.parse_args()
    asked.steps = asked.steps or (100 if asked.device == "cpu" else 5_000)
    torch.manual_seed(0)
    machine, device = survey_machine(), asked.device
    precision = machine.precision if device == machine.device else "float32"
    use(Compute(device=device, threads=torch.get_num_threads()))
    where = machine.description if device == machine.device else f"{torch.get_num_threads()} threads"
    print(f"{device}: {where}, {precision}, torch {torch.__version__}")
    figures = Figures(asked.json)
    if asked.only != "tutorial":
        own_networks(device, precision, asked, figures)
    if asked.only != "own":
        tutorial_networks(device, precision, asked, figures)


if __name__ == "__main__":
    main()
