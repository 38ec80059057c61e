"""Options of kinds of data: read alike from Python and the command line, refused where they belong to another kind."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganforge as gf
from ganforge.api.request import asked_of, request_of
from ganforge.cli.main import main
from ganforge.contracts import Option
from ganforge.errors import RecipeError
from ganforge.kinds import every_kind, options_of, read_options, read_value
from ganforge.recipe import Request

VERBS = ("train", "sample", "apply")


def option(**about: Any) -> Option:
    return Option(**{"name": "side", "verbs": ("train",), "metavar": "N", "help": "", "example": "8"} | about)


@pytest.mark.parametrize("verb", VERBS)
def test_what_several_kinds_call_by_one_name_is_one_option(verb: str) -> None:
    for name, owners in options_of(verb).items():
        kinds = {(o.type, o.metavar, o.flag, o.many, o.within, o.check) for _, o in owners}
        assert len(kinds) == 1, name


def test_an_option_of_a_kind_hides_none_that_every_kind_has() -> None:
    assert not set(options_of("train")) & set(Request.model_fields)


@pytest.mark.parametrize("kind", every_kind(), ids=lambda kind: kind.name)
def test_every_option_has_a_help_text_a_verb_and_an_example_that_can_be_read(kind: Any) -> None:
    for each in kind.options:
        assert each.help.endswith(".") and set(each.verbs) <= set(VERBS)
        assert (each.type is bool) == (each.metavar == "")
        if each.type is not bool:
            read_value(each, each.example.strip('"'))


@pytest.mark.parametrize(
    ("about", "given", "read"),
    [
        ({"type": int}, "2_000", 2000),
        ({"type": int}, "2,000", 2000),
        ({"type": int}, np.int64(7), 7),
        ({"type": float}, "0.5", 0.5),
        ({"type": float, "within": (0, 1)}, 1, 1.0),
        ({"type": str}, Path("a"), "a"),
        ({"type": str}, 3, "3"),
        ({"type": bool}, True, True),
        ({"type": str, "check": str.upper}, "a", "A"),
        ({"type": object}, {"a": (1, None)}, {"a": (1, None)}),
    ],
)
def test_a_value_is_read_from_words_and_from_python(about: dict[str, Any], given: Any, read: Any) -> None:
    value = read_value(option(**about), given)
    assert value == read and type(value) is type(read)


@pytest.mark.parametrize(
    ("about", "given", "words"),
    [
        (
            {"type": int, "within": (8, 256)},
            300,
            "--side cannot be 300. It is a whole number from 8 to 256.",
        ),
        ({"type": int, "within": (2, math.inf)}, "1", "a whole number from 2 on."),
        ({"type": int}, 2.5, "It is a whole number."),
        ({"type": int}, True, "It is a whole number."),
        ({"type": float}, "nan", "It is a number."),
        ({"type": float}, "much", "It is a number."),
        ({"type": bool}, 1, "true or false"),
        ({"type": str}, [1], "It is a text."),
        ({"type": str, "flag": "--of"}, None, "--of cannot be None"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_words(about: dict[str, Any], given: Any, words: str) -> None:
    with pytest.raises(RecipeError) as refused:
        read_value(option(**about), given)
    assert words in str(refused.value)


def test_what_nobody_asked_for_is_left_out_and_several_are_a_tuple() -> None:
    asked = {"resolution": None, "rules": (), "plan": None}
    assert read_options("train", asked) == {}
    assert read_options("apply", {"strength": "0", "draw": False}) == {"strength": 0.0}
    assert read_options("train", {"rules": ["a <= b"]}) == {"rules": ("a <= b",)}
    with pytest.raises(RecipeError, match=r"rules cannot be 'a <= b'. It takes several. Give a list"):
        read_options("train", {"rules": "a <= b"})


def test_options_stand_in_a_request_as_they_were_asked_and_come_back_from_json(tmp_path: Path) -> None:
    asked = {"rules": ["a <= b"], "plan": "plan.json", "examples": 9, "settings": {"records.look_samples": 50}}
    request = request_of("people.csv", asked)
    assert request.options == {"rules": ("a <= b",), "plan": str(Path.cwd() / "plan.json")}
    again = Request.model_validate_json(request.model_dump_json(exclude_unset=True))
    assert again == request
    assert request_of(again.source, asked_of(again)) == request


@pytest.mark.parametrize(
    ("source", "asked", "words"),
    [
        (
            "digits8",
            {"rules": ["a <= b"]},
            ("--rule a <= b was given", "'digits8' is taken for", "Only tables"),
        ),
        ("wine", {"resolution": 8}, ("--resolution 8 was given", "'wine' is taken for tables", "Only pictures have")),
        ("wine", {"task": "impute", "resolution": 8}, ("the task impute is one of tables", "Leave it out.")),
        ("digits8", {"kind": "pictures", "plan": "p"}, ("the data is of the kind pictures", "Only tables have --plan")),
        ("digits8", {"resolution": 4}, ("--resolution cannot be 4", "from 8 to 256")),
        ("digits8", {"resolutoin": 8}, ("no option 'resolutoin'", "Did you mean 'resolution'?")),
        ("digits8", {"options": {}}, ("no option 'options'",)),
        ("digits8", {"where": ["a=1"]}, ("no option 'where'",)),
    ],
)
def test_an_option_of_another_kind_is_refused_with_whose_it_is(
    source: str, asked: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(RecipeError) as refused:
        gf.plan(source, examples=64, **asked)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize("verb", ["train", "plan", "profile"])
def test_help_lists_kinds_tasks_data_sets_and_options_of_every_kind(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main([verb, "--help"]) == 0
    page = " ".join(capsys.readouterr().out.split())
    for kind in every_kind():
        assert not any("train" in each.verbs for each in kind.options) or f"Only for {kind.name}" in page
        for word in kind.tasks if verb != "profile" else (*kind.tasks,):
            assert word in page
        assert verb == "profile" or all(name in page for name in kind.built_in)
    for name, owners in options_of("train").items():
        assert (owners[0][1].flag or f"--{name}") in page
