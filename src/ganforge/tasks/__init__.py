"""The verbs. A new task is one file and one line here."""

from __future__ import annotations

from ganforge.contracts import Task
from ganforge.tasks.generate import Generate
from ganforge.tasks.model import PictureModel, labels_for, load_model
from ganforge.tasks.regress import Regress

TASKS: dict[str, type[Task]] = {"generate": Generate, "regress": Regress}

__all__ = ["TASKS", "PictureModel", "labels_for", "load_model"]
