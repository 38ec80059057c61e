"""Few labels: linear model, supervised, self-training and adversary, with one speaker left out, at equal CPU seconds.

    python benchmarks/recognise.py RECORDINGS --out results.jsonl [--sizes 1 5 10 20] [--draws 0 1] [--seconds 12]

RECORDINGS holds files LABEL_SPEAKER_NUMBER.wav, such as the Free Spoken Digit Dataset. Of all speakers but one, so many
sounds of each label are labelled, by draw, and the others are not; the one left out is recognised. A draw of a size is
the beginning of that of a larger one. The steps of each method are counted beforehand such that it takes `--seconds` of
one thread; what it took is printed. Finished cells in --out are not repeated, so that the table grows as time allows.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ganforge.contracts import Game
from ganforge.engine.fit import FitSettings, fit
from ganforge.kinds.sounds.reading import list_sounds
from ganforge.kinds.sounds.recognise.labelled import EVERY, Labelled, open_labelled
from ganforge.kinds.sounds.recognise.networks import ADVERSARIAL, LINEAR, METHODS, STUDENT, SUPERVISED, Recogniser
from ganforge.kinds.sounds.recognise.plan import ABSENT, build_game, plan_recogniser
from ganforge.kinds.sounds.recognise.task import Recognise
from ganforge.kinds.sounds.recognise.verdict import fit_linear, scores_of
from ganforge.measures.intervals import mean_by_bootstrap
from ganforge.planning.draft import Draft
from ganforge.recipe import Recipe, Request

TIMED, REPEATS = 15, 4  # steps whose CPU seconds are measured, and how often


def open_all(recordings: Path, folder: Path) -> tuple[Labelled, np.ndarray]:
    """Return all sounds with labels, and the speaker of each (N,)."""
    for file in sorted(recordings.glob("*_*_*.wav")):
        label, _ = file.name.split("_", 1)
        (folder / label).mkdir(exist_ok=True)
        (folder / label / file.name).symlink_to(file.resolve())
    found = open_labelled(str(folder), None, 0)
    speakers = np.array([file.name.split("_")[1] for file in list_sounds(folder).files])
    assert len(speakers) == len(found.levels)  # none was skipped, so both are in the order of names
    return found, speakers


def cell(found: Labelled, speakers: np.ndarray, left_out: str, size: int, draw: int) -> tuple[Labelled, Labelled]:
    """Return the sounds to learn from, and those of the speaker that is left out."""
    random = np.random.default_rng([draw, list(np.unique(speakers)).index(left_out)])
    learned, chosen = speakers != left_out, np.zeros(len(speakers), bool)
    for label in range(len(found.names)):
        chosen[random.permutation(np.flatnonzero(learned & (found.labels == label)))[:size]] = True

    def part(known: np.ndarray, others: np.ndarray) -> Labelled:
        folds = np.full(int(known.sum()), EVERY)
        levels = np.array(found.levels[known])
        return replace(found, levels=levels, labels=found.labels[known], folds=folds, others=found.levels[others])

    return part(chosen, learned & ~chosen), part(~learned, np.zeros(len(speakers), bool))


def plan(found: Labelled, seed: int, **settings: str) -> Recipe:
    request = Request(
        source="digits", task="recognise", examples=3200, seed=seed, settings={"compute.threads": "1"} | settings
    )
    return plan_recogniser(Draft(request, Recognise, absent=ABSENT), found, lambda *_, **__: None)


def game_of(recipe: Recipe, method: str, student_from: float) -> Game:
    """Build the game of one method alone: supervised from start to end, or first supervised and then one student."""
    own = recipe.own.model_copy(update={"student_from": 1.0 if method == SUPERVISED else student_from})
    game = build_game(recipe.model_copy(update={"own": own}))
    if method != ADVERSARIAL:
        return game
    supervised, student, adversary, generator = game.players
    joint = replace(student, loss=adversary.loss, dials=adversary.dials)  # whose network is the product, with all
    return Game((supervised, joint, generator), game.product)


def cpu_of(game: Game, found: Labelled, recipe: Recipe, steps: int) -> tuple[float, Recogniser]:
    batch = recipe.optimiser.batch_size
    settings = FitSettings(
        seed=recipe.seed, batch_size=batch, length_examples=steps * batch, half_life_examples=0.01 * steps * batch,
        record_every_steps=steps,
    )  # fmt: skip
    start = time.process_time()
    product = fit(game, found.feed("cpu"), settings).product
    return time.process_time() - start, product


def right(product: Recogniser, method: str, judged: Labelled) -> float:
    """Return the share of the left-out speaker's sounds whose label is found."""
    return float((scores_of(product.of(method)[0], judged.levels, product.device).argmax(1) == judged.labels).mean())


