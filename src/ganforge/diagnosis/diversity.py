"""Few kinds of example instead of many: mode collapse, as a whole and by class."""

from __future__ import annotations

from ganforge.diagnosis.history import DIVERSITY, Quality, discriminators, looks, measures, quality
from ganforge.records import Finding, History

_LOW = 0.3  # of the floor: real data against real data reaches 1 by this count
_SUNK = 0.05  # of the floor: nearly nothing of the data is reached, however good the samples look
_FLOOR = 0.9  # recall and coverage of real against real, when no evaluation has measured it yet
_REACHED = 0.5  # coverage: half of the real examples have a sample near them, which no collapsed model reaches
_PRECISE = 0.3  # samples that look like data at all: without it a low recall only says "not trained yet"
_LOST = 0.4  # of the kinds: so many or fewer are reached
_VARIED = 0.4  # of the variety that real examples of one kind have
_ALL = 0.6  # of the kinds: so many or more are reached; one picture of each is not always read as what it is
_EARLY, _HALF = 0.2, 0.45  # of the run, when the product was last looked at: before, a low value means "not yet"
_FALL = 0.5  # of its best: half of what had been reached is gone again


def collapse(history: History) -> Finding | None:
    """The samples cover far fewer kinds of example than the data has, or fewer than they once did.

    A low recall alone is not enough where coverage is good: the samples then reach every kind, and only keep to its
    typical examples (see `narrow`).
    """
    if not discriminators(history) or class_collapse(history) is not None:
        return None
    reached = _last(history, "kinds_reached")
    if reached is not None and reached <= _LOST and _looked(history) >= _EARLY:
        return _collapse(f"The samples show {reached:.0%} of the kinds of example that the data has.")
    for seen in _diversity(history):
        if "recall" in seen.name and _all_kinds_reached(history):
            continue
        floor, now = _floor(seen), seen.values[-1]
        best = min(floor, max(seen.values))  # noise is more diverse than real data: no height to fall from
        if best >= _LOW * floor and now < _FALL * best:
            return _collapse(f"{seen.name} fell from {best:.2f} to {now:.2f}; real data gets {floor:.2f}.")
        precision = _last(history, "precision")
        words = "" if precision is None else f" with precision {precision:.2f}"
        trained = precision is None or precision >= _PRECISE or "diversity" in seen.name  # alike is alike, good or bad
        if now < _LOW * floor and trained and _looked(history) >= (_EARLY if "diversity" in seen.name else _HALF):
            return _collapse(f"{seen.name} is only {now:.2f}{words}; real data gets {floor:.2f}.")
        if now < _SUNK * floor and _looked(history) >= _HALF:
            done = f"{_progress(history):.0%} of the training done"
            return _collapse(f"{seen.name} is {now:.2f} with {done}; real data gets {floor:.2f}.")
    return None


def class_collapse(history: History) -> Finding | None:
    """Collapse within classes: every kind is there, and the samples of one kind are all but the same."""
    reached, varied = _last(history, "kinds_reached"), _last(history, "kind_diversity")
    if not discriminators(history) or reached is None or varied is None or _looked(history) < _EARLY:
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
    """Every kind of example is there, but the samples keep to the typical ones of each kind."""
    if not discriminators(history) or _progress(history) < 0.98 or not _all_kinds_reached(history):
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
    """Classes that the data has and that the samples hardly show: those that the evaluation lists."""
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
    """Every measure of diversity over the run, the final evaluation's value last."""
    evaluated = measures(history)
    taken = (name for record in looks(history) for name in record["quality"])
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
    """How far the run was when its product was looked at last."""
    seen = looks(history)
    return 1.0 if history.evaluation else float(seen[-1].get("progress", 0.0)) if seen else 0.0


def _progress(history: History) -> float:
    return float(history.records[-1].get("progress", 0.0)) if history.records else 0.0
