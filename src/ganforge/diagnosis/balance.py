"""Checks on the balance of the players: a discriminator that dominates, is at chance level, or oscillates."""

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
_LOOKS = 3  # evaluations needed to tell whether quality improves
_TINY = 0.05  # of its early median: the generator gets hardly any gradient
_EQUAL = 0.002  # scores that differ by less count as equal: the loss is that of guessing, within 0.2 %
_NEVER = 0.05  # a discriminator whose lead never exceeded it has never seen a difference
_OUTWEIGHED = 0.5  # share of the penalty in the discriminator's loss; a few per cent are usual
_EARLIEST = 0.3  # of the run: at its start no discriminator separates much
_FLAT = 1e-6  # a gradient norm below this moves nothing, whatever it was before


def discriminator_wins(history: History) -> Finding | None:
    """Detect a discriminator that nearly always tells real from fake while the generator learns nothing from it.

    A high ranking alone is not a fault: a relativistic game with a weak penalty ranks well and still teaches. So the
    lead must grow or be very large, the generator must lack gradient or lose ground, and quality must not improve.
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
    """Detect a discriminator that ranks real and fake at chance level although the samples are bad."""
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
    """Return whether the penalty outweighs the adversarial loss, or no gradient remains.
    Columns that hardly depend on each other also give a sound discriminator little to see."""
    told = [(record.get("terms") or {}).get(judge) or {} for record in history.records]
    share = [sum(v for k, v in terms.items() if k in PENALTIES) / max(sum(terms.values()), 1e-12) for terms in told]
    return middle(window(share)) > _OUTWEIGHED or middle(window(series(history, "gradient_norms", judge))) < _FLAT


def _suffers(history: History, player: str) -> str | None:
    """Describe how the generator lacks gradient; None if it does not."""
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
    """Return whether quality is near its floor: a discriminator at chance level then means success."""
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


_LEAST_RECORDS, _MOST_RECORDS = 24, 200  # that are examined
_LATE = 0.6  # of the run, its last part: training begins with one large swing
_TURNS = 3.0  # full cycles required: two happen by chance
_SMOOTH = 0.4  # correlation of a record with the next one: none in noise, high in a well-sampled wave
_REVERSED = -0.25  # correlation half a cycle later
_SIDE = 0.3  # of the standard deviation: values nearer to the middle count as on neither side
_SWING = 0.5  # standard deviation over the median size: smaller waves on a steady lead do no harm


@dataclass(frozen=True, slots=True)
class Cycle:
    """An oscillation in a series: number of cycles, amplitude, and correlation half a cycle later."""

    turns: float
    swing: float  # standard deviation about the drift, over the median size of the series
    reversed: float  # correlation with itself half a cycle later, in -1..1


def oscillating(history: History) -> Finding | None:
    """Detect a discriminator's lead that oscillates steadily while quality does not improve."""
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
    """Return the oscillation of a series after removing its slow drift, or None if none is clear.

    Amplitude and period vary during training, so no single period is sought: a wave is smooth from one record to the
    next, unlike noise, has negative autocorrelation half a cycle later, unlike a drift, and crosses its middle again
    and again.
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
    """Remove the straight line from a series."""
    n = len(values)
    centre, mean = (n - 1) / 2, sum(values) / n
    slope = sum((i - centre) * v for i, v in enumerate(values)) / sum((i - centre) ** 2 for i in range(n))
    return [v - mean - slope * (i - centre) for i, v in enumerate(values)]
