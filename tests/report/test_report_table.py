"""The page of a table: verdict, rows, rivals, columns and pairs, in words that fit rows."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from planted_table import COLUMNS, plant_table
from test_report import HOSTILE, Page, read
from test_report_browser import CHROMIUM, look

from ganforge.kinds.tables.measures.blocks import first_rows_block, table_blocks
from ganforge.records import read_evaluation
from ganforge.run import Run

FIRST, RIVALS, TARGETS = "block-what-it-makes", "block-beside-other-methods", "block-what-a-model-learns-from-it"
COLUMN_BLOCKS, COPIES = ("block-column-by-column", "block-pair-by-pair"), "block-does-it-copy"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return plant_table(tmp_path_factory.mktemp("runs") / "people-1")


@pytest.fixture(scope="module")
def page(run: Run) -> Page:
    return read(run)


def test_every_part_of_a_table_stands_in_order(page: Page) -> None:
    assert page.sections == [FIRST, "quality", RIVALS, TARGETS, *COLUMN_BLOCKS, COPIES, "plan", "next"]
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 3


def test_the_page_of_a_table_speaks_of_rows(page: Page) -> None:
    for part in (
        "What it makes",
        "None was chosen by hand.",
        "Gaussian copula",
        "Held-out real rows",
        "Independent columns",
        "800 generated rows",
        "There is no sign that training rows are copied.",
    ):
        assert part in page.words
    assert not re.search(r"picture|digit|image", page.words.split(" finished ", 1)[1])  # what follows the style


def test_the_column_that_was_shifted_comes_first_with_its_numbers(page: Page) -> None:
    after = page.words.split("What is off", 1)[1]
    assert after.strip().startswith("age integer 0.")
    assert re.search(
        r"age integer [\d. ]+ \d+ % of the rows lie (above|at or below) \d+, \d+ % of the real ones do\.", after
    )


def test_an_evaluation_of_an_older_version_shows_verdict_and_measures_in_neutral_words(
    run: Run, tmp_path: Path
) -> None:
    other = Run(tmp_path / "older")
    evaluation = run.read_json(run.evaluation)
    for name in ("blocks", "best", "simplest"):
        evaluation.pop(name)
    other.write_json(other.recipe, {})
    other.write_json(other.evaluation, evaluation)
    page = read(other)
    assert page.sections == ["quality", "next"]
    assert evaluation["verdict"]["headline"] in page.words
    assert "between the reference, on the left, and the floor, on the right" in page.words


@pytest.mark.slow
def test_a_run_that_kept_an_older_model_says_of_when_it_is(page: Page, tmp_path: Path) -> None:
    assert "Best model" not in page.words
    other = plant_table(tmp_path / "kept")
    other.add_event("kept_best", 900, best_examples=12_800)
    assert "Best model, which is kept after 12,800 examples" in read(other).words


def test_a_table_of_one_column_has_a_page(tmp_path: Path) -> None:
    page = read(plant_table(tmp_path / "one", COLUMNS[:1], label=None))
    assert page.sections == [FIRST, "quality", RIVALS, COLUMN_BLOCKS[0], COPIES, "plan", "next"]


def test_names_and_values_from_the_table_cannot_become_part_of_the_page(run: Run, tmp_path: Path) -> None:
    other = Run(tmp_path / "hostile")
    evaluation = run.read_json(run.evaluation)
    facts = {key: evaluation[key] for key in ("columns", "pairs", "targets", "rivals", "nearest")}
    facts["columns"][0] |= {"name": HOSTILE, "sentence": HOSTILE, "kind": HOSTILE}
    facts["pairs"][0] |= {"columns": [HOSTILE, HOSTILE], "sentence": HOSTILE}
    facts["targets"][0] |= {"name": HOSTILE, "measure": HOSTILE}
    facts["rivals"][0] |= {"name": HOSTILE, "sentence": HOSTILE, "measures": {HOSTILE: 1.0}}
    rows = first_rows_block({"columns": [HOSTILE], "rows": [[HOSTILE], [None]]})
    known = read_evaluation(evaluation)
    assert known is not None
    evaluation = replace(known, blocks=(rows, *table_blocks(facts))).to_json()
    other.write_json(other.recipe, {})
    other.write_json(other.evaluation, evaluation)
    page = read(other)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)]
    assert "alert(2)" in page.words


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [360, 1366])
def test_the_page_of_a_table_fits_its_window(run: Run, page: Page, width: int) -> None:
    scroll_width, beyond, broken, requests, pictures, _ = look(run.folder, width)
    assert scroll_width <= width
    assert (beyond, broken, requests, pictures) == (0, 0, 0, 3)
