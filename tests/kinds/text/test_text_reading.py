# ruff: noqa: RUF001 - text in other scripts
"""Reading of texts: formats, labels, examples, encodings, and what is refused with file and line."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ganforge.errors import DataError
from ganforge.kinds.text import KIND, formats
from ganforge.kinds.text.reading import EMPTY, Texts, open_texts

SENTENCES = [f"The {size} cat number {number} sat on the mat." for size in ("small", "big") for number in range(30)]


def opened(path: Path, **asked: str) -> Texts:
    return open_texts(str(path), **asked)  # type: ignore[arg-type]


def file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def told(texts: Texts) -> str:
    return " ".join(texts.passport["warnings"])


# ---- formats ---------------------------------------------------------------------------------------------------------


def as_jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps({"id": n, "text": s, "label": n % 2}) + "\n" for n, s in enumerate(SENTENCES)))


def as_csv(path: Path) -> None:
    rows = "".join(f'{n};"{s}";{n % 2}\n' for n, s in enumerate(SENTENCES))
    path.write_text("id;what was said;label\n" + rows)


def as_tsv(path: Path) -> None:
    path.write_text("id\ttext\tlabel\n" + "".join(f"{n}\t{s}\t{n % 2}\n" for n, s in enumerate(SENTENCES)))


def as_parquet(path: Path) -> None:
    numbers = list(range(len(SENTENCES)))
    pq.write_table(pa.table({"id": numbers, "caption": SENTENCES, "label": [n % 2 for n in numbers]}), path)


@pytest.mark.parametrize("write", [as_jsonl, as_csv, as_tsv, as_parquet])
def test_a_column_of_text_and_labels_are_found(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / f"a.{write.__name__.removeprefix('as_')}"
    write(path)
    texts = opened(path)
    assert list(texts.whole) == SENTENCES and texts.label_names == ("0", "1")
    assert texts.whole.labels is not None and texts.whole.labels.tolist() == [0, 1] * 30
    assert list(texts.whole.of_label(1)) == SENTENCES[1::2]
    assert opened(path, label="none").label_names == ()
    with pytest.raises(DataError, match=r"no column 'lable'. Did you mean 'label'"):
        opened(path, label="lable")
    with pytest.raises(DataError, match="no column 'words'"):
        opened(path, text="words")


def test_of_several_columns_of_text_one_is_named(tmp_path: Path) -> None:
    rows = [{"question": one, "answer": one[::-1]} for one in SENTENCES]
    path = file(tmp_path, "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match=r"several columns that may be the text: question, answer.*--text"):
        opened(path)
    assert opened(path, text="answer").whole[0] == SENTENCES[0][::-1]


def test_json_lines_may_be_strings_and_hold_line_ends_blanks_and_half_characters(tmp_path: Path) -> None:
    values = [f" two\nlines\t{number} " for number in range(30)]
    path = KIND.keep(values, tmp_path)
    assert list(opened(path).whole) == values
    path = file(tmp_path, "b.jsonl", "\n".join(f'"{number} \\ud83d\\ude42 \\ud800"' for number in range(30)))
    assert opened(path).whole[7] == "7 🙂 \ufffd"


def test_quoted_cells_hold_separators_and_line_ends(tmp_path: Path) -> None:
    rows = "".join(f'"one, ""two""\nand {number}",x\n' for number in range(30))
    assert opened(file(tmp_path, "a.csv", "text,y\n" + rows)).whole[3] == 'one, "two"\nand 3'


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", '{"text": "a"}\n{"text": \n', ("Line 2 of", "a.jsonl", "is not JSON", "Mend it")),
        ("a.jsonl", '{"text": "a"}\n[1, 2]\n', ("Line 2 of", "holds [1, 2]")),
        ("a.jsonl", '{"text": "a"}\n{"text": 3}\n', ("line 2, is 3", "A text was expected")),
        ("a.jsonl", '{"n": 1}\n{"n": 2}\n', ("no column of text", "Its columns are n")),
        ("a.jsonl", "", ("no column of text", "has no rows")),
        ("a.csv", "", ("no column of text",)),
        ("a.csv", "text,y\n", ("no column of text",)),
        ("a.csv", 'text\n"one\ntwo\n', ("cannot be read", "quotation mark")),
        ("a.csv", "text,y\na,b\na,b,c\n", ("Line 3 of", "has 3 cells, the first 2", "quotation marks")),
        ("a.csv", "text,y\n" + "x" * 200_000 + ",b\n", ("Line 2 of", "131,072")),
        ("a.tsv", "a\tb\n1\t2\n3\t4\n", ("no column of text",)),
        ("a.parquet", "PAR1 is not all", ("cannot be read", "a.parquet")),
        ("a.txt", "", ("holds no text", "empty")),
        ("a.txt", "\n \n\u3000\n", ("holds no text",)),
        ("a.txt", "one line", ("holds 1 different texts", "At least 20")),
        ("a.txt", "same\n" * 1000, ("holds 1 different texts",)),
        ("a.txt", b"GIF89a\n\x00\x01", ("is not text: line 2 holds a byte of value 0", "UTF-8")),
        ("a.txt", "\n".join(SENTENCES).encode("utf-16-le"), ("line 1 holds a byte", "UTF-16 without")),
        ("a.txt", b"\xff\xfea\x00\x00\xd8\x00\xd8", ("a.txt", "cannot be read")),
        ("a.txt", "ascii\n今天天气很好\n".encode("gb18030") * 30, ("a.txt, line 2", "iconv")),
        ("a.txt", "Все счастливые семьи похожи друг на друга\n".encode("koi8-r") * 30, ("is not UTF-8", "iconv")),
    ],
)
def test_what_cannot_be_read_is_refused_in_three_sentences(
    tmp_path: Path, name: str, content: str | bytes, words: tuple[str, ...]
) -> None:
    with pytest.raises(DataError) as refused:
        opened(file(tmp_path, name, content))
    assert all(word in str(refused.value) for word in words), refused.value
    assert refused.value.what and refused.value.why and refused.value.do


@pytest.mark.parametrize(
    ("asked", "words"),
    [({"text": "t"}, "--text t was given"), ({"label": "t"}, "--label t was given")],
)
def test_columns_of_what_has_none_are_refused(tmp_path: Path, asked: dict[str, str], words: str) -> None:
    path = file(tmp_path, "a.txt", "\n".join(SENTENCES))
    with pytest.raises(DataError, match=words):
        opened(path, **asked)
    assert opened(path, label="none").label_names == ()
    for given in ({"text": "t"}, {"label": "t"}):
        with pytest.raises(DataError, match="'docstrings' has no columns"):
            open_texts("docstrings", **given)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="--example paragraph was given"):
        opened(KIND.keep(SENTENCES, tmp_path), example="paragraph")


# ---- folders and labels ----------------------------------------------------------------------------------------------


def test_files_or_subfolders_are_labels(tmp_path: Path) -> None:
    for name in ("B", "A"):
        file(tmp_path / "flat", f"{name}.txt", "\n".join(f"{name} {one}" for one in SENTENCES))
        for number, one in enumerate(SENTENCES):
            file(tmp_path / "deep" / name, f"{number:02}.txt", f"{name} {one}")
    for folder in ("flat", "deep"):
        texts = opened(tmp_path / folder)
        assert texts.label_names == ("A", "B") and texts.passport["labels"] == {"A": 60, "B": 60}
        assert list(texts.whole.of_label(1)) == [f"B {one}" for one in SENTENCES]
        assert texts.held_out.labels is not None and set(texts.held_out.labels.tolist()) == {0, 1}
        assert opened(tmp_path / folder, label="none").label_names == ()
    with pytest.raises(DataError, match="The labels of a folder are its files or subfolders"):
        opened(tmp_path / "flat", label="y")
    file(tmp_path / "deep", "C.txt", "\n".join(SENTENCES))
    texts = opened(tmp_path / "deep")
    assert texts.label_names == () and "some beside subfolders" in told(texts)


def test_rows_without_a_label_and_files_without_text_are_told(tmp_path: Path) -> None:
    rows = [{"text": one, "label": number % 2} for number, one in enumerate(SENTENCES)]
    rows += [{"text": "x", "label": None}, {"text": "y"}, {"text": "z", "label": ""}, {"text": None, "label": 0}]
    texts = opened(file(tmp_path, "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows)))
    assert list(texts.whole) == SENTENCES and texts.label_names == ("0", "1")
    assert "without a label, which were left out: 3 (first: a.jsonl, line 61)" in told(texts)
    assert f"{EMPTY}: 1 (first: a.jsonl, line 64)" in told(texts)
    file(tmp_path / "s", "A.txt", "\n".join(SENTENCES))
    file(tmp_path / "s", "B.txt", "\n\n")
    texts = opened(tmp_path / "s")
    assert texts.label_names == () and "Files without text: 1 (first: B.txt, line 1)" in told(texts)


def test_a_folder_of_files_with_columns_may_have_labels_in_a_column(tmp_path: Path) -> None:
    for part in range(2):
        rows = [{"text": f"{part} {one}", "mood": number % 3} for number, one in enumerate(SENTENCES)]
        file(tmp_path, f"part{part}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert opened(tmp_path, label="mood").label_names == ("0", "1", "2")
    assert opened(tmp_path).label_names == ("part0", "part1")


def test_lines_of_two_languages_keep_their_numbers(tmp_path: Path) -> None:
    for name, empty in (("en", 3), ("fr", 5)):
        lines = [f"{name} line {number} is here." for number in range(1, 41)]
        lines[empty - 1] = ""
        file(tmp_path, f"{name}.txt", "\n".join(lines))
    texts = opened(tmp_path)
    french = texts.whole.of_label(texts.label_names.index("fr"))
    assert french.numbers.tolist() == [number for number in range(1, 41) if number != 5]
    assert french[4] == "fr line 6 is here."


def test_very_different_numbers_of_texts_are_told_and_too_many_labels_refused(tmp_path: Path) -> None:
    file(tmp_path / "s", "A.txt", "\n".join(f"A {number}" for number in range(200)))
    file(tmp_path / "s", "B.txt", "b 1\nb 2")
    texts = opened(tmp_path / "s")
    assert "'A' has 200 texts and 'B' 2" in told(texts)
    assert texts.held_out.labels is not None and set(texts.held_out.labels.tolist()) == {0, 1}
    rows = "".join(json.dumps({"text": one, "label": one}) + "\n" for one in SENTENCES * 2)
    rows += "".join(json.dumps({"text": f"x{n}", "label": n}) + "\n" for n in range(100))
    with pytest.raises(DataError, match="160 different labels"):
        opened(file(tmp_path, "a.jsonl", rows))


# ---- one example -----------------------------------------------------------------------------------------------------


def test_empty_lines_separate_paragraphs(tmp_path: Path) -> None:
    stanzas = [f"Rose {number} is red,\n  violet {number} is blue." for number in range(30)]
    path = file(tmp_path, "a.txt", "\n\n\n".join(stanzas))
    texts = opened(path)
    assert list(texts.whole) == stanzas and texts.passport["example"] == "paragraph"
    assert texts.passport["why"] == "empty lines separate 30 paragraphs of 2.0 lines"
    assert EMPTY not in told(texts)
    lines = opened(path, example="line")
    assert lines.whole[1] == "  violet 0 is blue." and lines.passport["why"] == "you asked for it"


@pytest.mark.parametrize(
    ("content", "why"),
    [("\n".join(SENTENCES), "no empty lines"), ("\n\n".join(SENTENCES), "each line stands by itself")],
)
def test_lines_are_examples_otherwise(tmp_path: Path, content: str, why: str) -> None:
    texts = opened(file(tmp_path, "a.txt", content))
    assert list(texts.whole) == SENTENCES and why in texts.passport["why"]


# ---- encodings and awkward lines -------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_are_found_and_told(tmp_path: Path, encoding: str, end: str) -> None:
    lines = [f"Zoë sah {number} Füchse 🦊 今天." for number in range(40)]
    texts = opened(file(tmp_path, "a.txt", end.join([*lines, ""]).encode(encoding)))
    assert list(texts.whole) == lines
    assert ("CR LF" in told(texts)) == (end == "\r\n")
    assert ("Byte order mark" in told(texts)) == (encoding != "utf-8")
    assert ("UTF-16" in told(texts), "UTF-32" in told(texts)) == (encoding == "utf-16", encoding == "utf-32")


def test_a_line_that_is_not_utf8_is_read_as_windows_1252_and_told(tmp_path: Path) -> None:
    lines = [f"Füchse kosten {number} €.".encode() for number in range(30)]
    lines[7] = "It costs 3 £ – or 2 €.".encode("cp1252")
    lines[9] = b"odd \x81 byte"
    texts = opened(file(tmp_path, "a.txt", b"\n".join(lines)))
    assert texts.whole[7] == "It costs 3 £ – or 2 €." and texts.whole[8] == "Füchse kosten 8 €."
    assert texts.whole[9] == "odd \x81 byte"
    assert "Lines that are not UTF-8, read as Windows-1252: 2 (first: a.txt, line 8)" in told(texts)


@pytest.mark.parametrize("wide", ["a", "今", "🙂"])
def test_long_texts_are_cut_between_characters_and_counted(
    tmp_path: Path, wide: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "BLOCK", 1000)
    count = 2**20 // len(wide.encode())
    path = file(tmp_path, "a.txt", "\n".join(["x" + wide * count, *SENTENCES]))
    texts = opened(path)
    kept = (formats.MOST_BYTES - 1) // len(wide.encode())
    assert texts.whole[0] == "x" + wide * kept and list(texts.whole)[1:] == SENTENCES
    assert "Texts longer than 65,536 bytes, which were cut there: 1 (first: a.txt, line 1)" in told(texts)
    assert "Windows" not in told(texts)
    paragraphs = "\n\n".join(["x" + f"{wide * 10_000}\n" * 10, *(f"{one}\n{one}" for one in SENTENCES)])
    texts = opened(file(tmp_path, "b.txt", paragraphs))
    assert len(texts.whole) == 61 and len(texts.whole[0].encode()) in range(2**16 - 3, 2**16 + 1)
    assert "cut there: 1" in told(texts)


def test_what_was_found_is_in_the_passport(tmp_path: Path) -> None:
    path = file(tmp_path, "a.txt", "\n".join(["", *SENTENCES, *SENTENCES[:5], "Слово", " \t", "今天"]))
    passport = opened(path).passport
    assert passport["texts"] == 67 and passport["repeated"] == 5
    assert passport["met"] == {EMPTY: 2} and passport["first"] == {EMPTY: "a.txt, line 1"}
    assert "Letters of several scripts: Latin 99" not in told(opened(path))
    assert list(passport["scripts"]) == ["Latin"]
    text = file(tmp_path, "b.txt", "\n".join([*SENTENCES, *["Все счастливые семьи 今天 ไทย"] * 9]))
    assert set(opened(text).passport["scripts"]) == {"Latin", "Cyrillic", "Cjk", "Thai"}


def test_memory_is_that_of_a_part_however_large_the_file_is(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with path.open("wb") as sink:
        for number in range(4000):
            sink.write(b"%d " % number + b"so it goes " * 1000 + b"\n")
    tracemalloc.start()
    try:
        texts = opened(path)
        longest = max(len(text) for text in texts.train)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert longest == len("3999 ") + 11_000
    assert path.stat().st_size > 44_000_000 and peak < 30_000_000


def test_of_each_line_only_its_place_is_in_memory(tmp_path: Path) -> None:
    count = 60_000
    path = file(tmp_path, "a.txt", "".join(f"line {number}\n" for number in range(count)))
    opened(path)  # what is imported, and the cache
    tracemalloc.start()
    try:
        texts = opened(path)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(texts.whole) == count and taken < 16 * count


# ---- two parts -------------------------------------------------------------------------------------------------------


def test_equal_texts_are_on_one_side_whatever_their_order_and_label(tmp_path: Path) -> None:
    lines = [f"line {number % 700}" for number in range(1000)]
    texts = opened(file(tmp_path, "a.txt", "\n".join(lines)))
    train, held_out = set(texts.train), set(texts.held_out)
    assert not train & held_out and len(texts.train) + len(texts.held_out) == 1000
    assert 95 <= len(texts.held_out) <= 110
    again = opened(file(tmp_path, "b.txt", "\n".join(sorted(lines))))
    assert set(again.held_out) == held_out and again.sha256 != texts.sha256
    for name in ("A", "B"):
        file(tmp_path / "s", f"{name}.txt", "\n".join(lines))
    both = opened(tmp_path / "s")
    assert not set(both.train) & set(both.held_out)


def test_a_line_that_is_copied_often_is_not_what_is_held_out(tmp_path: Path) -> None:
    for common in range(5):  # whatever its hash
        lines = [f"line {number}" for number in range(100)] + [f"often {common}"] * 900
        texts = opened(file(tmp_path, f"{common}.txt", "\n".join(lines)))
        assert f"often {common}" not in set(texts.held_out) and len(texts.held_out) == 10


def test_the_same_content_has_the_same_hash_and_a_changed_file_is_read_again(tmp_path: Path) -> None:
    texts = opened(file(tmp_path, "a.txt", "\n".join(SENTENCES)))
    assert opened(KIND.keep(SENTENCES, tmp_path)).sha256 == texts.sha256
    assert opened(file(tmp_path, "a.txt", "\n".join(SENTENCES[1:]))).sha256 != texts.sha256


def test_texts_are_read_by_index_and_slice(tmp_path: Path) -> None:
    texts = opened(file(tmp_path, "a.txt", "\n".join(SENTENCES)))
    assert texts.whole[-1] == SENTENCES[-1] and texts.whole[3:5] == SENTENCES[3:5]
    assert list(texts.whole.at(np.array([5, 2]))) == [SENTENCES[5], SENTENCES[2]]
    assert list(texts.whole.at(np.array([9, 5, 2])).at(np.array([False, True, True]))) == [SENTENCES[5], SENTENCES[2]]
    some = texts.whole.at(np.array([-1, 3]))
    assert some[0] == SENTENCES[-1] and some.numbers.tolist() == [60, 4] and some.labels is None
    assert some.lengths.tolist() == [len(SENTENCES[-1]), len(SENTENCES[3])]
    with pytest.raises(IndexError):
        texts.whole[60]


def test_the_built_in_sentences_are_many_and_the_same_each_time() -> None:
    texts = open_texts("docstrings")
    assert len(texts.whole) > 5000 and texts.passport["repeated"] == 0
    assert open_texts("docstrings").sha256 == texts.sha256
