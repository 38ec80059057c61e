"""The balance of the game: a discriminator that is far ahead teaches nothing, and neither does a blind one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ganforge.diagnosis.history import (
    PENALTIES,
    Quality,
    early,
    leading_quality,
    middle,
    score_gap,
    series,
    trend,
    window,
)
from ganforge.records import Finding, History

_ALWAYS = 0.98  # of pairs ranked right: with 64 pairs a batch, about one mistake each
_FAR = 4.0  # a lead from which on the worst sample and the best look alike: softplus(-4) teaches 0.02
_GROWTH = 1.5  # the gap between real and fake scores has grown by half since the early part of the run
_LOOKS = 3  # from which on it can be said whether quality gets better
_TINY = 0.05  # of its early median: the generator is hardly pushed any more
_EQUAL = 0.002  # scores that differ by less are one score: the loss is that of guessing, within two per mille
_NEVER = 0.05  # a discriminator whose lead was never above it has never seen a difference
_OUTWEIGHED = 0.5  # of the discriminator's loss is penalty; a few per cent are usual
_EARLIEST = 0.3  # of the run: at its start no discriminator sees much
_FLAT = 1e-6  # a gradient norm below this moves nothing, whatever it was before


def discriminator_wins(history: History) -> Finding | None:
    """The discriminator tells real from fake nearly always, its lead grows, and the generator learns nothing from it.

    A high ranking alone is no ailment: a relativistic game with a weak penalty ranks well and still teaches. So the
    lead must grow or be very large, the generator must be starved of gradient or lose ground, and quality must not be
    improving.
    """
    for judge in history.discriminators:
        ranked, gap = series(history, "notes", judge, "ranked_right"), score_gap(history, judge)
        if len(window(ranked)) == 0 or len(window(gap)) == 0:
            continue
        lead, lead_before, seen = middle(window(gap)), middle(early(gap)), leading_quality(history)
        # A row that was given to the generator in part or whole cannot be ranked, however sure the discriminator is.
        if middle(window(ranked)) <= _ALWAYS and lead < _FAR:
            continue
        if not (lead > 0 and (lead > _GROWTH * max(lead_before, 0.0) or lead > 10)):  # softplus(-10) teaches 5e-5
            continue
        suffering = next((words for player in history.generators if (words := _suffers(history, player))), None)
        if suffering is None and lead >= _FAR and seen is not None and len(seen.values) >= _LOOKS:
            suffering = f"{seen.name} did not get better"
        if suffering is None or _improving(seen):
            continue
        return Finding(
            ailment="discriminator_wins",
            severity="critical",
            evidence=f"In the last part of the run {judge} ranked {middle(window(ranked)):.1%} of the pairs right, "
            f"its lead in score went from {lead_before:.3g} to {lead:.3g}, and {suffering}.",
            cause="The discriminator is far ahead: every sample looks equally wrong to it, so the generator gets no "
            "hint which way to go.",
            remedy="Strengthen the gradient penalty, two to four times the plan's value: `--set "
            "objective.gamma_start=...`. A penalty of 0, or an objective that saturates (minimax), is the usual "
            "reason: use `--objective r3gan` with the plan's penalty.",
        )
    return None


def discriminator_blind(history: History) -> Finding | None:
    """The discriminator ranks at random and cannot tell real from fake, although the samples are bad."""
    for judge in history.discriminators:
        ranked, gap = series(history, "notes", judge, "ranked_right"), score_gap(history, judge)
        if not window(ranked) or not window(gap):
            continue
        lead, best_lead = middle(window(gap)), max((abs(value) for value in gap if math.isfinite(value)), default=0.0)
        # One that gives every example the same score ranks no pair at all, or by rounding.
        constant = abs(lead) < _EQUAL and best_lead < _NEVER and _held_flat(history, judge)
        if not constant and not (abs(middle(window(ranked)) - 0.5) < 0.03 and abs(lead) < max(0.05, 0.02 * best_lead)):
            continue
        norms = series(history, "gradient_norms", judge)
        now, before = middle(window(norms)), middle(early(norms))
        if not constant and not (now < max(_FLAT, _TINY * before)):
            continue
        seen = leading_quality(history)
        if _improving(seen) or _good(seen) or (constant and history.progress < _EARLIEST):
            continue
        return Finding(
            ailment="discriminator_blind",
            severity="critical",
            evidence=f"In the last part of the run {judge} ranked {middle(window(ranked)):.1%} of the pairs "
            f"right (50 % is guessing), the mean scores of real and fake differ by {lead:.2g}, and its "
            f"gradient norm went from {before:.2g} to {now:.2g}. {_quality_words(seen)}".strip(),
            cause="The discriminator has gone blind: it gives real and fake the same score, so the generator has no "
            "teacher. A penalty that is far too strong flattens it, and so does a network that is too small or has "
            "died.",
            remedy="Weaken the gradient penalty to a quarter or a tenth of the plan's value: `--set "
            "objective.gamma_start=...`. If it stays blind, take a larger network with `--size medium`.",
        )
    return None


def _held_flat(history: History, judge: str) -> bool:
    """Whether the penalty outweighs the game, or no gradient is left: columns that hardly depend on each other also
    leave a sound discriminator little to see."""
    told = [(record.get("terms") or {}).get(judge) or {} for record in history.records]
    share = [sum(v for k, v in terms.items() if k in PENALTIES) / max(sum(terms.values()), 1e-12) for terms in told]
    return middle(window(share)) > _OUTWEIGHED or middle(window(series(history, "gradient_norms", judge))) < _FLAT


def _suffers(history: History, player: str) -> str | None:
    """How the generator is starved, in words, or None when it is not."""
    norms = series(history, "gradient_norms", player)
    now, before = middle(window(norms)), middle(early(norms))
    if now < max(_FLAT, _TINY * before):
        return f"the gradient norm of {player} sank from {before:.2g} to {now:.2g}"
    losses = series(history, "terms", player, "adversarial")
    loss, loss_before = middle(window(losses)), middle(early(losses))
    if loss > loss_before + 0.5 * abs(loss_before) and trend(window(losses), window=len(losses)) != "improving":
        return f"the loss of {player} rose from {loss_before:.3g} to {loss:.3g}"
    return None


def _improving(seen: Quality | None) -> bool:
    return seen is not None and trend(seen.values, seen.better) == "improving"


def _good(seen: Quality | None) -> bool:
    """Near the floor: a discriminator that cannot tell real from fake is then the end of a successful game."""
    if seen is None or not seen.values:
        return False
    last, first = seen.values[-1], seen.values[0]
    if seen.floor is not None and seen.better == "lower":
        return last <= max(3 * seen.floor, 0.1 * first)
    if seen.floor is not None:
        return last >= 0.95 * seen.floor
    return last < 0.3 * first if seen.better == "lower" else last > 0.9


def _quality_words(seen: Quality | None) -> str:
    if seen is None or not seen.values:
        return ""
    floor = "" if seen.floor is None else f"; real data gets {seen.floor:.3g}"
    return f"{seen.name} stays at {seen.values[-1]:.3g} ({seen.better} is better{floor})."


_LEAST_RECORDS, _MOST_RECORDS = 24, 200  # that are looked at
_LATE = 0.6  # of the run, its last part: the beginning of a game is one great swing
_TURNS = 3.0  # full turns that must be seen: two ups and downs happen by chance
_SMOOTH = 0.4  # correlation of a record with the next one: noise has none, a wave that is seen often enough much
_REVERSED = -0.25  # correlation half a turn later
_SIDE = 0.3  # of the standard deviation: nearer to the middle a value is on neither side
_SWING = 0.5  # standard deviation over the median size: smaller waves on a steady lead do no harm


@dataclass(frozen=True, slots=True)
class Cycle:
    """A rhythm in a series: how often it went round, how far it swings, and how well it reverses itself."""

    turns: float
    swing: float  # standard deviation about the drift, over the median size of the series
    reversed: float  # correlation with itself half a turn later, in -1..1


def oscillating(history: History) -> Finding | None:
    """The discriminator's lead rises and falls in a steady rhythm, and quality does not improve."""
    for judge in history.discriminators:
        records = history.records[-min(_MOST_RECORDS, max(_LEAST_RECORDS, round(_LATE * len(history.records)))) :]
        gaps = score_gap(History(records), judge)
        cycle = find_cycle(gaps)
        seen = leading_quality(history)
        if (
            cycle is None
            or cycle.swing < _SWING
            or (seen is not None and trend(seen.values, seen.better) == "improving")
        ):
            continue
        steps = (int(records[-1].get("step", 0)) - int(records[0].get("step", 0))) / cycle.turns
        return Finding(
            ailment="oscillating",
            severity="warning",
            evidence=f"The lead of {judge} swings by {cycle.swing:.0%} of its size, and went up and down "
            f"{cycle.turns:.0f} times in the last {len(gaps)} records, about every {steps:,.0f} steps (half a turn "
            f"later it is reversed: correlation {cycle.reversed:.2f}).",
            cause="The players chase each other in circles: what one learns the other undoes. Without a gradient "
            "penalty nothing damps the circle, and momentum and large steps drive it.",
            remedy="Strengthen the gradient penalty (`--set objective.gamma_start=...`, two to four times the plan's), "
            "halve the learning rate (`--set optimiser.learning_rate_start=...`), and keep `optimiser.beta1` at 0.",
        )
    return None


