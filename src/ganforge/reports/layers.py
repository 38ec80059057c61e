"""Gradients and updates of every layer, from a run's records: as arrays, and in words for each player."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganforge.core.format import number, short, title
from ganforge.events import kind_of
from ganforge.records import Record

Floats: TypeAlias = NDArray[np.float64]

LEAST = 1e-12  # a norm below it counts as zero
STANDSTILL, TOO_LARGE = 1e-6, 1e-1  # update-to-weight ratios from which on a layer stands still or leaps; 1e-3 is usual
LEAST_RATE = 0.05  # of the largest learning rate: below it, steps reflect the schedule more than the layer
_EVEN, _WIDE = 3.0, 1000.0  # strongest over weakest layer: hardly any difference; more than training tolerates
_GROWTH = 100.0  # times a layer's own early gradient
_FEW = 8  # records before "early" and "late" mean anything
_NAMED = 3  # layers named in a sentence


@dataclass(frozen=True, slots=True)
class Flow:
    """One player's L layers, in the order of the network, in the T records that have them.

    Values are log10 and at least -12; NaN where a record has none, infinite where a number was not finite.
    """

    player: str
    layers: tuple[str, ...]
    examples: Floats  # (T,) shown at each record
    gradient: Floats  # (L, T) of the L2 norm of the gradient
    ratio: Floats  # (L, T) of |step| / |weights|
    rate: Floats  # (T,) learning rate over the largest of the run, 0..1; 1 if unknown


def flows(records: Sequence[Record]) -> list[Flow]:
    """Return every player's layers, players in turn order; [] for a run without records of layers."""
    players = dict.fromkeys(player for record in records for player in _mapping(record.get("layers")))
    return [flow for player in players if (flow := _flow(records, player)) is not None]


def in_words(flow: Flow) -> str:
    """Describe a player's layers in two or three sentences: the spread of gradients and the size of steps."""
    found = [_not_finite(flow), _spread(flow), _growth(flow), _steps(flow)]
    return " ".join(sentence for sentence in found if sentence)


def late(flow: Flow) -> Mapping[str, Mapping[str, float | None]]:
    """Return each layer's median gradient norm and update-to-weight ratio in the last part of the run so far."""
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
    """Return log10 of a number; infinite for one that was not finite, stored as null."""
    value = layer.get(name, math.nan)
    if value is None or (isinstance(value, float) and math.isinf(value)):
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return math.nan
    return math.log10(max(float(value), LEAST))


def middle(values: Floats) -> Floats:
    """Return the lower median of finite values along the last axis, NaN if there are none. (L, T) -> (L,)."""
    if values.shape[-1] == 0:
        return np.full(values.shape[:-1], np.nan)
    known = np.sort(np.where(np.isfinite(values), values, np.nan), axis=-1)  # NaN comes last
    count = np.isfinite(values).sum(axis=-1)
    at = np.maximum(count - 1, 0) // 2
    found: Floats = np.take_along_axis(known, at[..., None], axis=-1)[..., 0]
    return found


def _late(values: Floats) -> Floats:
    """Return the median of the last fifth, at least five records."""
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
    """Describe the layers with the least and the most gradient late in the run."""
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
    """Describe the layer whose gradient has changed most since its early part, if that is a lot."""
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
    """Describe the size of the steps. A layer that moves little because the learning rate decays is healthy."""
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
    """Format a factor with two significant digits: 1,300 times."""
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


# ---- heat maps, layer by time: a small picture with one pixel for each cell, which the page stretches ----------------
# The picture holds only colours; names, axis and scale are text of the page, so they stay sharp. One cell covers a
# stretch of the run: its median, or a value more than ten times away from it.

