"""ganforge: train a generative adversarial network on your own data, and measure how good it is.

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
    from ganforge.api.anonymise import anonymise
    from ganforge.api.audit import audit
    from ganforge.api.card import card
    from ganforge.api.compare import compare
    from ganforge.api.diagnose import diagnose
    from ganforge.api.lock import lock, new_lock_key, unlock
    from ganforge.api.privacy import privacy_of
    from ganforge.api.profile import profile
    from ganforge.api.runs import runs
    from ganforge.api.sample import apply, augment, interpolate, invert, load, sample
    from ganforge.api.sign import new_signing_key, sign, verify
    from ganforge.api.train import evaluate, plan, report, resume, train
    from ganforge.recommender import Recommender
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
    "Recommender",
    "RunError",
    "StorageError",
    "TableGAN",
    "TrainingError",
    "WorldError",
    "__version__",
    "anonymise",
    "apply",
    "audit",
    "augment",
    "card",
    "compare",
    "diagnose",
    "evaluate",
    "interpolate",
    "invert",
    "load",
    "lock",
    "new_lock_key",
    "new_signing_key",
    "plan",
    "privacy_of",
    "profile",
    "report",
    "resume",
    "runs",
    "sample",
    "sign",
    "train",
    "unlock",
    "verify",
]


HOMES = {
    "ganforge.api.anonymise": ("anonymise",),
    "ganforge.api.audit": ("audit",),
    "ganforge.api.card": ("card",),
    "ganforge.api.compare": ("compare",),
    "ganforge.api.diagnose": ("diagnose",),
    "ganforge.api.lock": ("lock", "new_lock_key", "unlock"),
    "ganforge.api.privacy": ("privacy_of",),
    "ganforge.api.profile": ("profile",),
    "ganforge.api.runs": ("runs",),
    "ganforge.api.sample": ("apply", "augment", "interpolate", "invert", "load", "sample"),
    "ganforge.api.sign": ("new_signing_key", "sign", "verify"),
    "ganforge.api.train": ("evaluate", "plan", "report", "resume", "train"),
    "ganforge.recommender": ("Recommender",),
    "ganforge.table_gan": ("TableGAN",),
}


def __getattr__(name: str) -> Any:
    """Import verbs and estimators at first use: they import torch, which `import ganforge` should not wait for."""
    home = next((module for module, names in HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'ganforge' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return __all__
