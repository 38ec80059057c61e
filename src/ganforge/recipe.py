"""The recipe: everything asked for and everything chosen, validated, each automatic choice with its reason in words.

Two dials matter to a person: size, and how long. The plan (tasks/) fills in the rest; `--set section.key=value`
overrides any line of it. A recipe is one JSON file in the run folder.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ganforge.errors import RecipeError, did_you_mean

Size = Literal["tiny", "small", "medium", "base", "large"]
MOST_AUGMENTATION = 0.8  # above it the changes begin to show in what is generated (networks/augmentation.py)
MOST_CANDIDATES = 64
OWN_SECTIONS = ("translate", "enhance")  # tasks with a section of their own, which `--set task.key=value` means
OPTIONAL = ("rows", *OWN_SECTIONS)  # sections that not every recipe has
UNSETTABLE = ("ask", "data", "reasons")  # parts of a recipe that are no choices


class Section(BaseModel):
    """A group of settings: frozen, strict about names, and every number finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Request(Section):
    """What the person asked for, word for word; None is what the plan chooses."""

    source: str
    task: str | None = None
    minutes: float | None = Field(default=None, gt=0)
    examples: int | None = Field(default=None, gt=0)
    until: str | None = None  # a target such as "kid<0.02"
    size: Size | None = None
    seed: int = Field(default=0, ge=0)
    resolution: int | None = Field(default=None, ge=8, le=256)
    objective: str | None = None
    label: str | None = None  # a column, or "none" for a model without labels; for regress the column to predict
    plan: str | None = None  # a plan.json with the columns of a table as a person corrected them
    rules: tuple[str, ...] = ()  # of a table, besides those of the plan or those that are found
    guard: bool = True  # whether levers are turned when the diagnosis finds something wrong
    settings: dict[str, str] = Field(default_factory=dict)  # "section.key" -> value as typed


ColumnKind = Literal["integer", "decimal", "category", "boolean", "datetime", "identifier", "constant"]


class Column(Section):
    """One column of a table: what was found, and what a person may correct in plan.json."""

    name: str
    kind: ColumnKind
    dtype: str  # as pandas names it, of the table that is read and of the one that is written
    missing: int = Field(0, ge=0)  # rows without a value
    distinct: int = Field(0, ge=0)  # values; counted up to 1,000,000
    minimum: float | None = None  # of numbers; of a datetime in its resolution since 1970
    maximum: float | None = None
    decimals: int | None = Field(None, ge=0, le=15)  # digits behind the point, of a decimal
    resolution: Literal["D", "h", "min", "s", "ms", "us"] | None = None  # of a datetime
    zone: str | None = None  # of a datetime that has one
    format: str | None = None  # of a datetime or number written as text: how; of an identifier: its pattern
    why: str = ""  # why it is of this kind
    does: str = ""  # what will be done with it


class Data(Section):
    """Where the data is and in which shape it is learned."""

    source: str
    kind: str
    shape: tuple[int, ...]  # of one example: (C, H, W) for pictures, (F,) for rows
    columns: tuple[Column, ...] = ()  # of a table, in its order
    label_names: tuple[str, ...] = ()  # empty: no labels are used
    hash: str = ""  # sha256 of the examples


class Network(Section):
    """Which networks, and their two dials."""

    name: str
    latent_size: int = Field(64, gt=0)
    width: int = Field(gt=0)
    depth: int = Field(1, ge=0, le=200)  # beyond, even the empty shells of the layers fill a memory


class Rows(Section):
    """How the rows of a table are learned."""

    rules: tuple[str, ...] = ()  # what every generated row keeps, such as "start <= end"
    spans: int = Field(32, ge=2, le=1000)  # into how many codes a column of numbers is cut
    values: Literal["seen", "smooth"] = "seen"  # within a span: training values, or from a curve through them
    whole: float = Field(0.5, ge=0, le=1)  # share of training rows that are generated whole, the others from a part
    referee: int = Field(0, ge=0)  # examples from which a referee learns after the game; 0 for none
    candidates: int = Field(4, ge=1, le=MOST_CANDIDATES)  # drawn for each row, of which the referee takes one
    reconstruction: float = Field(0.0, ge=0)  # weight of the cross-entropy of hidden cells in the generator's loss


class Translation(Section):
    """How pictures of one kind become pictures of another."""

    pairing: Literal["paired", "unpaired"]  # whether each picture of A has its truth in B
    unpaired_by: Literal["contrastive", "cycle"] = (
        "contrastive"  # how a result is held to its input where no truth is known
    )
    adversarial: float = Field(1.0, ge=0)  # weight of the adversarial term; 0 trains without a discriminator
    reconstruction: float = Field(2.0, ge=0)  # weight of the distance to the truth, or of what holds it to its input
    identity: float = Field(2.0, ge=0)  # unpaired: weight of the distance between a picture of B and what it becomes


class Enhancement(Section):
    """What is taken back from pictures."""

    degradation: str  # steps separated by commas, such as "noise:0-50,jpeg:20"
    patch: int = Field(48, ge=24, le=96, multiple_of=12)  # pixels of the side of what is learned from at a time
    sharp_from: float = Field(0.7, ge=0, le=1)  # progress from which the discriminator and the sharp end play
    adversarial: float = Field(0.01, ge=0)  # weight of the adversarial loss beside the mean error, of values in -1..1
    sharp_rate: float = Field(5e-4, gt=0)  # learning rate of both from progress 0 on, falling linearly to 0 at 1


