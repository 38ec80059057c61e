"""Every task says in its own words what its pages show, and a kind of data never borrows another one's."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from test_report import read

from ganforge import kinds
from ganforge.core.files import write_whole
from ganforge.kinds.pictures.write import png_bytes
from ganforge.records import Page, read_page
from ganforge.run import Run

TASKS = [(kind, task) for kind in kinds.KINDS for task in kinds.kind_named(kind).tasks]
FOREIGN = {"pictures": r"\brows\b|\bcolumns?\b", "tables": r"\bpictures?\b|\bgrids?\b"}


def page_of(kind: str, task: str) -> Page:
    return type(kinds.task_of(kinds.kind_named(kind), task)).page


@pytest.mark.parametrize(("kind", "task"), TASKS)
def test_a_task_has_words_that_fit_their_places(kind: str, task: str) -> None:
    page = page_of(kind, task)
    assert read_page(asdict(page)) == page
    assert page.nouns != Page().nouns and page.nouns[0].islower()
    assert not page.caption.endswith(".")  # the page goes on with when it was
    assert page.story.endswith(".") and (not page.note or page.note.endswith("."))


@pytest.mark.parametrize(("kind", "task"), TASKS)
@pytest.mark.parametrize("done", [False, True])
def test_a_page_is_drawn_with_these_words_and_without_those_of_other_data(
    kind: str, task: str, done: bool, tmp_path: Path
) -> None:
    run, page = Run(tmp_path / "run"), page_of(kind, task)
    run.write_json(run.recipe, {"task": task})
    run.write_json(run.page, asdict(page))
    for i in range(9):
        quality = {"quality": {"x": 0.1 * i}} if i % 2 else {}
        run.add_record({"step": i, "examples": 100 * i, "progress": i / 8, "seconds": 2.0 * i, **quality})
        write_whole(run.sample_grid(100 * i), png_bytes(np.full((90, 700, 3), 20 * i, np.uint8)))
    if done:
        run.add_event("finished", 8)
    drawn = read(run)
    words = drawn.words.rsplit("} }", 1)[-1]  # what follows the style
    assert page.caption in words and page.story in words and f"{page.nouns} shown" in words
    assert kind not in FOREIGN or not re.search(FOREIGN[kind], words)
    pictures = [attributes.get("class") for tag, attributes in drawn.tags if tag == "img"]
    assert len(pictures) == 7  # three charts and four that are folded away; or a large picture and a strip of six
    assert ("chart-image" in pictures) == page.wide
