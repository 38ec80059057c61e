"""Columns in people's own forms, from a file to new rows and filled cells."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from table_frames import columns_of, source_of

from ganforge import TableGAN
from ganforge.api.sample import apply, sample
from ganforge.api.train import train
from ganforge.errors import InputError
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.arrays import from_plain, to_plain
from ganforge.kinds.tables.reading.source import open_source
from ganforge.kinds.tables.reading.survey import survey_table
from ganforge.kinds.tables.rules.conditions import parse_where
from ganforge.kinds.tables.rules.values import read_span, write_number

ROWS = 200
COUNT = np.arange(ROWS)
MOMENTS = pd.date_range("2024-01-01 00:07", periods=ROWS, freq="43h").tz_localize("UTC").tz_convert("Europe/Berlin")
FORMS = {
    "price": [f"${1000 + 37 * i % 900:,}.{i % 100:02d}" for i in COUNT],
    "share": [f"{i % 90 + 0.5:.1f}%" for i in COUNT],
    "balance": [f"({i * 17 % 3000:,})" if i % 3 else f"{i * 17 % 3000 + 1:,}" for i in COUNT],
    "euro": [f"{i % 7 + 1}.{i % 900 + 100},{i % 90 + 10} €" for i in COUNT],
    "weight": [f"{i % 60 + 1} kg" for i in COUNT],
    "opened": [f"{i % 24:02d}:{i * 7 % 60:02d}" for i in COUNT],
    "left": [f"{(i + 11) % 12 + 1}:{i % 60:02d} {'pm' if i % 2 else 'am'}" for i in COUNT],
    "took": [f"{i % 30}:{i % 60:02d}:{i * 7 % 60:02d}" for i in COUNT],
    "waited": [f"{i % 5} days {i % 24:02d}:{i % 60:02d}:00" for i in COUNT],
    "due": [f"{i % 28 + 1} {['March', 'June', 'May'][i % 3]} 2024" for i in COUNT],
    "month": [f"{['Mar', 'Jun', 'May'][i % 3]}-{i % 20 + 10}" for i in COUNT],
    "at": [moment.isoformat() for moment in MOMENTS],
    "seen": [moment.strftime("%m/%d/%Y %I:%M %p") for moment in MOMENTS],
}
FRAME = pd.DataFrame(FORMS)
COLUMNS = {column.name: column for column in columns_of(FRAME)}


def with_strays() -> pd.DataFrame:
    frame = FRAME.copy()
    for place, name in enumerate(frame):
        frame.loc[[3 + place, 150 - place], name] = ["?", "#DIV/0!"]
    return frame


def test_texts_in_such_forms_are_columns_of_numbers_and_come_back_to_the_letter() -> None:
    kinds = ["decimal", "decimal", "integer", "decimal", "integer", "time", "time", "duration", "duration"]
    assert [column.kind for column in COLUMNS.values()] == [*kinds, *["datetime"] * 4]
    pd.testing.assert_frame_equal(from_plain(to_plain(FRAME, list(COLUMNS.values())), list(COLUMNS.values())), FRAME)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("forms")
    with_strays().assign(note=[f"{chr(97 + i % 26)}{chr(97 + i // 26)}x" for i in COUNT]).to_csv(
        place / "t.csv", index=False
    )
    return train(place / "t.csv", run=place / "run", examples=600, size="tiny").folder


@pytest.mark.slow
def test_new_rows_have_the_forms_and_meet_conditions_in_them(run: Path, tmp_path: Path) -> None:
    where = ["price>=$1,500.00", "opened>=12:00", "took<=10:00:00", "weight<=20 kg"]
    out = sample(run, 100, out=tmp_path / "new.csv", where=where)
    made = pd.read_csv(out, dtype="str")
    for name in FORMS:
        shapes = [
            set(values.dropna().str.replace(r"\d+", "9", regex=True).str.replace("[A-Z][a-z]+", "A", regex=True))
            for values in (made[name], FRAME[name])
        ]
        assert shapes[0] <= shapes[1]
    assert (made["opened"] >= "12:00").all()
    assert (made["price"].str.slice(1).str.replace(",", "").astype(float) >= 1500).all()
    assert (made["weight"].str.removesuffix(" kg").astype(int) <= 20).all()


@pytest.mark.slow
def test_cells_that_mean_nothing_are_filled_and_others_stay_to_the_letter(run: Path, tmp_path: Path) -> None:
    given, out = with_strays(), tmp_path / "filled.csv"
    apply(run, run.parent / "t.csv", out)
    filled = pd.read_csv(out, dtype="str", keep_default_na=False)[list(FORMS)]
    strays = given.isin(["?", "#DIV/0!"])
    assert strays.sum().sum() == 2 * len(FORMS)
    assert not filled.isin(["?", "#DIV/0!", ""]).any().any() and (filled == given).mask(strays, True).all().all()


def test_a_form_that_could_be_several_is_the_learned_one(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=ROWS)
    learned = pd.DataFrame({"day": days.strftime("%d/%m/%Y")})
    learned["pay"] = [f"{x % 7 + 1}.{x % 900 + 100},50" for x in COUNT]
    columns = columns_of(learned)
    given = pd.DataFrame({"day": ["05/06/2024", "07/08/2024"], "pay": ["1.234", "2.345"]})
    given.to_csv(tmp_path / "given.csv", index=False)
    anew, known = (next(open_source(tmp_path / "given.csv", of).chunks()) for of in ((), columns))
    assert anew["day"].dt.month.tolist() == [5, 7] and known["day"].dt.month.tolist() == [6, 8]
    assert anew["pay"].tolist() == [1.234, 2.345] and known["pay"].tolist() == [1234, 2345]
    (tmp_path / "given.csv").write_text("day\n2024-06-05\n2024-08-07\n")
    assert next(open_source(tmp_path / "given.csv", columns).chunks())["day"].dt.month.tolist() == [6, 8]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["-", "3", "4.5", "8"], "numbers, but 10 such as '-'"),
        (["7 St.", "3 kg", "8 kg"], "numbers, but 14 such as '7 St.'"),
        (["2024-01-01", "13/02/2024", "14/02/2024"], "dates, but 14 such as '2024-01-01'"),
    ],
)
def test_a_column_of_which_most_cells_are_numbers_or_dates_and_too_many_are_not_is_told(
    cells: list[str], words: str
) -> None:
    frame = pd.DataFrame({"v": (cells * 20)[:40], "w": (["a", "7", "bc", "x9"] * 20)[:40]})
    (told,) = survey_table(source_of(frame)).passport["warnings"]
    assert told.startswith(f"Most cells of 'v' can be read as {words} cannot")


@pytest.mark.slow
def test_what_is_not_learned_is_told_and_counts_in_the_verdict(run: Path) -> None:
    verdict = pd.read_json(run / "evaluation.json", typ="series")["verdict"]
    assert any("'note' is not learned: its values are made up" in sentence for sentence in verdict["sentences"])
    events = (run / "events.jsonl").read_text()
    assert "'price' that cannot be read as numbers are taken as missing, 2 of 200: '?' (1), '#DIV/0!' (1)" in events
    assert "'at' have 2 offsets, as in Europe/Berlin" in events and "'note' is not learned" in events


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("price", "$1,234.50", "1234.5"),
        ("share", "12.5%", "12.5"),
        ("balance", "(1,200)", "-1200"),
        ("euro", "1.234,50 €", "1234.5"),
        ("opened", "14:05", "14:05"),
        ("left", "9:30 pm", "9:30 pm"),
        ("left", "21:30", "9:30 pm"),
        ("took", "1:23:45", "1:23:45"),
        ("waited", "2 days 03:04:00", "2 days 03:04:00"),
    ],
)
def test_a_condition_is_written_as_the_cells_are(name: str, text: str, value: str) -> None:
    first, last = read_span(text, COLUMNS[name])
    assert write_number(float(first), COLUMNS[name]) == value and last - first < 1


def test_a_time_that_is_none_is_refused_with_an_example() -> None:
    with pytest.raises(InputError, match=r"'noon' is not a time for the column 'opened'.*like 00:0\d or 14:05:00"):
        parse_where("opened>=noon", list(COLUMNS.values()), {})


def test_a_strangers_form_is_refused_before_any_row_is_drawn() -> None:
    for name, form in (("price", "0;0;0"), ("opened", "%Q"), ("at", "%Q")):
        with pytest.raises((ValueError, TypeError)):
            from_plain({name: np.zeros(1)}, [COLUMNS[name].model_copy(update={"format": form})])


def test_a_person_may_want_the_texts_themselves() -> None:
    asked = [Column(name="weight", kind="category", dtype="")]
    weight = {column.name: column for column in survey_table(source_of(FRAME), asked).columns}["weight"]
    assert weight.kind == "category" and weight.distinct == 60
    wider = [Column(name="price", kind="decimal", dtype="", minimum=0.0)]
    price = {column.name: column for column in survey_table(source_of(FRAME), wider).columns}["price"]
    assert price.minimum == 0 and price.format == "$#,##0.00"


@pytest.mark.slow
def test_a_frame_comes_back_as_it_came() -> None:
    given = pd.DataFrame(
        {
            "took": pd.to_timedelta(COUNT * 90, "min"),
            "month": pd.period_range("2020-01", periods=ROWS, freq="M"),
            "age": pd.cut(COUNT, 4),
            "hour": pd.Series([pd.Timestamp(0).replace(hour=int(i % 24)).time() for i in COUNT], dtype=object),
            "price": FORMS["price"],
        }
    )
    model = TableGAN(examples=600, size="tiny").fit(given)
    made: Any = model.sample(50)
    assert made.dtypes.tolist() == given.dtypes.tolist()
    assert made["price"].str.fullmatch(r"\$\d,\d{3}\.\d\d").all() and type(made["hour"][0]) is type(given["hour"][0])
    holes = given.copy()
    holes.loc[::7, ["took", "month", "age", "price"]] = None
    filled = model.impute(holes)
    assert filled.notna().all().all() and filled.dtypes.tolist() == given.dtypes.tolist()
    pd.testing.assert_frame_equal(filled[COUNT % 7 > 0], given[COUNT % 7 > 0])
