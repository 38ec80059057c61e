"""The verbs. A new task is one file and one line here: by its name, then by the kind of data that it is done with."""

from __future__ import annotations

from collections.abc import Mapping

from ganforge.contracts import Task
from ganforge.kinds.pictures.enhance.task import Enhance
from ganforge.kinds.pictures.generate.model import PictureModel, labels_for, load_model
from ganforge.kinds.pictures.generate.task import Generate
from ganforge.kinds.pictures.image_to_image import LOADERS, PictureMap, load_map
from ganforge.kinds.pictures.translate.task import Translate
from ganforge.kinds.tables.generate.model import RowModel, load_rows
from ganforge.kinds.tables.generate.task import GenerateRows
from ganforge.kinds.tables.impute import Impute
from ganforge.kinds.tables.regress.task import Regress

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
