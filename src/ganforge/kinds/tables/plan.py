"""The plan for a table: choose what the person did not ask for, from its rows and this machine.

The rules were found on Adult and tried on other tables unchanged; docs/log.md says what was tried for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from ganforge.contracts import Game, Task, Tell
from ganforge.core.seeds import seed_for
from ganforge.engine.feed import TensorFeed
from ganforge.kinds.tables.codec.protection import Protection
from ganforge.kinds.tables.columns import Column, RowSettings, TableData, not_learned
from ganforge.kinds.tables.generate.game import build_row_game, build_row_networks
from ganforge.kinds.tables.generate.plan import choose_learning_alone, choose_network_alone, enough, learns_alone
from ganforge.kinds.tables.low_rank import LOW_RANK, UNIT_AFTER_UNIT
from ganforge.kinds.tables.measures.copies import MORE_COPIES, row_hashes
from ganforge.kinds.tables.private.plan import PrivateTable, overview_rows
from ganforge.kinds.tables.rules.expressions import shown
from ganforge.kinds.tables.rules.values import seen_range
from ganforge.kinds.tables.table import InspectedTable, Table
from ganforge.measures.intervals import of_share
from ganforge.planning.compute import (
    Pace,
    Span,
    choose_compute,
    choose_length,
    choose_pieces,
    for_examples,
    for_minutes,
    measure_rate,
)
from ganforge.planning.draft import ASKED, Draft, choose_data
from ganforge.planning.game import choose_objective, choose_optimiser, refuse_unbuildable
from ganforge.recipe import Network, Optimiser, Recipe, Request, Size
from ganforge.records import Rows


def overview_of(recipe: Recipe) -> tuple[Rows, ...]:
    """Return each column's findings and treatment, and the rules of every generated row, each with its reason."""
    if isinstance(recipe.data, PrivateTable):
        heads = ("column", "kind", "bounds", "cells", "")
        rows = overview_rows(recipe.data.columns, recipe.data.target)
        return (Rows(heads, tuple(rows), "What is public of the columns.", numeric=(3,)),)
    if not isinstance(recipe.data, TableData):
        return ()
    if recipe.data.tables:
        each = [_columns(table.columns, f"The columns of {table.name}.") for table in recipe.data.tables]
        return (*each, _links(recipe), *_rare(recipe), _rules(recipe))
    return _columns(recipe.data.columns), *_rare(recipe), _rules(recipe)


def _columns(columns: Sequence[Column], caption: str = "") -> Rows:
    rows = []
    for column in columns:
        ordered = column.is_number and column.minimum is not None
        rows.append(
            (
                column.name,
                column.kind,
                seen_range(column) if ordered else "",
                f"{column.missing:,}" if column.missing else "",
                f"{column.distinct:,}",
                column.does,
                column.why,
            )
        )
    heads = ("column", "kind", "range", "missing", "distinct", "what will be done", "why")
    told = (caption, not_learned([column.name for column in columns if column.is_made_up]))
    return Rows(heads, tuple(rows), " ".join(filter(None, told)), numeric=(3, 4))


def _links(recipe: Recipe) -> Rows:
    assert isinstance(recipe.data, TableData)
    heads = ("each row of", "belongs to one of", "by the column", "in the order of", "why")
    rows = [
        (table.name, table.parent, f"{table.foreign_key}", table.order or "the file", recipe.reasons["data.tables"])
        for table in recipe.data.tables
        if table.parent
    ]
    return Rows(heads, tuple(rows))


def _rare(recipe: Recipe) -> tuple[Rows, ...]:
    """Return what is kept back of the training rows, by column; nothing where no value is."""
    named = [(name.removeprefix(KEPT_BACK), why) for name, why in recipe.reasons.items() if name.startswith(KEPT_BACK)]
    return (Rows(("rare values of", "what becomes of them"), tuple(named)),) if named else ()


def _rules(recipe: Recipe) -> Rows:
    rules, reasons = recipe.section(RowSettings).rules, recipe.reasons
    none = "No rules: none was found that is no accident. Ask for one with --rule."
    found = [(shown(rule), reasons.get(f"rows.rules.{rule}", reasons.get("rows.rules", ""))) for rule in rules]
    return Rows(("every row keeps", "why"), tuple(found), caption="" if rules else none)


