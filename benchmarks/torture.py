"""Runs that are killed at random moments, or at every single one that changes a file: do they end with the same bytes?

python benchmarks/torture.py [--kills 20] [--kind pictures table impute regress texts restyle sentences words]
                             [--seed 0] [--every STRIDE] [--accident kill|terminate|interrupt|full]

For each kind of data and task a tiny run is trained straight. Then it is begun --kills times and killed with SIGKILL at
random moments of the whole life of the command, each up to three times, gone on with `ganforge resume` (or begun again
where nothing had been written yet), and compared: the sha256 of the model's files, the tensors and numbers of the last
checkpoint, every record, the evaluation and the pictures. With --every the accident comes at every STRIDE-th operation
that changes a file instead. `full` is a disk without space, which is freed before the run goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tiny_texts import write_texts
from torture_victims import CREATES, Accident, Ended, Victims

from ganforge.core.files import check_folder, sha256_of
from ganforge.engine.checkpoint import list_checkpoints
from ganforge.errors import GanforgeError
from ganforge.run import Run, held_by

TINY = (
    "--size", "tiny", "--examples", "1600", "--set", "optimiser.batch_size=16", "--set", "records.every_steps=10",
    "--set", "records.checkpoint_every_steps=20", "--set", "records.look_samples=50",
    "--set", "records.marks=[0.0, 0.3, 0.6, 1.0]",  # else the plan looks as often as this machine is fast just now
)  # fmt: skip
OFTEN = (
    "--size", "tiny", "--set", "records.every_steps=2", "--set", "records.checkpoint_every_steps=2",
    "--set", "records.marks=[0.0, 1.0]",
)  # fmt: skip
KINDS = {
    "pictures": ("train", "stripes.npz", *TINY),
    "table": ("train", "people.csv", *TINY),
    "impute": ("train", "holes.csv", "--task", "impute", *TINY),
    "regress": (
        "train",
        "diabetes",
        "--task",
        "regress",
        "--label",
        "target",
        "--examples",
        "3200",
        "--set",
        "records.marks=[0.5, 1.0]",
    ),
    "texts": ("train", "captions.txt", "--examples", "480", "--set", "text.rounds=1", *OFTEN),
    "restyle": ("train", "styles/", "--task", "restyle", "--examples", "320", *OFTEN),
    "sentences": ("train", "languages/", "--task", "translate", "--examples", "320", *OFTEN),
    "words": ("train", "languages/", "--task", "dictionary", "--examples", "640", *OFTEN),
}
CLOCKED = {"seconds", "examples_per_second", "waiting", "look_seconds", "skipped_now"}  # what the wall clock decides
ENDS = {"kill": {-9, 0}, "terminate": {143, 0}, "interrupt": {130, 0}, "full": {1, 0}, "cut": {-25, 0}, "short": {1, 0}}


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a run: where it was hit, and what is wrong with it in the end; "" if nothing is."""

    moments: tuple[str, ...]
    wrong: str


class Torture:
    """One kind of run: how it ends when nothing happens, and how when something does."""

    def __init__(self, kind: str, folder: Path, victims: Victims) -> None:
        """Trains the run straight. Raises: SystemExit if even that fails."""
        verb, data, *asked = KINDS[kind]
        source = str(folder.resolve() / data) if {".", "/"} & set(data) else data
        self._arguments, self._folder = [verb, source, *asked, "--run", "run"], folder / kind
        self._victims, self._count = victims, 0
        folder.mkdir(parents=True, exist_ok=True)
        write_data(folder)
        self.straight = self._suffer(self._folder, self._arguments, Accident())
        if self.straight.code != 0:
            raise SystemExit(f"The straight run of {kind} ended with {self.straight.code}: {self.straight.said}")
        self.run = Run(self._folder / "run")
        self._expected = fingerprint(self.run)

    def survive(self, accidents: Iterator[Accident] | list[Accident]) -> Fate:
        """Begins the run again, lets the accidents happen one after the other, goes on to the end, and compares."""
        self._count += 1
        folder, moments = self._folder.with_name(f"{self._folder.name}-{self._count}"), []
        run = Run(folder / "run")
        for accident in accidents:
            ended = self._suffer(folder, self._next(run), accident)
            moments.append(self._moment(run, ended))
            wrong = _wrong_end(accident, ended) or _wrong_meanwhile(run)
            if wrong:
                return Fate(tuple(moments), wrong)
            if ended.code == 0:
                break
        ended = self._suffer(folder, self._next(run), Accident())
        if ended.code != 0:
            return Fate(tuple(moments), f"it could not go on: {ended.said}")
        return Fate(tuple(moments), self.differences(run))

    def differences(self, run: Run) -> str:
        """What a finished run has that the straight one has not, or the other way round; "" if they are equal."""
        found = fingerprint(run)
        other = {key for key in (*found, *self._expected) if found.get(key) != self._expected.get(key)}
        return f"different: {', '.join(sorted(other))}" if other else ""

    def _suffer(self, folder: Path, arguments: list[str], accident: Accident) -> Ended:
        return self._victims.run(folder, arguments, accident)

    def _next(self, run: Run) -> list[str]:
        return ["resume", "run"] if run.recipe.is_file() else self._arguments

    def _moment(self, run: Run, ended: Ended) -> str:
        events = run.read_events()
        phase = str(events[-1]["kind"]) if events else "before the run"
        last = ended.operations[-1] if ended.operations else "nothing written"
        return f"{ended.seconds:.2f} s, after {phase!r}, at {last}"


