"""Runs keep rare values and extremes back, in both ways of learning, and say so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rows_world import planned, trained

from ganforge.errors import DataError
from ganforge.kinds.tables import overview
from ganforge.kinds.tables.columns import RowSettings
from ganforge.kinds.tables.generate.model import load_rows
from ganforge.run import Run

DRAWN = 100_000


def planted(rows: int) -> pd.DataFrame:
    """Cooks and bakers with an income that grows with age; one lion tamer, and one income far above all others.

    They stand in three rows each, so that one at least is trained on.
    """
    random = np.random.default_rng(0)
    age = random.integers(18, 66, rows)
    income = (age * 1_000 + random.normal(0, 5_000, rows)).round(-1).astype(np.int64)
    job = np.where(age + random.normal(0, 10, rows) > 40, "baker", "cook").astype(object)
    twice = 1 if rows < 500 else 3
    job[:twice], income[5 : 5 + twice] = "lion tamer", 90_000_000
    return pd.DataFrame({"age": age, "income": income, "job": job})


@pytest.fixture(scope="module", params=[1_200, 900, 240], ids=["likelihood", "game", "few rows"])
def run(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return trained(planted(request.param), tmp_path_factory.mktemp("kept"), examples=4_000)


@pytest.mark.slow
def test_neither_rows_nor_files_hold_what_is_rare(run: Any, tmp_path: Path) -> None:
    drawn = run.model.draw(DRAWN)
    train = run.job.table.train_rows
    assert set(drawn["job"]) == {"cook", "baker"} and drawn["income"].max() < 200_000
    assert drawn["income"].max() < np.sort(train["income"])[-1] and (drawn["income"] % 10 == 0).all()
    assert np.abs(np.sort(np.unique(drawn["age"])) - np.arange(18, 66)).max() == 0
    model = run.as_run(tmp_path / "run").model
    content = json.loads((model / "model.json").read_text())
    assert "lion tamer" not in json.dumps(content)
    incomes = next(column for column in content["codec"]["columns"] if column["name"] == "income")
    assert incomes["maximum"] < 200_000
    again = load_rows(model).draw(1_000)
    assert pd.DataFrame(again).equals(pd.DataFrame(run.model.draw(1_000)))


@pytest.mark.slow
def test_plan_verdict_and_page_say_what_is_kept_back(run: Any, tmp_path: Path) -> None:
    fewest = run.recipe.section(RowSettings).rare
    assert fewest == (2 if len(run.job.table.train) < 300 else 5)
    told = next(rows for rows in overview(run.recipe) if rows.heads[0] == "rare values of")
    kept = {"+".join(each.columns): each.sentence for each in run.job.table.protection.kept}
    assert {row[0]: row[1] for row in told.rows} == kept and "lowest and highest rows are left out" in kept["income"]
    found = run.job.evaluate(Run(tmp_path / "run"), run.product)
    assert any("kept back, or drawn near" in sentence for sentence in found.verdict.sentences)
    assert any(block.title == "What is kept back" for block in found.blocks)


@pytest.mark.slow
def test_a_given_cell_is_never_touched(run: Any) -> None:
    cells: Any = {"age": [30.0, np.nan], "income": [90_000_000.0, 31_230.0], "job": ["lion tamer", None]}
    given = {name: np.array(cells[name], float if name != "job" else object) for name in cells}
    filled = run.model.complete(given)
    assert filled["job"][0] == "lion tamer" and list(filled["income"]) == [90_000_000.0, 31_230.0]
    assert 18 <= filled["age"][1] <= 65 and filled["job"][1] in ("cook", "baker")


def test_a_person_s_number_is_kept_and_0_keeps_nothing_back(tmp_path: Path) -> None:
    for asked in (0, 40):
        job = planned(planted(1_200), tmp_path, settings={"rows.rare": str(asked)})
        assert job.recipe.section(RowSettings).rare == asked
        assert ("lion tamer" in job.table.codec.known["job"]) == (asked == 0)
        assert bool(job.table.protection.kept) == (asked > 0)
        assert (len(overview(job.recipe)) == 2) == (asked == 0)


def test_a_cell_beyond_what_is_drawn_can_be_given_unless_it_is_far_off(tmp_path: Path) -> None:
    job = planned(planted(1_200), tmp_path, options={"rules": ("0 <= age <= 90",)})
    model = job.model(job.game().players[0].network)
    most = model.codec.columns[1].maximum
    rows = model.sample(2, {"given": pd.DataFrame({"income": [int(most) + 10, 40_000]})}, 0).value()
    assert list(rows["income"]) == [most + 10, 40_000]
    for cells, words in (({"income": [90_000_000]}, "90000000.*is drawn from"), ({"age": [91]}, "holds 91")):
        with pytest.raises(DataError, match=words):
            model.sample(1, {"given": pd.DataFrame(cells)}, 0).value()
