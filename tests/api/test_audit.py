"""`ganforge audit` and `ganforge card` on finished runs: files, words, refusals, and numbers that were measured."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import ganforge as gf
from ganforge.cli import main
from ganforge.core.format import number
from ganforge.core.seeds import generator_for
from ganforge.errors import InputError, RunError
from ganforge.reports.card import escaped
from ganforge.run import Run

from fixtures import make  # isort: skip

QUICK = {"compute.threads": 1, "network.width": 8, "records.marks": [1.0], "records.look_samples": 50}


def old(name: str, folder: Path) -> Path:
    """A copy of an old run, which may be written to."""
    return Path(shutil.copytree(make.RUNS_FOLDER / name, folder / name))


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An old run of the 8 x 8 digits, whose data comes along and whose checkpoints are gone."""
    run = old("generate-pictures", tmp_path_factory.mktemp("audited"))
    gf.audit(run)
    return run


# ---- audit -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_audit_is_written_told_and_shown_in_the_report(audited: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads((audited / "audit.json").read_text())
    assert [one["name"] for one in found["attacks"]] == ["nearness", "calibrated", "monte_carlo", "density_ratio"]
    assert found["members"] == 1617 and found["non_members"] == 180
    assert found["missing"] == {"discriminator": "No intact checkpoint is left in the run."}
    (audited / "privacy.json").write_text('{"epsilon": 1.0}')
    assert main(["audit", str(audited), "--check"]) == (7 if found["outcome"] == "leak" else 0)
    (audited / "privacy.json").unlink()
    said = capsys.readouterr().out
    assert found["verdict"]["headline"] in said and "No intact checkpoint is left in the run." in said
    assert json.loads((audited / "audit.json").read_text())["attacks"] == found["attacks"]  # made again
    assert "is outside the guarantee" in said.replace("\n", " ")
    page = gf.report(audited).read_text()
    assert "What attacks find" in page and f"{found['attacks'][0]['auc']['value']:.3f}" in page


@pytest.mark.slow
def test_a_table_and_points_are_attacked_with_their_own_networks(tmp_path: Path) -> None:
    make.people(400).to_csv(tmp_path / "people.csv", index=False)
    gf.train(tmp_path / "people.csv", run=tmp_path / "rows", examples=512, size="tiny", settings=QUICK)
    found = gf.audit(tmp_path / "rows")
    names = [one["name"] for one in found["attacks"]]
    assert names[-3:] == ["singling_out", "linkability", "inference"]
    assert names[4] in ("likelihood", "discriminator") and not found["missing"]
    points = pd.DataFrame(generator_points(400), columns=["x", "y"])
    points.to_csv(tmp_path / "points.csv", index=False)
    gf.train(tmp_path / "points.csv", kind="points", run=tmp_path / "points", examples=800, size="tiny")
    assert [one["name"] for one in gf.audit(tmp_path / "points")["attacks"]][4:] == ["discriminator"]


def generator_points(count: int) -> Any:
    import torch

    return torch.randn(count, 2, generator=generator_for(0, "points")).numpy()


@pytest.mark.slow
def test_rows_learned_by_heart_are_found(tmp_path: Path) -> None:
    """Planted: a model of forty rows that was trained on each of them hundreds of times."""
    make.people(120).drop(columns=["id", "start", "born"]).to_csv(tmp_path / "people.csv", index=False)
    settings = {"compute.threads": 1, "network.name": "autoregressive", "rows.rare": 0, "records.marks": [1.0]}
    gf.train(tmp_path / "people.csv", run=tmp_path / "run", examples=60_000, settings=settings, guard=False)
    found = gf.audit(tmp_path / "run", engine=True)
    assert found["engine"] and all(test["passed"] for test in found["engine"])
    likelihood = next(one for one in found["attacks"] if one["name"] == "likelihood")
    assert found["outcome"] == "leak" and likelihood["leaks"] and likelihood["auc"]["value"] > 0.8


@pytest.mark.slow
def test_what_cannot_be_audited_gets_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stopped = old("generate-pictures-stopped", tmp_path)
    for verb in ("audit", "card"):
        assert main([verb, str(stopped)]) == 2
        assert "is not finished" in " ".join(capsys.readouterr().err.split())
    with pytest.raises(InputError, match=r"cannot be audited: its task has no attacks\. .*ganforge evaluate RUN"):
        gf.audit(old("regress-table", tmp_path))
    with pytest.raises(RunError, match="There is no run"):
        gf.audit(tmp_path / "nothing")
    assert not list(tmp_path.glob("*/audit.json"))


# ---- card ------------------------------------------------------------------------------------------------------------


def _values(content: object) -> Iterator[object]:
    """Every value in nested JSON."""
    if isinstance(content, dict):
        for part in content.values():
            yield from _values(part)
    elif isinstance(content, list):
        for part in content:
            yield from _values(part)
    else:
        yield content


def _numerals(text: str) -> set[str]:
    return set(re.findall(r"\d[\d,]*(?:\.\d+)?(?:e[-+]\d+)?", text.replace("\\", "")))


