"""The plan for a regression: network, step size and length from the data, each with its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ganforge.contracts import Game, Task, Tell
from ganforge.errors import RecipeError, did_you_mean
from ganforge.kinds.tables.regress.model import REGRESSORS, build_game, build_regressor
from ganforge.kinds.tables.regress.numeric import NumericTable, with_ones
from ganforge.planning.compute import WHOLE, measure_rate, refuse_large_batch
from ganforge.planning.draft import ASKED, Draft, choose_data
from ganforge.planning.game import choose_optimiser, refuse_unbuildable
from ganforge.recipe import Average, Compute, Length, Network, Optimiser, Recipe, Records, Request

WHOLE_TABLE = 10_000  # rows up to which every step shows all of them, as the textbook's sum does
DRAWN = 1024  # rows in a step above that
NEARNESS = 1e-4  # of the way from zero to the closed form that may be left at the end
MOST_STEPS = 20_000
FLAT = 1e-6  # share of the largest curvature below which float32 gradients see nothing
MLP_WIDTHS = {"tiny": 8, "small": 32, "medium": 48, "base": 64, "large": 256}
MLP_PASSES = 40  # over the training rows: on a few hundred of them more passes fit the noise
MLP_STEPS = (300, 5_000)  # least and most
TIMED_STEPS = 50  # in a timed stretch
MARKS = (0.0, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 1.0)

SMALL_TABLE = "a table is small: the processor is done before an accelerator has started"
ABSENT = {
    "objective": "It needs two players, and regression has one, which minimises (h(x) - y)^2 / 2 for each row.",
    "augmentation": "There is no picture to change.",
    "network.latent_size": "Nothing is drawn from noise.",
    "records.look_samples": "A look measures on every held-out row.",
}
NO_HIDDEN_LAYER = "A line has no hidden layer: say --set network.name=mlp for a curve."
NO_WARMUP = (0.0, "none: the first steps are the surest")


@dataclass(frozen=True, slots=True)
class Curvature:
    """Largest and smallest eigenvalue of X^T X / m on standardised features with a column of ones."""

    largest: float
    smallest: float  # of those that float32 gradients see

    @property
    def best_rate(self) -> float:
        """Return the constant step size of fastest sure convergence: 2 / (largest + smallest) (Polyak 1987, 1.4)."""
        return 2.0 / (self.largest + self.smallest)

    def steps_to(self, nearness: float) -> int:
        """Return the steps at `best_rate` until the distance to the closed form has shrunk by `nearness`."""
        shrink = (self.largest - self.smallest) / (self.largest + self.smallest)
        return 1 if shrink < nearness else math.ceil(math.log(nearness) / math.log(shrink))


def curvature_of(table: NumericTable) -> Curvature:
    """Return the curvature of the squared error around its minimum."""
    x = with_ones(table.standardised()[0])
    values = np.linalg.eigvalsh(x.T @ x / len(x))
    return Curvature(float(values[-1]), float(values[values > FLAT * values[-1]][0]))


def begin(request: Request, task: type[Task]) -> Draft:
    """Return a draft with the person's pinned settings. Raises: RecipeError before the table is read."""
    for name, flag in (("plan", "--plan"), ("rules", "--rule")):
        if request.options.get(name):
            raise RecipeError(
                f"{flag} was given, and a regression has no use for it.",
                "Columns are corrected and rules kept where rows are generated or filled.",
                "Leave it out.",
            )
    draft = Draft(request, task, absent=ABSENT, device="cpu")
    device = draft.pinned.get("compute.device", "cpu")
    if device != "cpu":
        raise RecipeError(
            f"Regression cannot run on the device {device!r}.",
            f"{SMALL_TABLE[0].upper()}{SMALL_TABLE[1:]}.",
            "Leave out --set compute.device.",
        )
    name = draft.pinned.get("network.name", "linear")
    if name not in REGRESSORS:
        raise RecipeError(f"There is no network {name!r} for regression.", did_you_mean(name, REGRESSORS))
    if name == "linear":
        draft.leave_out({"network.width": NO_HIDDEN_LAYER, "network.depth": NO_HIDDEN_LAYER})
    return draft


def plan_table(draft: Draft, table: NumericTable, tell: Tell) -> Recipe:
    """Choose everything, each choice with its reason. Raises: RecipeError for networks that cannot be built."""
    features = len(table.feature_names)
    draft.explain({"task": ASKED})
    why = f"{features} numeric columns that vary, besides {table.target_name!r}"
    choose_data(draft, "tables", ((features,), why), table.sha256())
    draft.choose(
        Compute,
        device=("cpu", SMALL_TABLE),
        precision=("float32", "the closed form is met to more digits than bfloat16 has"),
        pieces=(1, WHOLE),
        threads=(1, "sums this small are slower when they are split"),
    )
    line = draft.pinned.get("network.name", "linear") == "linear"
    examples, why = _choose_line(draft, table) if line else _choose_curve(draft, table)
    refuse_unbuildable(draft[Network], lambda: [build_regressor(draft[Network], features)])
    _choose_length(draft, table, examples, why, tell)
    return draft.recipe()


