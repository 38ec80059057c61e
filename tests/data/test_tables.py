from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ganforge.errors import DataError
from ganforge.kinds.tables.regress.numeric import open_numeric_table


def frame(rows: int = 100) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    a, b = rng.normal(5, 3, rows), rng.integers(0, 9, rows)
    return pd.DataFrame({"a": a, "b": b, "word": ["x"] * rows, "same": 1.0, "price": 2 * a - b})


def test_features_are_standardised_with_the_training_part_alone() -> None:
    table = open_numeric_table(frame(), "price", seed=0)
    assert table.feature_names == ("a", "b") and len(table.train_y) == 80 and len(table.held_y) == 20
    feed, scaling = table.feed(), table.scaling
    batch = feed.batch(torch.arange(80))
    assert batch["x"].shape == (80, 2) and batch["x"].dtype == torch.float32
    assert batch["x"].mean(0).abs().max() < 1e-5 and (batch["x"].std(0, correction=0) - 1).abs().max() < 1e-5
    back = batch["y"].numpy() * scaling.y_std + scaling.y_mean
    assert np.allclose(back, table.train_y, atol=1e-4)
    assert np.allclose(table.held_y, 2 * table.held_x[:, 0] - table.held_x[:, 1])


def test_what_is_left_out_is_said() -> None:
    given = frame()
    given.loc[3, "a"] = np.nan
    given["b"] = given["b"].astype("Int64")
    given.loc[4, "b"] = pd.NA
    passport = open_numeric_table(given, "price", seed=0).passport
    assert passport["left_out_not_numeric"] == ["word"] and passport["left_out_constant"] == ["same"]
    assert passport["rows_left_out"] == 2 and passport["count"] == 98


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_files_give_the_same_table_as_the_frame(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    if suffix == "parquet":
        frame().to_parquet(path)
    else:
        frame().to_csv(path, index=False, sep="," if suffix == "csv" else "\t")
    assert np.allclose(
        open_numeric_table(path, "price", 1).train_x, open_numeric_table(frame(), "price", 1).train_x, atol=1e-9
    )


def test_the_built_in_table_opens_and_the_seed_decides_the_split() -> None:
    first, again, other = (open_numeric_table("diabetes", "target", seed) for seed in (0, 0, 1))
    assert len(first.train_y) + len(first.held_y) == 442 and len(first.feature_names) == 10
    assert (first.held_y == again.held_y).all() and (first.held_y[:50] != other.held_y[:50]).any()


def test_a_wrong_target_gets_a_suggestion() -> None:
    with pytest.raises(DataError, match="'price'"):
        open_numeric_table(frame(), "prise", seed=0)


@pytest.mark.parametrize(
    ("given", "target", "words"),
    [
        (frame(), "word", "not numeric"),
        (frame(), "same", "in every row"),
        (frame(10), "price", "10 complete rows"),
        (frame()[["word", "price"]], "price", "no numeric column"),
        (pd.concat([frame(), frame()[["a"]]], axis=1), "price", "several columns"),
    ],
)
def test_unusable_tables_are_refused_in_words(given: pd.DataFrame, target: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        open_numeric_table(given, target, seed=0)


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_a_flipped_byte_in_a_packed_table_is_said(tmp_path: Path, place: float) -> None:
    path = tmp_path / "t.csv.gz"
    frame().to_csv(path, index=False)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 0x55
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"t\.csv\.gz' cannot be read as a table"):
        open_numeric_table(path, "price", seed=0)


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "note.doc").write_text("a,b")
    for name, words in [
        ("empty.csv", "cannot be read"),
        ("broken.parquet", "cannot be read"),
        ("note.doc", "by its name"),
    ]:
        with pytest.raises(DataError, match=words):
            open_numeric_table(tmp_path / name, "a", seed=0)
    with pytest.raises(DataError, match=r"Did you mean .*empty\.csv"):
        open_numeric_table(tmp_path / "emty.csv", "a", seed=0)
