import re
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_frames import column_of, source_of

from ganforge.errors import InputError
from ganforge.kinds.tables.codec.identifiers import SHORTEST_HEX, fresh_identifiers, read_ranges
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.survey import survey_table

COUNT = range(100)


def fresh(values: Any, count: int = 50, start: int = 0, seed: int = 0, name: str = "value") -> list[str]:
    column = column_of(pd.Series(values), name).model_copy(update={"kind": "identifier"})
    return fresh_identifiers(column, count, np.random.default_rng(seed), start).tolist()


@pytest.mark.parametrize(
    ("values", "first"),
    [
        ([f"C-{i:06d}" for i in COUNT], "C-000100"),
        ([f"user{i}" for i in COUNT], "user100"),
        ([f"{i:03d}/x" for i in COUNT], "100/x"),
        ([f"A-{i:02d}" for i in COUNT], "A-100"),
        (np.arange(100) + 7, "107"),
        (np.arange(100, dtype="int8"), "100"),
        (np.arange(100, dtype="uint64") + np.uint64(2**64 - 100), str(2**64 - 2**11 - 1)),
        (np.arange(100) + 2**60, str(2**60 + 2**8 + 1)),
    ],
)
def test_counters_go_on_beyond_everything_that_was_read(values: Any, first: str) -> None:
    made = fresh(values, count=20)
    known = set(map(str, values))
    assert len(set(made)) == 20 and not known & set(made) and made[0] == first


def test_a_type_without_room_above_is_used_below_and_then_refused() -> None:
    values = np.arange(28, 128, dtype="int8")
    assert fresh(values, count=3) == ["27", "26", "25"] and fresh(values, count=1, start=155) == ["-128"]
    with pytest.raises(InputError, match="no room for 157 more"):
        fresh(values, count=2, start=155)


@pytest.mark.parametrize("pattern", ["uuid", "UUID", "hex:24", "HEX:40"])
def test_hexadecimal_digits_look_like_those_that_were_read_and_never_come_twice(pattern: str) -> None:
    random = np.random.default_rng(1)
    length = int(pattern.partition(":")[2] or 32)
    values = ["".join(random.choice(list("0123456789abcdef"), length)) for _ in COUNT]
    values = [str(uuid.UUID(value)) for value in values] if pattern.lower() == "uuid" else values
    values = [value.upper() for value in values] if pattern.isupper() else values
    column = column_of(pd.Series(values))
    assert column.kind == "identifier" and column.format == pattern
    made = fresh(values, 1000) + fresh(values, 1000, start=1000)  # with the same random numbers
    digits = "0-9A-F" if pattern.isupper() else "0-9a-f"
    assert len(set(made)) == 2000 and all(re.fullmatch(f"[-{digits}]+", value) for value in made)
    assert {len(value) for value in made} == {len(values[0])} and not set(made) & set(values)
    if pattern == "uuid":
        assert {uuid.UUID(value).version for value in made} == {4}


def test_the_last_twelve_digits_alone_keep_numbers_apart() -> None:
    column = Column(name="k", kind="identifier", dtype="str", format=f"hex:{SHORTEST_HEX}")
    made = [fresh_identifiers(column, 100_000, np.random.default_rng(s), s * 100_000) for s in range(3)]
    assert len({value[-12:] for part in made for value in part}) == 300_000


