import codecs
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganforge.errors import DataError
from ganforge.kinds.tables.reading.source import open_source


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write(folder: Path, text: str, name: str = "t.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def read(path: Path, rows: int = 65_536) -> pd.DataFrame:
    return pd.concat(open_source(path).chunks(rows), ignore_index=True)


def dtype_of(folder: Path, *values: str) -> tuple[str, str | None]:
    source = open_source(write(folder, "\n".join(["x;y", *(f"{value};1" for value in values)])))
    return str(next(source.chunks())["x"].dtype), source.formats.get("x")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("1", "-2", "30"), ("int64", None)),
        (("1", "", "3"), ("Int64", None)),
        (("1", "2.5"), ("float64", None)),
        (("1.50", "2.25"), ("float64", "0.00")),
        (("5.0", "2.25"), ("float64", "0.0#")),
        (("1e5", "2.5"), ("float64", None)),
        ((".5", "-1."), ("float64", None)),
        (("007", "123"), ("str", None)),
        (("-0", "1"), ("float64", None)),
        (("1", "2", "x"), ("str", None)),
        (("12345678901234567890", "1"), ("str", None)),
        (("inf", "1.5"), ("float64", "0.0")),
        (("inf", "-inf"), ("str", None)),
        (("?", "1"), ("str", None)),
        (("NA", "NaN", "null"), ("str", None)),
        (("true", "false"), ("bool", "true/false")),
        (("True", "", "False"), ("boolean", None)),
        (("true", "False"), ("str", None)),
        (("2024-01-31", "2023-12-01"), ("datetime64[s]", "%Y-%m-%d")),
        (("2024-01-31", "2023-02-30"), ("str", None)),
        (("31.01.2024", "01.02.2024"), ("datetime64[s]", "%d.%m.%Y")),
        (("31/01/2024", "01/02/2024"), ("datetime64[s]", "%d/%m/%Y")),
        (("01/02/2024", "01/31/2024"), ("datetime64[s]", "%m/%d/%Y")),
        (("1/2/2024", "12/31/2024"), ("datetime64[s]", "%-m/%-d/%Y")),
        (("2024-01-31 12:30", "2024-01-31 00:00"), ("datetime64[s]", "%Y-%m-%d %H:%M")),
        (("2024-01-31T12:30:05.123", ""), ("datetime64[ms]", "%Y-%m-%dT%H:%M:%S.%f")),
        (("2024-01-31T12:30:05.123", "2024-01-31T12:30:05.123456"), ("datetime64[us]", "%Y-%m-%dT%H:%M:%S.%*f")),
        (("2024-01-31T12:30:05Z", "2024-01-31T12:30:05Z"), ("datetime64[s, UTC]", "%Y-%m-%dT%H:%M:%SZ")),
        (("2024-01-31 12:30+02:00", ""), ("datetime64[s, UTC+02:00]", "%Y-%m-%d %H:%M+02:00")),
        (("2024-01-31 12:30+02:00", "2024-01-31 12:30+01:00"), ("datetime64[s, UTC]", "%Y-%m-%d %H:%M%:z")),
        (("2024-07-31 12:30+02:00", "2024-01-31 12:30+01:00"), ("datetime64[s, Europe/Berlin]", "%Y-%m-%d %H:%M%:z")),
        (("2024-01-31 12:30:05 -0500", ""), ("datetime64[s, UTC-05:00]", "%Y-%m-%d %H:%M:%S -0500")),
        (("1/31/2024 9:30 pm", "2/1/2024 12:05 am"), ("datetime64[s]", "%-m/%-d/%Y %-I:%M %P")),
        (("01/31/2024, 09:30:05 PM", ""), ("datetime64[s]", "%m/%d/%Y, %I:%M:%S %p")),
        (("3 March 2024", "12 May 2024"), ("datetime64[s]", "%-d %B %Y")),
        (("Mar-24", "Dec-23"), ("datetime64[s]", "%b-%y")),
        (("31-JAN-24", "01-FEB-24"), ("datetime64[s]", "%d-%^b-%y")),
        (("Mar 5, 2024", "Apr 15, 2024"), ("datetime64[s]", "%b %-d, %Y")),
        (("Sun, 03 Mar 2024 14:05:00", ""), ("datetime64[s]", "%a, %d %b %Y %H:%M:%S")),
        (("2024-03", "2023-12"), ("datetime64[s]", "%Y-%m")),
        (("$1,234.50", "-$3.00"), ("float64", "$#,##0.00")),
        (("$1,234", ""), ("Int64", "$#,##0")),
        (("12.5%", "3%"), ("float64", "0.#%")),
        (("(1,200)", "900"), ("int64", "#,##0;(#,##0)")),
        (("1.234,50 €", "3,00 €"), ("float64", "#.##0,00 €")),
        (("3,14", "2"), ("float64", "0,##")),
        (("5 kg", "12 kg"), ("int64", "0 kg")),
        (("5 kg", "12 g"), ("float64", "0 g|0 kg")),
        (("5 m2", "12 m3"), ("str", None)),
        (("1.230", "950"), ("int64", "#.##0")),
        (("1.230", "0.950"), ("float64", "0.000")),
        (("0,123", "1,234"), ("float64", "0,000")),
        (("1'234.5", "2.5"), ("float64", "#'##0.0")),
        (("1 234,5", "2,5"), ("float64", "# ##0,0")),
        (("1,23,456.00", "2,345.00"), ("float64", "#,##,##0.00")),
        (("+5", "-3", "0"), ("int64", "+0;-0")),
        (("1200-", "7"), ("int64", "0;0-")),
        (("C-12", "C-13"), ("str", None)),
        (("14:05", "09:30"), ("str", None)),  # times are understood by the survey
    ],
)
def test_a_columns_type_is_what_every_value_says(
    folder: Path, values: tuple[str, ...], expected: tuple[str, str | None]
) -> None:
    assert dtype_of(folder, *values) == expected