def _choose_line(draft: Draft, table: NumericTable) -> tuple[int, str]:
    """Choose the textbook's plain gradient descent, alpha from the data's curvature. Returns: the length, and why."""
    rows, curve = len(table.train_y), curvature_of(table)
    condition = curve.largest / curve.smallest
    seen = f"X^T X / m has eigenvalues from {curve.smallest:.3g} to {curve.largest:.3g}"
    if rows <= WHOLE_TABLE:
        steps = min(MOST_STEPS, curve.steps_to(NEARNESS))
        rate = (curve.best_rate, f"{seen}; 2 / (largest + smallest) is the fastest constant step that surely converges")
        rate_end = (curve.best_rate, "constant, as in the textbook")
        batch = (rows, f"all {rows:,} training rows in every step: the textbook's gradient, not an estimate of it")
        average = (0.0, "the last theta itself: without drawing there is no noise to average out")
    else:
        steps = int(min(MOST_STEPS, max(2_000, 10 * condition)))
        rate = (1.0 / (1 + len(table.feature_names)), f"1 / (number of thetas): drawn rows vary, and {seen}")
        rate_end = (0.0, "falls to zero, so that the noise of drawing dies out")
        batch = (DRAWN, f"{DRAWN} of {rows:,} training rows drawn for each step")
        average = (float(round(0.02 * steps * DRAWN)), "2 % of the run: averages out the noise of drawing")
    first = "a line is the first thing to try: it explains itself (--set network.name=mlp for a curve)"
    draft.choose(Network, name=("linear", first))
    choose_optimiser(
        draft,
        kind=("sgd", "plain steps, theta <- theta - alpha dL/dtheta"),
        rate=rate,
        rate_end=rate_end,
        warmup=NO_WARMUP,
        batch_size=batch,
    )
    draft.choose(Average, half_life_examples=average)
    need = f"{steps:,} steps leave less than {NEARNESS:g} of the way to the closed form"
    if steps == MOST_STEPS:
        need = (
            f"{MOST_STEPS:,} steps, the most: columns that nearly repeat others (condition {condition:,.0f}) need more"
        )
    return steps * batch[0], need


def _choose_curve(draft: Draft, table: NumericTable) -> tuple[int, str]:
    """Choose a network with hidden layers, and its optimiser. Returns: the length, and why."""
    rows = len(table.train_y)
    batch = min(64, rows)
    steps = min(max(MLP_PASSES * rows // batch, MLP_STEPS[0]), MLP_STEPS[1])
    size = draft.request.size
    draft.choose(
        Network,
        name=("mlp", ASKED),
        width=(MLP_WIDTHS[size or "small"], ASKED if size else "that of size small; more rows may fill a wider one"),
        depth=(2, "two hidden layers bend a line in most ways that a table of numbers asks for"),
    )
    choose_optimiser(
        draft,
        kind=("adam", "adam sets a step size for each weight, which layers of different scale need"),
        rate=(3e-3, "a usual value for Adam on standardised columns; falls to zero on a half cosine"),
        rate_end=(0.0, "the noise of drawing dies out"),
        warmup=NO_WARMUP,
        beta1=(0.9, "the paper's value: one player, whose task stays the same, may gather momentum"),
        beta2=(0.999, "the paper's value"),
        batch_size=(batch, f"{batch} of {rows:,} training rows drawn for each step"),
    )
    average = float(round(0.05 * steps * batch))
    draft.choose(Average, half_life_examples=(average, "5 % of the run: averages out the noise of drawing"))
    return steps * batch, f"{steps:,} steps, {steps * batch / rows:.0f} passes over the rows"


def _choose_length(draft: Draft, table: NumericTable, examples: int, why: str, tell: Tell) -> None:
    """Choose length and records. Args: examples that the network needs, and why, if nothing was asked for."""
    refuse_large_batch(draft.recipe(), table.feed())
    rate = seconds = None
    needed, batch = examples, draft[Optimiser].batch_size
    if draft.request.examples:
        examples, why = draft.request.examples, ASKED
    elif draft.request.minutes is not None:
        seconds = 60.0 * draft.request.minutes
        tell("timing", size=draft[Network].name)

        def build(recipe: Recipe) -> Game:
            return build_game(recipe, len(table.feature_names))

        rate = measure_rate(draft.recipe(), table.feed(), TIMED_STEPS, build=build)
        examples, why = max(batch, int(rate * seconds)), f"{seconds / 60:g} minutes at {rate:,.0f} rows/s"
    length = draft.choose(
        Length,
        examples=(examples, why),
        seconds_allowed=(seconds, ""),
        examples_per_second=(rate, "timed on this machine just now" if rate else ""),
    )
    average, why = draft[Average].half_life_examples, draft.why("average.half_life_examples")
    draft.revise(Average, half_life_examples=(float(round(average * length.examples / needed)), why))
    every = max(1, -(-length.examples // batch) // 100)
    draft.choose(
        Records,
        every_steps=(every, "a hundred times a run, so that the curves of cost and theta are smooth"),
        checkpoint_every_steps=(10 * draft.pinned.get("records.every_steps", every), "every tenth record"),
        marks=(MARKS, "more of them early, where most happens"),
    )
