"""The view of a run while it trains: a live view in a terminal, plain lines elsewhere.

Both are observers: they receive records and events, never change the run, and do nothing between records.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from time import monotonic
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ganforge.core.format import duration
from ganforge.core.world import is_leader
from ganforge.diagnosis import diagnose, trend
from ganforge.diagnosis.history import Quality, leading_quality, middle, series, window
from ganforge.events import kind_of, sentence
from ganforge.records import Finding, History, Record

REFRESH_SECONDS = 0.25  # a terminal is drawn at most four times a second
DIAGNOSE_SECONDS = 5.0  # the checks read the whole history: seldom is enough
PLAIN_SECONDS, PLAIN_SHARE = 10.0, 0.05  # a plain line after so much time or progress, whichever comes first
PLAIN_LEAST_SECONDS = 1.0

ARROWS = {("improving", "lower"): "↓", ("improving", "higher"): "↑", ("worsening", "lower"): "↑"}
ARROWS |= {("worsening", "higher"): "↓"}  # flat has an arrow of its own
COLOURS = {"critical": "bold red", "warning": "yellow", "note": "cyan", "improving": "green", "worsening": "red"}


class Facts:
    """The facts of the run so far, and their texts. Both views show the same facts."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock, self._diagnosed = clock, -DIAGNOSE_SECONDS
        self.records: list[Record] = []
        self.events: list[Mapping[str, Any]] = []
        self.phase, self.grid = "Starting", ""
        self.warnings: list[str] = []  # about the data, and what has changed since the run was stopped
        self.findings: tuple[Finding, ...] = ()
        self.guarded = ""  # the last thing that the guard did

    def record(self, record: Record) -> None:
        """Add a record; after a rewind the repeated range is dropped."""
        while self.records and self.records[-1]["step"] >= record["step"]:
            self.records.pop()
        self.records.append(record)
        if self._clock() - self._diagnosed >= DIAGNOSE_SECONDS:
            self._diagnosed = self._clock()
            self.findings = diagnose(self.history())

    def event(self, event: Mapping[str, Any]) -> None:
        """Add an event."""
        kind = kind_of(event)
        self.phase = kind.phase or self.phase
        if event["kind"] == "sampled":
            self.grid = str(event.get("path", ""))
        if kind.note:
            self.warnings.append(sentence(event))
        if kind.guard:
            self.guarded = sentence(event)
        if event["kind"] != "checkpoint":
            self.events.append(event)

    def history(self) -> History:
        return History(records=tuple(self.records), events=tuple(self.events))

    @property
    def progress(self) -> float:
        return float(self.records[-1].get("progress", 0.0)) if self.records else 0.0

    def speed(self) -> str:
        """Return the progress, the speed and the remaining time."""
        if not self.records:
            return ""
        last = self.records[-1]
        rates = [float(record["examples_per_second"]) for record in self.records[-5:]]
        rate = statistics.median(rates)
        words = f"{last['examples']:,} examples"
        if "length_examples" in last:
            words = f"{last['examples']:,} of {last['length_examples']:,} examples"
            if rate > 0:
                left = (last["length_examples"] - last["examples"]) / rate
                return f"{words}, {rate:,.0f}/s, {duration(left)} left"
        return f"{words}, {rate:,.0f}/s"

    def player_rows(self) -> list[tuple[str, str, str, str]]:
        """Return (name, loss, gradient norm, learning rate) of every player in the last record."""
        last = self.records[-1] if self.records else {}
        rows = []
        for player in History(records=(last,)).players if last else ():
            terms = (last.get("terms") or {}).get(player) or {}
            rows.append(
                (
                    player,
                    f"{sum(terms.values()):.3g}" if terms else "",
                    _number((last.get("gradient_norms") or {}).get(player)),
                    _number((last.get("learning_rates") or {}).get(player)),
                )
            )
        return rows

    def quality(self) -> Quality | None:
        return leading_quality(self.history())

    def meaning(self) -> str:
        """Return the meaning of the numbers, in words."""
        critical = [finding for finding in self.findings if finding.severity == "critical"]
        if critical:
            return f"Something is wrong: {critical[0].ailment.replace('_', ' ')}."
        parts = [words for words in (self._quality_words(), self._balance_words()) if words]
        joined = "; ".join(parts)
        return f"{joined[:1].upper()}{joined[1:]}." if joined else ""

    def _quality_words(self) -> str:
        seen = self.quality()
        if seen is None or len(seen.values) < 3:
            return "too early to say whether it gets better" if seen else ""
        words = {
            "improving": "it is getting better",
            "flat": "quality is flat",
            "worsening": "quality is getting worse",
        }
        return words[trend(seen.values, seen.better)]

    def _balance_words(self) -> str:
        history = History(records=tuple(self.records[-10:]))
        judges = history.discriminators
        ranked = middle(window(series(history, "notes", judges[0], "ranked_right"), least=1)) if judges else 0.75
        if not judges:
            return ""
        if ranked > 0.98:
            return "the discriminator is far ahead"
        if ranked < 0.55:
            return "the discriminator can hardly tell the two apart"
        return "the two networks are well matched" if ranked < 0.9 else "the discriminator is ahead"