def test_moments_are_read_as_they_are_meant(folder: Path) -> None:
    write(folder, "a,b\n05/02/2024,2024-07-01 12:00+02:00\n31/01/2024,2024-07-01 13:00+02:00\n")
    frame = read(folder / "t.csv")
    assert frame["a"].tolist() == [pd.Timestamp("2024-02-05"), pd.Timestamp("2024-01-31")]
    assert frame["b"][0] == pd.Timestamp("2024-07-01T10:00Z")


def test_no_chunk_decides_alone(folder: Path) -> None:
    rows = ["1,2024-01-01,true"] * 5000 + ["x,never,maybe"]
    path = write(folder, "\n".join(["a,b,c", *rows]))
    for chunk in open_source(path).chunks(1000):
        assert list(map(str, chunk.dtypes)) == ["Int64", "datetime64[s]", "str"]
    mixed = write(folder, "\n".join(["a,b", *["1,2024-01-01"] * 940, *["x,never"] * 60]), "mixed.csv")
    assert {str(dtype) for chunk in open_source(mixed).chunks(100) for dtype in chunk.dtypes} == {"str"}
    holes = write(folder, "\n".join(["a,b", *["1,2"] * 5000, ",2"]), "holes.csv")
    assert {str(chunk["a"].dtype) for chunk in open_source(holes).chunks(1000)} == {"Int64"}


def test_blanks_are_stripped_and_counted_and_a_question_mark_stays(folder: Path) -> None:
    path = write(folder, "age, work\n39, State-gov\n50, ?\n 38,Private \n")
    source, frame = open_source(path), read(path)
    assert source.column_names == ("age", "work") and frame["age"].tolist() == [39, 50, 38]
    assert frame["work"].tolist() == ["State-gov", "?", "Private"] and source.facts["stripped_blanks"] == 4


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "t.csv.gz"])
def test_the_delimiter_is_found_and_packed_files_are_opened(folder: Path, delimiter: str, name: str) -> None:
    text = f'a{delimiter}b{delimiter}c\n1{delimiter}"x{delimiter}, y\nz"{delimiter}2.5\n2{delimiter}w{delimiter}3.5\n'
    path = write(folder, text, name)
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    frame = read(path)
    assert frame.columns.tolist() == ["a", "b", "c"] and frame["c"].tolist() == [2.5, 3.5]
    assert frame["b"].tolist() == [f"x{delimiter}, y\nz", "w"]


def test_one_column_is_a_table_too(folder: Path) -> None:
    assert read(write(folder, "a\n1\n2\n"))["a"].tolist() == [1, 2]


