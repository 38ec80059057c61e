"""R3GAN's configuration for CIFAR-10 in ganforge's loop, against a plain loop written as the reference is described.

Four stages of width 768 with two blocks each, batch 512. The plain loop has the same networks and the same bfloat16
policy, two passes of the discriminator and two gradient calls for the penalties, an unfused Adam, an average that is
updated weight by weight, no TF32 and no channels_last. Both cut the batch into the same pieces to fit into memory (the
reference has 8 GPUs). They run in turn; bar: at least 1.6 times the images/s.

Then ganforge's step beside the ceiling of a large bfloat16 product of matrices, where the rest goes, and what
resampling costs in both forms: torch's kernels, as the networks have it, and depthwise convolutions.

    python benchmarks/gpu_r3gan.py [--batch 512] [--pieces 8] [--rounds 3] [--steps 4]
    python benchmarks/gpu_r3gan.py --device cpu --width 32 --batch 16 --pieces 1 --steps 2     a small form of it

--json FIGURES.json writes the figures as they come.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from engine_speed import Pictures, recipe_for
from figures import Figures
from torch import Tensor

from ganforge.api.profile import what_limits
from ganforge.contracts import Game
from ganforge.engine.fit import FitSettings
from ganforge.engine.profile import Steps, profile_step, wait_for
from ganforge.kinds.pictures.game import build_game
from ganforge.planning.compute import use
from ganforge.recipe import Adversary, Compute, Network

LATENT, SHAPE, BAR = 64, (3, 32, 32), 1.6


class Plain:
    """The same game in a plain loop."""

    def __init__(self, game: Game, feed: Pictures, settings: FitSettings, gamma: float) -> None:
        self._discriminator, self._generator = (player.network for player in game.players)
        self._feed, self._batch, self._pieces, self._gamma = feed, settings.batch_size, settings.pieces, gamma
        self._device = feed.pixels.device
        self._bfloat = settings.precision == "bfloat16"
        slow: dict[str, Any] = {"lr": 2e-4, "betas": (0.0, 0.99), "foreach": False, "fused": False}
        self._steps_d = torch.optim.Adam(self._discriminator.parameters(), **slow)
        self._steps_g = torch.optim.Adam(self._generator.parameters(), **slow)
        self._average = [weight.detach().clone() for weight in self._generator.parameters()]

    def play(self) -> None:
        before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = False
        try:
            self._play()
        finally:
            torch.set_float32_matmul_precision(before[0])
            torch.backends.cudnn.allow_tf32 = before[1]

    def _play(self) -> None:
        for steps, network, other, loss in (
            (self._steps_d, self._discriminator, self._generator, self._discriminator_loss),
            (self._steps_g, self._generator, self._discriminator, self._generator_loss),
        ):
            network.requires_grad_(True)
            other.requires_grad_(False)
            steps.zero_grad()
            for _ in range(self._pieces):
                rows = self._batch // self._pieces
                real = self._feed.batch(torch.randint(len(self._feed), (rows,)).to(self._device))["x"].contiguous()
                latent = torch.randn(rows, LATENT, device=self._device)
                with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat):
                    found = loss(real, latent) / self._pieces
                found.backward()  # type: ignore[no-untyped-call]
            steps.step()
        with torch.no_grad():
            for kept, new in zip(self._average, self._generator.parameters(), strict=True):
                kept.copy_(new.lerp(kept, 0.999))

    def _discriminator_loss(self, real: Tensor, latent: Tensor) -> Tensor:
        with torch.no_grad():
            fake = self._generator(latent)
        scores, penalty = [], torch.zeros((), device=self._device)
        for x in (real, fake.float()):
            seen = x.detach().clone().requires_grad_(True)
            score = self._discriminator(seen).float()
            (slope,) = torch.autograd.grad(score.sum(), seen, create_graph=True)
            penalty = penalty + slope.square().sum(dim=(1, 2, 3)).mean()
            scores.append(score)
        return F.softplus(scores[1] - scores[0]).mean() + 0.5 * self._gamma * penalty

    def _generator_loss(self, real: Tensor, latent: Tensor) -> Tensor:
        fake = self._discriminator(self._generator(latent)).float()
        return F.softplus(self._discriminator(real).float() - fake).mean()


def in_turn(sides: dict[str, Any], device: torch.device, batch: int, rounds: int, steps: int) -> dict[str, list[float]]:
    """Images/s of each side in each round."""
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for side in sides.values():
        for _ in range(5):  # kernels are chosen, and ganforge's step is recorded
            side.play()
    for _ in range(rounds):
        for name, side in sides.items():
            wait_for(device)
            begun = perf_counter()
            for _ in range(steps):
                side.play()
            wait_for(device)
            rates[name].append(batch * steps / (perf_counter() - begun))
    return rates


def resampling(device: torch.device, dtype: torch.dtype, channels: int, rows: int) -> None:
    """Milliseconds of both forms of doubling and halving, forwards and twice backwards."""
    row = torch.tensor([1.0, 3.0, 3.0, 1.0], device=device, dtype=dtype)
    kernel = (row[:, None] * row).expand(channels, 1, 4, 4)

    def doubled(x: Tensor) -> Tensor:
        return F.conv_transpose2d(x, kernel / 16, stride=2, padding=1, groups=channels)

    def halved(x: Tensor) -> Tensor:
        return F.conv2d(x, kernel / 64, stride=2, padding=1, groups=channels)

    forms: dict[str, Callable[[Tensor], Tensor]] = {
        "doubling, torch's bilinear": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False),
        "doubling, convolution": doubled,
        "halving, mean of 2x2": lambda x: F.avg_pool2d(x, 2),
        "halving, convolution": halved,
    }
    x = torch.randn(rows, channels, 16, 16, device=device, dtype=dtype)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    for name, form in forms.items():
        told = []
        for _ in range(8):
            wait_for(device)
            begun = perf_counter()
            (slope,) = torch.autograd.grad(form(x).square().sum(), x, create_graph=True)
            slope.square().sum().backward()  # type: ignore[no-untyped-call]
            wait_for(device)
            told.append(1e3 * (perf_counter() - begun))
        print(f"  {name:28s} {statistics.median(told[2:]):8.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--pieces", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--json", type=Path, help="where the figures are written")
    asked = parser.parse_args()
    figures = Figures(asked.json, judged=asked.device.startswith("cuda"))
    device = torch.device(asked.device)
    use(Compute(device=asked.device, threads=torch.get_num_threads()))
    torch.manual_seed(0)
    feed = Pictures(torch.randint(256, (10_000, 32, 32, 3), dtype=torch.uint8).to(device))
    objective = Adversary(gamma_start=0.05, gamma_end=0.05)
    network = Network(name="resnet", latent_size=LATENT, width=asked.width, depth=2)
    recipe = recipe_for(network, SHAPE, objective, "bfloat16", asked.device)
    settings = FitSettings(
        seed=0, batch_size=asked.batch, pieces=asked.pieces, length_examples=10**9, half_life_examples=500_000,
        precision="bfloat16",
    )  # fmt: skip
    ours, theirs = build_game(recipe), build_game(recipe)
    for player in theirs.players:
        player.network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    sides = {"ganforge": Steps(ours, feed, settings), "plain loop": Plain(theirs, feed, settings, 0.05)}
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "no GPU: a processor"
    weights = [sum(weight.numel() for weight in player.network.parameters()) / 1e6 for player in ours.players]
    print(f"{where}, torch {torch.__version__}; discriminator {weights[0]:.1f} M, generator {weights[1]:.1f} M weights")
    rates = in_turn(sides, device, asked.batch, asked.rounds, asked.steps)
    for name, told in rates.items():
        print(f"  {name:12s} {statistics.median(told):9.1f} images/s   ({min(told):.1f} to {max(told):.1f})")
    ratios = sorted(mine / other for mine, other in zip(*rates.values(), strict=True))
    ratio = statistics.median(rates["ganforge"]) / statistics.median(rates["plain loop"])
    met = "met" if ratio >= BAR else "NOT met"
    print(f"ratio {ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})   bar on a GPU: >= {BAR}   {met}", flush=True)
    size = {"width": asked.width, "batch": asked.batch, "pieces": asked.pieces}
    figures.add("over the plain loop", ratio, "ratio", f">= {BAR}", low=ratios[0], high=ratios[-1], **size)
    figures.add("ganforge's loop", statistics.median(rates["ganforge"]), "images/s")
    figures.fact(recorded=sides["ganforge"].captured, why_not=sides["ganforge"].why_not_captured)
    del sides["plain loop"]
    step = profile_step(ours, feed, settings)
    figures.add("arithmetic over a large bfloat16 product", step.flops_share, "share")
    figures.add("a large bfloat16 product", step.ceilings.flops_per_second, "flop/s")
    figures.add("a large copy", step.ceilings.bytes_per_second, "bytes/s")
    figures.fact(parts=step.parts, idle=step.idle)
    parts = ", ".join(f"{name} {share:.0%}" for name, share in step.parts.items())
    ceiling = step.ceilings.flops_per_second
    print(f"arithmetic: {step.flops_share:.1%} of a large bfloat16 product, which makes {ceiling:.3g} flop/s")
    print(f"bytes: {step.bytes_share:.1%} of a large copy; idle {step.idle:.1%}; {parts}")
    print(what_limits(step, torch.get_num_threads()))
    print("resampling of 16x16 pixels, forwards and twice backwards:")
    resampling(device, torch.bfloat16, asked.width, asked.batch // asked.pieces)


if __name__ == "__main__":
    main()
