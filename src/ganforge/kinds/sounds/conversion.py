"""Sound files of a person that a model converts: what is read of each, what is written, and what is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from ganforge.contracts import Observer
from ganforge.core.conversion import Convert, Sought, convert_all
from ganforge.errors import DataError
from ganforge.kinds.sounds.reading import ENDS_EARLY, LOUDEST, SOUNDS
from ganforge.kinds.sounds.sound_file import WRITTEN, Waveform, blocks_of, read_header, write_sound

Blocks = Callable[[Iterable[Waveform], int], Iterator[Waveform]]
"""Blocks (n, C) and their rate -> blocks with as many samples in all."""


def converted(
    source: object,
    out: Path | None,
    blocks: Blocks,
    options: Mapping[str, Any],
    observers: Sequence[Observer],
    *,
    sought: Sought = SOUNDS,
    convert: Convert | None = None,
) -> Any:
    """Convert a sound file or the files of a folder into `out`, which is returned; or a pair of a waveform, (T,) or
    (T, C), and its rate, of which such a pair is returned.

    A file of a folder that cannot be used is skipped and told.
    Args: options force; convert a file, where that is not `convert_sound`.
    Raises: InputError, DataError for a file or if a folder has no usable one, StorageError.
    """
    if not isinstance(source, str | Path):
        waveform, rate = cast(tuple[Any, int], source)
        x = np.asarray(waveform, np.float32)
        if x.ndim not in (1, 2) or not x.size:
            raise DataError(f"An array of shape {x.shape} is not a waveform.", "It has shape (T,) or (T, C).")
        return np.concatenate(list(blocks([x.reshape(len(x), -1)], rate))).reshape(x.shape), rate
    do, force = convert or (lambda file, place, tell: convert_sound(file, place, blocks)), bool(options.get("force"))
    return convert_all(source, out, do, observers, written=WRITTEN, sought=sought, force=force)


def convert_sound(file: Path, place: Path, blocks: Blocks) -> Sequence[str]:
    """Convert one file. Returns: what was changed in it. Raises: DataError if it cannot be used."""
    header, bad = read_header(file), 0
    if not header.samples:
        raise DataError(f"{str(file)!r} holds no samples.", "It has a header alone.", "Leave it out.")

    def finite() -> Iterator[Waveform]:
        nonlocal bad
        for block in blocks_of(file):
            bad += int((~np.isfinite(block)).sum())
            given = np.nan_to_num(block, posinf=0.0, neginf=0.0)
            if (most := float(np.abs(given).max(initial=0.0))) > LOUDEST:
                raise DataError(f"{str(file)!r} has values up to {most:.3g}.", "Those of a sound lie in -1..1.")
            yield given

    subtype = header.subtype if place.suffix.lower() == file.suffix.lower() else None
    samples = write_sound(place, blocks(finite(), header.rate), header.rate, header.channels, subtype)
    notes = [f"{bad:,} values that are not finite were taken as 0"] if bad else []
    if samples < ENDS_EARLY * header.samples:
        there = f"{samples / header.rate:.1f} of the {header.seconds:.1f} s"
        notes.append(f"a file was cut off: it holds {there} that its header says")
    return notes
