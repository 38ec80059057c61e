"""The public names: all of them there, none too many, and the quick ones quick."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

import ganforge
from ganforge import errors


@pytest.mark.parametrize("name", ganforge.__all__)
def test_every_listed_name_is_there_and_documented(name: str) -> None:
    value = getattr(ganforge, name)
    assert name == "__version__" or inspect.getdoc(value)


def test_every_error_class_is_listed() -> None:
    classes = {
        name for name, value in vars(errors).items() if inspect.isclass(value) and value.__module__ == errors.__name__
    }
    assert classes <= set(ganforge.__all__)


def test_every_verb_of_the_command_line_is_a_function() -> None:
    main = importlib.import_module("ganforge.cli.main")
    for command in main.app.registered_commands:
        name = command.callback.__name__
        assert name in ganforge.__all__ or f"{name}_of" in ganforge.__all__  # ganforge.privacy is a package


def test_the_list_is_sorted_without_repeats_and_dir_shows_it() -> None:
    assert sorted(set(ganforge.__all__)) == sorted(ganforge.__all__)
    assert set(dir(ganforge)) == set(ganforge.__all__)


@pytest.mark.slow
def test_no_verb_is_hidden_by_a_module_of_its_name() -> None:
    """`import ganforge.x` puts the module x into ganforge, over a function of that name."""
    program = (
        "import ganforge, inspect, ganforge.api\n"
        "print([n for n in ganforge.__all__ if inspect.ismodule(getattr(ganforge, n))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=600)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        ganforge.trian  # noqa: B018


def test_import_ganforge_does_not_import_torch() -> None:
    program = "import sys, ganforge; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=600)
    assert done.stdout.strip() == "False"
