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
VERSE = [  # five and seven signs a clause
    "床前明月光,疑是地上霜。", "举头望明月,低头思故乡。", "白日依山尽,黄河入海流。", "欲穷千里目,更上一层楼!",
    "春眠不觉晓,处处闻啼鸟。", "夜来风雨声,花落知多少?", "两个黄鹂鸣翠柳,一行白鹭上青天。",
    "窗含西岭千秋雪,门泊东吴万里船。", "朝辞白帝彩云间,千里江陵一日还。", "故人西辞黄鹤楼,烟花三月下扬州。",
]  # fmt: skip
WIDE = str.maketrans(",!?", "\uff0c\uff01\uff1f")
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
        ("a.txt", VERSE, "text"),
        ("a.txt", VERSE[:2], "text"),
        ("a.txt", [line.translate(WIDE) for line in VERSE], "text"),
        ("a.txt", [line.replace(",", ";") for line in VERSE], "text"),
        ("a.txt", [line.replace("。", ".") for line in VERSE], "text"),
        ("a.txt", [line[:-1] for line in VERSE], "text"),  # of equal clauses
        ("a.txt", [line.partition(",")[0] + "," for line in VERSE], "text"),
        ("a.txt", ["人之初,性本善。", "性相近,习相远。"], "text"),
        ("a.txt", ["苍苍竹林寺,杳杳钟声晚。", "荷笠带斜阳,青山独归远。", "他说:“好,我去。”"], "text"),
        ("a.txt", ["Roses are red; violets are blue.", "Sugar is sweet; so are you."], "text"),
        ("a.txt", ["The rain fell, the wind rose.", "We saw it, we heard it.", "No one came, no one left!"], "text"),
        ("a.txt", ["int width;", "int height;", "return width;"], "text"),
        ("a.txt", ["姓名,城市", "张三,北京", "李小明,上海", "王五,黑龙江"], "tables"),
        ("a.txt", ["公司名称,公司地址", *(f"{one}方科技有限公司,海淀区{one}大街" for one in "东西南北中")], "tables"),
        ("a.txt", [f"{one}果,一种{one}色的水果。" for one in "红黄青绿紫"], "tables"),  # a word and what it means
        ("a.txt", [f"{one}方科技公司,它生产{one}部地区的电视机、空调和洗衣机。" for one in "东西南北中"], "tables"),
        ("a.txt", [f"{'张小明' if odd else '李四光'},今天去公园吗{'?' * (1 + odd)}" for odd in (0, 1) * 9], "tables"),
        (
            "a.txt",
            [f"二〇{one}年第{number}号,这是第{number}句话。" for number, one in enumerate("东西南北中")],
            "tables",
        ),
        ("a.txt", [f"你今天好吗{one}?,他明天不来了{one}。" for one in "东西南北中"], "tables"),  # a pair of sentences
        ("a.txt", ["中文句子,另一句子", *VERSE], "tables"),
        ("a.txt", ["Ann Lee,Likes cats.", "Bob Ray,Likes dogs.", "Eve Doe,Likes birds."], "tables"),
        ("a.txt", ["\ta\tb", "x\tred\tone", "y\tblue\ttwo"], "tables"),
        ("a.txt", ["name;note", "Ann;", "Bob;"], "tables"),
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
    assert {kind.name for kind in KINDS if kind.recognises(tmp_path / "a.txt")} == {"tables", "points", "interactions"}
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
