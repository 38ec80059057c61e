"""The exceptions that ganforge raises on purpose.

    GanforgeError
    ├── InputError         what was given cannot be used: exit code 2
    │   ├── DataError      the data: missing, empty, broken, too small, constant, not finite
    │   ├── RecipeError    a setting: unknown name, value out of range
    │   └── RunError       a run folder: missing, existing, not one, damaged, in use
    ├── TrainingError      training went wrong and could not be saved: exit code 1
    ├── WorldError         another process of the same run died or cannot be reached: exit code 1
    ├── StorageError       a file could not be written (disk full, no permission): exit code 1
    └── Interrupted        the person asked to stop; the run was saved: exit code 130
        └── Preempted      SIGTERM asked, as a cluster does that wants its machine back: exit code 143

An error is three short sentences: what happened (with the value received), why, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager


class GanforgeError(Exception):
    """Base of all errors raised on purpose. `exit_code` is what the command line ends with."""

    exit_code = 1

    def __init__(self, what: str, why: str = "", do: str = "") -> None:
        """Args: what happened, with the value received; why it matters; do: what to do now."""
        super().__init__(what, why, do)
        self.what, self.why, self.do = what, why, do

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.why, self.do) if part)


class InputError(GanforgeError):
    """What was given cannot be used."""

    exit_code = 2


def missing_verb(why: str, next_steps: Mapping[str, str]) -> InputError:
    """Return the refusal of a verb that a model lacks. Args: why, after "This run"; next_steps what it has instead."""
    return InputError(f"This run {why}.", "It has another verb.", f"Use: ganforge {next(iter(next_steps))}")


class DataError(InputError):
    """The data cannot be used: missing, empty, broken, too small, constant, not finite."""


class ChangedDataError(DataError):
    """The data differs from that of the run's start."""

    def __init__(self, what: str, was: str, now: str) -> None:
        """Args: what happened; was, now: the sha256 that the run knows, and that of the data now."""
        why = f"Its sha256 is {now[:12]}, the run's is {was[:12]}."
        super().__init__(what, why, "Put the old data back, train a new run, or resume with --accept-changed-data.")
        self.was, self.now = was, now


class RecipeError(InputError):
    """A setting cannot be used: an unknown name or a value out of range."""


class RunError(InputError):
    """A run folder cannot be used: missing, existing, not one, damaged, or in use."""


class TrainingError(GanforgeError):
    """Training went wrong in a way that smaller steps did not fix."""


class WorldError(GanforgeError):
    """Another process of the same run died, stopped answering or cannot be reached."""


class StorageError(GanforgeError):
    """A file could not be written."""


class Interrupted(GanforgeError):  # noqa: N818 - nothing went wrong
    """The person asked to stop; the run was saved first."""

    exit_code = 130


class Preempted(Interrupted):
    """SIGTERM asked to stop, as a cluster does that wants its machine back; the run was saved first."""

    exit_code = 143  # 128 + SIGTERM: what a shell reports for a program that the signal ended


def did_you_mean(received: str, known: Iterable[str]) -> str:
    """Return a sentence that names the nearest known word, or lists all of them when none is near."""
    words = sorted(known)
    near = difflib.get_close_matches(received, words, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(words)}."


# ---- content that is good JSON and still not what is expected --------------------------------------------------------


# What content of another form than expected makes its readers raise; pydantic's refusal is a ValueError.
MISFIT = (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RuntimeError)


@contextmanager
def refused(what: str) -> Iterator[None]:
    """Turn errors caused by the content of a run's files into RunError inside the context.

    Args: what cannot be used, as the beginning of a sentence: "The model at 'x'".
    """
    try:
        yield
    except RunError:
        raise
    except InputError as error:  # of a setting in the file: what to type on the command line would not help
        raise _unfit(what, error.what) from error
    except GanforgeError:
        raise
    except MISFIT as error:
        raise _unfit(what, f"{error} is missing" if isinstance(error, KeyError) else str(error)) from error


def _unfit(what: str, why: str) -> RunError:
    first = (why.splitlines() or ["its parts do not fit each other"])[0][:200]
    return RunError(
        f"{what} cannot be used: {first.removesuffix('.')}.",
        "It is damaged, or ganforge did not write it.",
        "Restore it or train again.",
    )
