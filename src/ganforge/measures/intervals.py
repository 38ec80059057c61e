"""Numbers and comparisons: 95 % confidence intervals, targets of training, and rows of rivals."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ganforge.core.format import title
from ganforge.core.seeds import seed_for
from ganforge.errors import RecipeError, did_you_mean
from ganforge.records import Block, Meaning, Measure, Rival, Rivals
from ganforge.records import Estimate as Estimate  # noqa: PLC0414 - re-exported for estimators

Z95 = 1.959964  # the two-sided 95 % point of the normal distribution


def with_ends(scores: Mapping[str, Estimate]) -> dict[str, float]:
    """Return each score by name, with {name}_low and {name}_high: the form of a record's `quality` (run.py)."""
    return {
        key: value
        for name, score in scores.items()
        for key, value in ((name, score.value), (f"{name}_low", score.low), (f"{name}_high", score.high))
    }


def from_standard_error(
    value: float, standard_error: float, least: float = -math.inf, most: float = math.inf
) -> Estimate:
    """Return value +- 1.96 standard errors, clipped to the range least..most of the quantity."""
    half = Z95 * standard_error
    return Estimate(value, max(value - half, min(least, value)), min(value + half, max(most, value)))


def of_share(successes: int, trials: int) -> Estimate:
    """Return a share with Wilson's interval (1927), valid also near 0 and 1 and for few trials. trials >= 1."""
    return wilson(successes / trials, trials, Z95)


def wilson(p: float, trials: float, z: float) -> Estimate:
    """Return a share p with Wilson's interval at the level of z. Args: trials > 0, which may be a fraction."""
    z2 = z**2
    centre = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = z * math.sqrt(p * (1 - p) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    return Estimate(p, max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)))


def from_jackknife(value: float, without_block: NDArray[np.float64], least: float = 0.0) -> Estimate:
    """Return a smooth statistic's interval from its values with each of B blocks left out in turn.

    The standard error is sqrt((B-1)/B sum (theta_b - mean)^2) (Efron and Stein 1981), the multiple Student's t with B-1
    degrees of freedom. It needs B evaluations where a bootstrap needs hundreds, and, unlike a bootstrap of a distance,
    it is not shifted by the extra noise of resampling.
    """
    blocks = len(without_block)
    standard_error = math.sqrt((blocks - 1) / blocks * float(((without_block - without_block.mean()) ** 2).sum()))
    return from_standard_error(value, standard_error * float(stats.t.ppf(0.975, blocks - 1)) / Z95, least=least)


def from_bootstrap(
    statistic: Callable[[NDArray[np.int64]], float], count: int, random: np.random.Generator, repeats: int = 200
) -> Estimate:
    """Return the percentile interval of `statistic(indices)` over `repeats` bootstrap samples of 0..count-1."""
    value = statistic(np.arange(count))
    draws = [statistic(random.integers(0, count, count)) for _ in range(repeats)]
    low, high = np.quantile(draws, (0.025, 0.975))
    return Estimate(value, min(float(low), value), max(float(high), value))


