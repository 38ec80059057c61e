"""The task restyle: what it holds out, what it refuses, which method it uses, and the lines that it writes."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import ganforge as gf
from ganforge.errors import DataError, InputError, RecipeError, RunError
from ganforge.kinds.text.formats import given_lines
from ganforge.kinds.text.restyle.corpus import open_styles
from ganforge.kinds.text.restyle.model import COPY, EXPECTED, METHODS, RERANKED, SELECTED, SUFFIX, TEMPLATE
from ganforge.kinds.text.restyle.verdict import Compared, choose, evaluate_restyler
from ganforge.measures.intervals import of_share
from ganforge.measures.sequences import chrf
from ganforge.records import Estimate

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fixtures"))
from styled import ENDINGS, plain_lines, write_styles

GIVEN = "The Old Captain sings at home.\r\n\r\n  a dog runs in the park .\r\n?\nno end"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("restyle")
    write_styles(folder / "styles")
    gf.train(folder / "styles", run=folder / "run", task="restyle", size="tiny", examples=64)
    return folder / "run"


def test_lines_come_back_in_their_order_with_their_ends_and_their_case(run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_bytes(GIVEN.encode())
    gf.apply(run, tmp_path / "mine.txt", out=tmp_path / "out.txt", to="romantic")
    before, after = (given_lines(tmp_path / name, (), "read") for name in ("mine.txt", "out.txt"))
    assert [line[len(line.rstrip()) :] for line in after] == [line[len(line.rstrip()) :] for line in before]
    assert after[1] == "\r\n" and after[3] == "?\n"
    assert after[0].startswith("The Old Captain sings at home ") and after[2].startswith("  a dog runs in the park ")
    added = [after[0].removeprefix("The Old Captain sings at home ").strip(" .\r\n")]
    assert set(added) <= set(ENDINGS)


def test_strength_nought_changes_nothing(run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_bytes(GIVEN.encode())
    gf.apply(run, tmp_path / "mine.txt", out=tmp_path / "out.txt", to="romantic", strength=0)
    assert (tmp_path / "out.txt").read_bytes() == GIVEN.encode()
    assert gf.apply(run, [], to="romantic") == []


@pytest.mark.parametrize(("options", "said"), [({}, "which style"), ({"to": "romantik"}, "Did you mean 'romantic'")])
def test_a_style_must_be_named_and_known(run: Path, options: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        gf.apply(run, ["a man sings"], **options)


def test_what_is_no_text_is_not_written_and_words_are_of_dictionaries(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        gf.apply(run, ["a man sings"], out=tmp_path / "out.pdf", to="romantic")
    with pytest.raises(InputError, match="--word man was given"):
        gf.apply(run, word="man", to="romantic")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_text_is_refused_and_foreign_bytes_are_read(run: Path, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\x89PNG\0\0")
    for path in (tmp_path / "binary", tmp_path, tmp_path / "nothing"):
        with pytest.raises(DataError):
            gf.apply(run, path, to="romantic")
    (tmp_path / "old.txt").write_bytes("été\n".encode("cp1252"))
    assert given_lines(tmp_path / "old.txt", (), "read") == ["été\n"]
    (tmp_path / "chinese.txt").write_bytes("今天天气很好我们去公园\n".encode("gb18030"))
    with pytest.raises(DataError, match="its encoding is not known"):
        gf.apply(run, tmp_path / "chinese.txt", to="romantic")
    (tmp_path / "wide.txt").write_bytes("été\r\nhiver".encode("utf-16"))
    assert given_lines(tmp_path / "wide.txt", (), "read") == ["été\r\n", "hiver"]


def test_what_stands_in_both_styles_is_left_out_and_told(tmp_path: Path) -> None:
    folder = write_styles(tmp_path / "styles")
    for file in folder.iterdir():
        file.write_text(file.read_text() + "the very same\n" * 3)
    found = open_styles(str(folder), None, {})
    assert any("1 texts stand in several styles" in note for note in found.passport["warnings"])
    assert "the very same" not in [*found.train, *found.judged]


def test_a_line_number_is_held_out_in_every_style_and_no_text_is_on_both_sides(tmp_path: Path) -> None:
    folder = write_styles(tmp_path / "styles")
    found = open_styles(str(folder), None, {})
    assert not set(found.train.numbers.tolist()) & set(found.judged.numbers.tolist())
    assert not set(found.train) & set(found.judged)
    assert 0.15 < len(found.judged) / (len(found.judged) + len(found.train)) < 0.35


@pytest.mark.parametrize("fault", ["one style", "the same lines", "few lines", "no words"])
def test_styles_that_cannot_be_learned_are_refused(tmp_path: Path, fault: str) -> None:
    folder = write_styles(tmp_path / "styles")
    if fault == "one style":
        (folder / "plain.txt").unlink()
    elif fault == "the same lines":
        shutil.copy(folder / "plain.txt", folder / "romantic.txt")
    elif fault == "few lines":
        (folder / "plain.txt").write_text("\n".join(plain_lines(12, 0)))
    else:
        for place, file in enumerate(sorted(folder.iterdir())):
            file.write_text("\n".join("?!"[place] * n for n in range(1, 80)))
    with pytest.raises(DataError) as caught:
        open_styles(str(folder), None, {})
    assert caught.value.why and caught.value.do
    assert ("stand on both sides" in caught.value.what) == (fault == "the same lines")


def test_an_empty_style_is_named(tmp_path: Path) -> None:
    (write_styles(tmp_path / "styles") / "plain.txt").write_text("\n")
    with pytest.raises(DataError, match=r"no text in 'plain\.txt'"):
        open_styles(str(tmp_path / "styles"), None, {})


def test_a_width_that_cannot_be_halved_and_options_of_other_tasks_are_refused(tmp_path: Path) -> None:
    styles = write_styles(tmp_path / "styles")
    for asked, said in (({"settings": {"network.width": "3"}}, "even number"), ({"seeds": "x"}, "--seeds x was given")):
        with pytest.raises(RecipeError, match=said):
            gf.plan(styles, task="restyle", size="tiny", examples=64, **asked)


def test_one_style_of_a_thousand_is_told(tmp_path: Path) -> None:
    folder = write_styles(tmp_path / "styles", 60)
    lines = [f"{line} number {n} ." for n, line in enumerate(plain_lines(6_000, 9))]
    (folder / "plain.txt").write_text("\n".join(lines))
    assert any("little can be learned" in note for note in open_styles(str(folder), None, {}).passport["warnings"])


@pytest.mark.parametrize("fault", ["styles", "sizes", "lines", "methods"])
def test_a_strange_model_is_refused(run: Path, tmp_path: Path, fault: str) -> None:
    shutil.copytree(run / "model", tmp_path / "model")
    said, weights = (
        json.loads((run / "model" / "model.json").read_text()),
        load_file(run / "model" / "model.safetensors"),
    )
    if fault == "styles":
        said["styles"] = ["a", "a"]
    elif fault == "sizes":
        said["sizes"]["texts"] = -1
    elif fault == "lines":
        weights["styles"] = torch.zeros_like(weights["styles"])
    else:
        weights["methods"] = weights["methods"] + len(METHODS)
    (tmp_path / "model" / "model.json").write_text(json.dumps(said))
    save_file(weights, tmp_path / "model" / "model.safetensors")
    (tmp_path / "model" / "manifest.json").unlink(missing_ok=True)
    with pytest.raises(RunError):
        gf.apply(tmp_path, ["a man sings"], to="romantic")


def _compared(**ending: float) -> Compared:
    """Return scores at which each method is as typical as real lines, but for copies, and keeps the less the later."""
    scores = {}
    for place, method in enumerate(METHODS):
        accuracy = 30 if method == COPY else 75
        kept = Estimate(0.9 - place / 100, 0.8, 1.0)
        common = ending.get(method.replace(" ", "_"), 0.01)
        scores[method] = {
            "accuracy": of_share(accuracy, 100), "kept": kept, "common_ending": Estimate(common, common, common)
        }  # fmt: skip
    return Compared("B", scores, {}, of_share(75, 100), 0.01, 40.0, (), 100)


def test_the_method_is_used_that_keeps_most_of_those_that_are_typical_and_varied() -> None:
    assert choose(_compared(constant_suffix=1.0)) == TEMPLATE
    assert choose(_compared(constant_suffix=1.0, template=0.2)) == RERANKED  # the nearest line says something else
    most = {method.replace(" ", "_"): 0.5 for method in METHODS if method != SELECTED}
    assert choose(_compared(**most)) == SELECTED
    assert not _compared(constant_suffix=1.0).fits(SUFFIX)
    assert not _compared().fits(COPY) and _compared().fits(EXPECTED)


def test_a_judge_that_does_not_know_real_lines_tells_nothing() -> None:
    few = replace(_compared(), real=of_share(3, 11))
    known = evaluate_restyler([_compared()] * 2, [SELECTED] * 2, {"both": 0, "held_out": 100}).verdict
    unknown = evaluate_restyler([few, _compared()], [SELECTED] * 2, {"both": 0, "held_out": 100}).verdict
    assert (known.grade, unknown.grade) == ("excellent", "poor")
    assert any("give more lines" in sentence for sentence in unknown.sentences)


def test_chrf_is_one_of_a_copy_and_less_of_less() -> None:
    assert chrf("a man sings", "a man sings") == 1.0
    assert 0.0 == chrf("xyz", "a man") < chrf("a man", "a man sings") < 1.0
