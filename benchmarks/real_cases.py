"""What a case of real_input.py is, and the checks that cases share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

ERRORS = 4.0  # standard errors that a share may be off


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the command line gave."""

    code: int
    said: str  # all that was printed, in one line
    source: Path
    new: Path
    run: Path

    def rows(self) -> pd.DataFrame:
        """Return the generated rows as texts, missing ones as ''."""
        assert self.new.exists(), f"no rows were written (exit code {self.code}): ...{self.said[-300:]}"
        return pd.read_csv(self.new, dtype=str, keep_default_na=False)


Check = Callable[[Outcome], str | None]


@dataclass(frozen=True, slots=True)
class Case:
    """One awkward source: what makes it, how it is used, and what must come back."""

    name: str
    make: Callable[[Path, np.random.Generator], Path]
    checks: Sequence[Check]
    options: Sequence[str] = ()
    examples: int = 2_000
    use: Sequence[str] = ("sample", "{run}", "-n", "300", "--out", "{new}")
    ending: str = ".csv"


def checked(check: Check) -> Check:
    """Turn an assertion that fails into what is wrong."""

    def asked(outcome: Outcome) -> str | None:
        try:
            return check(outcome)
        except AssertionError as error:
            return str(error)
        except (KeyError, ValueError, OSError) as error:
            return f"{type(error).__name__}: {error}"

    return asked


def done() -> Check:
    """The commands ended well."""

    def check(outcome: Outcome) -> str | None:
        return None if outcome.code == 0 else f"exit code {outcome.code}: ...{outcome.said[-300:]}"

    return check


def refused(words: str) -> Check:
    """The source was refused with these words (a regular expression), and no run was left behind."""

    def check(outcome: Outcome) -> str | None:
        if outcome.code in (0, -1):
            return f"was not refused (exit code {outcome.code})"
        if (outcome.run / "recipe.json").exists():
            return "was refused after it was trained"
        return None if re.search(words, outcome.said) else f"{words!r} was not said: ...{outcome.said[-300:]}"

    return check


def told(words: str) -> Check:
    """These words (a regular expression) were said on the terminal."""

    def check(outcome: Outcome) -> str | None:
        return None if re.search(words, outcome.said) else f"{words!r} was not said"

    return check


def untold(words: str) -> Check:
    """These words were not said."""

    def check(outcome: Outcome) -> str | None:
        found = re.search(words, outcome.said)
        return f"{found.group()!r} was said" if found else None

    return check


def recipe(*words: str) -> Check:
    """The recipe of the run holds these words."""

    def check(outcome: Outcome) -> str | None:
        content = (outcome.run / "recipe.json").read_text("utf-8")
        return next((f"the recipe has no {word!r}" for word in words if f'"{word}"' not in content), None)

    return checked(check)


def form(column: str, pattern: str) -> Check:
    """Every cell that is there has this form (a regular expression for the whole cell)."""

    def check(outcome: Outcome) -> str | None:
        cells = outcome.rows()[column]
        other = [cell for cell in cells if cell and not re.fullmatch(pattern, cell)]
        if other:
            return f"{column}: {len(other)} of {len(cells)} cells are not like {pattern!r}: {other[:3]}"
        return None if any(cells) else f"{column}: all cells are empty"

    return checked(check)


def share(column: str, value: str, wanted: float, count: int = 300, real: int = 400) -> Check:
    """A value has its share, within the sampling errors of the generated and of the real rows."""
    room = ERRORS * (wanted * (1 - wanted) * (1 / count + 1 / real)) ** 0.5

    def check(outcome: Outcome) -> str | None:
        found = float((outcome.rows()[column] == value).mean())
        good = abs(found - wanted) <= room
        return None if good else f"{column}: {value!r} in {found:.3f} of the rows, not {wanted:.3f} +- {room:.3f}"

    return checked(check)


def true(what: str, holds: Callable[[pd.DataFrame], object]) -> Check:
    """A fact about all generated rows, given as texts."""

    def check(outcome: Outcome) -> str | None:
        found = np.asarray(holds(outcome.rows()))
        return None if found.all() else f"not true: {what} ({found.mean():.1%})"

    return checked(check)


def only_seen(column: str) -> Check:
    """No cell stands there that the source (a .csv file) has not."""

    def check(outcome: Outcome) -> str | None:
        seen = set(pd.read_csv(outcome.source, dtype=str, keep_default_na=False)[column])
        new = set(outcome.rows()[column]) - seen
        return f"{column}: {len(new)} values were never seen: {sorted(new)[:3]}" if new else None

    return checked(check)


def columns(*names: str) -> Check:
    """The generated table has these columns in this order."""

    def check(outcome: Outcome) -> str | None:
        found = list(outcome.rows().columns)
        return None if found == list(names) else f"the columns are {found}"

    return checked(check)
