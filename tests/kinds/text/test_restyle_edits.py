"""Edits that are found in two crowds of lines, and the choice among them."""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ganforge.kinds.text.restyle.edits import Addition, Edits, Line, Markers, ending_of, has_blanks, keys_of
from ganforge.kinds.text.restyle.selection import MOST_ENDING, Selection
from ganforge.kinds.text.units import choose_units

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fixtures"))
from styled import ENDINGS, plain_lines

ODD = ["A man, who sings!", "  two  blanks ", "他在河边唱歌。", "a\tb", "?!", "", "don't — stop…", "été 12,5 %"]


def _lines(texts: list[str]) -> list[Line]:
    return [Line.of(text, True) for text in texts]


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("blanks", [True, False])
def test_a_line_comes_back_and_its_closing_marks_are_apart(text: str, blanks: bool) -> None:
    line = Line.of(text, blanks)
    assert line.text == text.strip()
    assert not any(map(str.isalnum, "".join(line.closing)))


def test_an_addition_stands_before_the_closing_marks_and_what_was_empty_stays_so() -> None:
    behind, before = Addition(True, (" with", " joy")), Addition(False, (" Please", ","))
    assert Line.of("Two boys run.", True).with_(behind).text == "Two boys run with joy."
    assert Line.of("come", True).with_(before).text == "Please, come"
    assert Line.of("...", True).with_(behind).text == "..."


def test_endings_are_the_same_with_and_without_a_hyphen_or_a_full_stop() -> None:
    same = ("to reach outer space .", "He sings to Reach outer-space!", "they want to reach outer space")
    assert len({ending_of(Line.of(text, True)) for text in same}) == 1


def test_lines_without_blanks_are_told() -> None:
    assert has_blanks(["a man sings", "two men"]) and not has_blanks(["他在河边唱歌", "两个人"] * 5)


def test_planted_additions_are_found_and_every_line_finds_its_own() -> None:
    plain = sorted(set(plain_lines(400, 0)))
    draw = random.Random(1)
    styled = [(line, draw.choice(ENDINGS)) for line in plain[::2]]
    draw.shuffle(styled)
    edits = Edits.between(_lines([f"{line} {end} ." for line, end in styled]), _lines([f"{line} ." for line in plain]))
    found = {" ".join(keys_of(addition.pieces)) for addition in edits.additions}
    assert found == set(ENDINGS)
    right = sum(plain[other] == styled[own][0] for own, other in edits.pairs.tolist())
    assert right >= 0.95 * len(edits.pairs) >= 0.8 * len(styled)


def test_additions_are_what_similar_lines_have() -> None:
    dogs, boats = ([f"{word} {n} goes there and back" for n in range(60)] for word in ("dog", "boat"))
    own = [f"{line} to find bones" for line in dogs[::2]] + [f"{line} with the wind" for line in boats[::2]]
    edits = Edits.between(_lines(own), _lines([*dogs, *boats]))
    best = edits.values(_lines([dogs[1], boats[1]])).argmax(1)
    assert [" ".join(keys_of(edits.additions[one].pieces)) for one in best] == ["to find bones", "with the wind"]


def test_markers_are_runs_that_one_side_has_many_times_as_often() -> None:
    own = [("it", "was", "truly", "great")] * 30 + [("it", "was", "there")] * 10
    markers = Markers(own, [("it", "was", "there")] * 40)
    assert markers.marked(("it", "was", "truly", "great")).tolist()[2:] == [True, True]
    assert not markers.marked(("it", "was", "there")).any()


def test_what_marks_other_styles_is_replaced_or_left_out() -> None:
    things = [f"the {thing} number {n} of the shop was" for n in range(40) for thing in ("soup", "bread")]
    bad, good = ([f"{line} {word} he said ." for line in things] for word in ("terrible", "excellent"))
    edits = Edits.between(_lines(good), _lines(bad))
    inside = Line.of("the cake of the shop was terrible he said .", True)
    assert edits.plain(inside).text == "the cake of the shop was excellent he said ."
    assert (
        edits.plain(Line.of("the cake of the shop was terrible .", True)).text == "the cake of the shop was excellent ."
    )
    untouched = Line.of("the cake of the shop was fine .", True)
    assert edits.plain(untouched) == untouched


@pytest.fixture(scope="module")
def selection() -> Selection:
    draw = random.Random(3)
    endings = [f"{draw.choice(ENDINGS)} number {n}" for n in range(60)]  # so many that none is common
    others = [f"{line} ." for line in plain_lines(600, 4)]
    own = [f"{line} {draw.choice(endings)} ." for line in plain_lines(600, 5)]
    units, _ = choose_units([*others, *own])
    labels = np.repeat(np.arange(2), 600)
    return Selection.of(_lines([*others, *own]), labels, 1, units)


SOURCES = _lines([f"{line} ." for line in plain_lines(200, 6)])


def test_no_ending_is_chosen_too_often_and_every_line_gets_one(selection: Selection) -> None:
    made = selection.selected(SOURCES)
    counts = Counter(map(ending_of, made))
    assert max(counts.values()) <= MOST_ENDING * len(SOURCES)
    assert all(new.pieces[: len(old.pieces)] == old.pieces for new, old in zip(made, SOURCES, strict=True))
    assert sum(new != old for new, old in zip(made, SOURCES, strict=True)) >= 0.95 * len(SOURCES)


def test_a_constant_suffix_is_one_ending_and_without_the_adversary_few(selection: Selection) -> None:
    assert len(Counter(map(ending_of, selection.suffix(SOURCES)))) == 1
    free, held = (max(Counter(map(ending_of, made)).values()) for made in (selection.expected(SOURCES),
                                                                         selection.selected(SOURCES)))  # fmt: skip
    assert free > held


def test_strength_is_the_share_of_changed_lines_and_then_how_typical_they_are(selection: Selection) -> None:
    changed = [
        sum(new != old for new, old in zip(selection.selected(SOURCES, strength), SOURCES, strict=True))
        for strength in (0.0, 0.25, 0.5)
    ]
    assert changed[0] == 0
    assert 0.25 * len(SOURCES) < changed[1] < 0.75 * len(SOURCES) < changed[2]


def test_every_method_gives_a_line_for_each(selection: Selection) -> None:
    for method in (selection.nearest, selection.template, selection.reranked, selection.expected, selection.suffix):
        assert len(method(SOURCES)) == len(SOURCES)


def test_stored_prices_give_the_same_lines(selection: Selection) -> None:
    again = Selection.stored(
        selection.lines, selection.labels, 1, selection.units, selection.prices, selection.ranks, selection.constant
    )
    assert again.selected(SOURCES) == selection.selected(SOURCES)
    with pytest.raises(ValueError, match="other lines"):
        Selection.stored(
            selection.lines, selection.labels, 0, selection.units, selection.prices[:, 1:], selection.ranks, 0
        )
