"""A run is a folder of plain, safe files. Its class owns their names; nothing else builds a path inside a run.

    RUN/
      recipe.json       everything asked for and everything chosen, each choice with its reason      (recipe.py)
      passport.json     what the data is: counts, sizes, labels, what was skipped and why             (data)
      metrics.jsonl     one record per line, appended while training                                  (engine)
      events.jsonl      what happened: started, resumed, refitted, plateau, rewound, guarded, ...    (engine, api)
      page.json         the words of the task for the pages about the run                            (records.Page)
      evaluation.json   the last evaluation: every measure beside floor and reference, a verdict, and what to show
      samples/          pictures of what the model makes over time, named by examples shown: 000012800.png
      pictures/         the figures of the evaluation
      checkpoints/      step folders, each with a sha256 manifest; the last two, and one more called
                        <step>.stopped where a person stopped the run                                 (engine)
      model/            the product: model.json and model.safetensors, with a sha256 manifest
      encoder/          from pictures back to the model's latents, learned at the first `invert`; with a manifest
      inverted/         what the last `invert` without --out found: pictures, latents.npz, inversion.json
      tensorboard/      the records once more, when --tensorboard asked for them                      (reports)
      report.html       one self-contained page                                                       (reports)
      lock              locked, by the operating system, by who trains it now; the process id for people
      data.npz          the data, when it was given in Python: the recipe's source is then "data.npz"; a table is
                        data.parquet, and other kinds of data have their own endings

A record of metrics.jsonl has
    step, examples, progress (0..1), seconds (of training so far), examples_per_second, length_examples
    terms            {player: {term: mean over the window}}        notes   {player: {note: mean}}
    gradient_norms   {player: mean L2 norm}                        update_ratios {player: |step| / |weights|}
    learning_rates   {player: value}                               skipped  turns skipped because not finite, so far
    attempt          0, and one more after each rewind             waiting  share of the time, 0..1, spent on batches
    augmentation     its strength after this record, 0..1, only where it adapts by itself
    layers           {player: {layer: {gradient_norm, weight_norm, update_ratio}}}, in the order of the network
    quality          {measure: value}, only on records at which the product was evaluated, with {measure}_low/_high
evaluation.json has
    step, examples, samples, held_out (counts), judge {kind, sentence}, floor, reference (a sentence each), best and
    simplest (what these two are called), measures [records.Measure], verdict (records.Verdict), blocks [records.Block],
    and facts for programs, which the task chooses: see its `evaluate`
An event has  time (ISO 8601, UTC), kind, step, and what belongs to its kind (events.py).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ganforge.core.files import append_line, read_json_file, read_json_lines, write_whole
from ganforge.errors import RunError
from ganforge.records import History, Record

STEP = re.compile(r"(sample|apply|compare|invert|augment)( (?!--force)(?!\S*\.\.)[\w.-][\w./-]*)+", re.ASCII)
REQUIRED = ("step", "examples", "progress", "seconds")  # numbers of every record


class Run:
    """The file names of a run folder, and methods to read and append to them. It does not train."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.recipe = self.folder / "recipe.json"
        self.passport = self.folder / "passport.json"
        self.metrics = self.folder / "metrics.jsonl"
        self.events = self.folder / "events.jsonl"
        self.evaluation = self.folder / "evaluation.json"
        self.page = self.folder / "page.json"
        self.samples = self.folder / "samples"
        self.checkpoints = self.folder / "checkpoints"
        self.model = self.folder / "model"
        self.encoder = self.folder / "encoder"
        self.inverted = self.folder / "inverted"
        self.tensorboard = self.folder / "tensorboard"
        self.report = self.folder / "report.html"
        self.lock = self.folder / "lock"

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """Open an existing run. Raises: RunError if the folder is missing, is not a run, or holds a link."""
        run = cls(folder)
        if not run.folder.exists():
            raise RunError(f"There is no run at {str(folder)!r}.", "The path does not exist.", "See `ganforge runs`.")
        if not run.recipe.is_file():
            raise RunError(
                f"{str(folder)!r} is not a run folder.",
                "It holds no recipe.json.",
                "Give the folder that `ganforge train` printed, or see `ganforge runs`.",
            )
        link = next((path for path in run.folder.iterdir() if path.is_symlink()), None)
        if link is not None:  # a stranger's run could write through it
            raise RunError(f"{link} is a link.", "It may lead out of the run.", "Put there what it leads to.")
        return run

    def given_data(self, suffix: str) -> Path:
        """Return the path for data that was given in Python. Args: suffix of its file, with the dot."""
        return self.folder / f"data{suffix}"

    @staticmethod
    def is_given_data(name: str) -> bool:
        """Return whether a name is one that `given_data` returns."""
        return Path(name).name == name and Path(name).stem == "data"

    def figure(self, name: str) -> Path:
        """Return the path of a figure of the evaluation. Args: name without a suffix, such as "columns"."""
        return self.folder / "pictures" / f"{name}.png"

    def sample_grid(self, examples: int) -> Path:
        """Return the path of the picture of samples after `examples` shown."""
        return self.samples / f"{examples:09d}.png"

    def write_json(self, path: Path, content: Mapping[str, Any]) -> None:
        """Write one of this run's JSON files, whole or not at all."""
        write_whole(path, (json.dumps(content, indent=2, allow_nan=True) + "\n").encode())

    def read_json(self, path: Path) -> dict[str, Any]:
        """Read one of this run's JSON files; {} if it does not exist yet. Raises: RunError if it is damaged."""
        if not path.is_file():
            return {}
        try:
            content = read_json_file(path)
        except (ValueError, OSError) as error:
            raise RunError(
                f"{path} cannot be read: {error}.", "It is damaged.", "Restore it or train again."
            ) from error
        if not isinstance(content, dict):
            raise RunError(f"{path} holds a {type(content).__name__}, expected an object.", "The file is damaged.")
        return content

    def add_record(self, record: Record) -> None:
        append_line(self.metrics, json.dumps(record))

    def add_event(self, kind: str, step: int, **content: Any) -> dict[str, Any]:
        """Append an event and return it."""
        event = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "kind": kind, "step": step, **content}
        append_line(self.events, json.dumps(event))
        return event

    def read_records(self) -> list[Record]:
        """Read the records in order. After a resume the repeated range is dropped: the last record of a step wins."""
        kept: list[Record] = []
        for record in read_json_lines(self.metrics):
            if not _is_record(record):
                continue
            while kept and kept[-1]["step"] >= record["step"]:
                kept.pop()
            kept.append(record)
        return kept

    def read_events(self) -> list[dict[str, Any]]:
        return [event for event in read_json_lines(self.events) if isinstance(event.get("kind"), str)]

    def next_steps(self) -> dict[str, str]:
        """Return the uses of the model: command -> what it does, from model.json (contracts.Model.next_steps).

        The file may be a stranger's: anything but a verb of ganforge and plain words is left out. Raises: RunError.
        """
        said = self.read_json(self.model / "model.json").get("next_steps")
        return {
            f"ganforge {step}": purpose
            for step, purpose in (said.items() if isinstance(said, dict) else ())
            if STEP.fullmatch(step) and isinstance(purpose, str) and purpose.isprintable()
        }

    def finished(self) -> bool:
        """Whether the run is complete: trained, evaluated and reported so. A report alone proves nothing."""
        said = any(event.get("kind") == "finished" for event in self.read_events())
        return said and self.model.is_dir() and self.evaluation.is_file()

    def history(self) -> History:
        """Return everything a check may read."""
        return History(
            records=tuple(self.read_records()),
            events=tuple(self.read_events()),
            passport=self.read_json(self.passport),
            evaluation=self.read_json(self.evaluation),
        )


def _is_record(content: Mapping[str, Any]) -> bool:
    """Return whether a line has the position of a record; one without it is damaged like one that is cut short."""
    numbers = [content.get(name) for name in REQUIRED]
    return all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)
