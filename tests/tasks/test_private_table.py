"""Private tables from the command to the rows: what is in the ledger, what is nowhere, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ganforge as gf
from ganforge.core.noise import PrivateNoise
from ganforge.errors import DataError, Interrupted, RecipeError, RunError
from ganforge.kinds.tables.private.bounds import bounded, release_categories, release_ranges
from ganforge.kinds.tables.private.schema import PublicColumn
from ganforge.privacy.ledger import read_ledger
from ganforge.run import Run

ROWS = 3_000
SECRETS = ("Zebulon-Quux", "918273.645")  # one row has them
SCHEMA = {
    "target": "ill",
    "columns": {
        "age": {"low": 0, "high": 99, "integer": True},
        "pay": {"low": 0, "high": 200_000, "decimals": 2, "missing": False},
        "town": {"categories": ["Bern", "Rome", "Oslo"]},
        "seen": {"low": "2020-01-01", "high": "2024-12-31", "format": "%d.%m.%Y"},
        "ill": {"categories": ["no", "yes"], "missing": False},
    },
}


def people(rows: int = ROWS) -> pd.DataFrame:
    random = np.random.default_rng(0)
    age = random.integers(18, 90, rows)
    ill = random.random(rows) < age / 120
    frame = pd.DataFrame(
        {
            "age": age.astype(object),
            "pay": np.where(ill, 20_000, 50_000) * random.uniform(0.5, 1.5, rows).round(4),
            "town": random.choice(["Bern", "Rome", "Oslo"], rows),
            "seen": (pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 1800, rows), "D")).strftime(
                "%d.%m.%Y"
            ),
            "ill": np.where(ill, "yes", "no"),
        }
    )
    frame.loc[3, ["town", "pay"]] = SECRETS[0], float(SECRETS[1])
    return frame


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("private")
    people().to_csv(folder / "people.csv", index=False)
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    gf.train(folder / "people.csv", run=folder / "run", private="epsilon=2", schema=str(folder / "schema.json"))
    return folder


def everything(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def test_the_ledger_costs_what_was_asked_for_and_names_every_release(trained):
    ledger = read_ledger(Run(trained / "run"))
    assert ledger is not None
    assert ledger.spent == pytest.approx(2, rel=1e-4) and ledger.spent <= 2 * (1 + 1e-6)
    assert ledger.records == ROWS and len(ledger.releases) == 4
    names = {file.stem for file in (trained / "run" / "release").iterdir()}
    assert names == {"pairs", "choice", "triples", "judge"}


def test_what_a_single_row_has_is_nowhere_in_the_run(trained):
    content = everything(trained / "run")
    for secret in (*SECRETS, "918273"):
        assert secret.encode() not in content
    assert b"sha256" not in (trained / "run" / "passport.json").read_bytes()


def test_rows_have_the_columns_types_and_ranges_of_the_schema(trained, tmp_path):
    frame = gf.load(trained / "run").sample(500, seed=1)
    assert list(frame) == list(SCHEMA["columns"])
    assert str(frame["age"].dtype) == "Int64" and frame["age"].dropna().between(0, 99).all()
    assert set(frame["town"].dropna()) <= {"Bern", "Rome", "Oslo"} and set(frame["ill"]) == {"no", "yes"}
    assert pd.to_datetime(frame["seen"].dropna(), format="%d.%m.%Y").between("2020-01-01", "2024-12-31").all()
    assert frame.equals(gf.load(trained / "run").sample(500, seed=1))
    gf.sample(trained / "run", 40, tmp_path / "new.csv")
    assert len(pd.read_csv(tmp_path / "new.csv")) == 40


def test_rows_keep_what_goes_with_the_target_and_conditions(trained):
    frame = gf.load(trained / "run").sample(4_000, seed=2)
    real = people()
    for value in ("yes", "no"):
        made, true = (f.loc[f["ill"] == value, "pay"].astype(float).mean() for f in (frame, real))
        assert made == pytest.approx(true, rel=0.15)
    ill = gf.load(trained / "run").sample(50, where="ill=yes")
    assert len(ill) == 50 and set(ill["ill"]) == {"yes"}


def test_the_evaluation_is_one_noisy_count_and_is_not_repeated(trained):
    evaluation = json.loads((trained / "run" / "evaluation.json").read_text())
    (measure,) = evaluation["measures"]
    assert measure["name"] == "accuracy" and measure["low"] <= measure["value"] <= measure["high"]
    assert "No GAN was trained" in " ".join(evaluation["verdict"]["sentences"])
    with pytest.raises(RunError, match="cannot be evaluated again"):
        gf.evaluate(trained / "run")


def test_a_run_that_was_killed_between_releases_repeats_none_of_them(trained, tmp_path):
    class Stop:
        def event(self, event):
            if event["kind"] == "released":
                raise KeyboardInterrupt

        def record(self, record): ...

    asked = {"private": "epsilon=2", "schema": str(trained / "schema.json")}
    with pytest.raises(Interrupted):
        gf.train(trained / "people.csv", run=tmp_path / "run", observers=(Stop(),), **asked)
    first = (tmp_path / "run" / "release" / "pairs.safetensors").read_bytes()
    gf.resume(tmp_path / "run")
    assert (tmp_path / "run" / "release" / "pairs.safetensors").read_bytes() == first
    assert len(gf.load(tmp_path / "run").sample(5)) == 5


def test_bought_bounds_are_in_the_ledger_and_hold_the_data(tmp_path):
    people().drop(columns="seen").to_csv(tmp_path / "people.csv", index=False)
    gf.train(tmp_path / "people.csv", run=tmp_path / "run", private="epsilon=8,bounds=0.3", label="ill")
    ledger = read_ledger(Run(tmp_path / "run"))
    assert ledger is not None and ledger.spent <= 8
    assert any("ranges" in each.name for each in ledger.releases)
    assert any("threshold" in sentence for sentence in ledger.public)
    frame = gf.load(tmp_path / "run").sample(300)
    assert set(frame["town"].dropna()) == {"Bern", "Rome", "Oslo"} and set(frame["ill"].dropna()) == {"no", "yes"}
    assert frame["age"].astype(float).dropna().between(0, 128).all()
    assert not any(secret.encode() in everything(tmp_path / "run") for secret in SECRETS)


def test_bounds_of_dates_numbers_and_noise_are_told_apart(tmp_path):
    frame = people()
    frame["seen"] = pd.to_datetime(frame["seen"], format="%d.%m.%Y").astype(str)
    frame["id"] = [f"person {place}" for place in range(ROWS)]
    frame.to_csv(tmp_path / "t.csv", index=False)
    names, noise = list(frame), PrivateNoise(bytes(32))
    ranges = release_ranges(tmp_path / "t.csv", names, ROWS, 2.0, noise)
    words = release_categories(tmp_path / "t.csv", names, ROWS, 2.0, 1e-6, noise)
    unknown = [PublicColumn(name=name, kind="unknown") for name in names]
    columns, lost = bounded(unknown, ranges, words, 2.0 * math.sqrt(len(names)))
    found = {column.name: column for column in columns}
    assert lost == ["id"]
    assert found["seen"].kind == "date" and found["pay"].kind == "number" and not found["pay"].integer
    assert found["pay"].low <= 10_000 and 75_000 <= found["pay"].high < 918_273
    assert found["town"].categories == ("Bern", "Oslo", "Rome")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"private": "epsilon=0"}, "epsilon of 0"),
        ({"private": "epsilon=-1"}, "epsilon of -1"),
        ({"private": "epsilon=1", "delta": 0.5}, "above 1 / 3,000"),
        ({"private": "epsilon=1,bounds=0.97"}, "leave nothing"),
        ({"private": "epsilon=1,bound=0.1"}, "no 'bound'"),
        ({"private": "epsilon=1", "rules": ("age >= 0",)}, "no use for it"),
        ({"private": "epsilon=1"}, "has no bounds"),
        ({"private": "epsilon=1", "minutes": 2}, "nothing is trained"),
    ],
)
def test_a_wrong_request_is_refused_in_words(trained, asked, words):
    with pytest.raises(RecipeError, match=words):
        gf.plan(trained / "people.csv", **asked)


def test_bounds_that_nobody_needs_are_refused(trained):
    with pytest.raises(RecipeError, match="nothing to buy"):
        gf.plan(trained / "people.csv", private="epsilon=1,bounds=0.1", schema=str(trained / "schema.json"))


def test_few_rows_are_told_what_to_hope_for(trained, tmp_path):
    people(50).to_csv(tmp_path / "few.csv", index=False)
    recipe = gf.plan(tmp_path / "few.csv", private="epsilon=1", schema=str(trained / "schema.json"))
    assert "hardly more than the largest categories" in recipe.reasons["private.epsilon"]
    people(10).to_csv(tmp_path / "ten.csv", index=False)
    with pytest.raises(DataError, match="has 10 rows"):
        gf.plan(tmp_path / "ten.csv", private="epsilon=1", schema=str(trained / "schema.json"))
