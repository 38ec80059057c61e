"""Checks for exploding or vanishing gradients, steps too large from the start, and short or slow runs."""

from __future__ import annotations

import math
from statistics import median
from typing import Literal

from ganforge.diagnosis.history import (
    PENALTIES,
    at,
    early,
    leading_quality,
    middle,
    score_gap,
    series,
    trend,
    window,
)
from ganforge.records import Finding, History, Record

_MANY = 0.01  # one turn in a hundred: more than an occasional overflow


def not_finite(history: History) -> Finding | None:
    """Detect turns skipped, or a run rewound, because a loss or a gradient was NaN or infinite."""
    last = history.records[-1] if history.records else {}
    rewinds = sum(event.get("kind") == "rewound" for event in history.events)
    rewinds = max(rewinds, int(last.get("attempt", 0)) - _returns(history))
    skipped = int(last.get("skipped", 0))
    if not skipped and not rewinds:
        return None
    turns = max(1, int(last.get("step", 0)) * max(1, len(history.players)))
    times = "once" if rewinds == 1 else f"{rewinds} times"
    evidence = f"{skipped} of {turns:,} turns had a loss or gradient that was not a finite number and were skipped"
    evidence += f"; the run was taken back to its last healthy checkpoint {times}." if rewinds else "."
    return Finding(
        ailment="not_finite",
        severity="critical" if rewinds > 1 else "warning" if rewinds or skipped > _MANY * turns else "note",
        evidence=evidence,
        cause="The steps are too large for this loss: weights jump to where numbers overflow. Extreme values in the "
        "data do the same.",
        remedy="Train again with half of the plan's learning rate: `--set optimiser.learning_rate_start=...`. If it "
        "comes back, look at the data passport for extreme values.",
    )


def _returns(history: History) -> int:
    """Return how often the guard rewound the run, which it does for other reasons too."""
    returns = (event for event in history.events if event.get("kind") == "guarded")
    return len({(event.get("attempt"), event.get("step")) for event in returns if event.get("to_step") is not None})


_JUMP = 10.0  # times the running median
_SETTLED = 8  # records before a median means anything: the first ones hold the warm-up
_RECENT = 100  # records, or a quarter of the run
_DEAD = 1e-4  # of the early median
_NEAR = 0.05  # standard deviations of the target between a regression and its closed-form answer
_ABSURD = 20.0  # a loss: the observed outcome had probability exp(-20); healthy losses stay below 3
_NOTHING = 1e-7  # a gradient norm: Adam does not scale up smaller ones (its epsilon is 1e-8)
_STILL = 1e-6  # step over weights: 1e-3 is usual, this is a standstill
_BEGUN = 0.05  # lead in score that a discriminator must once have had: before, it guesses (its loss is log 2)


