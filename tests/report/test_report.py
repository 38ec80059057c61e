"""The page is whole, safe, quiet on the network, and has every part that the run's files give."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from planted import FINDINGS, plant_plan, plant_regression, plant_run

from ganforge.errors import RunError
from ganforge.kinds.pictures.write import png_bytes
from ganforge.records import Finding
from ganforge.reports import write_report
from ganforge.run import Run

BLOCKS = ["block-every-label", "block-does-it-copy", "block-real-pictures-and-the-simplest-alternative"]
SECTIONS = ["story", "quality", *BLOCKS, "findings", "data", "plan", "next"]
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"


class Page(HTMLParser):
    """Tags, attributes and text; complains when tags are not closed in order."""

    VOID = frozenset({"meta", "link", "img", "br", "line", "circle", "polyline", "polygon"})

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(content)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    @property
    def sections(self) -> list[str]:
        return [str(attributes["id"]) for tag, attributes in self.tags if tag == "section" and "id" in attributes]


def read(run: Run, findings: tuple[Finding, ...] = ()) -> Page:
    return Page(write_report(run, findings).read_text("utf-8"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = plant_run(tmp_path_factory.mktemp("runs") / "digits-1")
    write_report(run, FINDINGS)
    return run


def test_the_samples_come_first_and_every_part_follows_in_order(finished: Run) -> None:
    page = Page(finished.report.read_text("utf-8"))
    assert page.sections == SECTIONS
    first_picture = next(i for i, (tag, _) in enumerate(page.tags) if tag == "img")
    assert first_picture < next(i for i, (tag, _) in enumerate(page.tags) if tag == "h1")


def test_the_page_says_what_the_files_say(finished: Run) -> None:
    words = Page(finished.report.read_text("utf-8")).words
    for part in (
        "The digits are convincing, and all ten are there.",
        "after 288,000 pictures shown, 4:58 of training",
        "17.9 (16.4 to 19.6)",
        "independent pixels 402",
        "real pictures 4.1",
        "97 % of the way from independent pixels to real pictures",
        "There is no sign that training pictures are copied.",
        "ganforge train DATA --minutes 10",
        "the file is cut short",
        "12 pictures are exact repeats of others; they were kept.",
        "Two cores show 966 pictures a second at this width",
        "sha256 9f2c41d07be3a855",
        "torch 2.13.0",
        "24 November 2026",
    ):
        assert part in words
    assert f"64 more samples in one picture ganforge sample {finished.folder} -n 64 --out samples.png" in words


def test_nothing_on_the_page_asks_the_network(finished: Run) -> None:
    content = finished.report.read_text("utf-8")
    page = Page(content)
    addresses = [
        value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href", "srcset")
    ]
    assert all(value is not None and value.startswith(("data:", "#")) for value in addresses)
    assert not re.search(r"@import|url\(|https?://", content)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "default-src 'none'" in content


def test_the_page_is_light(finished: Run) -> None:
    assert finished.report.stat().st_size < 2_000_000


@pytest.mark.slow
def test_heavy_pictures_are_made_lighter(tmp_path: Path) -> None:
    """Six grids of coloured noise are the worst that can come: 3 MB each as PNG."""
    run = plant_run(tmp_path / "noise")
    noise = np.random.default_rng(0).integers(0, 255, (1024, 1024, 3), dtype=np.uint8)
    for path in [*run.samples.glob("*.png"), *(run.folder / "pictures").glob("*.png")]:
        path.write_bytes(png_bytes(noise))
    assert write_report(run, ()).stat().st_size < 2_000_000


def test_a_run_in_progress_has_a_page_without_what_is_not_there_yet(tmp_path: Path) -> None:
    page = read(plant_run(tmp_path / "going", finished=False))
    assert page.sections == ["story", "data", "plan", "next"]
    assert "No verdict yet" in page.words
    assert "29% of the planned training is done." in page.words
    assert "ganforge resume" in page.words


def test_a_run_that_was_only_planned_has_a_page(tmp_path: Path) -> None:
    run = Run(tmp_path / "planned")
    plant_plan(run)
    page = read(run)
    assert page.sections == ["data", "plan", "next"]
    assert "Nothing has been trained yet." in page.words


def test_an_empty_recipe_alone_is_enough(tmp_path: Path) -> None:
    run = Run(tmp_path / "empty")
    run.write_json(run.recipe, {})
    assert read(run).sections == ["next"]


def test_a_regression_shows_its_solution_beside_the_closed_form(tmp_path: Path) -> None:
    page = read(plant_regression(tmp_path / "regression"))
    assert page.sections == ["story", "quality", "block-what-it-learned", "plan", "next"]
    assert "bmi 0.31 0.31205" in page.words
    assert "GAN" not in page.words


@pytest.mark.parametrize("place", ["label", "finding", "folder", "recipe", "passport"])
def test_what_comes_from_files_cannot_become_part_of_the_page(tmp_path: Path, place: str) -> None:
    folder = tmp_path / (HOSTILE.replace("/", "") if place == "folder" else "run")
    run = plant_run(folder, label=HOSTILE if place == "label" else "3")
    findings = FINDINGS
    if place == "finding":
        findings = (Finding(HOSTILE, "note", HOSTILE, HOSTILE, f"`{HOSTILE}` {HOSTILE}"),)
    if place == "recipe":
        run.write_json(run.recipe, {HOSTILE: HOSTILE, "a": {HOSTILE: HOSTILE}, "reasons": {f"a.{HOSTILE}": HOSTILE}})
    if place == "passport":
        bad = [{"name": HOSTILE, "reason": HOSTILE}]
        run.write_json(run.passport, {HOSTILE: HOSTILE, "skipped": bad, "warnings": [HOSTILE], "labels": bad})
    page = read(run, findings)
    assert not {"script", "iframe"} & {tag for tag, _ in page.tags}
    assert not [attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)]
    assert "49" not in re.findall(r"onerror=alert\(2\)>\s*(\d+)", page.words)
    assert "alert(2)" in page.words  # it is shown, as text


def test_a_damaged_picture_is_left_out_and_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    run = plant_run(tmp_path / "run")
    run.figure("nearest").write_bytes(b"\x89PNG broken")
    assert "beside their nearest" not in write_report(run, ()).read_text("utf-8")
    run.evaluation.write_text("{", "utf-8")
    with pytest.raises(RunError, match="damaged"):
        write_report(run, ())


def test_numbers_that_are_not_finite_do_not_break_the_page(tmp_path: Path) -> None:
    run = plant_run(tmp_path / "run")
    evaluation = run.read_json(run.evaluation)
    evaluation["measures"][0] |= {"value": float("nan"), "reference": float("nan")}
    evaluation["measures"][1] |= {"floor": float("inf")}
    run.write_json(run.evaluation, evaluation)
    last = run.read_records()[-1]
    nothing = {"discriminator": float("nan"), "generator": float("inf")}
    run.add_record(last | {"step": 9999, "examples": 300_000, "gradient_norms": nothing})
    page = read(run)
    assert "not a number" in page.words
    shapes = [attributes for tag, attributes in page.tags if tag in ("line", "polyline", "polygon", "circle", "span")]
    assert not re.search(r"nan|inf", str([[*one.values()] for one in shapes if one.get("class") != "interval"]))


def test_the_same_run_gives_the_same_page(finished: Run) -> None:
    before = finished.report.read_bytes()
    assert write_report(finished, FINDINGS).read_bytes() == before


def test_template_and_style_lie_beside_the_code() -> None:
    """A wheel takes them along from there."""
    folder = Path(__import__("ganforge.reports").reports.__file__).parent
    assert (folder / "report.html.jinja").is_file()
    assert (folder / "style.css").is_file()


def test_a_page_that_is_drawn_again_a_minute_later_is_the_same(tmp_path: Path) -> None:
    run = plant_run(tmp_path / "run")
    before = write_report(run, ()).read_bytes()
    with run.events.open("a") as file:
        file.write(json.dumps({"kind": "reported", "time": "2031-01-01T00:00:00+00:00"}) + "\n")
    assert write_report(run, ()).read_bytes() == before
