"""Rows of an array in a file are read right, and with few pages of the cache at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganforge.kinds.pictures.reading.arrays import ROWS_AT_ONCE, MappedArray


@pytest.mark.parametrize(
    "rows",
    [slice(None), slice(5, 300), slice(None, None, 7), slice(280, 20, -3), np.r_[3, 3, 299, 0:200], slice(9, 9)],
    ids=str,
)
def test_rows_of_a_file_are_those_of_the_array_and_scattered_ones_are_mapped_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: Any
) -> None:
    """Each row that a map has touched holds a page of the cache, which may be megabytes long."""
    array = np.random.default_rng(0).integers(0, 255, (300, 4, 5), np.uint8)
    array.tofile(tmp_path / "rows")
    mapped, asked = MappedArray(tmp_path / "rows", array.dtype, array.shape), []

    class Map:
        def __getitem__(self, part: Any) -> Any:
            asked.append(part)
            return array[part]

    np.testing.assert_array_equal(mapped[rows], array[rows])
    monkeypatch.setattr(mapped, "_mapped", Map)
    np.testing.assert_array_equal(mapped[rows], array[rows])
    assert all(isinstance(part, slice) or len(part) <= ROWS_AT_ONCE for part in asked)
