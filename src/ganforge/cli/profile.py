"""The verb `profile`: the cost of a training step, in a terminal or as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.status import Status
from rich.table import Table
from rich.text import Text

import ganforge
from ganforge.cli import options
from ganforge.cli import output as tables
from ganforge.contracts import Observer
from ganforge.events import kind_of

if TYPE_CHECKING:
    from ganforge.api.profile import Profile

BAR = 30  # letters of a whole step


class _Spinner(Observer):
    """An observer that shows the current activity."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def event(self, event: Mapping[str, Any]) -> None:
        if phase := kind_of(event).phase:
            self._status.update(f"{phase} ...")


@options.asking("train", "minutes", "examples", "task", "size", "kind", "objective", "label", "settings")
def profile(
    source: Annotated[
        str,
        typer.Argument(metavar="RUN|DATA", show_default=False, help="A run folder, or data as for `ganforge train`."),
    ],
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON and nothing else.")] = False,
    *,
    asked: dict[str, Any],
) -> None:
    """Show where a training step goes, and what would be faster."""
    with Console(stderr=True).status("Beginning ...") as status:
        found = ganforge.profile(source, observers=(_Spinner(status),), **asked)
    if as_json:
        print(json.dumps(found.to_json(), indent=2))
        return
    console = Console()
    for part in picture(found):
        console.print(part, soft_wrap=not console.is_terminal)


def picture(found: Profile) -> list[RenderableType]:
    """Render a profile: the step, its parts as bars, the two ceilings, other settings, and a sentence."""
    step = found.step
    how = "repeated from a recording" if step.captured else "operation by operation"
    head = Text.assemble(
        ("One step ", "bold"), (_seconds(step.seconds), "bold"),
        f" ({_seconds(step.seconds_lowest)} to {_seconds(step.seconds_highest)}), "
        f"{step.examples_per_second:,.0f} {found.examples}/s: batch {step.batch_size}, {step.precision}, "
        f"{step.device}, {how}",
    )  # fmt: skip
    parts = Table.grid(padding=(0, 2))
    for part, share in step.parts.items():
        parts.add_row(part, Text("█" * round(BAR * share), "cyan"), f"{share:6.1%}", _seconds(share * step.seconds))
    parts.add_row("idle", Text("░" * round(BAR * step.idle), "yellow"), f"{step.idle:6.1%}", Text("of all the time"))
    against = tables.table_of("", "of a step", "a second", "this machine at most", "share")
    ceilings = step.ceilings
    against.add_row(
        "arithmetic", f"{_large(step.flops)}flop", f"{_large(step.flops / step.seconds)}flop/s",
        f"{_large(ceilings.flops_per_second)}flop/s", f"{step.flops_share:.0%}",
    )  # fmt: skip
    against.add_row(
        "memory", f"{_large(step.bytes)}B", f"{_large(step.bytes / step.seconds)}B/s",
        f"{_large(ceilings.bytes_per_second)}B/s", f"{step.bytes_share:.0%}",
    )  # fmt: skip
    shown: list[RenderableType] = [head]
    if step.why_not_captured:
        shown.append(Text(f"Not repeated from a recording: {step.why_not_captured}.", "yellow"))
    shown += [Text(), parts, Text(), against]
    if found.alternatives:
        others = tables.table_of("instead", f"times the {found.examples}/s", "how to ask for it")
        others.columns[-1].no_wrap = True  # to be copied
        for other in found.alternatives:
            others.add_row(other.words, f"{other.gain:.2f}", f"--set {other.option}")
        shown += [Text(), others]
    return [*shown, Text(), Text(found.sentence, "bold")]


def _seconds(seconds: float) -> str:
    """Format seconds in the unit that leaves a number between 1 and 1,000."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{1e3 * seconds:.3g} ms" if seconds >= 1e-3 else f"{1e6 * seconds:.0f} µs"


def _large(number: float) -> str:
    """Format with three digits and the prefix of a thousand, a million and so on."""
    for prefix, factor in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= factor:
            return f"{number / factor:.3g} {prefix}"
    return f"{number:.3g} "