KEPT_BACK = "rows.rare."  # before a column's name: what becomes of its rare values, among the reasons of a recipe
RARE, RARE_SHARE = 5, 0.01  # rows from which on a value is drawn as it is; at most so many of a small table
BATCH = 512  # rows a step; where there are fewer, some come twice (docs/log.md)
SPANS, ROWS_FOR_A_SPAN = 32, 30
GAMMA_PER_SQUARED_DISTANCE, GAMMA_DECAY = 0.06, 0.3  # see gamma_rule
HALF_LIFE_SHARE = 0.05  # of the run
SECONDS_PER_LOOK = 0.5
LOOKS_ALONE, PATIENCE_ALONE = 10, 6  # of a generator that learns by likelihood, which hardly varies by chance
LOOKS_SHARED, SECONDS_PER_COLUMN = 3, 0.01  # of one of many columns, of which each look takes the more
PATIENCE_LOOKS = 12  # of at most twenty: with six, chance alone ended runs that still improved (docs/log.md)
REFEREE_SHARE, REFEREE_PASSES, MOST_REFEREE = 0.2, 40, 2_000_000  # see _choose_referee
REFEREE_COST = 0.4  # of a row shown to the referee, in rows shown in the game
STEADY_RATE = 20_000.0  # rows/s that space records and looks where examples were given, not minutes
NO_REFEREE = "none: among rows drawn unit after unit it found hardly any to prefer (docs/log.md)"
SIZES: dict[Size, Network] = {
    "tiny": Network(name="rows", latent_size=64, width=64, depth=2),
    "small": Network(name="rows", latent_size=128, width=128, depth=2),
    "medium": Network(name="rows", latent_size=128, width=192, depth=2),
    "base": Network(name="rows", latent_size=128, width=256, depth=2),
    "large": Network(name="rows", latent_size=128, width=512, depth=3),
}


def begin(request: Request, task: type[Task]) -> Draft:
    """Return a draft with the person's pinned settings. Raises: RecipeError before the table is read."""
    absent = {"augmentation": "Augmentation moves and colours pictures; a cell has no neighbour to be moved to."}
    if task.name == "impute":
        absent |= {"rows.whole": "Rows are only completed here: none is generated whole."}
    return Draft(request, task, absent=absent)


