"""The recipe: everything asked for and everything chosen, validated, each automatic choice with its reason in words.

Two dials matter to a person: size, and how long. The plan (planning/draft.py and each task's plan.py) fills in the
rest; `--set section.key=value` pins any line of it. A recipe is one JSON file in the run folder. What a run has no use
for is absent from it: a section or setting that is None. A task may own one more section, which it defines itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ganforge.errors import ChangedDataError, RecipeError, did_you_mean

if TYPE_CHECKING:
    from ganforge.contracts import Task

Size = Literal["tiny", "small", "medium", "base", "large"]
MOST_AUGMENTATION = (
    0.8  # above it the changes begin to show in what is generated (kinds/pictures/networks/augmentation.py)
)
RENAMED = {  # settings of version 0.1.0 -> what they are called now
    "objective.augmentation": "augmentation.strength",
    "objective.augmentation_target": "augmentation.target",
    "objective.flips": "augmentation.flips",
}
FORMER_KINDS = {"table": "tables"}  # kinds of data as version 0.1.0 named them -> today's name
FORMER_OPTIONS = ("resolution", "plan", "rules")  # which stood in the request itself
Kept = TypeVar("Kept", bound="Section")


class Section(BaseModel):
    """A group of settings: frozen, strict about names, and every number finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    key: ClassVar[str] = ""  # its name in a recipe: "network", as in `--set network.width=64`
    apart: ClassVar[Mapping[str, str]] = {}  # settings that no table of choices shows -> what to use instead of --set
    derived: ClassVar[Mapping[str, str]] = {}  # settings that follow from the data -> what to do instead of --set

    def content(self) -> dict[str, Any]:
        """Return the object for a JSON file, without what is absent: None or an empty list."""
        return {name: value for name, value in self.model_dump(mode="json").items() if value not in (None, [])}

    def need(self, name: str) -> Any:
        """Return an optional setting that a run requires. Raises: RecipeError if it is absent."""
        value = getattr(self, name)
        if value is None:
            raise RecipeError(
                f"The recipe has no {'.'.join(filter(None, (self.key, name)))}.",
                "This run cannot be trained or read without it.",
                "Put it back, or train a new run.",
            )
        return value


class TaskSection(Section):
    """The settings that one task owns: a subclass beside the task, which names it (contracts.Task.section)."""


class Request(Section):
    """The person's request, unchanged; the plan chooses what is None."""

    source: str
    kind: str | None = None  # of data, where its source does not tell
    task: str | None = None
    minutes: float | None = Field(default=None, gt=0)
    examples: int | None = Field(default=None, gt=0)
    until: str | None = None  # a target such as "kid<0.02"
    size: Size | None = None
    seed: int = Field(default=0, ge=0)
    objective: str | None = None
    label: str | None = None  # a column, or "none" for a model without labels; for regress the column to predict
    guard: bool = True  # whether levers are turned when the diagnosis finds something wrong
    settings: dict[str, str] = Field(default_factory=dict)  # "section.key" -> value as typed
    options: dict[str, Any] = Field(default_factory=dict)  # of the kind of data, as its door names them

    @field_validator("options", mode="after")
    @classmethod
    def _as_given(cls, options: dict[str, Any]) -> dict[str, Any]:
        """JSON knows no tuples."""
        return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}


class Data(Section):
    """The place of the data and the shape of its examples. A kind may add what it has found (contracts.Task.data)."""

    key: ClassVar[str] = "data"
    apart: ClassVar[Mapping[str, str]] = {"hash": "Give other data."}

    source: str
    kind: str
    shape: tuple[int, ...]  # of one example: (C, H, W) for pictures, (F,) for rows
    label_names: tuple[str, ...] = ()  # empty: no labels are used
    hash: str = ""  # sha256 of the examples

    @model_validator(mode="before")
    @classmethod
    def _without_columns(cls, content: Any) -> Any:
        """Version 0.1.0 wrote `columns` for every kind of data, empty but for tables."""
        if isinstance(content, dict) and content.get("columns") == []:
            return {name: value for name, value in content.items() if name != "columns"}
        return content


class Network(Section):
    """The networks and their dials, of which a network may lack some."""

    key: ClassVar[str] = "network"

    name: str
    latent_size: int | None = Field(None, gt=0)  # of the noise that examples are drawn from
    width: int | None = Field(None, gt=0)
    depth: int | None = Field(None, ge=0, le=200)  # beyond, even the empty shells of the layers fill a memory


