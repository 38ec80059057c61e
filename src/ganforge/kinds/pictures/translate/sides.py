"""The survey of two folders of pictures, A and B: pairs if their names match, else two unpaired sets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

from ganforge.errors import DataError
from ganforge.kinds.pictures.reading.folder import Usable, listed_folder, usable_pictures
from ganforge.kinds.pictures.reading.part import FEWEST, Channels
from ganforge.kinds.pictures.reading.values import BY_LOOKING, Range, Reading

Pairing = Literal["paired", "unpaired"]
Key: TypeAlias = Callable[[str], str]
KNOWN = (  # names of the two folders, from -> to
    ("a", "b"), ("content", "style"), ("input", "target"), ("traina", "trainb"), ("source", "target"),
    ("before", "after"), ("real", "fake"), ("left", "right"), ("x", "y"), ("low", "high"), ("noisy", "clean"),
    ("in", "out"), ("input", "output"), ("input", "gt"), ("noisy", "gt"), ("lq", "gt"), ("lr", "hr"), ("src", "dst"),
    ("blur", "sharp"),
)  # fmt: skip
HALVES = " Cut files that hold both side by side in two."
SPLITS = ("train", "training")  # a folder that holds the two, beside those of a split that is not read
MARKS = "|".join(sorted({name for pair in KNOWN for name in pair}, key=len, reverse=True))
MARK = re.compile(rf"(?i)^(?:({MARKS})[_\-. ])|(?:[_\-. ]({MARKS}))$")  # at one end of a file's name, as in 007_A
ENDS = (re.compile(r"^[^_\-. ]+[_\-. ]"), re.compile(r"[_\-. ][^_\-. ]+$"))  # the first and the last word of a name
SHARED = " but for what all names of a folder begin or end with"
MATCHING = 0.9  # share of the smaller folder's names present in both, from which on they are pairs
OFF = 0.02  # share of a side by which the sizes of a pair may differ: both are cut to the training size anyway
MOST_MISFITS = 0.05  # share of the pairs that may be left out because their sizes differ by more; one always


@dataclass(frozen=True, slots=True)
class Found:
    """A usable picture: its path in the folder, and (H, W)."""

    name: str
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Looked:
    """What is in one of the two folders."""

    folder: Path
    pictures: tuple[Found, ...]  # in the order of their names
    channels: Channels
    values: Range | None
    told: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The survey of two sides: files to read, and their pairing. Nothing is decoded yet."""

    source: str
    folders: tuple[str, str]
    names: tuple[tuple[str, ...], tuple[str, ...]]  # paths in each folder; in the same order if they are pairs
    pairing: Pairing
    why: str
    channels: int
    channels_why: str
    native_size: tuple[int, int] | None  # (H, W) if all pictures have the same
    values: tuple[Range | None, Range | None]  # of black and white (Survey)
    skipped: tuple[tuple[str, str], ...]
    told: tuple[str, ...]  # sentences on what is left out or assumed, for the terminal too


