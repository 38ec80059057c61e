"""What the benchmarks of tables share: one JSON line for each result, and the worst of the seeds held against bars."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from ganforge.run import Run

if TYPE_CHECKING:
    from ganforge.api.sample import TrainedRun


@dataclass(frozen=True, slots=True)
class Bar:
    """What a number must reach: at least or at most `limit`, or within it on either side of `centre`."""

    limit: float
    sense: Literal["at least", "at most", "within"]
    centre: float = 0.0

    def badness(self, value: float) -> float:
        """How far on the wrong side of the bar a value lies; negative on the right one."""
        match self.sense:
            case "at least":
                return self.limit - value
            case "at most":
                return value - self.limit
            case "within":
                return abs(value - self.centre) - self.limit

    def __str__(self) -> str:
        return f"{self.centre:g} +- {self.limit:g}" if self.sense == "within" else f"{self.sense} {self.limit:g}"


def tell(**content: Any) -> None:
    """One result as a line of JSON, at once; numbers to five digits."""
    print(json.dumps({key: _short(value) for key, value in content.items()}), flush=True)


def conclude(results: Sequence[Mapping[str, float]], bars: Mapping[str, Bar], **content: Any) -> None:
    """The worst value of each measure that has a bar, each beside its spread over the results, and what was reached."""
    for name, bar in bars.items():
        values = [result[name] for result in results]
        worst = max(values, key=bar.badness)
        tell(
            **content,
            worst_of=len(values),
            measure=name,
            value=worst,
            spread=[min(values), max(values)],
            bar=str(bar),
            verdict="reached" if bar.badness(worst) <= 0 else "not reached",
        )


def training_seconds(trained: TrainedRun) -> float:
    """How long a run trained, the game and what learned after it; without reading, planning and judging."""
    run = Run(trained.folder)
    after = sum(float(event["seconds"]) for event in run.read_events() if event["kind"] == "settled")
    return float(run.read_records()[-1]["seconds"]) + after


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._started = perf_counter()

    def seconds(self) -> float:
        return perf_counter() - self._started


def folder_at(place: str | Path) -> Path:
    """A folder, made if it is not there."""
    path = Path(place)
    path.mkdir(parents=True, exist_ok=True)
    return path


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    return [_short(one) for one in value] if isinstance(value, list) else value
