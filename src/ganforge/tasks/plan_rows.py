"""The plan for a table: looks at its rows and at this machine, and chooses what the person did not ask for.

The rules were found on Adult and tried on other tables unchanged; docs/log.md says what was tried for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from ganforge import __version__
from ganforge.contracts import Game, Tell
from ganforge.core.device import devices_here, survey_machine
from ganforge.data.tables.table import Table, TableInquiry
from ganforge.errors import RecipeError, did_you_mean
from ganforge.networks import refuse_unbuildable
from ganforge.objectives import OBJECTIVES
from ganforge.recipe import (
    Adversary,
    Average,
    Data,
    Length,
    Network,
    Optimiser,
    Recipe,
    Records,
    Request,
    Rows,
    Size,
    override,
    refuse_two_lengths,
)
from ganforge.tasks.on_machine import compute_on
from ganforge.tasks.row_game import build_row_game, build_row_networks
from ganforge.tasks.timing import TIMED_STEPS, TIMED_STRETCHES, in_pieces, measure_rate, steps_per_record

DEFAULT_MINUTES = 5.0
BATCH = 512  # rows a step; where there are fewer, some come twice (docs/log.md)
SPANS, ROWS_FOR_A_SPAN = 32, 30
GAMMA_PER_SQUARED_DISTANCE, GAMMA_DECAY = 0.06, 0.3  # see gamma_rule
HALF_LIFE_SHARE = 0.05  # of the run
SECONDS_PER_LOOK = 0.5
PATIENCE_LOOKS = 12  # of at most twenty: with six, chance alone ended runs that still got better (docs/log.md)
REFEREE_SHARE, REFEREE_PASSES, MOST_REFEREE = 0.2, 40, 2_000_000  # see _with_referee
REFEREE_COST = 0.4  # of a row shown to the referee, in rows shown in the game
MOST_TIMED_SHARE = 0.1  # of a run whose examples were asked for
STEADY_RATE = 20_000.0  # rows/s that records and looks are spaced by where examples were asked for, not minutes
SIZES: dict[Size, Network] = {
    "tiny": Network(name="rows", latent_size=64, width=64, depth=2),
    "small": Network(name="rows", latent_size=128, width=128, depth=2),
    "medium": Network(name="rows", latent_size=128, width=192, depth=2),
    "base": Network(name="rows", latent_size=128, width=256, depth=2),
    "large": Network(name="rows", latent_size=128, width=512, depth=3),
}

# Of choices that are the same for all tables.
REASONS = {
    "data__source": "you gave it",
    "data__kind": "found there",
    "data__label_names": "not used: any column can be asked for with --where",
    "network__name": "residual layers that complete a row from whatever is given of it",
    "network__latent_size": "the same for all tables; not tuned",
    "network__depth": "more layers gained nothing on Adult",
    "rows__values": "training values, each as often as it was seen (smooth keeps single values private)",
    "rows__candidates": "a few are enough: eight gained nothing over four (docs/log.md)",
    "objective__gamma_end": f"{GAMMA_DECAY:g} of the start: sharper once the rows are near",
    "objective__order": "each player answers the other's newest step",
    "objective__augmentation": "not used: there is no picture to change",
    "objective__augmentation_target": "not used: there is no picture to change",
    "objective__flips": "not used: there is no picture to change",
    "optimiser__kind": "a step size for each weight, which rare and frequent codes need",
    "optimiser__learning_rate_start": "the best of those tried on Adult (docs/log.md); falls along a half cosine",
    "optimiser__learning_rate_end": "the last steps settle what was learned",
    "optimiser__warmup": "none: training begins at independent columns",
    "optimiser__beta1": "no momentum: each step of one player changes the other's task",
    "optimiser__beta2": "a memory of about 100 steps for the size of the gradients",
    "length__examples_per_second": "timed on this machine just now",
    "records__checkpoint_every_steps": "every 20th record",
    "records__marks": "each look draws rows and compares columns and pairs, which takes half a second",
    "records__look_samples": "as many held-out rows, or fewer, stand beside them",
}


@dataclass(frozen=True, slots=True)
class Understood:
    """How a table is turned into codes: what `open_table` needs to know before anything is timed."""

    rows: Rows
    device: str


def understand(request: Request, inquiry: TableInquiry) -> Understood:
    """What a person has set of the codes and the device, else the rule. Raises: RecipeError."""
    refuse_two_lengths(request)
    wanted = {name: text for name, text in request.settings.items() if name.startswith("rows.")}
    spans = min(SPANS, max(8, inquiry.survey.rows // ROWS_FOR_A_SPAN))
    rules = tuple(words for words, _ in inquiry.rules)
    draft = _bare(request, inquiry, Rows(rules=rules, spans=spans, reconstruction=float(request.task == "impute")))
    rows = override(draft, wanted).rows
    assert rows is not None
    device = request.settings.get("compute.device", survey_machine().device)
    if device not in devices_here():
        raise RecipeError(f"There is no device {device!r} on this machine.", did_you_mean(device, devices_here()))
    return Understood(rows, device)


def plan_rows(request: Request, inquiry: TableInquiry, table: Table, understood: Understood, tell: Tell) -> Recipe:
    """Everything chosen, each choice with its reason; times a few steps on this machine.

    Raises: RecipeError for unknown names and impossible values.
    """
    objective = request.settings.get("objective.name", request.objective or "r3gan")
    if objective not in OBJECTIVES:
        raise RecipeError(f"There is no objective {objective!r}.", did_you_mean(objective, OBJECTIVES))
    draft = override(_draft(request, inquiry, table, understood, objective), request.settings)
    _refuse_augmentation(draft)
    refuse_unbuildable(draft.network, lambda: build_row_networks(draft.network, table.codec.sizes))
    draft = in_pieces(draft, table.train, partial(_game, table=table))
    if request.examples is not None or "length.examples" in request.settings:
        draft = _for_examples(draft, table, tell)
    else:
        draft = _for_minutes(draft, table, tell)
    return override(draft, request.settings)


def _refuse_augmentation(recipe: Recipe) -> None:
    """Raises: RecipeError where a person has asked for what only pictures can have."""
    asked = recipe.objective
    if asked.augmentation or asked.flips or asked.augmentation_target:
        raise RecipeError(
            f"objective.augmentation is {recipe.objective.augmentation:g} and objective.flips "
            f"{str(recipe.objective.flips).lower()}, but {recipe.data.source!r} is a table.",
            "Augmentation moves and colours pictures; a cell has no neighbour to be moved to.",
            "Leave both out.",
        )


def gamma_rule(table: Table) -> float:
    """The penalty's weight at the start, from the mean squared distance S of two training rows as one-hots.

    S is the sum over units of 2 (1 - sum of squared shares). gamma = 0.06 S: the weight carries the scale of x, as for
    pictures (plan_pictures.gamma_rule); on Adult a factor of five changes little (docs/log.md).
    """
    codes = table.train.codes[:100_000].cpu()
    squares = [
        torch.bincount(codes[:, unit].clamp_min(0).long()).div(len(codes)).square().sum()
        for unit in range(codes.shape[1])
    ]
    distance = 2 * (len(squares) - float(sum(squares)))
    return float(f"{max(GAMMA_PER_SQUARED_DISTANCE * distance, 0.01):.2g}")


def _bare(request: Request, inquiry: TableInquiry, rows: Rows) -> Recipe:
    """A recipe that holds what is known before the table is encoded."""
    columns = inquiry.survey.columns
    return Recipe(
        ganforge=__version__,
        task=request.task or "generate",
        seed=request.seed,
        ask=request,
        data=Data(
            source=request.source, kind="table", shape=(len(columns),), columns=columns, hash=inquiry.survey.sha256
        ),
        network=SIZES[request.size or ("base" if request.task == "impute" else "small")],
        rows=rows,
        length=Length(examples=request.examples or BATCH),
        reasons={f"rows.rules.{words}": why for words, why in inquiry.rules},
    )


def _draft(request: Request, inquiry: TableInquiry, table: Table, understood: Understood, objective: str) -> Recipe:
    """Everything but the length."""
    rows, gamma = len(table.train), gamma_rule(table)
    compute, computed = compute_on(understood.device)
    if objective == "wasserstein":
        adversary = Adversary(name=objective, gamma_start=10.0, gamma_end=10.0)
    else:
        adversary = Adversary(name=objective, gamma_start=gamma, gamma_end=gamma * GAMMA_DECAY)
    found = [why for _, why in inquiry.rules]
    shown = understood.rows
    return (
        _bare(request, inquiry, shown)
        .model_copy(
            update={
                "objective": adversary,
                "optimiser": Optimiser(batch_size=BATCH, learning_rate_start=3e-3),
                "compute": compute,
            }
        )
        .with_reason(
            **REASONS,
            task="you asked for it" if request.task else "what can be made of a table: more rows like its own",
            data__shape=f"{len(inquiry.survey.columns)} columns, learned as {len(table.codec.units)} units",
            network__width="you asked for it"
            if request.size
            else "a best guess of a cell gains from more of it (docs/log.md)"
            if shown.reconstruction
            else "as good as twice the width in the same time, on Adult",
            rows__rules="; ".join(dict.fromkeys(found)) if found else "none was found that is no accident",
            rows__spans=f"at most {SPANS}, and at least {ROWS_FOR_A_SPAN} rows for each",
            rows__whole="half of the rows teach to generate, half to complete: one model does both (docs/log.md)",
            rows__reconstruction="hidden cells are to be found again"
            if shown.reconstruction
            else "not needed to generate",
            objective__name="you asked for it"
            if request.objective
            else "relativistic pairing with R1 and R2: converges",
            objective__gamma_start=f"{GAMMA_PER_SQUARED_DISTANCE:g} x the mean squared distance of two rows",
            optimiser__batch_size=f"from {rows:,} training rows; fewer a step gained nothing, on few rows either",
            **computed,
        )
    )


def _measured(draft: Recipe, table: Table, steps: int = TIMED_STEPS) -> float:
    """Rows a second."""
    return measure_rate(draft, table.train, steps, partial(_game, table=table))


def _game(recipe: Recipe, table: Table) -> Game:
    return build_row_game(recipe, table.codec, table.train, table.held_out)


def _for_examples(draft: Recipe, table: Table, tell: Tell) -> Recipe:
    """Only the rate is timed, and no choice hangs on it that the weights depend on: same command, same model."""
    batch, asked = draft.optimiser.batch_size, draft.length.examples
    examples = max(batch, asked)
    tell("timing", size=draft.ask.size or "small")
    steps = int(MOST_TIMED_SHARE * examples / batch / (TIMED_STRETCHES + 1))
    rate = _measured(draft, table, min(TIMED_STEPS, max(1, steps)))
    why = "you asked for it" if examples == asked else f"you asked for {asked}; one step shows {batch}, the least"
    return _finish(_with_referee(draft, table, examples), examples, None, rate).with_reason(length__examples=why)


def _for_minutes(draft: Recipe, table: Table, tell: Tell) -> Recipe:
    seconds = 60.0 * (draft.ask.minutes or DEFAULT_MINUTES)
    looks = len(_marks(seconds))
    training = max(0.5 * seconds, seconds - looks * SECONDS_PER_LOOK)
    tell("timing", size=draft.ask.size or "small")
    rate = _measured(draft, table)
    shown = max(draft.optimiser.batch_size, int(rate * training))
    draft = _with_referee(draft, table, shown)
    assert draft.rows is not None
    referee_seconds = REFEREE_COST * draft.rows.referee / rate
    examples = max(draft.optimiser.batch_size, shown - int(rate * referee_seconds))
    why = (
        f"{seconds / 60:g} minutes at {rate:,.0f} rows/s, without the time of {looks} looks at samples"
        f"{f' and of the referee, {referee_seconds:.0f} seconds' if draft.rows.referee else ''}"
    )
    return _finish(draft, examples, seconds - referee_seconds, rate).with_reason(length__examples=why)


def _with_referee(draft: Recipe, table: Table, examples: int) -> Recipe:
    """How long the referee learns after the game. Args: examples that the whole run can show."""
    if draft.task != "generate" or draft.rows is None:
        return draft.with_reason(rows__referee="none: cells are filled with the best guess, not chosen among rows")
    most = {f"{REFEREE_SHARE:.0%} of the run": REFEREE_SHARE * examples, "enough": float(MOST_REFEREE)}
    most[f"{REFEREE_PASSES} passes over the rows: more would teach it them by heart"] = REFEREE_PASSES * len(
        table.train
    )
    why = min(most, key=lambda reason: most[reason])
    rows = draft.rows.model_copy(update={"referee": int(most[why])})
    return override(draft.model_copy(update={"rows": rows}).with_reason(rows__referee=why), draft.ask.settings)


def _finish(draft: Recipe, examples: int, seconds: float | None, rate: float) -> Recipe:
    """The recipe once the length is known. Args: seconds that were asked for; rate in examples/s.

    Without seconds nothing here follows the clock: what is looked at when decides which rows are the best.
    """
    batch, generates = draft.optimiser.batch_size, draft.task == "generate"
    every = min(200, steps_per_record(examples, batch, rate if seconds else None, STEADY_RATE))
    return draft.model_copy(
        update={
            "average": Average(half_life_examples=round(HALF_LIFE_SHARE * examples)),
            "length": Length(examples=examples, seconds_allowed=seconds, examples_per_second=rate),
            "records": Records(
                every_steps=every,
                checkpoint_every_steps=every * 20,
                marks=_marks(seconds or examples / STEADY_RATE),
                look_samples=4000,
                best_by="table_quality" if generates else "filling",
                patience_looks=PATIENCE_LOOKS,
            ),
        }
    ).with_reason(
        average__half_life_examples=f"{HALF_LIFE_SHARE:.0%} of the run",
        records__every_steps="about once a second, and 20 times in a short run"
        if seconds
        else "by the examples alone, so that the same command gives the same run; 20 times in a short one",
        records__best_by="columns and pairs together: the last rows of a run need not be its best"
        if generates
        else "numbers and categories together: on few rows the network soon knows them by heart",
        records__patience_looks="so many looks without a better one are no chance: what is left would be wasted",
    )


def _marks(seconds: float) -> tuple[float, ...]:
    """Progress at which rows are drawn and measured: about every ten seconds, four to twenty times in all."""
    looks = round(min(20.0, max(4.0, seconds / 10)))
    return (0.0, *(round(number / looks, 4) for number in range(1, looks + 1)))
