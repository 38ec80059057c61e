"""Opening of sounds: which files, at which rate, with which labels; two parts, a passport, and one flat cache.

Every file is decoded once, into one channel at one rate, into a flat array of float32 in the cache. Long recordings and
a hundred thousand short ones are both read from there in pieces, so memory stays flat.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.core.cache import kept_or_filled
from ganforge.core.conversion import Sought, is_hidden, list_files
from ganforge.core.files import read_json_file
from ganforge.errors import DataError
from ganforge.kinds.sounds import BUILT_IN, SUFFIXES
from ganforge.kinds.sounds.instruments import instruments
from ganforge.kinds.sounds.sound_file import CONTAINERS, SMALLEST, Header, blocks_of, read_header

VERSION = 2  # of decoded sounds in the cache: a new number invalidates old ones
MOST_NAMED = 20  # files that are named with the reason why they were skipped
HELD_OUT = 0.1  # share of the files, or of each one where they are few
ENOUGH_TO_SPARE = 10  # files from which on whole ones are held out
FULL_SCALE = 0.999  # at least this: the loudest value that integers have
LOUDEST = 100.0  # times full scale, from which numbers are not a sound
ENDS_EARLY = 0.98  # share of what its header says, below which a file was cut off
CLIPPED = 1e-4  # share of such samples from which a file is called clipped
SILENCE = 1e-3  # of full scale (-60 dB): quieter frames are silence
OFF_CENTRE = 0.05  # of full scale
EIGHT_BITS = ("PCM_S8", "PCM_U8", "ULAW", "ALAW")  # of libsndfile
FRAME_SECONDS = 0.02  # in which level is measured
Samples = NDArray[np.float32]


SOUNDS = Sought("sound", "sounds", SUFFIXES, lambda suffix: suffix in CONTAINERS)
SOUNDS_OF_FOLDERS = replace(SOUNDS, follows=True)


@dataclass(frozen=True, slots=True)
class SoundFiles:
    """The sound files below a folder."""

    files: tuple[Path, ...]  # by their names
    labels: tuple[str, ...]  # of each, the name of its subfolder (NFC); all "" where files lie beside the subfolders
    others: tuple[str, ...]  # files that might be meant and are not read, each with the reason


def list_sounds(source: Path) -> SoundFiles:
    """List the sound files of a folder and its subfolders, but for hidden ones; of a file, itself.

    Raises: DataError if there is none.
    """
    listing = list_files(source, SOUNDS_OF_FOLDERS)
    if source.is_file():
        return SoundFiles((source,), ("",), ())
    inside = [path.relative_to(source).parts for path in listing.found]
    depth = len(_labelled_below(source).relative_to(source).parts)
    labels = [unicodedata.normalize("NFC", parts[depth]) if len(parts) > depth + 1 else "" for parts in inside]
    others = [f"{path} {why}" for path, why in listing.left_out.items()]
    with_sounds = {parts[0] for parts in inside if len(parts) > 1}
    for folder in sorted(path for path in source.iterdir() if path.is_dir() and not is_hidden(path.name)):
        if folder.name not in with_sounds and folder not in listing.left_out:
            others.append(f"{folder} holds no sounds")
    if "" in labels and set(labels) != {""}:
        labels = [""] * len(labels)
        others.append("Sounds lie beside the subfolders, so the subfolders are not used as labels.")
    return SoundFiles(tuple(listing.found), tuple(labels), tuple(others))


def _labelled_below(folder: Path) -> Path:
    """Descend a chain of single folders that have no sounds beside them: the labels are in the last one."""
    try:
        entries = [one for one in folder.iterdir() if not is_hidden(one.name)]
    except PermissionError:  # told by the listing
        return folder
    folders = [one for one in entries if one.is_dir()]
    beside = any(one.suffix.lower() in SUFFIXES for one in entries if one not in folders)
    return folder if len(folders) != 1 or beside else _labelled_below(folders[0])


@dataclass(frozen=True, slots=True)
class Part:
    """Sounds of one part: stretches of a flat array."""

    samples: Samples  # (all,) of both parts, in memory or mapped
    starts: NDArray[np.int64]  # (N,) of each sound in it
    lengths: NDArray[np.int64]  # (N,)
    labels: NDArray[np.int64] | None  # (N,) in label_names
    names: tuple[str, ...] = ()  # (N,) the paths of the files

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def digest(self) -> str:
        """Of where its sounds are: other parts of the same sounds have another one."""
        return hashlib.sha256(self.starts.tobytes() + self.lengths.tobytes()).hexdigest()

    def __getitem__(self, place: int) -> Samples:
        start = int(self.starts[place])
        return np.array(self.samples[start : start + int(self.lengths[place])])


@dataclass(frozen=True, slots=True)
class Sounds:
    """Sounds opened for training: one channel, one rate."""

    rate: int
    train: Part
    held_out: Part
    label_names: tuple[str, ...]
    sha256: str  # of all samples, names of files and labels
    passport: Mapping[str, Any]


def open_sounds(
    source: str,
    rate: int | None = None,
    *,
    labelled: bool = False,
    fewest: int = 0,
    groups: Mapping[Path, str] | None = None,
) -> Sounds:
    """Decode all sounds, or find them in the cache, and hold some out.

    Args: rate to work at, None for the one that most seconds have; labelled whether the first subfolders are labels;
        fewest whole sounds that are held out, and left to learn from; 0: the end of each is held out, if few; groups
        the only files that are read, each with a key: files of one key are in one part.
    Raises: DataError if nothing can be read, all is silent, or they are too few; StorageError if the cache cannot be
        written.
    """
    root = instruments() if source in BUILT_IN else Path(source).expanduser()
    listing = list_sounds(root)
    headers, skipped = _headers(listing.files if groups is None else tuple(groups))
    if not headers:
        raise DataError(f"None of the {len(listing.files)} sounds of {source!r} can be read.", f"{skipped[0]}.")
    rates: Counter[int] = Counter()
    for header in headers.values():
        rates[header.rate] += max(1, int(header.seconds))
    chosen = rate or max(rates, key=lambda one: (rates[one], one))
    words = f"{VERSION} {chosen} {_fingerprint(headers)}"
    folder = kept_or_filled("sounds", words, lambda temporary: _decode(temporary, list(headers), chosen))
    told = read_json_file(folder / "header.json", most_bytes=2**30)
    samples = np.memmap(folder / "samples", np.float32, "r") if told["files"] else np.zeros(0, np.float32)
    skipped += told["skipped"]
    files = told["files"]
    usable = [one for one in files if SILENCE < one["peak"] <= LOUDEST]
    skipped += [f"{one['name']}: silence only" for one in files if one["peak"] <= SILENCE]
    skipped += [
        f"{one['name']}: its values reach {one['peak']:.3g}, and those of a sound lie in -1..1"
        for one in files
        if one["peak"] > LOUDEST
    ]
    if not usable:
        raise DataError(f"No sound of {source!r} can be heard.", f"{skipped[-1]}.", "Give sounds that are not silence.")
    label_of = {str(path): label for path, label in zip(listing.files, listing.labels, strict=True)}
    names, labels = np.unique([label_of.get(one["name"], "") for one in usable], return_inverse=True)
    different = len({one["sha256"] for one in usable})
    if different < 2 * fewest:
        raise DataError(
            f"{source!r} holds {different} different sounds that can be used.",
            f"At least {2 * fewest} are needed: {fewest} to learn from, and as many to measure with.",
            f"Give more sounds. {len(skipped):,} were skipped: {skipped[0]}." if skipped else "Give more sounds.",
        )
    in_use = labelled and len(names) > 1
    keys = {str(path): key for path, key in (groups or {}).items()}
    digests = [keys.get(one["name"], one["sha256"]) for one in usable]
    train, held_out, how = _split(usable, digests, samples, labels if in_use else None, fewest)
    passport = {
        "source": source,
        "sounds": len(usable),
        "seconds": sum(one["length"] for one in usable) / chosen,
        "rate": chosen,
        "rates": {str(one): count for one, count in Counter(header.rate for header in headers.values()).items()},
        "channels": {str(one): count for one, count in Counter(header.channels for header in headers.values()).items()},
        "clipped": sum(one["clipped"] > CLIPPED for one in usable),
        "silent_share": float(np.mean([one["silent"] for one in usable])),
        "offset": float(max(abs(one["offset"]) for one in usable)),
        "noise_floor_db": float(np.median([one["noise_db"] for one in usable])),
        "copies": len(usable) - different,
        "train": len(train),
        "held_out": len(held_out),
        "split": how,
        "skipped": skipped[:MOST_NAMED],
        "skipped_count": len(skipped),
    }
    told_of = [(one, headers[Path(one["name"])]) for one in usable]
    passport["warnings"] = [*_warnings(passport, chosen, told_of), *(f"{one}." for one in listing.others[:MOST_NAMED])]
    inside = [[os.path.relpath(one["name"], root), one["sha256"]] for one in files]
    digest = hashlib.sha256(json.dumps([chosen, inside]).encode()).hexdigest()
    return Sounds(chosen, train, held_out, tuple(names.tolist()) if in_use else (), digest, passport)


def _headers(files: tuple[Path, ...]) -> tuple[dict[Path, Header], list[str]]:
    """Read all headers. Returns: those that can be used, and the others with the reason."""
    found: dict[Path, Header] = {}
    skipped: list[str] = []
    for path in files:
        try:
            header = read_header(path)
        except DataError as error:
            skipped.append(error.what.rstrip("."))
            continue
        if header.samples < SMALLEST:
            skipped.append(f"{path}: {header.samples} samples are too few to hear")
        else:
            found[path] = header
    return found, skipped


def _fingerprint(headers: Mapping[Path, Header]) -> str:
    states = [(str(path.absolute()), path.stat().st_size, path.stat().st_mtime_ns) for path in headers]
    return hashlib.sha256(json.dumps(states).encode("utf-8", "surrogateescape")).hexdigest()


def _decode(folder: Path, files: list[Path], rate: int) -> None:
    """Write all sounds, mixed to one channel, into `samples`, and what was measured of each into header.json."""
    told: list[dict[str, Any]] = []
    skipped: list[str] = []
    with (folder / "samples").open("wb") as sink:
        for path in files:
            start = sink.tell()
            level = _Level(rate)
            try:
                for block in blocks_of(path, rate):
                    mixed = block.mean(axis=1, dtype=np.float32)
                    level.bad += int((~np.isfinite(mixed)).sum())
                    mixed = np.nan_to_num(mixed, posinf=0.0, neginf=0.0)
                    level.take(mixed)
                    sink.write(mixed.tobytes())
            except DataError as error:
                sink.seek(start)
                sink.truncate()
                skipped.append(error.what.rstrip("."))
                continue
            told.append({"name": str(path), "start": start // 4, **level.told()})
    (folder / "header.json").write_text(json.dumps({"files": told, "skipped": skipped}), "utf-8")


class _Level:
    """Peak, clipping, offset, silence and noise floor of a sound that comes in blocks."""

    def __init__(self, rate: int) -> None:
        self.frame, self.length, self.peak, self.full, self.sum = max(1, int(FRAME_SECONDS * rate)), 0, 0.0, 0, 0.0
        self.bad = 0  # values that were not finite, and were taken as 0
        self.rms: list[NDArray[np.float64]] = []
        self.digest = hashlib.sha256()

    def take(self, block: Samples) -> None:
        size = np.abs(block)
        self.length += len(block)
        self.peak = max(self.peak, float(size.max(initial=0.0)))
        self.full += int((size >= FULL_SCALE).sum())
        self.sum += float(block.sum(dtype=np.float64))
        whole = len(block) // self.frame * self.frame
        self.rms.append(np.sqrt(np.square(block[:whole].astype(np.float64)).reshape(-1, self.frame).mean(axis=1)))
        self.digest.update(block.tobytes())

    def told(self) -> dict[str, Any]:
        rms = np.concatenate(self.rms) if self.rms else np.zeros(0)
        quiet = float(np.quantile(rms, 0.05)) if len(rms) else 0.0
        return {
            "length": self.length,
            "peak": self.peak,
            "not_finite": self.bad,
            "clipped": self.full / max(1, self.length),
            "offset": self.sum / max(1, self.length),
            "silent": float((rms < SILENCE).mean()) if len(rms) else 1.0,
            "noise_db": 20 * float(np.log10(max(quiet, 1e-6))),
            "sha256": self.digest.hexdigest(),
        }


def _split(
    files: list[dict[str, Any]], digests: list[str], samples: Samples, labels: NDArray[np.int64] | None, fewest: int
) -> tuple[Part, Part, str]:
    """Hold out a tenth of the files by digest, at least `fewest`, equal ones together; of few, the end of each."""
    starts, lengths = (np.array([one[key] for one in files], np.int64) for key in ("start", "length"))
    if not fewest and len(set(digests)) < ENOUGH_TO_SPARE:
        cut = np.maximum(1, np.round((1 - HELD_OUT) * lengths)).astype(np.int64)
        ends = Part(samples, starts + cut, lengths - cut, labels)
        how = f"the last {HELD_OUT:.0%} of each sound: {len(set(digests))} are too few to spare whole ones"
        return Part(samples, starts, cut, labels), ends, how
    spared: set[str] = set()
    share = fewest / len(set(digests))
    of = np.zeros(len(files), np.int64) if labels is None else labels
    for label in np.unique(of):
        own = sorted({digests[place] for place in np.flatnonzero(of == label)})
        spared |= set(own[: max(1, round(HELD_OUT * len(own)), math.ceil(share * len(own)))] if len(own) > 1 else ())
    held = np.array([one in spared for one in digests])
    if len(spared) < fewest:
        raise DataError(
            f"{len(spared)} of {len(files)} sounds can be spared to measure with.",
            f"At least {fewest} are needed, and of a label with one sound none is.",
            "Give more sounds of each label, or say --label none.",
        )

    def part(chosen: NDArray[np.bool_]) -> Part:
        own = tuple(one["name"] for one, here in zip(files, chosen, strict=True) if here)
        return Part(samples, starts[chosen], lengths[chosen], None if labels is None else labels[chosen], own)

    how = f"{int(held.sum()):,} whole sounds, chosen by their content, so that copies are in one part"
    return part(~held), part(held), how


def _warnings(passport: Mapping[str, Any], rate: int, files: list[tuple[dict[str, Any], Header]]) -> list[str]:
    """Return sentences on what was found, each with a file. Args: files what was measured of each, and its header."""
    words: list[str] = []

    def names(found: Callable[[dict[str, Any], Header], bool]) -> list[str]:
        return [one["name"] for one, header in files if found(one, header)]

    def have(what: str, found: Callable[[dict[str, Any], Header], bool]) -> None:
        if own := names(found):
            many = len(own) > 1
            who = f"{len(own):,} of {len(files):,} sounds, such as {own[0]}, have" if many else f"{own[0]} has"
            words.append(f"{who} {what}.")

    if len(passport["rates"]) > 1:
        counts = ", ".join(f"{count:,} of {one} Hz" for one, count in passport["rates"].items())
        other = names(lambda one, header: header.rate != rate)
        such = f", such as {other[0]}" if other else ""
        words.append(
            f"The sounds have several rates ({counts}): all are converted to {rate} Hz{such}. --rate says otherwise."
        )
    have(
        "several channels: they are mixed to one, which is learned; apply treats each by itself",
        lambda one, header: header.channels > 1,
    )
    have("clipped values: that is learned too", lambda one, header: one["clipped"] > CLIPPED)
    have("8 bits, whose noise is learned too", lambda one, header: header.subtype in EIGHT_BITS)
    offset = f"an offset of up to {passport['offset']:.2f} of full scale (DC)"
    have(offset, lambda one, header: abs(one["offset"]) > OFF_CENTRE)
    have("values that are not finite: they are taken as 0", lambda one, header: one["not_finite"] > 0)
    have(
        "less sound than the header says, as if cut off: what is there is used",
        lambda one, header: one["length"] < ENDS_EARLY * header.samples * rate / header.rate,
    )
    if passport["copies"]:
        words.append(f"{passport['copies']:,} of {passport['sounds']:,} sounds are copies of another one.")
    if passport["skipped_count"]:
        count = passport["skipped_count"]
        words.append(f"{count:,} sound{'s were' if count > 1 else ' was'} skipped, such as {passport['skipped'][0]}.")
    return words


class Segments:
    """Overlapping stretches of one length that cover every sound of a part: rows float32 (length,) in -1..1.

    The last stretch of a sound ends with it; a shorter sound is one stretch, which is filled up with silence.
    """

    def __init__(self, part: Part, length: int, step: int) -> None:
        """Args: step samples from the beginning of one stretch to that of the next."""
        self._samples, self._length = part.samples, length
        places = [
            (start + first, min(length, whole - first))
            for start, whole in zip(part.starts.tolist(), part.lengths.tolist(), strict=True)
            for first in (*range(0, max(0, whole - length), step), max(0, whole - length))
        ]
        self.places = np.array(places, np.int64)  # (N, 2): the first sample of each, and samples that are there

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, rows: NDArray[np.integer]) -> Samples:
        x = np.zeros((len(rows), self._length), np.float32)
        for number, (first, there) in enumerate(self.places[rows].tolist()):
            x[number, :there] = self._samples[first : first + there]
        return x
