"""A run is a folder of plain, safe files. Its class owns their names; nothing else builds a path inside a run.

    RUN/
      recipe.json       everything asked for and everything chosen, each choice with its reason      (recipe.py)
      passport.json     what the data is: counts, sizes, labels, what was skipped and why             (data)
      metrics.jsonl     one record per line, appended while training                                  (engine)
      events.jsonl      what happened: started, resumed, refitted, plateau, rewound, guarded, ...    (engine, api)
      privacy.json      of a private run: every release, what it costs, what stands outside the guarantee (privacy)
      release/          of a private run: what was published of the data, with noise; the rest follows from it
      page.json         the words of the task for the pages about the run                            (records.Page)
      evaluation.json   the last evaluation: every measure beside floor and reference, a verdict, and what to show
      audit.json        the last audit: what attacks on the run found                                 (api.audit)
      card.md, .json    the model card, for people and for programs                                   (api.card)
      samples/          pictures of what the model makes over time, named by examples shown: 000012800.png
      pictures/         the figures of the evaluation
      checkpoints/      step folders, each with a sha256 manifest; the last two, and one more called
                        <step>.stopped where a person stopped the run                                 (engine)
      model/            the product: model.json and model.safetensors, with a sha256 manifest
      encoder/          from pictures back to the model's latents, learned at the first `invert`; with a manifest
      inverted/         what the last `invert` without --out found: pictures, latents.npz, inversion.json
      privacy_steps.jsonl  private turns, each counted before it is taken                            (engine)
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

import itertools
import json
import math
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ganforge.core.files import (
    append_line,
    read_json_file,
    read_json_lines,
    storage_error,
    unfinished_name,
    write_whole,
)
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
        self.audit = self.folder / "audit.json"
        self.privacy = self.folder / "privacy.json"
        self.card = self.folder / "card.md"
        self.page = self.folder / "page.json"
        self.release = self.folder / "release"
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


# ---- creation and lock of a run folder: one trainer holds a folder at a time -----------------------------------------
# A folder gets a name that nobody else has, and never replaces something that is not a run. The lock is the operating
# system's: it ends with its process, however that ends. The lock file holds the process id for people to read; that
# text decides nothing, because a number alone could be that of a process which has died, was given to another program
# since, or means another process outside of a container.


@contextmanager
def founded(given: str | Path | None, source: str, *, force: bool) -> Iterator[Run]:
    """Create an empty run folder that this process alone holds until the end of the block.

    Args: given the folder, or None for runs/<data>-<number>, the first number that is free; source the name of the
        data; force empties an older run. A block that fails before it wrote the recipe leaves no file behind.
    Raises: RunError if somebody else holds the folder, if it holds other files, or a run without force; StorageError.
    """
    try:
        run = _numbered(source) if given is None else Run(given)
        run.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(run.folder if given is not None else Path("runs"), error) from error
    with hold(run.lock):
        refuse_existing(run, force=force)  # again: now that the folder is held, the answer stays true
        _empty(run)
        try:
            yield run
        finally:
            if not run.recipe.exists():
                _empty(run)


def refuse_existing(run: Run, *, force: bool) -> None:
    """Refuse to overwrite a run by accident, or to empty a folder that is not a run.

    Raises: RunError if the path is a file, holds files that are not a run, or holds a run and force is not given.
    """
    folder = run.folder
    if folder.is_file():
        raise RunError(f"{str(folder)!r} is a file.", "A run is a folder.", "Give another --run.")
    if not folder.is_dir() or _cut_off(run):
        return
    if not run.recipe.is_file():
        raise RunError(f"{str(folder)!r} holds files that are not a run.", "They would be lost.", "Give another --run.")
    if not force:
        raise RunError(
            f"There is already a run at {str(folder)!r}.",
            "It is never overwritten by accident.",
            f"Go on with `ganforge resume {folder}`, give another --run, or use --force.",
        )


def refuse_in_use(run: Run) -> None:
    """Refuse a run that is in use. Raises: RunError if somebody trains it now."""
    holder = held_by(run.lock)
    if holder is not None:
        raise RunError(f"{str(run.folder)!r} is in use by {holder}.", "It is being trained.", "Stop it first.")


def refuse_unfinished(run: Run, why: str) -> None:
    """Refuse a run whose training has not ended. Args: why a trained model is needed. Raises: RunError."""
    if not run.finished():
        do = f"Go on with: ganforge resume {run.folder}"
        raise RunError(f"{str(run.folder)!r} is not finished.", why, do)


def _cut_off(run: Run) -> bool:
    """Return whether a folder is empty or holds only what a process wrote that was killed before the recipe.

    The passport comes first. Without one, a data file of the name that we would use may be a person's own.
    """
    names = {path.name for path in run.folder.iterdir()} - {run.lock.name}
    beginning = {run.passport.name, *(name for name in names if run.is_given_data(name))}
    unfinished = {name for name in names if unfinished_name(name) in {run.passport.name, run.recipe.name}}
    return not names - unfinished or (run.passport.name in names and names - unfinished <= beginning)


def _numbered(source: str) -> Run:
    """Create a folder runs/<data>-<number>. Concurrent callers get different ones: it can be made only once."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(source).stem).strip("-.") or "run"
    for number in itertools.count(1):
        run = Run(Path("runs", f"{name}-{number}"))
        try:
            run.folder.mkdir(parents=True)
        except FileExistsError:
            if not run.folder.exists():  # then something else is in the way, and would be for every number
                raise
            continue
        break
    return run


