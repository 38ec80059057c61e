"""Every model keeps to contracts.Model: what it cannot do it refuses in words, and only its own options are taken."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganforge as gf
from ganforge.api.sample import model_of
from ganforge.contracts import Model
from ganforge.errors import InputError
from ganforge.run import Run

from fixtures import make  # isort: skip

CONTRACT = ("sample", "write", "apply", "next_steps")
MODELS = sorted(name for name in make.RUNS if not name.endswith("stopped"))
DRAWING = [name for name in MODELS if name.startswith(("generate", "impute"))]


def run_named(name: str) -> Path:
    return make.RUNS_FOLDER / name


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_the_methods_of_the_contract_with_its_arguments(name: str) -> None:
    model = model_of(run_named(name))
    for method in CONTRACT:
        given, wanted = (inspect.signature(getattr(one, method)).parameters for one in (type(model), Model))
        assert list(given) == list(wanted)


@pytest.mark.parametrize("name", [name for name in MODELS if name not in DRAWING])
def test_a_model_that_draws_nothing_says_what_it_can(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Use: ganforge apply RUN|ganforge evaluate RUN"):
        gf.sample(run_named(name), 3, tmp_path / "new")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "words"), [("generate-pictures", "ganforge sample RUN"), ("regress-table", "ganforge evaluate RUN")]
)
def test_a_model_that_takes_nothing_in_says_what_it_can(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        gf.apply(run_named(name), tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize("name", DRAWING)
def test_samples_in_blocks_are_the_samples_as_a_value(name: str) -> None:
    samples = model_of(run_named(name)).sample(700, {}, 3)
    value, parts = samples.value(), list(samples.blocks())
    assert len(value) == 700 == sum(map(len, parts))
    if isinstance(value, np.ndarray):
        assert np.array_equal(np.concatenate(parts), value)
    else:
        assert parts[0].equals(value.head(len(parts[0])))


@pytest.mark.parametrize(
    ("name", "verb", "asked", "words"),
    [
        (
            "generate-pictures",
            "sample",
            {"where": ["a=1"]},
            "--where a=1 was .* of pictures. Only tables have",
        ),
        (
            "generate-table",
            "sample",
            {"label": "3"},
            "--label 3 was given, .* run of tables. Only pictures.* have",
        ),
        ("generate-table", "sample", {"interpolate": 3}, "Only pictures have --interpolate"),
        ("impute-table", "apply", {"strength": 0.5}, "Only pictures.* have --strength"),
        ("enhance-pictures", "apply", {"draw": True}, "Only tables have --draw"),
        ("enhance-pictures", "apply", {"strengt": 0.5}, "Did you mean 'strength'"),
    ],
)
def test_an_option_of_another_kind_or_of_none_is_refused(
    name: str, verb: str, asked: dict[str, Any], words: str, tmp_path: Path
) -> None:
    given = {"sample": (2, tmp_path / "x"), "apply": (tmp_path / "in", tmp_path / "x")}[verb]
    with pytest.raises(InputError, match=words):
        getattr(gf, verb)(run_named(name), *given, **asked)


def test_a_walk_is_also_an_option_of_sample(tmp_path: Path) -> None:
    run = run_named("generate-pictures")
    gf.sample(run, 1, tmp_path / "a.gif", interpolate=3, seed=4)
    gf.interpolate(run, 3, tmp_path / "b.gif", seed=4)
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


@pytest.mark.parametrize("verb", ["interpolate", "augment", "invert"])
def test_a_run_that_cannot_walk_enlarge_or_go_back_says_what_it_can(verb: str, tmp_path: Path) -> None:
    given = {"interpolate": (3,), "augment": ("digits8",), "invert": (tmp_path / "a.png",)}[verb]
    with pytest.raises(InputError, match=f"cannot {verb}.* Use: ganforge sample RUN -n 1000 --out new.csv"):
        getattr(gf, verb)(run_named("generate-table"), *given, tmp_path / "out")
    assert not Run(run_named("generate-table")).encoder.exists()


def test_where_the_place_is_taken_nothing_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganforge.kinds.pictures.generate.model import PictureModel
    from ganforge.kinds.tables.generate.model import RowModel

    for model in (PictureModel, RowModel):
        monkeypatch.setattr(model, "blocks", None)
    for name, place in (("generate-pictures", "x.png"), ("generate-table", "x.csv")):
        (tmp_path / place).write_text("a person's")
        with pytest.raises(InputError, match="exists already"):
            gf.sample(run_named(name), 5, tmp_path / place)
