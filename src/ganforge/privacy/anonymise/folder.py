"""A file or folder without personal data: read twice, written whole or not at all, and told of in a report."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ganforge.core.files import refuse_taken, remove_leftovers_of, storage_error, write_tree
from ganforge.errors import DataError, InputError, did_you_mean
from ganforge.privacy.anonymise.documents import LINES, ending_of, open_document
from ganforge.privacy.anonymise.pseudonyms import Pseudonyms
from ganforge.privacy.anonymise.session import KINDS, Finding, Session

REPORT = "anonymised.json"
PICTURE_KINDS = {
    "exif": "pictures with EXIF", "gps": "pictures with the place in their EXIF", "xmp": "pictures with XMP",
    "iptc": "pictures with IPTC", "comment": "pictures with comments or texts",
    "thumbnail": "pictures with a thumbnail",
    "profile": "pictures with a colour profile", "orientation": "pictures that EXIF turns",
}  # fmt: skip
LIMITS = (
    "Not found: a name in a text without a title that stands in no column of names; nicknames, addresses and places in "
    "texts; faces, number plates and writing in pictures.",
    "What is left may still single somebody out, and who has the key can compute every pseudonym again: in law this is "
    "pseudonymised and not anonymous.",
)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A picture without metadata."""

    content: bytes
    suffix: str  # of the format that it has now
    found: tuple[str, ...]  # of PICTURE_KINDS
    notes: tuple[str, ...]  # what was changed besides


@dataclass(frozen=True, slots=True)
class Anonymised:
    """What was found, and where the copy is. No original value is in here."""

    folder: Path
    found: dict[str, int]  # by kinds of KINDS and PICTURE_KINDS
    columns: tuple[tuple[str, str, str, int], ...]  # file, column ("" for a text), kind, how many
    files: int
    left_out: dict[str, str] = field(default_factory=dict)  # file -> why it was not copied
    notes: dict[str, str] = field(default_factory=dict)  # file -> what else was changed

    def as_json(self) -> str:
        """Return the report as the text of REPORT."""
        content = {
            "files": self.files,
            "found": self.found,
            "columns": [dict(zip(("file", "column", "kind", "count"), row, strict=True)) for row in self.columns],
            "not_copied": self.left_out,
            "notes": self.notes,
            "limits": LIMITS,
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True)
class Pictures:
    """How pictures are cleaned. Which files are some is told by their suffix, in lower case."""

    suffixes: Collection[str]
    clean: Callable[[Path], Cleaned]


def anonymise(
    source: Path,
    out: Path,
    *,
    key: bytes,
    pictures: Pictures,
    remove: Collection[str] = (),
    keep: Collection[str] = (),
    force: bool = False,
    observe: Callable[[Finding], None] = lambda finding: None,
) -> Anonymised:
    """Write a copy of a file or folder without personal data into a folder; see `ganforge.anonymise`.

    Args: key of the pseudonyms; observe is called with every finding, for tests.
    Raises: InputError, DataError or StorageError; there is then no new folder.
    """
    check_places(source, out, force=force)
    for kind in remove:
        if kind not in KINDS or kind == "file":
            kinds = [each for each in KINDS if each != "file"]
            raise InputError(f"--remove cannot be {kind!r}.", did_you_mean(kind, kinds), "For example: --remove email")
    remove_leftovers_of(out)
    job = _Job(source, pictures, Session(Pseudonyms(key), keep, remove), observe)
    job.read()
    job.check_keep()
    done: list[Anonymised] = []
    write_tree(out, lambda folder: done.append(job.write(folder, out)))
    return done[0]


def check_places(source: Path, out: Path, *, force: bool) -> None:
    """Raises: DataError if there is no source; InputError if the result would stand in it, or in its place."""
    if not source.exists():
        raise DataError(
            f"There is nothing at {str(source)!r}.", do="Give a table, a text, a picture or a folder of them."
        )
    inner, outer = out.resolve(), source.resolve()
    if inner == outer or (outer.is_dir() and inner.is_relative_to(outer)):
        where = "is DATA itself" if inner == outer else "is inside of DATA"
        raise InputError(f"--out {str(out)!r} {where}.", "DATA is never changed.", "Give a new folder outside of it.")
    if outer.is_relative_to(inner):
        raise InputError(f"DATA is inside of --out {str(out)!r}.", "It would be replaced.", "Give a new folder.")
    refuse_taken(out, force=force, replaceable=lambda place: (place / REPORT).is_file())


