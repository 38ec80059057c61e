"""Points in two or three dimensions: the entry point of the smallest kind of data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganforge.contracts import Claim, Kind
from ganforge.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIMENSIONS = (2, 3)
BUILT_IN = {
    "grid25": "20,000 points of 25 Gaussians on a grid",
    "ring8": "20,000 points of 8 Gaussians on a circle",
    "two_moons": "20,000 points of two interleaved half circles",
}


def recognises(source: object) -> Claim | None:
    """Recognise arrays of shape (N, 2) or (N, 3) and text of 2 or 3 numbers a line, for which tables have priority."""
    if not isinstance(source, str | Path):
        shape = getattr(source, "shape", None)
        array = isinstance(shape, tuple) and not hasattr(source, "columns")
        return Claim(3, f"it is an array of shape {shape}") if array and _is_points(shape) else None
    path = Path(source).expanduser()
    if path.suffix.lower() == ".npy" and path.is_file():
        return _array_file(path)
    if path.suffix.lower() in (".csv", ".tsv", ".txt") and path.is_file():
        return Claim(1, "its lines may be numbers")
    return None


def keep(value: object, folder: Path) -> Path:
    """Write an array of points as .npy. Raises: DataError if it is not one."""
    import numpy as np

    array: NDArray[Any] = np.asarray(value)
    if not _is_points(array.shape) or array.dtype.kind not in "iuf":
        raise DataError(
            f"An array of {array.dtype} and shape {array.shape} does not hold points.",
            "Points are numbers of shape (N, 2) or (N, 3).",
            "Give such an array.",
        )
    path = folder / "points.npy"
    np.save(path, array, allow_pickle=False)
    return path


def _is_points(shape: Any) -> bool:
    return len(shape) == len(DIMENSIONS) and shape[1] in DIMENSIONS


def _array_file(path: Path) -> Claim | None:
    """Recognise a .npy file by its header; an unreadable file is left to its reader, which reports why."""
    import numpy as np

    try:
        shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
    except (OSError, ValueError, EOFError):
        return None
    return Claim(3, f"it holds an array of shape {shape}") if _is_points(shape) else None


KIND = Kind(
    name="points",
    noun="point",
    nouns="points",
    forms="points in two or three dimensions (.npy, .csv)",
    built_in=BUILT_IN,
    tasks={"generate": "ganforge.kinds.points.generate:Generate"},
    recognises=recognises,
    keep=keep,
    models={"generate": "ganforge.kinds.points.model:load_points"},
    writes={"sample": "a .csv, .npy or .png file"},
)
