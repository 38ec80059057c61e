"""Files of a person that a model converts one by one: which, into which places, and what is told of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias

from ganforge.contracts import Observer
from ganforge.core.files import is_out_of_room, refuse_taken, storage_error
from ganforge.errors import DataError, GanforgeError, InputError, Interrupted

MOST_NAMED = 5  # files that are left alone
SYSTEM = ("__MACOSX", "@eaDir")  # folders of an archive and of a file server


@dataclass(frozen=True, slots=True)
class Sought:
    """The files that a kind of data reads."""

    noun: str  # one example: "picture"
    nouns: str
    suffixes: Collection[str]  # in lower case, of those that are read
    is_unread: Callable[[str], bool]  # whether a suffix, in lower case, is that of an example in a format not read
    follows: bool = False  # links to folders, each folder once

    def why_unread(self, path: Path) -> str | None:
        """Return why an entry of a folder is not read although one might expect it."""
        suffix = path.suffix.lower()
        try:
            if path.is_dir():
                followed = self.follows or not path.is_symlink()
                return None if followed else "is a link to a folder, which is not followed"
            if not path.exists():
                return "is a link that leads nowhere"
            if suffix in self.suffixes:
                return None if path.is_file() else "is not a file"
        except OSError as error:
            return f"cannot be opened: {error.strerror}"
        return "is of a format that is not read" if self.is_unread(suffix) else None

    @property
    def give(self) -> str:
        return f"Give a {self.noun} or a folder of {self.nouns}."


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a folder and its subfolders, but for hidden ones."""

    found: list[Path]  # by their names
    left_out: dict[Path, str]  # those of other formats, links and folders that cannot be read: why
    others: list[Path]  # by their names

    def note(self, nouns: str) -> str | None:
        """Return a sentence on the files that are no examples by their names."""
        names = ", ".join(path.name for path in self.others[:MOST_NAMED]) + ", ..." * (len(self.others) > MOST_NAMED)
        what = f"{len(self.others)} files were left alone, for their names are not those of {nouns}: {names}"
        return what if self.others else None


def list_files(source: Path, sought: Sought) -> Listing:
    """List the files of a folder, sorted; of a file, itself.

    Raises: DataError if the path does not exist, or has no example by its name.
    """
    if why := _why_missing(source):
        raise DataError(f"There is nothing at {str(source)!r}.", why, sought.give)
    if source.is_file():
        return Listing([source], {}, [])
    if not source.is_dir():
        raise DataError(f"{str(source)!r} is not a file.", do=sought.give)
    found: list[Path] = []
    others: list[Path] = []
    left_out: dict[Path, str] = {}

    def unreadable(error: OSError) -> None:
        left_out[Path(error.filename)] = f"cannot be opened: {error.strerror}"

    seen: set[Path] = set()
    for folder, folders, names in os.walk(source, onerror=unreadable, followlinks=sought.follows):
        if sought.follows and Path(folder).resolve() in seen:  # a link to a folder that holds it would never end
            folders[:] = []
            continue
        seen.add(Path(folder).resolve())
        folders[:] = [name for name in folders if not is_hidden(name)]
        for path in (Path(folder, name) for name in (*folders, *names) if not is_hidden(name)):
            if why := sought.why_unread(path):
                left_out[path] = why
            elif path.name not in folders:
                (found if path.suffix.lower() in sought.suffixes else others).append(path)
    if not found:
        raise DataError(
            f"The folder {str(source)!r} holds no {sought.nouns} that can be read.",
            next(
                (f"{path} {why}." for path, why in left_out.items()),
                f"A {sought.noun}'s name ends in {', '.join([*sought.suffixes][:8])} and the like.",
            ),
            sought.give,
        )
    return Listing(sorted(found), dict(sorted(left_out.items())), sorted(others))


FOLDERS, FILES = 20, 50  # within a folder that are searched for an example


def first_within(folder: Path, is_example: Callable[[Path], bool]) -> Path | None:
    """Return the first entry that is an example by its name, of a folder or of one of its first subfolders."""

    def entries(of: Path) -> Iterator[Path]:
        with suppress(PermissionError):  # the reader says so
            yield from of.iterdir()

    beside = list(folder.iterdir())
    folders = [entry for entry in beside if entry.is_dir()][:FOLDERS]
    within = (inside for entry in folders for inside in islice(entries(entry), FILES))
    return next((entry for entry in chain(beside, within) if is_example(entry)), None)


