"""Opening of texts: files or a built-in set into two parts, with labels and a passport.

Examples are written once into the cache: one file of UTF-8, and a table of where in it each example begins and ends.
Both are mapped and read by index: of a million lines only their places in the table are in memory.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import mmap
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from ganforge.core.cache import kept_or_filled
from ganforge.core.conversion import Sought, list_files
from ganforge.core.files import read_json_file
from ganforge.errors import DataError, RecipeError
from ganforge.kinds.text import BUILT_IN, COLUMNS, PLAIN
from ganforge.kinds.text.docstrings import docstrings
from ganforge.kinds.text.formats import BLOCK, MOST_BYTES, Columns, Notes, Record, records_of, refuse_other_encodings

VERSION = 2  # of texts in the cache: a new number invalidates old ones
FEWEST = 20  # different examples
HELD_OUT, MOST_HELD_OUT = 0.1, 5_000  # share and number of examples that are never trained on
MOST_COPIES = 0.1  # share of what is held out that copies of one example may be
MOST_LABELS = 100
A_PARAGRAPH = (1.5, 20.0)  # lines on average, between which what empty lines separate are paragraphs
AT_ONCE = 2**16  # examples that are written
READ_AT_ONCE = 256  # examples that are read in order
UNLIKE = 50  # times more examples of one label than of another, from which on it is told
SMALL_SHARE = 0.005  # of the letters, below which a script is not listed
TEXTS = Sought(
    "text", "texts", (PLAIN, *COLUMNS), lambda suffix: suffix in (".doc", ".docx", ".pdf", ".html", ".rtf", ".odt")
)
ROW = np.dtype([("length", "<u4"), ("label", "<i4"), ("number", "<u4"), ("begins", "?")])
EXAMPLE = np.dtype([("start", "<i8"), ("end", "<i8"), ("number", "<i8"), ("digest", "<u8"), ("label", "u1")])


@dataclass(frozen=True, eq=False)
class Lines(Sequence[str]):
    """Examples read by index from a file of UTF-8 in the cache."""

    text: mmap.mmap
    table: NDArray[Any]  # (M,) of EXAMPLE, mapped
    places: NDArray[np.uint32]  # (N,) in the table
    labelled: bool

    @classmethod
    def stored(cls, folder: Path, *, labelled: bool) -> Self:
        """Map the examples that `_fill` wrote into a folder."""
        with (folder / "text").open("rb") as file:
            text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        table = np.asarray(np.load(folder / "examples.npy", mmap_mode="r"))
        return cls(text, table, np.arange(len(table), dtype=np.uint32), labelled)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N,) bytes of each."""
        return np.asarray(self.table["end"] - self.table["start"], np.int64)[self.places]

    @property
    def numbers(self) -> NDArray[np.int64]:
        """(N,) the line of each in its file, from 1 on."""
        return self.table["number"][self.places]

    @property
    def digests(self) -> NDArray[np.uint64]:
        """(N,) a hash of the text of each."""
        return self.table["digest"][self.places]

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """(N,) the label of each, in label_names; None without labels."""
        return self.table["label"][self.places].astype(np.int64) if self.labelled else None

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        found = self.table[self.places[place]]
        if isinstance(place, slice):
            bounds = zip(found["start"].tolist(), found["end"].tolist(), strict=True)
            return [self.text[start:end].decode() for start, end in bounds]
        return self.text[found["start"] : found["end"]].decode()

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), READ_AT_ONCE):
            yield from self[first : first + READ_AT_ONCE]

    def at(self, places: NDArray[np.integer] | NDArray[np.bool_]) -> Lines:
        """Return the examples at some places. Args: places (n,) indices, or (N,) which ones."""
        return replace(self, places=self.places[places])

    def of_label(self, label: int) -> Lines:
        """Return the examples of one label, in their order. Args: label in label_names."""
        if (labels := self.labels) is None:
            raise ValueError("these texts have no labels")
        return self.at(labels == label)

    @property
    def digest(self) -> str:
        """The sha256 of the examples in their order."""
        return hashlib.sha256(self.digests.tobytes()).hexdigest()


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts opened for training."""

    train: Lines
    held_out: Lines  # equal texts are all on one side
    whole: Lines  # both, in the order of the files
    label_names: tuple[str, ...]  # () without labels
    passport: Mapping[str, Any]
    sha256: str  # of all examples and their labels, in the order of the files

    @property
    def empty_file(self) -> str:
        """A sentence that names the first file without text; "" if there is none."""
        name = self.passport["first"].get(WITHOUT, "").partition(", line ")[0]
        return f"There is no text in {name!r}." if name else ""


def open_texts(
    source: str,
    *,
    text: str | None = None,
    label: str | None = None,
    example: str | None = None,
    fewest: int = FEWEST,
) -> Texts:
    """Read all texts, or find them in the cache, and hold a tenth of them out.

    Args: source a file, a folder, or a name of BUILT_IN; text, label names of columns, "none" for no label; example
        "line" or "paragraph", None for what the data suggests; fewest different examples that are needed.
    Raises: DataError, with file and line, if nothing can be read or it is not text; StorageError.
    """
    files, others = _files(source, label)
    asked = Columns(text, label)
    words = json.dumps([VERSION, text, label, example, _state(source, files)])
    folder = kept_or_filled("text", words, lambda temporary: _fill(temporary, source, files, asked, example))
    found = read_json_file(folder / "header.json", most_bytes=2**23)
    names = tuple(found["labels"]) if len(found["labels"]) > 1 else ()
    whole = Lines.stored(folder, labelled=bool(names))
    different = len(np.unique(whole.digests))
    if different < fewest:
        raise DataError(
            f"{source!r} holds {different:,} different texts.",
            f"At least {fewest} are needed: a part is held out, to judge with.",
            "Give more, one on each line, or separated by empty lines with --example paragraph.",
        )
    held, lengths = _held_out(whole.digests, whole.labels), whole.lengths
    train, held_out = whole.at(~held), whole.at(held)
    passport = {
        "source": source,
        **found,
        "labels": _counted(names, whole.labels),
        "texts": len(whole),
        "train": len(train),
        "held_out": len(held_out),
        "repeated": len(whole) - different,
        "bytes": {"mean": float(lengths.mean()), "longest": int(lengths.max())},
    }
    passport["warnings"] = [*_warnings(passport), *others]
    digest = hashlib.sha256(whole.digest.encode())
    digest.update(json.dumps(names).encode() + (b"" if whole.labels is None else whole.labels.tobytes()))
    return Texts(train, held_out, whole, names, passport, digest.hexdigest())


def refuse_unused(options: Mapping[str, Any], **unused: str) -> None:
    """Refuse options of other tasks on text. Args: unused why each is. Raises: RecipeError."""
    for name, why in unused.items():
        if options.get(name) is not None:
            raise RecipeError(f"--{name} {options[name]} was given.", why, "Leave it out.")


# ---- which files, and their labels -----------------------------------------------------------------------------------

Files = list[tuple[Path, str]]  # each with its label, "" for none


def _files(source: str, label: str | None) -> tuple[Files, list[str]]:
    """List the files of a source, each with its label: its subfolder, or its own name. Returns: notes, too."""
    if source in BUILT_IN:
        return [(Path(source), "")], []
    root = Path(source).expanduser()
    listing = list_files(root, TEXTS)
    others = [f"{path} {why}." for path, why in listing.left_out.items()]
    if root.is_file():
        return [(root, "")], others
    parts = [path.relative_to(root).parts for path in listing.found]
    if all(len(one) > 1 for one in parts):
        names = [unicodedata.normalize("NFC", one[0]) for one in parts]
    elif all(len(one) == 1 for one in parts) and 1 < len(parts) <= MOST_LABELS:
        names = [unicodedata.normalize("NFC", path.stem) for path in listing.found]
    else:
        names = [""] * len(parts)
        many = f"No labels: the folder holds more than {MOST_LABELS} files, or some beside subfolders."
        others += [many] * (len(parts) > 1)
    if label is not None:
        if label != "none" and not all(path.suffix.lower() in COLUMNS for path in listing.found):
            why = "The labels of a folder are its files or subfolders."
            raise DataError(f"--label {label} was given.", why, "Leave it.")
        names = [""] * len(parts)
    return list(zip(listing.found, names, strict=True)), others


def _state(source: str, files: Files) -> list[Any]:
    """Return what tells whether files are still as they were when they were read."""
    if source in BUILT_IN:
        return [version(package) for package in ("numpy", "scipy", "scikit-learn")]
    states = [(path.absolute(), name, path.stat()) for path, name in files]
    return [(str(path), name, state.st_size, state.st_mtime_ns) for path, name, state in states]


# ---- the store -------------------------------------------------------------------------------------------------------


def _fill(folder: Path, source: str, files: Files, asked: Columns, example: str | None) -> None:
    """Write all lines into `text`, choose what an example is, and write where each is."""
    notes = Notes()
    order, lines = _write_lines(folder, source, files, asked, notes)
    refuse_other_encodings(notes, source)
    if len(order) > MOST_LABELS:
        raise DataError(
            f"{source!r} has {len(order):,} different labels.", f"At most {MOST_LABELS} can be learned.",
            "Name another column with --label, or say --label none.",
        )  # fmt: skip
    if not len(lines):
        raise DataError(f"{source!r} holds no text.", "It is empty, or all of its lines are.", "Give another file.")
    what, why = _example(lines, example, plain=not any(path.suffix.lower() in COLUMNS for path, _ in files))
    starts = np.cumsum(lines["length"].astype(np.int64) + 1) - lines["length"] - 1
    ends = starts + lines["length"]
    if what == "paragraph":
        first = np.flatnonzero(lines["begins"])
        starts, ends, lines = starts[first], ends[np.append(first[1:], len(lines)) - 1], lines[first]
        del notes.counts[EMPTY]  # they separate paragraphs
    with (folder / "text").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        for place in np.flatnonzero(ends - starts > MOST_BYTES).tolist():  # paragraphs, from one character to another
            start = int(starts[place])
            ends[place] = start + len(text[start : start + MOST_BYTES].decode(errors="ignore").encode())
            notes.note(CUT, Path(source), int(lines["number"][place]))
        bounds = zip(starts.tolist(), ends.tolist(), strict=True)
        digests = np.fromiter((_digest(text[start:end]) for start, end in bounds), np.uint64, len(starts))
    columns = [starts, ends, lines["number"], digests, lines["label"]]
    np.save(folder / "examples.npy", np.rec.fromarrays(columns, dtype=EXAMPLE))
    found = {
        "example": what,
        "why": why,
        "files": len(files),
        "scripts": _scripts(folder / "text"),
        "labels": order,
        "met": dict(notes.counts),
        "first": notes.first,
    }
    (folder / "header.json").write_text(json.dumps(found), "utf-8")


def _write_lines(
    folder: Path, source: str, files: Files, asked: Columns, notes: Notes
) -> tuple[list[str], NDArray[Any]]:
    """Write all lines but empty ones into `text`. Returns: the labels in order; (N,) of ROW, `label` in that order."""
    labels: dict[str, int] = {}
    with (folder / "text").open("wb") as sink, (folder / "rows").open("wb") as table:
        for path, name in files:
            rows: list[tuple[int, int, int, bool]] = []
            before, begins = sink.tell(), True
            for number, value, own in _records(source, path, asked, notes):
                if not value:
                    notes.note(EMPTY, path, number)
                    begins = True
                    continue
                kept = value if len(value) <= MOST_BYTES else value[:MOST_BYTES].decode(errors="ignore").encode()
                notes.note(CUT, path, number, count=kept is not value)
                sink.write(kept + b"\n")
                rows.append((len(kept), labels.setdefault(own or name, len(labels)), number, begins))
                begins = False
                if len(rows) == AT_ONCE:
                    np.array(rows, ROW).tofile(table)
                    rows = []
            np.array(rows, ROW).tofile(table)
            notes.note(WITHOUT, path, 1, count=sink.tell() == before)
    lines, order = np.fromfile(folder / "rows", ROW), sorted(labels)
    (folder / "rows").unlink()
    rank = {name: place for place, name in enumerate(order)}
    lines["label"] = np.array([rank[name] for name in labels] or [0])[lines["label"]]
    return order, lines


CUT = f"Texts longer than {MOST_BYTES:,} bytes, which were cut there"
EMPTY = "Lines and values without text"
WITHOUT = "Files without text"


def _records(source: str, path: Path, asked: Columns, notes: Notes) -> Iterator[Record]:
    if source in BUILT_IN:
        asked.refuse_any(path, "It comes along as lines.")
        return (Record(number, line.encode()) for number, line in enumerate(docstrings(), 1))
    return records_of(path, asked, notes)


def _example(lines: NDArray[Any], pinned: str | None, *, plain: bool) -> tuple[str, str]:
    """Choose what one example is. Returns: "line", "paragraph" or "value", and why."""
    if not plain:
        if pinned == "paragraph":
            raise DataError("--example paragraph was given.", "In these files each value is an example.", "Leave it.")
        return "value", "each value is one"
    groups = int(lines["begins"].sum())
    per = len(lines) / groups
    if pinned is not None:
        return pinned, "you asked for it"
    if groups >= FEWEST and A_PARAGRAPH[0] <= per <= A_PARAGRAPH[1]:
        return "paragraph", f"empty lines separate {groups:,} paragraphs of {per:.1f} lines"
    return "line", "each line stands by itself" if per < A_PARAGRAPH[0] else "no empty lines separate paragraphs"


def _digest(value: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), "little")


def _scripts(path: Path) -> dict[str, float]:
    """Return the shares of letters by script, as Unicode names letters."""
    counts = np.zeros(0x110000, np.int64)  # of each character
    with path.open("rb") as file:
        for block in codecs.iterdecode(iter(lambda: file.read(BLOCK), b""), "utf-8"):
            found = np.bincount(np.frombuffer(block.encode("utf-32-le"), np.uint32))
            counts[: len(found)] += found
    scripts: Counter[str] = Counter()
    for code in np.flatnonzero(counts).tolist():
        if chr(code).isalpha():
            scripts[unicodedata.name(chr(code), "OTHER").split()[0].capitalize()] += int(counts[code])
    letters = scripts.total()
    return {name: count / letters for name, count in scripts.most_common() if count >= SMALL_SHARE * letters}


# ---- two parts, and what is told -------------------------------------------------------------------------------------


def _held_out(digests: NDArray[np.uint64], labels: NDArray[np.int64] | None) -> NDArray[np.bool_]:
    """Choose a tenth of the examples of each label by the hash of their text, so that equal ones are in one part.

    Returns: (N,) whether each is held out.
    """
    of = np.zeros(len(digests), np.int64) if labels is None else labels
    share = min(HELD_OUT, MOST_HELD_OUT / len(digests))
    spared: list[NDArray[np.uint64]] = []
    for label in np.unique(of):
        different, counts = np.unique(digests[of == label], return_counts=True)
        rare = counts <= max(1, MOST_COPIES * share * counts.sum())
        different, counts = different[rare], counts[rare]
        last = int(np.searchsorted(np.cumsum(counts), round(share * counts.sum()))) + 1
        spared.append(different[: min(last, len(different) - 1)])
    return np.isin(digests, np.concatenate(spared))


def _counted(names: tuple[str, ...], labels: NDArray[np.int64] | None) -> dict[str, int]:
    if labels is None:
        return {}
    return dict(zip(names, np.bincount(labels, minlength=len(names)).tolist(), strict=True))


def _warnings(passport: Mapping[str, Any]) -> list[str]:
    """Return sentences on what was found."""
    words = [f"{what}: {count:,} (first: {passport['first'][what]})." for what, count in passport["met"].items()]
    if passport["repeated"]:
        words.append(f"{passport['repeated']:,} of {passport['texts']:,} texts repeat others.")
    if len(passport["scripts"]) > 1:
        shares = ", ".join(f"{name} {share:.1%}" for name, share in passport["scripts"].items())
        words.append(f"Letters of several scripts: {shares}.")
    if passport["labels"]:
        counts: Counter[str] = Counter(passport["labels"])
        (most, many), (least, few) = counts.most_common()[0], counts.most_common()[-1]
        if many > UNLIKE * few:
            words.append(f"{most!r} has {many:,} texts and {least!r} {few:,}: little can be learned of the latter.")
    return words
