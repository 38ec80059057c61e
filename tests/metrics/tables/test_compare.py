"""Two tables compared without a run: as a run compares its own rows; copies, broken rules, other columns are said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ganforge as gf
from ganforge.cli import main
from ganforge.errors import DataError, InputError
from ganforge.records import Rows

pytestmark = pytest.mark.slow


def table(rows: int, seed: int, linked: bool = True) -> pd.DataFrame:
    """b is twice a, c says where a is large, code decides name; not linked: every column by itself."""
    random = np.random.default_rng(seed)

    def apart(values: np.ndarray) -> np.ndarray:
        return values if linked else random.permutation(values)

    a, code = np.round(random.normal(50, 10, rows), 1), random.integers(0, 4, rows)
    b = np.round(apart(a) * 2 + random.normal(0, 2, rows), 1)
    c = np.where(apart(a) > 50, "high", "low")
    return pd.DataFrame({"a": a, "b": b, "c": c, "code": code.astype(str), "name": np.array(list("nsew"))[apart(code)]})


REAL = table(400, 0)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    REAL.to_csv(folder / "real.csv", index=False)
    table(400, 1).to_csv(folder / "good.csv", index=False)
    table(400, 2, linked=False).to_csv(folder / "bad.csv", index=False)
    return folder


def test_rows_of_the_same_kind_are_better_than_columns_drawn_apart(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    real, good, bad = (str(files / f"{name}.csv") for name in ("real", "good", "bad"))
    assert main(["compare", real, bad, "--json", "--at-least", "good"]) == 6
    worst = json.loads(capsys.readouterr().out)
    found = gf.compare(real, good, "page.html")
    assert found.at_least("good")
    assert worst["verdict"]["grade"] in ("poor", "failed")
    best = {measure.name: measure for measure in found.evaluation.measures}
    for measure in worst["measures"]:
        if measure["name"] in ("table_quality", "column_pairs"):
            mine = best[measure["name"]]
            assert mine.value > measure["value"] + 0.1 and abs(mine.value - mine.floor) < 0.08
        if measure["name"] == "detection":
            assert best["detection"].value < 0.65 < measure["value"]
    assert {*found.evaluation.facts["rules"].values()} == {0}
    assert max(worst["rules"].values()) > 200 and "break the rule" in worst["verdict"]["sentences"][0]
    blocks = {block.title: block for block in found.evaluation.blocks}
    assert isinstance(blocks["Rules"].contents[0], Rows)
    page = Path("page.html").read_text()
    assert found.page == Path("page.html") and found.evaluation.verdict.sentences[0] in page
    assert page.count("data:image") >= 3 and "How good it is" in page and "ganforge evaluate RUN" not in page
    assert "nearer_to_train" not in best  # nobody knows which of the real rows these were made from
    assert any("--held-out" in sentence for sentence in found.evaluation.verdict.sentences)
    assert main(["compare", real, good, "--out", "page.html"]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["compare", real, good, "--at-least", "best"]) == 2


def test_copies_are_found_and_said(files: Path) -> None:
    copied = gf.compare(files / "real.csv", REAL)
    assert "returns rows that it was trained on" in copied.verdict and not copied.at_least("fair")


def test_only_common_columns_are_compared_beside_unseen_rows(files: Path) -> None:
    made = table(300, 3).drop(columns="name").assign(more=1)
    found = gf.compare(files / "real.csv", made, label="c", held_out=table(150, 5))
    assert found.evaluation.facts["left_out"] == {"real": ["name"], "made": ["more"]}
    told = found.evaluation.verdict.sentences
    assert "only the real table has them: name" in told[0] and "only the other one has them: more" in told[1]
    assert found.evaluation.measure("label_score").value > 0.8
    near = found.evaluation.measure("nearer_to_train")
    assert near.low < 0.55 and near.high > 0.45 and found.evaluation.held_out == 150


@pytest.mark.parametrize(
    ("made", "asked", "error", "words"),
    [
        (REAL.add_suffix("_"), {}, DataError, "no column in common"),
        (REAL.assign(a="much"), {}, DataError, "The column 'a' of .* is not decimal"),
        (REAL.head(5), {}, DataError, "only 5 generated rows"),
        (REAL, {"label": "d"}, DataError, "no column 'd' in both"),
        (np.zeros((20, 3, 8, 8), np.uint8), {}, InputError, "Rows cannot be compared with pictures"),
        (REAL, {"out": "page.txt"}, InputError, r"A page ends with \.html"),
    ],
)
def test_what_cannot_be_compared_is_refused(made: object, asked: dict[str, str], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        gf.compare(REAL, made, **asked)


def test_a_column_that_was_never_made_is_compared() -> None:
    made = table(400, 1).assign(a=np.nan)
    assert gf.compare(REAL, made).to_json()["verdict"]["headline"]


def test_a_kind_without_a_comparison_says_so() -> None:
    with pytest.raises(InputError, match=r"Pictures cannot be compared without a run.*ganforge evaluate RUN"):
        gf.compare("digits8", "digits8")
