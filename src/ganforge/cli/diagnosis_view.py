"""The view of a diagnosis in a terminal or a log: sentences, small curves, findings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ganforge.cli.output import plain as _text
from ganforge.diagnosis import trend
from ganforge.diagnosis.history import leading_quality, series
from ganforge.records import SEVERITIES, Finding

if TYPE_CHECKING:
    from ganforge.api.diagnose import Diagnosis

BARS = "▁▂▃▄▅▆▇█"
NOT_FINITE = "!"
WIDE = 36  # letters of a curve: with its name and number it fits a terminal of 80
LATEST = 6  # of what happened on the way
COLOURS = {"critical": "bold red", "warning": "yellow", "note": "cyan"}


def picture(found: Diagnosis, *, wrapped: bool) -> RenderableType:
    """Render a diagnosis: the state of the run, curves, layers, findings, and the checks that found nothing.

    Args: wrapped: long sentences are broken in their own column, as a terminal shows them; else each is one line.
    """
    colour = COLOURS[found.findings[0].severity] if found.findings else "bold green"
    parts: list[RenderableType] = [_text(found.sentence, colour)]
    parts += [_text(sentence) for sentence in found.standing]
    parts += [_text(f"Left out: {fault}", "yellow") for fault in found.unread]
    curves = _curves(found)
    if curves.row_count:
        parts += [Text(), curves]
    for finding in found.findings:
        parts += [Text(), *_finding(finding, wrapped)]
    if found.layers:
        parts += [Text(), *(_text(words.replace("`", "")) for words in found.layers.values())]
    parts += [Text(), _text(found.checked, "dim")]
    if found.happened:
        hidden = len(found.happened) - LATEST
        parts += [
            Text(),
            _text("On the way" + (f", the last {LATEST} of {len(found.happened)}:" if hidden > 0 else ":")),
        ]
        parts += [_text(f"  {when}: {what}" if when else f"  {what}") for when, what in found.happened[-LATEST:]]
    return Group(*parts)


def short_line(found: Diagnosis) -> Text:
    """Render the diagnosis in one line."""
    return _text(f"{found.standing[0]} {found.sentence}")


def spark(values: Sequence[float], width: int = WIDE, log: bool = False) -> str:
    """Render a curve of at most `width` letters: each the mean of a range, or ! where a number was not finite.

    Args: log for values that span decades; it is used where all are above zero.
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return NOT_FINITE * min(width, len(values))
    log = log and min(finite) > 0
    places = [math.log10(value) if log and math.isfinite(value) else value for value in values]
    size = max(1, math.ceil(len(places) / width))
    stretches = [places[i : i + size] for i in range(0, len(places), size)]
    means = [sum(part) / len(part) if all(map(math.isfinite, part)) else math.nan for part in stretches]
    known = [mean for mean in means if math.isfinite(mean)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    span = (high - low) or 1.0
    return "".join(
        BARS[round((mean - low) / span * (len(BARS) - 1))] if math.isfinite(mean) else NOT_FINITE for mean in means
    )


def _curves(found: Diagnosis) -> Table:
    """Render one line for the leading measure of quality, two for each player."""
    history = found.history
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    seen = leading_quality(history)
    if seen is not None and seen.values:
        way = trend(seen.values, seen.better)
        about = f"{seen.values[-1]:.3g}, {way}"
        table.add_row(_text(seen.name), Text(spark(seen.values, log=True), style="green"), _text(about))
    for player in history.players:
        losses = [
            float(sum(terms.values()))
            for record in history.records
            if (terms := (record.get("terms") or {}).get(player))
        ]
        norms = series(history, "gradient_norms", player)
        for name, values, log in (("loss", losses, False), ("gradient", norms, True)):
            if values:
                curve = Text(spark(values, log=log), style="cyan")
                table.add_row(_text(f"{player} {name}"), curve, _text(f"{values[-1]:.3g}"))
    return table


def _finding(finding: Finding, wrapped: bool) -> Iterator[RenderableType]:
    name = finding.ailment.replace("_", " ")
    yield _text(f"{SEVERITIES[finding.severity]}: {name}", COLOURS[finding.severity])
    parts = {"Seen": finding.evidence, "Why": finding.cause, "What to do": finding.remedy}
    if not wrapped:
        yield from (_text(f"  {head}: {words}") for head, words in parts.items())
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    for head, words in parts.items():
        table.add_row(Text(f"  {head}", style="dim"), _text(words))
    yield table
