"""The types that all other modules use. Read this module first.

Shape letters, used in every file: B batch, C channels, H height, W width, F features, Z latent size, N examples.

A game is players in turn order; a player is a network, what it minimises, and how it steps; an objective says how a
discriminator and a generator are scored; a feed gives batches; a recipe (recipe.py) holds every choice with its reason;
a run (run.py) is a folder of plain files. One loop trains every game: one player is plain backpropagation, two a GAN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias

from ganforge.errors import missing_verb
from ganforge.recipe import Data, Recipe, Request, TaskSection

if TYPE_CHECKING:  # torch costs most of a second; `ganforge --help` must not pay it
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from ganforge.core.exposure import Exposure
    from ganforge.core.private import Private
    from ganforge.core.seeds import Draws
    from ganforge.records import Evaluation, Page, Record, Rows
    from ganforge.run import Run

# ---- what flows -----------------------------------------------------------------------------------------------------

Batch: TypeAlias = "Mapping[str, Tensor]"
"""Named tensors that share their first dimension B: `x` (B, ...) always, `label` (B,) int64 where there are labels."""

Plain: TypeAlias = "Mapping[str, NDArray[Any]]"
"""A table as plain arrays (N,), one for each column by its name. Numbers are float64, NaN for what is missing; so is
a datetime, in units of its resolution since 1970; every other kind is object: text, and None for what is missing."""

BoundDiscriminator: TypeAlias = "Callable[[Tensor], Tensor]"
"""x (B, ...) or (2B, ...) -> score (B,) or (2B,), labels and augmentation already bound."""

Dial: TypeAlias = "Tensor | float"
"""A number that may move from step to step. As a tensor () on the training device it is on, whatever it holds, and
nobody on the host reads it; as a float it is off where it is 0, and what it belongs to is then not computed."""


def is_on(dial: Dial) -> bool:
    """Return whether the part that a dial weighs is computed, without reading from the device."""
    return not isinstance(dial, float | int) or dial != 0


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss of a player in one turn: the mean over the batch of the sum of its terms."""

    terms: Mapping[str, Tensor]  # each (B,): one loss PER EXAMPLE, so that privacy and weighting need nothing more
    notes: Mapping[str, Tensor] = field(default_factory=dict)  # each (B,), detached: reported, never minimised


class Feed(Protocol):
    """Training examples that can be drawn by index, as floating-point batches on the training device."""

    @property
    def resident(self) -> bool:
        """Return whether all examples are on the training device, so that `batch` may be captured with a step."""

    def __len__(self) -> int: ...

    def batch(self, indices: Tensor) -> Batch:
        """Args: indices (B,) int64 on the CPU, each in 0..len-1; where `resident`, on the device as well."""

    def raw(self, first: int, last: int) -> Batch:
        """Return the examples first..last-1 as stored, on the CPU, to be sent to another process."""


# ---- objective ------------------------------------------------------------------------------------------------------


class Objective(Protocol):
    """The losses of a discriminator and a generator: pure mathematics, no data, devices or ranks. To be subclassed."""

    generator_reads_real: ClassVar[bool] = False  # relativistic losses do; this matters for privacy
    couples_examples: ClassVar[bool] = False  # whether the loss of one example depends on the others of its batch
    gamma: ClassVar[tuple[float, float] | None] = None  # the paper's, from start to end; None: a rule on the data

    def discriminator_loss(
        self, discriminator: BoundDiscriminator, real: Tensor, fake: Tensor, gamma: Dial, random: Draws
    ) -> Loss:
        """Args: real, fake (B, ...) without graph; gamma >= 0, the penalty's weight; random for points between them."""

    def generator_loss(self, discriminator: BoundDiscriminator, real: Tensor, fake: Tensor) -> Loss:
        """Args: real (B, ...) without graph; fake (B, ...) with the generator's graph."""


