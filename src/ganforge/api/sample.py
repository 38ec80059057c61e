"""The verbs that use a trained model: `sample`, `apply`, and those that only some can: interpolate, augment, invert."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge import kinds
from ganforge.api.request import refuse_nameless
from ganforge.api.stored_run import on_this_machine, recipe_of, reopened
from ganforge.contracts import Kind, Model, Observer
from ganforge.core.files import read_json_file
from ganforge.core.model_files import read_description
from ganforge.errors import DataError, InputError, RecipeError, RunError
from ganforge.events import tell_note
from ganforge.kinds import read_options, refuse_of_others
from ganforge.recipe import FORMER_KINDS
from ganforge.run import Run

if TYPE_CHECKING:
    from ganforge.kinds.pictures.augment import Enlarged
    from ganforge.kinds.pictures.invert.inversion import Inversion
    from ganforge.recipe import Recipe


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A run with a model. Made by `train`, `resume` or `load`."""

    folder: Path
    verdict: str  # one sentence
    reached: bool | None  # whether the target of `until` was reached; None when there was none

    def sample(self, n: int, *, seed: int = 0, **options: Any) -> Any:
        """Draw n examples: pictures as uint8 (n, C, H, W), the rows of a table as a data frame.

        Args: options of the kind of data. Of pictures: label, one of the labels' names; truncation in (0, 1]. Of rows:
            where, conditions that every row meets: {"sex": "Female", "age": (60, None)} or ["sex=Female", "age>=60"];
            given, a path or frame of some columns, to each of whose rows one is made, instead of n; balance, shares
            of values of a column: {"income": {">50K": 0.5}}; fair, "income ~ sex"; temperature in 0.1..2.
        Raises: InputError for an unknown label, an impossible condition, an option of another kind of data, or a bad
            number.
        """
        model, asked = model_and_options(self.folder, "sample", options)
        return model.sample(n, asked, seed).value()


def sample(
    run: str | Path,
    n: int,
    out: str | Path,
    *,
    seed: int = 0,
    force: bool = False,
    observers: Sequence[Observer] = (),
    **options: Any,
) -> Path:
    """Draw n pictures into a .png (one grid), a folder (one file each), or .npz; or n rows into a table's file.

    A million rows need no more memory than a few thousand: they are written as they are drawn.

    Args: options of the kind of data, as for `TrainedRun.sample`; of pictures also interpolate, the number of pictures
        that a film walks through instead. observers get an event `noted` for each sentence about what is drawn.
    Raises: RunError, InputError for an unknown label, suffix or condition, a bad number, more pictures than fit the
        memory or the grid, or something that exists; force replaces a file, and a folder of samples but no other.
    """
    model, asked = model_and_options(run, "sample", options)
    samples = model.sample(n, asked, seed)
    for sentence in getattr(samples, "notes", ()):
        tell_note(observers, sentence, n)
    return model.write(samples, Path(out), force=force)


def load(run: str | Path) -> TrainedRun:
    """Load a finished run. Raises: RunError if there is no model in it."""
    folder = Run.open(run)
    if not folder.model.is_dir():
        raise RunError(f"{run} holds no model yet.", "It was stopped before its end.", f"Use: ganforge resume {run}")
    verdict = folder.read_json(folder.evaluation).get("verdict")
    headline = verdict.get("headline", "") if isinstance(verdict, dict) else ""
    finished = [event for event in folder.read_events() if event["kind"] == "finished"]
    reached = finished[-1].get("reached") if finished else None
    return TrainedRun(folder.folder, str(headline), reached if isinstance(reached, bool) else None)


# ---- the model of a run, of any kind of data -------------------------------------------------------------------------


def model_of(run: str | Path, device: str = "cpu") -> Model:
    """Load the model of a run on a device. Raises: RunError if there is none, or it is damaged."""
    kind, task = _kind_and_task(run)
    return kinds.load_model(kind, Run(run).model, task, device)


