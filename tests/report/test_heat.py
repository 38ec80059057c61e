"""Heat maps: each cell has the colour of its number, spikes are not averaged away, marks stand where they belong."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layered import Layers, layered, plant_layers
from numpy.typing import NDArray
from PIL import Image
from planted import plant_run

from ganforge.records import Record
from ganforge.reports import write_report
from ganforge.reports.layers import COLUMNS, NOT_FINITE, RATIO_STOPS, HeatMap, player_flows

COLOURS = {round(at): colour for at, colour in RATIO_STOPS}


def pixels(drawn: HeatMap) -> NDArray[np.uint8]:
    """(L, columns, 4)."""
    content = base64.b64decode(drawn.uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content), formats=["PNG"]).convert("RGBA"))


def colour(pixel: NDArray[np.uint8]) -> str:
    return "#" + bytes(pixel[:3]).hex()


def steps(ratio: float | None, records: int = 40, where: Any = lambda i: True) -> NDArray[np.uint8]:
    """The first row of the generator's map of steps, with a ratio planted in its first layer."""

    def plant(i: int, told: Layers) -> None:
        told["generator"]["start"]["update_ratio"] = ratio if where(i) else 1e-3

    generator = player_flows(layered(plant, records), ())[1]
    return pixels(generator.maps[1])[0]


@pytest.mark.parametrize("exponent", [-8, -6, -3, -2, -1, 0])
def test_a_step_has_the_colour_that_the_scale_gives_it(exponent: int) -> None:
    assert {colour(pixel) for pixel in steps(10.0**exponent)} == {COLOURS[exponent]}


def test_what_lies_beyond_the_scale_has_the_colour_of_its_end() -> None:
    assert {colour(pixel) for pixel in steps(1e-11)} == {COLOURS[-8]}
    assert {colour(pixel) for pixel in steps(50.0)} == {COLOURS[0]}


def test_one_wild_record_among_thousands_is_seen() -> None:
    row = steps(1.0, records=2000, where=lambda i: i == 1000)
    assert len(row) == COLUMNS
    assert [colour(pixel) for pixel in row].count(COLOURS[0]) == 1
    assert colour(row[120]) == COLOURS[0]


def test_a_record_that_is_not_finite_is_seen_and_explained() -> None:
    row = steps(None, records=2000, where=lambda i: i == 500)
    assert [colour(pixel) for pixel in row].count(NOT_FINITE) == 1

    def plant(i: int, told: Layers) -> None:
        told["generator"]["last"]["update_ratio"] = None

    assert [drawn.not_finite for drawn in player_flows(layered(plant), ())[1].maps] == [False, True]


def test_a_layer_that_is_not_there_yet_is_transparent() -> None:
    def plant(i: int, told: Layers) -> None:
        if i < 20:
            del told["generator"]["start"]

    row = pixels(player_flows(layered(plant), ())[1].maps[1])[-1]  # named later, so drawn last
    assert {int(pixel[3]) for pixel in row[:19]} == {0}
    assert {int(pixel[3]) for pixel in row[21:]} == {255}


def test_a_vanishing_gradient_is_a_dark_band_and_an_exploding_one_bright() -> None:
    def plant(i: int, told: Layers) -> None:
        told["generator"]["start"]["gradient_norm"] = 1e-7
        told["generator"]["last"]["gradient_norm"] = 1e3

    shades = pixels(player_flows(layered(plant), ())[1].maps[0])[..., :3].mean(axis=(1, 2))
    assert shades[0] < 40 and shades[-1] > 220
    assert shades[0] < shades[1:-1].min() and shades[1:-1].max() < shades[-1]


def test_rewinds_and_the_guard_are_marked_where_they_happened() -> None:
    events = [
        {"kind": "rewound", "step": 1900, "to_step": 1000, "attempt": 1},
        {"kind": "guarded", "step": 1500, "ailment": "exploding", "to_step": None},
        {"kind": "checkpoint", "step": 500},
    ]
    marks = player_flows(layered(), events)[0].marks
    assert [(mark.kind, mark.place) for mark in marks] == [("rewind", 50.0), ("guard", 75.0)]
    assert "64,000 examples" in marks[0].words and "exploding" in marks[1].words


def test_of_a_long_run_each_number_is_read_once_and_no_wider_picture_is_drawn() -> None:
    """So that five thousand records of thirty layers cost a second or two, whatever machine draws them."""
    reads = 0

    class Counted(dict[str, float]):
        def get(self, name: str, default: Any = None) -> Any:
            nonlocal reads
            reads += 1
            return super().get(name, default)

    names = tuple(f"blocks.{i}" for i in range(30))
    told = {name: Counted(gradient_norm=0.1, weight_norm=1.0, update_ratio=1e-3) for name in names}
    records: list[Record] = [
        {"step": i, "examples": i, "layers": {"discriminator": told, "generator": told}} for i in range(1, 1001)
    ]
    drawn = player_flows(records, ())
    assert [len(player.layers) for player in drawn] == [30, 30]
    assert reads == 2 * 2 * 30 * 1000  # two numbers of two players
    assert {drawing.size for player in drawn for drawing in player.maps} == {(COLUMNS, 30)}


@pytest.mark.slow
def test_the_report_gains_the_section_and_little_weight(tmp_path: Path) -> None:
    run = plant_run(tmp_path / "run")
    before = len(write_report(run, ()).read_bytes())
    assert 'id="backprop"' not in run.report.read_text("utf-8")
    plant_layers(run)
    page = write_report(run, ()).read_text("utf-8")
    assert 'id="backprop"' in page
    assert page.count("Step beside the weights") >= 2
    assert len(page.encode()) - before < 300_000