def exploding(history: History) -> Finding | None:
    """Detect a gradient norm above ten times its running median, or a diverging loss."""
    for player in history.players:
        norms = series(history, "gradient_norms", player)
        jumps = _jumps(norms)
        if jumps:
            worst = max(jumps, key=lambda i: norms[i] if math.isfinite(norms[i]) else math.inf)
            usual = middle(norms[:worst][-50:])
            lasting = jumps[-1] >= len(norms) - max(3, len(norms) // 10) and len(jumps) >= 2
            return _exploding(
                f"The gradient norm of {player} reached {norms[worst]:.3g} {at(history.records[worst])}; its running "
                f"median was {usual:.3g}. It happened in {len(jumps)} of {len(norms)} records"
                + (" and goes on at the end." if lasting else "; the run came back from it."),
                lasting,
            )
        losses = _losses(history, player)
        sizes = list(map(abs, losses))
        now, before = middle(window(sizes)), middle(early(sizes))
        if now > 100 * max(before, 1e-3):
            return _exploding(f"The loss of {player} went from {before:.3g} to {now:.3g} in size.", lasting=True)
        against = len(history.players) > 1  # the likelihood of a row of a thousand columns, learned alone, has no scale
        if against and now > _ABSURD and min(losses) >= 0:  # nor has a loss that can be negative, as Wasserstein's
            game = middle(window(_losses(history, player, without=PENALTIES)))
            if game > _ABSURD:
                return _exploding(f"The loss of {player} is {game:.3g}; guessing would cost about 1.", lasting=True)
    return None


def vanishing(history: History) -> Finding | None:
    """Detect a player whose gradient or steps have vanished before it has converged.

    Steps are divided by the learning rate's decay, because a schedule that ends at zero is intended. A single-player
    game whose loss has fallen has converged, which is success; so has a GAN that reached its floor. While a
    discriminator has not begun to tell real from fake, neither it nor a generator that learns from it has stopped.
    """
    alone, judges = len(history.players) == 1, history.discriminators
    waiting = bool(judges) and not any(_has_begun(history, judge) for judge in judges)
    for player in history.players:
        norms = series(history, "gradient_norms", player)
        if waiting and (history.progress <= _BY_NOW or max(norms, default=0.0) < _NOTHING):
            continue
        now, before = middle(window(norms)), middle(early(norms))
        if before > 0 and now < _DEAD * before and not _arrived(history, player):
            return _vanishing(player, f"its gradient norm sank from {before:.2g} to {now:.2g}", alone)
        if now < _NOTHING and not _arrived(history, player):
            return _vanishing(player, f"its gradient norm is {now:.2g}, which its optimiser takes for nothing", alone)
        ratios = _ratios_without_schedule(history, player)
        still = middle(window(ratios))
        if still < _STILL and not _arrived(history, player):
            return _vanishing(
                player, f"a step changes its weights by only {still:.1g} of their size (1e-3 is usual)", alone
            )
    return None


def _has_begun(history: History, judge: str) -> bool:
    """Return whether a discriminator has ever told real from fake. One that never does is called blind, not stopped."""
    return any(abs(lead) > _BEGUN for lead in score_gap(history, judge))


def _jumps(norms: list[float]) -> list[int]:
    """Return the records whose norm is far above the median before; a first gradient after none is not a jump."""
    found = []
    least = min((value for value in norms if math.isfinite(value)), default=0.0)
    for i in range(_SETTLED, len(norms)):
        if norms[i] <= _JUMP * least:  # no median lies below the minimum: most runs need not compute one
            continue
        before = [value for value in norms[max(0, i - 50) : i] if math.isfinite(value)]
        usual = median(before) if before else math.inf
        if not math.isfinite(norms[i]) or (usual > _NOTHING and norms[i] > _JUMP * usual):
            found.append(i)
    return found


def _losses(history: History, player: str, without: tuple[str, ...] = ()) -> list[float]:
    """Return the sum of a player's loss terms in each record, except those in `without`."""
    found = ((record.get("terms") or {}).get(player) for record in history.records)
    return [float(sum(value for name, value in terms.items() if name not in without)) for terms in found if terms]


def _ratios_without_schedule(history: History, player: str) -> list[float]:
    """Return update-to-weight ratios over the learning rate's decay, in the last part of the run."""
    top = max(series(history, "learning_rates", player), default=0.0)
    pairs = (
        ((record.get("update_ratios") or {}).get(player), (record.get("learning_rates") or {}).get(player))
        for record in history.records[-max(_RECENT, len(history.records) // 4) :]
    )
    return [ratio * top / rate for ratio, rate in pairs if ratio is not None and rate and rate > 1e-4 * top]


def _arrived(history: History, player: str) -> bool:
    """Return whether small gradients mean success: a lone player's loss settled, or quality is still improving.

    A lone player may have converged before its first record: the evaluation then shows a closed-form answer nearby or
    a measure that beats its reference.
    """
    if len(history.players) == 1:
        losses = _losses(history, player)
        near = float((history.evaluation.get("solution") or {}).get("distance", math.inf)) < _NEAR
        beats = any(
            measure["low"] > measure["reference"]
            for measure in history.measures.values()
            if measure["better"] == "higher"
        )
        return near or beats or (bool(losses) and middle(window(losses)) < 0.9 * losses[0])
    seen = leading_quality(history)
    return seen is not None and trend(seen.values, seen.better) == "improving"


def _exploding(evidence: str, lasting: bool) -> Finding:
    return Finding(
        ailment="exploding",
        severity="critical" if lasting else "note",
        evidence=evidence,
        cause="The steps are too large or the penalty too weak, so the networks overshoot each other and themselves.",
        remedy="Train again with half of the plan's learning rate (`--set optimiser.learning_rate_start=...`) or, in a "
        "game of two, with twice its penalty: "
        "`--set objective.gamma_start=...`.",
    )


def _vanishing(player: str, evidence: str, alone: bool) -> Finding:
    return Finding(
        ailment="vanishing",
        severity="critical",
        evidence=f"{player} has stopped learning: {evidence}.",
        cause="No gradient reaches this network any more. "
        + ("" if alone else "The other player may have won or gone blind. ")
        + "Units may have died after a step that was too large, or the learning rate is far too small.",
        remedy="Compare the learning rate with the plan's: `--set optimiser.learning_rate_start=...`."
        if alone
        else "Use an objective that does not saturate: `--objective r3gan`. If it is that already, change the penalty "
        "with `--set objective.gamma_start=...` and compare the learning rates with the plan's.",
    )


# ---- signs of a bad start, for the guard -----------------------------------------------------------------------------
# The guard must decide early, and later checks whether it was right. These are separate from CHECKS, which are
# reported to users: a slow but healthy run may look like this for a while.


_STRANGE = 0.3  # precision: of samples that pass for data at all; the digits have 0.95 after 3,000 examples
_HARDLY, _BY_NOW = 0.05, 0.3  # precision so low after so much of the run: it will not recover by itself
_STEEP = 0.2  # step over weights: 0.001 is usual, 0.01 to 0.06 at the start of the plans' runs
_FIRST = 4  # records: later the weights have grown, and the same steps are small relative to them


def early_signs(history: History) -> tuple[Finding, ...]:
    """Return those of `hopeless` or `shapeless`, `overshooting` or `opponent_overshooting` that apply."""
    return tuple(found for found in (_overshooting(history), _shapeless(history)) if found is not None)


def _shapeless(history: History) -> Finding | None:
    """Detect that hardly any sample of the last evaluation resembles data."""
    seen = history.looks
    precision = (seen[-1].get("quality") or {}).get("precision") if seen else None
    if precision is None or precision >= _STRANGE:
        return None
    hopeless = precision < _HARDLY and float(seen[-1]["progress"]) >= _BY_NOW
    return Finding(
        "hopeless" if hopeless else "shapeless",
        "critical",
        f"Only {precision:.0%} of the samples pass for data.",
        "The networks have been thrown about and have learned nothing.",
        "Smaller steps, from the start.",
    )


def _overshooting(history: History) -> Finding | None:
    """Detect first steps that changed whole networks; for the opponents alone the finding has another name."""
    first = {
        player: middle(series(history, "update_ratios", player)[:_FIRST])
        for player in (*history.discriminators, *history.generators)
        if len(series(history, "update_ratios", player)) >= _FIRST
    }
    steep = {player: ratio for player, ratio in first.items() if ratio > _STEEP}
    if not steep:
        return None
    told = " and ".join(f"{ratio:.0%} of the weights of {player}" for player, ratio in steep.items())
    return Finding(
        "overshooting" if set(steep) & set(history.generators) else "opponent_overshooting",
        "critical",
        f"Single steps at the start changed {told} (1 % to 6 % are usual), and nothing has been learned since.",
        "The steps are too large.",
        "Smaller steps, from the start.",
    )


# ---- runs that ended too early, and machines that were busy with something else --------------------------------------


_GAINING = 0.15  # of the way to the floor, since the last look before the end
_LATE = (0.5, 0.85)  # where that evaluation may lie: decaying learning rates always gain a little at the very end
_SLOW = 0.5  # of its best speed
_WAITED = 0.4  # of the time: the run could be nearly twice as fast


def too_short(history: History) -> Finding | None:
    """Detect that quality was still improving, short of its floor, when the run ended."""
    records = history.records
    seen = leading_quality(history)
    if not records or not history.discriminators or seen is None or float(records[-1].get("progress", 0)) < 0.98:
        return None
    told = [
        (float(record["progress"]), float(record["quality"][seen.name]))
        for record in history.looks
        if math.isfinite(record["quality"].get(seen.name, math.nan))
    ]
    earlier = [(progress, value) for progress, value in told if _LATE[0] <= progress <= _LATE[1]]
    if not earlier or told[-1][0] < 0.98:
        return None
    (progress, before), last = earlier[-1], told[-1][1]
    floor = seen.floor or 0.0
    gain = before - last if seen.better == "lower" else last - before
    room = before - floor if seen.better == "lower" else before
    if gain < _GAINING * max(abs(room), 1e-12) or (seen.better == "lower" and last <= 1.5 * floor):
        return None
    minutes = max(1, round(2 * float(records[-1].get("seconds", 0.0)) / 60))
    return Finding(
        ailment="too_short",
        severity="note",
        evidence=f"{seen.name} went from {before:.3g} at {progress:.0%} of the run to {last:.3g} at its end "
        f"({seen.better} is better).",
        cause="The model was still getting better when its time was over. This is no fault.",
        remedy=f"Train for longer, for example twice as long: `ganforge train DATA --minutes {minutes}`.",
    )


def starved(history: History) -> Finding | None:
    """Detect training that waits for data, or that ran much slower at the end than at its best.

    Unlike the other checks this depends on the clock: two runs with the same weights may differ in it.
    """
    waited = window([float(r["waiting"]) for r in history.records if isinstance(r.get("waiting"), int | float)])
    if waited and middle(waited) >= _WAITED:
        return _starved(
            "critical" if middle(waited) > 0.8 else "warning",
            f"In the last part of the run {middle(waited):.0%} of the time went by in waiting for batches.",
            "The examples come more slowly than the networks learn: from a slow disk or a network drive, or from "
            "files that are dear to decode.",
        )
    training = [record for record in history.records if "quality" not in record]  # evaluating the product takes time
    # A player that joins late makes every later step slower: only steps of the same players compare.
    training = [record for record in training if _playing(record) == _playing(history.records[-1])]
    speeds = [float(record.get("examples_per_second", 0.0)) for record in training]
    if len(speeds) < 20:
        return None
    best = sorted(speeds)[math.ceil(0.9 * len(speeds)) - 1]  # the ninth decile: one lucky record does not count
    now = middle(window(speeds))
    if now >= _SLOW * best:
        return None
    return _starved(
        "note",  # common on a shared machine
        f"Training ran at {now:,.0f} examples/s in its last part and at {best:,.0f} at its best.",
        "Something else used the machine, or it got too hot and slowed down.",
    )


def _playing(record: Record) -> list[str]:
    return sorted(record.get("gradient_norms") or {})


def _starved(severity: Literal["note", "warning", "critical"], evidence: str, cause: str) -> Finding:
    return Finding(
        ailment="starved",
        severity=severity,
        evidence=evidence,
        cause=cause,
        remedy="Copy the data to a fast local disk and close other programs; then go on with `ganforge resume RUN`, or "
        "give it more time with `--minutes`.",
    )