# ---- player and game ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Schedule:
    """A number that moves from `start` to `end` while training's progress goes from 0 to 1.

    Progress is examples shown / planned: a schedule survives a change of batch size or of world size. `warmup` is the
    share, in 0..1, over which the value first rises linearly from 0. All is from `first` to `last`.
    """

    start: float
    end: float
    shape: Literal["constant", "linear", "cosine", "geometric"] = "cosine"
    warmup: float = 0.0
    first: float = 0.0
    last: float = 1.0

    def __post_init__(self) -> None:
        if self.shape == "geometric" and min(self.start, self.end) <= 0:
            raise ValueError(f"a geometric schedule needs positive ends, received {self.start} and {self.end}")

    def at(self, progress: float) -> float:
        """Return the value at `progress` in 0..1."""
        p = min(max((progress - self.first) / max(self.last - self.first, 1e-9), 0.0), 1.0)
        rise = min(1.0, p / self.warmup) if self.warmup > 0 else 1.0
        match self.shape:
            case "constant":
                return rise * self.start
            case "linear":
                return rise * (self.start + (self.end - self.start) * p)
            case "cosine":
                return rise * (self.end + (self.start - self.end) * 0.5 * (1.0 + math.cos(math.pi * p)))
            case "geometric":
                return rise * self.start * math.exp(p * math.log(self.end / self.start))


@dataclass(frozen=True, slots=True)
class OptimiserSettings:
    """A player's optimiser. `adam` is Kingma and Ba 2015; `sgd` is the textbook's theta <- theta - alpha dL/dtheta."""

    learning_rate: Schedule
    kind: Literal["adam", "sgd"] = "adam"
    beta1: float = 0.0
    beta2: float = 0.99
    weight_decay: float = 0.0  # of adam: times the learning rate it is taken off each weight at each step


@dataclass(frozen=True, slots=True)
class Levers:
    """Settings that may change while a run is in progress. The defaults keep everything as in the recipe."""

    learning_rate: float = 1.0  # factor on every player's
    opponent_learning_rate: float = 1.0  # one more factor, on the players that are not the product: the discriminator
    penalty: float = 1.0  # factor on gamma, the weight of the gradient penalty
    augmentation: float = 0.0  # least strength of the augmentation that the discriminator sees through, 0..1
    half_life_examples: float | None = None  # of the moving average, instead of the recipe's
    adapted: float = 0.0  # one more least strength: that which adapts by itself (engine/control.py)

    def seen_through(self, least: float) -> float:
        """Return the strength of the discriminator's augmentation, 0..1. Args: least that of the recipe."""
        return max(least, self.augmentation, self.adapted)


@dataclass(frozen=True, slots=True)
class Turn:
    """The inputs of a player's turn: a new batch, new random numbers, and the values of its dials.

    It does not hold the step or the progress: a loss is a fixed computation over these, so that a GPU can repeat it
    without the host. In a distributed run the batch holds the examples of this process only.
    """

    batch: Batch
    random: Draws  # on the training device, seeded for this player and step alone
    dials: Mapping[str, Dial] = field(default_factory=dict)  # as Player.dials names them


@dataclass(frozen=True, slots=True)
class Player:
    """A network, its loss, its optimiser settings, when it plays, and what changes meanwhile.

    `dials` gives the numbers of its loss that move with progress (0..1) and the levers, such as the penalty's weight.
    `watch`, given the values of the dials, returns more notes, (B,) each; it is called only at looks.
    """

    name: str
    network: nn.Module
    loss: Callable[[Turn], Loss]
    optimiser: OptimiserSettings
    plays: Callable[[float], bool] = lambda progress: True  # progress 0..1 -> whether it plays
    dials: Callable[[float, Levers], Mapping[str, float]] = lambda progress, levers: {}
    watch: Callable[[Mapping[str, float]], Mapping[str, Tensor]] | None = None
    private: Private | None = None  # alone is given real examples then: no batch holds one (core/private.py)


@dataclass(frozen=True, slots=True)
class Game:
    """Players in turn order. The moving average of the product's network is what a person samples from.

    `alternating`: each player steps in turn. `simultaneous`: all gradients first, then all steps. Textbooks have both.
    """

    players: tuple[Player, ...]
    product: str
    order: Literal["alternating", "simultaneous"] = "alternating"

    def __post_init__(self) -> None:
        names = [player.name for player in self.players]
        if len(set(names)) != len(names) or self.product not in names:
            raise ValueError(f"players need distinct names, one of them the product: {names}, {self.product!r}")

    @property
    def product_player(self) -> Player:
        return next(player for player in self.players if player.name == self.product)


