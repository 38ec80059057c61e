"""Heat maps, layer by time: a small picture with one pixel for each cell, which the page stretches.

The picture holds nothing but colours; names, axis and scale are text of the page, so they stay sharp and follow its
light and dark. One cell stands for a stretch of the run: its middle, or what leaves the middle by more than ten times.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganforge.core.format import number, short, title
from ganforge.events import kind_of
from ganforge.records import Record
from ganforge.reports.layers import STANDSTILL, TOO_LARGE, Floats, Flow, flows, in_words, middle

COLUMNS = 240  # more stretches of the run cannot be told apart at this width
SPIKE = 1.0  # log10: what leaves the middle of its stretch by more is shown instead of it
LEAST_SPAN = 5  # log10: on a narrower scale, layers that differ as healthy ones do would look dead
NOT_FINITE = "#e6007e"
DARK_TO_BRIGHT = ("#0a0f1f", "#123047", "#0f5f66", "#1f9583", "#84c98a", "#e3e39a", "#fffbe0")
# too small, healthy, too large: its ends differ in hue and in lightness, so that no eye confuses them
RATIO_STOPS = ((-8.0, "#0b0d26"), (-6.0, "#2b3587"), (-4.5, "#3f8fb5"), (-3.0, "#2aa58c"), (-2.0, "#a9cf74"),
               (-1.0, "#f2a541"), (0.0, "#b3261e"))  # fmt: skip
_MOST_MARKS = 60


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis or scale, in percent, and what is written there."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class HeatMap:
    """One picture of layers over time, with what the page writes around it."""

    title: str
    meaning: str
    uri: str  # of a PNG, one pixel for each cell
    size: tuple[int, int]  # pixels, width and height
    gradient: str  # of the colour scale, for CSS
    ticks: tuple[Tick, ...]  # on the colour scale
    band: tuple[float, float] | None  # what is healthy on the scale, from and to in percent
    not_finite: bool  # whether some cell has that colour


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment of the run at which somebody stepped in."""

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
    """Every player's two heat maps, its gradients and its steps; [] for a run that does not tell of its layers."""
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
    """On a scale of this run's own: there is no gradient norm that is right for every network."""
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
    """(L, T) values at places 0..1 of the run -> (L, at most COLUMNS) cells, evenly over the run."""
    columns = min(COLUMNS, values.shape[1])
    column = np.minimum((places * columns - 1e-9).astype(np.int64), columns - 1).clip(0)  # (T,)
    cells = np.full((values.shape[0], columns), np.nan)
    for place in range(columns):
        here = values[:, column == place]
        if here.shape[1]:
            cells[:, place] = _told(here)
        elif place:  # no record falls into it: what was last seen
            cells[:, place] = cells[:, place - 1]
    return cells


def _told(here: Floats) -> Floats:
    """(L, k) -> (L,): the middle, or what leaves it by more than SPIKE, or infinite where something was not finite."""
    usual = middle(here)
    distance = np.where(np.isfinite(here), np.abs(here - usual[:, None]), -1.0)
    farthest = distance.argmax(axis=1)
    rows = np.arange(len(here))
    told = np.where(distance[rows, farthest] > SPIKE, here[rows, farthest], usual)
    return np.where(np.isinf(here).any(axis=1), np.inf, told)


def _picture(cells: Floats, stops: Sequence[tuple[float, str]]) -> str:
    """The cells as the data URI of a PNG; transparent where nothing is known."""
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
    """Where the run was taken back, and where the guard stepped in; a rewind stands where the run went on from."""
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
