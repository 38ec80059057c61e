"""What backpropagation did in every layer, from a run's records: as arrays, and in plain words for each player."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganforge.records import Record

Floats: TypeAlias = NDArray[np.float64]

LEAST = 1e-12  # a norm below it counts as none at all
STANDSTILL, TOO_LARGE = 1e-6, 1e-1  # update-to-weight ratios from which on a layer stands still or leaps; 1e-3 is usual
LEAST_RATE = 0.05  # of the largest learning rate: below it, steps say more about the plan than about the layer
_EVEN, _WIDE = 3.0, 1000.0  # strongest over weakest layer: hardly any difference; more than training copes with
_GROWTH = 100.0  # times a layer's own early gradient
_FEW = 8  # records before "early" and "late" mean anything
_NAMED = 3  # layers named in a sentence


@dataclass(frozen=True, slots=True)
class Flow:
    """One player's layers, L of them in the order of the network, in the T records that tell of them.

    Values are log10 and at least -12; NaN where a record says nothing, infinite where a number was not finite.
    """

    player: str
    layers: tuple[str, ...]
    examples: Floats  # (T,) shown at each record
    gradient: Floats  # (L, T) of the L2 norm of the gradient
    ratio: Floats  # (L, T) of |step| / |weights|
    rate: Floats  # (T,) learning rate over the largest of the run, 0..1; 1 where it is not told


def flows(records: Sequence[Record]) -> list[Flow]:
    """Every player's layers, players in turn order; [] for a run that does not tell of its layers."""
    players = dict.fromkeys(player for record in records for player in _mapping(record.get("layers")))
    return [flow for player in players if (flow := _flow(records, player)) is not None]


def in_words(flow: Flow) -> str:
    """What a player's layers show: who gets how much gradient, and how large the steps are. Two or three sentences."""
    found = [_not_finite(flow), _spread(flow), _growth(flow), _steps(flow)]
    return " ".join(sentence for sentence in found if sentence)


def late(flow: Flow) -> Mapping[str, Mapping[str, float | None]]:
    """By layer, its usual gradient norm and update-to-weight ratio in the last part of the run so far."""
    gradient, ratio = _late(flow.gradient), _late(flow.ratio)
    return {
        layer: {"gradient_norm": _number(gradient[i]), "update_ratio": _number(ratio[i])}
        for i, layer in enumerate(flow.layers)
    }


def _flow(records: Sequence[Record], player: str) -> Flow | None:
    told = [(record, layers) for record in records if (layers := _mapping(_mapping(record.get("layers")).get(player)))]
    names = list(dict.fromkeys(name for _, layers in told for name in layers))
    if not names:
        return None
    shape = (len(names), len(told))
    gradient, ratio, rate = np.full(shape, np.nan), np.full(shape, np.nan), np.full(len(told), np.nan)
    for column, (record, layers) in enumerate(told):
        for row, name in enumerate(names):
            layer = layers.get(name)
            if isinstance(layer, Mapping):
                gradient[row, column] = _log(layer, "gradient_norm")
                ratio[row, column] = _log(layer, "update_ratio")
        value = _mapping(record.get("learning_rates")).get(player)
        if isinstance(value, int | float) and math.isfinite(value):
            rate[column] = value
    top = float(np.max(rate, where=np.isfinite(rate), initial=0.0))
    share = np.where(np.isfinite(rate) & (top > 0), rate / (top or 1.0), 1.0)
    examples = np.array([float(record["examples"]) for record, _ in told])
    return Flow(player, tuple(names), examples, gradient, ratio, share)


def _log(layer: Mapping[str, Any], name: str) -> float:
    """log10 of a number; infinite for one that was not finite, which the run writes as null."""
    value = layer.get(name, math.nan)
    if value is None or (isinstance(value, float) and math.isinf(value)):
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return math.nan
    return math.log10(max(float(value), LEAST))


def middle(values: Floats) -> Floats:
    """The lower median along the last axis of what is finite; NaN where nothing is. (L, T) -> (L,)."""
    if values.shape[-1] == 0:
        return np.full(values.shape[:-1], np.nan)
    known = np.sort(np.where(np.isfinite(values), values, np.nan), axis=-1)  # NaN comes last
    count = np.isfinite(values).sum(axis=-1)
    at = np.maximum(count - 1, 0) // 2
    found: Floats = np.take_along_axis(known, at[..., None], axis=-1)[..., 0]
    return found


