"""What it costs to train one run in several processes: bytes, seconds, and the efficiency to expect before renting.

In a step each player that plays sends one flattened all-reduce of its gradients, 4 bytes for each parameter; at record
steps come a few hundred bytes for the account. An all-reduce of b bytes among n processes takes, over links of
bandwidth B (bytes/s, one way) and latency L (s),

    ring  2 (n - 1) / n * b / B + 2 (n - 1) L     (Patarasuk and Yuan 2009)
    tree  2 b / B + 2 log2(n) L                   (double binary tree, Sanders, Speck and Traeff 2009)

whichever is less: NCCL chooses between the two as well. With work fixed for each process, a step that takes t seconds
alone takes t + c together, where c is what the all-reduces take, and the efficiency is t / (t + c). ganforge does no
worse: it hides a part behind the next player's turn. If all of it went on behind the computing, it would be t / max(t,
c): no engine does better.

Measured here: seconds per step of one process alone; of two at once that know nothing of each other; and of two that
train together. All three in turn, in the same two processes, each with the same batch. The last over the second is
what the communication costs; the second over the first only says how far the cores are shared, also with others.

    python benchmarks/scaling.py [--rounds 5] [--steps 60] [--computed-only]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from processes import free_port

from ganforge.api.request import task_of
from ganforge.api.train import plan
from ganforge.contracts import Game, Job
from ganforge.core.world import ALONE, World, joined, meet
from ganforge.engine.fit import FitSettings, fit
from ganforge.networks.conv import ConvPair
from ganforge.networks.resnet import ResnetPair
from ganforge.records import Record

GRADIENT_BYTES = 4  # float32, whatever precision the network computes in
RECORD_EVERY = 10
RECIPES = {
    "pictures": {"source": "digits8", "size": "small", "examples": 64},
    "tables": {"source": "wine", "size": "small", "examples": 64},
}
STEP_SECONDS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True)
class Link:
    """What joins the processes."""

    name: str
    processes: int
    bandwidth: float  # bytes per second one way, of the slowest link of the ring
    latency: float  # seconds of one hop


LINKS = (
    Link("8 GPUs, NVLink (450 GB/s)", 8, 450e9, 3e-6),
    Link("64 x 8 GPUs, 400 Gbit/s a GPU", 512, 50e9, 10e-6),
    Link("64 x 8 GPUs, 100 Gbit/s a node", 512, 12.5e9, 25e-6),
)


def all_reduce_seconds(size: float, processes: int, bandwidth: float, latency: float) -> float:
    """Seconds of one all-reduce of `size` bytes; 0 where nothing is sent. See above."""
    if processes == 1 or size == 0:
        return 0.0
    hops = 2 * (processes - 1)
    ring = hops / processes * size / bandwidth + hops * latency
    tree = 2 * size / bandwidth + 2 * math.log2(processes) * latency
    return min(ring, tree)


def efficiency(step_seconds: float, sizes: Sequence[float], link: Link, *, overlap: bool = False) -> float:
    """Share of n times the speed of one process that n reach, each with fixed work.

    Args: step_seconds of one process alone; sizes the bytes of each all-reduce of a step.
    """
    together = sum(all_reduce_seconds(size, link.processes, link.bandwidth, link.latency) for size in sizes)
    return step_seconds / (max(step_seconds, together) if overlap else step_seconds + together)


def step_bytes(game: Game) -> dict[str, int]:
    """Bytes of the all-reduce of each player when it steps."""
    return {
        player.name: GRADIENT_BYTES * sum(weight.numel() for weight in player.network.parameters())
        for player in game.players
    }


def computed_bytes() -> dict[str, dict[str, int]]:
    """Of networks that nobody would train here: built on the meta device, which holds no numbers."""
    sizes = {}
    with torch.device("meta"):
        for side in (32, 64):
            shape = (3, side, side)
            for name, pair in (
                ("medium, conv of width 64", ConvPair(shape=shape, width=64)),
                ("resnet of width 256, 1 block", ResnetPair(shape=shape, width=256)),
                ("as R3GAN, width 768, 2 blocks", ResnetPair(shape=shape, width=768, depth=2)),
            ):
                sizes[f"{side}x{side} {name}"] = {
                    "discriminator": GRADIENT_BYTES * sum(p.numel() for p in pair.discriminator().parameters()),
                    "generator": GRADIENT_BYTES * sum(p.numel() for p in pair.generator().parameters()),
                }
    return sizes


# ---- measured -------------------------------------------------------------------------------------------------------


@dataclass
class Watch:
    """Notes when records come."""

    times: list[float] = field(default_factory=list)

    def record(self, record: Record) -> None:
        self.times.append(perf_counter())

    def event(self, event: Any) -> None:
        pass

    def seconds_per_step(self) -> float:
        """From the first record on, so that beginning and warming up are left out."""
        return (self.times[-1] - self.times[0]) / (RECORD_EVERY * (len(self.times) - 1))


def job_of(kind: str) -> Job:
    """The planned job of a recipe, with a batch for each process as the plan chooses it."""
    recipe = plan(**RECIPES[kind])
    job: Job = task_of(recipe).open(recipe, lambda kind, **content: None)
    return job


def trained(job: Job, game: Game, steps: int, world: World) -> float:
    """Trains some steps; seconds per step. The batch of each process is that of the recipe."""
    batch, watch = job.recipe.optimiser.batch_size, Watch()
    settings = FitSettings(
        seed=0,
        batch_size=batch * world.size,
        length_examples=batch * world.size * steps,
        half_life_examples=1000,
        precision=job.recipe.compute.precision,
        record_every_steps=RECORD_EVERY,
    )
    fit(game, job.feed, settings, observers=(watch,), world=world)
    return watch.seconds_per_step() if watch.times[1:] else math.nan


def work(kind: str, rounds: int, steps: int) -> None:
    """One of the two processes: what `measured` starts. The leader prints a JSON list with one entry for each round."""
    torch.set_num_threads(1)
    job = job_of(kind)
    game = job.game()
    told = []
    with joined() as world:
        meet(world)
        trained(job, game, RECORD_EVERY, world)  # warm up
        for _ in range(rounds):
            world.any(False)  # everybody is here
            alone = trained(job, game, steps, ALONE) if world.leads else 0.0
            world.any(False)
            apart = trained(job, game, steps, ALONE)
            world.any(False)
            told.append({"alone": alone, "apart": apart, "together": trained(job, game, steps, world)})
        if world.leads:
            print("TOLD" + json.dumps(told))


def measured(kind: str, rounds: int, steps: int) -> list[dict[str, float]]:
    """Seconds per step in each round: alone; apart, two at once that do not talk; together."""
    port, processes = str(free_port()), []
    for rank in range(2):
        place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
        surroundings = {**os.environ, **place, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(Path(__file__).resolve()), "--work", kind]
        command += ["--rounds", str(rounds), "--steps", str(steps)]
        processes.append(subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, text=True))
    words = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit(f"the two processes of {kind} failed")
    told: list[dict[str, float]] = json.loads(words[0].split("TOLD")[1])
    return told


# ---- printed --------------------------------------------------------------------------------------------------------


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def print_bytes(name: str, sizes: dict[str, int]) -> None:
    players = ", ".join(
        f"{player} {size // GRADIENT_BYTES:,} parameters, {size / 1e6:.2f} MB" for player, size in sizes.items()
    )
    print(f"  {name:42s} {sum(sizes.values()) / 1e6:8.2f} MB a step   ({players})")


def print_efficiency(name: str, sizes: Sequence[float]) -> None:
    print(f"\n  {name}: {sum(sizes) / 1e6:.2f} MB a step in {len(sizes)} all-reduces")
    heads = "".join(f"{seconds * 1e3:9.0f} ms" for seconds in STEP_SECONDS)
    print(f"    {'a step alone takes':32s} {'all-reduces':>14s}{heads}")
    for link in LINKS:
        whole = sum(all_reduce_seconds(size, link.processes, link.bandwidth, link.latency) for size in sizes)
        shares = (
            f"{efficiency(t, sizes, link):5.0%}/{efficiency(t, sizes, link, overlap=True):5.0%}" for t in STEP_SECONDS
        )
        print(f"    {link.name:32s} {whole * 1e3:11.2f} ms " + " ".join(shares))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--computed-only", action="store_true")
    parser.add_argument("--work", choices=list(RECIPES), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        work(asked.work, asked.rounds, asked.steps)
        return
    all_sizes = {} if asked.computed_only else {kind: step_bytes(job_of(kind).game()) for kind in RECIPES}
    all_sizes.update(computed_bytes())
    print("1. what is sent")
    for name, sizes in all_sizes.items():
        print_bytes(name, sizes)
    if not asked.computed_only:
        cores = len(os.sched_getaffinity(0))
        print(f"\n2. two processes of one thread on this machine, gloo; {cores} cores, load {os.getloadavg()[0]:.1f}")
        for kind in RECIPES:
            rounds = measured(kind, asked.rounds, asked.steps)
            print(f"  {kind:9s} seconds per step alone        {spread([r['alone'] for r in rounds])}")
            print(f"  {'':9s} two that do not talk / alone  {spread([r['apart'] / r['alone'] for r in rounds])}")
            print(f"  {'':9s} together / not talking         {spread([r['together'] / r['apart'] for r in rounds])}")
    print("\n3. efficiency with fixed work per process, computed: as it is / if all communication were hidden")
    for link in LINKS:
        print(f"  {link.name}: {link.bandwidth / 1e9:g} GB/s one way, {link.latency * 1e6:g} us a hop")
    for name, sizes in all_sizes.items():
        print_efficiency(name, list(sizes.values()))


if __name__ == "__main__":
    main()