@pytest.mark.slow
def test_every_number_of_a_card_is_one_that_was_measured(audited: Path) -> None:
    run = Run(audited)
    paths = gf.card(audited)
    assert paths == (audited / "card.md", audited / "card.json")
    text, sources = paths[0].read_text(), [run.recipe, run.passport, run.evaluation, run.audit]
    own = {"95", "0.5", "1", "256"}  # of the card's own words: 95 %, chance, 1 % false alarms, sha256
    known = set(own)
    for value in _values([*(json.loads(path.read_text()) for path in sources), run.read_events()]):
        if isinstance(value, int | float) and not isinstance(value, bool):
            known |= {number(abs(value)), f"{abs(value):.3f}"}
            known |= {f"{int(value) // 60}", f"{round(value) % 60:02d}"} if 0 <= value < 1e6 else set()
        known |= _numerals(str(value))
    model = json.loads(paths[1].read_text())["model"]
    known |= {number(model["weights"]), *_numerals(model["sha256"])}
    assert _numerals(text) <= known


@pytest.mark.slow
def test_a_card_tells_every_measure_with_floor_and_interval_and_what_attacks_found(audited: Path) -> None:
    text = gf.card(audited, audited / "other.md")[0].read_text()
    for one in json.loads((audited / "evaluation.json").read_text())["measures"]:
        cells = (number(one["value"]), f"{number(one['low'])} to {number(one['high'])}", number(one["floor"]))
        assert f"| {escaped(one['name'])} | {' | '.join(cells)} |" in text
    for one in json.loads((audited / "audit.json").read_text())["attacks"]:
        assert f"| {one['title']} | samples alone | {one['auc']['value']:.3f} |" in text
    for heading in ("Intended use", "Data", "Training", "Outside the guarantee", "Energy and time", "Licence"):
        assert f"## {heading}\n" in text
    assert "Attack not made: discriminator. No intact checkpoint is left in the run." in text


def test_what_was_not_measured_is_said_to_be_so(tmp_path: Path) -> None:
    run = old("generate-table", tmp_path)
    evaluation = json.loads((run / "evaluation.json").read_text())
    (run / "evaluation.json").write_text(json.dumps({**evaluation, "measures": []}))
    paths = gf.card(run)
    text, content = paths[0].read_text(), json.loads(paths[1].read_text())
    assert "## How good it is\n\nNot measured.\n" in text
    assert "## What attacks find\n\nNot measured." in text
    assert "Membership: no attack was made." in text and "Energy: not measured." in text
    assert content["audit"] is content["privacy"] is content["licence"] is content["energy"] is None
    assert "not trained privately" in text


def test_a_card_is_never_overwritten_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = old("generate-table", tmp_path)
    assert main(["card", str(run)]) == 0
    (run / "card.md").write_text("Licence: mine")
    assert main(["card", str(run)]) == 2
    assert "--force to replace it with what you filled in" in " ".join(capsys.readouterr().err.split())
    assert (run / "card.md").read_text() == "Licence: mine"
    assert main(["card", str(run), "--force"]) == 0
    assert (run / "card.md").read_text().startswith("# Model card: generate-table")
    assert main(["card", str(run), "--out", str(tmp_path / "card.txt")]) == 2
    with pytest.raises(RunError, match="cannot be used"):
        (run / "evaluation.json").write_text('{"measures": [1], "verdict": {"headline": 3}}')
        gf.card(run, force=True)


def test_the_ledger_of_a_private_run_stands_in_the_card_and_counts_of_its_data_do_not(tmp_path: Path) -> None:
    run = old("generate-table", tmp_path)
    ledger = {"epsilon": 1.5, "delta": 1e-5, "spent": 1.4875, "neighbours": "one record is added",
              "releases": [{"name": "x"}], "outside": ["The | noise is *not* hardened."],
              "public": ["The count."]}  # fmt: skip
    (run / "privacy.json").write_text(json.dumps(ledger))
    text = gf.card(run)[0].read_text()
    for told in ("Epsilon: 1.5", "Delta: 1e-05", "Spent: 1.49", "The count.", r"- The \| noise is \*not\* hardened."):
        assert told in text
    assert "Duplicates" not in text and "Held out" not in text.split("## How good")[0]


def test_text_of_a_stranger_is_not_markup(tmp_path: Path) -> None:
    run = old("generate-table", tmp_path)
    evaluation = json.loads((run / "evaluation.json").read_text())
    nasty = "<script>alert(1)</script> | [a](http://b) `x` **y**\n# Title\n- item"
    evaluation["verdict"]["headline"] = nasty
    evaluation["measures"][0]["name"] = "a|b"
    (run / "evaluation.json").write_text(json.dumps(evaluation))
    text = gf.card(run)[0].read_text()
    assert "<script>" not in text and "\n# Title" not in text and "[a](" not in text
    assert r"\<script\>alert(1)\</script\> \| \[a\](http://b) \`x\` \*\*y\*\* \# Title - item" in text
    assert r"| a\|b |" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("0.76", "0.76"), ("-0.5", "-0.5"), ("1. a", r"1\. a"), ("- b", r"\- b"), ("== x", r"\== x"), ("2) z", r"2\) z")],
)
def test_a_line_is_no_list_and_a_number_stays_one(text: str, shown: str) -> None:
    assert escaped(text) == shown
