"""Charts, standings, words and facts, one by one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from planted import plant_run

from ganforge.core.format import duration, number, short, title
from ganforge.records import History, Page, read_evaluation
from ganforge.reports.blocks import standings
from ganforge.reports.page import passport_facts, plan_sections, run_facts
from ganforge.reports.timeline import HEIGHT, Line, Mark, charts, line_chart, moments, time_at
from ganforge.run import Run


def ends(drawing: str) -> list[tuple[float, float]]:
    """The points of the first curve."""
    found = re.search(r'<polyline class="curve c1" points="([^"]+)"', drawing)
    assert found is not None
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in found.group(1).split())]


def test_a_curve_rises_on_the_page_when_its_values_do() -> None:
    points = ends(line_chart([Line("a", [(0, 1.0), (50, 2.0), (100, 3.0)])]))
    assert points[0][0] < points[1][0] < points[2][0]
    assert points[0][1] > points[1][1] > points[2][1]  # y grows downwards
    assert points[1][1] == pytest.approx((points[0][1] + points[2][1]) / 2, abs=0.2)


def test_on_a_logarithmic_axis_equal_factors_are_equal_distances() -> None:
    points = ends(line_chart([Line("a", [(0, 1.0), (50, 10.0), (100, 100.0)])], log=True))
    assert points[1][1] == pytest.approx((points[0][1] + points[2][1]) / 2, abs=0.2)


def test_a_logarithmic_axis_is_refused_where_a_value_is_not_positive() -> None:
    points = ends(line_chart([Line("a", [(0, 0.0), (50, 10.0), (100, 20.0)])], log=True))
    assert points[1][1] == pytest.approx((points[0][1] + points[2][1]) / 2, abs=0.2)


def test_a_curve_without_two_finite_points_is_not_drawn() -> None:
    assert line_chart([Line("a", [(0, float("nan")), (1, 2.0)])]) == ""
    assert line_chart([]) == ""


def test_a_long_curve_is_thinned_and_keeps_its_end() -> None:
    points = ends(line_chart([Line("a", [(i, float(i % 7)) for i in range(100_000)])]))
    assert len(points) <= 260
    assert points[-1][0] == pytest.approx(428, abs=0.1)


def test_the_strength_of_augmentation_is_drawn_where_it_adapted_and_only_there() -> None:
    plain = [{"examples": 10 * i, "seconds": float(i)} for i in range(3)]
    moved = [{**record, "augmentation": 0.1 * i} for i, record in enumerate(plain)]
    still = [{**record, "augmentation": 0.0} for record in plain]
    told = [[chart.title for chart in charts(History(tuple(records)))] for records in (plain, still, moved)]
    assert told == [[], [], ["Strength of the augmentation"]]


def test_labels_of_marks_stay_on_the_page_and_apart() -> None:
    for values in ((1.0, 1.01), (5.0, 1.0), (3.0, 3.0)):
        drawing = line_chart([Line("a", [(0, 1.0), (1, 5.0)])], [Mark("one", values[0]), Mark("two", values[1])])
        heights = [float(y) for y in re.findall(r'class="marked" x="[\d.]+" y="([\d.]+)"', drawing)]
        assert all(8 < y < HEIGHT for y in heights)
        assert abs(heights[0] - heights[1]) > 12


def measure(value: float, floor: float, reference: float, better: str, half: float = 0.01) -> dict[str, object]:
    ends = {"low": value - half, "high": value + half}
    return {"name": "m", "value": value, "floor": floor, "reference": reference, "better": better, **ends}


@pytest.mark.parametrize(
    ("one", "place", "sentence"),
    [
        (measure(4.0, 4.0, 400.0, "lower"), 95.0, "as good as real data"),
        (measure(400.0, 4.0, 400.0, "lower"), 5.0, "no better than a Gaussian"),
        (measure(202.0, 4.0, 400.0, "lower"), 50.0, "50 % of the way from a Gaussian to real data"),
        (measure(0.45, 0.9, 0.0, "higher"), 50.0, "50 % of the way from a Gaussian to real data"),
        (measure(9000.0, 4.0, 400.0, "lower"), 0.8, "no better than a Gaussian"),
        (measure(0.0, 0.017, 0.0, "lower"), None, "as good as real data"),  # the reference beats real data: no track
        (measure(0.1, 0.889, 0.878, "higher", 0.07), None, "not as good as real data"),
        (measure(30.1, float("nan"), 28.4, "higher"), None, "better than a Gaussian"),  # nobody knows the floor
        (measure(28.0, float("nan"), 28.4, "higher"), None, "no better than a Gaussian"),
    ],
)
def test_a_measure_stands_between_reference_and_floor(
    one: dict[str, object], place: float | None, sentence: str
) -> None:
    evaluation = read_evaluation({"measures": [one], "best": "real data", "simplest": "a Gaussian"})
    assert evaluation is not None
    row = standings(evaluation)[0]
    assert row.place == (None if place is None else pytest.approx(place))
    assert row.sentence == sentence


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.01234, "0.0123"),
        (1234.5, "1,234"),
        (288000, "288,000"),
        (True, "yes"),
        (float("nan"), "not a number"),
        (0.0, "0"),
    ],
)
def test_numbers_read_well(value: object, words: str) -> None:
    assert number(value) == words


def test_ticks_and_times_are_short() -> None:
    assert [short(value) for value in (0, 0.003, 12_000, 1_500_000)] == ["0", "0.003", "12k", "1.5M"]
    assert [duration(value) for value in (-3, 0, 59.6, 61, 3725)] == ["0:00", "0:00", "1:00", "1:01", "1:02:05"]


def test_the_time_of_a_grid_lies_between_its_records() -> None:
    records = [{"examples": 100, "seconds": 10.0}, {"examples": 200, "seconds": 40.0}]
    assert [time_at(records, examples) for examples in (0, 50, 150, 200, 999)] == [
        "0:00",
        "0:05",
        "0:25",
        "0:40",
        "0:40",
    ]
    assert time_at([], 5) == ""


def test_skipped_files_and_lines_are_counted_by_reason() -> None:
    files = [("a.png", "cut short"), ("b.png", "cut short"), ("c.txt", "not a picture")]
    told = passport_facts({"skipped": [{"name": name, "reason": reason} for name, reason in files]})
    assert told is not None
    assert told.skipped == (("cut short", 2, "a.png, b.png"), ("not a picture", 1, "c.txt"))
    assert told.skipped_count == 3
    lines = passport_facts({"skipped": ["line 1: 'x'", "line 7: 'y'"], "skipped_count": 80})
    assert lines is not None
    assert lines.skipped == (("skipped", 2, "line 1: 'x', line 7: 'y'"),)
    assert lines.skipped_count == 80


def test_a_fact_is_shown_with_its_reason_and_labels_with_their_counts() -> None:
    labels = [{"name": "cat", "train": 90, "held_out": 10}]
    passport = passport_facts({"channels": 1, "channels_why": "All are grey.", "labels": labels, "size": [28, 28]})
    assert passport is not None
    assert passport.facts[0] == ("Channels", "1", "All are grey.")
    assert passport.labels == "cat (90 train, 10 held-out)"


def test_the_plan_parts_choices_with_reasons_from_the_rest() -> None:
    recipe = {"seed": 1, "network": {"width": 32, "depth": 1}, "reasons": {"network.width": "fits"}}
    run, network = plan_sections(recipe)
    assert [choice.name for choice in run.rest] == ["seed"]
    assert [(choice.name, choice.value, choice.reason) for choice in network.chosen] == [
        ("network.width", "32", "fits")
    ]
    assert [choice.name for choice in network.rest] == ["network.depth"]


def test_grids_of_a_stretch_that_was_taken_back_are_not_shown(tmp_path: Path) -> None:
    """The last of them, drawn by the wrecked network, would stand as what the model makes."""
    run = plant_run(tmp_path / "run", finished=False)
    records = run.read_records()
    shown = [moment.examples for moment in moments(run, records)]
    assert len(shown) > 2
    back = [{**record, "attempt": 1, "quality": None} for record in records]
    back[-1] |= {"examples": shown[-2], "quality": {"kid": 0.1}}
    assert [moment.examples for moment in moments(run, back)] == [shown[-2]]


def test_of_charts_the_start_the_middle_and_the_end_are_shown_and_others_folded_away(tmp_path: Path) -> None:
    run = plant_run(tmp_path / "run")
    shown = moments(run, run.read_records(), wide=True)
    taken = sorted(int(path.stem) for path in run.samples.glob("*.png"))
    assert len(taken) == 8 and len(shown) == 7
    assert [moment.examples for moment in shown if not moment.folded] == [taken[0], shown[3].examples, taken[-1]]
    few = moments(Run(tmp_path), [], wide=True)
    assert few == []


@pytest.mark.parametrize("captured", [False, True])
def test_the_report_says_on_what_and_in_which_precision_a_run_was_trained(captured: bool) -> None:
    events = ({"kind": "captured", "step": 3, "players": ["generator"]},) if captured else ()
    facts = dict(run_facts(History((), events), {"compute": {"device": "cuda", "precision": "bfloat16"}}, Page()))
    assert facts["Trained on"] == "cuda, bfloat16" + (", steps repeated from a recording" if captured else "")


@pytest.mark.parametrize(
    ("key", "words"),
    [("held_out", "Held out"), ("network.width", "Network width"), ("plain 0.7", "Plain 0.7"), ("fid", "FID")],
)
def test_keys_become_words_and_numbers_keep_their_point(key: str, words: str) -> None:
    assert title(key) == words
