"""Decoding of picture files into uint8 pictures of equal size, in parallel, in order.

Headers are checked before anything is decoded, so that a decompression bomb cannot fill the memory.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path, PurePath
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ExifTags import Base as Tag

from ganforge.core.device import memory_bytes
from ganforge.core.pillow import BROKEN, quiet_pillow
from ganforge.kinds.pictures.reading.header import (
    Header,
    is_deep,
    is_deep_grey,
    is_negative,
    is_unsigned,
    kind_of_mode,
    losses_of,
    tiles_of_low_bytes,
    why_garbled,
)
from ganforge.kinds.pictures.reading.part import Block, Native, Part, Pixels, Target, kinds_of
from ganforge.kinds.pictures.reading.values import SIXTEEN_BITS, Range, levels

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM", "JPEG2000", "AVIF", "QOI")
"""By Pillow's names; read whatever a file is called. It knows more, such as EPS, which runs programs."""
BY_NAME = {
    ".tga": "TGA", ".icb": "TGA", ".vda": "TGA", ".vst": "TGA", ".pcx": "PCX", ".bw": "SGI", ".rgb": "SGI",
    ".rgba": "SGI", ".sgi": "SGI", ".ico": "ICO",
}  # fmt: skip
"""Other files begin like these: they are read under their own names alone."""
MOST_PIXELS = 64_000_000  # of one file of a data set; more is a decompression bomb or useless at 256 x 256
READ_BYTES = 22  # of memory for each pixel of a file, at most, while it is decoded and converted to 8 bits
SLIMMEST = 20  # times as long as wide: nothing is left of it after a centre crop
TINIEST = 4  # pixels of the shorter side
GROUP = 32  # pictures that one worker decodes at a time
BEGINNINGS = (  # (place, bytes) of a file -> what it is
    (0, b"II*\0", "TIFF"), (0, b"MM\0*", "TIFF"), (0, b"II+\0", "TIFF"), (0, b"MM\0+", "TIFF"), (0, b"\x89PNG", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"), (0, b"GIF8", "GIF"), (8, b"WEBP", "WebP"), (0, b"BM", "BMP"), (4, b"ftyphei", "HEIC"),
    (4, b"ftypmif", "HEIC"), (4, b"ftypavif", "AVIF"), (0, b"8BPS", "Photoshop file"), (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL ", "JPEG XL"), (4, b"jP  ", "JPEG 2000"), (0, b"%PDF", "PDF"),
)  # fmt: skip
T = TypeVar("T")
Done = TypeVar("Done")


class UnusableError(ValueError):
    """An error for a picture that can be read but not used; the text is the reason."""


class TooLargeError(UnusableError):
    """An error for a picture that a person named and that does not fit into memory."""


class UnreadError(UnidentifiedImageError):
    """An error for a file that begins as a picture does and cannot be read; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Item:
    """One encoded picture: its index in its part, its name, and how to open it."""

    row: int
    name: str
    open: Callable[[], BinaryIO]


def workers() -> int:
    """Return the number of threads for reading and decoding."""
    return max(2, min(16, os.cpu_count() or 2))


def reason_of(error: BaseException) -> str:
    """Return the reason why a picture was skipped."""
    if isinstance(error, UnusableError | UnreadError):
        return str(error)
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"more than {MOST_PIXELS:,} pixels (a decompression bomb?)"
    if isinstance(error, UnidentifiedImageError):
        return "not a picture, whatever its name says"
    if isinstance(error, OSError) and error.errno is not None:
        return f"the system says: {error.strerror}"
    return f"damaged: {str(error).strip() or type(error).__name__}"


def read_header(open_file: Callable[[], BinaryIO]) -> Header:
    """Read what the plan needs, without decoding. Raises: one of BROKEN if the file cannot be used."""
    with open_file() as file, opened(file) as image:
        width, height = image.size
        # TIFF reports its upright size; a PNG's late EXIF would need decoding, so only an early one counts.
        if image.format != "TIFF" and "exif" in image.info and image.getexif().get(Tag.Orientation, 1) >= 5:
            width, height = height, width
        return Header((height, width), kind_of_mode(image), is_deep(image), tuple(losses_of(image)))


def look_of(open_file: Callable[[], BinaryIO]) -> set[str]:
    """Decode one picture and return those of grey, colour and alpha (partly transparent) that it is."""
    with open_file() as file, opened(file) as image:
        if kind_of_mode(image) == "grey":
            return {"grey"}
        image.draft(image.mode, (64, 64))
        return kinds_of(np.asarray(plain(image).convert("RGBA"))[None])


def values_of(open_file: Callable[[], BinaryIO]) -> NDArray[Any]:
    """Decode the values of one picture that is deep (Header). Raises: one of BROKEN."""
    with open_file() as file, opened(file) as image:
        return np.stack(_deep_bands(image)[0])


def decode(open_file: Callable[[], BinaryIO], target: Target, values: Range | None = None) -> tuple[Pixels, bool]:
    """Decode one picture, upright, to (H, W, C) of the target; returns also whether it was enlarged.

    Args: values of black and white, of a deep picture. Raises: one of BROKEN if the file is damaged or cannot be used.
    """
    with open_file() as file, opened(file) as image:
        return fitted(image, target, values)


def fitted(image: Image.Image, target: Target, values: Range | None = None) -> tuple[Pixels, bool]:
    """Decode an opened picture; see `decode`."""
    side = 2 * max(target.height, target.width)
    image.draft(image.mode, (side, side))  # JPEG can decode straight to a half, quarter or eighth
    return fit(with_channels(plain(image, values), target.channels), target)


def upright(image: Image.Image) -> Image.Image:
    """Turn a picture as its EXIF orientation says, and a negative of 16 bits, which Pillow leaves, to a positive."""
    turned = ImageOps.exif_transpose(image) if image.getexif().get(Tag.Orientation, 1) > 1 else image
    return Image.fromarray(SIXTEEN_BITS[1] - np.asarray(turned)) if is_negative(image) else turned


def with_channels(image: Image.Image, channels: int) -> Image.Image:
    """Convert to an 8-bit picture in mode L, RGB or RGBA. Removed transparency is composited on white."""
    if channels == 4:
        return image.convert("RGBA")
    if kind_of_mode(image) == "alpha":
        image = on_white(image)
    return image.convert("L" if channels == 1 else "RGB")


def on_white(image: Image.Image) -> Image.Image:
    """Composite a picture with transparency on white: RGB."""
    image = image if image.mode == "RGBA" else image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def fit(image: Image.Image, target: Target) -> tuple[Pixels, bool]:
    """Resize to cover the target and centre-crop. Returns (H, W, C) and whether the picture was enlarged."""
    width, height = image.size
    if (height, width) == (target.height, target.width):
        pixels, grew = np.asarray(image), False
    else:
        scale = max(target.width / width, target.height / height)
        half_w, half_h = target.width / scale / 2, target.height / scale / 2
        box = (
            max(width / 2 - half_w, 0), max(height / 2 - half_h, 0),
            min(width / 2 + half_w, width), min(height / 2 + half_h, height),
        )  # fmt: skip
        size = (target.width, target.height)
        if image.mode == "RGBA":
            pixels = _resized_with_alpha(image, size, box)
        else:
            pixels = np.asarray(image.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0))
        grew = scale > 1
    return pixels.reshape(target.height, target.width, target.channels), grew


def _resized_with_alpha(image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]) -> Pixels:
    """Resize RGBA to (H, W, 4): each colour weighs as much as it is opaque, so that hidden colours do not show.

    Pillow does the same in 8 bits, where a pixel of little opacity loses its colour to rounding.
    """
    pixels = np.asarray(image, np.float32)
    pixels[..., :3] *= pixels[..., 3:] / 255
    bands = [
        Image.fromarray(np.ascontiguousarray(pixels[..., i])).resize(size, Image.Resampling.LANCZOS, box=box)
        for i in range(4)
    ]
    done = np.stack([np.asarray(band) for band in bands], axis=2)
    seen = done[..., 3:] >= 0.5  # of 255: less is rounded to nothing
    done[..., :3] = np.where(seen, done[..., :3] * 255 / np.where(seen, done[..., 3:], 1), 0)
    resized: Pixels = np.rint(done).clip(0, 255).astype(np.uint8)
    return resized


def encoded_part(
    count: int,
    labels: NDArray[np.int64] | None,
    items: Callable[[Sequence[int] | None], Iterator[Item]],
    values: Range | None,
) -> Part:
    """Return a part of encoded pictures. Args: items yields those at some places, in order; of None all."""
    return Part(
        count=count,
        labels=labels,
        blocks=lambda target: decoded(items(None), target, values),
        native=lambda places, channels: natively(items(places), channels, values),
    )


def decoded(items: Iterable[Item], target: Target, values: Range | None = None) -> Iterator[Block]:
    """Yield blocks of decoded pictures in the order of the items. Args: values as of `decode`."""
    todo = iter(items)
    groups = iter(lambda: list(islice(todo, GROUP)), [])
    return in_threads(groups, partial(_decode_group, target=target, values=values), at_once=3 * workers())


def natively(items: Iterable[Item], channels: int, values: Range | None = None) -> Iterator[Native]:
    """Yield pictures in their own sizes, in the order of the items, a few at a time in memory."""
    return in_threads(items, partial(_decode_native, channels=channels, values=values), at_once=workers())


def in_threads(todo: Iterable[T], work: Callable[[T], Done], at_once: int) -> Iterator[Done]:
    """Yield `work` of each in order, from several threads; at most `at_once` results are pending."""
    rest = iter(todo)
    with quiet_pillow(), ThreadPoolExecutor(workers()) as pool:
        waiting = deque(pool.submit(work, one) for one in islice(rest, at_once))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(work, one) for one in islice(rest, 1))


def _decode_native(item: Item, channels: int, values: Range | None) -> Native:
    try:
        with item.open() as file, opened(file) as image:
            pixels = np.asarray(with_channels(plain(image, values), channels))
            return Native(item.name, pixels.reshape(*pixels.shape[:2], channels))
    except BROKEN as error:
        return Native(item.name, None, reason_of(error))


def _decode_group(group: list[Item], target: Target, values: Range | None) -> Block:
    pixels, rows, failed, enlarged = [], [], [], 0
    for item in group:
        try:
            picture, grew = decode(item.open, target, values)
        except BROKEN as error:
            failed.append((item.name, reason_of(error)))
            continue
        pixels.append(picture)
        rows.append(item.row)
        enlarged += grew
    shape = (len(rows), target.height, target.width, target.channels)
    stacked = np.stack(pixels) if pixels else np.empty(shape, np.uint8)
    return Block(stacked, np.array(rows, np.int64), tuple(failed), enlarged)


@contextmanager
def opened_by_person(
    path: Path, needed: Callable[[int], int] = lambda pixels: READ_BYTES * pixels
) -> Iterator[Image.Image]:
    """Open a picture that a person named: of any shape, and of any size that fits into half of this machine's memory.

    Not for several threads: Pillow's limit, which is meant for files of strangers, is one for all of them.

    Args: needed the bytes of memory that so many pixels take. Raises: one of BROKEN if the file cannot be used.
    """
    limit = Image.MAX_IMAGE_PIXELS
    with path.open("rb") as file:
        try:
            if path.suffix.lower() != ".ico":  # which decodes a picture within it as soon as it is opened
                Image.MAX_IMAGE_PIXELS = None
            image = _identified(file)
            pixels = image.width * image.height
            takes, half = needed(pixels) / 2**30, memory_bytes() / 2**31
            if takes > half:
                raise TooLargeError(
                    f"its {image.width:,} x {image.height:,} pixels take {takes:,.1f} GiB of memory, "
                    f"and half of this machine's is {half:,.1f} GiB"
                )
            Image.MAX_IMAGE_PIXELS = max(limit or 0, pixels)  # for a picture within the file
            with image:
                yield image
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _identified(file: BinaryIO) -> Image.Image:
    """Read the header of a picture file."""
    start = file.read(16)
    if not start:
        raise UnusableError("an empty file (0 bytes)")
    file.seek(0)
    own = BY_NAME.get(PurePath(str(getattr(file, "name", ""))).suffix.lower())
    try:
        image = Image.open(file, formats=[*FORMATS, own] if own else FORMATS)
    except UnidentifiedImageError:
        named = [name for place, begin, name in BEGINNINGS if start[place:].startswith(begin)]
        if named:
            raise UnreadError(f"it begins as a {named[0]} does, and this version cannot read it") from None
        raise
    if why := why_garbled(image):
        raise UnreadError(f"{why}, which are not read")
    return image


def opened(file: BinaryIO) -> Image.Image:
    """Open a picture of a data set and check its header; nothing is decoded yet.

    Args: file one with a `name` where the suffix matters.
    """
    image = _identified(file)
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise UnusableError(f"{width} x {height} is more than {MOST_PIXELS:,} pixels (a decompression bomb?)")
    if max(width, height) > SLIMMEST * min(width, height):
        raise UnusableError(f"{width} x {height} is a sliver, more than {SLIMMEST} times as long as wide")
    if min(width, height) < TINIEST:
        raise UnusableError(f"{width} x {height} is smaller than {TINIEST} x {TINIEST}")
    return image


def _deep_bands(image: Image.Image) -> tuple[list[NDArray[Any]], Image.Image | None]:
    """Decode a deep picture, upright: the values (H, W) of grey, or of red, green and blue; and its transparency."""
    if tiles := tiles_of_low_bytes(image):
        with Image.open(image.fp, formats=[image.format or ""]) as twin:  # type: ignore[attr-defined]
            twin.tile = tiles
            lower = upright(twin).split()
        upper = upright(image).split()
        bands = [
            np.asarray(high).astype(np.uint16) << 8 | np.asarray(low) for high, low in zip(upper, lower, strict=True)
        ]
        return bands[:3], upper[3] if len(upper) > 3 else None
    values = np.asarray(upright(image))
    values = values.view(np.uint32) if is_unsigned(image) else values
    if not np.isfinite(values).all():
        raise UnusableError("values that are not finite (NaN or infinite)")
    return [values], None


def plain(image: Image.Image, black_white: Range | None = None) -> Image.Image:
    """Convert a picture to 8 bits, upright, in a mode that converts to L, RGB and RGBA.

    Args: black_white the values of black and white of a deep picture; None takes whole numbers for 16 bits, and others
        to lie in 0..1 or 0..255.
    """
    if is_deep_grey(image) or (black_white is not None and is_deep(image)):
        bands, alpha = _deep_bands(image)
        if black_white is None:
            low, high = float(bands[0].min()), float(bands[0].max())
            most = 255 if image.mode == "F" else SIXTEEN_BITS[1]
            if low < 0 or high > most:
                expected = "0 to 1 or 0 to 255" if image.mode == "F" else "16-bit (0 to 65,535)"
                what = "floating-point" if image.mode == "F" else "32-bit"
                raise UnusableError(f"{what} values from {low:g} to {high:g}, expected {expected}")
            black_white = SIXTEEN_BITS if image.mode != "F" else (0, 1 if high <= 1 else 255)
        made = [Image.fromarray(levels(band, black_white)) for band in bands]
        whole = made[0] if len(made) == 1 else Image.merge("RGB", made)
        if alpha:
            whole.putalpha(alpha)
        return whole
    image = upright(image)
    if image.mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA"):
        return image
    return image.convert("RGBA" if image.mode in ("RGBa", "La") else "RGB")
