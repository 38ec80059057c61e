from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from test_source import frame

from ganforge.errors import DataError
from ganforge.kinds import lasting, on_disk
from ganforge.kinds.tables import BUILT_IN
from ganforge.kinds.tables import KIND as TABLES
from ganforge.kinds.tables.reading.source import open_source


class Polars:
    """Hands itself over as polars frames do."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def to_arrow(self) -> pa.Table:
        return self.table


def test_a_frame_is_a_file_for_as_long_as_it_is_needed_and_keeps_its_types() -> None:
    given = frame()
    given.index += 7
    with on_disk(given, TABLES) as path:
        read = pd.concat(open_source(path).chunks(), ignore_index=True)
    pd.testing.assert_frame_equal(read, frame())
    assert not Path(path).exists()


def test_tables_of_arrow_and_of_what_turns_into_them_are_taken() -> None:
    table = pa.table({"a": pa.array([1, None]), "s": ["x", "y"]})
    for given in (table, table.to_batches()[0], Polars(table)):
        with on_disk(given, TABLES) as path:
            read = pd.concat(open_source(path).chunks())
        assert read["s"].tolist() == ["x", "y"] and str(read["a"].dtype) == "Int64"


def test_numbers_as_names_become_texts() -> None:
    with on_disk(pd.DataFrame(np.eye(3)), TABLES) as path:
        assert open_source(path).column_names == ("0", "1", "2")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "several columns of the name 'a'"),
        (pd.DataFrame([[1, 2]], columns=["1", 1]), "several columns of the name '1'"),
        (pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]), "several columns of the name 'a'"),
        (
            pd.DataFrame({"fine": [1, 2], "odd": [1, "x"]}),
            "column 'odd' of type object cannot be read: it holds values of several",
        ),
        (pd.DataFrame({"odd": [1 + 2j]}), "column 'odd' of type complex128"),
        (pd.DataFrame(), "no columns"),
    ],
)
def test_tables_that_are_none_are_refused(given: object, words: str) -> None:
    with pytest.raises(DataError, match=words), on_disk(given, TABLES):
        pass


def test_built_in_tables_are_names_for_every_task() -> None:
    assert [lasting(name) for name in BUILT_IN] == list(BUILT_IN)