class LiveView:
    """A view that is redrawn in place. Use it as a context manager; it appears with the first event."""

    def __init__(self, console: Console, clock: Callable[[], float] = monotonic) -> None:
        self._facts, self._clock, self._drawn = Facts(clock), clock, float("-inf")
        self._live = Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live.is_started:
            self._draw()
            self._live.stop()

    def record(self, record: Record) -> None:
        self._facts.record(record)
        if self._clock() - self._drawn >= REFRESH_SECONDS:
            self._draw()

    def event(self, event: Mapping[str, Any]) -> None:
        self._facts.event(event)
        if not self._live.is_started:
            self._live.start()  # not before: a refused command leaves no empty view behind
        self._draw()

    def _draw(self) -> None:
        self._drawn = self._clock()
        self._live.update(picture(self._facts), refresh=True)


class PlainView:
    """A view that prints occasional lines, for logs, pipes and screen readers."""

    def __init__(self, console: Console, clock: Callable[[], float] = monotonic) -> None:
        self._console, self._facts, self._clock = console, Facts(clock), clock
        self._said_at, self._said_share = float("-inf"), 0.0
        self._told: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def record(self, record: Record) -> None:
        self._facts.record(record)
        now, progress = self._clock(), self._facts.progress
        waited = now - self._said_at
        due = waited >= max(PLAIN_SECONDS, 0.05 * float(record.get("seconds", 0.0)))  # a night's log stays readable
        due = due or (progress - self._said_share >= PLAIN_SHARE and waited >= PLAIN_LEAST_SECONDS)
        if due or progress >= 1 or "quality" in record:
            self._said_at, self._said_share = now, progress
            self._say(line(self._facts))
        for finding in self._facts.findings:
            if finding.ailment not in self._told:
                self._told.add(finding.ailment)
                self._say(f"{finding.severity}: {finding.ailment.replace('_', ' ')}. {finding.evidence}")

    def event(self, event: Mapping[str, Any]) -> None:
        self._facts.event(event)
        words = sentence(event)
        if words:
            self._say(words)

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def view_for(console: Console) -> LiveView | PlainView:
    """Return the view for the output. Of several processes only the leader prints."""
    if not is_leader():
        console.quiet = True
    return LiveView(console) if console.is_terminal else PlainView(console)


def picture(facts: Facts) -> RenderableType:
    """Render the live view."""
    head = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=1.0, completed=facts.progress, width=32)
    head.add_row(Text(facts.phase, style="bold"), bar, f"{facts.progress:.0%}")
    parts: list[RenderableType] = [head]
    if facts.records:
        parts.append(Text(facts.speed()))
        parts.append(_player_table(facts))
    if (seen := facts.quality()) is not None and seen.values:
        parts.append(_quality_line(seen))
    if words := facts.meaning():
        parts.append(Text(words, style="italic"))
    if facts.grid:
        parts.append(Text(f"Last samples: {facts.grid}", style="dim", overflow="fold"))
    parts += [Text(words, style="yellow") for words in facts.warnings]
    if facts.guarded:
        parts.append(Text(facts.guarded, style="yellow"))
    for finding in facts.findings[:3]:
        name = finding.ailment.replace("_", " ")
        parts.append(Text(f"{finding.severity}: {name}. {finding.evidence}", style=COLOURS[finding.severity]))
    return Group(*parts)


def line(facts: Facts) -> str:
    """Render the same facts as one line, without colour or arrows."""
    parts = [f"{facts.progress:4.0%}", facts.speed()]
    parts += [f"{name}: loss {loss}, gradient {norm}, rate {rate}" for name, loss, norm, rate in facts.player_rows()]
    if (seen := facts.quality()) is not None and seen.values:
        parts.append(f"{seen.name} {seen.values[-1]:.3g} ({seen.better} is better, {trend(seen.values, seen.better)})")
    return " | ".join(part for part in (*parts, facts.meaning()) if part)


def _player_table(facts: Facts) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("")
    for column in ("loss", "gradient", "learning rate"):
        table.add_column(column, justify="right", min_width=8)
    for row in facts.player_rows():
        table.add_row(*row)
    return table


def _quality_line(seen: Quality) -> Text:
    way = trend(seen.values, seen.better)
    arrow = ARROWS.get((way, seen.better), "→")
    text = Text(f"{seen.name} {seen.values[-1]:.3g} ")
    return text.append(f"{arrow} {way}", style=COLOURS.get(way, "")).append(f" ({seen.better} is better)", style="dim")


def _number(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, int | float) else ""