@pytest.mark.parametrize(
    "values",
    [
        [chr(97 + i % 20) + chr(97 + i // 20) for i in COUNT],
        [f"value-{chr(97 + i % 20) + chr(97 + i // 20)}" for i in COUNT],
        [*(f"value-{i:09d}" for i in COUNT), "another"],
        [f"{{{i}}}" for i in COUNT],
        ["ab" * 20] + [f"x{i}" for i in COUNT],
        [str(uuid.UUID(int=i)) for i in range(1, 100)] + ["none"],
    ],
)
def test_texts_without_a_pattern_become_placeholders_that_no_row_holds(values: list[str]) -> None:
    made = fresh(values, 200) + fresh(values, 200, start=200)
    assert len(set(made)) == 400 and not set(made) & set(values)
    assert all(value.startswith("value-") for value in made)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(st.from_regex(r"(value-)?[a-c]{0,2}-?[0-9]{0,4}[a-c]?", fullmatch=True), min_size=20, unique=True),
    start=st.integers(0, 10_000),
)
def test_whatever_was_read_fresh_values_are_new(values: list[str], start: int) -> None:
    made = fresh(values, 300, start) + fresh(values, 300, start + 300)
    assert len(set(made)) == 600 and not set(made) & set(values)


FORMS = [str, int, "K-{:06d}".format, "{:06d}/x".format]


@pytest.mark.parametrize("form", FORMS)
def test_a_code_whose_digits_run_out_above_goes_on_between_those_that_were_read(form: Any) -> None:
    codes = np.random.default_rng(0).permutation(np.arange(100_000, 1_000_000, 7))[:2000]
    given = pd.DataFrame({"code_id": [form(code) for code in codes], "x": np.arange(2000) % 7})
    survey = survey_table(source_of(given))
    column, above = survey.columns[0], 999_999 - codes.max()
    assert column.kind == "identifier" and column.unused and not survey.passport["warnings"]
    made = fresh_identifiers(column, 200_000, np.random.default_rng()).tolist()
    assert made[: above + 1] == [str(form(n)) for n in [*range(codes.max() + 1, 1_000_000), made_number(made[above])]]
    assert len(set(made)) == 200_000 and not set(made) & {str(form(code)) for code in codes}
    assert {len(value) for value in made} == {len(str(form(100_000)))}
    assert fresh_identifiers(column, 500, np.random.default_rng(), start=1_000).tolist() == made[1_000:1_500]


def made_number(text: str) -> int:
    return int(re.sub("[^0-9]", "", text))


@pytest.mark.parametrize("form", FORMS)
def test_a_code_whose_digits_run_out_altogether_is_told_before_training(form: Any) -> None:
    few = np.random.default_rng(0).permutation(np.setdiff1d(np.arange(10, 100), [20, 21, 22, 50]))
    given = pd.DataFrame({"code_id": [str(form(code)).replace("0000", "") for code in few], "x": np.arange(86) % 7})
    survey = survey_table(source_of(given))
    column = survey.columns[0]
    said = "only 4 numbers of 2 digits are left unused, and further ones are longer"
    assert column.kind == "identifier" and column.does.endswith(said)
    assert survey.passport["warnings"] == [
        f"Of the identifiers of 'code_id' {said}. If they must not be, generate fewer rows."
    ]
    made = fresh_identifiers(column, 6, np.random.default_rng())
    assert [made_number(value) for value in made] == [20, 21, 22, 50, 100, 101]


@pytest.mark.parametrize(
    "unused", ["5", "5-3", "5-9 7-12", "a-b", " ".join(f"{3 * n}-{3 * n + 1}" for n in range(1_001))]
)
def test_unused_numbers_that_a_stranger_wrote_are_checked(unused: str) -> None:
    with pytest.raises(ValueError, match=r"order|invalid literal|reshape|inhomogeneous"):
        read_ranges(unused)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([f"{i:02d}" for i in COUNT], "no number of 2 digits is left"),
        ([f"A{i:02d}" for i in range(99)], "only one number of 2 digits is left"),
        ([f"C-{i:06d}" for i in COUNT], ""),
        ([f"user{i}" for i in COUNT], ""),
        (COUNT, ""),
        ([str(uuid.UUID(int=i + 2**100)) for i in COUNT], ""),
    ],
)
def test_counters_with_room_or_of_any_length_are_not_warned_of(values: Any, said: str) -> None:
    given = pd.DataFrame({"key": list(values)}).assign(x=lambda frame: np.arange(len(frame)) % 7)
    warnings = survey_table(source_of(given)).passport["warnings"]
    assert (said in warnings[0]) if said else not warnings


def test_the_same_numbers_give_the_same_values() -> None:
    assert fresh([str(uuid.UUID(int=i + 2**100)) for i in COUNT]) == fresh(
        [str(uuid.UUID(int=i + 2**100)) for i in COUNT]
    )


def test_what_no_pattern_is_and_what_holds_no_identifiers_is_refused() -> None:
    with pytest.raises(InputError, match="has the pattern 'person'"):
        fresh_identifiers(Column(name="k", kind="identifier", dtype="str", format="person"), 1, np.random.default_rng())
    with pytest.raises(InputError, match="of float64 cannot hold identifiers"):
        fresh_identifiers(Column(name="k", kind="identifier", dtype="float64"), 1, np.random.default_rng())
