"""A run over time: pictures of samples, curves of quality and of the players, and actions of the guard."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from ganforge.core.format import duration, number, short, title
from ganforge.events import back_words, came_words, kind_of, lever_words
from ganforge.records import History, Record, read_evaluation
from ganforge.reports.blocks import Picture, picture
from ganforge.run import Run

WIDTH, HEIGHT = 440, 230  # units; the page scales them
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 14, 30  # margins that hold the ticks
_LABEL = 18  # units that the label of a mark takes
_FEW_POINTS = 16  # up to so many are marked one by one
_MOST_POINTS = 240  # more cannot be told apart at this width

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A curve. `colour` 1..4 is one of the page's colours; `band` has (x, low, high) for a 95 % interval."""

    label: str
    points: Sequence[Point]
    colour: int = 1
    band: Sequence[tuple[float, float, float]] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A horizontal reference line."""

    label: str
    value: float


def line_chart(lines: Sequence[Line], marks: Sequence[Mark] = (), log: bool = False) -> Markup:
    """Draw curves over examples shown.

    Args: log requests a logarithmic axis, used if every value is above zero.
    Returns: an <svg>, or empty markup if no curve has two finite points.
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
        """Map a value to 0 at the low end .. 1 at the high end, clipped."""
        low, high = self._scale(self.low), self._scale(self.high)
        at = self._scale(max(value, self.low) if self.log else value)
        return min(max((at - low) / ((high - low) or 1.0), 0.0), 1.0)

    def ticks(self) -> list[float]:
        """Return three to six round numbers."""
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
    """Draw dashed lines with labels: the topmost under its line if there is no room above, neighbours apart."""
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


_STRIP = 6  # small pictures: two rows of three on a phone
_CHARTS, _FOLDED = 3, 4  # charts as wide as the page: the start, the middle and the end; and others, collapsed


@dataclass(frozen=True, slots=True)
class Moment:
    """A picture of samples, and when in the run it was drawn."""

    picture: Picture
    examples: int
    time: str  # m:ss of training, or "" if unknown
    folded: bool = False  # shown only on request


@dataclass(frozen=True, slots=True)
class Chart:
    """A curve with what it shows and how to read it; `names` pairs each label with its colour."""

    title: str
    meaning: str
    drawing: Markup
    names: tuple[tuple[str, int], ...]


def moments(run: Run, records: Sequence[Record], wide: bool = False) -> list[Moment]:
    """Select pictures over time: the first, some between, and the last. Args: wide: charts, of which few are shown.

    Those of a rewound stretch are left out: they did not lead to this model.
    """
    taken = sorted((int(path.stem), path) for path in run.samples.glob("*.png") if path.stem.isdecimal())
    if any(record.get("attempt") for record in records):
        kept = {0, *(record["examples"] for record in records if record.get("quality"))}
        taken = [(examples, path) for examples, path in taken if examples in kept]
    chosen = _spread(len(taken), _CHARTS + _FOLDED if wide else _STRIP)
    shown = {chosen[place] for place in _spread(len(chosen), _CHARTS)} if wide else set(chosen)
    found = []
    for place in chosen:
        examples, path = taken[place]
        heavy = place in shown and (wide or place == chosen[-1])
        side, most_bytes = (1650, 300_000) if heavy else (1100, 100_000) if wide else (420, 50_000)
        drawn = picture(path, side, most_bytes)
        if drawn is not None:
            found.append(Moment(drawn, examples, time_at(records, examples), folded=place not in shown))
    return found


def _spread(count: int, most: int) -> list[int]:
    """Return at most `most` of 0..count-1, evenly spaced, including the first and the last."""
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def time_at(records: Sequence[Record], examples: int) -> str:
    """Return minutes and seconds of training at `examples` shown, interpolated linearly between records."""
    before = {"examples": 0, "seconds": 0.0}
    for record in records:
        if record["examples"] >= examples:
            span = record["examples"] - before["examples"]
            share = (examples - before["examples"]) / span if span else 0.0
            return duration(before["seconds"] + share * (record["seconds"] - before["seconds"]))
        before = record
    return duration(before["seconds"]) if records else ""


def charts(history: History) -> list[Chart]:
    """Draw every curve with at least two values, quality first."""
    records = history.records
    two = len(history.players) > 1
    found = [*_quality_charts(history)]
    found.append(
        _players_chart(
            history,
            "Losses",
            "The networks play against each other, so no loss has to fall. What matters is that none of them runs away."
            if two
            else "What the network minimises. It should fall and then settle.",
            lambda record, player: _total((record.get("terms") or {}).get(player)),
        )
    )
    found.append(
        _players_chart(
            history,
            "Size of the gradients",
            "How hard each network is pushed. Calm lines are healthy; a line that shoots up or dies away is not.",
            lambda record, player: (record.get("gradient_norms") or {}).get(player),
            log=True,
        )
    )
    found.append(
        _players_chart(
            history,
            "Learning rate",
            "How large the steps are. Steps that get smaller towards the end let the result settle.",
            lambda record, player: (record.get("learning_rates") or {}).get(player),
        )
    )
    found.append(_augmentation_chart(records))
    return [chart for chart in found if chart.drawing]


