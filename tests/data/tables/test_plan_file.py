import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from table_frames import source_of

from ganforge.errors import InputError, RecipeError
from ganforge.kinds.tables.reading.plan_file import read_plan, write_plan
from ganforge.kinds.tables.reading.survey import survey_table

FRAME = pd.DataFrame({"age": np.arange(30) % 7, "city": ["Köln", "Bonn", "Ulm"] * 10, "key": np.arange(30)})
COLUMNS = survey_table(source_of(FRAME)).columns


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    assert write_plan(tmp_path / "plan.json", COLUMNS, ["0 <= age <= 99"], "people.csv")
    return tmp_path / "plan.json"


def edit(plan: Path, **changes: Any) -> None:
    content = json.loads(plan.read_text("utf-8"))
    column = content["columns"][0]
    for key, value in changes.items():
        if key in ("columns", "rules", "ruels"):
            content[key] = value
        else:
            column[key] = value
    plan.write_text(json.dumps(content), "utf-8")


def test_a_plan_is_read_as_it_was_written_and_changes_nothing(plan: Path) -> None:
    columns, rules = read_plan(plan)
    survey = survey_table(source_of(FRAME), columns)
    assert survey.columns == columns and rules == ("0 <= age <= 99",)
    assert json.loads(plan.read_text("utf-8"))["source"] == "people.csv"


def test_an_edit_reaches_the_survey_and_short_plans_are_enough(plan: Path) -> None:
    edit(plan, kind="category")
    assert survey_table(source_of(FRAME), read_plan(plan)[0]).columns[0].kind == "category"
    edit(plan, columns=[{"name": "key", "kind": "integer"}])
    found = {column.name: column for column in survey_table(source_of(FRAME), read_plan(plan)[0]).columns}
    assert found["key"].kind == "integer" and found["key"].dtype == "int64" and found["age"].kind == "integer"


def test_a_plan_without_rules_says_nothing_about_them_and_one_with_none_wants_none(plan: Path) -> None:
    edit(plan, rules=[])
    assert read_plan(plan)[1] == ()
    plan.write_text(json.dumps({"columns": [{"name": "key", "kind": "integer"}]}), "utf-8")
    assert read_plan(plan)[1] is None


def test_corrections_are_never_written_over_without_force(plan: Path) -> None:
    assert write_plan(plan, COLUMNS, ["0 <= age <= 99"], "people.csv")  # the same again
    edit(plan, kind="category")
    before = plan.read_bytes()
    assert not write_plan(plan, COLUMNS, ["0 <= age <= 99"], "people.csv")
    assert plan.read_bytes() == before
    assert write_plan(plan, COLUMNS, ["0 <= age <= 99"], "people.csv", force=True)
    assert read_plan(plan)[0] == COLUMNS
    with pytest.raises(InputError, match="is a folder"):
        write_plan(plan.parent, COLUMNS, [], "people.csv", force=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"knd": "category"}, "column 'age' of the plan has an unknown key 'knd'. Did you mean 'kind'"),
        ({"kind": "categroy"}, "column 'age' of the plan has the kind 'categroy'. Did you mean 'category'"),
        ({"decimals": 77}, "column 'age' of the plan has decimals = 77"),
        ({"minimum": "low"}, "has minimum = 'low'"),
        ({"ruels": []}, "unknown key 'ruels'. Did you mean 'rules'"),
        ({"rules": "a <= b"}, "not a list of texts"),
        ({"columns": ["age"]}, "not a list of objects"),
        ({"columns": [{"kind": "integer"}]}, "column number 1 of the plan has name"),
        ({"columns": [{"name": "age", "kind": "integer"}] * 2}, "column 'age' twice"),
    ],
)
def test_a_slip_is_named_with_its_column(plan: Path, changes: dict[str, Any], words: str) -> None:
    edit(plan, **changes)
    with pytest.raises(RecipeError, match=words):
        read_plan(plan)


def test_files_that_are_no_plans_are_refused(tmp_path: Path) -> None:
    for content, words in [(b'{"a": 1,}', "line 1, column 9"), (b"[]", "not a JSON object"), (b'"\xff"', "not UTF-8")]:
        (tmp_path / "plan.json").write_bytes(content)
        with pytest.raises(RecipeError, match=words):
            read_plan(tmp_path / "plan.json")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_plan(tmp_path / "none.json")
