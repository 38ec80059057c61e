"""The verb `plan`: what training would do, and why."""

from __future__ import annotations

from typing import Any

from ganforge.api.fit_settings import with_guard
from ganforge.api.request import requested, task_for
from ganforge.api.stored_run import Teller
from ganforge.recipe import Recipe


def plan(source: object, **asked: Any) -> Recipe:
    """What `train` would do with this data on this machine: every choice with its reason. Trains nothing.

    Args: source and asked as for `train`. Raises: DataError, RecipeError.
    """
    with requested(source, asked) as request:
        return with_guard(task_for(request).plan(request, Teller(())).recipe)
