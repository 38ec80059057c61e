"""The verdict on a table in words: its distance from real rows, whether a Gaussian copula suffices, copies, and
deviations of a column or a pair."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ganforge.core.format import percent
from ganforge.kinds.tables.columns import TIMES, Column, learned, not_learned
from ganforge.kinds.tables.measures.copies import Copies
from ganforge.kinds.tables.measures.scoring import Score
from ganforge.kinds.tables.measures.similarity import by_frequency, ranks
from ganforge.kinds.tables.rules.values import moment, write_time
from ganforge.measures.intervals import Estimate
from ganforge.records import GRADES, Grade, Verdict

Gain = Literal["beats", "mixed", "unproven", "none"]  # against the Gaussian copula
BOUNDS = (0.12, 0.28, 0.5, 0.8)  # upper ends of what is lost, for each grade but the last
COMPARED = {"table_quality": (1.0, 0.0), "utility": (1.0, 0.04), "detection": (-1.0, 0.01)}
"""Measure -> sign of better, and by how much the same generator's score changes when it draws again and is learned from
again, which the intervals do not know: they are of the held-out rows. (A copula on Adult: 0.025 and 0.003.) For `MANY`
held-out rows; with fewer it grows like 1 / root of their number."""
MANY = 5_000
SURE = 1.5  # times a 95 % interval: three measures are tried, and one of them must not win by chance
NAMES = {
    "table_quality": "likeness",
    "utility": "what a model learns from its rows",
    "detection": "being taken for real",
}
FEW = 200  # held-out rows, below which the verdict says what they cannot prove
LEAST_SPAN = 0.05  # of quality between real rows and independent columns
LOST = 0.02  # of a score that is more than chance with many rows
CHANCE = 0.5  # times 1 / root of the rows: what a score of few rows loses by chance
MOST_LETTERS = 40  # of a value in a sentence
MADE_UP = (0.1, 0.5)  # of the columns, beyond which the grade is good at best, and fair at best


def judge_table(  # noqa: PLR0913 - all that a verdict weighs
    mine: Score,
    real: Score,
    copula: Score,
    independent: Score,
    *,
    held_out: int,
    off: Sequence[str] = (),
    lost: Sequence[str] = (),
    columns: Sequence[Column] = (),
    label: str | None = None,
) -> Verdict:
    """Grade by what is lost against real rows, the mean of three shares (of two where nothing can be predicted):

    quality: 0 at that of real rows, 1 at that of independent columns; skill: 1 - the share of it that is kept;
    disguise: 2 AUC - 1 of detection. Up to 0.12 excellent, 0.28 good, 0.5 fair, 0.8 poor, beyond it failed. Then the
    worst of these limits: copying suspected: poor at best; a common value lost, or worse than the copula: fair at best;
    nearly all rows repeated: failed; more than a tenth of the columns not learned: good at best, more than half: fair.

    `adversarial_helps`: the model is significantly better than the copula in at least one of quality, skill and
    detection (beyond 1.5 times the 95 % interval of the difference), and significantly worse in none.

    Args: held_out rows; off sentences on columns; lost sentences on values that never occur; columns all of
        the table, of which texts may not be learned.
    """
    wins, losses = _against(mine.measures, copula.measures, max(1.0, math.sqrt(MANY / held_out)))
    gain: Gain = "mixed" if wins and losses else "beats" if wins else "none" if losses else "unproven"
    collapsed = mine.copies.repeats > max(0.5, mine.copies.real_repeats + 0.4)
    worst = sum(share_lost(mine, real, independent) > bound for bound in BOUNDS)
    made_up = [column.name for column in columns if column.is_made_up]
    of_columns = len(learned(columns)) + len(made_up)
    limit = sum(len(made_up) > share * of_columns for share in MADE_UP)
    without = f"{len(made_up)} of {of_columns} columns are not learned" if limit > worst else ""
    worst = max(worst, limit)
    worst = max(worst, 2 if lost or gain == "none" else 0, 3 if mine.copies.suspected else 0, 4 if collapsed else 0)
    grade = GRADES[worst]
    sentences = [
        *_measured(mine.measures, real.measures, copula.measures, label),
        _gained(gain, wins, losses),
        *([not_learned(made_up)] if made_up else []),
        *lost[:2],
        *off[:2],
        *_unproven(mine.measures, held_out),
        mine.copies.sentence,
    ]
    return Verdict(
        grade, _headline(grade, gain, mine.copies, collapsed, lost, without), tuple(sentences), gain == "beats"
    )


def share_lost(mine: Score, real: Score, independent: Score) -> float:
    """Return the lost share: 0 for real rows, about 1 for columns drawn independently; may be beyond both."""
    quality, best, floor = (one.similarity.quality.value for one in (mine, real, independent))
    parts = [max(0.0, (best - quality) / max(best - floor, LEAST_SPAN))]
    if mine.utility.kept is not None:
        parts.append(max(0.0, 1 - mine.utility.kept.value))
    if mine.detection is not None:
        parts.append(max(0.0, 2 * mine.detection.value - 1))
    return sum(parts) / len(parts)


def _against(mine: Mapping[str, Estimate], copula: Mapping[str, Estimate], fewer: float) -> tuple[list[str], list[str]]:
    """Return the measures in which the generator is significantly better than the copula, and worse."""
    wins, losses = [], []
    for name, (sign, again) in COMPARED.items():
        if name in mine and name in copula:
            one, other = mine[name], copula[name]
            difference = sign * (one.value - other.value)
            unsure = SURE * math.hypot((one.high - one.low) / 2, (other.high - other.low) / 2, fewer * again)
            if difference > unsure:
                wins.append(name)
            elif difference < -unsure:
                losses.append(name)
    return wins, losses


def _headline(grade: Grade, gain: Gain, copies: Copies, collapsed: bool, lost: Sequence[str], without: str) -> str:
    """Args: without a sentence on columns that are not learned, where they decided the grade."""
    what = [
        (collapsed, "the generator repeats nearly the same rows."),
        (copies.suspected, "the generator returns rows that it was trained on."),
        (gain == "none", "a Gaussian copula, which takes a second, does better here."),
        (lost, "a value that is common in the real rows never occurs."),
        (without, f"{without}, and their values are made up."),
        (gain == "unproven", "as far as these rows can tell, a simple Gaussian copula does as well."),
    ]
    for true, words in what:
        if true:
            return f"{grade.capitalize()}: {words}"
    return {
        "excellent": "Excellent: the generated rows can hardly be told from real ones.",
        "good": "Good: the generated rows keep most of what the real ones hold.",
        "fair": "Fair: the generated rows keep a good part of what the real ones hold, and are clearly not real yet.",
        "poor": "Poor: much of what the real rows hold is lost.",
        "failed": "Failed: the generated rows hold little more than columns drawn one by one.",
    }[grade]


def _measured(
    mine: Mapping[str, Estimate], real: Mapping[str, Estimate], copula: Mapping[str, Estimate], label: str | None
) -> list[str]:
    words = [
        f"Single columns are {percent(mine['column_shapes'].value)} alike "
        f"(unseen real rows: {percent(real['column_shapes'].value)})"
    ]
    if "column_pairs" in mine:
        words[0] += (
            f", and columns that belong together {percent(mine['column_pairs'].value)} "
            f"(unseen real rows: {percent(real['column_pairs'].value)}, a Gaussian copula: "
            f"{percent(copula['column_pairs'].value)})"
        )
    words[0] += "."
    if "utility" in mine:
        words.append(
            f"A model that learns from the generated rows keeps {percent(mine['utility'].value)} of the skill that "
            f"real rows teach it (from the copula's rows: {percent(copula['utility'].value)})."
        )
    if "label_score" in mine:
        words.append(
            f"It predicts {label} of unseen real rows with {mine['label_score'].value:.3f}, where training on real "
            f"rows gives {real['label_score'].value:.3f} and on the copula's {copula['label_score'].value:.3f}."
        )
    if "detection" in mine:
        words.append(
            f"A model that tries to tell generated rows from unseen real ones gets {mine['detection'].value:.2f}, "
            f"where 0.5 is guessing and 1 is always right"
            + (f" (the copula's rows: {copula['detection'].value:.2f})." if "detection" in copula else ".")
        )
    return words


def _gained(gain: Gain, wins: Sequence[str], losses: Sequence[str]) -> str:
    better, worse = (_listed([NAMES[name] for name in names]) for names in (wins, losses))
    return {
        "beats": f"It beats the Gaussian copula for certain in {better}, and is worse in nothing.",
        "mixed": f"It beats the Gaussian copula in {better}, and is worse in {worse}: train longer.",
        "unproven": "No difference to the Gaussian copula is certain: use the copula, which takes a second, "
        "unless more rows show otherwise.",
        "none": f"The Gaussian copula is better in {worse}, and in nothing worse for certain: "
        "train longer, or use the copula.",
    }[gain]


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _unproven(mine: Mapping[str, Estimate], held_out: int) -> list[str]:
    if held_out >= FEW:
        return []
    quality = mine["table_quality"]
    words = (
        f"Only {held_out} real rows were held out: differences of quality below "
        f"{(quality.high - quality.low) / 2:.2f} cannot be proved with them"
    )
    return [words + ("." if "utility" in mine else ", and no column can be predicted surely enough to compare.")]


# ---- columns and pairs ----------------------------------------------------------------------------------------------


def is_off(scores: NDArray[np.float64], floors: NDArray[np.float64], rows: int) -> NDArray[np.bool_]:
    """Return which scores (...) are clearly below those of as many real rows."""
    return floors - scores > LOST + CHANCE / math.sqrt(rows)


def column_sentence(column: Column, real: NDArray[Any], made: NDArray[Any]) -> str:
    """Say where a column's generated values (M,) differ most from its real ones (N,), both non-empty."""
    what, share, expected = (_of_numbers if column.is_number else _of_texts)(column, real, made)
    if share == 0:
        return f"{column.name}: none of the rows {what}, {percent(expected)} of the real ones do."
    return f"{column.name}: {percent(share)} of the rows {what}, {percent(expected)} of the real ones do."


