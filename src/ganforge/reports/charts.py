"""Small line charts as inline SVG: their colours come from the page, so they follow light and dark.

Drawn by hand rather than by matplotlib, because a picture made there has its colours inside it, and weighs thirty times
as much.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from ganforge.core.format import short

WIDTH, HEIGHT = 440, 230  # units; the page scales them
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 14, 30  # margins that hold the ticks
_LABEL = 18  # units that the label of a mark takes
_FEW_POINTS = 16  # up to so many are marked one by one
_MOST_POINTS = 240  # more cannot be told apart at this width

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One curve. `colour` 1..4 is one of the page's colours; `band` has (x, low, high) for a 95 % interval."""

    label: str
    points: Sequence[Point]
    colour: int = 1
    band: Sequence[tuple[float, float, float]] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A horizontal line at a value that curves are compared with."""

    label: str
    value: float


def line_chart(lines: Sequence[Line], marks: Sequence[Mark] = (), log: bool = False) -> Markup:
    """Curves over examples shown.

    Args: log asks for a logarithmic axis, which is granted when every value is above zero.
    Returns: an <svg>, or nothing when no curve has two finite points.
    """
    drawn = [_finite(line) for line in lines]
    drawn = [line for line in drawn if len(line.points) >= 2]
    marks = [mark for mark in marks if math.isfinite(mark.value)]
    if not drawn:
        return Markup("")
    values = [y for line in drawn for _, y in line.points] + [mark.value for mark in marks]
    bands = [y for line in drawn for _, low, high in line.band for y in (low, high)]
    log = log and min(values) > 0
    across = _Axis(0.0, max(x for line in drawn for x, _ in line.points))
    up = _axis_around([*values, *(y for y in bands if not log or y > 0)], log)
    parts = [*_grid(across, up), *_marks(marks, up)]
    for line in drawn:
        parts += _curve(line, across, up)
    names = ", ".join(line.label for line in drawn)
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, f"Curve of {names} over examples shown", Markup("").join(parts)
    )


@dataclass(frozen=True, slots=True)
class _Axis:
    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high end, kept within."""
        low, high = self._scale(self.low), self._scale(self.high)
        at = self._scale(max(value, self.low) if self.log else value)
        return min(max((at - low) / ((high - low) or 1.0), 0.0), 1.0)

    def ticks(self) -> list[float]:
        """Three to six round numbers."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            stride = max(1, math.ceil((last - first + 1) / 6))
            decades = [10.0**k for k in range(first, last + 1, stride)]
            if len(decades) >= 3:
                return decades
            fine = [m * 10.0**k for k in range(first - 1, last + 1) for m in (1, 2, 5)]
            return [value for value in fine if self.low <= value <= self.high] or [self.low, self.high]
        step = _round_step((self.high - self.low) / 4)
        count = math.floor((self.high - self.low) / step + 1e-9) + 1
        start = math.ceil(self.low / step - 1e-9) * step
        return [value for i in range(count) if (value := start + i * step) <= self.high + 1e-9 * step]

    def _scale(self, value: float) -> float:
        return math.log10(value) if self.log else value


def _axis_around(values: Sequence[float], log: bool) -> _Axis:
    low, high = min(values), max(values)
    if log:
        return _Axis(low / 1.3, high * 1.3, log=True)
    if low == high:
        return _Axis(min(0.0, 1.3 * low), max(0.0, 1.3 * high) or 1.0)
    room = 0.06 * ((high - low) or abs(high) or 1.0)
    return _Axis(0.0 if 0 <= low < 0.35 * high else low - room, high + room)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough or 1.0))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)


def _finite(line: Line) -> Line:
    points = [point for point in line.points if math.isfinite(point[0]) and math.isfinite(point[1])]
    stride = max(1, math.ceil(len(points) / _MOST_POINTS))
    kept = points[::stride]
    if points and kept[-1] != points[-1]:
        kept.append(points[-1])
    band = [edge for edge in line.band if all(math.isfinite(value) for value in edge)]
    return Line(line.label, kept, line.colour, band)


def _x(across: _Axis, value: float) -> float:
    return _LEFT + across.place(value) * (WIDTH - _LEFT - _RIGHT)


def _y(up: _Axis, value: float) -> float:
    return HEIGHT - _BOTTOM - up.place(value) * (HEIGHT - _TOP - _BOTTOM)


def _grid(across: _Axis, up: _Axis) -> Iterator[Markup]:
    for value in up.ticks():
        y = _y(up, value)
        yield Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(_LEFT, WIDTH - _RIGHT, y, y)
        yield Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(_LEFT - 7, y + 4, short(value))
    for value in across.ticks():
        x = _x(across, value)
        anchor = "end" if x > WIDTH - _RIGHT - 16 else "middle"
        yield Markup('<text x="{:.1f}" y="{}" text-anchor="{}">{}</text>').format(x, HEIGHT - 9, anchor, short(value))


def _marks(marks: Sequence[Mark], up: _Axis) -> Iterator[Markup]:
    """Dashed lines with their labels: the topmost label under its line if there is no room above, neighbours apart."""
    places = sorted((_y(up, mark.value), mark.label) for mark in marks)
    for i, (y, label) in enumerate(places):
        near = i > 0 and y - places[i - 1][0] < _LABEL
        crowded = i + 1 < len(places) and places[i + 1][0] - y < _LABEL
        below = near or (y < _TOP + _LABEL and not crowded)
        yield Markup('<line class="mark" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(_LEFT, WIDTH - _RIGHT, y, y)
        yield Markup('<text class="marked" x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
            WIDTH - _RIGHT - 2, y + (14 if below else -5), escape(label)
        )


def _curve(line: Line, across: _Axis, up: _Axis) -> Iterator[Markup]:
    if len(line.band) >= 2:
        there = [f"{_x(across, x):.1f},{_y(up, high):.1f}" for x, _, high in line.band]
        back = [f"{_x(across, x):.1f},{_y(up, low):.1f}" for x, low, _ in reversed(line.band)]
        yield Markup('<polygon class="band c{}" points="{}"/>').format(line.colour, " ".join(there + back))
    points = " ".join(f"{_x(across, x):.1f},{_y(up, y):.1f}" for x, y in line.points)
    yield Markup('<polyline class="curve c{}" points="{}"/>').format(line.colour, points)
    if len(line.points) <= _FEW_POINTS:
        for x, y in line.points:
            yield Markup('<circle class="dot c{}" cx="{:.1f}" cy="{:.1f}" r="2.6"/>').format(
                line.colour, _x(across, x), _y(up, y)
            )