def test_a_byte_order_mark_is_no_part_of_the_first_name(folder: Path) -> None:
    path = write(folder, "\ufeffa,b\nä,2\n")
    assert path.read_bytes().startswith(codecs.BOM_UTF8)
    assert open_source(path).column_names == ("a", "b") and read(path)["a"].tolist() == ["ä"]


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_another_encoding_is_said_with_its_line_and_byte(folder: Path, name: str) -> None:
    path = write(folder, "a,b\n1,x\n2,Käse\n", name, "latin-1")
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(DataError, match=r"Line 3 .* 0xe4.*Save the file as UTF-8"):
        open_source(path)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("order", ["le", "be"])
def test_utf_16_is_read_by_its_mark_and_refused_without(folder: Path, order: str, ending: str) -> None:
    rows = [f"{i},Käse {i % 7} 😀" for i in range(30_000)]
    wide = "\n".join(["a,b", *rows, "1,2,3"]).encode(f"utf-16-{order}")
    pack = gzip.compress if ending else bytes
    path = folder / f"wide.csv{ending}"
    path.write_bytes(pack("\ufeff".encode(f"utf-16-{order}") + wide))
    source = open_source(path)
    whole = pd.concat(source.chunks())
    assert source.facts["first_ragged_lines"][0]["line"] == 30_002 and whole["a"].tolist() == list(range(30_000))
    assert whole["b"].tolist() == [row.partition(",")[2] for row in rows]
    path.write_bytes(pack(wide))
    with pytest.raises(DataError, match=r"many of its bytes are zero.*without the mark.*UTF-8"):
        open_source(path)
    path.write_bytes(
        pack("\ufeff".encode(f"utf-16-{order}") + wide + "\udc00\udc00".encode(f"utf-16-{order}", "surrogatepass"))
    )
    with pytest.raises(DataError, match=r"behind line .*UTF-16"):
        open_source(path)


def test_ragged_lines_are_counted_and_the_first_ones_listed(folder: Path) -> None:
    lines = ["a,b", *(f"{i},2,3" if i % 1000 == 9 else f"{i},2" for i in range(10_000))]
    facts = open_source(write(folder, "\n".join(lines))).facts
    assert facts["ragged_lines"] == 10 and len(facts["first_ragged_lines"]) == 5
    assert facts["first_ragged_lines"][0] == {"line": 11, "fields": 3, "text": "9,2,3"}
    assert len(read(folder / "t.csv")) == 9990
    with pytest.raises(DataError, match="line 2 has 3"):
        open_source(write(folder, "a,b\n1,2,3\n4,5,6\n", "all.csv"))


def test_missing_words_are_known_and_told(folder: Path) -> None:
    path = write(folder, "a,b\nNA,x\n1,NaN\n2, null \n,None\n")
    frame = read(path)
    assert frame["a"].isna().sum() == 2 and frame["b"].isna().sum() == 2 and frame["b"][3] == "None"
    assert open_source(path).facts["missing_written_as"] == {"NA": 1, "NaN": 1, "null": 1, "": 1}


def test_ambiguous_dates_and_columns_without_a_name_are_told(folder: Path) -> None:
    source = open_source(write(folder, ",when\n1,01/02/2024\n2,03/04/2024\n"))
    assert source.column_names == ("column_1", "when") and source.facts["unnamed_columns"] == 1
    assert source.meanings["when"].ambiguous and source.formats["when"] == "%m/%d/%Y"


def test_numbers_with_commas_are_numbers(folder: Path) -> None:
    write(folder, "a;b;c;d\n3,14;1.234,5;007;1\n2;7;123;2,x\n")
    frame = read(folder / "t.csv")
    assert frame["a"].tolist() == [3.14, 2] and frame["b"].tolist() == [1234.5, 7]
    assert frame["c"].tolist() == ["007", "123"] and frame["d"].tolist() == ["1", "2,x"]


STRAYS = {
    "number": ([f"{i}.5" for i in range(98)], ["?", "#DIV/0!"], "float64"),
    "whole": ([str(i) for i in range(98)], ["?", "n.d."], "Int64"),
    "large": ([str(2**58 + i) for i in range(98)], ["-", "-"], "Int64"),
    "money": ([f"${i:,}.50" for i in range(1000, 1098)], ["on request", "?"], "float64"),
    "day": ([f"2024-03-{i % 28 + 1:02d}" for i in range(98)], ["2024-02-31", "soon"], "datetime64[s]"),
}