def find_cycle(values: Sequence[float]) -> Cycle | None:
    """The rhythm of a series whose slow drift is taken off, or None where there is no clear one.

    A game's circles grow, shrink and change their pace, so no single period is looked for: a wave is smooth from one
    record to the next, which noise is not, turns against itself, which a drift does not, and comes back again and again
    to either side of its middle.
    """
    finite = [value for value in values if math.isfinite(value)]
    n = len(finite)
    if n < _LEAST_RECORDS:
        return None
    x = _without_drift(finite)
    power = sum(value * value for value in x)
    if power <= 1e-12 * sum(value * value for value in finite):
        return None
    swing = math.sqrt(power / n)
    sides = [value > 0 for value in x if abs(value) > _SIDE * swing]
    turns = sum(a != b for a, b in pairwise(sides)) / 2
    correlation = [_correlation(x, lag, power) for lag in range(1, max(2, int(n / _TURNS)))]
    if turns < _TURNS or correlation[0] < _SMOOTH or min(correlation) > _REVERSED:
        return None
    return Cycle(turns, swing / max(median(abs(value) for value in finite), 1e-12), min(correlation))


def _correlation(x: Sequence[float], lag: int, power: float) -> float:
    return sum(a * b for a, b in zip(x, x[lag:], strict=False)) / power * len(x) / (len(x) - lag)


def _without_drift(values: Sequence[float]) -> list[float]:
    """The series without its straight line."""
    n = len(values)
    centre, mean = (n - 1) / 2, sum(values) / n
    slope = sum((i - centre) * v for i, v in enumerate(values)) / sum((i - centre) ** 2 for i in range(n))
    return [v - mean - slope * (i - centre) for i, v in enumerate(values)]
