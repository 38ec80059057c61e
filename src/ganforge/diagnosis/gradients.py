"""Gradients that blow up or die out, whoever the player is."""

from __future__ import annotations

import math
from statistics import median

from ganforge.diagnosis.history import (
    PENALTIES,
    at,
    early,
    leading_quality,
    measures,
    middle,
    players,
    series,
    trend,
    window,
)
from ganforge.records import Finding, History

_MANY = 0.01  # one turn in a hundred: more than the odd overflow


def not_finite(history: History) -> Finding | None:
    """Turns were skipped because a loss or a gradient was NaN or infinite, or the run was rewound because of it."""
    last = history.records[-1] if history.records else {}
    rewinds = sum(event.get("kind") == "rewound" for event in history.events)
    rewinds = max(rewinds, int(last.get("attempt", 0)) - _returns(history))
    skipped = int(last.get("skipped", 0))
    if not skipped and not rewinds:
        return None
    turns = max(1, int(last.get("step", 0)) * max(1, len(players(history))))
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
    """How often the guard took the run back, which it does for other reasons too."""
    returns = (event for event in history.events if event.get("kind") == "guarded")
    return len({(event.get("attempt"), event.get("step")) for event in returns if event.get("to_step") is not None})


_JUMP = 10.0  # times the running median
_SETTLED = 8  # records before a median means anything: the first ones hold the warm-up
_RECENT = 100  # records, or a quarter of the run
_DEAD = 1e-4  # of the early median
_NEAR = 0.05  # standard deviations of the target between a regression and its closed-form answer
_ABSURD = 20.0  # a loss: exp(-20) is the chance that was given to what happened; healthy ones stay below 3
_NOTHING = 1e-7  # a gradient norm: what is smaller, Adam does not even scale up (its epsilon is 1e-8)
_STILL = 1e-6  # step over weights: 1e-3 is usual, this is a standstill


def exploding(history: History) -> Finding | None:
    """A gradient norm jumps above ten times its running median, or a loss runs away."""
    for player in players(history):
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
        now, before = middle([abs(v) for v in window(losses)]), middle([abs(v) for v in early(losses)])
        if now > 100 * max(before, 1e-3):
            return _exploding(f"The loss of {player} went from {before:.3g} to {now:.3g} in size.", lasting=True)
        if now > _ABSURD and min(losses) >= 0:  # a loss that can be negative, as Wasserstein's, has no scale
            game = middle(window(_losses(history, player, without=PENALTIES)))
            if game > _ABSURD:
                return _exploding(f"The loss of {player} is {game:.3g}; guessing would cost about 1.", lasting=True)
    return None


def vanishing(history: History) -> Finding | None:
    """A player's gradient or its steps have sunk to nothing although it has not reached anything.

    Steps are divided by the learning rate's own fall, because a schedule that ends at nothing is meant. A game of one
    player whose loss has fallen has converged, which is success; so has a GAN that reached its floor.
    """
    alone = len(players(history)) == 1
    for player in players(history):
        norms = series(history, "gradient_norms", player)
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


def _jumps(norms: list[float]) -> list[int]:
    found = []
    least = min((value for value in norms if math.isfinite(value)), default=0.0)
    for i in range(_SETTLED, len(norms)):
        if norms[i] <= _JUMP * least:  # no median lies below the least: most runs need not look for one
            continue
        before = [value for value in norms[max(0, i - 50) : i] if math.isfinite(value)]
        usual = median(before) if before else math.inf
        if not math.isfinite(norms[i]) or norms[i] > _JUMP * max(usual, 1e-12):
            found.append(i)
    return found


def _losses(history: History, player: str, without: tuple[str, ...] = ()) -> list[float]:
    """The sum of a player's terms in each record, some left out."""
    found = ((record.get("terms") or {}).get(player) for record in history.records)
    return [float(sum(value for name, value in terms.items() if name not in without)) for terms in found if terms]


def _ratios_without_schedule(history: History, player: str) -> list[float]:
    """Of the last part of the run, which alone is asked about."""
    top = max(series(history, "learning_rates", player), default=0.0)
    pairs = (
        ((record.get("update_ratios") or {}).get(player), (record.get("learning_rates") or {}).get(player))
        for record in history.records[-max(_RECENT, len(history.records) // 4) :]
    )
    return [ratio * top / rate for ratio, rate in pairs if ratio is not None and rate and rate > 1e-4 * top]


def _arrived(history: History, player: str) -> bool:
    """Whether small gradients mean success: a lone player's loss fell to a level, or quality is still improving.

    A lone player may have arrived before its first record: then the evaluation says so, by a closed-form answer that is
    near or by a measure that beats its reference.
    """
    if len(players(history)) == 1:
        losses = _losses(history, player)
        near = float((history.evaluation.get("solution") or {}).get("distance", math.inf)) < _NEAR
        beats = any(
            measure["low"] > measure["reference"]
            for measure in measures(history).values()
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