@pytest.mark.parametrize("name", STRAYS)
def test_a_few_cells_that_mean_nothing_are_missing_and_named(folder: Path, name: str) -> None:
    values, strays, dtype = STRAYS[name]
    path = write(folder, "\n".join(["x,y", *(f'"{value}",1' for value in [*values[:50], *strays, *values[50:]])]))
    source = open_source(path)
    frame = pd.concat(source.chunks(7), ignore_index=True)
    assert str(frame["x"].dtype) == dtype and np.flatnonzero(frame["x"].isna()).tolist() == [50, 51]
    clean = read(write(folder, "\n".join(["x,y", *(f'"{value}",1' for value in values)]), "clean.csv"))
    assert frame["x"].dropna().tolist() == clean["x"].tolist()
    assert sum(source.meanings["x"].strays.values()) == 2 and set(source.meanings["x"].strays) == set(strays)


@pytest.mark.parametrize(
    "codes",
    [
        ["02134", *(str(10_000 + i) for i in range(99))],  # a postal code with a leading zero
        ["C536379", *(str(536_000 + i) for i in range(99))],  # a cancelled order
        ["12345678901234567890", *(str(i) for i in range(99))],
        [f"600 {i:03d} {i * 7:03d}" for i in range(100, 200)],  # telephones
        ["020 123 456", *(f"{i} 123 456" for i in range(99))],
    ],
)
def test_codes_stay_texts_however_few_have_a_letter_or_a_leading_zero(folder: Path, codes: list[str]) -> None:
    assert read(write(folder, "\n".join(["x,y", *(f"{code},1" for code in codes)])))["x"].tolist() == codes


def test_what_names_would_be_is_decided_without_tolerance(folder: Path) -> None:
    assert open_source(write(folder, "price\n" + "1.5\n" * 99)).column_names == ("price",)
    with pytest.raises(DataError, match="hold values, not names"):
        open_source(write(folder, "14:05,$3\n" + "14:06,$4\n" * 99))


NAMES = "name,age,born,colour\n"
ROWS = "".join(f"Anna{i},{i % 50 + 17},2024-01-{i % 28 + 1:02d},{'red' if i % 2 else 'blue'}\n" for i in range(30))


@pytest.mark.parametrize(
    ("before", "comments"),
    [
        ("", 0),
        ("sep=,\n", 0),
        ('\ufeff"SEP=,"\r\n', 0),
        ("# exported 2024-05-01\n", 1),
        ("# it's 5\" wide\n#b\n\n", 2),
        ("# exported, by me, on, monday\n", 1),
        ("sep=,\n#\n", 1),
        ("##v=1\n# ", 1),  # numpy.savetxt and others write the names behind a #
    ],
)
def test_what_stands_before_the_names_is_no_row(folder: Path, before: str, comments: int) -> None:
    source = open_source(write(folder, before + NAMES + ROWS))
    assert source.column_names == ("name", "age", "born", "colour") and source.facts.get("comment_lines", 0) == comments
    pd.testing.assert_frame_equal(read(folder / "t.csv"), read(write(folder, NAMES + ROWS, "plain.csv")))


