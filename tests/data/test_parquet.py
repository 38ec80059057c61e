"""Parquet files with a column of encoded pictures, as Hugging Face datasets and pandas write them."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ganforge.errors import DataError
from ganforge.kinds.pictures.reading.open import Pictures, open_pictures
from ganforge.kinds.pictures.reading.survey import survey

RNG = np.random.default_rng(4)
LEVELS = RNG.integers(0, 256, (60, 8, 8, 3), np.uint8)
LABELS = (np.arange(60) % 3).tolist()


def encoded(levels: np.ndarray) -> list[bytes]:
    files = []
    for picture in levels:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        files.append(file.getvalue())
    return files


def hugging_face(levels: np.ndarray) -> pa.Array:
    """The column `image` of a Hugging Face dataset: a struct of the encoded bytes and the path they came from."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.array([{"bytes": data, "path": f"{i}.png"} for i, data in enumerate(encoded(levels))], kind)


def write(path: Path, columns: Mapping[str, Any], names: Sequence[str] = (), **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(dict(columns))
    if names:
        features = {"image": {"_type": "Image"}, "label": {"names": list(names), "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path, **options)
    return path


def opened(source: Path, **more: Any) -> Pictures:
    return open_pictures(survey(source, **more), size=(8, 8))


def levels_of(pictures: Pictures) -> set[bytes]:
    both = (pictures.train.examples(), pictures.held_out.examples())
    return {picture.transpose(1, 2, 0).tobytes() for part in both for picture in part}


def wanted(levels: np.ndarray) -> set[bytes]:
    return {picture.tobytes() for picture in levels}


def test_a_hugging_face_file_is_read_with_the_names_of_its_labels(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path / "a.parquet", {"image": hugging_face(LEVELS), "label": LABELS}, ["cat", "dog", "emu"])
    pictures = opened(path)
    assert pictures.label_names == ("cat", "dog", "emu") and levels_of(pictures) == wanted(LEVELS)
    for feed in (pictures.train, pictures.held_out):
        assert feed.labels is not None
        for picture, label in zip(feed.examples(), feed.labels, strict=True):
            assert (picture.transpose(1, 2, 0) == LEVELS[label::3]).all(axis=(1, 2, 3)).any()


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_plain_bytes_without_labels_are_read(tmp_path: Path, cache: Path, kind: pa.DataType) -> None:
    path = write(tmp_path / "a.parquet", {"id": range(60), "data": pa.array(encoded(LEVELS), kind)}, row_group_size=7)
    pictures = opened(path)
    assert pictures.label_names == () and levels_of(pictures) == wanted(LEVELS)


def test_shards_of_train_and_test_are_the_two_parts(tmp_path: Path, cache: Path) -> None:
    for name, rows in (("train-00000", slice(0, 20)), ("train-00001", slice(20, 45)), ("test-00000", slice(45, 60))):
        write(tmp_path / "data" / f"{name}.parquet", {"image": hugging_face(LEVELS[rows]), "label": LABELS[rows]})
    pictures = opened(tmp_path)
    assert (pictures.train.examples() == LEVELS[:45].transpose(0, 3, 1, 2)).all()
    assert (pictures.held_out.examples() == LEVELS[45:].transpose(0, 3, 1, 2)).all()
    assert pictures.train.labels is not None and pictures.train.labels.tolist() == LABELS[:45]


def test_test_files_without_labels_do_not_cost_the_labels(tmp_path: Path, cache: Path) -> None:
    """test.parquet comes before train.parquet in the alphabet: its columns must not decide."""
    write(tmp_path / "d" / "test.parquet", {"image": hugging_face(LEVELS[45:])})
    write(tmp_path / "d" / "train.parquet", {"image": hugging_face(LEVELS[:45]), "label": LABELS[:45]})
    pictures = opened(tmp_path / "d")
    assert pictures.label_names == ("0", "1", "2") and pictures.held_out.labels is not None
    assert levels_of(pictures) == wanted(LEVELS[:45]) and "no labels" in " ".join(pictures.passport["notes"])


WORDS = np.array(["cat", "dog", "emu"])[LABELS]


@pytest.mark.parametrize(
    ("column", "names"),
    [
        (pa.array(WORDS), ("cat", "dog", "emu")),
        (pa.array(WORDS, pa.large_string()), ("cat", "dog", "emu")),
        (pa.array(WORDS).dictionary_encode(), ("cat", "dog", "emu")),
        (pa.array([label == 1 for label in LABELS]), ("False", "True")),
        (pa.array(LABELS, pa.int8()), ("0", "1", "2")),
    ],
)
def test_words_categories_and_yes_or_no_are_labels(tmp_path: Path, column: pa.Array, names: tuple[str, ...]) -> None:
    path = write(tmp_path / "a.parquet", {"image": hugging_face(LEVELS), "label": column})
    assert survey(path).label_names == names
    assert survey(path, labels="label").label_names == names
    assert survey(path, labels=False).label_names == ()


def test_whole_numbers_written_as_fractions_are_labels_when_they_are_named(tmp_path: Path) -> None:
    columns = {"image": hugging_face(LEVELS), "kind": pa.array(LABELS, pa.float64())}
    assert survey(write(tmp_path / "a.parquet", columns), labels="kind").label_names == ("0", "1", "2")


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array([{"a": 1}] * 60), "of type struct"),
        (pa.array([[1, 2]] * 60), "of type list"),
        (pa.array(encoded(LEVELS)), "of type binary"),
        (pa.array(np.arange(60) / 7), "not whole numbers"),
        (pa.array([None, *LABELS[1:]]), "1 of 60 labels .* missing"),
        (pa.array([None, *WORDS[1:]]).dictionary_encode(), "1 of 60 labels .* missing"),
    ],
)
def test_columns_that_cannot_be_labels_are_refused_in_words(tmp_path: Path, column: pa.Array, words: str) -> None:
    path = write(tmp_path / "a.parquet", {"image": hugging_face(LEVELS), "mine": column})
    with pytest.raises(DataError, match=words):
        survey(path, labels="mine")
    with pytest.raises(DataError, match="Did you mean 'mine'"):
        survey(path, labels="mein")