def fingerprint(run: Run) -> dict[str, str]:
    """Everything of a finished run that has to repeat to the bit, and that nothing else lies about."""
    last = list_checkpoints(run.checkpoints)[-1]
    state = _unclocked(json.loads((last / "state.json").read_text("utf-8")))
    parts = {f"model/{path.name}": sha256_of(path) for path in run.model.iterdir()}
    parts |= {f"{last.name}/tensors": sha256_of(last / "tensors.safetensors"), f"{last.name}/state": json.dumps(state)}
    parts |= {f"record {record['step']}": json.dumps(_unclocked(record)) for record in run.read_records()}
    parts |= {f"{path.parent.name}/{path.name}": sha256_of(path) for path in run.folder.glob("[sp]*/*.png")}
    evaluation = run.read_json(run.evaluation)
    parts |= {
        "evaluation": json.dumps(_unclocked(evaluation)),
        "recipe": json.dumps(_unclocked(run.read_json(run.recipe))),
    }
    names = {path.name for path in run.folder.iterdir()}
    leftovers = [path.name for path in run.folder.rglob(".*")]
    return {**parts, "names": str(sorted(names)), "leftovers": str(leftovers), "finished": str(run.finished())}


def _unclocked(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _unclocked(value) for key, value in content.items() if key not in CLOCKED}
    return [_unclocked(value) for value in content] if isinstance(content, list) else content


def _wrong_end(accident: Accident, ended: Ended) -> str:
    if ended.code not in ENDS[accident.kind]:
        return f"it ended with {ended.code}: {ended.said}"
    if "Traceback" in ended.said:
        return f"a traceback: {ended.said}"
    if ended.code == 1 and not ("could not be written" in ended.said and "he" in ended.said):
        return f"no clear error: {ended.said}"
    return ""


def _wrong_meanwhile(run: Run) -> str:
    """After an accident the newest checkpoint must be whole, and the lock free."""
    if held_by(run.lock) is not None:
        return "the lock is still held"
    for checkpoint in list_checkpoints(run.checkpoints):
        try:
            check_folder(checkpoint)
        except GanforgeError as error:
            return f"a damaged checkpoint: {error}"
    return ""


def write_data(folder: Path) -> None:
    """240 pictures of stripes with labels, 150 rows about people, whole and with holes, and texts."""
    chance = np.random.default_rng(0)
    labels = np.arange(240) % 3
    pictures = chance.integers(0, 20, (240, 8, 8)).astype(np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        picture[chance.integers(0, 4) :, 2 * label + 1 : 2 * label + 3] = chance.integers(100, 230)
    np.savez(folder / "stripes.npz", x=pictures, y=labels)
    ages, cities = chance.integers(18, 80, 150), chance.choice(["Bern", "Chur", "Basel"], 150)
    incomes = np.round(ages * 100 + chance.normal(0, 500, 150), 1)
    rows = list(zip(map(str, ages), map(str, cities), map(str, incomes), strict=True))
    holes = [[cell if chance.random() > 0.2 else "" for cell in row] for row in rows]
    for name, table in (("people.csv", rows), ("holes.csv", holes)):
        (folder / name).write_text("\n".join(["age,city,income", *(",".join(row) for row in table)]) + "\n", "utf-8")
    write_texts(folder)


def random_kills(seconds: float, chance: random.Random) -> list[Accident]:
    """One to three kills, each at a random moment of the whole life of the command."""
    return [Accident("kill", after=chance.uniform(0, seconds)) for _ in range(chance.choice([1, 1, 2, 3]))]


def every_moment(
    straight: Ended, kind: Literal["kill", "terminate", "interrupt", "full"], stride: int
) -> list[Accident]:
    """An accident at every stride-th operation that changes a file."""
    creates = [place for place, words in enumerate(straight.operations) if words.split()[0] in CREATES]
    places = creates if kind == "full" else list(range(len(straight.operations)))
    return [Accident(kind, at=place) for place in places[::stride]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--kind", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=0)
    parser.add_argument("--accident", choices=["kill", "terminate", "interrupt", "full"], default="kill")
    parser.add_argument("--keep", type=Path, help="a folder to work in, which is kept")
    asked = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as scratch, Victims() as victims:
        for kind in asked.kind:
            torture, chance = Torture(kind, asked.keep or Path(scratch), victims), random.Random(asked.seed)
            straight = torture.straight
            print(f"{kind}: straight {straight.seconds:.1f} s, {len(straight.operations)} operations on files")
            if asked.every:
                plans = [[accident] for accident in every_moment(straight, asked.accident, asked.every)]
            else:
                plans = [random_kills(straight.seconds, chance) for _ in range(asked.kills)]
            good, began = 0, time.perf_counter()
            for number, accidents in enumerate(plans):
                fate = torture.survive(accidents)
                good += not fate.wrong
                print(f"  {number + 1:3d}  {'; '.join(fate.moments)}  {fate.wrong or 'equal'}", flush=True)
            failed += good < len(plans)
            print(f"{kind}: {good} of {len(plans)} end with the same sha256 ({time.perf_counter() - began:.0f} s)")
    print(f"bar: all of them: {'met' if not failed else 'NOT met'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