def certainly_lower(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Return whether the mean difference of pairs (N,) is below 0, by Student's two-sided 95 % interval; N > 1."""
    apart = one - other
    if len(apart) < 2:
        return False
    half = float(stats.t.ppf(0.975, len(apart) - 1)) * float(apart.std(ddof=1)) / len(apart) ** 0.5
    return bool(apart.mean() < -half)


def mean_by_bootstrap(values: NDArray[np.float64], random: np.random.Generator) -> Estimate:
    """Return the mean of values (N,) with the percentile interval of its bootstrap samples."""
    return from_bootstrap(lambda chosen: float(values[chosen].mean()), len(values), random)


def means_by_bootstrap(values: Mapping[str, NDArray[np.float64]], purpose: str) -> dict[str, Estimate]:
    """Return the mean of each measure with a bootstrap interval. Args: purpose of the random numbers of each."""
    seed = seed_for(0, purpose)
    return {name: mean_by_bootstrap(own, np.random.default_rng(seed)) for name, own in values.items()}


# ---- targets of training: `kid<0.02`, `recall>0.5` -------------------------------------------------------------------


def mean_of_groups(estimates: Sequence[Estimate], most: float = 1.0) -> Estimate:
    """Return the mean of independent groups, with half the mean width of their intervals over the root of their number.

    Args: estimates of shares or scores, in 0..most.
    """
    value = float(np.mean([one.value for one in estimates]))
    root = len(estimates) ** 0.5
    low = value - float(np.mean([one.value - one.low for one in estimates])) / root
    high = value + float(np.mean([one.high - one.value for one in estimates])) / root
    return Estimate(value, max(0.0, low), min(most, max(value, high)))


@dataclass(frozen=True, slots=True)
class Target:
    """A target for a measure: below ("<") or above (">") a value."""

    measure: str
    comparison: Literal["<", ">"]
    value: float

    def reached(self, quality: Mapping[str, float]) -> bool:
        """Return whether all of the 95 % interval in a record ({measure}_low, {measure}_high) is past the value."""
        worst = quality.get(
            f"{self.measure}_{'high' if self.comparison == '<' else 'low'}", quality.get(self.measure, math.nan)
        )
        return worst < self.value if self.comparison == "<" else worst > self.value

    def __str__(self) -> str:
        return f"{self.measure}{self.comparison}{self.value:g}"


def parse_target(text: str, measured: Mapping[str, Literal["lower", "higher"]]) -> Target:
    """Read "kid<0.02".

    Args: measured the measures of the task during training -> which direction is better.
    Raises: RecipeError for another form, an unknown measure, or the worse direction.
    """
    match = re.fullmatch(r"\s*([A-Za-z_][A-Za-z0-9_ ]*?)\s*(<=?|>=?)\s*([-+0-9.eE]+)\s*", text)
    try:
        value = float(match[3]) if match else math.nan
    except ValueError:
        value = math.nan
    if match is None or not math.isfinite(value):
        raise RecipeError(
            f"The target {text!r} cannot be read.",
            "A target is a measure, < or >, and a number.",
            f'Write for example "{_example(measured)}".',
        )
    name = match[1].lower().replace(" ", "_")
    if name not in measured:
        raise RecipeError(
            f"{name!r} is not measured during training.",
            "A target must name a measure that is.",
            did_you_mean(name, measured),
        )
    comparison: Literal["<", ">"] = "<" if match[2].startswith("<") else ">"
    if (comparison == "<") != (measured[name] == "lower"):
        raise RecipeError(
            f"The target {text!r} asks for a worse {name}.",
            f"For {name}, {measured[name]} is better.",
            f'Write "{name}{"<" if comparison == ">" else ">"}{value:g}".',
        )
    return Target(name, comparison, value)


def _example(measured: Mapping[str, Literal["lower", "higher"]]) -> str:
    name = next(iter(measured))
    return f"{name}{'<' if measured[name] == 'lower' else '>'}0.02"


# ---- methods that are not GANs, beside the model ---------------------------------------------------------------------


def values_of(scored: Mapping[str, Estimate]) -> dict[str, float]:
    """Return the value of each measure, without its interval."""
    return {name: its.value for name, its in scored.items()}


def measures_of(
    scored: Mapping[str, Estimate],
    meanings: Mapping[str, Meaning],
    floors: Mapping[str, float],
    references: Mapping[str, float],
) -> tuple[Measure, ...]:
    """Return the measures of a model, each beside its floor and that of the simplest method."""
    return tuple(
        Measure.of(name, its, meanings[name], floor=floors[name], reference=references[name])
        for name, its in scored.items()
    )


def rival(name: str, sentence: str, scores: Mapping[str, float]) -> dict[str, Any]:
    """Return one method as evaluation.json stores it. Args: scores its value of each measure."""
    return {"name": name, "sentence": sentence, "measures": dict(scores)}


def rival_rows(told: Sequence[Mapping[str, Any]], heads: Mapping[str, str], caption: str = "") -> Rivals:
    """Return rows of the methods that `rival` gives, the model first.

    Args: heads a measure's name -> the heading of its scores, by default its name.
    """
    measured = list(dict.fromkeys(name for one in told for name in one["measures"]))
    return Rivals(
        heads=tuple(heads.get(name, title(name)) for name in measured),
        rows=tuple(
            Rival(str(one["name"]), tuple(score(one["measures"].get(name)) for name in measured), str(one["sentence"]))
            for one in told
        ),
        caption=caption,
    )


def beside_others(
    sentence: str, told: Sequence[Mapping[str, Any]], heads: Mapping[str, str], caption: str = ""
) -> Block:
    """Return the block of a page with the rows of methods. Args: sentence what is compared; others as `rival_rows`."""
    return Block("Beside other methods", sentence, (rival_rows(told, heads, caption),))


def score(value: float | None) -> str:
    """Format with three decimals, so that the numbers of a column align; "" for None."""
    return "" if value is None else f"{value:.3f}"
