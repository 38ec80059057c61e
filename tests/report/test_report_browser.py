"""The page in a real browser: it asks for nothing, and fits a phone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from planted import FINDINGS, plant_run

from ganforge.reports import write_report

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]

FRAME = """<!doctype html><title>none</title>
<iframe src="report.html" style="border:0;width:{width}px;height:800px" onload="
  const page = this.contentDocument, window_ = this.contentWindow;
  const wide = [...page.querySelectorAll('body *')].filter(e => !e.closest('.scroll, svg, details')
    && e.getBoundingClientRect().right > page.documentElement.clientWidth + 1).length;
  const broken = [...page.images].filter(i => !i.naturalWidth).length;
  const asked = window_.performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length;
  document.title = [page.documentElement.scrollWidth, wide, broken, asked, page.images.length].join(' ');
"></iframe>"""


def look(folder: Path, width: int, *flags: str) -> list[int]:
    """[scroll width, elements beyond the right edge, broken pictures, requests, pictures] in a frame of `width` pixels.

    A frame, because a headless window cannot be narrower than 500 pixels.
    """
    frame = folder / "frame.html"
    frame.write_text(FRAME.format(width=width), "utf-8")
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
        timeout=90,
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
    scroll_width, beyond, broken, requests, pictures = look(folder, width)
    assert scroll_width <= width
    assert beyond == 0
    assert broken == 0
    assert requests == 0
    assert pictures == 1 + 6 + 3  # the large one, the strip, nearest, real and reference
