"""Which recording says what: a .txt beside each one, or a list of names and texts such as LJSpeech's metadata.csv."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ganforge.core.text_file import read_text
from ganforge.errors import DataError
from ganforge.kinds.sounds.reading import list_sounds
from ganforge.kinds.sounds.speak.text import spelled

LISTS = (".csv", ".tsv")  # suffixes of files that may list names and texts
NAMES = ("file", "filename", "file_name", "name", "path", "id", "audio", "wav", "clip", "recording")
TEXTS = ("normalized_text", "normalised_text", "text", "transcript", "transcription", "sentence", "words")
HOW = "Put a .txt of the same name beside each recording, or a metadata.csv with lines such as: name|What is said."


@dataclass(frozen=True, slots=True)
class Transcripts:
    """Recordings with what is said in them."""

    texts: Mapping[Path, str]  # as they are written
    warnings: tuple[str, ...]  # what was left out or guessed, in sentences


def read_transcripts(source: Path) -> Transcripts:
    """Find the recordings of a folder and their texts. Raises: DataError if there are none."""
    if not source.is_dir():
        raise DataError(
            f"{str(source)!r} is not a folder.", "Speaking is learned from recordings and their texts.", HOW
        )
    files = list_sounds(source).files
    lists = sorted(path for path in source.iterdir() if path.suffix.lower() in LISTS)
    lists = [path for path in lists if path.stem.lower() == "metadata"] or lists
    if len(lists) > 1:
        raise DataError(
            f"{str(source)!r} holds {len(lists)} lists: {', '.join(path.name for path in lists[:3])}.",
            "It is not clear which one has the texts.",
            "Call the right one metadata.csv.",
        )
    warnings: list[str] = []
    texts: dict[Path, str] = {}
    encodings: set[str] = set()
    if lists:
        text, encoding = read_text(lists[0])
        encodings.add(encoding)
        texts, lost = _listed(_rows(lists[0], text), files, source, lists[0])
        _tell(warnings, lost, f"lines of {lists[0].name} name no recording that is there")
    else:
        beside = {path.with_suffix("") for path in files}
        alone = [path for path in sorted(source.rglob("*.txt")) if path.with_suffix("") not in beside]
        _tell(warnings, [str(path.relative_to(source)) for path in alone], "texts have no recording of the same name")
        for path in files:
            if (words := path.with_suffix(".txt")).is_file():
                texts[path], encoding = read_text(words)
                encodings.add(encoding)
    silent = [path for path in files if not spelled(texts.get(path, ""))]
    _tell(warnings, [str(path.relative_to(source)) for path in silent], "recordings have no text and are left out")
    if odd := sorted(encodings - {"utf-8", "utf-8-sig"}):
        warnings.append(f"Texts were read as {' and '.join(odd)}: they are not UTF-8.")
    texts = {path: text for path, text in texts.items() if spelled(text)}
    if not texts:
        raise DataError(f"None of the {len(files)} recordings of {str(source)!r} has a text.", warnings[0], HOW)
    return Transcripts({path: texts[path] for path in files if path in texts}, tuple(warnings))


def _tell(warnings: list[str], found: list[str], what: str) -> None:
    if found:
        named = ", ".join(repr(name) for name in found[:3])
        warnings.append(f"{len(found):,} {what}, such as {named}.")


def _rows(path: Path, text: str) -> list[tuple[str, str]]:
    """Return (name, text) of each line. The separator is |, tab, comma or ; as the first line has it.

    A header is a first line of which one cell is in NAMES and one in TEXTS. Without one the name is first and the text
    last: of LJSpeech's three columns the last one is the text with numbers written out.
    Raises: DataError if there are not two columns.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    separator = next((sign for sign in "|\t,;" if lines and sign in lines[0]), None)
    if separator is None:
        raise DataError(f"{str(path)!r} has no columns.", "A name and a text were expected in each line.", HOW)
    try:  # between | quotes are signs, as in LJSpeech
        plain = csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE)
        rows = [row for row in (plain if separator == "|" else csv.reader(lines, delimiter=separator)) if row]
    except csv.Error as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.", "Perhaps a quote is not closed.", HOW) from error
    head = [cell.strip().lower() for cell in rows[0]]
    name = next((head.index(word) for word in NAMES if word in head), None)
    words = next((head.index(word) for word in TEXTS if word in head), None)
    if name is not None and words is not None:
        return [(row[name].strip(), row[words]) for row in rows[1:] if len(row) > max(name, words)]
    if separator in "|\t":
        return [(row[0].strip(), row[-1] or row[1]) for row in rows if len(row) > 1]
    return [(row[0].strip(), separator.join(row[1:])) for row in rows if len(row) > 1]  # a text may hold commas


def _listed(
    rows: list[tuple[str, str]], files: tuple[Path, ...], source: Path, path: Path
) -> tuple[dict[Path, str], list[str]]:
    """Match the names of a list with recordings. Returns: texts, and the names that are not there.

    A name is a path within the folder, with or without its suffix, or the name of one file anywhere in it.
    Raises: DataError for a recording that is listed twice with different texts.
    """
    places: dict[str, Path | None] = {}
    for file in files:
        for name in dict.fromkeys((file.name, file.stem)):
            places[name] = None if name in places else file  # of two files of one name neither is meant
    for file in files:
        inside = file.relative_to(source)
        places[inside.as_posix()] = places[inside.with_suffix("").as_posix()] = file
    texts: dict[Path, str] = {}
    lost: list[str] = []
    for name, text in rows:
        found = places.get(name.replace("\\", "/").removeprefix("./"))
        if found is None:
            lost.append(name)
        elif spelled(texts.setdefault(found, text)) != spelled(text):
            raise DataError(
                f"{path.name} has two texts for {name!r}.",
                f"They are {texts[found][:40]!r} and {text[:40]!r}.",
                "Keep the one that is said.",
            )
    return texts, lost
