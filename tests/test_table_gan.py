"""TableGAN: what scikit-learn expects of it, and that a saved model is the same model and nothing else."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from ganforge import TableGAN
from ganforge.core.files import MANIFEST
from ganforge.errors import DataError, InputError, RecipeError
from ganforge.kinds.tables.generate import anomaly, predict
from ganforge.table_gan import read_bundle, write_bundle

RANDOM = np.random.default_rng(0)
ROWS = 240
START = RANDOM.integers(0, 60, ROWS)
FRAME = pd.DataFrame(
    {
        "sex": pd.Categorical(RANDOM.choice(["Female", "Male"], ROWS)),
        "start": START.astype(np.int16),
        "end": pd.array(START + RANDOM.integers(0, 9, ROWS), "Int64"),
        "height": np.where(RANDOM.random(ROWS) < 0.1, np.nan, RANDOM.normal(170, 9, ROWS).round(1)).astype(np.float32),
        "member": RANDOM.random(ROWS) < 0.4,
        "born": pd.Timestamp("1990-01-01") + pd.to_timedelta(RANDOM.integers(0, 9000, ROWS), "D"),
        "code": RANDOM.integers(1, 4, ROWS),
    }
)
TARGET = pd.Series(
    np.where(START + RANDOM.normal(0, 5, ROWS) > 30, "high", "low"), name="income", index=np.arange(ROWS) + 7
)
CHOSEN = {"examples": 640, "size": "tiny", "columns": {"code": "category"}, "rules": ("0 <= start <= 99",)}


@pytest.fixture(scope="module")
def fitted() -> TableGAN:
    model = TableGAN(**CHOSEN)
    assert model.fit(FRAME, TARGET) is model
    return model


@pytest.fixture(scope="module")
def saved(fitted: TableGAN, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fitted.save(tmp_path_factory.mktemp("saved") / "people.gf")


def test_parameters_are_read_set_and_cloned_as_scikit_learn_does() -> None:
    model = TableGAN(minutes=1, seed=3, rules=["a <= b"])
    assert model.get_params()["minutes"] == 1 and model.set_params(size="tiny").size == "tiny"
    other = clone(model)
    assert other is not model and other.get_params() == model.get_params()
    assert "minutes=1" in repr(model) and "seed=3" in repr(model) and "examples" not in repr(model)


def test_before_fit_there_is_nothing_to_draw(tmp_path: Path) -> None:
    model = TableGAN()
    for use in (model.sample, model.evaluate, lambda: model.impute(FRAME), lambda: model.save(tmp_path / "a.gf")):
        with pytest.raises(NotFittedError):
            use()
    assert list(tmp_path.iterdir()) == []


def test_rows_have_the_tables_columns_dtypes_and_rules(fitted: TableGAN) -> None:
    rows = fitted.sample()
    assert len(rows) == ROWS and list(rows.columns) == [*FRAME.columns, "income"]
    assert rows[FRAME.columns].dtypes.to_dict() == FRAME.dtypes.to_dict()
    assert rows["start"].between(0, 99).all() and (rows["start"] <= rows["end"]).all()
    assert set(rows["code"]) <= {1, 2, 3}
    pd.testing.assert_frame_equal(fitted.sample(50, seed=5), fitted.sample(50, seed=5))
    assert not fitted.sample(50, seed=5).equals(fitted.sample(50, seed=6))


def test_every_row_meets_its_conditions(fitted: TableGAN) -> None:
    rows = fitted.sample(300, where={"sex": "Female", "start": (20, 40), "income": "high"})
    assert (rows["sex"] == "Female").all() and rows["start"].between(20, 40).all() and (rows["income"] == "high").all()
    with pytest.raises(InputError, match="Did you mean 'Female'"):
        fitted.sample(5, where={"sex": "female"})
    with pytest.raises(InputError, match="0 rows"):
        fitted.sample(0)


def test_missing_cells_are_filled_and_others_are_left(fitted: TableGAN) -> None:
    holes = FRAME.assign(income=TARGET.to_numpy()).set_index(TARGET.index)
    holes.loc[holes.index[::3], "income"] = None
    filled = fitted.impute(holes)
    assert filled.notna().all().all() and filled.index.equals(holes.index)
    there = holes["height"].notna()
    np.testing.assert_array_equal(filled["height"][there], holes["height"][there])
    assert set(filled["income"]) == {"low", "high"}


@pytest.mark.slow
def test_one_model_predicts_judges_and_draws_as_asked(fitted: TableGAN, saved: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(predict, "TAUGHT", 1_000)
    monkeypatch.setattr(anomaly, "TAUGHT", 1_000)
    monkeypatch.setattr(anomaly, "RANKED", 200)
    answers, chances = fitted.predict(FRAME), fitted.predict_proba(FRAME)  # of y: the label
    assert answers.shape == (ROWS,)
    assert set(chances.columns) == {"high", "low"} and chances.sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)
    assert (chances.idxmax(axis=1).to_numpy() == answers).mean() > 0.99
    assert np.array_equal(TableGAN.load(saved).predict(FRAME), answers)
    numbers = fitted.predict(FRAME.assign(income=TARGET.to_numpy()), column="height")
    assert np.isfinite(numbers).all() and 130 < numbers.mean() < 200
    with pytest.raises(InputError, match="'height' is a number and has no classes"):
        fitted.predict_proba(FRAME.assign(income=TARGET.to_numpy()), column="height")
    scores = fitted.score_samples(FRAME.assign(income=TARGET.to_numpy()))
    assert scores.shape == (ROWS,) and np.isfinite(scores).all()
    assert (fitted.sample(100, balance={"income": {"high": 0.8}})["income"] == "high").sum() == 80
    assert len(fitted.sample(given=FRAME[["sex", "start"]].head(30), temperature=0.8)) == 30
    with pytest.raises(RecipeError, match="There is no option 'giving'"):
        fitted.sample(5, giving=FRAME)
    with pytest.raises(RecipeError, match=r"Only pictures.* have --label"):
        fitted.sample(5, label="3")


def test_the_evaluation_is_a_copy_that_judges_y(fitted: TableGAN) -> None:
    found = fitted.evaluate()
    assert {"measures", "verdict"} <= set(found)
    assert any(target["name"] == "income" for target in found["targets"])
    found.clear()
    assert fitted.evaluate()


def test_a_saved_model_draws_the_same_rows_and_knows_its_parameters(fitted: TableGAN, saved: Path) -> None:
    loaded = TableGAN.load(saved)
    assert loaded.get_params() == fitted.get_params()
    assert loaded.evaluate() == fitted.evaluate()
    where = {"sex": "Male"}
    pd.testing.assert_frame_equal(loaded.sample(100, where, seed=1), fitted.sample(100, where, seed=1))
    again = loaded.save(saved.with_name("again.gf"))
    assert again.read_bytes() == saved.read_bytes()
    with pytest.raises(InputError, match="exists already"):
        loaded.save(saved)


def test_a_saved_model_holds_four_plain_files(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        assert set(archive.namelist()) == {"model.json", "model.safetensors", "evaluation.json", MANIFEST}
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}
        manifest = json.loads(archive.read(MANIFEST))
        assert manifest["model.json"] == hashlib.sha256(archive.read("model.json")).hexdigest()


def test_every_single_damaged_byte_is_refused(saved: Path, tmp_path: Path) -> None:
    content = bytearray(saved.read_bytes())
    damaged = tmp_path / "damaged.gf"
    for place in np.linspace(0, len(content) - 1, 25).astype(int):
        broken = content.copy()
        broken[place] ^= 0xFF
        damaged.write_bytes(broken)
        try:
            loaded = TableGAN.load(damaged)
        except InputError:
            continue
        assert loaded.evaluate() == TableGAN.load(saved).evaluate()  # a byte that says nothing, such as a date's
    damaged.write_bytes(content[:-30])
    with pytest.raises(InputError, match="damaged"):
        TableGAN.load(damaged)


def test_files_with_other_members_or_parts_are_refused(saved: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != MANIFEST}
    description = json.loads(members["model.json"])
    stranger = {**description, "estimator": {"parameters": {"minits": 2, "rules": []}, "rows": 3}}
    foreign = {
        "more.gf": {**members, "../evil.py": b"import os"},
        "fewer.gf": {"model.json": members["model.json"]},
        "unknown.gf": {**members, "model.json": json.dumps(stranger).encode()},
        "weights.gf": {**members, "model.safetensors": b"no tensors"},
    }
    for name, content in foreign.items():
        write_bundle(tmp_path / name, content)
        with pytest.raises(InputError, match=r"is not a saved|is damaged"):
            TableGAN.load(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "packed.gf", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (*members, MANIFEST):
            archive.writestr(name, b"0" * 1000)
    with pytest.raises(InputError, match="compressed"):
        TableGAN.load(tmp_path / "packed.gf")
    with pytest.raises(InputError, match=r"holds .* No more than 10 are read"):
        read_bundle(saved, members, most_bytes=10)
    (tmp_path / "pickle.gf").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(InputError, match="damaged"):
        TableGAN.load(tmp_path / "pickle.gf")
    with pytest.raises(InputError, match="no file"):
        TableGAN.load(tmp_path / "none.gf")
    assert not (tmp_path.parent / "evil.py").exists()


@pytest.mark.parametrize(
    ("parameters", "x", "y", "error", "words"),
    [
        ({}, FRAME, FRAME["sex"], InputError, "column 'sex' already"),
        ({}, FRAME, [1, 2], InputError, "240 rows"),
        ({}, np.zeros((3, 4, 5)), None, InputError, r"shape \(3, 4, 5\) is not a table"),
        ({}, "photos/", None, DataError, "nothing at 'photos/'"),
        ({}, [[1, 2]], None, InputError, "A list is not a table"),
        ({}, FRAME.head(5), None, DataError, "5 rows"),
        ({"columns": {"cod": "category"}}, FRAME, None, DataError, "Did you mean 'code'"),
        ({"columns": {"code": "kategory"}}, FRAME, None, RecipeError, "Did you mean 'category'"),
        ({"rules": ["end <= start"]}, FRAME, None, DataError, "breaks the rule"),
        ({"values": "sen"}, FRAME, None, RecipeError, "rows.values cannot be 'sen'"),
        ({"size": "huge"}, FRAME, None, RecipeError, "size cannot be 'huge'"),
    ],
)
def test_what_cannot_be_learned_is_said(
    parameters: dict[str, object], x: object, y: object, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        TableGAN(examples=64, **parameters).fit(x, y)


@pytest.mark.slow
def test_an_array_gets_names_and_progress_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"optimiser.batch_size": np.int64(32)}  # as searches over parameters give numbers
    model = TableGAN(examples=np.int64(128), size="tiny", settings=settings, verbose=True).fit(
        RANDOM.normal(size=(60, 2)).round(2), TARGET[:60]
    )
    assert list(model.sample(3).columns) == ["x0", "x1", "income"]
    assert "table_quality 0." in capsys.readouterr().out
    model.save(tmp_path / "numpy.gf")
    assert TableGAN.load(tmp_path / "numpy.gf").settings == settings


@pytest.mark.slow
def test_an_arrow_table_is_learned_as_it_is() -> None:
    table = pa.Table.from_pandas(FRAME[["sex", "start", "code"]])
    rows = TableGAN(examples=128, size="tiny").fit(table, TARGET.to_numpy()).sample(3)
    assert list(rows.columns) == ["sex", "start", "code", "y"] and rows["start"].dtype == "int16"


def test_what_may_be_a_mistake_in_the_data_is_a_warning() -> None:
    with pytest.warns(UserWarning, match="'empty' has no value in any row"):
        TableGAN(examples=128, size="tiny").fit(FRAME[["sex", "start"]].assign(empty=None))
