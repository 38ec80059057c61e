"""What does a GAN of private gradients learn from 10,000 digits in so many CPU seconds, at an epsilon?

    python benchmarks/private_dpsgd.py MNIST.npz --epsilon 10 --seconds 90 [--turns 1] [--seed 0] [--validate]

The discriminator takes private turns (engine/private.py); as many as fit the time, with the least noise that they cost.
A small network learns from 10,000 generated digits and is judged on the 10,000 test digits; --validate judges on digits
of the training file that nobody learned from, to choose settings. Floor: the same network learns from the real digits.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.contracts import Batch, Game, Loss, OptimiserSettings, Player, Schedule, Turn
from ganforge.core.private import Private
from ganforge.engine.feed import TensorFeed
from ganforge.engine.fit import FitSettings, fit
from ganforge.networks.conv import ConvPair
from ganforge.objectives import OBJECTIVES, parted
from ganforge.privacy.accounting import Release, epsilon_of, sampled_multiplier

DELTA, COUNT, EXPECTED, FAKES, LABELS, LATENT = 1e-5, 10_000, 256, 128, 10, 64
TIMED = 6  # steps


def private_gan(seed: int, multiplier: float, most_turns: int, turns: int, rate: float) -> Game:
    """Return a private discriminator without normalisation and a generator, both told the label."""
    torch.manual_seed(seed)
    pair = ConvPair(shape=(1, 28, 28), labels=LABELS, latent_size=LATENT, width=24)
    generator, judge = pair.generator(), pair.discriminator()
    scored = parted("nonsaturating", OBJECTIVES["nonsaturating"]())

    def draw(turn: Turn) -> tuple[Tensor, Tensor]:
        label = turn.random.uniform(FAKES, high=LABELS).long().clamp_max(LABELS - 1)
        return generator(turn.random.normal(FAKES, LATENT), label), label

    def on_real(batch: Batch) -> Loss:
        return Loss({"real": scored.on_real(judge(batch["x"], batch["label"]))})

    def on_fake(turn: Turn) -> Loss:
        with torch.no_grad():
            fake, label = draw(turn)
        return Loss({"fake": scored.on_fake(judge(fake, label))})

    def answer(turn: Turn) -> Loss:
        fake, label = draw(turn)
        return Loss({"adversarial": F.softplus(-judge(fake, label))})

    steps = OptimiserSettings(Schedule(1e-3, 1e-4, "cosine"), beta1=0.5, beta2=0.9)
    private = Private(on_real, 1.0, multiplier, rate, most_turns, turns)
    players = (
        Player("discriminator", judge, on_fake, steps, private=private),
        Player("generator", generator, answer, replace(steps)),
    )
    return Game(players, product="generator")


def train(feed: TensorFeed, seed: int, multiplier: float, steps: int, turns: int) -> nn.Module:
    game = private_gan(seed, multiplier, steps * turns, turns, EXPECTED / len(feed))
    settings = FitSettings(seed=seed, batch_size=1, length_examples=steps, half_life_examples=0.1 * steps)
    return fit(game, feed, settings).product


@torch.no_grad()
def generated(generator: nn.Module, seed: int) -> tuple[Tensor, Tensor]:
    label = torch.arange(COUNT) % LABELS
    latent = torch.randn(COUNT, LATENT, generator=torch.Generator().manual_seed(seed))
    return torch.cat([generator(*part) for part in zip(latent.split(500), label.split(500), strict=True)]), label


def accuracy(x: Tensor, label: Tensor, test: tuple[Tensor, Tensor], seed: int) -> float:
    """Return the accuracy of a small network after three epochs, without a choice of any kind."""
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(), nn.Flatten(),
                        nn.Linear(32 * 49, LABELS))  # fmt: skip
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(3):
        for places in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            F.cross_entropy(net(x[places]), label[places]).backward()
            optimiser.step()
    with torch.no_grad():
        return float((net(test[0]).argmax(1) == test[1]).float().mean())


def read(path: Path, validate: bool) -> tuple[TensorFeed, tuple[Tensor, Tensor]]:
    with np.load(path) as found:
        pictures = {
            name: torch.from_numpy(found[f"x_{name}"])[:, None].float() / 127.5 - 1 for name in ("train", "test")
        }
        labels = {name: torch.from_numpy(found[f"y_{name}"].astype(np.int64)) for name in ("train", "test")}
    test = (pictures["test"], labels["test"])
    if validate:
        test = (pictures["train"][-COUNT:], labels["train"][-COUNT:])
    return TensorFeed("cpu", x=pictures["train"][:COUNT], label=labels["train"][:COUNT]), test


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--epsilon", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--validate", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    feed, test = read(asked.data, asked.validate)
    blank = TensorFeed("cpu", x=torch.zeros_like(feed.tensors["x"]), label=feed.tensors["label"] * 0)
    train(blank, asked.seed, 1.0, 1, asked.turns)  # kernels are chosen in it
    begun = time.process_time()
    train(blank, asked.seed, 1.0, TIMED, asked.turns)  # timed without reading a digit
    each = (time.process_time() - begun) / TIMED
    steps = max(1, int(asked.seconds / each))
    rate, turns = EXPECTED / COUNT, steps * asked.turns
    multiplier = sampled_multiplier(asked.epsilon, DELTA, rate, turns)
    begun = time.process_time()
    product = train(feed, asked.seed, multiplier, steps, asked.turns)
    seconds = time.process_time() - begun
    spent = epsilon_of([Release("turns", "gaussian", multiplier, rate, turns)], DELTA)
    scored = accuracy(*generated(product, asked.seed), test, asked.seed)
    real = accuracy(feed.tensors["x"], feed.tensors["label"], test, asked.seed)
    print(
        f"epsilon {spent:.2f}, {turns} private turns ({asked.turns} a step), multiplier {multiplier:.3f}, "
        f"{seconds:.0f} CPU s, seed {asked.seed}: accuracy {100 * scored:.1f} % (real digits {100 * real:.1f} %)"
    )


if __name__ == "__main__":
    main()