class Observer(Protocol):
    """An observer of a run, which never changes it. A subclass of this hears what it has a method for."""

    def record(self, record: Record) -> None:
        return

    def event(self, event: Mapping[str, Any]) -> None:
        return


# ---- task -----------------------------------------------------------------------------------------------------------

Tell: TypeAlias = Callable[..., None]
"""tell(kind, **content): an event for the observers and, once there is a run, for its log."""


class Task(Protocol):
    """A verb, which turns data into a game, and the game's product into a result. A task is a subclass of this."""

    name: ClassVar[str]
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]]  # what `look` gives and a target may name -> better
    section: ClassVar[type[TaskSection] | None] = None  # its own section of a recipe, which `--set task.KEY` means
    data: ClassVar[type[Data]] = Data  # the section `data` of its recipes, perhaps with what its kind of data adds
    unguarded: ClassVar[str | None] = None  # why its runs have no guard, in words; None where they have one
    untrained: ClassVar[str | None] = None  # why its runs train no network, in words; None where they train one
    keeps_data: ClassVar[bool] = True  # whether data that was given in Python is stored in the run
    labels: ClassVar[str | None] = "It has no use for labels."  # why --label cannot name any; None where it can
    page: ClassVar[Page]  # its words for the pages about a run

    def page_of(self, recipe: Recipe) -> Page:
        """Return the words for the pages about the run of a recipe: by default those of every run."""
        return self.page

    def plan(self, request: Request, tell: Tell) -> Job:
        """Open the data and choose everything the person did not. Raises: DataError, RecipeError."""

    def open(self, recipe: Recipe, tell: Tell) -> Job:
        """Open the job of a recipe again. Raises: DataError if the data is missing or has changed."""

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and the feed of a process that is not the leader and does not read the data.

        Args: brief of the leader's job; examples a range of its feed's `raw`. The weights, if others, are replaced.
        """


class Job(Protocol):
    """A task with its data open and everything chosen. A job is a subclass of this."""

    recipe: Recipe

    @property
    def passport(self) -> Mapping[str, Any]:
        """Return the data passport."""

    @property
    def feed(self) -> Feed: ...

    def game(self) -> Game:
        """Build new networks, initialised from the recipe's seed, on the recipe's device, with their losses."""

    def product(self, run: Run) -> nn.Module:
        """Make the product of an untrained task (Task.untrained), in place of a game, after `prepare`.

        What it publishes of the data it first writes to the run; called again it reads that and draws nothing new.
        """
        raise RuntimeError("a task that trains has a game")

    def brief(self) -> Mapping[str, bytes]:
        """Return what `Task.join` needs besides the recipe and the examples, by name; empty by default."""
        return {}

    def prepare(self) -> None:  # not abstract: it returns
        """Prepare what training needs before its clock starts, such as the judge of quality; by default nothing."""
        return

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Write samples to the run folder and return the product's quality; {} where there is nothing to measure."""

    def finish(self, product: nn.Module) -> nn.Module:
        """Return the product to store: by default as trained; a job may add to it, reproducibly to the bit."""
        return product

    def write_model(self, folder: Any, product: nn.Module) -> None:
        """Write model.json and model.safetensors into an empty folder."""

    def read_product(self, folder: Any) -> nn.Module:
        """Read the product that `write_model` wrote. Raises: RunError if it is missing or damaged."""

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Return every measure with floor and reference, a verdict and blocks; write figures to the run."""

    def exposure(self, run: Run, product: nn.Module) -> Exposure:
        """Return what attacks are given; by default there are none. Raises: InputError. Writes nothing."""
        raise missing_verb("cannot be audited: its task has no attacks", {"evaluate RUN": "every measure"})


# ---- model and kind -------------------------------------------------------------------------------------------------


class Model(Protocol):
    """A trained model, read back without the training data. Its model.json gives its kind and its task. What it cannot
    do, by default every verb, raises an InputError that names another one."""

    steps: ClassVar[Mapping[str, str]] = {}  # what `next_steps` returns, where it is the same for every run

    def sample(self, count: int, asked: Mapping[str, Any], seed: int) -> Samples:
        """Draw new examples. Args: asked the kind's options of the verb `sample`, by name. Raises: InputError."""
        raise missing_verb("needs an input and draws nothing", self.next_steps())

    def write(self, samples: Any, out: Path, *, force: bool) -> Path:
        """Write samples whole or not at all; the path is checked first. Raises: InputError, StorageError."""
        raise missing_verb("draws nothing that could be written", self.next_steps())

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Apply it to data. Args: out None for a result in memory; options the kind's own, `seed` and `force`."""
        raise missing_verb("draws from nothing and takes no input", self.next_steps())

    def next_steps(self) -> Mapping[str, str]:
        """Return what to type after `ganforge` -> what it does. RUN is the run's folder, DATA what it learned from."""
        return self.steps


