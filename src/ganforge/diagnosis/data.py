"""What is wrong with the data itself: too little of it, the same again and again, or labels that mean nothing.

The facts stand in the passport from the start; what the labels are worth is known once the judge has learned.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ganforge.records import Finding, History

_FEW = 100  # examples: with fewer, a tenth of them held out is too few to measure anything with
_COPIES = 0.3  # share of the examples that repeat another one
_BY_CHANCE = 0.05  # share of rows that may repeat by chance in columns of few values, before repeats mean nothing
_CONSTANT = 0.1  # share of the pictures that are of one colour
_CONSTANT_COLUMNS = 0.5  # share of the columns that have one value
_SKILL = 0.15  # of predicting a label, 0 for guessing and 1 for always right
_SKILL_AT_MOST = 0.35  # the upper end of its interval: with too few examples to tell nothing is said


def too_little_data(history: History) -> Finding | None:
    """So few training examples that a network knows them by heart and nothing can be measured."""
    passport = history.passport
    train = passport.get("train")
    if not isinstance(train, int) or train >= _FEW or "held_out" not in passport:
        return None
    return Finding(
        ailment="too_little_data",
        severity="warning",
        evidence=f"There are {train} training examples and {passport['held_out']} to measure with.",
        cause="A network learns so few examples by heart: the model can hardly give anything but them, and no measure "
        "of so few can tell a good model from a bad one.",
        remedy=f"Collect more: {_FEW} are the least, some hundreds are a good start. Until then use `--size tiny` and "
        "few `--minutes`.",
    )


def wrong_data(history: History) -> Finding | None:
    """Examples that repeat others or show nothing: they crowd out what is to be learned."""
    found = [words for words in (_copies(history.passport), _constant(history.passport)) if words]
    if not found:
        return None
    return Finding(
        ailment="wrong_data",
        severity="warning",
        evidence=" ".join(found),
        cause="Repeated and empty examples count as often as they stand there: the model gives them as often, learns "
        "the rest less well, and measures of quality and copying are fooled by repeats.",
        remedy="Look at the data: a join or an export may have multiplied or lost it. Keep one of each, leave out what "
        "is empty, and train again.",
    )


def meaningless_labels(history: History) -> Finding | None:
    """What was given as label cannot be told from the example itself: for all that is known it was thrown with dice."""
    words = _read_labels(history) or _predicted_label(history)
    if not words:
        return None
    return Finding(
        ailment="meaningless_labels",
        severity="warning",
        evidence=words,
        cause="The labels have nothing to do with the examples: they may be shuffled, belong to other examples, or "
        "name something that does not show.",
        remedy="Check how labels and examples were joined. Or train without labels: `--label none`.",
    )


def _copies(passport: Mapping[str, Any]) -> str:
    count = passport.get("count") or passport.get("rows_compared")
    copies, chance = passport.get("duplicates"), float(passport.get("duplicates_by_chance", 0))
    if not count or copies is None or copies < _COPIES * count or chance > _BY_CHANCE * count:
        return ""
    what = "pictures" if "count" in passport else "rows"
    return f"{copies:,} of {count:,} {what} are copies of another one."


def _constant(passport: Mapping[str, Any]) -> str:
    if "kinds" in passport:  # a table
        constant, columns = int(passport["kinds"].get("constant", 0)), int(passport.get("columns", 0))
        told = constant > 1 and constant >= _CONSTANT_COLUMNS * columns
        return f"{constant} of {columns} columns have the same value in every row." if told else ""
    constant, count = int(passport.get("constant", 0)), int(passport.get("count", 0))
    return f"{constant:,} of {count:,} pictures are of a single colour." if constant > _CONSTANT * count > 0 else ""


def _read_labels(history: History) -> str:
    """Of pictures: a network that learned the labels reads them in unseen pictures no better than chance."""
    told = next((event for event in reversed(history.events) if event.get("kind") == "judged"), None)
    if told is None:
        return ""
    accuracy, chance, checked = float(told["accuracy"]), float(told["chance"]), int(told["checked"])
    room = max(1.0 - chance, 1e-9)
    skill = (accuracy - chance) / room
    error = (max(accuracy * (1 - accuracy), 0.25 / checked) / checked) ** 0.5 / room
    if skill >= _SKILL or skill + 2 * error >= _SKILL_AT_MOST:
        return ""
    return (
        f"A network that learned the labels reads {accuracy:.1%} of them right in {checked:,} pictures that it had not "
        f"seen; guessing the most frequent one gets {chance:.1%}."
    )


def _predicted_label(history: History) -> str:
    """Of tables: no other column says anything about the column that was named as label."""
    label = history.evaluation.get("label")
    if not label or label["skill"] >= _SKILL or label["high"] >= _SKILL_AT_MOST:
        return ""
    interval = f"95 % interval {label['low']:.2f} to {label['high']:.2f}"
    return (
        f"Trees that learned {label['name']!r} from all other columns predict it in {label['held_out']:,} unseen rows "
        f"with a skill of {label['skill']:.2f} ({interval}); 0 is guessing."
    )