class Adversary(Section):
    """The objective of the two players, and the penalty's weight gamma from the start to the end of training."""

    key: ClassVar[str] = "objective"

    name: str = "r3gan"
    gamma_start: float = Field(1.0, ge=0)
    gamma_end: float = Field(0.1, ge=0)
    order: Literal["alternating", "simultaneous"] = "alternating"


class Augmentation(Section):
    """The random changes that a discriminator sees real and generated examples through."""

    key: ClassVar[str] = "augmentation"

    strength: float = Field(0.0, ge=0, le=MOST_AUGMENTATION)  # chance of each kind of change, from the start
    target: float = Field(0.0, ge=0, le=1)  # share of pairs ranked right, above which the strength grows; 0: never
    flips: bool = False  # whether left and right may be exchanged


class Optimiser(Section):
    """The optimisers of the players. Learning rates move along a half cosine from start to end."""

    key: ClassVar[str] = "optimiser"

    kind: Literal["adam", "sgd"] = "adam"
    learning_rate_start: float = Field(2e-3, gt=0)
    learning_rate_end: float = Field(0.0, ge=0)
    warmup: float = Field(0.0, ge=0, lt=1)  # share of the run
    beta1: float | None = Field(None, ge=0, lt=1)  # of adam; absent: contracts.OptimiserSettings says it
    beta2: float | None = Field(None, ge=0, lt=1)
    weight_decay: float | None = Field(None, ge=0)  # of adam, times the learning rate: off each weight at each step
    batch_size: int = Field(64, gt=0)


class Average(Section):
    """The exponential moving average of the product."""

    key: ClassVar[str] = "average"

    half_life_examples: float = Field(5_000, ge=0)


class Length(Section):
    """The length of training, in examples."""

    key: ClassVar[str] = "length"
    apart: ClassVar[Mapping[str, str]] = {"seconds_allowed": "Use --minutes."}

    examples: int = Field(gt=0)
    seconds_allowed: float | None = None  # of training, when minutes were asked for
    examples_per_second: float | None = None  # as measured while planning


class Compute(Section):
    """The device and the precision."""

    key: ClassVar[str] = "compute"

    device: str = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"
    pieces: int = Field(1, gt=0)  # into which a batch is cut: on a GPU to fit into memory, else for as many threads
    capture: bool | None = None  # on an NVIDIA GPU: whether steps are recorded once and repeated; absent: they are
    deterministic: bool | None = None  # on an NVIDIA GPU: whether a resumed run has the bits of one never stopped
    threads: int = Field(1, gt=0)  # that share each operation; where this is 1, each piece has a thread of its own


class Records(Section):
    """How often a run is recorded, saved and looked at."""

    key: ClassVar[str] = "records"

    every_steps: int = Field(50, gt=0)
    checkpoint_every_steps: int = Field(500, gt=0)  # at the first record from each multiple of it on
    marks: tuple[Annotated[float, Field(ge=0, le=1)], ...] = (0.0, 0.03, 0.1, 0.25, 0.5, 0.75, 1.0)  # of progress
    look_samples: int | None = Field(None, gt=0)  # drawn and measured at each mark
    best_by: str | None = None  # the measure by which the best product is kept; higher is better
    patience_looks: int | None = Field(None, ge=0)  # looks in a row without a better one, after which the run ends soon


SECTIONS: tuple[type[Section], ...] = (
    Data,
    Network,
    Adversary,
    Augmentation,
    Optimiser,
    Average,
    Length,
    Compute,
    Records,
)


