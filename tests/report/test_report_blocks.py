"""Every type of block on the page, from a planted evaluation: what it holds is shown, and what is missing is not."""

from __future__ import annotations

import io
import json
import re
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_report import HOSTILE, Page, read

from ganforge.core.files import write_whole
from ganforge.errors import RunError
from ganforge.kinds.pictures.write import png_bytes
from ganforge.records import (
    CONTENTS,
    Bars,
    Block,
    Cases,
    Content,
    Evaluation,
    Figure,
    Group,
    Measure,
    Prose,
    Rival,
    Rivals,
    Rows,
    Sound,
    Verdict,
    read_evaluation,
)
from ganforge.run import Run

EXAMPLES: dict[str, Content] = {
    "prose": Prose(("One sentence.", "And another.")),
    "figure": Figure("pictures/chart.png", "A chart", "What it shows.", wide=True),
    "rows": Rows(("City", "Rows"), (("Aachen", "40"), ("Bremen", "7")), "Two cities.", numeric=(1,)),
    "bars": Bars(("left", "right"), {"data": (0.4, 0.6), "samples": (0.3, 0.7)}, "Two sides."),
    "cases": Cases(("input", "result"), (Group("The worst", "By far.", Figure("pictures/chart.png", "Worst")),)),
    "rivals": Rivals(
        ("Error",), (Rival("this model", ("0.100",)), Rival("means", ("0.300",), "One value.")), "0 is best."
    ),
    "sound": Sound("sounds/first.wav", "The first of them."),
}


def planted(folder: Path, *contents: Content, first: bool = False) -> Run:
    """A run whose evaluation has one block with these contents; its files are a chart and a second of sound."""
    run = Run(folder)
    write_whole(run.folder / "pictures" / "chart.png", png_bytes(np.full((80, 900, 3), 200, np.uint8)))
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16_000))
    write_whole(run.folder / "sounds" / "first.wav", sound.getvalue())
    found = Evaluation(
        measures=(Measure("error", 0.1, 0.08, 0.12, 0.02, 0.3, "lower", "How far off it is."),),
        verdict=Verdict("good", "Good: it works.", ("It does.",), None),
        samples=10,
        held_out=5,
        judge={"kind": "held-out", "sentence": "Measured on others."},
        floor="The floor is real against real.",
        reference="The reference is the mean.",
        best="real ones",
        simplest="the mean",
        blocks=(Block("What it shows", "How to read it.", contents, first=first),),
        facts={"extra": {"a": [1, 2]}},
    )
    run.write_json(run.recipe, {})
    run.write_json(run.evaluation, {"step": 3, "examples": 40, **found.to_json()})
    return run


def test_every_type_has_an_example_here() -> None:
    assert set(EXAMPLES) == set(CONTENTS)
    assert all(type(EXAMPLES[name]) is kind for name, kind in CONTENTS.items())


def test_an_evaluation_comes_back_from_its_json_as_it_was(tmp_path: Path) -> None:
    run = planted(tmp_path, *EXAMPLES.values(), first=True)
    found = read_evaluation(run.read_json(run.evaluation))
    assert found is not None
    assert found.blocks == (Block("What it shows", "How to read it.", tuple(EXAMPLES.values()), first=True),)
    assert found.facts["extra"] == {"a": [1, 2]} and found.facts["step"] == 3
    assert (found.verdict.headline, found.best, found.measure("error").floor) == ("Good: it works.", "real ones", 0.02)
    assert {"step": 3, "examples": 40, **found.to_json()} == run.read_json(run.evaluation)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_type_is_drawn(tmp_path: Path, name: str) -> None:
    page = read(planted(tmp_path, EXAMPLES[name]))
    assert page.sections == ["quality", "block-what-it-shows", "next"]
    shown = page.words.split("How to read it.", 1)[1]
    parts = {
        "prose": ["One sentence. And another."],
        "figure": ["What it shows."],
        "rows": ["City Rows", "Aachen 40", "Two cities."],
        "bars": ["data samples", "left 40.0% 30.0%", "right 60.0% 70.0%", "Two sides."],
        "cases": ["The worst By far.", "input result"],
        "rivals": ["Error This model 0.100 Means 0.300", "0 is best.", "Means One value."],
        "sound": ["The first of them."],
    }[name]
    assert all(part in shown for part in parts), shown
    media = [attributes["src"] for tag, attributes in page.tags if tag in ("img", "audio")]
    assert len(media) == (name in ("figure", "cases", "sound"))
    assert all(str(source).startswith("data:") for source in media)


def test_the_longest_bar_is_as_long_as_there_is_room(tmp_path: Path) -> None:
    page = read(planted(tmp_path, EXAMPLES["bars"]))
    widths = [attributes["style"] for tag, attributes in page.tags if "hbar" in str(attributes.get("class"))]
    assert widths == ["width:57.1%", "width:42.9%", "width:85.7%", "width:100.0%"]


