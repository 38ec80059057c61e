"""Units of text: nothing is lost, whatever the text; a choice has its reason; a stranger's vocabulary is checked."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganforge.kinds.text import units as units_of_text
from ganforge.kinds.text.docstrings import docstrings
from ganforge.kinds.text.units import BYTES, FIRST, NAMES, Units, choose_units, split_words

LINES = docstrings()[:1500]
UNITS = {name: choose_units(LINES, name, most=500)[0] for name in NAMES}
ANY = st.text(st.characters(exclude_categories=["Cs"]))
AWKWARD = st.text(st.sampled_from("a A.,'-!?\t\r\n\0\u00a0\u200d\u3000\u0301ไ\u0e35中\uff0c🙂🏽'\ufeff\u2028<pad>"))


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=150)
@given(text=st.one_of(ANY, AWKWARD))
def test_what_goes_in_comes_out(name: str, text: str) -> None:
    units = UNITS[name]
    found = units.encode(text)
    assert units.decode(found) == text
    assert all(BYTES <= unit < units.size for unit in found)


@settings(deadline=None)
@given(text=st.one_of(ANY, AWKWARD))
def test_words_add_up_to_the_text(text: str) -> None:
    assert "".join(split_words(text)) == text


@pytest.mark.parametrize("name", NAMES)
def test_many_are_encoded_as_each_is_and_a_vocabulary_is_plain_json(name: str) -> None:
    units = UNITS[name]
    again = Units.of_content(json.loads(json.dumps(units.content())))
    assert again == units and again.digest == units.digest
    for text, found in zip(LINES[:50], again.encode_all(LINES[:50]), strict=True):
        assert found.tolist() == units.encode(text) and found.dtype == np.int32


def test_special_units_are_silent_and_bytes_that_are_no_text_are_shown() -> None:
    units = UNITS["words"]
    assert units.decode([units.begin, *units.encode(" a  man "), units.end, units.pad]) == " a  man "
    assert units.decode([BYTES + 0xFF]) == "\ufffd"
    assert units.decode(units.encode("\ud800")) == "\ufffd"


def test_a_word_is_one_unit_at_the_beginning_and_inside() -> None:
    units = Units("words", pieces=(" the", " mean", "."))
    assert units.encode("the mean.") == [FIRST, FIRST + 1, FIRST + 2]
    assert units.encode("mean the") == [FIRST + 1, FIRST]
    assert split_words(" Don't go... हिन्दी में (3.5%)") == [
        " Don't", " go", "...", " हिन्दी", " में", " (", "3", ".", "5", "%", ")",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "name", "words"),
    [
        (LINES, "words", "of the running words are among the"),
        ([name for name in ("Ann", "Bob", "Eve", "Zoë") for _ in range(50)], "characters", "hardly any blanks"),
        (["John Smith", "Jane Doe"] * 50, "characters", "a line is a word or two"),
        (["今天天气很好\uff0c我们去公园散步。"] * 50, "characters", "hardly any blanks"),
        (["วันนี้อากาศดีมาก เราไปเดินเล่น"] * 2 + ["เธอชอบอ่านหนังสือ ฉันชอบดนตรี"], "characters", "a word or two"),
        ([" ".join(f"w{i * 7 + j}" for j in range(7)) for i in range(300)], "characters", "too short for subwords"),
        (["a b " + str(i) for i in range(40)], "characters", "only"),
    ],
)
def test_the_choice_has_its_reason(lines: list[str], name: str, words: str) -> None:
    units, why = choose_units(lines)
    assert (units.name, words in why) == (name, True), why


def test_large_mixed_text_is_written_in_subwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units_of_text, "LARGE", 50_000)
    random = np.random.default_rng(0)
    stems = ["ver", "über", "tion", "keit", "anti", "graph", "ness", "ология", "мир"]
    lines = [" ".join("".join(random.choice(stems, 6)) for _ in range(20)) for _ in range(150)]
    units, why = choose_units(lines, most=100)
    assert units.name == "subwords" and "pieces of words" in why
    assert units.size <= FIRST + 100 and units.decode(units.encode(lines[0])) == lines[0]


def test_subwords_are_the_same_with_one_thread_and_with_several(monkeypatch: pytest.MonkeyPatch) -> None:
    for parallel in ("false", "true"):
        monkeypatch.setenv("TOKENIZERS_PARALLELISM", parallel)
        assert choose_units(LINES, "subwords", most=500)[0].digest == UNITS["subwords"].digest


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"name": "syllables", "pieces": []},
        {"name": "words", "pieces": {"a": 1}},
        {"name": "words", "pieces": ["a", "a"]},
        {"name": "words", "pieces": ["a", ""]},
        {"name": "words", "pieces": ["a", 3]},
        {"name": "words", "pieces": ["\ud800"]},
        {"name": "characters", "pieces": ["ab"]},
        {"name": "subwords", "merges": [[3, 259]]},
        {"name": "subwords", "merges": [[0, 4]]},
        {"name": "subwords", "merges": [[3]]},
        {"name": "subwords", "merges": [3]},
        {"name": "subwords", "merges": [[3, 4.0]]},
        {"name": "subwords", "merges": [[3, 4], [3, 4]]},
        {"name": "subwords", "merges": [[3, 3]] + [[unit, unit] for unit in range(259, 320)]},  # 2 ** 62 bytes
    ],
)
def test_a_vocabulary_from_a_stranger_is_checked(content: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"unit|subword"):
        Units.of_content(content)
