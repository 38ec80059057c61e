"""Checks for mode collapse (overall and by class), memorised examples, and poor data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ganforge.diagnosis.history import DIVERSITY, Quality, middle, quality
from ganforge.records import Finding, History

_LOW = 0.3  # of the floor: real data against real data reaches 1 by this count
_SUNK = 0.05  # of the floor: nearly none of the data is covered, however good the samples look
_FLOOR = 0.9  # recall and coverage of real against real, when no evaluation has measured it yet
_REACHED = 0.5  # coverage: half of the real examples have a sample near them, which no collapsed model reaches
_PRECISE = 0.3  # share of samples that look like data: below it a low recall only means "not trained yet"
_LOST = 0.4  # of the kinds: at most so many are reached
_VARIED = 0.4  # of the diversity of real examples of one kind
_ALL = 0.6  # of the kinds: at least so many are reached; a single picture of each may be misclassified
_EARLY, _HALF = 0.2, 0.45  # of the run, at the last evaluation: before, a low value means "not yet"
_FALL = 0.5  # of its best: half of what had been reached is lost


def collapse(history: History) -> Finding | None:
    """Detect mode collapse: samples cover far fewer kinds of example than the data, or than earlier samples.

    A low recall alone is not enough where coverage is good: the samples then reach every kind, and only keep to its
    typical examples (see `narrow`).
    """
    if not history.discriminators or class_collapse(history) is not None:
        return None
    reached = _last(history, "kinds_reached")
    if reached is not None and reached <= _LOST and _looked(history) >= _EARLY:
        return _collapse(f"The samples show {reached:.0%} of the kinds of example that the data has.")
    for seen in _diversity(history):
        if "recall" in seen.name and _all_kinds_reached(history):
            continue
        floor, now = _floor(seen), seen.values[-1]
        best = min(floor, max(seen.values))  # noise is more diverse than real data: not a best value
        if best >= _LOW * floor and now < _FALL * best:
            return _collapse(f"{seen.name} fell from {best:.2f} to {now:.2f}; real data gets {floor:.2f}.")
        precision = _last(history, "precision")
        words = "" if precision is None else f" with precision {precision:.2f}"
        trained = precision is None or precision >= _PRECISE or "diversity" in seen.name  # alike counts, good or bad
        if now < _LOW * floor and trained and _looked(history) >= (_EARLY if "diversity" in seen.name else _HALF):
            return _collapse(f"{seen.name} is only {now:.2f}{words}; real data gets {floor:.2f}.")
        if now < _SUNK * floor and _looked(history) >= _HALF:
            done = f"{history.progress:.0%} of the training done"
            return _collapse(f"{seen.name} is {now:.2f} with {done}; real data gets {floor:.2f}.")
    return None


def class_collapse(history: History) -> Finding | None:
    """Detect collapse within classes: every kind is present, but samples of one kind are nearly identical."""
    reached, varied = _last(history, "kinds_reached"), _last(history, "kind_diversity")
    if not history.discriminators or reached is None or varied is None or _looked(history) < _EARLY:
        return None
    if reached < _ALL or varied >= _VARIED:
        return None
    return Finding(
        ailment="class_collapse",
        severity="critical",
        evidence=f"The samples show {reached:.0%} of the kinds of example that the data has, but two samples of one "
        f"kind differ by only {varied:.0%} of what two real ones do.",
        cause="The generator has found one answer for each kind and ignores its random input: collapse within classes. "
        "A penalty that is too weak or steps that are too large bring it about.",
        remedy="Train again with a stronger penalty: `--set objective.gamma_start=...` (two to four times the plan's), "
        "and half the learning rate. Training without labels (`--label none`) also makes it use its random input.",
    )


def narrow(history: History) -> Finding | None:
    """Detect samples that cover every kind of example but only its typical members."""
    if not history.discriminators or history.progress < 0.98 or not _all_kinds_reached(history):
        return None
    for seen in _diversity(history):
        if "recall" in seen.name and seen.values[-1] < _LOW * _floor(seen):
            return Finding(
                ailment="narrow",
                severity="note",
                evidence=f"{seen.name} is {seen.values[-1]:.2f} and real data gets {_floor(seen):.2f}, although "
                f"coverage is {_last(history, 'coverage') or 0:.2f}: every kind is there, in few variations.",
                cause="The generator draws typical examples and leaves out unusual ones. Short runs do, and so does a "
                "gradient penalty that fades early.",
                remedy="Train longer with `--minutes`, or keep the penalty stronger to the end with "
                "`--set objective.gamma_end=...` (the plan shows today's value).",
            )
    return None


def missing_classes(history: History) -> Finding | None:
    """Report the classes that the evaluation lists as missing or rare among the samples."""
    classes = history.evaluation.get("classes") or {}
    names, gone = classes.get("names") or (), classes.get("missing") or ()
    rows = zip(names, classes.get("training_shares") or (), classes.get("sample_shares") or (), strict=False)
    missing = [(str(name), train, drawn) for name, train, drawn in rows if name in gone]
    if not missing:
        return None
    listed = ", ".join(
        f"{name} ({train:.1%} of the data, {drawn:.1%} of the samples)" for name, train, drawn in missing[:5]
    )
    more = f", and {len(missing) - 5} more" if len(missing) > 5 else ""
    return Finding(
        ailment="missing_classes",
        severity="critical" if sum(train for _, train, _ in missing) > 0.25 else "warning",
        evidence=f"Hardly drawn: {listed}{more}.",
        cause="The generator has given up kinds of example that the discriminator punished; rare kinds go first.",
        remedy="Train longer with `--minutes`, and strengthen the penalty with `--set objective.gamma_start=...` "
        "(double the plan's value). With labels in the data, ask for the class you need: `ganforge sample RUN "
        "--label NAME`.",
    )


def _collapse(evidence: str) -> Finding:
    return Finding(
        ailment="collapse",
        severity="critical",
        evidence=evidence,
        cause="Mode collapse: the generator keeps to a few examples that fool the discriminator and leaves out the "
        "rest of the data. A penalty that is too weak or steps that are too large bring it about.",
        remedy="Train again with `--objective r3gan` if it was another, and with twice to four times the penalty: "
        "`--set objective.gamma_start=...` (the plan shows today's value). If that does not help, halve the "
        "learning rate: `--set optimiser.learning_rate_start=...`.",
    )


def _diversity(history: History) -> list[Quality]:
    """Return each measure of diversity over the run, the final evaluation's value last."""
    evaluated = history.measures
    taken = (name for record in history.looks for name in record["quality"])
    names = [name for name in dict.fromkeys([*evaluated, *taken]) if not name.endswith(("_low", "_high"))]
    found = [quality(history, name) for name in names if name in DIVERSITY]
    return [seen for seen in found if seen.values]


