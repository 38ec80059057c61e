"""60 awkward folders of pictures: how people's folders really look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from real_cases import Case, Check, Outcome, done, refused, told, untold

COUNT, SIDE = 96, 16
Random = np.random.Generator
Pixels = NDArray[Any]


def _discs(random: Random, count: int = COUNT, side: int = SIDE) -> Pixels:
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
    return _discs(random, count, side)[..., 0]


def _names(ending: str, count: int) -> Iterator[str]:
    return (f"picture-{number:04}{ending}" for number in range(count))


def _save(folder: Path, pixels: Any, ending: str, **options: Any) -> Path:
    """Write pictures, arrays or Pillow's, one a file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in zip(_names(ending, len(pixels)), pixels, strict=True):
        one = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        one.save(folder / name, **options)
    return folder


def _folder(ending: str, change: Callable[[Image.Image], Image.Image] | None = None, **options: Any) -> Any:
    """Return what writes a folder of colour pictures in one form."""

    def written(folder: Path, random: Random) -> Path:
        pictures = [Image.fromarray(one) for one in _discs(random)]
        return _save(folder / "in", [change(one) if change else one for one in pictures], ending, **options)

    return written


def _with(spoil: Callable[[Path, Random], object], ending: str = ".png", count: int = COUNT) -> Any:
    """Return what writes a folder of pictures, and then does something to it."""

    def written(folder: Path, random: Random) -> Path:
        source = _save(folder / "in", _discs(random, count), ending)
        spoil(source, random)
        return source

    return written


def _array(make: Callable[[Random], Any], name: str = "in.npy") -> Any:
    """Return what writes an array, or several under names."""

    def written(folder: Path, random: Random) -> Path:
        content = make(random)
        np.savez(folder / name, **content) if isinstance(content, dict) else np.save(folder / name, content)
        return folder / name

    return written


def _deep(random: Random, top: int, dtype: Any = np.uint16) -> Any:
    return (_grey(random).astype(np.float64) / 255 * top).astype(dtype)


def _generated(outcome: Outcome) -> Pixels:
    """Return the sheet of generated pictures (one file)."""
    assert outcome.new.exists(), f"nothing was written (exit code {outcome.code}): ...{outcome.said[-300:]}"
    with Image.open(outcome.new) as sheet:
        return np.asarray(sheet)


def sheet(what: str, holds: Callable[[Pixels], object]) -> Check:
    """A fact about the pixels of the generated sheet, (H, W) or (H, W, C)."""

    def check(outcome: Outcome) -> str | None:
        try:
            return None if holds(_generated(outcome)) else f"not true of the sheet: {what}"
        except AssertionError as error:
            return str(error)

    return check


def no_late_refusal(outcome: Outcome) -> str | None:
    """What cannot be judged is refused before it is trained."""
    trained = (outcome.run / "model.json").exists() or "Judging" in outcome.said
    return None if outcome.code == 0 or not trained else f"refused after training: ...{outcome.said[-200:]}"


def applied(*endings: str) -> Check:
    """`apply` wrote one file for each of these endings."""

    def check(outcome: Outcome) -> str | None:
        made = sorted(path.suffix for path in outcome.new.iterdir()) if outcome.new.exists() else []
        return None if made == sorted(endings) else f"apply wrote {made}: ...{outcome.said[-300:]}"

    return check


