"""Cells that are given to `apply` stay exactly as they are, in files and in frames. The model is a constant."""

import datetime
import gzip
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ganforge.errors import DataError
from ganforge.kinds.tables import keep
from ganforge.kinds.tables.columns import learned
from ganforge.kinds.tables.complete import complete_table
from ganforge.kinds.tables.reading.source import open_source
from ganforge.kinds.tables.reading.survey import survey_table


def constant_model(path: Path) -> Any:
    """Fill numbers with 3, days with the fourth of January 1970 and texts with "yes"."""
    columns = survey_table(open_source(path)).columns

    def complete(plain: Any, draw: bool, seed: int) -> Any:
        texts = {name: "yes" if values.dtype == object else 3.0 for name, values in plain.items()}
        return {name: np.where(pd.isna(values), texts[name], values) for name, values in plain.items()}

    units = [SimpleNamespace(columns=(column.name,)) for column in learned(columns)]
    return SimpleNamespace(codec=SimpleNamespace(columns=columns, units=units), complete=complete)


def filled(given: str, folder: Path, out: str = "out.csv") -> str:
    rows = [f"{i % 7}.{i % 9}5,2024-01-{i % 28 + 1:02d},{['yes', 'no'][i % 2]},K{i:03d}" for i in range(40)]
    (folder / "train.csv").write_text("\n".join(["price,when,paid,id", *rows]))
    (folder / "holes.csv").write_text(given)
    model = constant_model(folder / "train.csv")
    place = complete_table(model, folder / "holes.csv", folder / out, draw=False, seed=0, force=False)
    assert isinstance(place, Path)
    return gzip.decompress(place.read_bytes()).decode() if out.endswith(".gz") else place.read_text()


HOLES = """price,when,paid,id,note
169.30,2024-02-05,no,K001,"a, ""b""\n"
1e2,,  yes ,NA,  1.0
+5.,2024-02-06,,K9,
 NA ,2024-02-07,no,,n/a
"""
FILLED = HOLES.replace("1e2,,", "1e2,1970-01-04,").replace("06,,", "06,yes,").replace(" NA ,2024", "3.0,2024")


def test_every_cell_of_a_text_file_stays_to_the_letter(tmp_path: Path) -> None:
    assert filled(HOLES, tmp_path) == FILLED
    assert filled(HOLES, tmp_path, "out.tsv.gz").splitlines()[-1] == "3.0\t2024-02-07\tno\t\tn/a"


def test_a_filled_cell_is_written_in_the_form_of_the_given_ones(tmp_path: Path) -> None:
    given = "price,when,paid,id\n1.5,31.01.2024,no,K1\n2,,no,K2\n"
    assert filled(given, tmp_path) == given.replace("2,,", "2,04.01.1970,")


def test_types_that_are_objects_come_back_and_no_digit_is_lost(tmp_path: Path) -> None:
    days = [datetime.date(2024, 1, number % 28 + 1) for number in range(40)]
    train = pd.DataFrame({"cost": [Decimal("1.50"), Decimal("2.25")] * 20, "day": days, "far": np.arange(40) % 3 + 0.5})
    model = constant_model(keep(train, tmp_path))
    holes = train.assign(cost=train["cost"].where(train.index != 3), day=train["day"].where(train.index != 4))
    holes["other"] = train["day"].where(train.index != 5, None)
    holes.loc[6, ["cost", "far"]] = [Decimal("123456.75"), 0.1 + 0.2]
    expected = holes.copy()
    expected.loc[3, "cost"], expected.loc[4, "day"] = Decimal("3.00"), datetime.date(1970, 1, 4)
    found = complete_table(model, holes, None, draw=False, seed=0, force=False)
    assert isinstance(found, pd.DataFrame)
    pd.testing.assert_frame_equal(found, expected)
    out = complete_table(model, holes, tmp_path / "out.parquet", draw=False, seed=0, force=False)
    pd.testing.assert_frame_equal(pd.read_parquet(out), expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("cost", Decimal("1.755"), r"'cost' holds 1\.755 in row 8.* at most 2 decimals"),
        ("small", 300, "'small' holds a value that int8 does not hold"),
    ],
)
def test_a_value_that_the_learned_type_cannot_hold_is_refused(
    name: str, value: Any, words: str, tmp_path: Path
) -> None:
    small = np.array([1, 5, 3, 3], "int8")[np.arange(40) % 4]
    train = pd.DataFrame({"cost": [Decimal("1.50"), Decimal("2.25")] * 20, "small": small})
    model = constant_model(keep(train, tmp_path))
    holes = train.astype({"small": "int64"})
    holes.loc[7, name] = value
    with pytest.raises(DataError, match=words):
        complete_table(model, holes, None, draw=False, seed=0, force=False)
