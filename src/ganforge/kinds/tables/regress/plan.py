"""The plan for a table: picks network, step size and length from the data, each with its reason."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from ganforge import __version__
from ganforge.contracts import Game, Tell
from ganforge.engine.fit import FitSettings, fit
from ganforge.errors import RecipeError, did_you_mean
from ganforge.kinds.tables.regress.game import build_game
from ganforge.kinds.tables.regress.model import REGRESSORS, build_regressor, with_ones
from ganforge.kinds.tables.regress.numeric import NumericTable
from ganforge.networks import refuse_unbuildable
from ganforge.planning.compute import FOR_A_GPU, WHOLE
from ganforge.recipe import (
    Adversary,
    Average,
    Compute,
    Data,
    Length,
    Network,
    Optimiser,
    Recipe,
    Records,
    Request,
    override,
    refuse_two_lengths,
)

WHOLE_TABLE = 10_000  # rows up to which every step shows all of them, as the textbook's sum does
DRAWN = 1024  # rows in a step above that
NEARNESS = 1e-4  # of the way from zero to the closed form that may be left at the end
MOST_STEPS = 20_000
FLAT = 1e-6  # share of the largest curvature below which float32 gradients see nothing
MLP_WIDTHS = {"tiny": 8, "small": 32, "medium": 48, "base": 64, "large": 256}
MLP_PASSES = 40  # over the training rows: on a few hundred of them more passes teach the noise
MLP_STEPS = (300, 5_000)  # least and most
MARKS = (0.0, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 1.0)

# Of choices that are the same for all tables.
REASONS = {
    "task": "you asked for it",
    "data__source": "you gave it",
    "data__kind": "found there",
    "data__label_names": "not used: a number is predicted, not a label",
    "network__latent_size": "not used: nothing is drawn from noise",
    "objective__name": "one player: (h(x) - y)^2 / 2 for each row",
    "objective__gamma_start": "there is no discriminator to penalise",
    "objective__gamma_end": "there is no discriminator to penalise",
    "objective__order": "not used: there is one player",
    "objective__augmentation": "not used: there is no picture to change",
    "objective__augmentation_target": "not used: there is no picture to change",
    "objective__flips": "not used: there is no picture to change",
    "optimiser__warmup": "none: the first steps are the surest",
    "compute__device": "a table is small: the processor is done before an accelerator has started",
    "compute__precision": "the closed form is met to more digits than bfloat16 has",
    "compute__pieces": WHOLE,
    "compute__capture": FOR_A_GPU,
    "compute__deterministic": FOR_A_GPU,
    "compute__threads": "sums this small are slower when they are split",
    "length__examples_per_second": "timed only when --minutes are given",
    "records__every_steps": "a hundred times a run, so that the curves of cost and theta are smooth",
    "records__checkpoint_every_steps": "every tenth record",
    "records__marks": "more of them early, where most happens",
    "records__look_samples": "not used: a look measures on every held-out row",
    "records__best_by": "not used: the cost is convex or smooth, and its steps get smaller towards the end",
    "records__patience_looks": "not used: a run keeps to its length",
}


@dataclass(frozen=True, slots=True)
class Curvature:
    """Largest and smallest eigenvalue of X^T X / m on standardised features with a column of ones."""

    largest: float
    smallest: float  # of those that float32 gradients see

    @property
    def best_rate(self) -> float:
        """The constant step size with the fastest sure convergence: 2 / (largest + smallest) (Polyak 1987, 1.4)."""
        return 2.0 / (self.largest + self.smallest)

    def steps_to(self, nearness: float) -> int:
        """Steps at `best_rate` until the distance to the closed form has shrunk by `nearness`."""
        shrink = (self.largest - self.smallest) / (self.largest + self.smallest)
        return 1 if shrink < nearness else math.ceil(math.log(nearness) / math.log(shrink))


def curvature_of(table: NumericTable) -> Curvature:
    """How steep and how flat the squared error is around its minimum."""
    x = with_ones((table.train_x - table.x_mean) / table.x_std)
    values = np.linalg.eigvalsh(x.T @ x / len(x))
    return Curvature(float(values[-1]), float(values[values > FLAT * values[-1]][0]))


def plan_table(request: Request, table: NumericTable, tell: Tell) -> Recipe:
    """Everything chosen, each choice with its reason.

    What a person has set holds from the start, so that it is their network which is timed, and again at the end, so
    that their word is the last one.

    Raises: RecipeError for unknown names and impossible values.
    """
    refuse_two_lengths(request)
    objective = request.settings.get("objective.name", request.objective)
    if objective not in (None, "squared_error"):
        raise RecipeError(
            f"The objective {objective!r} does not suit regression.",
            "It needs two players, and regression has one.",
            "Leave it out; regression minimises the squared error.",
        )
    device = request.settings.get("compute.device", "cpu")
    if device != "cpu":
        raise RecipeError(
            f"Regression cannot run on the device {device!r}.",
            "A table is small: the processor is done before an accelerator has started.",
            "Leave out --set compute.device.",
        )
    name = request.settings.get("network.name", "linear")
    if name not in REGRESSORS:
        raise RecipeError(f"There is no network {name!r} for regression.", did_you_mean(name, REGRESSORS))
    draft = _linear(request, table) if name == "linear" else _mlp(request, table)
    draft = override(draft, request.settings)
    refuse_unbuildable(draft.network, lambda: [build_regressor(draft.network, len(table.feature_names))])
    if request.minutes is not None:
        draft = _for_minutes(draft, table, 60.0 * request.minutes, tell)
    return override(_with_records(draft), request.settings)


def table_hash(table: NumericTable) -> str:
    """sha256 of the names and numbers that are learned from and judged on."""
    content = hashlib.sha256("\0".join((*table.feature_names, table.target_name)).encode())
    for part in (table.train_x, table.train_y, table.held_x, table.held_y):
        content.update(np.ascontiguousarray(part).tobytes())
    return content.hexdigest()


def _linear(request: Request, table: NumericTable) -> Recipe:
    """The textbook's plain gradient descent, with alpha from the curvature of the data."""
    rows, curve = len(table.train), curvature_of(table)
    condition = curve.largest / curve.smallest
    seen = f"X^T X / m has eigenvalues from {curve.smallest:.3g} to {curve.largest:.3g}"
    if rows <= WHOLE_TABLE:
        batch, rate, end, half_life = rows, curve.best_rate, curve.best_rate, 0.0
        steps = min(MOST_STEPS, curve.steps_to(NEARNESS))
        why_rate = f"{seen}; 2 / (largest + smallest) is the fastest constant step that surely converges"
        why_batch = f"all {rows:,} training rows in every step: the textbook's gradient, not an estimate of it"
        why_average = "the last theta itself: without drawing there is no noise to average out"
        why_end = "constant, as in the textbook"
    else:
        batch, rate, end = DRAWN, 1.0 / (1 + len(table.feature_names)), 0.0
        steps = int(min(MOST_STEPS, max(2_000, 10 * condition)))
        half_life = float(round(0.02 * steps * batch))
        why_rate = f"1 / (number of thetas): drawn rows vary, and {seen}"
        why_batch = f"{DRAWN} of {rows:,} training rows drawn for each step"
        why_average = "2 % of the run: averages out the noise of drawing"
        why_end = "falls to zero, so that the noise of drawing dies out"
    need = f"{steps:,} steps leave less than {NEARNESS:g} of the way to the closed form"
    if steps == MOST_STEPS:
        need = (
            f"{MOST_STEPS:,} steps, the most: columns that nearly repeat others (condition {condition:,.0f}) need more"
        )
    draft = _recipe(request, table, Network(name="linear", width=1, depth=0), batch, steps, half_life)
    chosen = Optimiser(kind="sgd", learning_rate_start=rate, learning_rate_end=end, batch_size=batch)
    return draft.model_copy(update={"optimiser": chosen}).with_reason(
        network__name="a line is the first thing to try: it explains itself (--set network.name=mlp for a curve)",
        network__width="not used: a line has no hidden layer",
        network__depth="a line has no hidden layer",
        optimiser__kind="plain steps, theta <- theta - alpha dL/dtheta",
        optimiser__learning_rate_start=why_rate,
        optimiser__learning_rate_end=why_end,
        optimiser__beta1="not used by plain steps",
        optimiser__beta2="not used by plain steps",
        optimiser__batch_size=why_batch,
        average__half_life_examples=why_average,
        length__examples="you asked for it" if request.examples else need,
    )


