"""The verbs. A new task is one file and one line here: by its name, then by the kind of data that it is done with."""

from __future__ import annotations

from collections.abc import Mapping

from ganforge.contracts import Task
from ganforge.tasks.enhance import Enhance
from ganforge.tasks.generate import Generate
from ganforge.tasks.generate_rows import GenerateRows
from ganforge.tasks.impute import Impute
from ganforge.tasks.model import PictureModel, labels_for, load_model
from ganforge.tasks.picture_map import LOADERS, PictureMap, load_map
from ganforge.tasks.regress import Regress
from ganforge.tasks.row_model import RowModel, load_rows
from ganforge.tasks.translate import Translate

TASKS: dict[str, Mapping[str, type[Task]]] = {
    "generate": {"pictures": Generate, "table": GenerateRows},
    "impute": {"table": Impute},
    "regress": {"table": Regress},
    "translate": {"pictures": Translate},
    "enhance": {"pictures": Enhance},
}

__all__ = [
    "LOADERS",
    "TASKS",
    "PictureMap",
    "PictureModel",
    "RowModel",
    "labels_for",
    "load_map",
    "load_model",
    "load_rows",
]
