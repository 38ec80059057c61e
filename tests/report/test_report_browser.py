"""The page in a real browser: it asks for nothing, and fits a phone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from layered import plant_layers
from planted import FINDINGS, plant_run
from test_report_blocks import planted

from ganforge.records import Page, Sound
from ganforge.reports import Said, write_diagnosis, write_report

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]

FRAME = """<!doctype html><title>none</title>
<iframe src="{page}" style="border:0;width:{width}px;height:800px" onload="
  const page = this.contentDocument, window_ = this.contentWindow;
  const wide = [...page.querySelectorAll('body *')].filter(e => !e.closest('.scroll, svg, details')
    && e.getBoundingClientRect().right > page.documentElement.clientWidth + 1).length;
  const broken = [...page.images].filter(i => !i.naturalWidth).length;
  const asked = window_.performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length;
  const rows = new Set([...page.querySelectorAll('audio')].map(e => Math.round(e.getBoundingClientRect().top))).size;
  document.title = [page.documentElement.scrollWidth, wide, broken, asked, page.images.length, rows].join(' ');
"></iframe>"""


def look(folder: Path, width: int, *flags: str, page: str = "report.html") -> list[int]:
    """[scroll width, elements beyond the right edge, broken pictures, requests, pictures, rows of players] in a frame.

    A frame, because a headless window cannot be narrower than 500 pixels.
    """
    frame = folder / "frame.html"
    frame.write_text(FRAME.format(width=width, page=page), "utf-8")
    assert CHROMIUM is not None
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--allow-file-access-from-files",
            f"--user-data-dir={folder / 'profile'}",
            "--virtual-time-budget=5000",
            *flags,
            "--dump-dom",
            frame.resolve().as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
        env={**os.environ, "HOME": str(folder)},
    )
    found = re.search(r"<title>([\d ]+)</title>", done.stdout)
    assert found is not None, done.stdout[:2000] + done.stderr[-2000:]
    return [int(value) for value in found.group(1).split()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = plant_run(
        tmp_path_factory.mktemp("runs") / "digits-1", label="a_label_without_any_space_that_is_far_too_long" * 3
    )
    write_report(run, FINDINGS)
    return run.folder


@pytest.mark.parametrize("width", [360, 390, 820, 1366])
def test_the_page_fits_its_window_and_shows_every_picture(folder: Path, width: int) -> None:
    scroll_width, beyond, broken, requests, pictures, _ = look(folder, width)
    assert scroll_width <= width
    assert beyond == 0
    assert broken == 0
    assert requests == 0
    assert pictures == 1 + 6 + 3  # the large one, the strip, nearest, real and reference


@pytest.fixture(scope="module")
def layered_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty layers, one with a name that is far too long, in the report and on the page of a diagnosis."""
    run = plant_run(tmp_path_factory.mktemp("runs") / "digits-1")
    plant_layers(
        run, (*(f"blocks.{i}.convolution" for i in range(39)), "a_layer_with_a_name_that_no_page_can_hold" * 3)
    )
    run.add_event("rewound", 2000, to_step=1800, attempt=1)
    run.add_event("guarded", 4500, ailment="exploding", action="penalty")
    write_report(run, FINDINGS)
    said = Said("digits-1", "Healthy.", ["Finished."], "All checks.", [("step 2,000", "Taken back.")])
    write_diagnosis(run.folder / "page.html", said, FINDINGS, run.history(), run.read_json(run.recipe), Page())
    return run.folder


@pytest.mark.parametrize(("page", "others"), [("report.html", 1 + 6 + 3), ("page.html", 0)])
@pytest.mark.parametrize("width", [360, 1366])
def test_the_drawings_of_the_layers_fit_too(layered_folder: Path, width: int, page: str, others: int) -> None:
    scroll_width, beyond, broken, requests, pictures, _ = look(layered_folder, width, page=page)
    assert scroll_width <= width
    assert beyond == 0
    assert broken == 0
    assert requests == 0
    assert pictures == others + 4  # two maps of two players


@pytest.mark.parametrize(("width", "rows"), [(360, 4), (1366, 2)])
def test_players_of_one_row_stand_side_by_side_where_there_is_room(tmp_path: Path, width: int, rows: int) -> None:
    sounds = [Sound("sounds/first.wav", what, f"Sound {row}") for row in (1, 2) for what in ("as recorded", "made")]
    run = planted(tmp_path / "runs" / "voice-1", *sounds)
    write_report(run, ())
    scroll_width, beyond, _, requests, _, found = look(run.folder, width)
    assert (scroll_width <= width, beyond, requests, found) == (True, 0, 0, rows)
