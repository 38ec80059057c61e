"""The verb `compare`: how good examples are that somebody made, by any tool, beside real ones. No model, no run."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganforge.core.files import refuse_taken
from ganforge.errors import InputError
from ganforge.kinds import every_kind, extra_of, on_disk, recognise
from ganforge.records import GRADES, Evaluation
from ganforge.reports.comparison import write_comparison
from ganforge.run import Run


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of `compare`."""

    evaluation: Evaluation
    page: Path | None  # that was written

    @property
    def verdict(self) -> str:
        """Return the verdict in one sentence."""
        return self.evaluation.verdict.headline

    def at_least(self, grade: str) -> bool:
        """Return whether the verdict's grade is this one or a better one."""
        return GRADES.index(self.evaluation.verdict.grade) <= GRADES.index(grade)

    def to_json(self) -> dict[str, Any]:
        """Return every measure with floor and reference, and the verdict, as plain values."""
        content: dict[str, Any] = json.loads(json.dumps(self.evaluation.to_json()))
        return content


def compare(
    real: object,
    made: object,
    out: str | Path | None = None,
    *,
    label: str | None = None,
    held_out: object | None = None,
    seed: int = 0,
    force: bool = False,
) -> Comparison:
    """Compare examples that somebody made with real ones, as a run compares its own: measures, floor, rivals, verdict.

    Args: real, made: data of one kind, paths or values in Python; out the page to write, an .html; label the column
        whose prediction matters most; held_out more real data, which `made` was not made from; seed of what is chosen
        by chance.
    Raises: DataError if they cannot be compared; InputError for a kind of data that has no comparison, or a page that
        exists, unless force replaces it; StorageError.
    """
    place = None if out is None else Path(out).expanduser()
    if place is not None:
        if place.suffix.lower() not in (".html", ".htm"):
            raise InputError(f"{place.name!r} is not the name of a page.", "A page ends with .html.", "Name it so.")
        refuse_taken(place, force=force)
    kind, claim = recognise(real)
    if kind.compare is None:
        able = " and ".join(each.name for each in every_kind() if each.compare is not None)
        raise InputError(
            f"{kind.nouns.capitalize()} cannot be compared without a run.",
            f"{claim.why.capitalize()}, and only {able} have a comparison.",
            "A run is judged by: ganforge evaluate RUN",
        )
    with ExitStack() as stack:
        given = [each for each in (real, made, held_out) if each is not None]
        for each in given[1:]:
            other, why = recognise(each)
            if other is not kind:
                raise InputError(
                    f"{kind.nouns.capitalize()} cannot be compared with {other.nouns}.",
                    f"One is of {kind.name}, because {claim.why}; the other of {other.name}, because {why.why}.",
                    "Give two of one kind.",
                )
        stack.enter_context(extra_of(kind))
        paths = [stack.enter_context(on_disk(each, kind)) for each in given]
        run = Run(stack.enter_context(tempfile.TemporaryDirectory(prefix="ganforge-")))
        unseen = paths[2] if held_out is not None else None
        found = kind.compare(paths[0], paths[1], run, label=label, held_out=unseen, seed=seed)
        names = [str(each) if isinstance(each, str | Path) else f"a {type(each).__name__}" for each in given]
        page = (
            None if place is None else write_comparison(run, f"{names[1]} beside {names[0]}", found, kind.nouns, place)
        )
    return Comparison(found, page)