@pytest.mark.parametrize("delimiter", [";", "\t", "|", "^"])
def test_a_line_for_excel_names_the_delimiter(folder: Path, delimiter: str) -> None:
    path = write(folder, f"sep={delimiter}\n" + (NAMES + ROWS).replace(",", delimiter))
    assert open_source(path).facts["delimiter"] == delimiter and read(path)["age"].sum() == 945
    ragged = open_source(write(folder, path.read_text() + f"1{delimiter}2\n", "ragged.csv")).facts
    assert ragged["first_ragged_lines"][0]["line"] == 33


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ROWS, "seems to hold values, not names: 'Anna0', '17', '2024-01-01', 'blue'"),
        ("5.1,3.5,1.4,setosa\n4.9,3.0,1.5,setosa\n4.8,3.1,1.6,virginica\n", "hold values, not names"),
        ("red,round\nblue,flat\nred,round\n", "'red', 'round'.* They come again"),
        ("2024-01-01,x\n2024-01-02,y\n", "They are like the values below"),
        ("true,a\nfalse,b\n", "hold values, not names"),
        ("1\n2\n3\n", "hold values, not names"),
        ("country,2020\nPeru,2021\n", "with letters, such as y2020"),
        ("# one,two\nAnna,Rome\nBob,Pisa\n", "may hold the names of the columns, or a comment"),
        ("#one\nAnna\nBob\n", "Remove the #"),
        (NAMES + ROWS + "a,b\n" * 4, "^4 of 34 lines .* line 32 has 2 fields, and the names are 4"),
        (
            NAMES + ROWS + '"5 inch,3,2024-01-01,red\n' + ROWS + '6 inch",4,2024-01-02,red\n',
            "^30 of 61 lines .*one cell",
        ),
        (NAMES + ROWS + '"5 inch\n' + ROWS[:200] + 'x",4\n', "lines .* cannot be read as rows"),
    ],
)
def test_what_would_be_guessed_or_lost_is_asked_about(folder: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        open_source(write(folder, text))


@pytest.mark.parametrize("names", ["country,1990,1991,1992", ",0,1,2", "k,1,2,3", ",a,b,c", "word,x,7,y", "NA,x,y,z"])
def test_names_that_count_are_names_and_said_to_be_numbers(folder: Path, names: str) -> None:
    source = open_source(
        write(folder, names + "\n" + "".join(f"{'c' if i else 'word'}{i},{i}.5,{i}.7,{i}\n" for i in range(9)))
    )
    assert list(source.column_names)[1:] == names.split(",")[1:]
    assert ("numbers_as_names" in source.facts) == ("1" in names)


def test_a_name_that_is_also_the_value_of_one_column_is_told(folder: Path) -> None:
    assert open_source(write(folder, "c\na\nc\n")).facts["names_as_values"] == ["c"]
    assert "names_as_values" not in open_source(write(folder, "c,n\na,1\nc,2\n")).facts


def test_three_lines_may_be_lost_and_texts_of_several_lines_are_no_loss(folder: Path) -> None:
    facts = open_source(write(folder, NAMES + ROWS + "a,b\n" * 3)).facts
    assert facts["ragged_lines"] == 3
    few = open_source(write(folder, NAMES + ROWS + '"5 inch\n' + ROWS[:60] + 'x",4,2024-01-02,red\n')).facts
    assert few["rows_inside_cells"] == 2 and "ragged_lines" not in few
    letters = "".join(f'"Dear A, B\nand C,\nyours",{i},2024-01-0{i % 8 + 1},red\n' for i in range(30))
    assert "rows_inside_cells" not in open_source(write(folder, NAMES + letters)).facts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('a,b\n1,"' + "x\n" * 6_000_000 + '"\n3,4\n', "row is longer than"),
        ("", "it is empty"),
        ("\n \n", "it is empty"),
        ("\ufeff", "it is empty"),
        ("a,b\n", "no rows"),
        ("a,b,a\n1,2,3\n", "several columns of the name 'a'"),
        ("a,b, a\n1,2,3\n", "several columns of the name 'a'"),
        ('a,b\n1,2\n1,"2\n' + "3,4\n" * 20, "near line 3 .* never closed"),
        ('a,b\n1,2\n"1,2\n' + "3,4\n" * 20, "near line 3 .* never closed"),
    ],
)
def test_files_that_are_no_table_are_refused(folder: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        open_source(write(folder, text))


def test_a_packed_file_that_is_cut_short_is_damaged(folder: Path) -> None:
    content = gzip.compress("\n".join(["a,b", *(f"{i},{i * i}" for i in range(20_000))]).encode())
    (folder / "t.csv.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="cannot be read as a table"):
        open_source(folder / "t.csv.gz")


CELLS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False).map(repr),
    st.dates().map(str),
    st.datetimes().map(str),
    st.sampled_from(["true", "False", "007", "?", "NA", "", "1e999", "0x10", "\uff11\uff12", "12:30", "1.5.2024"]),
    st.text(st.characters(exclude_characters="\x00\r\n", exclude_categories=["Cs"]), max_size=8),
)


@given(values=st.lists(CELLS, min_size=1, max_size=12))
def test_whatever_stands_in_a_file_is_read_or_refused_in_words(
    values: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path: Any = tmp_path_factory.mktemp("any") / "t.csv"
    pd.DataFrame({"x": pd.Series(values, dtype="str"), "y": range(len(values))}).to_csv(path, index=False)
    assert len(read(path)) == len(values)