def pair_sentence(first: Column, second: Column, real: tuple[Any, Any], made: tuple[Any, Any]) -> str:
    """Say how two number columns' correlation differs; "" if one is a category, which the picture shows better."""
    if not (first.is_number and second.is_number):
        return ""
    found, expected = _correlation(*made), _correlation(*real)
    return f"{first.name} and {second.name}: their correlation is {found:.2f}, {expected:.2f} in the real rows."


def lost_values(column: Column, real: NDArray[Any], made: NDArray[Any], least: float = 0.05) -> list[str]:
    """Return the texts that at least the share `least` of the real rows have and none of the generated ones."""
    if column.is_number:
        return []
    common = [str(text) for text in by_frequency(real)[: round(1 / least)] if (real == text).mean() >= least]
    present = set(by_frequency(made))
    return [text for text in common if text not in present]


def shown(text: str) -> str:
    """Format a value for a sentence."""
    return f'"{text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…"}"'


def _of_texts(column: Column, real: NDArray[Any], made: NDArray[Any]) -> tuple[str, float, float]:
    texts = by_frequency(np.concatenate([real, made]))
    sizes = [np.bincount(ranks(side, texts) + 1, minlength=len(texts) + 1) / len(side) for side in (real, made)]
    gaps = np.abs(sizes[0] - sizes[1])
    worst = int((gaps + 1e-3 * (gaps > 0) * (sizes[1] == 0)).argmax())  # of equal ones the one that is missing
    what = "have no value" if worst == 0 else f"have {shown(str(texts[worst - 1]))}"
    return what, float(sizes[1][worst]), float(sizes[0][worst])