def _late(values: Floats) -> Floats:
    """The middle of the last fifth, at least five records."""
    return middle(values[:, -max(5, values.shape[1] // 5) :])


def _not_finite(flow: Flow) -> str:
    broken = np.isinf(flow.gradient) | np.isinf(flow.ratio)
    rows = np.flatnonzero(broken.any(axis=1))
    if not len(rows):
        return ""
    count = int(broken.any(axis=0).sum())
    times = "In one record" if count == 1 else f"In {count:,} records"
    where = "every layer" if len(rows) == len(flow.layers) else _named(flow, rows)
    return f"{times} the numbers of {where} in the {flow.player} were not finite."


def _spread(flow: Flow) -> str:
    """The layer with the least and the one with the most gradient, late in the run."""
    norms = _late(flow.gradient)
    known = np.flatnonzero(np.isfinite(norms))
    if not len(known):
        return ""
    least, most = known[np.argmin(norms[known])], known[np.argmax(norms[known])]
    low, high = flow.layers[least], flow.layers[most]
    if norms[least] <= math.log10(LEAST):
        dead = f"In the {flow.player}, `{low}` gets no gradient at all: it does not learn."
        return dead if norms[most] > math.log10(LEAST) else f"No gradient at all reaches the {flow.player}."
    factor = 10 ** float(norms[most] - norms[least])
    if len(known) == 1:
        return f"The {flow.player} has one layer, `{low}`; its gradient is {10 ** float(norms[least]):.2g}."
    if factor < _EVEN:
        return f"All layers of the {flow.player} get about as much gradient: `{high}` the most, `{low}` the least."
    words = f"In the {flow.player}, `{low}` gets {_times(factor)} less gradient than `{high}`, which gets the most"
    if factor < _WIDE:
        return f"{words}: training copes with that."
    towards_input = least < most and least <= (len(flow.layers) - 1) / 2
    return f"{words}: " + (
        "the gradient vanishes on its way to the input."
        if towards_input
        else "next to nothing of what there is to learn reaches it."
    )


def _growth(flow: Flow) -> str:
    """The layer whose gradient has changed most against its own early part, where that is a lot."""
    if flow.gradient.shape[1] < _FEW:
        return ""
    early = middle(flow.gradient[:, : max(5, flow.gradient.shape[1] // 5)])
    change = _late(flow.gradient) - early
    known = np.flatnonzero(np.isfinite(change))
    if not len(known):
        return ""
    row = known[np.argmax(np.abs(change[known]))]
    factor = 10 ** abs(float(change[row]))
    if factor < _GROWTH:
        return ""
    way = "more" if change[row] > 0 else "less"
    return f"`{flow.layers[row]}` gets {_times(factor)} {way} gradient now than early in the run."


def _steps(flow: Flow) -> str:
    """How large the steps are. A layer that moves little because the plan lowers the learning rate is healthy."""
    ratios = _late(flow.ratio)
    moving = flow.rate > LEAST_RATE
    meant = _late(flow.ratio[:, moving] - np.log10(flow.rate[moving]))
    still = np.flatnonzero(meant < math.log10(STANDSTILL))
    leaping = np.flatnonzero(ratios > math.log10(TOO_LARGE))
    if len(leaping):
        worst = 10 ** float(np.max(ratios[leaping]))
        return f"The steps of {_named(flow, leaping)} are too large: {_share(worst)} of the weights at once."
    if len(still):
        worst = 10 ** float(np.min(meant[still]))
        verb = "stands" if len(still) == 1 else "stand"
        return f"{_named(flow, still)} {verb} still: a step changes only {_share(worst)} of the weights."
    usual = float(middle(middle(flow.ratio)[None])[0])
    if not math.isfinite(usual):
        return ""
    words = "small" if usual < -5 else "healthy" if usual <= -2 else "large, and bearable"
    return f"Its steps are {words}: about {_share(10**usual)} of the weights (0.1 % is usual)."


def _named(flow: Flow, rows: NDArray[np.intp]) -> str:
    names = [f"`{flow.layers[row]}`" for row in rows[:_NAMED]]
    more = f" and {len(rows) - _NAMED} more layers" if len(rows) > _NAMED else ""
    return ", ".join(names) + more


def _times(factor: float) -> str:
    """1,300 times: two significant digits."""
    if factor >= 1e9:
        return "a billion times" if factor < 2e9 else "billions of times"
    digits = 1 - math.floor(math.log10(factor))
    return f"{round(factor, digits):,.{max(0, digits)}f} times"


def _share(ratio: float) -> str:
    return f"{100 * ratio:.2g} %" if ratio >= 1e-6 else f"{ratio:.1g}"


def _number(log: float) -> float | None:
    return float(f"{10**log:.4g}") if math.isfinite(log) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