def model_and_options(run: str | Path, verb: str, given: Mapping[str, Any]) -> tuple[Model, dict[str, Any]]:
    """Return the model of a run, and the given options of a verb as the model takes them.

    Raises: RunError; RecipeError for an option that does not exist or belongs to another kind, or an invalid value.
    """
    asked = read_options(verb, given)
    kind, task = _kind_and_task(run)
    refuse_of_others(kind, verb, asked, f"{str(run)!r} is a run of {kind.name}")
    return kinds.load_model(kind, Run(run).model, task), asked


def verb_of(model: Model, verb: str) -> Callable[..., Any]:
    """Return a verb of some models, such as `invert`. Raises: InputError that says what the model can do instead."""
    method: Callable[..., Any] | None = getattr(model, verb, None)
    if method is None:
        steps = " or ".join(f"ganforge {step}" for step in model.next_steps())
        raise InputError(f"This run cannot {verb}.", "Its model has no such verb.", f"Use: {steps}" if steps else "")
    return method


def _kind_and_task(run: str | Path) -> tuple[Kind, str]:
    """Read kind and task from model.json. Version 0.1.0 omitted some kinds: then it is the first with such a task."""
    description = Run.open(run).model / "model.json"
    said: Any = {}
    with suppress(OSError, ValueError):  # the reader below reports the error
        said = read_json_file(description) if description.is_file() else {}
    name, task = (str(said.get(key)) if isinstance(said, Mapping) else "" for key in ("kind", "task"))
    name = FORMER_KINDS.get(name, name)
    every = kinds.every_kind()
    found = [kind for kind in every if name == kind.name or (name not in kinds.KINDS and task in kind.tasks)]
    if not found:
        if task in ("", "None"):
            read_description(Run(run).model)  # where it is missing or damaged this says so
            return every[0], task
        raise RunError(
            f"The model of {str(run)!r} is of the task {task!r}, which this version does not know.",
            "It is damaged, or another version made it.",
            "Use the version that made the run.",
        )
    return found[0], task


# ---- apply: the model on a person's own data -------------------------------------------------------------------------


def apply(
    run: str | Path,
    source: object = None,
    out: str | Path | None = None,
    *,
    seed: int = 0,
    force: bool = False,
    observers: Sequence[Observer] = (),
    **options: Any,
) -> Any:
    """Apply the model of a run to data.

    A table's missing cells are filled by the model; other cells stay as they are. A picture of any
    size is processed in tiles, so that its size costs time and not memory; transparency, colour profile and the EXIF
    data that still hold are kept. A file of a folder that cannot be used or written is skipped and reported.

    Args: source a table's path or frame with the columns that the model was trained on; or a picture, a folder of
        pictures, or one picture as uint8 (H, W) or (H, W, C); None with an option that stands for it, such as `word`
        of a dictionary. out the file or folder to write; None for a data frame or
        an array. options of the kind of data. Of tables: draw, a value drawn for each cell, with `seed`, instead of the
        best guess; predict, a column (with probabilities), or score, how unusual each row is, which add columns instead
        of filling. Of pictures: strength 0..1 of an enhancement: 0 faithful, 1 sharp. observers receive `applied`,
        `noted` and `skipped`.
    Raises: RunError, DataError if the data does not fit, InputError for an option of another kind of data, for a file
        that exists, or for a folder that holds files without `force`, which replaces files of the same names only.
    """
    model, asked = model_and_options(run, "apply", options)
    refuse_nameless(source)
    place = None if out is None else Path(out)
    return model.apply(source, place, {**asked, "seed": seed, "force": force}, observers)


# ---- interpolate: a walk in latent space, as a film ------------------------------------------------------------------