def _augmentation_chart(records: Sequence[Record]) -> Chart:
    """Draw the augmentation; empty if it does not adapt, or never had to."""
    points = [(float(record["examples"]), float(record.get("augmentation", 0.0))) for record in records]
    return Chart(
        "Strength of the augmentation",
        "How strongly real and generated examples are changed at random before the discriminator sees them. It rises "
        "by itself while the discriminator knows the training examples by heart.",
        line_chart([Line("strength", points, 2)]) if any(strength for _, strength in points) else Markup(),
        (),
    )


def quality_names(history: History) -> list[str]:
    """Return the measures taken during training in the task's order, which begins with the leading one."""
    order = list(history.measured)
    names = dict.fromkeys(name for record in history.records for name in record.get("quality") or {})
    plain = [name for name in names if not name.endswith(("_low", "_high"))]
    return sorted(plain, key=lambda name: order.index(name) if name in order else len(order))


def _quality_charts(history: History) -> list[Chart]:
    records, evaluation = history.records, read_evaluation(history.evaluation)
    known = {measure.name: measure for measure in evaluation.measures} if evaluation else {}
    found = []
    for i, name in enumerate(quality_names(history)[:4]):
        rows = [(r["examples"], r["quality"]) for r in records if name in (r.get("quality") or {})]
        points = [(x, float(quality[name])) for x, quality in rows]
        band = [(x, q[f"{name}_low"], q[f"{name}_high"]) for x, q in rows if f"{name}_low" in q and f"{name}_high" in q]
        measure = known.get(name)
        marks, meaning = [], ""
        if evaluation and measure:
            marks = [Mark(evaluation.best, measure.floor), Mark(evaluation.simplest, measure.reference)]
            meaning = f"{measure.meaning} {measure.better.capitalize()} is better."
        values = [y for _, y in points if y > 0 and math.isfinite(y)] or [1.0]
        drawing = line_chart([Line(title(name), points, 1, band)], marks, log=max(values) > 15 * min(values))
        found.append(Chart(title(name), meaning.strip(), drawing, ()))
        if i == 0 and len(rows) < 2:
            break
    return found


def _players_chart(
    history: History,
    name: str,
    meaning: str,
    value: Callable[[Record, str], float | None],
    log: bool = False,
) -> Chart:
    lines = []
    for i, player in enumerate(history.players):
        pairs = [(float(record["examples"]), value(record, player)) for record in history.records]
        lines.append(Line(title(player), [(x, float(y)) for x, y in pairs if y is not None], _colour(player, i)))
    if len(lines) == 2 and lines[0].points == lines[1].points:
        lines = [Line("both players", lines[0].points, 3)]
    names = tuple((line.label, line.colour) for line in lines) if len(lines) > 1 else ()
    return Chart(name, meaning, line_chart(lines, log=log), names)


def _colour(player: str, place: int) -> int:
    """Return a player's colour, the same in every chart."""
    if player == "generator":
        return 1
    return 2 if player == "discriminator" else 1 + place % 4


def _total(terms: Mapping[str, float] | None) -> float | None:
    return float(sum(terms.values())) if terms else None


@dataclass(frozen=True, slots=True)
class Action:
    """One action of the guard."""

    when: str
    what: str
    why: str
    outcome: str


def guard_actions(events: Sequence[Mapping[str, Any]]) -> list[Action]:
    """Return every action in order with reason and outcome. Repeats of a resumed run are listed once."""
    once = {
        (event["kind"], event.get("attempt"), event.get("step"), event.get("action")): event
        for event in events
        if kind_of(event).guard
    }
    told = list(once.values())
    actions = []
    for place, event in enumerate(told):
        if event["kind"] == "guarded":
            what = f"{lever_words(event)}{back_words(event)}."
            why = f"{title(str(event.get('ailment', '')))}. {event.get('reason', '')}".strip()
            actions.append(Action(_when(event), what[:1].upper() + what[1:], why, _outcome(told[place + 1 :])))
    if moved := [event for event in told if event["kind"] == "adjusted"]:
        times = "once" if len(moved) == 1 else f"{len(moved)} times"
        what = f"The strength of the augmentation was adjusted {times}, to {number(moved[-1]['to'])} at the end."
        actions.append(Action(_when(moved[0]), what, f"At first: {moved[0].get('reason', '')}.", ""))
    return actions


def _outcome(later: Sequence[Mapping[str, Any]]) -> str:
    for event in later:
        if event["kind"] == "guard_helped":
            return f"It helped: {came_words(event)}."
        if event["kind"] == "unguarded":
            return f"It was no use: {came_words(event)}. It was undone."
    return "The run ended before it could be judged."


def _when(event: Mapping[str, Any]) -> str:
    return f"After {number(int(event.get('examples', 0)))} examples"