@dataclass
class _Job:
    """The files of a call. Paths in reports are those of the copy, whose names hold nothing personal."""

    source: Path
    pictures: Pictures
    session: Session
    observe: Callable[[Finding], None]
    documents: list[Path] = field(default_factory=list)
    images: list[Path] = field(default_factory=list)
    left_out: dict[Path, str] = field(default_factory=dict)
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.session.tell = self.count

    def count(self, finding: Finding) -> None:
        """Count a finding."""
        self.observe(finding)
        self.counts[finding.file, finding.column, finding.kind] += 1

    # ---- reading -----------------------------------------------------------------------------------------------------

    def read(self) -> None:
        """List the files, and learn what the tables and texts hold. Raises: DataError if there is none to copy."""
        for path in self._listed():
            suffix = path.suffix.lower()
            if path.is_symlink():
                self.left_out[path] = "it is a link"
            elif not path.is_file():
                self.left_out[path] = "it is not a file"
            elif path == self.source / REPORT:
                self.left_out[path] = "it is the report of an earlier call"
            elif suffix in self.pictures.suffixes:
                self.images.append(path)
            elif not ending_of(path):
                self.left_out[path] = "it is no table, text or picture that is read"
            else:
                try:
                    columns = open_document(path).columns
                except DataError as error:
                    self._fail(path, error)
                else:
                    self.session.learn(self._name(path), columns)
                    self.documents.append(path)
        if not self.documents and not self.images:
            path, why = next(iter(self.left_out.items()), (self.source, "it is empty"))
            raise DataError(
                f"{str(self.source)!r} holds no table, text or picture.", f"{path.name!r}: {why}.",
                "Give .csv, .tsv, .jsonl, .json, .parquet, .feather, .txt, .md, pictures, or a folder of them.",
            )  # fmt: skip

    def _listed(self) -> Iterator[Path]:
        if self.source.is_file():
            yield self.source
            return

        def unreadable(error: OSError) -> None:
            raise DataError(f"{error.filename!r} cannot be read: {error.strerror}.", "", "Check its permissions.")

        for folder, folders, names in os.walk(self.source, onerror=unreadable):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            linked = [name for name in folders if Path(folder, name).is_symlink()]
            yield from (Path(folder, name) for name in sorted([*linked, *names]) if not name.startswith("."))

    def _fail(self, path: Path, error: DataError) -> None:
        """Note a file that cannot be read. Raises: the error if it is the only one that was given."""
        if path == self.source:
            raise error
        why = f"{error.what.replace(repr(str(path)), 'it').replace(str(path), 'it')} {error.why}"
        self.left_out[path] = why.strip().rstrip(".")

    def _name(self, path: Path) -> str:
        return path.name if path == self.source else path.relative_to(self.source).as_posix()

    def check_keep(self) -> None:
        """Raises: InputError for a column to keep that no table has."""
        names = {column for _, column in self.session.kinds if column != LINES}
        for column in self.session.keep:
            if column not in names:
                hint = did_you_mean(column, names) if names else "There is no table."
                raise InputError(
                    f"--keep {column!r} is not a column of DATA.", hint, "Leave it out, or give another one."
                )

    # ---- writing -----------------------------------------------------------------------------------------------------

    def write(self, folder: Path, out: Path) -> Anonymised:
        """Write every file and the report into an empty folder. Raises: DataError, StorageError."""
        places, notes = self._places(), dict[str, str]()
        for path in self.images:
            try:
                cleaned = self.pictures.clean(path)
            except DataError as error:
                self._fail(path, error)
                continue
            place = _free(folder / Path(places[path]).with_suffix(cleaned.suffix or path.suffix))
            name = place.relative_to(folder).as_posix()
            self.counts.update((name, "", kind) for kind in cleaned.found)
            if cleaned.notes:
                notes[name] = "; ".join(cleaned.notes)
            if Path(name).name != path.name:
                self.session.renamed[path.name] = Path(name).name
            _write(place, cleaned.content)
        for path in self.documents:
            name = self._name(path)
            content = open_document(path).rewritten(partial(self.session.changed, name))
            _write(folder / places[path], content)
        written = len(self.documents) + len(self.images) - len(set(self.images) & set(self.left_out))
        if not written:
            path, why = next(iter(self.left_out.items()))
            raise DataError(
                f"Nothing of {str(self.source)!r} can be read.", f"{path.name!r}: {why}.", "Give other data."
            )
        told = Anonymised(out, self._found(), self._columns(places), written, self._left_out(), notes)
        _write(folder / REPORT, told.as_json().encode())
        return told

    def _places(self) -> dict[Path, str]:
        """Return where every file is written, within the folder; a personal name is replaced, in every part."""
        places: dict[Path, str] = {}
        for path in (*self.documents, *self.images):
            old = Path(self._name(path)).parts
            new = [self.session.new_name(part) for part in old]
            for part, other in zip(old, new, strict=True):
                if part != other:
                    self.session.renamed[part] = other
            if old[-1] != new[-1]:
                self.counts["/".join(new), "", "file"] += 1
            places[path] = "/".join(new)
        return places

    def _left_out(self) -> dict[str, str]:
        parts = {path: Path(self._name(path)).parts for path in self.left_out}
        return {"/".join(map(self.session.new_name, parts[path])): why for path, why in sorted(self.left_out.items())}

    def _found(self) -> dict[str, int]:
        total: Counter[str] = Counter()
        for (_, _, kind), count in self.counts.items():
            total[kind] += count
        return {kind: total[kind] for kind in (*KINDS, *PICTURE_KINDS) if total[kind]}

    def _columns(self, places: dict[Path, str]) -> tuple[tuple[str, str, str, int], ...]:
        new = {self._name(path): place for path, place in places.items()}
        rows = (
            (new.get(file, file), self.session.safe(column), kind, count)
            for (file, column, kind), count in self.counts.items()
        )
        return tuple(sorted(rows))


def _free(place: Path) -> Path:
    """Return a path that is not taken: a.gif and a.png may both become a.png."""
    number = 2
    free = place
    while free.exists():
        free, number = place.with_stem(f"{place.stem}-{number}"), number + 1
    return free


def _write(place: Path, content: bytes) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise storage_error(place, error) from error
