"""The verb `audit`: what attacks on a trained run find. They can find a leak; they cannot prove that there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ganforge import __version__
from ganforge.api.stored_run import Teller, on_this_machine, recipe_of, reopened
from ganforge.planning.compute import library_threads, use
from ganforge.privacy.attacks import attack
from ganforge.privacy.engine_audit import audit_engine
from ganforge.run import Run, refuse_in_use, refuse_unfinished

OUTSIDE = (
    "The run was trained privately, and this audit reads its data without noise: what it says is outside the guarantee."
)


def audit(run: str | Path, *, engine: bool = False, seed: int = 0) -> dict[str, Any]:
    """Attack a finished run with its own training examples, beside others that training never saw.

    Args: engine tests the private training engine too; seed of what attackers choose by chance.
    Returns: the content of RUN/audit.json: outcome ("leak", "none found" or "unclear"), verdict {headline, sentences},
        attacks [{name, title, how, needs, auc, true_positive_rate, false_positive_rate, success, members, non_members,
        chance, leaks}], control, copies, missing, engine [{name, measured, bar, passed, words}].
    Raises: RunError if the run is not finished, or is in use; DataError if its data is missing or has changed;
        InputError for a task that has no attacks.
    """
    folder = Run.open(run)
    refuse_unfinished(folder, "There is no model to attack before its training has ended.")
    refuse_in_use(folder)
    tested = [asdict(finding) for finding in audit_engine()] if engine else []
    recipe = on_this_machine(recipe_of(folder))
    use(recipe.compute)
    job = reopened(folder, recipe, Teller(()))
    with library_threads(recipe.compute):
        found = attack(job.exposure(folder, job.read_product(folder.model)), seed)
    content = {"ganforge": __version__, "seed": seed, **found.content(), "engine": tested}
    if folder.privacy.is_file():
        content["verdict"] = _with_sentence(content["verdict"], OUTSIDE)
    folder.write_json(folder.audit, content)
    return content


def _with_sentence(verdict: Mapping[str, Any], sentence: str) -> dict[str, Any]:
    return {**verdict, "sentences": [*verdict["sentences"], sentence]}
