"""The page of pictures made from pictures: worst first, never only the best, beside the rivals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_report import HOSTILE, Page, read
from test_report_browser import CHROMIUM, look

from ganforge.core.files import write_whole
from ganforge.kinds.pictures.grid import grid, png_bytes
from ganforge.run import Run

COLUMNS = ["input", "bicubic", "faithful", "truth"]


def plant_cases(folder: Path) -> Run:
    run = Run(folder)
    random = np.random.default_rng(0)
    for name in ("worst", "best", "random"):
        pictures = random.integers(0, 256, (3 * len(COLUMNS), 3, 32, 32), np.uint8)
        write_whole(run.cases_grid(name), png_bytes(grid(pictures, columns=len(COLUMNS))))
    run.write_json(run.recipe, {"ganforge": "0", "task": "enhance"})
    psnr = {"name": "psnr", "value": 30.1, "low": 29.0, "high": 31.0, "floor": float("nan"), "reference": 28.4}
    run.write_json(
        run.evaluation,
        {
            "measures": [psnr | {"better": "higher", "meaning": "How near the result is to the truth."}],
            "rivals": [
                {"name": "this model", "sentence": "", "measures": {"psnr": 30.1, "kid": 0.01}},
                {"name": "bicubic", "sentence": "Plainly enlarged.", "measures": {"psnr": 28.4, "kid": 0.3}},
            ],
            "cases": {
                "columns": COLUMNS,
                "groups": [{"name": name, "sentence": f"Of {name}."} for name in ("best", "random", "worst")],
            },
            "verdict": {"grade": "good", "headline": "Good: nearer to the truth than bicubic.", "sentences": []},
        },
    )
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return plant_cases(tmp_path_factory.mktemp("runs") / "photos-1")


def test_the_worst_cases_come_first_and_the_best_last(run: Run) -> None:
    words = read(run).words
    assert words.index("The worst Of worst.") < words.index("Drawn at random") < words.index("The best Of best.")


def test_the_page_names_every_column_the_rivals_and_how_to_go_on(run: Run) -> None:
    page = read(run)
    assert page.sections == ["quality", "cases", "rivals", "plan", "next"]
    for part in ("input bicubic faithful truth", "PSNR KID", "Bicubic 28.400 0.300", "ganforge apply", "--strength 1"):
        assert part in page.words
    assert "ganforge sample" not in page.words


def test_a_group_without_its_picture_is_left_out(tmp_path: Path) -> None:
    other = plant_cases(tmp_path / "less")
    other.cases_grid("best").unlink()
    words = read(other).words
    assert "The best Of" not in words
    assert "The worst" in words


def test_names_from_the_run_cannot_become_part_of_the_page(tmp_path: Path) -> None:
    other = plant_cases(tmp_path / "hostile")
    evaluation = other.read_json(other.evaluation)
    evaluation["cases"]["columns"][0] = HOSTILE
    evaluation["cases"]["groups"][0]["sentence"] = HOSTILE
    evaluation["rivals"][1]["name"] = HOSTILE
    other.write_json(other.evaluation, evaluation)
    page: Page = read(other)
    assert not [tag for tag, _ in page.tags if tag == "script"]


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [390, 1366])
def test_the_cases_fit_a_phone_and_a_screen(run: Run, width: int) -> None:
    read(run)
    scroll_width, beyond, broken, requests, pictures = look(run.folder, width)
    assert (scroll_width <= width, beyond, broken, requests, pictures) == (True, 0, 0, 0, 3)
