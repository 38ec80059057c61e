"""What the awkward folders of real_pictures.py are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from real_cases import Check, Outcome, checked

COUNT, SIDE = 96, 16
Random = np.random.Generator
Pixels = NDArray[Any]


def draw_discs(random: Random, count: int = COUNT, side: int = SIDE) -> Pixels:
    """Draw discs of some colour on some ground, (N, side, side, 3) uint8."""
    centre, radius = (
        random.uniform(0.35, 0.65, (count, 2, 1, 1)) * side,
        random.uniform(0.2, 0.35, (count, 1, 1)) * side,
    )
    y, x = np.mgrid[:side, :side]
    inside = (y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2 < radius**2
    colours = random.integers(90, 255, (count, 1, 1, 3))
    grounds = random.integers(0, 60, (count, 1, 1, 3))
    return np.where(inside[..., None], colours, grounds).astype(np.uint8)


def _grey(random: Random, count: int = COUNT, side: int = SIDE) -> Pixels:
    return draw_discs(random, count, side)[..., 0]


def _names(ending: str, count: int) -> Iterator[str]:
    return (f"picture-{number:04}{ending}" for number in range(count))


def save_all(folder: Path, pixels: Any, ending: str, **options: Any) -> Path:
    """Write pictures, arrays or Pillow's, one a file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in zip(_names(ending, len(pixels)), pixels, strict=True):
        one = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        one.save(folder / name, **options)
    return folder


def folder_in_form(ending: str, change: Callable[[Image.Image], Image.Image] | None = None, **options: Any) -> Any:
    """Return what writes a folder of colour pictures in one form."""

    def written(folder: Path, random: Random) -> Path:
        pictures = [Image.fromarray(one) for one in draw_discs(random)]
        return save_all(folder / "in", [change(one) if change else one for one in pictures], ending, **options)

    return written


def spoiled(spoil: Callable[[Path, Random], object], ending: str = ".png", count: int = COUNT) -> Any:
    """Return what writes a folder of pictures, and then does something to it."""

    def written(folder: Path, random: Random) -> Path:
        source = save_all(folder / "in", draw_discs(random, count), ending)
        spoil(source, random)
        return source

    return written


def array_file(make: Callable[[Random], Any], name: str = "in.npy") -> Any:
    """Return what writes an array, or several under names."""

    def written(folder: Path, random: Random) -> Path:
        content = make(random)
        np.savez(folder / name, **content) if isinstance(content, dict) else np.save(folder / name, content)
        return folder / name

    return written


def scaled_to(random: Random, top: int, dtype: Any = np.uint16) -> Any:
    return (_grey(random).astype(np.float64) / 255 * top).astype(dtype)


def tiff_folder(make: Callable[[Random], Any], **options: Any) -> Any:
    """Return what writes values of any type, one picture a file."""

    def written(folder: Path, random: Random) -> Path:
        (folder / "in").mkdir()
        for name, values in zip(_names(".tif", COUNT), make(random), strict=True):
            tifffile.imwrite(folder / "in" / name, values, **options)
        return folder / "in"

    return written


def not_numbers_in_three(random: Random) -> Pixels:
    values = (_grey(random) / 255).astype(np.float32)
    values[:3, 2, 2] = np.nan
    return values


def _generated(outcome: Outcome) -> Pixels:
    """Return the sheet of generated pictures (one file)."""
    assert outcome.new.exists(), f"nothing was written (exit code {outcome.code}): ...{outcome.said[-300:]}"
    with Image.open(outcome.new) as sheet:
        return np.asarray(sheet)


def sheet(what: str, holds: Callable[[Pixels], object]) -> Check:
    """A fact about the pixels of the generated sheet, (H, W) or (H, W, C)."""

    def check(outcome: Outcome) -> str | None:
        return None if holds(_generated(outcome)) else f"not true of the sheet: {what}"

    return checked(check)