def steps_for(found: Labelled, recipes: dict[str, Recipe], seconds: float) -> dict[str, int]:
    """Return the steps of each method: half of a student's are supervised."""
    once: dict[str, list[float]] = defaultdict(list)
    for _ in range(REPEATS):
        for method, recipe in recipes.items():
            game = game_of(recipe, method, 1e-9)
            once[method].append(cpu_of(game, found, recipe, TIMED)[0] / TIMED)
    cost = {method: float(np.median(values)) for method, values in once.items()}
    half = {method: (cost[method] + cost[SUPERVISED]) / 2 for method in recipes}
    return {method: int(seconds / half[method]) for method in recipes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 5, 10, 20])
    parser.add_argument("--draws", type=int, nargs="+", default=[0])
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--most", type=int, default=1000, help="cells at most, this time")
    parser.add_argument("--methods", nargs="+", default=METHODS[1:])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = [json.loads(line) for line in asked.out.read_text().splitlines()] if asked.out.exists() else []
    done = {(row["size"], row["speaker"], row["draw"]) for row in rows}
    with tempfile.TemporaryDirectory() as name:
        found, speakers = open_all(asked.recordings, Path(name))
        every = [
            (size, speaker, draw) for draw in asked.draws for size in asked.sizes for speaker in np.unique(speakers)
        ]
        todo = [one for one in every if one not in done][: asked.most]
        settings = dict(one.split("=", 1) for one in asked.set)
        steps = next((row["steps"] for row in rows), None)
        for size, speaker, draw in todo:
            learned, judged = cell(found, speakers, speaker, size, draw)
            extra = {ADVERSARIAL: {"recognise.adversarial": "1"}}
            recipes = {one: plan(learned, draw, **settings, **extra.get(one, {})) for one in asked.methods}
            steps = steps or steps_for(learned, recipes, asked.seconds)
            row = {"size": size, "speaker": str(speaker), "draw": draw, "steps": steps, "right": {}, "seconds": {}}
            for method, recipe in recipes.items():
                game = game_of(recipe, method, 0.5)
                row["seconds"][method], product = cpu_of(game, learned, recipe, steps[method])
                row["right"][method] = right(product, method, judged)
            fit_linear(product, learned)
            row["right"][LINEAR] = right(product, LINEAR, judged)
            with asked.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
            rows.append(row)
            print(size, speaker, draw, {method: round(value, 3) for method, value in row["right"].items()}, flush=True)
    show(rows)


def show(rows: list[dict]) -> None:
    """Print the mean of each method at each size, and its difference to the others, paired over speakers and draws."""
    methods = [method for method in METHODS if method in rows[0]["right"]]
    for size in sorted({row["size"] for row in rows}):
        right = {method: np.array([row["right"][method] for row in rows if row["size"] == size]) for method in methods}
        took = {m: np.mean([row["seconds"][m] for row in rows if row["size"] == size]) for m in methods if m != LINEAR}
        print(f"\n{size} a label, {len(right[LINEAR])} cells; CPU s { ({m: round(s, 1) for m, s in took.items()}) }")
        for method, values in right.items():
            print(f"  {method:14s} {values.mean():.3f}")
        for one, other in (
            (STUDENT, SUPERVISED),
            (ADVERSARIAL, SUPERVISED),
            (ADVERSARIAL, STUDENT),
            (SUPERVISED, LINEAR),
        ):
            if one in right and other in right:
                gain = mean_by_bootstrap(right[one] - right[other], np.random.default_rng(0))
                print(f"  {one} - {other}: {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})")


if __name__ == "__main__":
    main()
