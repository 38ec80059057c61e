"""The verbs on a table: what plan shows and writes, rows under conditions, missing cells filled."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ganforge.cli import main
from ganforge.kinds.tables.reading.plan_file import read_plan

RANDOM = np.random.default_rng(0)
ROWS = 150
START = RANDOM.integers(0, 60, ROWS)
FRAME = pd.DataFrame(
    {
        "age": RANDOM.integers(17, 90, ROWS),
        "sex": RANDOM.choice(["Female", "Male"], ROWS),
        "income": RANDOM.choice([">50K", "<=50K"], ROWS),
        "start": START,
        "end": START + RANDOM.integers(0, 9, ROWS),
    }
)
HOLES = FRAME.assign(
    age=FRAME["age"].where(RANDOM.random(ROWS) > 0.2), sex=FRAME["sex"].where(RANDOM.random(ROWS) > 0.2)
)
QUICK = ["--examples", "256", "--size", "tiny"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    FRAME.to_csv(tmp_path / "people.csv", index=False)
    return tmp_path


@pytest.fixture(scope="module")
def impute_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("holes")
    HOLES.to_csv(folder / "holes.csv", index=False)
    run = folder / "run"
    assert main(["train", str(folder / "holes.csv"), "--task", "impute", *QUICK, "--run", str(run)]) == 0
    return run


@pytest.mark.parametrize("width", ["80", "160"])
def test_plan_shows_columns_rules_and_settings_and_writes_a_file(
    width: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    assert main(["plan", "people.csv", *QUICK]) == 0
    out = capsys.readouterr().out
    for words in ("what will be", "18 to 89", "start <= end", "rows.spans", "network.width", "plan.json"):
        assert words in out
    assert ("whole numbers: " in out) == (width == "160")  # why a column is of its kind: where there is room
    assert "ganforge train people.csv --plan plan.json" in out
    columns, rules = read_plan(here / "plan.json")
    assert [column.name for column in columns] == list(FRAME.columns) and rules == ("start <= end",)


@pytest.mark.slow
def test_corrections_in_a_plan_reach_the_training_and_survive_the_next_plan(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "people.csv", *QUICK, "--out", "mine.json"]) == 0
    content = json.loads((here / "mine.json").read_text())
    content["columns"][3]["kind"] = "category"
    content["rules"] = ["10 <= age <= 99"]
    (here / "mine.json").write_text(json.dumps(content))
    corrected = (here / "mine.json").read_bytes()
    assert main(["plan", "people.csv", *QUICK, "--out", "mine.json"]) == 0
    assert "Left as it was" in capsys.readouterr().out
    assert (here / "mine.json").read_bytes() == corrected
    options = ["--plan", "mine.json", "--rule", "seen age", "--run", "run"]
    assert main(["train", "people.csv", *QUICK, *options]) == 0
    recipe = json.loads((here / "run" / "recipe.json").read_text())
    assert recipe["data"]["columns"][3]["kind"] == "category"
    assert recipe["rows"]["rules"] == ["10 <= age <= 99", "seen age"]
    assert main(["plan", "people.csv", *QUICK, "--out", "mine.json", "--force"]) == 0
    assert json.loads((here / "mine.json").read_text())["rules"] == ["start <= end"]


def test_where_no_file_can_be_written_the_plan_is_shown_all_the_same(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "people.csv", *QUICK, "--out", "people.csv/plan.json"]) == 1
    seen = capsys.readouterr()
    assert "start <= end" in seen.out and "could not be written" in seen.err and "Traceback" not in seen.err
    assert [path.name for path in here.iterdir()] == ["people.csv"]


def test_plan_writes_no_file_for_pictures(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "digits8", "--examples", "640", "--out", "plan.json"]) == 2
    assert "nothing to write" in capsys.readouterr().err
    assert [path.name for path in here.iterdir()] == ["people.csv"]


@pytest.mark.slow
def test_every_row_meets_every_condition_in_every_kind_of_file(impute_run: Path, here: Path) -> None:
    where = ["--where", "sex=Female", "--where", "age>=60", "--where", "income=>50K"]
    for name, read in {"new.csv": pd.read_csv, "new.parquet": pd.read_parquet, "new.tsv.gz": pd.read_table}.items():
        assert main(["sample", str(impute_run), "-n", "70", "--out", name, *where]) == 0
        rows = read(here / name)
        assert len(rows) == 70 and list(rows.columns) == list(FRAME.columns)
        assert (rows["sex"] == "Female").all() and (rows["age"] >= 60).all() and (rows["income"] == ">50K").all()
        assert (rows["start"] <= rows["end"]).all()


def test_missing_cells_are_filled_as_guessed_or_as_drawn(
    impute_run: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(impute_run.with_name("holes.csv"))
    for name, more in {"guessed.csv": [], "drawn.csv": ["--draw"], "other.csv": ["--draw", "--seed", "1"]}.items():
        assert main(["apply", str(impute_run), source, "--out", name, *more]) == 0
        assert name in capsys.readouterr().out
    guessed, drawn, other = (pd.read_csv(here / name) for name in ("guessed.csv", "drawn.csv", "other.csv"))
    for filled in (guessed, drawn, other):
        assert filled.notna().all().all()
        pd.testing.assert_frame_equal(filled.where(HOLES.notna()), HOLES.astype(filled.where(HOLES.notna()).dtypes))
    assert not drawn.equals(other)
    assert main(["apply", str(impute_run), source, "--out", "drawn.csv"]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["apply", str(impute_run), source, "--out", "drawn.csv", "--force"]) == 0
    assert pd.read_csv(here / "drawn.csv").equals(guessed)


def test_a_run_that_fills_says_how(impute_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resume", str(impute_run)]) == 0
    out = capsys.readouterr().out
    assert f"ganforge apply {impute_run} " in out and "--out filled.csv" in out