def test_a_file_of_another_kind_among_them_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", {"image": hugging_face(LEVELS), "label": LABELS})
    write(tmp_path / "b.parquet", {"text": WORDS, "label": LABELS})
    with pytest.raises(DataError, match=r"b\.parquet' has no column 'image', only text, label"):
        survey(tmp_path)


def test_broken_pictures_in_a_good_file_are_skipped_and_listed(tmp_path: Path, cache: Path) -> None:
    files: list[bytes | None] = [*encoded(LEVELS)]
    files[3], files[7], files[9] = None, b"", b"no picture"
    pictures = opened(write(tmp_path / "a.parquet", {"image": files, "label": LABELS}))
    assert pictures.passport["count"] == 57 and levels_of(pictures) == wanted(np.delete(LEVELS, [3, 7, 9], axis=0))
    assert [one["name"] for one in pictures.passport["skipped"]] == [f"a.parquet, row {row}" for row in (3, 7, 9)]


def test_a_damaged_page_names_the_file_and_leaves_no_cache(tmp_path: Path, cache: Path) -> None:
    columns = {"image": encoded(np.repeat(LEVELS, 4, axis=0)), "label": LABELS * 4}
    path = write(tmp_path / "a.parquet", columns, compression="gzip", use_dictionary=False, row_group_size=10)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 400] = bytes(400)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.parquet' cannot be read as Parquet"):
        opened(path)
    assert not list(tmp_path.rglob("pixels"))


def test_files_that_are_no_parquet_or_hold_no_pictures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match=r"a\.parquet' cannot be read as Parquet"):
        survey(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="no column of pictures: its columns are label"):
        survey(write(tmp_path / "b.parquet", {"label": LABELS}))
