"""What a person reads when a table cannot be used: three sentences, the column and the row named, nothing written."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ganforge.cli import main

RANDOM = np.random.default_rng(0)
ROWS = 120
START = RANDOM.integers(0, 60, ROWS)
FRAME = pd.DataFrame(
    {
        "age": RANDOM.integers(17, 90, ROWS),
        "sex": RANDOM.choice(["Female", "Male"], ROWS),
        "income": RANDOM.choice([">50K", "<=50K"], ROWS),
        "country": "Chile",
        "start": START,
        "end": START + RANDOM.integers(0, 9, ROWS),
    }
)
QUICK = ["--examples", "256", "--size", "tiny"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a table with two ragged lines; beside it said.txt, what was told meanwhile."""
    folder = tmp_path_factory.mktemp("people")
    lines = FRAME.to_csv(index=False).splitlines()
    lines.insert(10, "17,Female")
    lines.insert(20, "17,Female,>50K,Chile,1,2,3")
    (folder / "people.csv").write_text("\n".join(lines) + "\n")
    with contextlib.redirect_stdout(io.StringIO()) as told:
        assert main(["train", str(folder / "people.csv"), *QUICK, "--run", str(folder / "run")]) == 0
    (folder / "said.txt").write_text(told.getvalue())
    return folder / "run"


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What stderr says of a command that is bad input."""
    capsys.readouterr()
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said and "unexpected" not in said
    assert 2 <= len(said.splitlines()) <= 3
    return said


def write_unusable(folder: Path) -> dict[str, list[str]]:
    """Tables that cannot be used, and the words that must be said of each."""
    (folder / "nothing.csv").write_text("")
    (folder / "only_names.csv").write_text("age,sex\n")
    (folder / "twice.csv").write_text("age,sex,age\n" + "1,Male,2\n" * 30)
    pq.write_table(pa.table({"age": list(range(30)), "tags": [["a", "b"]] * 30}), folder / "lists.parquet")
    infinite = FRAME.assign(weight=RANDOM.normal(70, 9, ROWS))
    infinite.loc[41, "weight"] = np.inf
    infinite.to_parquet(folder / "infinite.parquet")
    infinite.to_csv(folder / "infinite.csv", index=False)
    FRAME.head(5).to_csv(folder / "five.csv", index=False)
    FRAME[["country"]].assign(name=[f"N-{i:03d}" for i in range(ROWS)]).to_csv(folder / "constant.csv", index=False)
    for name, second in {
        "renamed": FRAME.rename(columns={"sex": "gender"}),
        "retyped": FRAME.assign(age=FRAME["sex"]),
    }.items():
        (folder / name).mkdir()
        FRAME.to_parquet(folder / name / "part-1.parquet")
        second.to_parquet(folder / name / "part-2.parquet")
    FRAME.to_csv(folder / "no_names.csv", index=False, header=False)
    (folder / "lost_lines.csv").write_text(FRAME.to_csv(index=False) + "17,Female\n" * 9)
    (folder / "latin.csv").write_bytes(b"name,age\n" + b"Anna,3\n" * 20 + b"J\xfcrgen,3\n" * 20)
    (folder / "utf16.csv").write_bytes("name,age\nAnna,3\n".encode("utf-16-le"))
    (folder / "ragged_latin.csv").write_bytes(b"name,age\n" + b"Anna,3\n" * 20 + b"J\xfcrgen,3,4\n" * 2)
    (folder / "open_quote.csv").write_text('name,age\n"Anna,3\n' + "Otto,4\n" * 30)
    return {
        "nothing.csv": ["it is empty"],
        "only_names.csv": ["has no rows"],
        "twice.csv": ["several columns of the name 'age'"],
        "lists.parquet": ["column 'tags'", "holds lists"],
        "infinite.parquet": ["column 'weight'", "holds inf in row 42"],
        "infinite.csv": ["column 'weight'", "holds inf in row 42"],
        "five.csv": ["has 5 rows", "At least 20"],
        "constant.csv": ["nothing to learn"],
        "renamed": ["part-2.parquet", "lacks 'sex' and adds 'gender'"],
        "retyped": ["column 'age'", "string in the part 'part-2.parquet'", "int64 in 'part-1.parquet'"],
        "no_names.csv": ["seems to hold values, not names", "Add a line of names"],
        "lost_lines.csv": ["9 of ", "has 2 fields, and the names are 6"],
        "latin.csv": ["Line 22", "0xfc", "not UTF-8"],
        "utf16.csv": ["many of its bytes are zero", "UTF-16"],
        "ragged_latin.csv": ["Line 22", "0xfc", "not UTF-8"],
        "open_quote.csv": ["near line 2", "never closed"],
        "lost.csv": ["nothing at 'lost.csv'"],
    }


@pytest.mark.parametrize("verb", ["train", "plan"])
def test_a_table_that_cannot_be_used_is_named_with_its_column_and_row(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    cases = write_unusable(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    for name, words in cases.items():
        said = refused([verb, name, *QUICK], capsys)
        for word in words:
            assert word in said, (name, said)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--rule", "age <= agee"], ["no column 'agee'", "Did you mean 'age'?"]),
        (["--rule", "0 <= age <= 20", "--rule", "age >= 30"], ["No value of 'age'", "'age >= 30'"]),
        (["--rule", "start <= end", "--rule", "end <= start"], ["go round in a circle"]),
        (["--rule", "end <= start"], ["Row 1 breaks the rule 'end <= start'"]),
        (["--rule", "sex <= age"], ["'sex' is category"]),
        (["--rule", "age is nice"], ["'age is nice' cannot be read", "A rule is like"]),
        (["--plan", "lost.json"], ["lost.json", "cannot be read"]),
        (["--plan", "wrong.json"], ["column 'age'", "cannot be a boolean", "row 1"]),
        (["--plan", "other.json"], ["column 'aeg'", "Did you mean 'age'?"]),
        (["--label", "incom"], ["no column 'incom'", "Did you mean 'income'?"]),
        (["--resolution", "32"], ["--resolution 32", "taken for tables", "Only pictures have"]),
        (["--set", "rows.rules=x"], ["rows.rules", "--rule"]),
        (["--set", "rows.spans=1"], ["rows.spans cannot be 1"]),
        (["--task", "imput"], ["Did you mean 'impute'?"]),
    ],
)
def test_a_wish_that_cannot_be_met_is_said_before_anything_is_written(
    options: list[str],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    FRAME.assign(start=FRAME["start"] - 1).to_csv("people.csv", index=False)  # start < end in every row
    (tmp_path / "wrong.json").write_text(json.dumps({"columns": [{"name": "age", "kind": "boolean"}]}))
    (tmp_path / "other.json").write_text(json.dumps({"columns": [{"name": "aeg", "kind": "integer"}]}))
    said = refused(["train", "people.csv", *QUICK, *options], capsys)
    for word in words:
        assert word in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.json", "people.csv", "wrong.json"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--where", "incom=>50K"], ["no column 'incom'", "Did you mean 'income'?"]),
        (["--where", "income=50k"], ["never '50k'", "'>50K'", "'<=50K'"]),
        (["--where", "age>=900"], ["'age>=900' cannot be met", "is drawn from 18 to 89"]),
        (["--where", "age=old"], ["'old' is not a number", "'age'"]),
        (["--where", "age>=60", "--where", "age<20"], ["cannot both hold"]),
        (["--where", "sex"], ["'sex'"]),
        (["--where", "country=Peru"], ["never 'Peru'", "Chile"]),
        (
            ["--label", "Female"],
            ["--label Female was given", "run of tables", "Only pictures", "have --label"],
        ),
        (["--truncation", "0.5"], ["truncation"]),
        (["--out", "new.png"], ["cannot be written as 'new.png'", ".csv"]),
        (["--out", "there.csv"], ["'there.csv' exists already", "--force"]),
    ],
)
def test_rows_that_cannot_be_drawn_are_bad_input_and_lose_no_file(
    options: list[str],
    words: list[str],
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.csv").write_text("a person's")
    out = [] if "--out" in options else ["--out", "new.csv"]
    said = refused(["sample", str(run), "-n", "9", *out, *options], capsys)
    for word in words:
        assert word in said
    assert [path.name for path in tmp_path.iterdir()] == ["there.csv"]
    assert (tmp_path / "there.csv").read_text() == "a person's"


def test_ragged_lines_are_counted_listed_and_told(run: Path) -> None:
    passport = json.loads((run / "passport.json").read_text())
    assert passport["rows"] == ROWS and passport["ragged_lines"] == 2
    assert [line["line"] for line in passport["first_ragged_lines"]] == [11, 21]
    said = run.with_name("said.txt").read_text()
    assert "Note: 2 lines have too few or too many fields and were left out: line 11, 21." in said


def test_at_the_end_stands_what_can_be_done_with_rows(run: Path) -> None:
    said = run.with_name("said.txt").read_text()
    assert f"ganforge sample {run} -n 1000 --out new.csv  " in said and "new rows" in said and ".png  " not in said
    assert "table_quality" in said and "lower is better" not in said


def test_a_column_of_one_value_is_kept_as_it_is(run: Path, tmp_path: Path) -> None:
    assert main(["sample", str(run), "-n", "50", "--out", str(tmp_path / "new.csv"), "--where", "country=Chile"]) == 0
    assert set(pd.read_csv(tmp_path / "new.csv")["country"]) == {"Chile"}


def test_a_table_to_fill_that_is_not_like_the_one_learned_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    FRAME.drop(columns="age").to_csv(tmp_path / "less.csv", index=False)
    FRAME.assign(age="old").to_csv(tmp_path / "other.csv", index=False)
    for name, words in {"less.csv": "no column 'age'", "other.csv": "'age'"}.items():
        said = refused(["apply", str(run), str(tmp_path / name), "--out", str(tmp_path / "filled.csv")], capsys)
        assert words in said
    assert not (tmp_path / "filled.csv").exists()


def test_conditions_are_for_rows_and_rules_for_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(tmp_path / "digits")
    for asked in (["--rule", "a <= b"], ["--plan", "plan.json"]):
        said = refused(["train", "digits8", *asked], capsys)
        assert f"{asked[0]} " in said and "'digits8' is taken for pictures" in said
        assert f"Only tables have {asked[0]}." in said
    assert "no run" in refused(["sample", run, "--out", "new.csv", "--where", "sex=Male"], capsys)
