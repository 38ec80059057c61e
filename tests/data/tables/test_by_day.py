"""`submitted <= due` between a moment and a day: the moment counts as its day, on the calendar of its zone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from codec_world import random_codes, table_of
from safetensors.numpy import load, save

from ganforge.errors import DataError, InputError, RecipeError, RunError
from ganforge.kinds.tables.codec.codec import codec_content, restore_codec
from ganforge.kinds.tables.codec.fill import fill
from ganforge.kinds.tables.codec.gaps import GapUnit
from ganforge.kinds.tables.reading.arrays import from_plain
from ganforge.kinds.tables.rules.checks import broken
from ganforge.kinds.tables.rules.conditions import parse_where
from ganforge.kinds.tables.rules.rule_text import parse_rules
from ganforge.kinds.tables.table import Table, inspect_table

ZONES = (None, "UTC", "Europe/Berlin", "America/Sao_Paulo", "+05:30")
RULES = ("submitted <= due", "due <= paid")


def homework(zone: str | None, rows: int = 600) -> pd.DataFrame:
    """Many are submitted at the last minute of the day when they are due, and paid in its first."""
    random = np.random.default_rng(0)
    due = pd.Timestamp("2024-02-01") + pd.to_timedelta(random.integers(0, 300, rows), "D")
    early = pd.to_timedelta(random.choice([1, 2, 60, 1440, 5000], rows), "min")
    late = pd.to_timedelta(random.choice([0, 1, 59, 1439, 4000], rows), "min")
    moments = {"submitted": due + pd.Timedelta("1D") - early, "paid": due + late}
    local = {name: when.tz_localize(zone, ambiguous="NaT", nonexistent="NaT") for name, when in moments.items()}
    holes = random.random(rows) < 0.1
    return pd.DataFrame({"due": due, **local, "score": random.integers(0, 9, rows)}).assign(
        submitted=lambda frame: frame["submitted"].mask(holes)
    )


@pytest.fixture(scope="module", params=ZONES, ids=str)
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Table:
    return table_of(homework(request.param), tmp_path_factory.mktemp("homework"), RULES)


def late(frame: pd.DataFrame) -> int:
    """Count rows that are late, as a person with a calendar would."""
    days = {name: frame[name].dt.tz_localize(None).dt.normalize() for name in frame if name != "score"}
    return int((days["submitted"] > days["due"]).sum() + (days["due"] > days["paid"]).sum())


def test_training_rows_come_back_and_rows_of_any_codes_keep_the_rules(table: Table) -> None:
    codec = table.codec
    codes = codec.encode(table.train_rows)
    again = codec.encode(codec.decode(codes, np.random.default_rng(0)))
    assert (codes >= 0).all() and (again == codes).mean() > 0.99  # not where a day would be after the last one seen
    rows = codec.decode(random_codes(codec, 5_000, 1), np.random.default_rng(2))
    assert late(from_plain(rows, codec.columns)) == 0
    assert set(broken(codec.rules, rows, table.train_rows, codec.columns).values()) == {0}
    assert codec.rules[0].by_day  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "words",
    [
        ["submitted>=2024-05-05T12:00"],
        ["submitted<=2024-05-05", "due>=2024-05-05"],
        ["due=2024-03-31"],
        ["paid<2024-10-27T23:00"],
        ["paid=2024-10-27"],
    ],
)
def test_conditions_and_rules_hold_together(table: Table, words: list[str]) -> None:
    codec = table.codec
    conditions = parse_where(words, codec.columns, codec.known)
    asked = codec.by_unit(conditions)
    codes, random = random_codes(codec, 300, 3), np.random.default_rng(4)
    for place, unit in enumerate(codec.units):
        may = np.broadcast_to(unit.allowed(asked.get(place, ())), (300, unit.size))
        if isinstance(unit, GapUnit):
            least, most = (codec.bounds(codes, unit, end) for end in ("least", "most"))
            may = unit.allowed_above(least, most, asked.get(place, ()))
        codes[:, place] = np.argmax(random.random(may.shape) * may, axis=1)
    rows = codec.decode(codes, random, asked)
    assert late(from_plain(rows, codec.columns)) == 0
    for condition in conditions:
        assert condition.holds(rows).all()


def test_holes_are_filled_within_the_rules(table: Table) -> None:
    codec = table.codec
    random = np.random.default_rng(5)
    holes = {name: values[:400].copy() for name, values in table.train_rows.items()}
    for name in ("submitted", "due", "paid"):
        holes[name][random.random(400) < 0.3] = np.nan
    shares = [random.random((400, unit.size)) for unit in codec.units]
    for drawn in (None, random):
        filled = fill(codec, holes, shares, drawn)
        assert late(from_plain(filled, codec.columns)) == 0
        assert not any(np.isnan(filled[name]).any() for name in ("submitted", "due", "paid"))


def test_a_model_keeps_the_rules_that_it_was_trained_with(table: Table) -> None:
    content, arrays = codec_content(table.codec)
    restored = restore_codec(json.loads(json.dumps(content)), load(save(arrays)))
    assert restored.rules == table.codec.rules and codec_content(restored)[0] == content
    codes = random_codes(restored, 500, 6)
    one, other = (codec.decode(codes, np.random.default_rng(7)) for codec in (restored, table.codec))
    assert all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)


@pytest.mark.parametrize(
    "damage", [[7, "UTC", False], [60_000_000, "Nowhere/No", False], [60_000_000, 3, True], "days"]
)
def test_a_damaged_comparison_by_the_day_is_refused_in_words(table: Table, damage: object) -> None:
    content, arrays = codec_content(table.codec)
    next(unit for unit in content["units"] if "days" in unit)["days"] = [damage]
    with pytest.raises(RunError, match="table description is damaged"):
        restore_codec(content, arrays)


def inspected(frame: pd.DataFrame, folder: Path, *rules: str) -> Any:
    frame.to_parquet(folder / "t.parquet")
    return inspect_table(folder / "t.parquet", (), rules)


def test_a_rule_that_holds_between_moments_is_not_widened_to_days(tmp_path: Path) -> None:
    frame = homework(None)
    frame["submitted"] -= pd.Timedelta("1D")
    kept = list(inspected(frame, tmp_path, *RULES).kept)
    assert not any(rule.by_day for rule in kept)
    content, _ = codec_content(table_of(frame, tmp_path, RULES).codec)
    assert all("days" not in unit for unit in content["units"])  # the bytes of models of before


def test_a_day_too_late_is_refused_and_moments_of_zones_and_of_none_too(tmp_path: Path) -> None:
    frame = homework("UTC")
    frame.loc[17, "submitted"] = frame.loc[17, "due"].tz_localize("UTC") + pd.Timedelta("24h")
    with pytest.raises(DataError, match="Row 18 breaks the rule 'submitted <= due'"):
        inspected(frame, tmp_path, *RULES)
    noon = homework("UTC").assign(due=lambda frame: frame["due"] + pd.Timedelta("12h"))
    with pytest.raises(RecipeError, match="It has the zone UTC and the other one none"):
        inspected(noon, tmp_path, *RULES)
    columns = inspected(homework("UTC"), tmp_path, *RULES).survey.columns
    with pytest.raises(RecipeError, match="contradict each other"):
        parse_rules([*RULES, "submitted >= 2024-05-09", "due <= 2024-05-05"], columns)
    with pytest.raises(InputError):
        table_of(homework("UTC"), tmp_path, RULES).codec.by_unit(
            parse_where(["submitted>=2024-05-06T00:00", "due<=2024-05-05"], columns, {})
        )


def test_a_text_file_with_offsets_and_days_keeps_them_too(tmp_path: Path) -> None:
    frame = homework("+05:30").dropna()
    texts = frame.assign(due=frame["due"].dt.strftime("%Y-%m-%d"))
    texts.to_csv(tmp_path / "t.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S+05:30")
    found = inspect_table(tmp_path / "t.csv", (), RULES)
    assert all(rule.by_day for rule in found.kept)  # type: ignore[union-attr]
    for _, plain in found.rows:
        assert late(from_plain(plain, found.survey.columns)) == 0
