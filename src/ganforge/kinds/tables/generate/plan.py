"""The plan for a generator of rows that learns alone, by likelihood (likelihood.py), and which tables have one."""

from __future__ import annotations

from dataclasses import replace

from ganforge.errors import RecipeError, did_you_mean
from ganforge.kinds.tables.autoregressive import AUTOREGRESSIVE
from ganforge.kinds.tables.columns import RowSettings
from ganforge.kinds.tables.low_rank import LOW_RANK, UNIT_AFTER_UNIT
from ganforge.kinds.tables.networks import RowLayout
from ganforge.kinds.tables.table import Table
from ganforge.planning.compute import Span
from ganforge.planning.draft import ASKED, Draft
from ganforge.planning.game import choose_optimiser
from ganforge.recipe import Network, Optimiser, Size

PASSES, LEAST_EXAMPLES, UNSEEN = 20, 50_000, 20.0  # of a generator that learns alone: see docs/log.md
FEWEST_ROWS = 1_000  # below, likelihood soon knows the rows by heart, and the game is better (docs/log.md)
MOST_WEIGHTS = 8_000_000  # of its first layer: beyond, a step takes too long, and units share what they see
SHARED_WIDTH, SHARED_BATCH, SHARED_RATE = 32, 128, 1e-2  # of a generator whose units share it (docs/log.md)
MOST_APART = 8_192  # codes of all units, of which pairs are kept apart: a table of 64 MiB
DECAY_ROWS, MOST_DECAY = 8_000, 1.0  # more, and pairs are no longer sharp; less, and more is learned by heart
VERDICT_SECONDS, MOST_VERDICT = 20.0, 0.3  # of one core, for 30,000 rows of 15 columns; share of the minutes, at most
WIDE_SECONDS, MOST_WIDE = 0.08, 0.6  # of one core, for each of many columns besides; share of the minutes, at most
NO_ADVERSARY = "A generator that learns by likelihood has no opponent; --set network.name=rows has one."
NO_LATENT = "A generator that draws unit after unit draws nothing from noise; --set network.name=rows does."
ALONE: dict[Size, Network] = {
    "tiny": Network(name=AUTOREGRESSIVE, width=32, depth=1),
    "small": Network(name=AUTOREGRESSIVE, width=64, depth=1),
    "medium": Network(name=AUTOREGRESSIVE, width=128, depth=1),
    "base": Network(name=AUTOREGRESSIVE, width=128, depth=2),
    "large": Network(name=AUTOREGRESSIVE, width=256, depth=2),
}
OF_A_GAME = ("objective.", "network.latent_size", "rows.reconstruction")  # settings that only a game of two has


def learns_alone(draft: Draft, table: Table) -> tuple[bool, str]:
    """Return whether the generator draws unit after unit and learns alone, by likelihood; and why, or why not."""
    named = draft.pinned.get("network.name")
    if named not in (None, "rows", *UNIT_AFTER_UNIT):
        raise RecipeError(f"There is no network {named!r} for rows.", did_you_mean(named, ("rows", *UNIT_AFTER_UNIT)))
    if named is not None:
        return named in UNIT_AFTER_UNIT, ASKED
    asked = next((name for name in draft.pinned for start in OF_A_GAME if name.startswith(start)), None)
    if asked is not None:
        return False, f"a game of two, which {asked} belongs to"
    if len(table.train) < FEWEST_ROWS:
        return (
            False,
            f"a game of two: of {len(table.train):,} rows it learns more; from {FEWEST_ROWS:,} on, likelihood does",
        )
    return True, "draws unit after unit, learned by likelihood: better than the game in less time (docs/log.md)"


