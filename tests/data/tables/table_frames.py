"""Frames as sources, for tests of what comes after reading."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.source import TableSource
from ganforge.kinds.tables.reading.survey import survey_table


def source_of(frame: pd.DataFrame, **formats: str) -> TableSource:
    def read(rows: int) -> Iterator[pd.DataFrame]:
        for first in range(0, len(frame), rows):
            yield frame.iloc[first : first + rows].reset_index(drop=True)

    return TableSource("frame", tuple(frame.columns), {"format": "frame"}, read, formats)


def columns_of(frame: pd.DataFrame) -> tuple[Column, ...]:
    """With a column besides, so that there is something to learn in any case."""
    filler = pd.Series(np.arange(len(frame)) % 3 / 2)
    return survey_table(source_of(frame.assign(filler=filler))).columns[:-1]


def column_of(values: pd.Series, name: str = "value") -> Column:
    return columns_of(values.reset_index(drop=True).to_frame(name))[0]