class Recipe(Section):
    """The recipe of a run."""

    ganforge: str  # version
    task: str
    seed: int = Field(0, ge=0)
    ask: Request
    data: Data
    own: TaskSection | None = None  # of the task; in JSON it stands under its own key
    network: Network
    objective: Adversary | None = None  # of a game with a discriminator
    augmentation: Augmentation | None = None  # of data that can be changed and stay what it is
    optimiser: Optimiser = Optimiser()
    average: Average = Average()
    length: Length = Length(examples=1)
    compute: Compute = Compute()
    records: Records = Records()
    guard: bool = False  # whether the run is guarded; not in runs from before there was a guard
    reasons: dict[str, str] = Field(default_factory=dict)  # "section.key" -> why

    def section(self, kind: type[Kept]) -> Kept:
        """Return the section that the task owns. Raises: RecipeError if this is a recipe of another task."""
        if not isinstance(self.own, kind):
            raise RecipeError(
                f"The recipe has no section {kind.key!r}.", f"It is one of the task {self.task!r}.", "Use that task's."
            )
        return self.own

    @property
    def trains(self) -> bool:
        """Return whether a network is trained: then the recipe says how long."""
        return Length.key in self.model_fields_set

    @property
    def adversary(self) -> Adversary:
        """Return the section `objective` of a game that has one. Raises: RecipeError."""
        found: Adversary = self.need("objective")
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the object for recipe.json. A section that was not chosen is absent."""
        content: dict[str, Any] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Section) and name not in self.model_fields_set:
                continue
            if isinstance(value, Section):
                content[value.key or name] = value.content()
            elif value is not None:
                content[name] = value
        return content

    def with_reason(self, **reasons: str) -> Recipe:
        """Return the recipe with more reasons; `__` in a name stands for the dot."""
        more = {name.replace("__", "."): reason for name, reason in reasons.items()}
        return self.model_copy(update={"reasons": {**self.reasons, **more}})


def read_recipe(content: Mapping[str, Any], task: type[Task] | None = None) -> Recipe:
    """Read a recipe from its JSON object, also from one that version 0.1.0 wrote.

    Args: task the recipe's, whose section and data are read with it; without one there must be none.
    Raises: RecipeError naming the first setting that is wrong.
    """
    found = _of_today(content)
    section, data = (task.section, task.data) if task is not None else (None, Data)
    known = [name for name in Recipe.model_fields if name != "own"] + ([section.key] if section else [])
    for name in found:
        if name not in known:
            raise RecipeError(
                f"There is no section {name!r} in this recipe.",
                did_you_mean(name, known),
                "Use the version that wrote it, or take the section out.",
            )
    if "data" in found:
        found["data"] = validated(data, found["data"], "data")
    if section is not None:
        found["own"] = validated(section, found.pop(section.key, None), section.key)
    return validated(Recipe, found)


def refuse_changed_data(recipe: Recipe, now: str, subject: str, differs: str = "are not the ones") -> None:
    """Compare data that is opened again with the data of the run's start.

    Args: now the sha256 of the present examples; subject ("The pictures") and differs, words of the error.
    Raises: ChangedDataError if they are others.
    """
    if now != recipe.data.hash:
        what = f"{subject} at {recipe.data.source!r} {differs} this run was started with."
        raise ChangedDataError(what, recipe.data.hash, now)


def _of_today(content: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a recipe of version 0.1.0, which has every section whether it is used or not, to the current form."""
    found = dict(content)
    objective, data, reasons, ask = (found.get(name) for name in ("objective", "data", "reasons", "ask"))
    if isinstance(data, dict) and (kind := str(data.get("kind"))) in FORMER_KINDS:
        found["data"] = {**data, "kind": FORMER_KINDS[kind]}
    if isinstance(ask, dict) and "options" not in ask:
        found["ask"] = {name: value for name, value in ask.items() if name not in FORMER_OPTIONS}
        found["ask"]["options"] = {name: ask[name] for name in FORMER_OPTIONS if ask.get(name)}
    if not isinstance(objective, dict) or "augmentation" not in objective:
        return found
    moved = {name.partition(".")[2]: now.partition(".")[2] for name, now in RENAMED.items()}
    found["objective"] = {name: value for name, value in objective.items() if name not in moved}
    if objective.get("name") == "squared_error":  # of one player
        del found["objective"]
    if isinstance(data, dict) and data.get("kind") == "pictures":
        found["augmentation"] = {now: objective[name] for name, now in moved.items() if name in objective}
    if isinstance(reasons, dict):
        found["reasons"] = {
            RENAMED.get(name, name): why for name, why in reasons.items() if not str(why).startswith("not used")
        }
    return found


def validated(kind: type[Kept], content: Any, name: str = "") -> Kept:
    """Read a section from its JSON object. Args: name of the section. Raises: RecipeError with the first error."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise in_words(error, name) from error


def in_words(error: ValidationError, section: str = "") -> RecipeError:
    """Return the first error that pydantic found as a RecipeError. Args: section in which it was found."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in (section, *first["loc"]) if part != "")
    return RecipeError(
        f"The setting {name} cannot be {first['input']!r}.",
        f"{first['msg'].removeprefix('Value error, ')}.",
        "See `ganforge plan DATA` for its value.",
    )
