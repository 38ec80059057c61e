"""A run over time: pictures of what the model made, and curves of quality, losses, gradients and learning rates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ganforge.core.format import duration, title
from ganforge.records import History, Record, read_evaluation
from ganforge.reports.charts import Line, Mark, line_chart
from ganforge.reports.media import Picture, picture
from ganforge.run import Run

_STRIP = 6  # small pictures: two rows of three on a phone's width
_CHARTS, _FOLDED = 3, 4  # charts as wide as the page: the start, the middle and the end; and others, folded away


@dataclass(frozen=True, slots=True)
class Moment:
    """A picture of what the model made, and when in the run it was made."""

    picture: Picture
    examples: int
    time: str  # m:ss of training, or "" when no record tells
    folded: bool = False  # shown only when a person asks for more


@dataclass(frozen=True, slots=True)
class Chart:
    """A curve with what it shows and how to read it; `names` pairs each label with its colour."""

    title: str
    meaning: str
    drawing: Markup
    names: tuple[tuple[str, int], ...]


def moments(run: Run, records: Sequence[Record], wide: bool = False) -> list[Moment]:
    """Pictures over time: the first, some between, and the last. Args: wide: they are charts, so few are shown.

    Those of a stretch that was taken back are left out: they are not on the way to this model.
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
    """At most `most` places of 0..count-1, evenly, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def time_at(records: Sequence[Record], examples: int) -> str:
    """Minutes and seconds of training when `examples` had been shown, by linear interpolation between records."""
    before = {"examples": 0, "seconds": 0.0}
    for record in records:
        if record["examples"] >= examples:
            span = record["examples"] - before["examples"]
            share = (examples - before["examples"]) / span if span else 0.0
            return duration(before["seconds"] + share * (record["seconds"] - before["seconds"]))
        before = record
    return duration(before["seconds"]) if records else ""


def charts(history: History) -> list[Chart]:
    """Every curve for which the run has at least two values, quality first."""
    records = history.records
    two = len(players(records)) > 1
    found = [*_quality_charts(history)]
    found.append(
        _players_chart(
            records,
            "Losses",
            "The networks play against each other, so no loss has to fall. What matters is that none of them runs away."
            if two
            else "What the network minimises. It should fall and then settle.",
            lambda record, player: _total((record.get("terms") or {}).get(player)),
        )
    )
    found.append(
        _players_chart(
            records,
            "Size of the gradients",
            "How hard each network is pushed. Calm lines are healthy; a line that shoots up or dies away is not.",
            lambda record, player: (record.get("gradient_norms") or {}).get(player),
            log=True,
        )
    )
    found.append(
        _players_chart(
            records,
            "Learning rate",
            "How large the steps are. Steps that get smaller towards the end let the result settle.",
            lambda record, player: (record.get("learning_rates") or {}).get(player),
        )
    )
    found.append(_augmentation_chart(records))
    return [chart for chart in found if chart.drawing]


def _augmentation_chart(records: Sequence[Record]) -> Chart:
    """Empty where nothing adapts, or where it never had to."""
    points = [(float(record["examples"]), float(record.get("augmentation", 0.0))) for record in records]
    return Chart(
        "Strength of the augmentation",
        "How strongly real and generated examples are changed at random before the discriminator sees them. It rises "
        "by itself while the discriminator knows the training examples by heart.",
        line_chart([Line("strength", points, 2)]) if any(strength for _, strength in points) else Markup(),
        (),
    )


def quality_names(history: History) -> list[str]:
    """The measures taken while training, the leading one first: in the order in which the task names them."""
    started = [event.get("measured") for event in history.events if event.get("kind") == "started"]
    order = list(started[-1]) if started and isinstance(started[-1], Mapping) else []
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
    records: Sequence[Record],
    name: str,
    meaning: str,
    value: Callable[[Record, str], float | None],
    log: bool = False,
) -> Chart:
    lines = []
    for i, player in enumerate(players(records)):
        pairs = [(float(record["examples"]), value(record, player)) for record in records]
        lines.append(Line(title(player), [(x, float(y)) for x, y in pairs if y is not None], _colour(player, i)))
    if len(lines) == 2 and lines[0].points == lines[1].points:
        lines = [Line("both players", lines[0].points, 3)]
    names = tuple((line.label, line.colour) for line in lines) if len(lines) > 1 else ()
    return Chart(name, meaning, line_chart(lines, log=log), names)


def players(records: Sequence[Record]) -> list[str]:
    """Who plays, in turn order; one for a regression, two for a GAN."""
    return list(dict.fromkeys(player for record in records for player in record.get("gradient_norms") or {}))


def _colour(player: str, place: int) -> int:
    """The same player has the same colour in every chart."""
    if player == "generator":
        return 1
    return 2 if player == "discriminator" else 1 + place % 4


def _total(terms: Mapping[str, float] | None) -> float | None:
    return float(sum(terms.values())) if terms else None
