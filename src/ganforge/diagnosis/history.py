"""Access to a history for checks: series by player, windows, measures with their floor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal, TypeAlias

from ganforge.records import History, Record

Trend: TypeAlias = Literal["improving", "flat", "worsening"]

_MINIMUM_CHANGE = 0.05  # less than 5 % over the window is not reported


def trend(values: Sequence[float], better: Literal["lower", "higher"] = "lower", window: int = 6) -> Trend:
    """Return the direction of the last `window` values.

    The change is the median of all pairwise slopes (Theil 1950, Sen 1968) times the length of the window, so one wild
    evaluation does not reverse it. It counts when it is more than 5 % of the level and more than the noise about
    the line. Values that are not finite are left out; fewer than three values are "flat".
    """
    recent = [value for value in values if math.isfinite(value)][-window:]
    if len(recent) < 3:
        return "flat"
    slope = median((recent[j] - recent[i]) / (j - i) for i in range(len(recent) - 1) for j in range(i + 1, len(recent)))
    change = slope * (len(recent) - 1)
    level = median(abs(value) for value in recent)
    middle = median(value - slope * i for i, value in enumerate(recent))
    noise = median(abs(value - slope * i - middle) for i, value in enumerate(recent))
    if abs(change) <= max(_MINIMUM_CHANGE * level, noise):
        return "flat"
    return "improving" if (change < 0) == (better == "lower") else "worsening"


DIVERSITY = ("recall", "coverage", "diversity")  # measures that fall when kinds of example go missing
KINDS = ("kinds_reached", "kind_diversity")  # from measures/distances.py at each evaluation
# For runs that do not record the directions of their measures:
HIGHER_IS_BETTER = (*DIVERSITY, *KINDS, "precision", "density", "authenticity", "accuracy")
PENALTIES = ("r1", "r2", "gradient_penalty")  # terms of a discriminator's loss that are not part of the game
_NOTHING: Mapping[str, Any] = {}
LEADING = ("kid", "kernel", "fid", "frechet")  # the measure that represents quality, first choice first


def series(history: History, group: str, player: str, name: str | None = None) -> list[float]:
    """Return one player's values in `group` (gradient_norms, terms, notes), oldest first, skipping records without.

    Args: name of the term or note, for groups that have one level more.
    """
    told = [(record.get(group) or _NOTHING).get(player) for record in history.records]
    if name is not None:
        told = [named.get(name) if named else None for named in told]
    return [float(value) for value in told if isinstance(value, int | float)]


def window(values: Sequence[float], share: float = 0.2, least: int = 5) -> list[float]:
    """Return the last `share` of the values, at least `least` of them; [] if there are fewer."""
    size = max(least, round(len(values) * share))
    return list(values[-size:]) if len(values) >= size else []


def early(values: Sequence[float], share: float = 0.2, least: int = 5) -> list[float]:
    """Return the first `share` of the values, at least `least`: the run before anything could go wrong."""
    return list(values[: max(least, round(len(values) * share))])


def middle(values: Sequence[float]) -> float:
    """Return the median of the finite values; NaN if there are none."""
    finite = [value for value in values if math.isfinite(value)]
    return median(finite) if finite else math.nan


def score_gap(history: History, judge: str) -> list[float]:
    """Return mean score of real minus mean score of fake, oldest first."""
    real, fake = series(history, "notes", judge, "score_real"), series(history, "notes", judge, "score_fake")
    return [a - b for a, b in zip(real, fake, strict=False)]


@dataclass(frozen=True, slots=True)
class Quality:
    """One measure over the run, oldest first, with its floor where an evaluation gave one."""

    name: str
    better: Literal["lower", "higher"]
    values: tuple[float, ...]
    floor: float | None = None


def quality(history: History, name: str) -> Quality:
    """Return the measure `name` in every record with an evaluation of the product, and in the final one."""
    values = [
        float(record["quality"][name])
        for record in history.looks
        if isinstance(record["quality"].get(name), int | float)
    ]
    measure = history.measures.get(name)
    if measure is None:
        guess = "higher" if any(word in name for word in HIGHER_IS_BETTER) else "lower"
        return Quality(name, history.measured.get(name, guess), tuple(values))
    final = _finite(measure.get("value"))
    if final is not None:
        values.append(final)
    return Quality(name, measure["better"], tuple(values), _finite(measure.get("floor")))


def leading_quality(history: History) -> Quality | None:
    """Return the leading measure of the run, or None if the product was never evaluated during training."""
    names = list(dict.fromkeys(name for record in history.looks for name in record["quality"]))
    names = [name for name in names if not name.endswith(("_low", "_high"))]
    for name in history.measured:
        if name in names:
            return quality(history, name)
    for word in LEADING:
        for name in names:
            if word in name:
                return quality(history, name)
    return quality(history, names[0]) if names else None


def at(record: Record) -> str:
    """Describe the position of a record in the run."""
    return f"after {int(record.get('examples', 0)):,} examples"


def _finite(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