class Adversary(Section):
    """How the two players are scored, and the penalty's weight gamma from the start to the end of training."""

    name: str = "r3gan"
    gamma_start: float = Field(1.0, ge=0)
    gamma_end: float = Field(0.1, ge=0)
    order: Literal["alternating", "simultaneous"] = "alternating"
    augmentation: float = Field(0.0, ge=0, le=MOST_AUGMENTATION)  # chance of each kind of change, from the start
    augmentation_target: float = Field(0.0, ge=0, le=1)  # share of pairs ranked right, above which it grows; 0: never
    flips: bool = False  # whether augmentation may exchange left and right


class Optimiser(Section):
    """How both players step. Learning rates move along a half cosine from start to end."""

    kind: Literal["adam", "sgd"] = "adam"
    learning_rate_start: float = Field(2e-3, gt=0)
    learning_rate_end: float = Field(0.0, ge=0)
    warmup: float = Field(0.0, ge=0, lt=1)  # share of the run
    beta1: float = Field(0.0, ge=0, lt=1)
    beta2: float = Field(0.99, ge=0, lt=1)
    batch_size: int = Field(64, gt=0)


class Average(Section):
    """The exponential moving average of the generator."""

    half_life_examples: float = Field(5_000, ge=0)


class Length(Section):
    """How long, on the only clock there is."""

    examples: int = Field(gt=0)
    seconds_allowed: float | None = None  # of training, when minutes were asked for
    examples_per_second: float | None = None  # as measured while planning


class Compute(Section):
    """Where and in which precision."""

    device: str = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"
    pieces: int = Field(1, gt=0)  # into which a batch is cut: on a GPU to fit into memory, else for as many threads
    capture: bool = True  # on a GPU: steps are recorded once and repeated
    deterministic: bool = False  # on a GPU: a resumed run has the bits of one that was never stopped
    threads: int = Field(1, gt=0)  # that share each operation; a piece has one of its own where this is 1


class Records(Section):
    """How often the run is written down and looked at."""

    every_steps: int = Field(50, gt=0)
    checkpoint_every_steps: int = Field(500, gt=0)  # at the first record from each multiple of it on
    marks: tuple[Annotated[float, Field(ge=0, le=1)], ...] = (0.0, 0.03, 0.1, 0.25, 0.5, 0.75, 1.0)  # of progress
    look_samples: int = Field(1000, gt=0)  # measured at each mark
    best_by: str | None = None  # the measure by which the best product is kept; higher is better
    patience_looks: int = Field(0, ge=0)  # looks in a row that beat it not, after which the run ends soon; 0: never


class Recipe(Section):
    """One run, whole."""

    ganforge: str  # version
    task: str
    seed: int = Field(0, ge=0)
    ask: Request
    data: Data
    network: Network
    rows: Rows | None = None  # of a table
    translate: Translation | None = None  # of the task of that name, as the next one
    enhance: Enhancement | None = None
    objective: Adversary = Adversary()
    optimiser: Optimiser = Optimiser()
    average: Average = Average()
    length: Length
    compute: Compute = Compute()
    records: Records = Records()
    guard: bool = False  # whether the run is guarded; not in runs from before there was a guard
    reasons: dict[str, str] = Field(default_factory=dict)  # "section.key" -> why

    def to_json(self) -> dict[str, Any]:
        """The object that recipe.json holds."""
        absent = {name for name in OPTIONAL if getattr(self, name) is None}
        return self.model_dump(mode="json", exclude=absent or None)

    def with_reason(self, **reasons: str) -> Recipe:
        """The same recipe with more reasons; `__` in a name stands for the dot."""
        more = {name.replace("__", "."): reason for name, reason in reasons.items()}
        return self.model_copy(update={"reasons": {**self.reasons, **more}})


def read_recipe(content: dict[str, Any]) -> Recipe:
    """A recipe from its JSON object. Raises: RecipeError naming the first setting that is wrong."""
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise in_words(error) from error


def override(recipe: Recipe, settings: dict[str, str]) -> Recipe:
    """A recipe with some settings replaced, as `--set section.key=value` asks.

    Args: settings "section.key" -> value as typed. Raises: RecipeError for unknown names, values out of range, and
        the section `data`: it says what was found, and the examples would no longer be what it says.
    """
    content = recipe.to_json()
    for name, text in settings.items():
        section, _, key = name.partition(".")
        if section == "data":
            raise RecipeError(
                f"The setting {name} cannot be set to {text!r}.",
                "The section data says what was found in the data.",
                "Use --resolution or --label, or give other data.",
            )
        known = [part for part, value in content.items() if isinstance(value, dict) and part not in UNSETTABLE]
        if section not in known:
            raise RecipeError(f"There is no section {section!r} in {name!r}.", did_you_mean(section, known))
        if key not in content[section]:
            why = did_you_mean(key, content[section])
            raise RecipeError(f"There is no setting {key!r} in section {section!r}.", why, "See `ganforge plan`.")
        content[section][key] = _value(text)
        content["reasons"][name] = "you asked for it"
    return read_recipe(content)


def refuse_two_lengths(request: Request) -> None:
    """Raises: RecipeError when more than one of --minutes, --examples and --set length.examples was given."""
    given = {
        "--minutes": request.minutes,
        "--examples": request.examples,
        "--set length.examples": request.settings.get("length.examples"),
    }
    names = [f"{name} {value}" for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise RecipeError(f"Both {' and '.join(names)} were given.", "They say the same thing twice.", "Give one.")


def _value(text: str) -> Any:
    """A number, list or true/false as typed, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def in_words(error: ValidationError) -> RecipeError:
    """The first thing that pydantic found wrong, as an error of ours."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    return RecipeError(
        f"The setting {name} cannot be {first['input']!r}.",
        f"{first['msg']}.",
        "See `ganforge plan DATA` for its value.",
    )
