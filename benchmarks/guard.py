"""What the guard is worth: nine settings that make runs go wrong, with it and without it, and healthy runs unharmed.

Each setting is trained with `--seeds` seeds, on and off, paired by seed: the same data, first weights and batches. Both
are shown as many examples: what the guard takes back counts. The quality at the end is kid (kernel distance to held-out
pictures, lower is better) or table_quality (0..1, higher is better), by a look at the finished product: of a table that
is the best product of the run in both cases. A setting is won if the median is better and at least three of five seeds
are. Beside it stand the healthy run of the default plan and the untrained product. On healthy runs the finished weights
are compared by sha256.

    python benchmarks/guard.py [--seeds 5] [--first 0] [--jobs 2] [--only NAME ...] [--cache FILE.json]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch

from ganforge.api.request import requested, task_for, task_of
from ganforge.api.train import fit_settings, guard_for
from ganforge.contracts import Game
from ganforge.core.seeds import seed_for
from ganforge.engine.fit import fit
from ganforge.errors import TrainingError
from ganforge.kinds.pictures.reading.array_files import BUILT_IN
from ganforge.kinds.tables.generate import task as generate_rows
from ganforge.run import Run

LOOKS, RECORDS = 10, 40  # in a run, as in one of minutes
PICTURES: dict[str, Any] = {"size": "tiny", "examples": 12_800}
ROWS: dict[str, Any] = {"size": "tiny", "examples": 60_000}


@dataclass(frozen=True, slots=True)
class Setting:
    """A run that is asked for, and what is wrong with it."""

    words: str
    data: str  # "digits8", "people", or "few" for 200 of the digits
    settings: Mapping[str, Any] = field(default_factory=dict)  # "*100" multiplies what the plan chose
    opponent: float = 1.0  # factor on the discriminator's learning rate
    more: Mapping[str, Any] = field(default_factory=dict)  # examples, size


def rate(start: float) -> dict[str, Any]:
    """A learning rate that stays: one that falls to nothing mends by itself what it did (docs/log.md)."""
    return {"optimiser.learning_rate_start": start, "optimiser.learning_rate_end": start}


HEALTHY = {
    "pictures": Setting("nothing", "digits8", more={"size": "small"}),
    "table": Setting("nothing", "people"),
}
NO_AVERAGE, MOMENTUM = {"average.half_life_examples": 0}, {"optimiser.beta1": 0.9}
PLANTED = {
    "fast": Setting("learning rate 100 times too high, pictures", "digits8", rate(0.2)),
    "no_average": Setting(
        "no average, learning rate 100 times too high, pictures", "digits8", {**rate(0.2), **NO_AVERAGE}
    ),
    "momentum": Setting("beta1 0.9, learning rate 50 times too high, pictures", "digits8", {**rate(0.1), **MOMENTUM}),
    "strong": Setting("discriminator 200 times as fast, pictures", "digits8", opponent=200.0),
    "few": Setting("200 training pictures", "few"),
    "fast_rows": Setting("learning rate 20 times too high, table", "people", rate(0.06)),
    "strong_rows": Setting("discriminator 50 times as fast, table", "people", opponent=50.0),
    "small_batch_rows": Setting(
        "batches of 64, learning rate 20 times too high, table", "people", {**rate(0.06), "optimiser.batch_size": 64}
    ),
    "no_penalty_rows": Setting(
        "gamma 0, learning rate 10 times too high, table",
        "people",
        {**rate(0.03), "objective.gamma_start": 0, "objective.gamma_end": 0},
    ),
}


def people(rows: int = 4000) -> pd.DataFrame:
    """A table of six columns that hang together."""
    random = np.random.default_rng(seed_for(0, "benchmarks/guard"))
    city, age = random.integers(0, 8, rows), np.round(18 + 60 * random.beta(1.6, 2.6, rows))
    income = np.round(np.exp(9.5 + 0.02 * age + 0.1 * city + 0.3 * random.standard_normal(rows)))
    plan = np.digitize(np.log(income) + 0.3 * random.standard_normal(rows), [9.8, 10.5, 11.2])
    active = random.random(rows) < 0.2 + 0.2 * plan
    discount = np.where(active, random.choice([0, 5, 10, 20], rows, p=[0.4, 0.3, 0.2, 0.1]), 0)
    names = {"city": city, "plan": plan}
    words = {name: np.array([f"{name} {value}" for value in values]) for name, values in names.items()}
    return pd.DataFrame({**words, "age": age, "income": income, "active": active, "discount": discount})


def few_digits() -> Path:
    """A file with 200 of the 5,000 digits to learn from, and 1,000 others to measure with."""
    path = Path(tempfile.gettempdir()) / "ganforge-guard-few.npz"
    if not path.is_file():
        pictures, labels = BUILT_IN["digits"]()
        chosen = np.random.default_rng(seed_for(0, "benchmarks/guard/few")).permutation(len(pictures))
        few, test = chosen[:200], chosen[200:1200]
        x, y = {"x_train": pictures[few], "x_test": pictures[test]}, {"y_train": labels[few], "y_test": labels[test]}
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
            np.savez(file, **x, **y)
        Path(file.name).replace(path)  # several jobs may make it at once
    return path


def source_of(data: str) -> Any:
    if data == "people":
        return people()
    if data == "few":
        return few_digits()
    return data


def asked(setting: Setting, seed: int) -> dict[str, Any]:
    marks = json.dumps([round(number / LOOKS, 4) for number in range(LOOKS + 1)])
    kind, batch = (ROWS, 512) if setting.data == "people" else (PICTURES, 64)
    typed = {name: str(value) for name, value in setting.settings.items() if not str(value).startswith("*")}
    every = max(1, {**kind, **setting.more}["examples"] // int(typed.get("optimiser.batch_size", batch)) // RECORDS)
    ours = {"compute.threads": "1", "records.marks": marks, "records.look_samples": "1000"}
    ours |= {"records.every_steps": str(every), "records.checkpoint_every_steps": str(3 * every)}
    return {**kind, **setting.more, "seed": seed, "settings": {**ours, **typed}}


@contextmanager
def planned(setting: Setting, seed: int) -> Iterator[Any]:
    """The job with everything chosen, the planted fault included."""
    with requested(source_of(setting.data), asked(setting, seed)) as request:
        job = task_for(request).plan(request, lambda kind, **content: None)
        for name, value in setting.settings.items():
            if str(value).startswith("*") and name == "objective.gamma_start":
                adversary, by = job.recipe.adversary, float(str(value)[1:])
                update = {"gamma_start": by * adversary.gamma_start, "gamma_end": by * adversary.gamma_end}
                job.recipe = job.recipe.model_copy(update={"objective": adversary.model_copy(update=update)})
        yield job


def faster_opponent(game: Game, factor: float) -> Game:
    def quicker(player: Any) -> Any:
        schedule = player.optimiser.learning_rate
        more = replace(schedule, start=factor * schedule.start, end=factor * schedule.end)
        return replace(player, optimiser=replace(player.optimiser, learning_rate=more))

    players = tuple(player if player.name == game.product else quicker(player) for player in game.players)
    return replace(game, players=players)


def one_run(setting: Setting, seed: int, guarded: bool) -> dict[str, Any]:
    """Quality at the end, what it took, and what the guard did."""
    torch.set_num_threads(1)
    generate_rows.draw_columns = lambda *columns: b""  # ten times as long as the training of so small a table
    begun, used = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as scratch, planned(setting, seed) as job:
        run = Run(Path(scratch) / "run")
        run.folder.mkdir()
        job.prepare()
        game = faster_opponent(job.game(), setting.opponent) if setting.opponent != 1 else job.game()
        guard = guard_for(job.recipe.model_copy(update={"guard": guarded}))
        product, first, state = game.product_player.network, {}, None

        def look(product: Any, state: Any) -> Mapping[str, float]:
            seen: Mapping[str, float] = job.look(run, product, state.clock.examples)
            if state.step == 0:
                first.update(seen)
            return seen

        with suppress(TrainingError):  # the network is then as it was left
            fitted = fit(game, job.feed, fit_settings(job.recipe), run=run, look=look, guard=guard)
            product, state = fitted.product, fitted.state
        seen = job.look(run, product, 10**9)
        name = next(measure for measure in task_of(job.recipe).measured if measure in seen)
        tensors = b"".join(tensor.cpu().numpy().tobytes() for tensor in product.state_dict().values())
        looks = [record["quality"][name] for record in run.read_records() if record.get("quality")]
        events = [event for event in run.read_events() if event["kind"] in ("guarded", "unguarded", "guard_helped")]
    return {
        "measure": name,
        "value": seen[name],
        "untrained": first.get(name),
        "sha256": hashlib.sha256(tensors).hexdigest(),
        "looks": looks,
        "steps": state.step if state else None,
        "seconds": time.perf_counter() - begun,
        "processor_seconds": time.process_time() - used,
        "actions": [
            " ".join(str(event.get(key)) for key in ("kind", "ailment", "action", "from", "to", "examples"))
            for event in events
        ],
    }


def results(names: Sequence[str], seeds: Sequence[int], jobs: int, cache: Path | None) -> dict[str, dict[str, Any]]:
    """Every run by "name seed on|off"; those in the cache are not run again."""
    known: dict[str, dict[str, Any]] = json.loads(cache.read_text()) if cache and cache.is_file() else {}
    all_settings = {**HEALTHY, **PLANTED}
    wanted = {
        f"{name} {seed} {word}": (all_settings[name], seed, word == "on")
        for seed in seeds
        for name in names
        for word in ("off", "on")
    }
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        running = {pool.submit(one_run, *what): key for key, what in wanted.items() if key not in known}
        for done in as_completed(running):
            key = running[done]
            known[key] = done.result()
            told = known[key]
            print(f"  {key}: {told['measure']} {told['value']:.4f}, {told['processor_seconds']:.0f} s", flush=True)
            print("      looks", *(f"{value:.3g}" for value in told["looks"]), flush=True)
            for action in told["actions"]:
                print(f"      {action}", flush=True)
            if cache:
                cache.write_text(json.dumps(known, indent=1))
    return known


def beats(pairs: Sequence[tuple[float, float]], lower: bool) -> tuple[int, bool]:
    """Seeds won by `on`, and whether its median is better and most seeds are. Args: pairs (on, off)."""
    sign = -1.0 if lower else 1.0
    wins = sum(sign * on > sign * off for on, off in pairs)
    better = sign * median(on for on, _ in pairs) > sign * median(off for _, off in pairs)
    return wins, better and 2 * wins > len(pairs)


def show_planted(names: Sequence[str], seeds: Sequence[int], known: Mapping[str, Mapping[str, Any]]) -> None:
    print(f"\n{'planted':54s} {'measure':14s} {'untrained':>9s} {'off':>8s} {'on':>8s}  spread on         wins  beats")
    won = 0
    for name in names:
        on, off = ([known[f"{name} {seed} {word}"] for seed in seeds] for word in ("on", "off"))
        measure = on[0]["measure"]
        values = [run["value"] for run in on]
        wins, beaten = beats([(a["value"], b["value"]) for a, b in zip(on, off, strict=True)], measure == "kid")
        won += beaten
        print(
            f"{PLANTED[name].words:54s} {measure:14s} {off[0]['untrained']:9.3f} "
            f"{median(run['value'] for run in off):8.3f} {median(values):8.3f}  "
            f"{min(values):.3f} to {max(values):.3f}  {wins:2d}/{len(seeds)}  {'yes' if beaten else 'NO'}"
        )
    print(f"the guard beats its absence in {won} of {len(names)} settings (bar: three of four)")


def show_healthy(names: Sequence[str], seeds: Sequence[int], known: Mapping[str, Mapping[str, Any]]) -> None:
    print("\nhealthy runs of the default plan")
    same, total = 0, 0
    for name in names:
        on, off = ([known[f"{name} {seed} {word}"] for seed in seeds] for word in ("on", "off"))
        same += sum(a["sha256"] == b["sha256"] for a, b in zip(on, off, strict=True))
        total += len(seeds)
        first, second = median(run["value"] for run in on), median(run["value"] for run in off)
        print(f"{name:54s} {on[0]['measure']:14s} {off[0]['untrained']:9.3f} {second:8.3f} {first:8.3f}")
    print(f"same sha256 with and without the guard: {same} of {total} (else the bar is 2 % of quality)")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[*HEALTHY, *PLANTED])
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.seeds)
    known = results(given.only, seeds, given.jobs, given.cache)
    show_planted([name for name in PLANTED if name in given.only], seeds, known)
    show_healthy([name for name in HEALTHY if name in given.only], seeds, known)


if __name__ == "__main__":
    main()