def _floor(seen: Quality) -> float:
    return seen.floor if seen.floor and seen.floor > 0 else _FLOOR


def _all_kinds_reached(history: History) -> bool:
    coverage = _last(history, "coverage")
    return coverage is not None and coverage >= _REACHED


def _last(history: History, name: str) -> float | None:
    values = quality(history, name).values
    return values[-1] if values else None


def _looked(history: History) -> float:
    """Return the progress of the run at the last evaluation of its product."""
    seen = history.looks
    return 1.0 if history.evaluation else float(seen[-1].get("progress", 0.0)) if seen else 0.0


# ---- a discriminator that has memorised the training set -------------------------------------------------------------


LOOKS = 3
LEAST_GAP = 0.1  # between training data and samples: below it the discriminator separates nothing
LEAST_FALL = 0.25  # from training data to unseen data: less is within the scores' noise
FELT_GAP = 0.5  # from which on its scores move the generator: softplus(-0.5) is two thirds of softplus(0)


def discriminator_overfits(history: History) -> Finding | None:
    """Detect held-out real examples that score much lower than training ones, relative to the gap to fake ones.

    The three scores are compared within one record, because a relativistic score has no zero and drifts over a run.
    Held-out examples are scored at each evaluation of the product; the last three count.
    Source: Karras et al. 2020 (StyleGAN2-ADA), r_v = (E D_train - E D_validation) / (E D_train - E D_generated).
    """
    for judge in history.discriminators:
        told = [(record.get("notes") or {}).get(judge) or {} for record in history.looks]
        last_looks = [notes for notes in told if "score_held_out" in notes][-LOOKS:]
        shares = [_share(notes) for notes in last_looks]
        falls = [float(notes["score_real"]) - float(notes["score_held_out"]) for notes in last_looks]
        if len(shares) < LOOKS or not middle(shares) > 0.5 or middle(falls) < LEAST_FALL:
            continue
        share, last = middle(shares), last_looks[-1]
        train, fake, held_out = (float(last[f"score_{kind}"]) for kind in ("real", "fake", "held_out"))
        return Finding(
            ailment="discriminator_overfits",
            severity="note" if train - fake < FELT_GAP else "critical" if share > 0.9 else "warning",
            evidence=f"{judge} scores training examples {train:.3g}, real examples it has never seen {held_out:.3g} "
            f"and samples {fake:.3g}: unseen real data falls {share:.0%} of the way to fake (under 50 % is healthy).",
            cause="There is too little data for a discriminator of this size, so it learns the training set by heart.",
            remedy="More data is the cure. Without it: augmentation that adapts, with "
            "`--set augmentation.target=0.8`, `--size tiny`, fewer `--minutes`, or twice the penalty with "
            "`--set objective.gamma_start=...`.",
        )
    return None


