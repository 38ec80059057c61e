"""The page of pictures made from pictures: worst first, never only the best, beside the rivals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_report import HOSTILE, Page, read
from test_report_browser import CHROMIUM, look

from ganforge.core.files import write_whole
from ganforge.kinds.pictures.measures.cases import made_blocks
from ganforge.kinds.pictures.write import grid, png_bytes
from ganforge.records import Evaluation, Measure, Verdict
from ganforge.run import Run

COLUMNS = ["input", "bicubic", "faithful", "truth"]


def plant_cases(folder: Path) -> Run:
    run = Run(folder)
    random = np.random.default_rng(0)
    for name in ("worst", "best", "random"):
        pictures = random.integers(0, 256, (3 * len(COLUMNS), 3, 32, 32), np.uint8)
        write_whole(run.figure(name), png_bytes(grid(pictures, columns=len(COLUMNS))))
    run.write_json(run.recipe, {"ganforge": "0", "task": "enhance"})
    facts = {
        "rivals": [
            {"name": "this model", "sentence": "", "measures": {"psnr": 30.1, "kid": 0.01}},
            {"name": "bicubic", "sentence": "Plainly enlarged.", "measures": {"psnr": 28.4, "kid": 0.3}},
        ],
        "cases": {
            "columns": COLUMNS,
            "groups": [{"name": name, "sentence": f"Of {name}."} for name in ("best", "random", "worst")],
        },
    }
    meaning = "How near the result is to the truth."
    found = Evaluation(
        measures=(Measure("psnr", 30.1, 29.0, 31.0, float("nan"), 28.4, "higher", meaning),),
        verdict=Verdict("good", "Good: nearer to the truth than bicubic.", (), True),
        samples=12,
        held_out=12,
        judge={},
        floor="The floor is unknown.",
        reference="The reference is no network: bicubic.",
        simplest="bicubic",
        blocks=made_blocks(facts, "PSNR in decibels."),
        facts=facts,
    )
    run.write_json(run.evaluation, found.to_json())
    run.model.mkdir()
    steps = {"apply RUN pictures/ --out sharp/ --strength 1": "choose between faithful (0) and sharp (1)"}
    run.write_json(run.model / "model.json", {"next_steps": steps})
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return plant_cases(tmp_path_factory.mktemp("runs") / "photos-1")


@pytest.mark.parametrize(
    ("step", "purpose"),
    [
        ("sample RUN --out new.png; rm -rf ~", "new samples"),
        ("sample RUN --out $(whoami)", "new samples"),
        ("sample RUN --out new.png\nrm -rf .", "new samples"),
        ("sample RUN --force --out new.png", "new samples"),
        ("sample RUN --out ../../.bashrc", "new samples"),
        ("sample RUN --out /etc/passwd", "new samples"),
        ("train DATA", "another one"),
        ("sample RUN --out new.png", "new \x1b[31m samples"),
        ("sample RUN --out new.png", ["new samples"]),
    ],
)
def test_a_strangers_model_says_only_what_is_a_verb_in_plain_words(tmp_path: Path, step: str, purpose: object) -> None:
    run = Run(tmp_path)
    run.model.mkdir()
    run.write_json(run.model / "model.json", {"next_steps": {step: purpose, "sample RUN -n 9 --out a/b.csv": "rows"}})
    assert run.next_steps() == {"ganforge sample RUN -n 9 --out a/b.csv": "rows"}
    run.write_json(run.model / "model.json", {"next_steps": [step]})
    assert run.next_steps() == {}


def test_the_worst_cases_come_first_and_the_best_last(run: Run) -> None:
    words = read(run).words
    assert words.index("The worst Of worst.") < words.index("Drawn at random") < words.index("The best Of best.")


def test_the_page_names_every_column_the_rivals_and_how_to_go_on(run: Run) -> None:
    page = read(run)
    assert page.sections == ["quality", "block-case-by-case", "block-beside-other-methods", "plan", "next"]
    for part in ("input bicubic faithful truth", "PSNR KID", "Bicubic 28.400 0.300", "ganforge apply", "--strength 1"):
        assert part in page.words
    assert "ganforge sample" not in page.words


def test_a_group_without_its_picture_is_left_out(tmp_path: Path) -> None:
    other = plant_cases(tmp_path / "less")
    other.figure("best").unlink()
    words = read(other).words
    assert "The best Of" not in words
    assert "The worst" in words


def test_names_from_the_run_cannot_become_part_of_the_page(tmp_path: Path) -> None:
    other = plant_cases(tmp_path / "hostile")
    evaluation = other.read_json(other.evaluation)
    cases, rivals = (block["contents"][0] for block in evaluation["blocks"])
    cases["columns"][0] = HOSTILE
    cases["groups"][0] |= {"title": HOSTILE, "sentence": HOSTILE}
    rivals["rows"][1] |= {"name": HOSTILE, "sentence": HOSTILE}
    rivals["heads"][0] = HOSTILE
    other.write_json(other.evaluation, evaluation)
    page: Page = read(other)
    assert not [tag for tag, _ in page.tags if tag == "script"]


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [390, 1366])
def test_the_cases_fit_a_phone_and_a_screen(run: Run, width: int) -> None:
    read(run)
    scroll_width, beyond, broken, requests, pictures, _ = look(run.folder, width)
    assert (scroll_width <= width, beyond, broken, requests, pictures) == (True, 0, 0, 0, 3)