def survey_sides(
    source: str, asked: Pairing | None = None, readings: tuple[Reading, Reading] = (BY_LOOKING, BY_LOOKING)
) -> Sides:
    """Survey two sides from names and headers.

    Args: source a folder with two subfolders, preferably A and B, content and style, or input and target; asked
        the requested pairing, None to detect it; readings of the values of each side.
    Raises: DataError if they are not two folders of pictures, too few, without common names if pairs were
        requested, or if the two pictures of many pairs have different sizes.
    """
    folders, notes = _two_folders(Path(source).expanduser(), source)
    one, other = (_look_at(folder, reading) for folder, reading in zip(folders, readings, strict=True))
    plain, unmarked, alike = _matched(one.pictures, other.pictures)
    smaller = min(len(one.pictures), len(other.pictures))
    pairs, but = plain, ""
    if len(plain) < MATCHING * smaller and len(unmarked) > len(plain):
        pairs, but = unmarked, " but for marks such as _A and _B"
    if asked == "paired" and len(alike) > len(pairs):
        pairs, but = alike, SHARED
    pairing, why = _pairing(len(pairs), but, (one, other), asked)
    if asked is None and pairing == "unpaired" and len(alike) >= max(MATCHING * smaller, FEWEST):
        why = f"{why}, and {len(alike)} are{SHARED}"
    told = [*notes, *one.channels.told, *other.channels.told, *one.told, *other.told]
    kept = (one.pictures, other.pictures)
    sizes = {picture.size for side in kept for picture in side}
    if pairing == "paired":
        left = len(one.pictures) + len(other.pictures) - 2 * len(pairs)
        told += [f"{left} pictures have no partner of the same name: they are left out."] if left else []
        pairs, misfits = _of_equal_size(pairs, folders)
        told += misfits
        kept = (tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs))
        sizes = {(min(a.size[0], b.size[0]), min(a.size[1], b.size[1])) for a, b in pairs}
    elif asked is None and (pairs or SHARED in why):
        told.append(f"Taken for two crowds without pairs: {why}. For pairs say --set task.pairing=paired.")
    for folder, side in zip(folders, kept, strict=True):
        if len(side) < FEWEST:
            raise DataError(
                f"{len(side)} pictures of {str(folder)!r} can be used.", f"At least {FEWEST} are needed.", "Give more."
            )
    channels = max((one.channels, other.channels), key=lambda found: found.count)
    root = Path(source).expanduser()
    return Sides(
        source=source,
        folders=(folders[0].relative_to(root).as_posix(), folders[1].relative_to(root).as_posix()),
        names=(tuple(picture.name for picture in kept[0]), tuple(picture.name for picture in kept[1])),
        pairing=pairing,
        why=why,
        channels=channels.count,
        channels_why=channels.why,
        native_size=next(iter(sizes)) if len(sizes) == 1 else None,
        values=(one.values, other.values),
        skipped=(*one.skipped, *other.skipped),
        told=tuple(told),
    )


def _two_folders(root: Path, source: str) -> tuple[list[Path], list[str]]:
    """Return the folders, from and to, and notes about them."""
    if not root.is_dir():
        why = "It is a file." if root.exists() else "The path does not exist."
        raise DataError(f"{source!r} is not a folder.", why, "Give a folder that holds the two folders A and B.")
    there = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_dir() and path.name[0] != "."}
    for first, last in KNOWN:
        if first in there and last in there:
            rest = [path.name for name, path in there.items() if name not in (first, last)]
            return [there[first], there[last]], [f"Not read: {', '.join(rest)}."] if rest else []
    lone = len(there) == 1 and any(path.is_dir() for path in next(iter(there.values())).iterdir())
    within = [path for name, path in there.items() if name in SPLITS or lone]
    if len(within) == 1:
        found, notes = _two_folders(within[0], source)
        rest = [path.name for path in there.values() if path != within[0]]
        return found, [*notes, *([f"Not read: {', '.join(rest)}."] if rest else [])]
    if len(there) != 2:
        names = ", ".join(path.name for path in there.values()) or "none"
        marked = next((path.name for path in sorted(root.iterdir()) if path.is_file() and MARK.search(path.stem)), None)
        hint = f" Move files such as {marked!r} into one of the two by their marks." if marked else ""
        raise DataError(
            f"{source!r} holds {len(there)} folders: {names}.",
            "Translation needs two: what pictures come from, and what they become.",
            f"Call them A and B, content and style, or input and target.{hint or HALVES}",
        )
    one, other = there.values()
    return [one, other], [f"From {one.name!r} to {other.name!r}, in the order of the alphabet: A and B say it better."]


def _look_at(folder: Path, reading: Reading) -> Looked:
    listing, usable, pictures = listed_folder(folder, str(folder)), Usable(), []
    for name, header in usable_pictures(listing):
        usable.add(name, header)
        pictures.append(Found(name, header.size))
    values, assumed = usable.values(listing, reading)
    told = (*usable.losses.told(f"pictures of {folder.name}"), *(f"{folder.name}: {one}" for one in assumed))
    return Looked(
        folder,
        tuple(sorted(pictures, key=_order)),
        usable.channels(listing),
        values,
        told,
        tuple(sorted(listing.skipped)),
    )


def _matched(one: Sequence[Found], other: Sequence[Found]) -> list[list[tuple[Found, Found]]]:
    """Return the pairs in the order of their names: without marks, with marks such as _A left out, and with all ends.

    Pictures of one name are a pair, then those whose names differ in the ending alone, then in a mark, then in what all
    names of a side begin or end with; but a name that two pictures of a side share says nothing.
    """
    ends = _without_ends(one), _without_ends(other)
    keys: tuple[tuple[Key, Key], ...] = ((str, str), (_stem, _stem), (_unmarked, _unmarked), ends)
    found: list[list[tuple[Found, Found]]] = []
    for known in (keys[:2], keys[:3], keys):
        pairs, rest = [], (list(one), list(other))
        for key in known:
            named = [_by(of_side, side) for of_side, side in zip(key, rest, strict=True)]
            matched = [(named[0][name], named[1][name]) for name in named[0] if name in named[1]]
            pairs += matched
            taken = [{pair[side] for pair in matched} for side in (0, 1)]
            rest = ([p for p in rest[0] if p not in taken[0]], [p for p in rest[1] if p not in taken[1]])
        found.append(sorted(pairs, key=lambda pair: _order(pair[0])))
    return found