def _link_classes(folder: Path, random: Random) -> Path:
    for name in ("one", "two"):
        _save(folder / "elsewhere" / name, _discs(random, COUNT // 2), ".png")
        (folder / "in").mkdir(exist_ok=True)
        (folder / "in" / name).symlink_to(folder / "elsewhere" / name)
    return folder / "in"


def _classes(*counts: int) -> Any:
    def written(folder: Path, random: Random) -> Path:
        for number, count in enumerate(counts):
            _save(folder / "in" / f"class {number}", _discs(random, count), ".png")
        return folder / "in"

    return written


def _sides(first: Callable[[int], str], second: Callable[[int], str], wrong: int = 0) -> Any:
    """Return what writes pairs, a picture and its negative, by the names of both; some are off by a pixel."""

    def written(folder: Path, random: Random) -> Path:
        for number, picture in enumerate(_discs(random)):
            other = 255 - (picture[:-1] if number < wrong else picture)
            for name, pixels in ((first(number), picture), (second(number), other)):
                path = folder / "in" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
        return folder / "in"

    return written


def _equal_stems(folder: Path, random: Random) -> Path:
    """Return two sides without pairs, in which a.png and a.jpg are two pictures."""
    for side in ("A", "B"):
        _save(folder / "in" / side, _discs(random, COUNT // 2), ".png")
        _save(folder / "in" / side, _discs(random, COUNT // 2), ".bmp")
        for number, path in enumerate(sorted((folder / "in" / side).iterdir())):
            path.rename(path.with_name(f"{side}{number // 2}{path.suffix}"))
    return folder / "in"


def _rgba(random: Random, hidden: int) -> list[Image.Image]:
    """Draw discs of red 230 whose ground is transparent, over a hidden colour."""
    pictures = _discs(random, side=SIDE * 3)
    inside = pictures.max(axis=3) >= 90
    pixels = np.where(inside[..., None], [230, 0, 0], hidden).astype(np.uint8)
    return [Image.fromarray(np.dstack([one, alpha * 255]).astype(np.uint8))
            for one, alpha in zip(pixels, inside, strict=True)]  # fmt: skip


def _stickers(folder: Path, random: Random) -> Path:
    return _save(folder / "in", _rgba(random, 0), ".png")


def _no_dark_edge(outcome: Outcome) -> str | None:
    """Where a picture of the data sheet is opaque, red is red at its edge as well."""
    with Image.open(outcome.run / "samples" / "real.png") as real:
        pixels = np.asarray(real.convert("RGBA")).astype(int)
    edge = (pixels[..., 3] > 40) & (pixels[..., 3] < 250)
    return None if not edge.any() or pixels[edge][:, 0].min() > 215 else f"an edge has red {pixels[edge][:, 0].min()}"


def _mode(first: str, others: str, ending: str = ".png") -> Any:
    """Return what writes one picture of one mode among others of another."""

    def written(folder: Path, random: Random) -> Path:
        pictures = [Image.fromarray(one).convert(others) for one in _discs(random)]
        colour = Image.fromarray(_discs(random, 1)[0]).convert(first)
        if first == "RGBA":
            colour.putpixel((0, 0), (0, 0, 0, 0))
        return _save(folder / "in", [colour, *pictures[1:]], ending)

    return written


def _frames(ending: str) -> Any:
    def written(folder: Path, random: Random) -> Path:
        source = _save(folder / "in", _discs(random), ".png")
        frames = [Image.fromarray(one) for one in _discs(random, 5)]
        frames[0].save(source / f"moving{ending}", save_all=True, append_images=frames[1:])
        return source

    return written


def _oriented(folder: Path, random: Random) -> Path:
    """Return pictures that are bright above, stored on their side with the orientation that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    up = np.zeros((COUNT, SIDE, SIDE), np.uint8) + random.integers(0, 40, (COUNT, 1, 1), dtype=np.uint8)
    up[:, : SIDE // 2] += 180
    return _save(folder / "in", [np.rot90(one) for one in up], ".jpg", exif=exif, quality=95)


def _bright_above(pixels: Pixels) -> bool:
    """The rows of a sheet change, its columns hardly do."""
    grey = pixels[..., :3].mean(axis=2) if pixels.ndim == 3 else pixels
    return bool(grey.std(axis=0).mean() > grey.std(axis=1).mean())


def _shapes(*shapes: tuple[int, int]) -> Any:
    def written(folder: Path, random: Random) -> Path:
        pictures = [Image.fromarray(one).resize(shapes[k % len(shapes)]) for k, one in enumerate(_discs(random))]
        return _save(folder / "in", pictures, ".png")

    return written


def _mixed(folder: Path, random: Random) -> Path:
    """Return a folder to apply a model on: other forms, a broken file, a text, a dangling link, a deep name."""
    source = _save(folder / "in", _discs(random), ".png")
    other = folder / "other"
    other.mkdir()
    photo = Image.fromarray(_discs(random, 1, 40)[0])
    for name in ("a.jfif", "b.ppm", "d.webp", "e.TIF", "f" * 240 + ".png"):
        photo.save(other / name, format={".jfif": "JPEG", ".TIF": "TIFF"}.get(Path(name).suffix))
    photo.convert("L").save(other / "c.pgm")
    photo.convert("CMYK").save(other / "g.tif")
    (other / "broken.png").write_bytes((source / "picture-0000.png").read_bytes()[:60])
    (other / "note.txt").write_text("not a picture")
    (other / "gone.png").symlink_to(other / "nowhere.png")
    return source


def _cut(folder: Path, random: Random) -> None:
    (folder / "cut.jpg").write_bytes((folder / "picture-0001.jpg").read_bytes()[:200])
    (folder / "empty.jpg").write_bytes(b"")


def _others(folder: Path, random: Random) -> None:
    for name in (".DS_Store", "Thumbs.db", "notes.txt", "._picture-0001.png"):
        (folder / name).write_bytes(b"\x00\x05\x16\x07")


APPLY = ("apply", "{run}", "{folder}/other", "--out", "{new}")
ENHANCE = ("--task", "enhance", "--set", "task.degradation=noise:25")


def _case(name: str, make: Any, *checks: Check, options: tuple[str, ...] = (), **more: Any) -> Case:
    """Return a case whose model is tiny, and of which 16 pictures are drawn."""
    use = more.pop("use", ("sample", "{run}", "-n", "16", "--out", "{new}"))
    asked = ("--size", "tiny", *(() if "--task" in options else ("--resolution", "16")), *options)
    return Case(name, make, checks or (done(),), asked, 256, use, more.pop("ending", ".png"))


PICTURES: tuple[Case, ...] = (
    # forms of files
    *(
        _case(f"all {ending}", _folder(ending))
        for ending in (
            ".jpg",
            ".JPG",
            ".jpeg",
            ".png",
            ".PNG",
            ".bmp",
            ".webp",
            ".gif",
            ".tif",
            ".tiff",
            ".ppm",
            ".jfif",
        )
    ),
    _case("grey .pgm", _folder(".pgm", lambda one: one.convert("L"))),
    _case("palettes", _folder(".png", lambda one: one.quantize(8))),
    _case("one bit", _folder(".png", lambda one: one.convert("1"))),
    _case("progressive", _folder(".jpg", progressive=True)),
    _case("pictures of 1,200 pixels", _shapes((1200, 1200))),
    _case("CMYK", _folder(".jpg", lambda one: one.convert("CMYK")), done(), told("CMYK")),
    _case(
        "another form than the name",
        _with(lambda folder, r: [path.rename(path.with_suffix(".jpg")) for path in sorted(folder.iterdir())[:40]]),
    ),
    _case("on their side", _oriented, done(), sheet("bright above", _bright_above)),
    # how deep, how many channels
    _case(
        "12 bits in 16",
        lambda folder, r: _save(folder / "in", _deep(r, 4095), ".png"),
        done(),
        told("4095|12 bit"),
        sheet("bright discs", lambda pixels: pixels.max() > 120),
    ),
    _case(
        "12 bits in an array",
        _array(lambda r: _deep(r, 4095)),
        done(),
        told("4095|12 bit"),
        sheet("bright discs", lambda pixels: pixels.max() > 120),
    ),
    _case(
        "16 bits",
        lambda folder, r: _save(folder / "in", _deep(r, 65535), ".png"),
        done(),
        sheet("bright discs", lambda pixels: pixels.max() > 120),
    ),
    _case(
        "16 bits in TIFF",
        lambda folder, r: _save(folder / "in", _deep(r, 65535), ".tif"),
        done(),
        sheet("bright discs", lambda pixels: pixels.max() > 120),
    ),
    _case("0 to 1", _array(lambda r: (_discs(r) / 255).astype(np.float32)), done()),
    _case("-1 to 1", _array(lambda r: (_discs(r) / 127.5 - 1).astype(np.float32)), done()),
    _case("channels first", _array(lambda r: _discs(r).transpose(0, 3, 1, 2)), done()),
    _case("pictures and labels", _array(lambda r: {"x": _discs(r), "y": np.arange(COUNT) % 3}, "in.npz"), done()),
    _case("not a number", _array(lambda r: np.full((COUNT, 16, 16), np.nan, np.float32)), refused("NaN|nan|finite")),
    _case("stickers", _stickers, done(), _no_dark_edge),
    _case(
        "one transparent pixel",
        _mode("RGBA", "RGB"),
        done(),
        told("transparen"),
        sheet("no transparency", lambda pixels: pixels.shape[2] == 3),
    ),
    _case("one colour picture among grey ones", _mode("RGB", "L"), done(), told("colour|grey")),
    _case(
        "one grey picture among colour ones",
        _mode("L", "RGB"),
        done(),
        sheet("colour", lambda pixels: pixels.ndim == 3),
    ),
    _case("a moving GIF", _frames(".gif"), done(), told("frame")),
    _case("a moving WebP", _frames(".webp"), done(), told("frame")),
    _case("a TIFF of pages", _frames(".tif"), done(), told("page|frame")),
    # folders
    _case("class folders that are links", _link_classes, done(), told("2 (labels|classes)|one.*two")),
    _case(
        "a link to the folder",
        lambda folder, r: ((folder / "link").symlink_to(_save(folder / "in", _discs(r), ".png")), folder / "link")[1],
    ),
    _case(
        "linked files",
        lambda folder, r: (
            [(folder / "in").mkdir()]
            + [
                (folder / "in" / path.name).symlink_to(path)
                for path in sorted(_save(folder / "real", _discs(r), ".png").iterdir())
            ],
            folder / "in",
        )[1],
    ),
    _case(
        "a link to nothing",
        _with(lambda folder, r: (folder / "gone.png").symlink_to(folder / "nowhere")),
        done(),
        told("gone"),
    ),
    _case("a link in a circle", _with(lambda folder, r: (folder / "round").symlink_to(folder)), done()),
    _case("a cut file and an empty one", _with(_cut, ".jpg"), done(), told("cut"), told("empty")),
    _case("files of the system", _with(_others)),
    _case(
        "names in other scripts",
        _with(
            lambda folder, r: [
                path.rename(path.with_name(f"图片 {k} é.png")) for k, path in enumerate(sorted(folder.iterdir()))
            ]
        ),
    ),
    _case(
        "long names",
        _with(
            lambda folder, r: [
                path.rename(path.with_name(path.stem + "x" * 235 + ".png")) for path in sorted(folder.iterdir())
            ]
        ),
    ),
    _case("a file that may not be read", _with(lambda folder, r: (folder / "picture-0000.png").chmod(0))),
    _case(
        "folders in folders",
        lambda folder, r: (_save(folder / "in" / "2023" / "may", _discs(r), ".png"), folder / "in")[1],
    ),
    _case(
        "an empty folder", lambda folder, r: ((folder / "in").mkdir(), folder / "in")[1], refused("empty|[Nn]o picture")
    ),
    _case("ten pictures", lambda folder, r: _save(folder / "in", _discs(r, 10), ".png"), refused("10")),
    _case(
        "24 pictures",
        lambda folder, r: _save(folder / "in", _discs(r, 24), ".png"),
        no_late_refusal,
        untold("can be compared"),
    ),
    _case(
        "60 pictures",
        lambda folder, r: _save(folder / "in", _discs(r, 60), ".png"),
        no_late_refusal,
        untold("can be compared"),
    ),
    _case(
        "one picture again and again",
        lambda folder, r: _save(folder / "in", np.repeat(_discs(r, 1), 96, axis=0), ".png"),
        refused("same|different|1 "),
    ),
    _case("a class of three", _classes(60, 60, 3), no_late_refusal, told("class 2")),
    _case("tall and wide", _shapes((16, 30), (40, 16)), done()),
    _case("panoramas", _shapes((300, 20)), done()),
    _case("smaller than the model", _shapes((5, 5)), no_late_refusal),
    # pairs, and what a model is applied to
    _case(
        "pairs by endings",
        _sides(lambda k: f"{k}_A.png", lambda k: f"{k}_B.png"),
        no_late_refusal,
        told("_A"),
        options=("--task", "translate"),
        use=(),
    ),
    _case(
        "one pair off by a pixel",
        _sides(lambda k: f"A/{k}.png", lambda k: f"B/{k}.png", wrong=1),
        done(),
        told("A/0|0\\.png|1 pair"),
        options=("--task", "translate"),
        use=(),
    ),
    _case("equal stems on both sides", _equal_stems, done(), told("96"), options=("--task", "translate"), use=()),
    _case(
        "a mixed folder for apply",
        _mixed,
        applied(".jfif", ".ppm", ".webp", ".TIF", ".png", ".pgm", ".tif"),
        told("note.txt"),
        told("gone.png"),
        told("broken.png"),
        options=ENHANCE,
        use=APPLY,
        ending="",
    ),
)