COLUMNS = 240  # more stretches of the run cannot be told apart at this width
SPIKE = 1.0  # log10: a value further from the median of its stretch is shown instead of it
LEAST_SPAN = 5  # log10: on a narrower scale, normal differences between layers would look extreme
NOT_FINITE = "#e6007e"
DARK_TO_BRIGHT = ("#0a0f1f", "#123047", "#0f5f66", "#1f9583", "#84c98a", "#e3e39a", "#fffbe0")
# too small, healthy, too large: the ends differ in hue and lightness, so that no viewer confuses them
RATIO_STOPS = ((-8.0, "#0b0d26"), (-6.0, "#2b3587"), (-4.5, "#3f8fb5"), (-3.0, "#2aa58c"), (-2.0, "#a9cf74"),
               (-1.0, "#f2a541"), (0.0, "#b3261e"))  # fmt: skip
_MOST_MARKS = 60


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick on an axis or scale: its position in percent and its text."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A heat map of layers over time, with the texts that the page puts around it."""

    title: str
    meaning: str
    uri: str  # of a PNG, one pixel for each cell
    size: tuple[int, int]  # pixels, width and height
    gradient: str  # of the colour scale, for CSS
    ticks: tuple[Tick, ...]  # on the colour scale
    band: tuple[float, float] | None  # the healthy range on the scale, from and to in percent
    not_finite: bool  # whether some cell has that colour


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment of the run with an intervention."""

    place: float  # percent of the width
    kind: str  # "rewind" or "guard"
    words: str


@dataclass(frozen=True, slots=True)
class PlayerFlow:
    """One player's part of the section on backpropagation."""

    name: str
    words: str
    layers: tuple[str, ...]
    maps: tuple[HeatMap, ...]
    marks: tuple[Mark, ...]
    examples: tuple[str, str]  # at the middle and at the end of the axis


def player_flows(records: Sequence[Record], events: Sequence[Mapping[str, Any]]) -> list[PlayerFlow]:
    """Return every player's heat maps of gradients and steps; [] for a run without records of layers."""
    return [_player(flow, records, events) for flow in flows(records)]


def _player(flow: Flow, records: Sequence[Record], events: Sequence[Mapping[str, Any]]) -> PlayerFlow:
    end = max(float(records[-1]["examples"]), 1.0)
    gradient, ratio = (_cells(values, flow.examples / end) for values in (flow.gradient, flow.ratio))
    return PlayerFlow(
        name=title(flow.player),
        words=in_words(flow),
        layers=flow.layers,
        maps=(_gradient_map(gradient), _ratio_map(ratio)),
        marks=tuple(_marks(records, events, end)),
        examples=(short(end / 2), short(end)),
    )


def _gradient_map(cells: Floats) -> HeatMap:
    """Draw gradients on a scale of this run: no gradient norm is right for every network."""
    known = cells[np.isfinite(cells)]
    low, high = (math.floor(known.min()), math.ceil(known.max())) if len(known) else (-3, 0)
    low = min(low, high - LEAST_SPAN)
    stops = list(zip(np.linspace(low, high, len(DARK_TO_BRIGHT)).tolist(), DARK_TO_BRIGHT, strict=True))
    stride = max(1, math.ceil((high - low) / 6))
    ticks = tuple(Tick(_percent(at, low, high), _power(at)) for at in range(low, high + 1, stride))
    meaning = (
        "How much gradient reaches each layer. The gradient comes in at the bottom, from the last layer, and travels "
        "up to the input: a dark band at the top is a gradient that vanishes on its way, bright is one that explodes."
    )
    return _map("Gradient", meaning, cells, stops, ticks, None)


def _ratio_map(cells: Floats) -> HeatMap:
    low, high = RATIO_STOPS[0][0], RATIO_STOPS[-1][0]
    still, leap = math.log10(STANDSTILL), math.log10(TOO_LARGE)
    marks = ((still, "stands still"), (-3.0, "healthy"), (leap, "leaps"))
    ticks = tuple(Tick(_percent(at, low, high), f"{_power(at)} {words}") for at, words in marks)
    meaning = (
        "How large a step is beside the weights it changes. About a thousandth is healthy; under a millionth a layer "
        "stands still, over a tenth it leaps. It sinks where the plan lowers the learning rate."
    )
    band = (_percent(-4.0, low, high), _percent(-2.0, low, high))
    return _map("Step beside the weights", meaning, cells, RATIO_STOPS, ticks, band)