def no_late_refusal(outcome: Outcome) -> str | None:
    """What cannot be judged is refused before it is trained."""
    trained = (outcome.run / "model" / "model.json").exists() or "Judging" in outcome.said
    return None if outcome.code == 0 or not trained else f"refused after training: ...{outcome.said[-200:]}"


def applied(*endings: str) -> Check:
    """`apply` wrote one file for each of these endings."""

    def check(outcome: Outcome) -> str | None:
        made = sorted(path.suffix for path in outcome.new.iterdir()) if outcome.new.exists() else []
        return None if made == sorted(endings) else f"apply wrote {made}: ...{outcome.said[-300:]}"

    return check


def link_classes(folder: Path, random: Random) -> Path:
    for name in ("one", "two"):
        save_all(folder / "elsewhere" / name, draw_discs(random, COUNT // 2), ".png")
        (folder / "in").mkdir(exist_ok=True)
        (folder / "in" / name).symlink_to(folder / "elsewhere" / name)
    return folder / "in"


def class_folders(*counts: int) -> Any:
    def written(folder: Path, random: Random) -> Path:
        for number, count in enumerate(counts):
            save_all(folder / "in" / f"class {number}", draw_discs(random, count), ".png")
        return folder / "in"

    return written


def add_empty_class(folder: Path, random: Random) -> Path:
    source: Path = class_folders(40, 40)(folder, random)
    (source / "class 2").mkdir()
    return source


def beside_folders(folder: Path, random: Random) -> Path:
    """Return pairs in `gt` and `lq`, whose direction the alphabet turns round, and a third folder."""
    for number, picture in enumerate(draw_discs(random)):
        for name, pixels in (("lq", picture // 2), ("gt", picture), ("test", picture)):
            (folder / "in" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / "in" / name / f"{number}.png")
    return folder / "in"


def two_sides(first: Callable[[int], str], second: Callable[[int], str], wrong: int = 0) -> Any:
    """Return what writes pairs, a picture and its negative, by the names of both; some are off by a pixel."""

    def written(folder: Path, random: Random) -> Path:
        for number, picture in enumerate(draw_discs(random)):
            other = 255 - (picture[:-1] if number < wrong else picture)
            for name, pixels in ((first(number), picture), (second(number), other)):
                path = folder / "in" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
        return folder / "in"

    return written


def equal_stems(folder: Path, random: Random) -> Path:
    """Return two sides without pairs, in which a.png and a.jpg are two pictures."""
    for side in ("A", "B"):
        save_all(folder / "in" / side, draw_discs(random, COUNT // 2), ".png")
        save_all(folder / "in" / side, draw_discs(random, COUNT // 2), ".bmp")
        for number, path in enumerate(sorted((folder / "in" / side).iterdir())):
            path.rename(path.with_name(f"{side}{number // 2}{path.suffix}"))
    return folder / "in"


def _rgba(random: Random, hidden: int) -> list[Image.Image]:
    """Draw discs of red 230 whose ground is transparent, over a hidden colour."""
    pictures = draw_discs(random, side=SIDE * 3)
    inside = pictures.max(axis=3) >= 90
    pixels = np.where(inside[..., None], [230, 0, 0], hidden).astype(np.uint8)
    return [Image.fromarray(np.dstack([one, alpha * 255]).astype(np.uint8))
            for one, alpha in zip(pixels, inside, strict=True)]  # fmt: skip


def sticker_folder(folder: Path, random: Random) -> Path:
    return save_all(folder / "in", _rgba(random, 0), ".png")


def no_dark_edge(outcome: Outcome) -> str | None:
    """Where a picture of the data sheet is opaque, red is red at its edge as well."""
    with Image.open(outcome.run / "pictures" / "real.png") as real:
        pixels = np.asarray(real.convert("RGBA")).astype(int)
    edge = (pixels[..., 3] > 40) & (pixels[..., 3] < 250)
    return None if not edge.any() or pixels[edge][:, 0].min() > 215 else f"an edge has red {pixels[edge][:, 0].min()}"


def one_odd_mode(first: str, others: str, ending: str = ".png") -> Any:
    """Return what writes one picture of one mode among others of another."""

    def written(folder: Path, random: Random) -> Path:
        pictures = [Image.fromarray(one).convert(others) for one in draw_discs(random)]
        colour = Image.fromarray(draw_discs(random, 1)[0]).convert(first)
        if first == "RGBA":
            colour.putpixel((0, 0), (0, 0, 0, 0))
        return save_all(folder / "in", [colour, *pictures[1:]], ending)

    return written


def with_frames(ending: str) -> Any:
    def written(folder: Path, random: Random) -> Path:
        source = save_all(folder / "in", draw_discs(random), ".png")
        frames = [Image.fromarray(one) for one in draw_discs(random, 5)]
        frames[0].save(source / f"moving{ending}", save_all=True, append_images=frames[1:])
        return source

    return written


def oriented(folder: Path, random: Random) -> Path:
    """Return pictures that are bright above, stored on their side with the orientation that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    up = np.zeros((COUNT, SIDE, SIDE), np.uint8) + random.integers(0, 40, (COUNT, 1, 1), dtype=np.uint8)
    up[:, : SIDE // 2] += 180
    return save_all(folder / "in", [np.rot90(one) for one in up], ".jpg", exif=exif, quality=95)


def bright_above(pixels: Pixels) -> bool:
    """The rows of a sheet change, its columns hardly do."""
    grey = pixels[..., :3].mean(axis=2) if pixels.ndim == 3 else pixels
    return bool(grey.std(axis=0).mean() > grey.std(axis=1).mean())


def of_shapes(*shapes: tuple[int, int]) -> Any:
    def written(folder: Path, random: Random) -> Path:
        pictures = [Image.fromarray(one).resize(shapes[k % len(shapes)]) for k, one in enumerate(draw_discs(random))]
        return save_all(folder / "in", pictures, ".png")

    return written


def folder_for_apply(folder: Path, random: Random) -> Path:
    """Return a folder to apply a model on: other forms, a broken file, a text, a dangling link, a deep name."""
    source = save_all(folder / "in", draw_discs(random), ".png")
    other = folder / "other"
    other.mkdir()
    photo = Image.fromarray(draw_discs(random, 1, 40)[0])
    for name in ("a.jfif", "b.ppm", "d.webp", "e.TIF", "f" * 240 + ".png"):
        photo.save(other / name, format={".jfif": "JPEG", ".TIF": "TIFF"}.get(Path(name).suffix))
    photo.convert("L").save(other / "c.pgm")
    photo.convert("CMYK").save(other / "g.tif")
    (other / "broken.png").write_bytes((source / "picture-0000.png").read_bytes()[:60])
    (other / "note.txt").write_text("not a picture")
    (other / "gone.png").symlink_to(other / "nowhere.png")
    return source


def add_damaged(folder: Path, random: Random) -> None:
    (folder / "cut.jpg").write_bytes((folder / "picture-0001.jpg").read_bytes()[:200])
    (folder / "empty.jpg").write_bytes(b"")


def add_phone_pictures(folder: Path, random: Random) -> None:
    for number in range(3):
        (folder / f"IMG_{number}.HEIC").write_bytes(b"\x00\x00\x00\x18ftypheic" + bytes(200))


def pages_in_one_file(folder: Path, random: Random) -> Path:
    (folder / "in").mkdir()
    tifffile.imwrite(folder / "in" / "stack.tif", draw_discs(random), photometric="rgb")
    return folder / "in"


def add_system_files(folder: Path, random: Random) -> None:
    for name in (".DS_Store", "Thumbs.db", "notes.txt", "._picture-0001.png"):
        (folder / name).write_bytes(b"\x00\x05\x16\x07")
