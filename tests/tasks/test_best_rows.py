"""A run on a table keeps its best rows: planned so, and so it is what `sample` draws from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ganforge as gf
from ganforge.core.files import sha256_of
from ganforge.kinds.tables.generate import task as generate_rows
from ganforge.run import Run

QUICK = {"compute.threads": 1, "records.every_steps": 1, "network.width": 16, "optimiser.batch_size": 128}


@pytest.fixture
def frame() -> pd.DataFrame:
    random = np.random.default_rng(0)
    height = random.normal(170, 9, 300).round(1)
    return pd.DataFrame({"height": height, "tall": np.where(height > 175, "yes", "no")})


@pytest.mark.parametrize(("task", "expected"), [("generate", ("table_quality", 12)), ("impute", ("filling", 12))])
def test_the_best_model_is_kept_by_the_quality_of_its_task_and_it_is_said_why(
    task: str, expected: tuple[str | None, int], frame: pd.DataFrame
) -> None:
    recipe = gf.plan(frame, task=task, examples=2_000)
    assert (recipe.records.best_by, recipe.records.patience_looks) == expected
    assert {"records.best_by", "records.patience_looks"} <= set(recipe.reasons)


def falling() -> Callable[..., dict[str, float]]:
    """A quality that gets worse from the second of the looks on; the first is before the first step."""
    scores = iter([0.1, 0.2, 0.9, 0.5, 0.4, 0.3])
    return lambda *sides: {"table_quality": next(scores)}


@pytest.mark.slow
def test_the_model_of_a_run_is_the_best_one_and_the_run_says_so(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    models = []
    for name, best_by in (("best", "table_quality"), ("last", None)):
        monkeypatch.setattr(generate_rows, "quick_table_quality", falling())
        settings = {**QUICK, "records.marks": marks, "records.best_by": best_by}
        trained = gf.train(frame, run=tmp_path / name, examples=1_280, settings=settings, guard=False)  # it would act
        run = Run(trained.folder)
        models.append(sha256_of(run.model / "model.safetensors"))
        kept = [event for event in run.read_events() if event["kind"] == "kept_best"]
        assert [(event["best_score"], event["final_score"]) for event in kept] == [(0.9, 0.3)] * (name == "best")
    assert models[0] != models[1]
