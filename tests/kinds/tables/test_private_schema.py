"""The schema of a private table: what it may say, and what is refused, with the price of what it does not say."""

import json

import pytest

from ganforge.errors import RecipeError
from ganforge.kinds.tables.private.schema import MOST_CATEGORIES, read_schema, schema_for


def about(column, **more):
    return schema_for(("x", "y"), {"columns": {"x": column, "y": {"categories": ["a"]}}, **more}, None, bought=False)


def test_a_schema_says_kinds_ranges_and_the_column_to_predict():
    content = {
        "target": "sex",
        "columns": {
            "sex": {"categories": ["F", 1, 2.0, True], "missing": False},
            "age": {"low": 0, "high": 99, "integer": True},
            "seen": {"low": "2020-01-01", "high": "2020-01-31"},
            "name": {"leave_out": True},
        },
    }
    schema = schema_for(("name", "age", "sex", "seen"), content, None, bought=False)
    assert [column.name for column in schema.columns] == ["age", "sex", "seen"]
    assert schema.left_out == ("name",) and schema.target == "sex"
    assert schema.columns[1].categories == ("F", "1", "2", "True") and not schema.columns[1].missing
    assert schema.columns[2].high - schema.columns[2].low == 30


def test_a_column_without_bounds_is_refused_with_the_price_of_buying_them():
    with pytest.raises(RecipeError, match="'x' has no bounds") as caught:
        about({})
    assert "bounds=0.1" in str(caught.value) and "single people" in str(caught.value)
    assert schema_for(("x", "y"), {}, "y", bought=True).columns[0].kind == "unknown"


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ({"low": 3, "high": 3}, "above low"),
        ({"low": "a", "high": "b"}, "A date is written"),
        ({"low": 0, "high": "2020-01-01"}, "both numbers or both dates"),
        ({"low": 0, "high": float("nan")}, "both numbers"),
        ({"low": 0.5, "high": 2, "integer": True}, "whole numbers"),
        ({"low": 0, "high": 1, "decimals": -1}, "from 0 to"),
        ({"categories": []}, "one at least"),
        ({"categories": ["a", "a"]}, "named once"),
        ({"categories": "abc"}, "list of texts"),
        ({"categories": ["a"], "missing": "no"}, "true or false"),
        ({"categories": list(map(str, range(MOST_CATEGORIES + 1)))}, "Noise leaves nothing"),
        ({"low": "2020-01-01", "high": "2021-01-01", "format": "day"}, "written as"),
    ],
)
def test_a_wrong_column_is_refused_in_words(column, words):
    with pytest.raises(RecipeError, match=words):
        about(column)


def test_unknown_columns_and_targets_are_refused():
    with pytest.raises(RecipeError, match="has a column 'z'"):
        schema_for(("x",), {"columns": {"z": {}}}, None, bought=True)
    with pytest.raises(RecipeError, match="no column 'w' to predict"):
        about({"categories": ["b"]}, target="w")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "no object of columns"),
        ('{"columns": {"a": 1}}', "no object of columns"),
        (json.dumps({"columns": {}, "rule": 1}), "unknown key 'rule'"),
        (json.dumps({"columns": {"a": {"hihg": 1}}}), "unknown key 'hihg'"),
    ],
)
def test_a_file_that_is_not_a_schema_is_refused(tmp_path, text, words):
    (tmp_path / "schema.json").write_text(text)
    with pytest.raises(RecipeError, match=words):
        read_schema(tmp_path / "schema.json")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_schema(tmp_path / "none.json")