def test_what_the_model_made_stands_before_the_measures(tmp_path: Path) -> None:
    assert read(planted(tmp_path, EXAMPLES["rows"], first=True)).sections == ["block-what-it-shows", "quality", "next"]


def test_a_folded_table_opens_with_its_summary(tmp_path: Path) -> None:
    page = read(planted(tmp_path, Rows(("A",), (("b",),), summary="All of them")))
    assert "All of them A b" in page.words
    assert "details" in {tag for tag, _ in page.tags}


def test_figures_that_follow_each_other_stand_side_by_side(tmp_path: Path) -> None:
    figure = Figure("pictures/chart.png", "One")
    page = read(planted(tmp_path, figure, figure, Prose(("Between.",)), figure))
    beside = [attributes for tag, attributes in page.tags if attributes.get("class") == "beside"]
    assert (len(beside), sum(tag == "img" for tag, _ in page.tags)) == (2, 3)


@pytest.mark.parametrize("name", ["figure", "cases", "sound"])
@pytest.mark.parametrize(
    "path", ["pictures/none.png", "../outside.png", "/etc/hostname", "pictures/link.png", "recipe.json"]
)
def test_a_file_that_is_missing_or_outside_of_the_run_is_left_out(tmp_path: Path, name: str, path: str) -> None:
    figure = Figure(path, "x")
    content = {"figure": figure, "cases": Cases(("a",), (Group("t", "s", figure),)), "sound": Sound(path, "x")}[name]
    run = planted(tmp_path / "run", content)
    for outside in ("outside.png", "outside.wav"):
        (tmp_path / outside).write_bytes((run.folder / "pictures" / "chart.png").read_bytes())
    (run.folder / "pictures" / "link.png").symlink_to(run.folder / "pictures" / "chart.png")
    assert read(run).sections == ["quality", "next"]


def test_a_type_of_a_newer_version_is_left_out_and_its_neighbours_stay(tmp_path: Path) -> None:
    run = planted(tmp_path, EXAMPLES["prose"])
    evaluation = run.read_json(run.evaluation)
    evaluation["blocks"][0]["contents"].insert(0, {"type": "hologram", "angle": 3})
    run.write_json(run.evaluation, evaluation)
    assert "One sentence." in read(run).words


BROKEN: list[dict[str, Any]] = [
    {"type": "rows", "heads": ["a", "b"], "rows": [["only one"]]},
    {"type": "rows", "heads": ["a"], "rows": [[7]]},
    {"type": "bars", "names": ["a"], "series": {"x": [0.1, 0.2]}},
    {"type": "rivals", "heads": [], "rows": [{"name": "x", "scores": ["1"]}]},
    {"type": "figure", "path": 3, "alt": ""},
    {"type": "cases", "columns": "abc", "groups": [{"title": "x"}]},
    {"no type": 1},
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: json.dumps(one)[:40])
def test_a_block_that_does_not_fit_is_refused_in_words(tmp_path: Path, broken: dict[str, Any]) -> None:
    run = planted(tmp_path)
    evaluation = run.read_json(run.evaluation)
    evaluation["blocks"][0]["contents"] = [broken]
    run.write_json(run.evaluation, evaluation)
    with pytest.raises(RunError, match="cannot be used"):
        read(run)


def test_nothing_in_a_block_can_become_part_of_the_page(tmp_path: Path) -> None:
    contents = (
        Prose((HOSTILE,)),
        Figure("pictures/chart.png", HOSTILE, HOSTILE),
        Rows((HOSTILE,), ((HOSTILE,),), HOSTILE, summary=HOSTILE),
        Bars((HOSTILE,), {HOSTILE: (0.5,)}, HOSTILE),
        Cases((HOSTILE,), (Group(HOSTILE, HOSTILE, Figure("pictures/chart.png", HOSTILE)),)),
        Rivals((HOSTILE,), (Rival(HOSTILE, (HOSTILE,), HOSTILE),), HOSTILE),
        Sound("sounds/first.wav", HOSTILE),
    )
    run = planted(tmp_path, *contents)
    evaluation = run.read_json(run.evaluation)
    evaluation["blocks"][0] |= {"title": HOSTILE, "lead": HOSTILE}
    evaluation |= {"best": HOSTILE, "simplest": HOSTILE, "floor": HOSTILE, "reference": HOSTILE}
    run.write_json(run.evaluation, evaluation)
    words = dict.fromkeys(("nouns", "judged", "samples", "caption", "note", "story"), HOSTILE)
    run.write_json(run.page, words)
    page: Page = read(run)
    assert not {"script", "iframe"} & {tag for tag, _ in page.tags}
    assert not [attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)]
    assert not re.search(r"onerror=alert\(2\)>\s*49", page.words)
    assert page.words.count("alert(2)") > 15


def test_the_words_of_a_run_without_them_fit_any_data(tmp_path: Path) -> None:
    run = planted(tmp_path, EXAMPLES["prose"])
    assert "10 samples" in read(run).words
    run.write_json(run.page, {"judged": "new songs", "wide": "yes", "nouns": 7})
    assert "10 new songs" in read(run).words
