"""What a text file is, by its first bytes and lines: read rightly, or refused in words."""

import gzip
from pathlib import Path

import pandas as pd
import pytest

from ganforge.errors import DataError
from ganforge.kinds.tables.reading.source import open_source


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write(folder: Path, text: str, name: str = "t.csv", encoding: str = "utf-8") -> Path:
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


def read(path: Path) -> pd.DataFrame:
    return pd.concat(open_source(path).chunks(), ignore_index=True)


NUMBERED = [(str(k), f"{k * 37 % 101}.5", "mno"[k % 3]) for k in range(60)]
BODY = "".join(",".join(row) + "\n" for row in NUMBERED)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(BODY.encode()), "those of a .gz file"),
        (b"PK\x03\x04" + bytes(40), "those of a .zip or .xlsx file"),
        (b'{"n": 1, "x": 2}\n' * 30, "those of JSON"),
        (b"<!DOCTYPE html><p>Not found, sorry</p>\n", "those of a web page"),
        (f"Sales 2024,,\n,,\nn,x,g\n{BODY}".encode(), "has 1 names for 3 columns.*'n', 'x', 'g'"),
        (f"n,x,g\n(no),(kg),(-)\n{BODY}".encode(), "The second line.*belong to the names"),
        (("n   x     g\n" + "".join(f"{a:<4}{b:<6}{c}\n" for a, b, c in NUMBERED)).encode(), "separated by blanks"),
    ],
)
def test_what_is_not_a_table_of_lines_under_their_names_is_refused(content: bytes, words: str, folder: Path) -> None:
    (folder / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        open_source(folder / "t.csv")
    assert caught.value.why and caught.value.do


@pytest.mark.parametrize("mark", ["~", "^", "\x01"])
def test_other_marks_separate_fields_too(mark: str, folder: Path) -> None:
    frame = read(write(folder, ("n,x,g\n" + BODY).replace(",", mark)))
    assert list(frame.columns) == ["n", "x", "g"] and len(frame) == 60


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_wide_files_with_a_mark_are_read(encoding: str, folder: Path) -> None:
    assert read(write(folder, "n,größe,g\n" + BODY, encoding=encoding))["größe"][1] == 37.5


def test_a_backslash_before_a_quotation_mark_is_no_part_of_the_cell_but_one_of_a_path_is(folder: Path) -> None:
    rows = "".join(f'{k},"the \\"old\\" one {k % 3}"\n' for k in range(40))
    assert read(write(folder, "n,x\n" + rows))["x"][0] == 'the "old" one 0'
    rows = "".join(f'{k},"C:\\data\\"\n' for k in range(40))
    assert read(write(folder, "n,x\n" + rows))["x"][0] == "C:\\data\\"


@pytest.mark.parametrize(("ending", "words"), [("xlsx", "pandas.read_excel"), ("csv.zip", "Unpack it"), ("dat", "")])
def test_files_of_other_kinds_are_refused_with_what_to_do(ending: str, words: str, folder: Path) -> None:
    with pytest.raises(DataError, match=f"is not a table by its name.*{words}"):
        open_source(write(folder, BODY, f"t.{ending}"))
