"""What is taken for text, and what stays with the other kinds."""

from __future__ import annotations

import codecs
import wave
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ganforge.core.text_file import WIDE_MARKS
from ganforge.errors import DataError, InputError
from ganforge.kinds import every_kind, recognise
from ganforge.kinds.text import KIND
from ganforge.kinds.text.reading import open_texts

KINDS = [*(kind for kind in every_kind() if kind.name != "text"), KIND]
PROSE = [f"The cat number {number}, as ever, {'sat' * (number % 3)} on the mat." for number in range(30)]


def kind_of(source: object) -> str:
    kind, claim = recognise(source, KINDS)
    assert claim.why
    return kind.name


@pytest.mark.parametrize(
    ("name", "lines", "kind"),
    [
        ("a.txt", PROSE, "text"),
        ("a.TXT", PROSE, "text"),
        ("a.txt", ["John Smith", "Ann Lee", "Bob"], "text"),
        ("a.txt", ["今天天气很好。", "我们去公园。"], "text"),
        ("a.txt", [f"猫坐在窗台上{'啊' * number}。" for number in range(30)], "text"),
        ("a.txt", ["🎉" * number for number in range(1, 30)], "text"),
        ("a.txt", ["नमस्ते दुनिया", "आप कैसे हैं"], "text"),
        ("a.txt", ["CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N"], "text"),
        ("a.txt", [f"{number} + {number} = {2 * number} apples in the basket" for number in range(30)], "text"),
        ("a.txt", ["1.5 2.5", "3 4"], "tables"),
        ("a.txt", ["x y", *(f"{number}.25 -{number}e-3" for number in range(30))], "tables"),
        ("a.txt", [f"{number}" for number in range(30)], "tables"),
        ("a.txt", ["name,age", "Ann,3", "Bob,4"], "tables"),
        ("a.txt", ["name age size", "Ann 3 small", "Bob 4 tall", "Eve 15 tall"], "tables"),
        ("a.txt", ["name, age", "Ann, 3", "Bob, 4"], "tables"),
        ("a.txt", ["id,text", *(f"{number},it sat on the mat, twice" for number in range(9))], "tables"),
        ("a.txt", ["name\tword", "Ann\tis here", "Bob\tis there"], "tables"),
        ("a.txt", [], "tables"),
        ("a.csv", ["text", *PROSE], "tables"),
        ("a.tsv", ["text", *PROSE], "tables"),
        ("a.jsonl", ['{"text": "a"}'], "text"),
    ],
)
def test_a_file_is_text_unless_it_is_numbers_or_rows(tmp_path: Path, name: str, lines: list[str], kind: str) -> None:
    (tmp_path / name).write_text("\n".join(lines), "utf-8")
    assert kind_of(tmp_path / name) == kind_of(str(tmp_path / name)) == kind


@pytest.mark.parametrize(("mark", "encoding"), WIDE_MARKS.items())
def test_text_is_recognised_by_every_byte_order_mark(tmp_path: Path, mark: bytes, encoding: str) -> None:
    """A mark of UTF-32 begins like one of UTF-16, and both hold zero bytes."""
    big = mark in (codecs.BOM_UTF32_BE, codecs.BOM_UTF16_BE)
    path = tmp_path / "a.txt"
    path.write_bytes(mark + "\n".join(PROSE).encode(f"{encoding}-{'be' if big else 'le'}"))
    assert kind_of(path) == "text"
    assert list(open_texts(str(path), example="line").whole) == PROSE


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_text_is_recognised_in_every_encoding_that_is_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes("\n".join(f"Füchse, {line}" for line in PROSE).encode(encoding))
    assert kind_of(tmp_path / "a.txt") == "text"
    (tmp_path / "b.txt").write_bytes(b"GIF89a\0\1" * 100)
    assert kind_of(tmp_path / "b.txt") == "tables"


def test_points_and_tables_stay_what_they_were(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1 2\n3 4\n")
    assert {kind.name for kind in KINDS if kind.recognises(tmp_path / "a.txt")} == {"tables", "points"}
    pq.write_table(pa.table({"text": PROSE}), tmp_path / "a.parquet")
    assert kind_of(tmp_path / "a.parquet") == "tables"
    pq.write_table(pa.table({"image": [b"\x89PNG"], "text": ["a cat"]}), tmp_path / "b.parquet")
    assert kind_of(tmp_path / "b.parquet") == "pictures"
    (tmp_path / "c.parquet").write_bytes(b"PAR1 but no more")
    assert kind_of(tmp_path / "c.parquet") == "pictures"


def test_folders_of_text_are_text_and_text_beside_other_examples_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    assert kind_of(folder) == "pictures"
    for name in ("A", "B"):
        (folder / f"{name}.txt").write_text("\n".join(PROSE))
    assert kind_of(folder) == "text"
    for beside in ("README", "notes.md", ".DS_Store"):
        (folder / beside).touch()
        assert kind_of(folder) == "text"
    (folder / "more").mkdir()
    (folder / "more" / "C.txt").write_text("\n".join(PROSE))
    assert kind_of(folder) == "text"
    with wave.open(str(folder / "more" / "a.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
    assert kind_of(folder) == "sounds"
    (folder / "more" / "a.wav").unlink()
    Image.new("L", (8, 8)).save(folder / "more" / "a.png")
    assert kind_of(folder) == "pictures"
    (folder / "more" / "a.png").rename(folder / "more" / "a.xyz")
    with pytest.raises(InputError, match="--kind pictures or --kind text"):
        recognise(folder, KINDS)


def test_a_folder_with_tables_is_left_to_tables(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("x,y\n1,2\n")
    (tmp_path / "README.txt").write_text("\n".join(PROSE))
    assert kind_of(tmp_path) == "tables"


def test_texts_in_python_are_text_and_kept_to_the_letter(tmp_path: Path) -> None:
    assert kind_of(PROSE) == kind_of(tuple(PROSE)) == "text"
    assert kind_of([[1, 2], [3, 4]]) == kind_of(np.zeros((4, 8, 8))) == "pictures"
    with pytest.raises(DataError, match="cannot be trained on"):
        recognise({"a"}, KINDS)
    odd = [f"{number}\r\n\t\0\u2028 x " for number in range(30)]
    assert list(open_texts(str(KIND.keep(odd, tmp_path))).whole) == odd
    with pytest.raises(DataError, match="Number 30 of the list is a int"):
        KIND.keep([*odd, 3], tmp_path)
    with pytest.raises(DataError, match="Number 0 of the list is a bytes"):
        KIND.keep([b"a"], tmp_path)


@pytest.mark.parametrize(("name", "value"), [("unit", "syllables"), ("example", "5000")])
def test_an_option_names_what_there_is(name: str, value: str) -> None:
    option = next(option for option in KIND.options if option.name == name)
    assert option.check is not None
    with pytest.raises(InputError, match=f"--{name} cannot be '{value}'. It is "):
        option.check(value)