class Samples(Protocol):
    """New examples, drawn when they are requested. They may have `notes`: sentences about them."""

    def blocks(self) -> Iterator[Any]:
        """Yield a bounded number of examples at a time."""

    def value(self) -> Any:
        """Return all of them in the usual Python type for such data: an array, a data frame."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A kind's reason to recognise a source. The strongest claim of all kinds wins; a tie is an InputError."""

    strength: Literal[1, 2, 3]  # 1: nothing speaks against it; 2: by its name or ending; 3: by what is in it
    why: str  # the end of a sentence: "it holds the picture 'a.png'"


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a kind of data: NAME= in Python, --NAME on the command line. Options of several kinds with one name
    are the same in all but their help. kinds/__init__.py reads values."""

    name: str  # "resolution"
    verbs: tuple[str, ...]  # "train" (plan and profile have its options too), "sample", "apply"
    type: type  # int, float, str, bool; or object: on the command line a text, in Python whatever `check` takes
    metavar: str  # "" of a bool, which is a switch
    help: str
    example: str  # a value as it is typed
    flag: str = ""  # "--rule" where it is not --NAME
    many: bool = False  # may be given several times: a tuple
    within: tuple[float, float] | None = None  # of a number: its least and greatest value
    instead: bool = False  # is given instead of what the verb usually needs: -n of `sample`, DATA of `apply`
    check: Callable[[Any], Any] | None = None  # value -> value as it is kept. Raises: RecipeError, InputError
    task: str = ""  # the task that it asks for, with which alone it goes


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of data: KIND in the __init__.py of its folder in kinds/, which imports neither torch nor any reader."""

    name: str  # "pictures"
    noun: str  # one example: "picture"
    nouns: str  # several: "pictures"
    forms: str  # what it comes as: "a folder of pictures, an array (.npy, .npz)"
    built_in: Mapping[str, str]  # data sets that come along, by name -> what they are
    tasks: Mapping[str, str]  # by name -> "module:Class", imported when asked for; the first is the default
    recognises: Callable[[object], Claim | None]  # a path or a value in Python; reads at most a few headers
    keep: Callable[[object, Path], Path]  # writes such a value into an empty folder. Raises: DataError
    models: Mapping[str, str]  # by task -> "module:function": (model folder, which may be anybody's; device=) -> Model
    options: tuple[Option, ...] = ()
    overview: Callable[[Recipe], tuple[Rows, ...]] = lambda recipe: ()  # what a plan shows first: what is in the data
    write_plan: Callable[[Recipe, Path, bool], bool | None] = lambda recipe, out, force: None
    """Writes what a plan found into a file for a person to correct. True if the file holds just that now; False if it
    held something else and is not forced; None where there is nothing to correct. Raises: StorageError, InputError."""
    extra: str = ""  # the extra of pyproject.toml that it needs: "sounds"
    compare: Callable[..., Evaluation] | None = None
    """(real, made, run that takes figures, label=, held_out=, seed=): judges `made`, by any tool, beside real data."""
    applies_to: str = ""  # what the verb `apply` takes, for its help page: "a table with holes"
    writes: Mapping[str, str] = field(default_factory=dict)  # "sample", "apply" -> what --out may name: "a .csv file"