def choose_rows(draft: Draft, rules: Sequence[tuple[str, str]], count: int) -> RowSettings:
    """Choose how `count` rows become codes, and how they are learned: `open_table` needs this before timing.

    The length of the referee's training is chosen with the length. Args: rules in words, each with its reason.
    """
    imputes = draft.task.name == "impute"
    found = [why for _, why in rules]
    half = (0.5, "half of the rows teach to generate, half to complete: one model does both (docs/log.md)")
    rows = draft.choose(
        RowSettings,
        rules=(
            tuple(words for words, _ in rules),
            "; ".join(dict.fromkeys(found)) if found else "none was found that is no accident",
        ),
        spans=(
            min(SPANS, max(8, count // ROWS_FOR_A_SPAN)),
            f"at most {SPANS}, and at least {ROWS_FOR_A_SPAN} rows for each",
        ),
        values=("seen", "training values, each as often as it was seen; near them where they are rare"),
        rare=(
            min(RARE, max(2, int(RARE_SHARE * count))),
            f"a value of fewer than {RARE} rows, or of {RARE_SHARE:.0%} of a small table, could tell of one person",
        ),
        rare_classes=(True, "what few rows have in common, such as 18 frauds, has codes of its own and is counted"),
        **({} if imputes else {"whole": half}),
        referee=(0, "none: cells are filled with the best guess, not chosen among rows" if imputes else NO_REFEREE),
        candidates=(4, "a few are enough: eight gained nothing over four (docs/log.md)"),
        reconstruction=(
            float(imputes),
            "hidden cells are to be found again" if imputes else "none: to generate needs no such distance",
        ),
    )
    draft.explain({f"rows.rules.{words}": why for words, why in rules})
    return rows


def choose_values(draft: Draft, table: Table) -> bool:
    """Choose a curve instead of seen values where those alone make training rows again; return whether it did.

    Where one column is nearly unique, and the others follow from it or have few values, a row with any of its seen
    values is a training row. Unseen rows tell: their codes are no training rows', but the values that are drawn for
    these codes may be.
    """
    if draft.task.name != "generate" or draft[RowSettings].values == "smooth" or "rows.values" in draft.pinned:
        return False
    codes = table.held_out.tensors["x"].cpu().numpy().astype(np.int32)
    codes = codes[(codes >= 0).all(axis=1)]
    if not len(codes):
        return False
    drawn = table.codec.decode(codes, np.random.default_rng(seed_for(0, "rows/values")))
    sides = (table.train_rows, table.held_out_rows, drawn)
    train, unseen, made = (row_hashes(side, table.codec.columns) for side in sides)
    before, after = (of_share(int(np.isin(side, train).sum()), len(side)) for side in (unseen, made))
    if after.low <= before.high + MORE_COPIES:
        return False
    again, real = f"{after.value:.0%}", f"{before.value:.0%}"
    why = f"of seen values {again} of the rows would be training rows again, where {real} of unseen real rows are"
    draft.revise(RowSettings, values=("smooth", why))
    return True


def explain_kept_back(draft: Draft, protection: Protection) -> None:
    """Add to the reasons what becomes of each column's rare values."""
    draft.explain({f"{KEPT_BACK}{'+'.join(each.columns)}": each.sentence for each in protection.kept})


def plan_rows(draft: Draft, inspected: InspectedTable, table: Table, tell: Tell) -> Recipe:
    """Choose everything, each choice with its reason; time a few steps on this machine.

    Raises: RecipeError for networks that cannot be built.
    """
    columns = inspected.survey.columns
    why = f"{len(columns)} columns, learned as {len(table.codec.units)} units"
    choose_data(draft, "tables", ((len(columns),), why), inspected.survey.sha256, columns=(columns, ""))
    explain_kept_back(draft, table.protection)
    _begin_learning(draft)
    network = _choose_network(draft, table)
    refuse_unbuildable(network, lambda: build_row_networks(network, table.codec.sizes))
    if network.name in UNIT_AFTER_UNIT:
        choose_learning_alone(draft, BATCH, len(table.train), sum(table.codec.sizes))
    else:
        _choose_game(draft, table)
    _choose_length(
        draft, table.train, tell, lambda recipe: build_row_game(recipe, table.codec, table.train, table.held_out)
    )
    return draft.recipe()


def plan_alone(
    draft: Draft,
    train: TensorFeed,
    tell: Tell,
    networks: Callable[[Network], Sequence[nn.Module]],
    build: Callable[[Recipe], Game],
    why: str,
) -> Recipe:
    """Choose everything besides the sections `data` and `rows` for a game of one, which `build` builds. Args: why so.

    Raises: RecipeError for networks that cannot be built.
    """
    _begin_learning(draft)
    network = choose_network_alone(draft, why)
    refuse_unbuildable(network, lambda: networks(network))
    choose_learning_alone(draft, BATCH, len(train))
    _choose_length(draft, train, tell, build)
    return draft.recipe()


def _begin_learning(draft: Draft) -> None:
    asked = draft.request.task
    draft.explain({"task": ASKED if asked else "what can be made of a table: more rows like its own"})
    choose_compute(draft)


def _choose_game(draft: Draft, table: Table) -> None:
    """Choose objective and optimiser of a game of two."""
    gamma = gamma_rule(table)
    choose_objective(
        draft,
        (gamma, f"{GAMMA_PER_SQUARED_DISTANCE:g} x the mean squared distance of two rows"),
        (gamma * GAMMA_DECAY, f"{GAMMA_DECAY:g} of that rule's: sharper once the rows are near"),
    )
    choose_optimiser(
        draft,
        kind=("adam", "a step size for each weight, which rare and frequent codes need"),
        rate=(3e-3, "the best of those tried on Adult (docs/log.md); falls along a half cosine"),
        warmup=(0.0, "none: training begins at independent columns"),
        batch_size=(BATCH, f"from {len(table.train):,} training rows; fewer a step gained nothing, on few rows either"),
    )


def _choose_network(draft: Draft, table: Table) -> Network:
    if draft.task.name == "generate":
        alone, why = learns_alone(draft, table)
        return choose_network_alone(draft, why, table.codec.sizes) if alone else _choose_game_network(draft, why)
    return _choose_game_network(draft, "residual layers that complete a row from whatever is given of it")


def _choose_game_network(draft: Draft, why: str) -> Network:
    size = draft.request.size or ("base" if draft.task.name == "impute" else "small")
    sized = SIZES[size]
    width = (
        "a best guess of a cell gains from more of it (docs/log.md)"
        if draft[RowSettings].reconstruction
        else "as good as twice the width in the same time, on Adult"
    )
    return draft.choose(
        Network,
        name=(sized.name, why),
        latent_size=(sized.latent_size, "the same for all tables; not tuned"),
        width=(sized.width, ASKED if draft.request.size else width),
        depth=(sized.depth, "more layers gained nothing on Adult"),
    )


def gamma_rule(table: Table) -> float:
    """Return the penalty's weight at the start, from the mean squared distance S of two training rows as one-hots.

    S is the sum over units of 2 (1 - sum of squared shares). gamma = 0.06 S: the weight carries the scale of x, as for
    pictures (kinds/pictures/plan.py); on Adult a factor of five changes little (docs/log.md).
    """
    codes = table.train.tensors["x"][:100_000].cpu()
    squares = [
        torch.bincount(codes[:, unit].clamp_min(0).long()).div(len(codes)).square().sum()
        for unit in range(codes.shape[1])
    ]
    distance = 2 * (len(squares) - float(sum(squares)))
    return float(f"{max(GAMMA_PER_SQUARED_DISTANCE * distance, 0.01):.2g}")


def _choose_length(draft: Draft, train: TensorFeed, tell: Tell, build: Callable[[Recipe], Game]) -> None:
    """Choose the length of the game, and of the referee's training after it."""

    def measure(recipe: Recipe, steps: int) -> float:
        return measure_rate(recipe, train, steps, build=build)

    tell("timing", size=draft.request.size or "small")
    choose_pieces(draft, train, build=build)
    alone = draft[Network].name in UNIT_AFTER_UNIT
    pace, patience = (PACE_ALONE, PATIENCE_ALONE) if alone else (PACE, PATIENCE_LOOKS)
    if draft[Network].name == LOW_RANK:
        pace = replace(
            PACE_SHARED, seconds_per_look=SECONDS_PER_LOOK + SECONDS_PER_COLUMN * train.tensors["x"].shape[1]
        )
    if draft.examples is not None:
        span = for_examples(draft, draft.examples, measure)
        if not alone:
            _choose_referee(draft, train, span.examples)
    elif alone:
        columns = train.tensors["x"].shape[1] if draft[Network].name == LOW_RANK else 0
        span = enough(for_minutes(draft, pace, measure), len(train), draft[Optimiser].batch_size, columns)
    else:
        span = for_minutes(draft, PACE, measure)
        _choose_referee(draft, train, span.examples)
        span = _without_referee(draft, span)
    measure_of_best = {
        "likelihood": "how likely held-out rows are: on few rows the network soon knows the others by heart",
        "table_quality": "columns and pairs together: the last rows of a run need not be its best",
        "filling": "numbers and categories together: on few rows the network soon knows them by heart",
    }
    best_by = "table_quality" if draft.task.name == "generate" else "filling"
    best_by = "likelihood" if alone else best_by
    choose_length(
        draft,
        pace,
        span,
        look_samples=(4000, "as many held-out rows, or fewer, stand beside them"),
        best_by=(best_by, measure_of_best[best_by]),
        patience_looks=(
            patience,
            "so many looks without a better one are no chance: what is left would be wasted",
        ),
    )


def _choose_referee(draft: Draft, train: TensorFeed, examples: int) -> None:
    """Choose the length of the referee's training after the game. Args: examples that the whole run can show."""
    if draft.task.name != "generate":
        return
    most = {f"{REFEREE_SHARE:.0%} of the run": REFEREE_SHARE * examples, "enough": float(MOST_REFEREE)}
    passes = f"{REFEREE_PASSES} passes over the rows: more would teach it them by heart"
    most[passes] = REFEREE_PASSES * len(train)
    why = min(most, key=lambda reason: most[reason])
    draft.revise(RowSettings, referee=(int(most[why]), why))


def _without_referee(draft: Draft, span: Span) -> Span:
    """Return the part of the minutes for the game."""
    assert span.seconds is not None
    seconds = REFEREE_COST * draft[RowSettings].referee / span.rate
    examples = max(draft[Optimiser].batch_size, span.examples - int(span.rate * seconds))
    why = f"{span.why} and of the referee, {seconds:.0f} seconds" if draft[RowSettings].referee else span.why
    return replace(span, examples=examples, why=why, seconds=span.seconds - seconds)


def _marks(seconds: float) -> tuple[float, ...]:
    """Return the progress at which rows are drawn and measured: about every ten seconds, four to twenty times."""
    looks = round(min(20.0, max(4.0, seconds / 10)))
    return (0.0, *(round(number / looks, 4) for number in range(1, looks + 1)))


PACE = Pace(
    examples="rows",
    looks="looks at samples",
    seconds_per_look=SECONDS_PER_LOOK,
    steady_rate=STEADY_RATE,
    half_life_share=HALF_LIFE_SHARE,
    most_steps=200,
    marks=_marks,
    why_marks="each look draws rows and compares columns and pairs, which takes half a second",
)
PACE_ALONE = replace(
    PACE,
    marks=lambda seconds: tuple(number / LOOKS_ALONE for number in range(LOOKS_ALONE + 1)),
    why_marks="often enough to keep the model from before it knew the rows by heart",
)
PACE_SHARED = replace(
    PACE_ALONE,
    marks=lambda seconds: tuple(number / LOOKS_SHARED for number in range(LOOKS_SHARED + 1)),
    why_marks="a few: each draws, measures and compares all of many columns",
)
