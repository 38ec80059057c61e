"""What a log cannot be, in sentences: each says what was found, why it does not do, and what to do."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from ganforge.errors import DataError
from ganforge.kinds.interactions import keep
from ganforge.kinds.interactions.columns import LogSettings
from ganforge.kinds.interactions.features import encode
from ganforge.kinds.interactions.reading import read_log

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fixtures"))

from logs import ITEMS, LOG


def csv(**changed: Any) -> str:
    return LOG.assign(**changed).to_csv(index=False)


def every(number: int, other: Any, name: str) -> list[Any]:
    return [other if place % number == 0 else value for place, value in enumerate(LOG[name])]


def refusal(path: Path, **asked: Any) -> str:
    with pytest.raises(DataError) as caught:
        read_log(path, LogSettings(**asked))
    error = caught.value
    assert error.what.endswith((".", "?")) and (error.why or error.do) and len(str(error)) < 600
    assert "np.str_" not in str(error)
    return str(error)


FAULTS: dict[str, tuple[str | bytes, str]] = {
    "an empty file": ("", "it is empty"),
    "names alone": ("user,item\n", "has no rows"),
    "one column": ("user\n1\n2\n", "has a single column, 'user'"),
    "another separator": (LOG.to_csv(index=False, sep=":"), "has a single column"),
    "blanks": (LOG.to_csv(index=False, sep=" "), "separated by blanks"),
    "a column named twice": (csv().replace("rating", "item", 1), "several columns of the name 'item'"),
    "ratings of text": (csv(rating="5 stars"), "The column of ratings, 'rating', holds '5 stars'"),
    "some ratings of text": (csv(rating=every(4, "bad", "rating")), "holds 'bad', which is not a number"),
    "missing ratings": (csv(rating=every(2, None, "rating")), "no usable rating in 'rating'"),
    "missing users": (csv(user=every(2, None, "user")), "no usable user in 'user'"),
    "times of text": (csv(time="soon"), "'time', such as 'soon', cannot be read as times"),
    "no times": (csv(time=None), "'time', which is mostly empty, cannot be read as times"),
    "times of day": (csv(time="12:30"), "'12:30', cannot be read as times"),
    "seconds and milliseconds": (
        LOG.assign(time=[t * (1_000 if k % 3 else 1) for k, t in enumerate(LOG["time"])]).to_csv(index=False),
        "partly seconds and partly milliseconds",
    ),
    "one user": (csv(user=7), "has one user alone, '7'"),
    "one item": (csv(item=7), "has one item alone, '7'"),
    "too few of each user": (
        pd.DataFrame({"user": np.arange(40) // 2, "item": np.arange(40) % 7}).to_csv(index=False),
        "No user of .* has 3 interactions",
    ),
    "texts in place of ids": (csv(user=["x" * 300] * len(LOG)), "texts of up to 300 characters"),
    "many broken lines": (csv() + "1,2\n" * 30, "30 of .* lines .* cannot be read as rows"),
    "an open quotation mark": (csv() + '"1,2,3,4\n5,6,7,8\n', "never closed"),
    "UTF-16 without a mark": (csv().encode("utf-16-le"), "many of its bytes are zero"),
    "Latin-1": (csv(user=LOG["user"].map("Zoë{}".format)).encode("latin-1"), "not UTF-8"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(50), "those of a picture"),
    "a page": ("<html><body>404</body></html>", "those of a web page"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_no_log_gets_a_sentence(tmp_path: Path, fault: str) -> None:
    content, sentence = FAULTS[fault]
    path = tmp_path / "log.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    said = refusal(path)
    assert re.search(sentence, said), said


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"user": 1, "item": "a"}\n{"user": "x", "item": "a"}\n', "Each key holds values of one type"),
        ("[1, 2]\n", "cannot be read as JSON lines"),
        ("", "has no columns"),
    ],
)
def test_json_lines_that_are_none_get_a_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "log.jsonl").write_text(content)
    assert sentence in refusal(tmp_path / "log.jsonl")


@pytest.mark.parametrize("name", ["log.parquet", "log.feather", "log.csv.gz"])
def test_a_damaged_file_gets_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PAR1 and nothing else")
    assert "cannot be read" in refusal(tmp_path / name)


@pytest.mark.parametrize(
    ("columns", "asked", "sentence"),
    [
        (["user", "item"], {"positive": 4.0}, "has no column of ratings"),
        (["user", "item", "rating"], {"positive": 99.0}, "the largest rating is 5"),
        (["user", "item", "rating"], {"rating": "item"}, "'item' was named for both"),
    ],
)
def test_settings_that_do_not_fit_the_log_get_a_sentence(
    tmp_path: Path, columns: list[str], asked: dict[str, Any], sentence: str
) -> None:
    LOG[columns].to_csv(tmp_path / "log.csv", index=False)
    if asked.get("rating") == "item":
        asked = {**asked, "item": "item"}
    assert sentence in refusal(tmp_path / "log.csv", **asked)


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("users.csv", ITEMS),
        ("users.csv", ITEMS.rename(columns={"item": "user"})),
        ("items.csv", ITEMS.assign(item=range(1, 31))),
        ("items.csv", ITEMS.rename(columns={"item": "user"})),
    ],
)
def test_items_in_the_table_of_users_and_users_in_that_of_items_get_a_sentence(
    tmp_path: Path, name: str, table: pd.DataFrame
) -> None:
    LOG.to_csv(tmp_path / "ratings.csv", index=False)
    table.to_csv(tmp_path / name, index=False)
    said = refusal(tmp_path / "ratings.csv")
    assert f"taken for a table of {name[:-4]}" in said and "holds " in said


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("user", [["a", "b"]] * len(LOG), "'user' of users holds values of the type list"),
        ("item", [b"\xff\xfe"] * len(LOG), "'item' of items holds values of the type binary"),
        ("time", [time(12, 30)] * len(LOG), "such as '12:30:00.000000', cannot be read as times"),
        ("rating", [{"stars": 3}] * len(LOG), "'rating' of ratings holds values of the type struct"),
    ],
)
def test_columns_of_other_types_get_a_sentence(tmp_path: Path, name: str, values: Any, sentence: str) -> None:
    LOG.assign(**{name: values}).to_parquet(tmp_path / "log.parquet")
    assert sentence in refusal(tmp_path / "log.parquet")


def _two_logs(folder: Path) -> None:
    for name in ("events.csv", "ratings.csv"):
        LOG.to_csv(folder / name, index=False)


@pytest.mark.parametrize(
    ("fill", "sentence"),
    [
        (lambda folder: None, "holds no log"),
        (lambda folder: (folder / "photo.png").touch(), "There are 'photo.png'"),
        (_two_logs, "holds several logs"),
    ],
)
def test_a_folder_without_one_log_gets_a_sentence(
    tmp_path: Path, fill: Callable[[Path], object], sentence: str
) -> None:
    fill(tmp_path)
    assert sentence in refusal(tmp_path)


def test_a_missing_file_gets_a_sentence(tmp_path: Path) -> None:
    assert "There is no file at" in refusal(tmp_path / "nothing.csv")


@pytest.mark.parametrize(
    "value",
    [
        3,
        [1, 2],
        {"ratings": LOG},
        {"interactions": LOG, "films": ITEMS},
        {"interactions": 3},
        csr_matrix((3, 3)),
        pd.concat([LOG, LOG], axis=1),
        pd.concat({"a": LOG}, axis=1),
    ],
)
def test_a_value_that_is_no_log_gets_a_sentence(tmp_path: Path, value: object) -> None:
    with pytest.raises(DataError) as caught:
        keep(value, tmp_path)
    assert caught.value.what.endswith(".") and (caught.value.why or caught.value.do)


def test_new_items_without_any_known_column_get_a_sentence(tmp_path: Path) -> None:
    LOG.to_csv(tmp_path / "ratings.csv", index=False)
    ITEMS.to_csv(tmp_path / "items.csv", index=False)
    items = read_log(tmp_path, LogSettings()).items
    assert items is not None
    (tmp_path / "new.csv").write_text("item,colour\n1,red\n")
    with pytest.raises(DataError, match="has none of the columns that the model knows of items"):
        encode(tmp_path / "new.csv", "item", items.coding)
