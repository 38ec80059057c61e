"""What a repeated step costs the host, how long the GPU waits for it, and whether it is the step that it repeats.

1. Host: microseconds that the host spends on a step of the small digits network, batch 64. Bar on a GPU: under 150.
   On a processor the same is measured of the host's part alone: everything but starting the recording.
2. Idle: share of the time in which the GPU runs no kernel while steps are repeated. Bar: under 5 %. The gaps between
   the kernels of one recording are in it, which no host can close; beside it stands the share of the time in which the
   GPU waits for the host: how much faster the steps run when all were asked for before.
3. Speed: repeated steps over steps operation by operation, in turn.
4. Agreement: 100 steps in float64 from a recording and operation by operation: the largest relative difference of a
   weight, over all of them. Bar: below 1e-9. Its floor is the same comparison of two runs operation by operation.

    python benchmarks/gpu_step.py [--device cuda] [--rounds 7] [--json FIGURES.json]
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import torch
from engine_speed import BATCH, LATENT, Pictures, recipe_for
from figures import Figures
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from ganforge.contracts import Game
from ganforge.engine.fit import FitSettings, fit
from ganforge.engine.profile import Steps, wait_for
from ganforge.engine.step import Inputs, Phase, Program, Told
from ganforge.kinds.pictures.game import build_game
from ganforge.planning.compute import use
from ganforge.recipe import Adversary, Compute, Network

SHAPE, WIDTH, STEPS = (1, 28, 28), 32, 100
HOST, IDLE, AGREEMENT = "< 150", "< 0.05", "< 1e-9"
QUEUED = 40  # steps that are asked for while the GPU sleeps: with their launches they fit into its queue
ASLEEP = 2**26  # cycles of the GPU's clock, about 40 ms: longer than the host needs to ask for them


class Nothing:
    """A runner without a device: what is left is the host's part."""

    def __call__(self, phase: Phase, inputs: Inputs, program: Program) -> Told:
        return ((),) * len(phase.playing)

    def forget(self) -> None:
        pass


def digits_game(precision: str, device: str) -> Game:
    network = Network(name="conv", latent_size=LATENT, width=WIDTH)
    return build_game(recipe_for(network, SHAPE, Adversary(gamma_start=4.3, gamma_end=0.43), precision, device))


def pictures(device: str, count: int = 60_000) -> Pictures:
    generator = torch.Generator().manual_seed(0)
    return Pictures(torch.randint(256, (count, 28, 28, 1), dtype=torch.uint8, generator=generator).to(device))


def settings(precision: str, steps: int, capture: bool) -> FitSettings:
    return FitSettings(
        seed=0,
        batch_size=BATCH,
        length_examples=steps * BATCH,
        half_life_examples=10_000,
        precision=precision,
        capture=capture,
        record_every_steps=steps,
    )


def steps_of(device: str, precision: str, *, on_device: bool, capture: bool = True) -> Steps:
    """Steps of the digits game, warm."""
    plan = settings(precision, 100, capture)
    return Steps(digits_game(precision, device), pictures(device), plan, None if on_device else Nothing())


def host_microseconds(steps: Steps, device: torch.device, rounds: int) -> list[float]:
    """Of a step, in each round: until the host is free again, while the device is not waited for."""
    told = []
    for _ in range(rounds):
        wait_for(device)
        begun = perf_counter()
        steps.play(20)  # few: a full queue would make the host wait
        told.append((perf_counter() - begun) / 20 * 1e6)
    wait_for(device)
    return told


def idle_share(steps: Steps, device: torch.device) -> float:
    """1 - the time in which any kernel ran, over the time from the first to the last."""
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        steps.play(200)
        wait_for(device)
    runs = sorted(
        (event.time_range.start, event.time_range.end)
        for event in seen.events()
        if event.device_type == torch.autograd.DeviceType.CUDA
    )
    if not runs:
        raise RuntimeError("torch's profiler saw no kernel: the GPU cannot be watched here")
    busy, end = 0.0, runs[0][0]
    for first, last in runs:
        busy, end = busy + max(0.0, last - max(first, end)), max(end, last)
    return 1 - busy / (end - runs[0][0])


