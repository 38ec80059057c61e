"""Every setting of every task, of every kind: what is typed after --set is read, or refused in words."""

from importlib import import_module

import pytest

from ganforge.contracts import Task
from ganforge.errors import RecipeError
from ganforge.kinds import KINDS, kind_named
from ganforge.planning.draft import Pinned
from ganforge.recipe import SECTIONS, Request

TASKS = [where for kind in KINDS for where in kind_named(kind).tasks.values()]


@pytest.mark.parametrize("where", TASKS)
@pytest.mark.parametrize("typed", ["", "0", "1e400", "abc", "null", "{}"])
def test_a_setting_is_read_or_refused_in_words(where: str, typed: str) -> None:
    module, _, name = where.partition(":")
    task: type[Task] = getattr(import_module(module), name)
    refused = 0
    for section in (*SECTIONS, *filter(None, (task.section,))):
        for key in section.model_fields:
            try:
                Pinned(Request(source="x", settings={f"{section.key}.{key}": typed}), task)
            except RecipeError as refusal:
                refused += 1
                assert refusal.what and refusal.why, (section.key, key)
    assert refused
