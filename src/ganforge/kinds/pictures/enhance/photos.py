"""Opening of photos of any size at their own resolution: tiles, two parts, and a passport.

Nothing is resized, because what a network restores (noise, blur, few pixels) is a matter of single pixels. Tiles
cover each photo evenly and overlap as needed; training cuts random patches from them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ganforge.core.seeds import generator_for
from ganforge.engine.feed import PICTURES, ArrayFeed
from ganforge.kinds.pictures.reading.open import Pictures, common_passport, nearly_black, skipped_told
from ganforge.kinds.pictures.reading.part import Part, Pixels, Survey, spread
from ganforge.kinds.pictures.reading.survey import refuse_too_few

TILE = 96  # pixels of a tile's side
MOST_BYTES = 2**29  # of all tiles
MOST_PHOTOS = 2_000  # read of each part, evenly spread over it
ENOUGH_TO_SPARE = 5  # photos from which on whole ones are held out
SHARE_HELD_OUT, MOST_HELD_OUT = 0.1, 50  # photos
RIGHT = 0.25  # share of the width that is held out if photos are too few


@dataclass(slots=True)
class _Read:
    """The tiles of the photos of one part."""

    tiles: list[Pixels] = field(default_factory=list)  # (n, TILE, TILE, C) of each photo
    right: list[Pixels] = field(default_factory=list)  # of its right side alone, if photos are few
    left: list[Pixels] = field(default_factory=list)  # of the rest
    hashes: list[str] = field(default_factory=list)
    small: int = 0  # photos that had to be mirrored to fill a tile
    skipped: list[tuple[str, str]] = field(default_factory=list)


def open_photos(found: Survey, *, device: torch.device | str = "cpu") -> Pictures:
    """Read photos, cut tiles (C, TILE, TILE) and split them. Transparency is composited on white.

    From 5 different photos on, a tenth of them, by their content, is held out whole; of fewer, the right quarter of
    each. Test pictures that came with the data are the held-out part.

    Raises: DataError if no photo is usable.
    """
    channels = min(found.channels, 3)
    parts = [_read(part, channels, few=len(found.parts) == 1) for part in found.parts]
    skipped = (*found.skipped, *(pair for part in parts for pair in part.skipped))
    for part in parts:
        refuse_too_few(len(part.hashes), skipped, found.source, 1)
    train, held_out, how = _split(parts)
    shape = (channels, TILE, TILE)
    digest = hashlib.sha256(f"{shape} {len(train)} {len(held_out)}".encode())
    for rows in (train, held_out):
        digest.update(hashlib.sha256(rows.data).digest())
    passport = _passport(found, parts, skipped, channels) | {
        "train": len(train),
        "held_out": len(held_out),
        "split": how,
    }
    passport["warnings"] = [*skipped_told(skipped), *found.told, *_warnings(found, passport, train)]
    feeds = [ArrayFeed(rows, None, device, form=PICTURES) for rows in (train, held_out)]
    return Pictures(
        shape=shape,
        train=feeds[0],
        held_out=feeds[1],
        passport=passport,
        data_hash=digest.hexdigest(),
        values=found.values,
    )


def cut_tiles(pixels: Pixels) -> Pixels:
    """Cut a picture (H, W, C) into the fewest covering tiles (n, TILE, TILE, C); a smaller one is mirrored."""
    missing = [max(0, TILE - side) for side in pixels.shape[:2]]
    padded = np.pad(pixels, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
    rows, columns = (
        np.linspace(0, side - TILE, -(-side // TILE)).round().astype(int).tolist() for side in padded.shape[:2]
    )
    return np.stack([padded[row : row + TILE, column : column + TILE] for row in rows for column in columns])


def _read(part: Part, channels: int, *, few: bool) -> _Read:
    """Read a part. Args: few whether photos may be too few to hold out whole ones."""
    places = spread(part.count, MOST_PHOTOS)
    most = max(1, MOST_BYTES // (TILE * TILE * channels) // len(places)) if places else 1
    read = _Read()
    for number, one in enumerate(part.native(places, channels)):
        if one.pixels is None:
            read.skipped.append((one.name, one.reason))
            continue
        read.small += min(one.pixels.shape[:2]) < TILE
        read.hashes.append(hashlib.sha256(f"{one.pixels.shape}".encode() + one.pixels.tobytes()).hexdigest())
        read.tiles.append(_some(cut_tiles(one.pixels), most, number))
        if few and len(read.hashes) <= 4 * ENOUGH_TO_SPARE:  # copies count once and are known only at the end
            edge = one.pixels.shape[1] - max(1, round(RIGHT * one.pixels.shape[1]))
            read.left.append(_some(cut_tiles(one.pixels[:, : max(1, edge)]), most, number))
            read.right.append(_some(cut_tiles(one.pixels[:, edge:]), most, number))
    return read


def _some(tiles: Pixels, most: int, number: int) -> Pixels:
    """Return at most `most` of the tiles of photo `number`, always the same ones."""
    if len(tiles) <= most:
        return tiles
    chosen = torch.randperm(len(tiles), generator=generator_for(0, "photos/tiles", step=number))[:most]
    kept: Pixels = tiles[chosen.sort().values.numpy()]
    return kept


def _split(parts: list[_Read]) -> tuple[Pixels, Pixels, str]:
    """Return training tiles, held-out tiles, and a description of the split."""
    if len(parts) == 2:
        given = "as given: the test pictures that came with the data"
        return np.concatenate(parts[0].tiles), np.concatenate(parts[1].tiles), given
    (read,) = parts
    different = sorted(set(read.hashes))
    if len(different) < ENOUGH_TO_SPARE and read.left:
        how = f"the right {RIGHT:.0%} of each picture is held out: {len(different)} are too few to spare whole ones"
        return np.concatenate(read.left), np.concatenate(read.right), how
    spared = set(different[: min(max(1, round(SHARE_HELD_OUT * len(different))), MOST_HELD_OUT)])
    train = [tiles for tiles, name in zip(read.tiles, read.hashes, strict=True) if name not in spared]
    held_out = [tiles for tiles, name in zip(read.tiles, read.hashes, strict=True) if name in spared]
    how = f"{len(held_out)} whole pictures are held out, chosen by their content, so that copies land in one part"
    return np.concatenate(train), np.concatenate(held_out), how


def _passport(found: Survey, parts: list[_Read], skipped: tuple[tuple[str, str], ...], channels: int) -> dict[str, Any]:
    names = [name for part in parts for name in part.hashes]
    return {
        **common_passport(found, len(names), skipped, (TILE, TILE), channels),
        "duplicates": len(names) - len(set(names)),
        "resize": f"none: cut into tiles of {TILE} x {TILE} at their own resolution",
        "mirrored": sum(part.small for part in parts),
        "notes": list(found.notes),
    }


def _warnings(found: Survey, passport: dict[str, Any], train: Pixels) -> list[str]:
    words = nearly_black(int(train.max()), "these pictures")
    if found.channels == 4:
        words.append("What is transparent was laid on white.")
    if left_out := sum(max(0, part.count - MOST_PHOTOS) for part in found.parts):
        words.append(f"{left_out:,} pictures were left out: {MOST_PHOTOS:,} of each part, evenly spread, are read.")
    if passport["mirrored"]:
        words.append(f"{passport['mirrored']:,} pictures are smaller than {TILE} pixels and were mirrored to fill it.")
    if passport["duplicates"] > 0.1 * passport["count"]:
        words.append(f"{passport['duplicates']:,} of {passport['count']:,} pictures are copies of another one.")
    if passport["train"] < 100:
        words.append(f"{passport['train']:,} tiles are few: what is learned may suit these pictures alone.")
    return words