def _without_ends(pictures: Sequence[Found]) -> Key:
    """Return the name of a picture without what all names of its side begin and end with, as in 007_mask."""
    stems = [PurePosixPath(picture.name).stem for picture in pictures]
    shared = [end for end in ENDS if len({found and found[0] for found in map(end.search, stems)}) == 1]

    def key(name: str) -> str:
        path = PurePosixPath(_stem(name))
        bare = reduce(lambda rest, end: end.sub("", rest), shared, path.name)
        return path.with_name(bare or path.name).as_posix()

    return key


def _by(key: Key, pictures: Sequence[Found]) -> dict[str, Found]:
    """Return the pictures by their keys, without those that share one."""
    counted = Counter(key(picture.name) for picture in pictures)
    return {key(picture.name): picture for picture in pictures if counted[key(picture.name)] == 1}


def _order(picture: Found) -> tuple[str, str]:
    return _stem(picture.name), picture.name


def _stem(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()


def _unmarked(name: str) -> str:
    path = PurePosixPath(_stem(name))
    return path.with_name(MARK.sub("", path.name) or path.name).as_posix()


def _pairing(count: int, but: str, sides: tuple[Looked, Looked], asked: Pairing | None) -> tuple[Pairing, str]:
    """Return the pairing and the reason. Args: count of the pairs that were found, but for what."""
    (one, other), smaller = sides, min(len(side.pictures) for side in sides)
    counts = f"{count} of {smaller} names are found in both {one.folder.name} and {other.folder.name}{but}"
    if asked == "unpaired":
        return "unpaired", "you asked for it"
    if asked == "paired":
        if not count:
            examples = [side.pictures[0].name for side in sides if side.pictures]
            raise DataError(
                f"Pairs were asked for, and {one.folder.name} and {other.folder.name} have no file name in common.",
                f"For example {' and '.join(map(repr, examples))}.",
                "Give the two pictures of a pair the same name, or leave out task.pairing.",
            )
        return "paired", f"you asked for it; {counts}"
    if count >= max(MATCHING * smaller, FEWEST):
        return "paired", f"{counts}: each picture has its truth"
    return (
        "unpaired",
        f"only {counts}" if count else f"no name is found in both {one.folder.name} and {other.folder.name}",
    )


def _of_equal_size(
    pairs: Sequence[tuple[Found, Found]], folders: Sequence[Path]
) -> tuple[list[tuple[Found, Found]], list[str]]:
    """Return the pairs whose sizes are equal or nearly so, and sentences on the others.

    Raises: DataError if the sizes of more than a few differ.
    """
    kept, near, far = [], [], []
    for pair in pairs:
        (a, b), ratios = pair, [x / y for x, y in zip(pair[0].size, pair[1].size, strict=True)]
        if all(1 - OFF <= ratio <= 1 / (1 - OFF) for ratio in ratios):
            kept.append(pair)
            near += [pair] if a.size != b.size else []
        else:
            far.append(pair)

    def words(pair: tuple[Found, Found]) -> str:
        named = " and ".join(f"{folder.name}/{side.name}" for folder, side in zip(folders, pair, strict=True))
        return f"{named}: {' and '.join(f'{side.size[1]} x {side.size[0]}' for side in pair)} pixels"

    if len(far) > max(1, MOST_MISFITS * len(pairs)):
        raise DataError(
            f"{len(far)} of {len(pairs)} pairs differ in size, the first {words(far[0])}.",
            "The two pictures of a pair show the same thing at the same place.",
            "Make them equal, or say that they are not pairs: --set task.pairing=unpaired.",
        )
    told = [f"{len(near)} pairs differ a little in size, and are cut to one: {words(near[0])}."] if near else []
    return kept, told + ([f"{len(far)} pairs differ in size and are left out: {words(far[0])}."] if far else [])
