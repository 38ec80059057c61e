"""Which columns of a file are users, items, ratings and times."""

from __future__ import annotations

import sys
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest

from ganforge.contracts import Task
from ganforge.errors import DataError
from ganforge.kinds.interactions.columns import LogSettings, find_columns
from ganforge.kinds.interactions.data import InteractionsData, asked_of, choose_log, log_choices, overview_of
from ganforge.kinds.interactions.reading import read_log
from ganforge.kinds.interactions.rows import open_rows
from ganforge.planning.draft import Draft
from ganforge.recipe import Network, Optimiser, Request

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fixtures"))

from logs import LOG

RANDOM = np.random.default_rng(0)


def found(folder: Path, frame: pd.DataFrame, header: bool = True, **asked: str) -> dict[str, str]:
    path = folder / "log.csv"
    frame.to_csv(path, index=False, header=header)
    columns = find_columns(open_rows(path), LogSettings(**asked))
    assert set(columns.chosen) == set(columns.reasons) - {role for role, name in asked.items() if name == "none"}
    return columns.chosen


@pytest.mark.parametrize(
    "names",
    [
        ("userId", "movieId", "rating", "timestamp"),
        ("reviewerID", "asin", "overall", "unixReviewTime"),
        ("USER-ID", "ISBN", "Book-Rating", "date"),
        ("visitorid", "itemid", "score", "ts"),
        ("user_id", "anime_id", "stars", "created_at"),  # the other column that is called an id
    ],
)
def test_columns_are_found_by_their_usual_names(tmp_path: Path, names: tuple[str, ...]) -> None:
    frame = LOG.set_axis(names, axis=1)
    assert found(tmp_path, frame[[*names[::-1]]]) == dict(zip(("user", "item", "rating", "time"), names, strict=True))


def test_ids_without_usual_names_are_found_by_what_is_in_them(tmp_path: Path) -> None:
    frame = LOG.rename(columns={"user": "s", "item": "d", "rating": "y"}).drop(columns="time")
    more = frame.assign(row=range(len(LOG)), age=frame["y"] + 10, price=RANDOM.random(len(LOG)), note="a b c")
    assert found(tmp_path, more[["row", "s", "d", "age", "price", "note", "y"]]) == {
        "user": "s", "item": "d", "rating": "y",
    }  # fmt: skip


def test_what_a_person_names_has_priority_and_none_leaves_a_column_out(tmp_path: Path) -> None:
    frame = LOG.assign(score=1, when=5)
    asked = {"user": "item", "item": "user", "rating": "score", "time": "none"}
    assert found(tmp_path, frame, **asked) == {"user": "item", "item": "user", "rating": "score"}


@pytest.mark.parametrize(
    ("kept", "roles"),
    [
        (["user", "item", "rating", "time"], ["user", "item", "rating", "time"]),
        (["user", "item", "rating"], ["user", "item", "rating"]),
        (["user", "item", "time"], ["user", "item", "time"]),
        (["user", "item"], ["user", "item"]),
    ],
)
def test_without_a_line_of_names_columns_are_known_by_their_places(
    tmp_path: Path, kept: list[str], roles: list[str]
) -> None:
    places = {role: f"column_{place + 1}" for place, role in enumerate(roles)}
    assert found(tmp_path, LOG[kept], header=False) == places


def test_the_columns_that_were_considered_are_named_with_the_reason(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"user": LOG["user"], "line": range(len(LOG)), "price": RANDOM.random(len(LOG)), "sex": LOG["item"] % 2}
    )
    with pytest.raises(DataError, match=r"No column of .* looks like items beside 'user'") as caught:
        found(tmp_path, frame)
    assert "'line': a different value in each row" in caught.value.why
    assert "'sex': 2 different values" in caught.value.why
    assert caught.value.do == "Name it: --set interactions.item=COLUMN"


def test_several_columns_that_may_be_ids_are_not_guessed_from(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": LOG["user"], "b": LOG["item"], "c": LOG["user"] + LOG["item"]})
    with pytest.raises(DataError, match="No column") as caught:
        found(tmp_path, frame)
    assert caught.value.why.count("may be ids") == 3


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"user": "usr"}, "has no column 'usr'. Did you mean 'user'?"),
        ({"user": "item", "item": "item"}, "'item' was named for both user and item"),
        ({"user": "none"}, "has no column 'none'"),
    ],
)
def test_names_that_cannot_be_meant_are_refused(tmp_path: Path, asked: dict[str, str], what: str) -> None:
    with pytest.raises(DataError) as caught:
        found(tmp_path, LOG, **asked)
    assert what in str(caught.value)


def test_five_columns_without_names_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 5 columns, and its first line holds values"):
        found(tmp_path, LOG.assign(more=1), header=False)
    named = found(tmp_path, LOG.assign(more=1), header=False, user="column_1", item="column_2")
    assert named == {"user": "column_1", "item": "column_2"}


@pytest.mark.parametrize("header", [True, False])
def test_a_matrix_of_users_and_items_is_refused_as_one(tmp_path: Path, header: bool) -> None:
    wide = LOG.drop_duplicates(["user", "item"]).pivot(index="user", columns="item", values="rating").reset_index()
    with pytest.raises(DataError, match="looks like a matrix of users and items") as caught:
        found(tmp_path, wide, header=header)
    assert "melt" in caught.value.do


class Reads(Task):
    """A task that only reads."""

    name = "reads"
    measured = MappingProxyType({})
    section = LogSettings
    data = InteractionsData


@pytest.mark.parametrize("timed", [True, False])
def test_a_recipe_says_how_the_log_was_read_so_that_it_is_read_in_the_same_way_again(
    tmp_path: Path, timed: bool
) -> None:
    frame = LOG if timed else LOG.drop(columns="time")
    frame.rename(columns={"user": "s", "item": "d"}).to_csv(tmp_path / "log.csv", index=False)
    settings = {"interactions.user": "d", "interactions.item": "s", "interactions.positive": "2"}
    draft = Draft(Request(source=str(tmp_path / "log.csv"), settings=settings), Reads)
    reading = read_log(tmp_path / "log.csv", asked_of(draft))
    chosen = draft.choose(LogSettings, **log_choices(reading, asked_of(draft)))
    data = choose_log(draft, reading, ((2,), "a pair"))
    assert (chosen.user, chosen.item, chosen.positive) == ("d", "s", 2)
    assert (chosen.time, chosen.split) == (("time", "time") if timed else ("none", "random"))
    assert (data.users, data.items, data.interactions) == (30, 39, len(reading.log))
    assert (data.first is not None) == timed
    again = read_log(tmp_path / "log.csv", chosen)
    assert (again.sha256, again.columns.chosen) == (reading.sha256, reading.columns.chosen)
    draft.choose(Network, name=("none", "there is none"))
    draft.choose(Optimiser)
    (rows,) = overview_of(draft.recipe())
    assert [row[:2] for row in rows.rows][:2] == [("users", "30"), ("items", "39")]
    assert ("from" in {row[0] for row in rows.rows}) == timed