def _mlp(request: Request, table: NumericTable) -> Recipe:
    rows = len(table.train)
    batch = min(64, rows)
    steps = min(max(MLP_PASSES * rows // batch, MLP_STEPS[0]), MLP_STEPS[1])
    network = Network(name="mlp", width=MLP_WIDTHS[request.size or "small"], depth=2)
    draft = _recipe(request, table, network, batch, steps, float(round(0.05 * steps * batch)))
    chosen = Optimiser(kind="adam", beta1=0.9, beta2=0.999, learning_rate_start=3e-3, batch_size=batch)
    return draft.model_copy(update={"optimiser": chosen}).with_reason(
        network__name="you asked for it",
        network__width="you asked for it" if request.size else "that of size small; more rows may fill a wider one",
        network__depth="two hidden layers bend a line in most ways that a table of numbers asks for",
        optimiser__kind="adam sets a step size for each weight, which layers of different scale need",
        optimiser__learning_rate_start="a usual value for Adam on standardised columns; falls to zero on a half cosine",
        optimiser__learning_rate_end="the noise of drawing dies out",
        optimiser__beta1="the paper's value: one player, whose task stays the same, may gather momentum",
        optimiser__beta2="the paper's value",
        optimiser__batch_size=f"{batch} of {rows:,} training rows drawn for each step",
        average__half_life_examples="5 % of the run: averages out the noise of drawing",
        length__examples="you asked for it"
        if request.examples
        else f"{steps:,} steps, {steps * batch / rows:.0f} passes over the rows",
    )


def _recipe(
    request: Request, table: NumericTable, network: Network, batch: int, steps: int, half_life: float
) -> Recipe:
    """What line and curve have in common."""
    return Recipe(
        ganforge=__version__,
        task="regress",
        seed=request.seed,
        ask=request,
        data=Data(source=request.source, kind="tables", shape=(len(table.feature_names),), hash=table_hash(table)),
        network=network,
        objective=Adversary(name="squared_error", gamma_start=0.0, gamma_end=0.0),
        average=Average(half_life_examples=half_life),
        length=Length(examples=request.examples or steps * batch),
        compute=Compute(device="cpu", precision="float32", threads=1),
    ).with_reason(
        **REASONS,
        data__shape=f"{len(table.feature_names)} numeric columns that vary, besides {table.target_name!r}",
    )


def _for_minutes(draft: Recipe, table: NumericTable, seconds: float, tell: Tell) -> Recipe:
    """Turns minutes into examples by timing the real loop on this machine."""
    tell("timing", size=draft.network.name)
    rate = _measure_rate(build_game(draft, len(table.feature_names)), table, draft)
    examples = max(draft.optimiser.batch_size, int(rate * seconds))
    length = Length(examples=examples, seconds_allowed=seconds, examples_per_second=rate)
    return draft.model_copy(update={"length": length}).with_reason(
        length__examples=f"{seconds / 60:g} minutes at {rate:,.0f} rows/s",
        length__examples_per_second="timed on this machine just now",
    )


def _measure_rate(game: Game, table: NumericTable, draft: Recipe, steps: int = 200) -> float:
    """Rows per second of training steps; the first steps only warm up."""
    batch = draft.optimiser.batch_size

    def play(count: int) -> float:
        started = perf_counter()
        fit(
            game,
            table.train,
            FitSettings(seed=draft.seed, batch_size=batch, length_examples=count * batch, half_life_examples=0.0),
        )
        return perf_counter() - started

    play(20)
    return steps * batch / max(play(steps), 1e-9)


def _with_records(draft: Recipe) -> Recipe:
    """How often a run of this length is written down."""
    every = max(1, -(-draft.length.examples // draft.optimiser.batch_size) // 100)
    return draft.model_copy(
        update={"records": Records(every_steps=every, checkpoint_every_steps=10 * every, marks=MARKS)}
    )