def interpolate(
    run: str | Path,
    keys: int,
    out: str | Path,
    *,
    label: str | int | None = None,
    steps: int = 24,
    seed: int = 0,
    truncation: float = 1.0,
    force: bool = False,
) -> Path:
    """Write a walk through `keys` random pictures and back to the first, as .gif, .webp or .mp4.

    The key pictures are the first that `sample` draws with the same seed and truncation; between them the latent moves
    along a great circle. Labels are not mixed: a model with labels, without a label given, shows up to 20 of them
    side by side, each walking the same way.

    Args: keys 2 to 500; steps frames from one key to the next. Raises: RunError, InputError for a run that cannot walk,
        an unknown label or suffix, a number out of range, a file that exists (force replaces it), or a film that is too
        long for memory; StorageError.
    """
    walk = verb_of(model_of(run), "interpolate")
    asked = None if label is None else str(label)
    written: Path = walk(keys, Path(out), label=asked, steps=steps, seed=seed, truncation=truncation, force=force)
    return written


# ---- augment: a labelled data set enlarged with generated examples, and whether that helps a classifier --------------


def augment(
    run: str | Path,
    data: str | Path,
    out: str | Path,
    *,
    per_label: int = 100,
    seed: int = 0,
    force: bool = False,
    observers: Sequence[Observer] = (),
) -> Enlarged:
    """Write a labelled data set together with generated pictures of each label, and measure the benefit.

    The judge is a small classifier that learns from the training part with classical augmentation (shifts, turns, zoom,
    brightness), once without and once with the generated pictures, equally many examples, from five pairs of first
    weights; it is tested on the held-out part, which neither it nor, if this is the data of the run, the generator saw.

    Args: data a folder of labelled subfolders, an array file or a built-in name; out a folder, or .npz for an array
        file; per_label how many are drawn of each label. observers receive `compared` after each pair.
    Raises: RunError, DataError if labels are missing or are not those of the run; InputError for a run that cannot
        augment, or a path that exists.
    """
    folder = Run.open(run)
    known = folder.read_json(folder.recipe).get("data", {}).get("hash")
    enlarge = verb_of(model_of(run), "augment")
    enlarged: Enlarged = enlarge(
        data, Path(out), known=known, per_label=per_label, seed=seed, force=force, observers=observers
    )
    return enlarged


# ---- invert: the latent from which the model draws a picture, and edits of it ----------------------------------------


def invert(
    run: str | Path,
    source: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    label: str | int | None = None,
    edits: Sequence[str] = (),
    seed: int = 0,
    force: bool = False,
    observers: Sequence[Observer] = (),
) -> Inversion:
    """Find the latents of pictures, and write a folder: side by side pictures, latents.npz and inversion.json.

    The first call for a run teaches an encoder, about a minute; observers see that as one player's training.

    Args: source a picture, several, or a folder of them; out a folder, None for RUN/inverted, which each call replaces;
        label of the pictures, None to find out; edits such as "slant=2": so many standard deviations further along a
        direction that was found, or "label=7": the same latent under another label.
    Raises: RunError, DataError for pictures that cannot be used, InputError for a run that cannot invert, an unknown
        label or direction, or a folder that holds files (force replaces what `invert` wrote, and nothing else).
    """
    folder = Run.open(run)
    recipe = on_this_machine(recipe_of(folder))
    found = verb_of(model_of(run, recipe.compute.device), "invert")
    torch.set_num_threads(recipe.compute.threads)
    inversion: Inversion = found(
        folder,
        source,
        None if out is None else Path(out),
        lambda most: _training(folder, recipe, most),
        label=None if label is None else str(label),
        edits=edits,
        seed=seed,
        force=force,
        observers=observers,
    )
    return inversion


def _training(folder: Run, recipe: Recipe, most: int) -> NDArray[Any] | None:
    """Return the first training examples (N, ...), at most so many; None if the data is missing or has changed."""
    try:
        feed = reopened(folder, recipe, lambda kind, **content: None).feed
    except (DataError, RecipeError):
        return None
    return np.asarray(feed.raw(0, min(len(feed), most))["x"].numpy())
