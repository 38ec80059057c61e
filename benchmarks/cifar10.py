"""CIFAR-10 on one GPU: the default beside hinge loss with spectral normalisation, same networks, same time.

Each is trained for so many minutes with and without labels, from each seed, and judged by ganforge's own measures on
5,000 samples: the Frechet distance and recall beside their floor (unseen real pictures) and the simplest rival that is
no GAN. Miyato et al. 2018: spectral normalisation on every layer of the discriminator, Adam with (0, 0.9), no penalty;
once with the paper's rate of 2e-4 and once with the plan's, and the one with the smaller distance counts. The last
layer of a block, which begins at zero here, begins like the others there: zero has no direction. Bar: the default wins
in distance and in recall by more than both intervals.

DATA is the Parquet file of training pictures, or a folder with one subfolder for each label. Scores compare only within
one table: judge, data and sizes are the project's own.

    python benchmarks/cifar10.py DATA [--minutes 9] [--size base] [--seeds 1] [--out pictures/]
    python benchmarks/cifar10.py digits8 --minutes 0.3 --size tiny      a small form of it, on a processor

--labels with leaves out the half without labels; --json FIGURES.json writes the figures as they come.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from figures import Figures
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ganforge.api.train import fit_settings
from ganforge.contracts import Game, OptimiserSettings, Schedule
from ganforge.engine.fit import fit
from ganforge.kinds.pictures.generate.task import Generate, GenerateJob
from ganforge.networks.resnet import Block
from ganforge.planning.compute import use
from ganforge.recipe import Request
from ganforge.records import Measure
from ganforge.run import Run

HINGE = {"objective.gamma_start": "0", "objective.gamma_end": "0"}
MEASURES = ("frechet_distance", "recall", "precision", "kid")


def planned(asked: argparse.Namespace, seed: int, *, labels: bool, hinge: bool) -> GenerateJob:
    request = Request(
        source=str(Path(asked.data).absolute()) if Path(asked.data).exists() else asked.data,
        minutes=asked.minutes,
        size=asked.size,
        seed=seed,
        label=asked.label if labels else "none",
        objective="hinge" if hinge else None,
        settings={**(HINGE if hinge else {}), **dict(pair.split("=") for pair in asked.set)},
    )
    return Generate().plan(request, lambda kind, **content: None)


def normalised(game: Game, rate: float | None) -> Game:
    """The same game with spectral normalisation in the discriminator, and the steps that go with it.

    Args: rate at the start; None for that of the plan.
    """
    discriminator = game.players[0].network
    for module in list(discriminator.modules()):
        if isinstance(module, Block):
            nn.init.kaiming_normal_(module.narrow.weight, 0.2)
    for module in list(discriminator.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
            spectral_norm(module)
    start = game.players[0].optimiser.learning_rate.start if rate is None else rate
    steps = OptimiserSettings(Schedule(start, 0.0, "linear"), beta1=0.0, beta2=0.9)
    return replace(game, players=tuple(replace(player, optimiser=steps) for player in game.players))


def measured(job: GenerateJob, game: Game, folder: Path) -> tuple[dict[str, Measure], int]:
    """Every measure after training, and the pictures shown."""
    use(job.recipe.compute)
    job.prepare()
    fitted = fit(game, job.feed, fit_settings(job.recipe))
    found = job.evaluate(Run(folder), fitted.product)
    return {measure.name: measure for measure in found.measures}, fitted.state.clock.examples


def told(measure: Measure) -> str:
    """One measure in a line."""
    value = f"{measure.value:8.3f} ({measure.low:.3f} to {measure.high:.3f})"
    return f"  {measure.name:18s} {value}   real {measure.floor:.3f}   Gaussian {measure.reference:.3f}"


def clearly_better(mine: Measure, other: Measure) -> bool:
    """Return whether two intervals do not meet, and mine is the better one."""
    return mine.high < other.low if mine.better == "lower" else mine.low > other.high


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--label", help="the column of labels; found by itself where there is one")
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--size", default="base")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], help="a setting of the recipe, for both")
    parser.add_argument("--out", type=Path, help="where grids of samples are written")
    parser.add_argument("--labels", choices=("both", "with", "without"), default="both")
    parser.add_argument("--json", type=Path, help="where the figures are written")
    asked = parser.parse_args()
    figures = Figures(asked.json, judged=torch.cuda.is_available())
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU: a processor"
    print(f"{device}, torch {torch.__version__}, {asked.minutes:g} minutes, size {asked.size}")
    wins = []
    for labels in {"both": (True, False), "with": (True,), "without": (False,)}[asked.labels]:
        for seed in range(asked.seeds):
            found = {}
            for name, rate in (("default", None), ("hinge 2e-4", 2e-4), ("hinge as planned", None)):
                hinge = name != "default"
                job = planned(asked, seed, labels=labels, hinge=hinge)
                game = normalised(job.game(), rate) if hinge else job.game()
                with tempfile.TemporaryDirectory() as scratch:
                    kind = "labels" if labels else "none"
                    folder = (asked.out or Path(scratch)) / f"{name.replace(' ', '-')}-{kind}-{seed}"
                    folder.mkdir(parents=True, exist_ok=True)
                    found[name], shown = measured(job, game, folder)
                print(f"{'with' if labels else 'without'} labels, seed {seed}, {name}: {shown:,} pictures shown")
                for key in MEASURES:
                    print(told(found[name][key]), flush=True)
                    seen = found[name][key]
                    beside = {"low": seen.low, "high": seen.high, "real": seen.floor}
                    where = f"{key}, {name}, {'with' if labels else 'without'} labels, seed {seed}"
                    figures.add(where, seen.value, gaussian=seen.reference, shown=shown, **beside)
            rival = min((found[name] for name in found if name != "default"), key=lambda one: one[MEASURES[0]].value)
            won = [clearly_better(found["default"][key], rival[key]) for key in MEASURES[:2]]
            print(f"  the default is clearly better in distance: {won[0]}, in recall: {won[1]}")
            for key, better in zip(MEASURES[:2], won, strict=True):
                where = f"clearly better in {key}, {'with' if labels else 'without'} labels, seed {seed}"
                figures.add(where, better, "", ">= 1")
            wins.append(all(won))
    print(f"bar: clearly better in both, everywhere: {'met' if all(wins) else 'NOT met'}")


if __name__ == "__main__":
    main()
