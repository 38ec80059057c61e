"""Which kind of data something is: each kind says why it may be its own, and the strongest claim wins."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ganforge.contracts import Claim, Kind
from ganforge.errors import DataError, InputError, did_you_mean
from ganforge.kinds import every_kind, extra_of

MOST_NAMES = 30  # that are listed where none is near


def recognise(source: object, among: Iterable[Kind] | None = None) -> tuple[Kind, Claim]:
    """The kind of a path, a built-in name, or a value that was given in Python, and why it is of that kind.

    Args: among the kinds that may be meant, by default all.
    Raises: DataError if there is nothing at the path, or no kind takes it; InputError if several do with equal right.
    """
    kinds = every_kind() if among is None else list(among)
    if isinstance(source, str | Path):
        _refuse_missing(source, kinds)
    claims = [(kind, claim) for kind in kinds if (claim := _claim(kind, source)) is not None]
    if not claims:
        raise _unknown(source, kinds)
    most = max(claim.strength for _, claim in claims)
    (kind, claim), *others = [(kind, claim) for kind, claim in claims if claim.strength == most]
    if others:
        reasons = "; ".join(f"{each.name}, because {why.why}" for each, why in [(kind, claim), *others])
        names = " or ".join(f"--kind {each.name}" for each, _ in [(kind, claim), *others])
        raise InputError(f"{_shown(source)} can be read in several ways.", f"As {reasons}.", f"Say which: {names}")
    return kind, claim


def is_built_in(source: object, kinds: Iterable[Kind] | None = None) -> bool:
    """Whether it is the name of a data set that comes along. A Path is never a name."""
    return isinstance(source, str) and any(source in kind.built_in for kind in kinds or every_kind())


def _claim(kind: Kind, source: object) -> Claim | None:
    if is_built_in(source, [kind]):
        return Claim(3, "it is the name of a data set that comes along")
    try:
        with extra_of(kind):
            return kind.recognises(source)
    except OSError as error:
        raise DataError(f"{_shown(source)} cannot be read.", f"{error.strerror}.", "Check its permissions.") from error


def _refuse_missing(source: str | Path, kinds: list[Kind]) -> None:
    """Raises: DataError with the nearest name if there is nothing at a path."""
    path, words = Path(source).expanduser(), str(source)
    try:
        if is_built_in(source, kinds) or path.exists():
            return
        beside = list(path.parent.iterdir()) if path.parent.is_dir() else []
    except (OSError, ValueError) as error:
        raise DataError(f"{words!r} is not a usable path: {error}.") from error
    prefix = words[: len(words) - len(path.name)] if words.endswith(path.name) else ""
    known = {prefix + entry.name for entry in beside if not entry.name.startswith(".")}
    known |= {name for kind in kinds for name in kind.built_in}
    advice = did_you_mean(words, known)
    raise DataError(
        f"There is nothing at {words!r}.",
        "The path does not exist.",
        advice if len(known) <= MOST_NAMES or advice.startswith("Did") else _what_can_be_given(kinds),
    )


def _unknown(source: object, kinds: list[Kind]) -> DataError:
    names = " or ".join(kind.name for kind in kinds)
    if isinstance(source, str | Path):
        return DataError(f"{_shown(source)} is not recognised as {names}.", _what_can_be_given(kinds))
    return DataError(
        f"A {type(source).__name__} cannot be trained on.", f"It is not recognised as {names}, nor is it a path."
    )


def _what_can_be_given(kinds: list[Kind]) -> str:
    names = [name for kind in kinds for name in kind.built_in]
    return f"Give {', '.join(kind.forms for kind in kinds)}, or one of the names {', '.join(names)}."


def _shown(source: object) -> str:
    return repr(str(source)) if isinstance(source, str | Path) else f"A {type(source).__name__}"


@contextmanager
def on_disk(source: object, kind: Kind) -> Iterator[str | Path]:
    """A path for data: its own, or, of a value that was given in Python, that of a file which is there for now.

    Args: kind of the data. Raises: DataError if a value is not usable as data of the kind.
    """
    if isinstance(source, str | Path):
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="ganforge-") as folder:
        with extra_of(kind):
            path = kind.keep(source, Path(folder))
        yield path


def lasting(source: str | Path) -> str:
    """Data's path from the root, so that a run opens it from every folder; a built-in name as it is.

    What does not exist is left as it was typed, for the error that follows. A Path is never a name. Links are not
    followed: what they point to may have a name without a suffix.
    """
    if is_built_in(source):
        return str(source)
    path = Path(source).expanduser()
    try:
        return str(path.absolute()) if isinstance(source, Path) or path.exists() else source
    except (OSError, ValueError):  # not a path at all
        return str(source)