def _share(notes: Mapping[str, float]) -> float:
    """Return how far unseen real data scores from training towards fake: 0 as training data, 1 as fake."""
    gap = float(notes["score_real"]) - float(notes["score_fake"])
    return (float(notes["score_real"]) - float(notes["score_held_out"])) / gap if gap > LEAST_GAP else 0.0


def copying(history: History) -> Finding | None:
    """Report that the evaluation suspects copying, by the verdict's rule, so that the two never disagree.

    A distance can show copying but never rule it out (arXiv 2505.01524, "the DCR delusion"), so no finding here is not
    a proof of privacy.
    """
    if not history.evaluation.get("copying_suspected"):
        return None
    measure = history.measures.get("copying", {})
    numbers = (
        f"{float(measure['value']):.1%} of the samples lie unusually close to one training example (95 % interval "
        f"{float(measure['low']):.1%} to {float(measure['high']):.1%}); of real examples that were never shown, "
        f"{float(measure['floor']):.1%} do."
        if measure
        else str(history.evaluation.get("nearest", ""))
    )
    return Finding(
        ailment="copying",
        severity="critical",
        evidence=numbers,
        cause="The model reproduces training examples instead of inventing new ones: too little data for its size, "
        "trained for too long, or many duplicates in the data.",
        remedy="Do not publish these samples if the data is private. Add more data or remove duplicates (see the data "
        "passport), train a smaller network with `--size tiny`, or stop earlier with `--minutes`.",
    )


# ---- the data itself: too little, repeated, or with meaningless labels -----------------------------------------------
# The facts are in the passport from the start; whether labels are learnable is known once the judge is trained.


_FEW = 100  # examples: with fewer, a tenth held out is too few to measure anything
_COPIES = 0.3  # share of the examples that repeat another one
_BY_CHANCE = 0.05  # share of rows that may repeat by chance in columns of few values, above which repeats mean nothing
_CONSTANT = 0.1  # share of the pictures that are of one colour
_CONSTANT_COLUMNS = 0.5  # share of the columns that have one value
_SKILL = 0.15  # of predicting a label, 0 for guessing and 1 for always right
_SKILL_AT_MOST = 0.35  # the upper end of its interval: with too few examples nothing is reported


def too_little_data(history: History) -> Finding | None:
    """Detect so few training examples that a network memorises them and nothing can be measured."""
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
    """Detect data in which many examples repeat others or are constant."""
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
    """Detect labels that cannot be predicted from the example itself, as if they were random."""
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
    """Describe picture labels that a trained classifier predicts in unseen pictures no better than chance."""
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
    """Describe a table's label column that no other column predicts."""
    label = history.evaluation.get("label")
    if not label or label["skill"] >= _SKILL or label["high"] >= _SKILL_AT_MOST:
        return ""
    interval = f"95 % interval {label['low']:.2f} to {label['high']:.2f}"
    return (
        f"Trees that learned {label['name']!r} from all other columns predict it in {label['held_out']:,} unseen rows "
        f"with a skill of {label['skill']:.2f} ({interval}); 0 is guessing."
    )