def _why_missing(source: Path) -> str | None:
    try:
        if source.exists():
            return None
    except OSError as error:
        return f"The system says: {error.strerror}."
    return "It is a link that leads nowhere." if source.is_symlink() else "The path does not exist."


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name is not meant for people."""
    return name in SYSTEM or (name.startswith(".") and name.strip(".") != "")


# ---- places ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Written:
    """The formats that results are written in."""

    suffixes: Collection[str]  # in lower case
    instead: str  # the suffix of a file whose own format is not written
    check: Callable[[Path], object]  # raises InputError for a suffix that is not written


def places_for(
    sources: Sequence[Path], source: Path, out: Path, written: Written, sought: Sought, *, force: bool
) -> list[tuple[Path, Path]]:
    """Pair each file with its output file: for a folder, under the same name in the folder `out`.

    Formats not written here become `written.instead`; a.gif beside a.png becomes a.gif.png.
    Raises: InputError, before anything is written, for a folder that holds files or a file that exists, without force;
        for the folder of the originals; for two files that would become one, by a link.
    """
    single = source.is_file() and out.suffix.lower() in written.suffixes and not out.is_dir()
    base = source.parent if source.is_file() else source
    if source.is_file() and out.suffix and not single and not out.is_dir():
        written.check(out)
    if source.is_dir() and (out.is_file() or out.suffix.lower() in written.suffixes):
        raise InputError(f"{str(out)!r} is the name of a file, and {str(source)!r} is a folder.", do="Name a folder.")
    names = _names([path.relative_to(base) for path in sources], written)
    pairs = [(path, out if single else out / name) for path, name in zip(sources, names, strict=True)]
    _refuse_originals(pairs, sought)
    if not single and out.is_dir():
        do = "Choose another folder, or --force to write into it: only files of the same name are replaced."
        refuse_taken(out, force=force, replaceable=Path.is_dir, do=do)
    for _, place in pairs:
        with suppress(OSError):  # what cannot be looked for is not taken; its own writing says what is wrong
            refuse_taken(place, force=force)
    return pairs


def _names(given: list[Path], written: Written) -> list[Path]:
    """Return the names of the output files: what cannot be written in its own format gets another, free name."""
    taken = {name for name in given if name.suffix.lower() in written.suffixes}
    names = []
    for name in given:
        place, ending = name, written.instead
        if name not in taken:
            while (place := name.with_suffix(ending)) in taken:
                ending = name.suffix + ending
        taken.add(place)
        names.append(place)
    return names


def _refuse_originals(pairs: list[tuple[Path, Path]], sought: Sought) -> None:
    originals = {path.resolve() for path, _ in pairs}
    seen: dict[Path, Path] = {}
    for path, place in pairs:
        target = place.resolve()
        if target in originals:
            raise InputError(
                f"{str(place)!r} is one of the {sought.nouns} that are read.",
                "Originals are never replaced.",
                "Name another place with --out.",
            )
        if target in seen:
            raise InputError(f"{seen[target]} and {path} would both become {place}.", do="Rename one of them.")
        seen[target] = path


# ---- conversion ------------------------------------------------------------------------------------------------------


TellOf: TypeAlias = Callable[..., None]
"""tell(kind, **content): an event about one of several files."""
Convert: TypeAlias = Callable[[Path, Path, TellOf], Sequence[str]]
"""(file, its place, tell) -> sentences on what was changed in it."""


def convert_files(
    source: Path,
    listing: Listing,
    pairs: Sequence[tuple[Path, Path]],
    convert: Convert,
    observers: Sequence[Observer],
    *,
    sought: Sought,
    named: bool,
) -> None:
    """Convert one file after the other. Observers receive `applied`, `noted` and `skipped`, with the file's name.

    A file of a folder that cannot be used, or whose result cannot be written, is skipped and told.
    Args: source what the person gave; named whether the person named the one output file, so that its format needs no
        note. Raises: what `convert` raises for a file that the person named; DataError if a folder has no usable one.
    """
    count, reasons = len(pairs) + len(listing.left_out), list[str]()

    def teller(file: Path, number: int) -> TellOf:
        about: Mapping[str, Any] = {"file": str(file), "number": number + 1, "count": count}

        def tell(kind: str, **content: Any) -> None:
            for observer in observers:
                observer.event({"kind": kind, **about, **content})

        return tell

    for number, (file, why) in enumerate(listing.left_out.items()):
        tell = teller(file, number)
        tell("skipped", reason=f"{file} {why}.")
    if note := listing.note(sought.nouns):
        tell = teller(source, 0)
        tell("noted", sentence=note)
    for number, (file, place) in enumerate(pairs, len(listing.left_out)):
        tell = teller(file, number)
        try:
            notes = convert(file, place, tell)
        except Exception as error:  # whatever is wrong with one file, the others do not share it
            if source.is_file() or isinstance(error, Interrupted) or is_out_of_room(error):
                raise
            reasons.append(_reason(file, error))
            tell("skipped", reason=reasons[-1])
            continue
        if not named and place.suffix != file.suffix:
            also = "" if place.stem == file.stem else f", named {place.name} beside another of its name"
            form = place.suffix.removeprefix(".").upper()
            notes = (*notes, f"{file.suffix or 'nameless'} files are not written: it became a {form}{also}")
        for note in notes:
            tell("noted", sentence=note)
        tell("applied", share=1.0, path=str(place))
    if len(reasons) == len(pairs):
        raise DataError(f"None of the {sought.nouns} in {str(source)!r} could be used.", f"The first: {reasons[0]}")


def convert_all(
    source: str | Path,
    out: Path | None,
    convert: Convert,
    observers: Sequence[Observer],
    *,
    written: Written,
    sought: Sought,
    force: bool,
) -> Path:
    """Convert a file, or those of a folder, into `out`, which is returned.

    Raises: InputError also where no place is named; what `list_files`, `places_for` and `convert_files` raise.
    """
    if out is None:
        raise InputError(f"No place was named for the {sought.nouns}.", do="Name a file or a folder with --out.")
    place, path = out.expanduser(), Path(source).expanduser()
    listing = list_files(path, sought)
    try:
        pairs = places_for(listing.found, path, place, written, sought, force=force)
    except OSError as error:  # such as a name that is too long to be looked for
        raise storage_error(place, error) from error
    convert_files(path, listing, pairs, convert, observers, sought=sought, named=pairs[0][1] == place)
    return place


def _reason(file: Path, error: Exception) -> str:
    """Return why a file was skipped."""
    if isinstance(error, GanforgeError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"{file} needs more memory than there is."
    return f"{file} could not be used: {type(error).__name__}: {error}."