def _map(
    name: str,
    meaning: str,
    cells: Floats,
    stops: Sequence[tuple[float, str]],
    ticks: tuple[Tick, ...],
    band: tuple[float, float] | None,
) -> HeatMap:
    low, high = stops[0][0], stops[-1][0]
    css = ", ".join(f"{colour} {_percent(at, low, high):.1f}%" for at, colour in stops)
    size = (cells.shape[1], cells.shape[0])
    return HeatMap(name, meaning, _picture(cells, stops), size, css, ticks, band, bool(np.isinf(cells).any()))


def _cells(values: Floats, places: Floats) -> Floats:
    """Bin (L, T) values at places 0..1 of the run into (L, at most COLUMNS) cells, evenly over the run."""
    columns = min(COLUMNS, values.shape[1])
    column = np.minimum((places * columns - 1e-9).astype(np.int64), columns - 1).clip(0)  # (T,)
    cells = np.full((values.shape[0], columns), np.nan)
    for place in range(columns):
        here = values[:, column == place]
        if here.shape[1]:
            cells[:, place] = _told(here)
        elif place:  # no record falls into it: the last value
            cells[:, place] = cells[:, place - 1]
    return cells


def _told(here: Floats) -> Floats:
    """Reduce (L, k) to (L,): the median, or a value further than SPIKE from it, or infinite if any was not finite."""
    usual = middle(here)
    distance = np.where(np.isfinite(here), np.abs(here - usual[:, None]), -1.0)
    farthest = distance.argmax(axis=1)
    rows = np.arange(len(here))
    told = np.where(distance[rows, farthest] > SPIKE, here[rows, farthest], usual)
    return np.where(np.isinf(here).any(axis=1), np.inf, told)


def _picture(cells: Floats, stops: Sequence[tuple[float, str]]) -> str:
    """Encode the cells as the data URI of a PNG; transparent where unknown."""
    at = [place for place, _ in stops]
    colours = np.array([_rgb(colour) for _, colour in stops])  # (S, 3)
    shown = np.where(np.isfinite(cells), cells, at[0])
    pixels = np.full((*cells.shape, 4), 255, np.uint8)
    for channel in range(3):
        pixels[..., channel] = np.interp(shown, at, colours[:, channel]).round().astype(np.uint8)
    pixels[np.isinf(cells), :3] = _rgb(NOT_FINITE)
    pixels[np.isnan(cells)] = 0
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _rgb(colour: str) -> NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex(colour[1:]), np.uint8)


def _marks(records: Sequence[Record], events: Sequence[Mapping[str, Any]], end: float) -> list[Mark]:
    """Return the rewinds and interventions of the guard; a rewind is placed where the run continued from."""
    steps, examples = [float(r["step"]) for r in records], [float(r["examples"]) for r in records]
    marks = []
    for event in events:
        kind = kind_of(event).mark
        back = event.get("to_step")
        at = back if isinstance(back, int | float) else event.get("step")
        if not kind or not isinstance(at, int | float):
            continue
        shown = float(np.interp(float(at), [0.0, *steps], [0.0, *examples]))
        reason = str(event.get("ailment") or event.get("kind")).replace("_", " ")
        marks.append(Mark(min(100 * shown / end, 100.0), kind, f"{reason}, after {number(round(shown))} examples"))
    return marks[-_MOST_MARKS:]


def _percent(value: float, low: float, high: float) -> float:
    return round(100 * (value - low) / ((high - low) or 1.0), 2)


def _power(exponent: float) -> str:
    return {0: "1", -1: "0.1", -2: "0.01", -3: "0.001", 1: "10", 2: "100"}.get(round(exponent), f"1e{exponent:.0f}")
