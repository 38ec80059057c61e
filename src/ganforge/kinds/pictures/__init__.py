"""Pictures: the entry point of this kind of data. Heavy packages are imported on demand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganforge.contracts import Claim, Kind, Option
from ganforge.core.conversion import first_within
from ganforge.errors import DataError, RecipeError
from ganforge.privacy.options import DELTA, PRIVATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".jfif", ".jpe", ".mpo", ".apng", ".dib",
    ".pbm", ".pgm", ".ppm", ".pnm", ".pfm", ".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c", ".avif", ".avifs", ".qoi",
    ".tga", ".icb", ".vda", ".vst", ".pcx", ".bw", ".rgb", ".rgba", ".sgi", ".ico",
)  # fmt: skip
"""Of the picture files that every verb reads."""
ARRAYS = (".npy", ".npz")
BUILT_IN = {
    "digits": "5,000 handwritten digits of MNIST, 28 x 28",
    "digits8": "1,797 handwritten digits, 8 x 8",
}


def is_idx(path: Path) -> bool:
    """Return whether a file is MNIST's idx by its name."""
    name = path.name.removesuffix(".gz")
    return name.endswith(("-ubyte", ".idx")) or "idx3" in name or "idx1" in name


def recognises(source: object) -> Claim | None:
    """Recognise folders and archives of picture files, arrays, idx files, and Parquet with encoded pictures."""
    if not isinstance(source, str | Path):
        return _value(source)
    path = Path(source).expanduser()
    suffix = path.suffix.lower()
    if path.is_dir():
        return _folder(path)
    if suffix == ".parquet":
        return _parquet(path)
    if suffix in (*SUFFIXES, *ARRAYS, ".zip"):
        return Claim(2, f"its name ends with {suffix}")
    return Claim(2, "it has the name of an MNIST-style idx file") if is_idx(path) else None


def keep(value: object, folder: Path) -> Path:
    """Write an array, or a pair (array, labels), as an .npz.

    Raises: DataError if it is not an array, or the labels do not fit it.
    """
    import numpy as np

    from ganforge.kinds.pictures.reading.part import check_labels

    x, y = _with_labels(value)
    try:
        array = np.asarray(x)
    except ValueError as error:  # a list of pictures of several sizes
        raise DataError(
            f"The data is not an array: {error}.", "All pictures need one size.", "Give a folder."
        ) from error
    if array.dtype.hasobject or array.ndim == 0:
        raise DataError(
            f"A {type(x).__name__} cannot be trained on.", "It is neither a path nor an array or table.", "Give one."
        )
    arrays: dict[str, NDArray[Any]] = {"x": array}
    if y is not None:
        arrays["y"] = check_labels(y, len(array), "as given")
    path = folder / "array.npz"
    np.savez(path, allow_pickle=False, **arrays)
    return path


def range_of_values(value: Any) -> tuple[float, float]:
    """Read the values of black and white, as "0..4095" or a pair. Raises: RecipeError."""
    ends = value.split("..") if isinstance(value, str) else value
    try:
        black, white = (float(end) for end in ends)
        rises = -math.inf < black < white < math.inf
    except (TypeError, ValueError):
        rises = False
    if not rises:
        raise RecipeError(
            f"The values {value!r} are not a range.", "It is black, two dots and white.", "Say for example 0..4095."
        )
    return black, white


def _folder(folder: Path) -> Claim:
    """Claim a folder, which may hold pictures at any depth: the reader searches all subfolders."""
    found = first_within(folder, lambda entry: entry.suffix.lower() in SUFFIXES or is_idx(entry))
    if found is not None:
        return Claim(3, f"it holds {str(found.relative_to(folder))!r}")
    entries = list(folder.iterdir())
    parts = sorted(entry for entry in entries if entry.suffix == ".parquet")
    claim = _parquet(parts[0]) if parts else None
    return claim or (Claim(2, "it holds folders") if any(map(Path.is_dir, entries)) else Claim(1, "it is a folder"))


def _parquet(path: Path) -> Claim | None:
    """Claim a Parquet file by its columns; an unreadable one is left to the reader, which reports why."""
    from ganforge.core.files import encoded_columns

    columns = encoded_columns(path)
    if columns is None:
        return Claim(1, f"{path.name!r} does not say what its columns hold")
    return Claim(3, f"the column {columns[0]!r} of {path.name!r} holds bytes, as of picture files") if columns else None


def _value(value: object) -> Claim | None:
    x, _ = _with_labels(value)
    shape = getattr(x, "shape", None)
    if isinstance(shape, tuple) and len(shape) in (3, 4):
        return Claim(3, f"it is an array of shape {tuple(shape)}")
    if shape is not None or isinstance(x, list | tuple) or hasattr(x, "__array__"):
        return Claim(1, "it can be made an array")
    return None


def _with_labels(value: Any) -> tuple[Any, Any]:
    """Split a value into pictures and their labels, if it is a pair."""
    return value if isinstance(value, tuple) and len(value) == 2 else (value, None)


KIND = Kind(
    name="pictures",
    noun="picture",
    nouns="pictures",
    forms="a folder of pictures, an array (.npy, .npz)",
    built_in=BUILT_IN,
    tasks={
        "generate": "ganforge.kinds.pictures.generate.task:Generate",
        "translate": "ganforge.kinds.pictures.translate.task:Translate",
        "enhance": "ganforge.kinds.pictures.enhance.task:Enhance",
        "private": "ganforge.kinds.pictures.private.task:PrivatePictures",
    },
    recognises=recognises,
    keep=keep,
    models={
        "generate": "ganforge.kinds.pictures.generate.model:load_model",
        "translate": "ganforge.kinds.pictures.image_to_image:load_map",
        "enhance": "ganforge.kinds.pictures.image_to_image:load_map",
        "private": "ganforge.kinds.pictures.private.model:load_mixture",
    },
    applies_to="a picture or a folder of pictures, of any size",
    writes={
        "sample": "a .png (one grid), a .npz (one array), or a folder; a walk: .gif, .webp or .mp4",
        "apply": "a folder, or a file for a single one (.png, .jpg, .webp, .tif)",
    },
    options=(
        Option(
            "resolution", ("train",), int, "R", "Side of the pictures in pixels, 8 to 256.", "64", within=(8, 256)
        ),
        Option(
            "values", ("train",), object, "LOW..HIGH",
            "Values of black and white in data of more than 8 bits; else the whole set says.", "0..4095",
            check=range_of_values,
        ),
        PRIVATE,
        DELTA,
        Option("label", ("sample",), object, "L", "Only this label, by its name.", "cat", check=str),
        Option("truncation", ("sample",), float, "T", "Below 1 more typical, less varied pictures.", "0.7"),
        Option(
            "interpolate", ("sample",), int, "K",
            "Instead of N of them, a walk through K and back, as a .gif, .webp or .mp4.", "8", within=(2, math.inf),
            instead=True,
        ),
        Option(
            "strength", ("apply",), float, "S",
            "Of an enhancement: from 0, faithful, to 1, sharp; 0.5 when you say nothing.", "0.5", within=(0, 1),
        ),
    ),
)  # fmt: skip
