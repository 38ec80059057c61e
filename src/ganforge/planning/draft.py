"""The draft of a recipe: the settings that a person pinned, and those that a plan chooses, each with its reason.

A plan makes one Draft at the beginning, and chooses section after section:

    draft = Draft(request, task, absent={"augmentation": "a cell has no neighbour to be moved to"})
    average = draft.choose(Average, half_life_examples=(0.05 * examples, "5 % of the run"))
    recipe = draft.recipe()

Pinned settings (--set, --objective) replace chosen ones from the beginning, so that nothing is timed
or decided that the person has ruled out, and no plan has to merge them into a finished recipe.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ganforge import __version__
from ganforge.contracts import Task
from ganforge.core.device import devices_here, survey_machine
from ganforge.errors import RecipeError, did_you_mean
from ganforge.objectives import OBJECTIVES
from ganforge.recipe import RENAMED, SECTIONS, Data, Length, Optimiser, Recipe, Request, Section, in_words, validated

ASKED = "you asked for it"
DEFAULT_OBJECTIVE = "r3gan"
FOR_A_GPU = {  # settings that only an NVIDIA GPU has, and why
    "compute.capture": "Only an NVIDIA GPU can repeat a whole step: elsewhere each operation is started by itself.",
    "compute.deterministic": "On a processor a resumed run is the same to the bit in any case.",
}
Choice: TypeAlias = tuple[Any, str]
"""A value and the reason for it, in words."""
Chosen = TypeVar("Chosen", bound=Section)


class Pinned(Mapping[str, Any]):
    """A person's settings, "section.key" -> value. They are read and checked once, before data is opened."""

    def __init__(self, request: Request, task: type[Task]) -> None:
        """Raises: RecipeError for unknown names, invalid values, and settings that were given in two ways."""
        _refuse_two_lengths(request)
        self.words: dict[str, str] = {}  # "section.key" -> how the person typed it
        self._values: dict[str, Any] = {}
        own = task.section.key if task.section else None
        sections = {section.key: section for section in (*SECTIONS, task.section) if section is not None}
        for typed, text in request.settings.items():
            name = _own_name(typed, own, task.name)
            self._pin(name, _checked(name, _value(text), sections), f"--set {typed}={text}")
        if request.objective is not None:
            self._pin("objective.name", request.objective, f"--objective {request.objective}")
        _refuse_unknown(self, task)

    def _pin(self, name: str, value: Any, words: str) -> None:
        if name in self._values:
            raise RecipeError(
                f"Both {self.words[name]} and {words} were given.", "They say the same thing twice.", "Give one."
            )
        self._values[name], self.words[name] = value, words

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def of(self, section: str) -> dict[str, Any]:
        """Return the pinned settings of one section, by key."""
        start = f"{section}."
        return {name.removeprefix(start): value for name, value in self.items() if name.startswith(start)}


class Draft:
    """Sections that are chosen one after the other, each value with its reason."""

    def __init__(
        self,
        request: Request,
        task: type[Task],
        *,
        absent: Mapping[str, str] | None = None,
        device: str | None = None,
    ) -> None:
        """Args: absent sections ("augmentation") and settings ("network.depth") that a run of this task does not use,
        and why; device the only one that the task runs on, None for any.

        Raises: RecipeError if a pinned setting is invalid or absent.
        """
        self.request, self.task = request, task
        self.pinned = Pinned(request, task)
        self.device: str = device or self.pinned.get("compute.device", survey_machine().device)
        self._sections: dict[str, Section] = {}
        self._reasons: dict[str, str] = {}
        self.leave_out(absent or {})
        if "objective" not in (absent or {}):
            name = self.pinned.get("objective.name", DEFAULT_OBJECTIVE)
            refuse_coupled(name, pieces=self.pinned.get("compute.pieces", 1))
        if not self.device.startswith("cuda"):
            self.leave_out(FOR_A_GPU)

    @property
    def examples(self) -> int | None:
        """Return the examples that the person asked for; None where minutes were given, or neither."""
        asked: int | None = self.pinned.get("length.examples", self.request.examples)
        return asked

    def leave_out(self, absent: Mapping[str, str]) -> None:
        """Mark sections or settings as absent, with the reason. Raises: RecipeError where one is pinned."""
        for name, why in absent.items():
            for pinned in self.pinned:
                if pinned == name or pinned.startswith(f"{name}."):
                    what = "setting" if "." in name else "section"
                    raise RecipeError(
                        f"{self.pinned.words[pinned]} was given, and this run has no {what} {name}.",
                        why,
                        "Leave it out.",
                    )

    def choose(self, section: type[Chosen], /, **choices: Choice) -> Chosen:
        """Choose a complete section. Its pinned settings replace or extend the chosen ones.

        Args: choices key -> value and reason. Raises: RecipeError for values that do not go together.
        """
        mine = f"{section.key}."
        self._reasons = {name: why for name, why in self._reasons.items() if not name.startswith(mine)}
        return self._with(section, {}, choices)

    def revise(self, section: type[Chosen], /, **choices: Choice) -> Chosen:
        """Change choices in a section that is chosen already."""
        before = self[section]
        return self._with(section, {name: getattr(before, name) for name in type(before).model_fields}, choices)

    def _with(self, kind: type[Chosen], before: Mapping[str, Any], choices: Mapping[str, Choice]) -> Chosen:
        pinned = self.pinned.of(kind.key)
        values = {**before, **{name: value for name, (value, _) in choices.items()}, **pinned}
        section = validated(kind, values, kind.key)
        self.explain({f"{kind.key}.{name}": why for name, (_, why) in choices.items()})
        self.explain({f"{kind.key}.{name}": ASKED for name in pinned})
        self._sections[kind.key] = section
        return section

    def explain(self, reasons: Mapping[str, str]) -> None:
        """Add reasons: "section.key", or "task" -> why."""
        self._reasons |= {name: why for name, why in reasons.items() if why}

    def why(self, name: str) -> str:
        """Return the reason that was given for "section.key"."""
        return self._reasons[name]

    def __getitem__(self, kind: type[Chosen]) -> Chosen:
        """Return a section that is chosen already."""
        section = self._sections[kind.key]
        assert isinstance(section, kind)
        return section

    def recipe(self) -> Recipe:
        """Return the recipe as chosen so far; without a chosen length one step long, which is enough for timing, or
        without any where nothing is trained."""
        sections = dict(self._sections)
        own = sections.pop(self.task.section.key, None) if self.task.section else None
        if Optimiser.key in sections:
            sections.setdefault(Length.key, Length(examples=self[Optimiser].batch_size))
        about = {"ganforge": __version__, "task": self.task.name, "seed": self.request.seed, "ask": self.request}
        return validated(Recipe, {**about, **sections, "own": own, "reasons": self._reasons})