def _empty(run: Run) -> None:
    """Remove all but the lock; the recipe last, so that a run of which a kill leaves a part is still recognised."""
    try:
        for path in sorted(run.folder.iterdir(), key=lambda path: path == run.recipe):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path != run.lock:
                path.unlink()
    except OSError as error:
        raise storage_error(run.folder, error) from error


PATIENCE = 0.2  # seconds: a caller of `held_by` holds the lock for an instant


@contextmanager
def hold(lock: Path) -> Iterator[None]:
    """Hold a run folder's lock file while training. Even the same process cannot get it twice.

    Raises: RunError naming the process that holds it now; StorageError if the file cannot be written.
    """
    from filelock import FileLock, Timeout  # here: `ganforge --help` imports this module, and locks nothing

    handles: list[int] = []
    own = FileLock(lock, PATIENCE, poll_interval=PATIENCE / 10, fallback_to_soft=False, on_acquired=handles.append)
    try:
        own.acquire()
    except Timeout as error:
        what = f"{str(lock.parent)!r} is in use by {_holder(lock)}."
        raise RunError(what, "Two trainers would spoil one run.", "Wait for it or stop it.") from error
    except OSError as error:
        raise storage_error(lock, error) from error
    try:
        try:
            os.truncate(handles[0], 0)
            os.write(handles[0], f"{os.getpid()}\n".encode())
        except OSError as error:
            raise storage_error(lock, error) from error
        yield
    finally:
        with suppress(PermissionError):  # of Windows, where FileLock removes the file itself
            lock.unlink(missing_ok=True)  # while it is still held: whoever opened it before sees that it is gone
        own.release()


def held_by(lock: Path) -> str | None:
    """Return who holds a run now, such as "process 4711", or None."""
    from filelock import lock_descriptor  # here: see `hold`

    give_up = time.monotonic() + PATIENCE
    try:
        with lock.open("r+b" if os.access(lock, os.W_OK) else "rb") as file:
            while not lock_descriptor(file.fileno(), blocking=False):
                if time.monotonic() > give_up:
                    return _holder(lock)
                time.sleep(PATIENCE / 10)
    except OSError:  # no such file, or a file system without locks: nobody can hold one
        pass
    return None


def _holder(lock: Path) -> str:
    try:
        with lock.open("rb") as file:
            return f"process {int(file.read(32))}"
    except (OSError, ValueError):  # Windows lets nobody else read what is locked
        return "another process"