def starved_share(steps: Steps, device: torch.device) -> float:
    """Share of the time in which the GPU waits for the host: 1 - a step's time once it is asked for, over its time."""
    asked_before = []
    for _ in range(3):  # pinned memory for so many inputs is taken in the first round
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        wait_for(device)
        torch.cuda._sleep(ASLEEP)
        begin.record()
        steps.play(QUEUED)
        end.record()
        wait_for(device)
        asked_before.append(begin.elapsed_time(end) / QUEUED / 1e3)
    return max(0.0, 1 - min(asked_before) / seconds_of(steps, device))


def seconds_of(steps: Steps, device: torch.device, count: int = 200) -> float:
    """Of one step, as they come."""
    wait_for(device)
    begun = perf_counter()
    steps.play(count)
    wait_for(device)
    return (perf_counter() - begun) / count


def gain(device: torch.device, precision: str, rounds: int) -> list[float]:
    """Repeated steps over steps operation by operation, in each round."""
    repeated, plain = (steps_of(str(device), precision, on_device=True, capture=capture) for capture in (True, False))
    return [seconds_of(plain, device) / seconds_of(repeated, device) for _ in range(rounds)]


def trained(device: str, capture: bool) -> list[Tensor]:
    """All weights after STEPS steps in float64."""
    game = digits_game("float32", device)
    for player in game.players:
        player.network.double()
    product = fit(game, pictures(device, 5_000), settings("float32", STEPS, capture)).product
    return [weight.detach().cpu() for network in (*(p.network for p in game.players), product) for weight in
            network.parameters()]  # fmt: skip


def furthest(one: list[Tensor], other: list[Tensor]) -> float:
    return max(float((a - b).norm() / b.norm()) for a, b in zip(one, other, strict=True))


@contextmanager
def in_float64() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def measure_host(asked: argparse.Namespace, precision: str, figures: Figures) -> None:
    device, gpu = torch.device(asked.device), asked.device.startswith("cuda")
    steps = steps_of(asked.device, precision, on_device=gpu)
    told = host_microseconds(steps, device, asked.rounds)
    middle = statistics.median(told)
    what = "a step" if gpu else "the host's part of a step, without starting it"
    print(
        f"host, {precision}: {middle:.0f} us for {what} ({min(told):.0f} to {max(told):.0f})   bar: {HOST}", flush=True
    )
    figures.add(f"host, {precision}", middle, "us", HOST, low=min(told), high=max(told))
    if not gpu:
        return
    figures.add(f"repeated from a recording, {precision}", steps.captured, "", ">= 1", reason=steps.why_not_captured)
    if not steps.captured:
        print(f"  NOT repeated from a recording: {steps.why_not_captured}")
    with figures.attempt(f"waiting for the host, {precision}"):
        starved = starved_share(steps, device)
        print(f"waiting for the host, {precision}: {starved:.1%}", flush=True)
        figures.add(f"waiting for the host, {precision}", starved, "share")
    with figures.attempt(f"idle, {precision}"):
        idle = idle_share(steps, device)
        print(f"idle, {precision}: {idle:.1%}   bar: {IDLE}", flush=True)
        figures.add(f"idle, {precision}", idle, "share", IDLE)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="where the figures are written")
    asked = parser.parse_args()
    device, gpu = torch.device(asked.device), asked.device.startswith("cuda")
    use(Compute(device=asked.device, threads=torch.get_num_threads()))
    print(torch.cuda.get_device_name(device) if gpu else "no GPU", f"torch {torch.__version__}")
    figures = Figures(asked.json, judged=gpu)
    for precision in ("bfloat16", "float32") if gpu else ("float32",):
        with figures.attempt(f"host, {precision}"):
            measure_host(asked, precision, figures)
    if not gpu:
        print("all else is for a GPU; tests/engine/test_capture.py compares recorded steps on a processor")
        return figures.end()
    with figures.attempt("agreement"), in_float64():
        plain = trained(asked.device, capture=False)
        far, floor = furthest(trained(asked.device, True), plain), furthest(trained(asked.device, False), plain)
        print(f"agreement after {STEPS} steps in float64: {far:.1e}; two runs operation by operation: {floor:.1e}")
        print(f"  bar: {AGREEMENT}", flush=True)
        figures.add("agreement", far, "relative difference", AGREEMENT, floor=floor)
    with figures.attempt("speed"):
        told = gain(device, "bfloat16", 3)
        print(f"speed: {statistics.median(told):.2f} times ({min(told):.2f} to {max(told):.2f})")
        figures.add("speed", statistics.median(told), "ratio", low=min(told), high=max(told))
    return figures.end()


if __name__ == "__main__":
    main()