def choose_data(draft: Draft, kind: str, shape: Choice, digest: str, **more: Choice) -> Data:
    """Choose the section `data`. Args: shape of an example; digest sha256 of all; more of what was found."""
    source, found = (draft.request.source, "you gave it"), (kind, "found there")
    return draft.choose(draft.task.data, source=source, kind=found, shape=shape, **more, hash=(digest, ""))


def _refuse_two_lengths(request: Request) -> None:
    """Refuse two lengths. Raises: RecipeError if several of --minutes, --examples, --set length.examples were given."""
    given = {
        "--minutes": request.minutes,
        "--examples": request.examples,
        "--set length.examples": request.settings.get("length.examples"),
    }
    names = [f"{name} {value}" for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise RecipeError(f"Both {' and '.join(names)} were given.", "They say the same thing twice.", "Give one.")


def refuse_coupled(name: str, *, pieces: int = 1, processes: int = 1) -> None:
    """Refuse to split a batch whose examples the objective `name` couples, because that would change the loss.

    Args: pieces into which a batch is split; processes that share it. Raises: RecipeError.
    """
    if not OBJECTIVES[name].couples_examples:
        return
    splits = {f"compute.pieces is {pieces}": pieces > 1, f"{processes} processes train together": processes > 1}
    for split, happens in splits.items():
        if happens:
            raise RecipeError(
                f"The objective {name!r} cannot be trained so: {split}.",
                "Its loss of one example depends on all others of the batch, which are not together then.",
                "Choose another --objective, or train the batch as a whole in one process.",
            )


def _own_name(typed: str, own: str | None, task: str) -> str:
    """Return the full name of `task.KEY`. Raises: RecipeError if the task has no settings, or for an old name."""
    if typed in RENAMED:
        raise RecipeError(
            f"There is no setting {typed!r} any more.",
            f"It is called {RENAMED[typed]} now.",
            f"Use --set {RENAMED[typed]}=...",
        )
    section, _, key = typed.partition(".")
    if section != "task":
        return typed
    if own is None:
        raise RecipeError(
            f"There is no setting {typed!r} of the task {task!r}.",
            "It has no settings of its own.",
            "Say with --task which task is meant, or leave it out.",
        )
    return f"{own}.{key}"


def _checked(name: str, value: Any, sections: Mapping[str, type[Section]]) -> Any:
    """Validate a value for its section. Raises: RecipeError for an unknown name, a value out of range, and `data`."""
    section, _, key = name.partition(".")
    if section not in sections:
        known = sorted(set(sections) - {"data"})
        raise RecipeError(f"There is no section {section!r} in {name!r}.", did_you_mean(section, known))
    kind = sections[section]
    if section == "data":
        raise RecipeError(
            f"The setting {name} cannot be set to {value!r}.",
            "The section data says what was found in the data.",
            "Use --resolution or --label, or give other data.",
        )
    for settings, why in ((kind.apart, "It is not chosen in this way."), (kind.derived, "It follows from the data.")):
        if key in settings:
            raise RecipeError(f"The setting {name} cannot be set to {value!r}.", why, settings[key])
    if key not in kind.model_fields:
        why = did_you_mean(key, set(kind.model_fields) - set(kind.apart))
        raise RecipeError(f"There is no setting {key!r} in section {section!r}.", why, "See `ganforge plan`.")
    field = kind.model_fields[key]
    alone: TypeAdapter[Any] = TypeAdapter(
        Annotated[field.annotation, field],  # type: ignore[arg-type]
        config=ConfigDict(allow_inf_nan=False),
    )
    try:
        return alone.validate_python(value)
    except ValidationError as error:
        raise in_words(error, name) from error


def _refuse_unknown(pinned: Pinned, task: type[Task]) -> None:
    """Raises: RecipeError for an unavailable device, an unknown objective, a measure that cannot rank models."""
    device, objective, measure = (pinned.get(name) for name in ("compute.device", "objective.name", "records.best_by"))
    if device is not None and device not in devices_here():
        raise RecipeError(
            f"There is no device {device!r} here.",
            f"The best one of this machine is {survey_machine().device!r}.",
            "Leave compute.device to the plan.",
        )
    if objective is not None and objective not in OBJECTIVES:
        raise RecipeError(f"There is no objective {objective!r}.", did_you_mean(objective, OBJECTIVES))
    rising = [name for name, better in task.measured.items() if better == "higher"]
    if measure is not None and measure not in rising:
        raise RecipeError(
            f"The best model cannot be kept by {measure!r}.",
            "It takes a measure of training for which higher is better.",
            did_you_mean(measure, rising),
        )


def _value(text: str) -> Any:
    """Parse a number, list or true/false; return other text as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text