def _of_numbers(column: Column, real: NDArray[Any], made: NDArray[Any]) -> tuple[str, float, float]:
    """Compare at the value where the distribution functions are farthest apart, or at the missing values."""
    gone = float(np.isnan(made).mean()), float(np.isnan(real).mean())
    values = np.unique(np.concatenate([real[~np.isnan(real)], made[~np.isnan(made)]]))
    if not len(values):
        return "have no value", *gone
    below = [np.searchsorted(np.sort(side[~np.isnan(side)]), values, "right") / len(side) for side in (made, real)]
    gaps = np.abs(below[0] + gone[0] - below[1] - gone[1])  # missing lies below all, as in the score
    at = int(gaps.argmax())
    if abs(gone[0] - gone[1]) > 0.8 * gaps[at]:  # nearly all of it
        return "have no value", *gone
    value = _value(column, float(values[at]))
    if below[1][at] > 0.5:  # the rarer side is more informative
        rest = [float((side > values[at]).mean()) for side in (made, real)]
        return f"lie above {value}", rest[0], rest[1]
    return f"lie at or below {value}", float(below[0][at]), float(below[1][at])


def _value(column: Column, value: float) -> str:
    if column.kind == "datetime":
        return str(moment(value, column)).replace("T", " ")
    if column.kind in TIMES:
        return write_time(value, column)
    return f"{value:,.0f}" if value.is_integer() else f"{value:.4g}"


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    there = ~(np.isnan(first) | np.isnan(second))
    a, b = first[there], second[there]
    if len(a) < 2 or a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
