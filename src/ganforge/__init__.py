"""ganforge: train a generative adversarial network on your own data, and be told whether it is any good.

import ganforge as gf

run = gf.train("photos/", minutes=5)
print(run.verdict)
run.sample(64)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ganforge.errors import (
    ChangedDataError,
    DataError,
    GanforgeError,
    InputError,
    Interrupted,
    Preempted,
    RecipeError,
    RunError,
    StorageError,
    TrainingError,
    WorldError,
)

if TYPE_CHECKING:
    from ganforge.api.apply import apply
    from ganforge.api.augment import augment
    from ganforge.api.diagnose import diagnose
    from ganforge.api.evaluate import evaluate
    from ganforge.api.interpolate import interpolate
    from ganforge.api.invert import invert
    from ganforge.api.plan import plan
    from ganforge.api.profile import profile
    from ganforge.api.report import report
    from ganforge.api.runs import runs
    from ganforge.api.sample import load, sample
    from ganforge.api.train import resume, train
    from ganforge.table_gan import TableGAN

__version__ = "0.1.0"

__all__ = [
    "ChangedDataError",
    "DataError",
    "GanforgeError",
    "InputError",
    "Interrupted",
    "Preempted",
    "RecipeError",
    "RunError",
    "StorageError",
    "TableGAN",
    "TrainingError",
    "WorldError",
    "__version__",
    "apply",
    "augment",
    "diagnose",
    "evaluate",
    "interpolate",
    "invert",
    "load",
    "plan",
    "profile",
    "report",
    "resume",
    "runs",
    "sample",
    "train",
]


ELSEWHERE = {"resume": "ganforge.api.train", "TableGAN": "ganforge.table_gan"}  # else a verb is in api/<verb>.py


def __getattr__(name: str) -> Any:
    """Verbs and TableGAN, imported at first use: they bring torch, which `import ganforge` should not wait for."""
    if name not in __all__:
        raise AttributeError(f"module 'ganforge' has no attribute {name!r}")
    return getattr(import_module(ELSEWHERE.get(name, f"ganforge.api.{name}")), name)


def __dir__() -> list[str]:
    return __all__