def choose_network_alone(draft: Draft, why: str, sizes: tuple[int, ...] = ()) -> Network:
    """Choose the section `network`.

    Args: why there is no game of two; sizes of the units, for which units may share what they see; none: they do not.
    """
    draft.leave_out({"objective": NO_ADVERSARY, "network.latent_size": NO_LATENT})
    sized, wide = ALONE[draft.request.size or "small"], "twice the width gained nothing on Adult"
    weights = RowLayout(sizes).width * len(sizes) * draft.pinned.get("network.width", sized.width)
    chosen = LOW_RANK if weights > MOST_WEIGHTS else AUTOREGRESSIVE
    if draft.pinned.get("network.name", chosen) == LOW_RANK:
        why += f"; units share what they see: to each its own would take {weights / 1e6:,.0f} million weights"
        if not draft.request.size:
            sized, wide = sized.model_copy(update={"width": SHARED_WIDTH}), "small: each of many columns has a network"
    return draft.choose(
        Network,
        name=(chosen, why),
        width=(sized.width, ASKED if draft.request.size else wide),
        depth=(sized.depth, "more layers gained nothing on Adult"),
    )


def choose_learning_alone(draft: Draft, batch_size: int, rows: int, places: int = 0) -> None:
    """Choose the optimiser, and how rows are learned. Args: rows of the training part; places codes of all units."""
    shared, share = (
        draft[Network].name == LOW_RANK,
        f"from {rows:,} training rows; where there are fewer, some come twice",
    )
    draft.revise(
        RowSettings,
        whole=(0.5, "half of the steps teach to draw whole rows, half to complete them: one model does both"),
        reconstruction=(0.0, "none: likelihood is all that it learns by"),
        unseen=(0.0, f"of more than {MOST_APART:,} values no pairs are kept apart: their table takes too much memory")
        if shared and places > MOST_APART
        else (
            UNSEEN,
            "pairs of categories that (almost) never occur, where chance would give so many rows, are not drawn",
        ),
    )
    rate, found = (SHARED_RATE, "a table of 100 columns") if shared else (3e-3, "Adult")
    choose_optimiser(
        draft,
        kind=("adam", "a step size for each weight, which rare and frequent codes need"),
        rate=(rate, f"the best of those tried on {found} (docs/log.md); falls along a half cosine"),
        warmup=(0.0, f"none: training begins at {'a Gaussian copula' if shared else 'independent columns'}"),
        beta1=(0.9, "the paper's value: one player, whose task stays the same, may gather momentum"),
        batch_size=(SHARED_BATCH, f"{share}; a step takes long, and many are needed")
        if shared
        else (batch_size, share),
    )
    if draft[Optimiser].kind == "adam":
        decay = float(f"{min(MOST_DECAY, DECAY_ROWS / rows):.2g}")
        why = f"{DECAY_ROWS:,} / rows, {MOST_DECAY:g} at most: the fewer rows, the sooner they are known by heart"
        draft.revise(Optimiser, weight_decay=(decay, why))


def _with_verdict(span: Span, batch_size: int, columns: int) -> Span:
    """Return the part of the minutes that leaves time for the verdict and the report after training.

    Args: columns many of them, which all take time; 0 where there are few.
    """
    if span.seconds is None:
        return span
    needed, share = VERDICT_SECONDS + WIDE_SECONDS * columns, MOST_WIDE if columns else MOST_VERDICT
    seconds = span.seconds - min(needed, share * span.seconds)
    examples = max(batch_size, int(span.examples * seconds / span.seconds))
    return replace(span, examples=examples, why=f"{span.why} and of the verdict", seconds=seconds)


def enough(span: Span, rows: int, batch_size: int, columns: int = 0) -> Span:
    """Return the part of the minutes before the verdict, or that after which a generator alone gains nothing more.

    Args: columns as for `_with_verdict`.
    """
    span = _with_verdict(span, batch_size, columns)
    most = max(PASSES * rows, LEAST_EXAMPLES)
    if span.examples <= most:
        return span
    passes = f"{most / rows:,.0f} passes over the rows are enough: more would teach it them by heart"
    return replace(span, examples=most, why=passes, seconds=None)
