"""How --private is read, the ledger, and what is refused in words before anything is released."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

import ganforge as gf
from ganforge.api.request import request_of, task_for
from ganforge.errors import RecipeError, RunError
from ganforge.privacy.accounting import Release, gaussian_multiplier
from ganforge.privacy.ledger import OUTSIDE, Ledger, open_ledger, read_ledger
from ganforge.privacy.options import read_private
from ganforge.privacy.settings import PrivateSettings, budget_of
from ganforge.recipe import Request
from ganforge.run import Run


@pytest.mark.parametrize("value", ["epsilon=1", "1", 1, 1.0, {"epsilon": 1}, " epsilon = 1 "])
def test_a_budget_is_read_however_it_is_given(value: Any) -> None:
    assert read_private(value).epsilon == 1
    assert str(read_private(value)) == "epsilon=1"


def test_shares_are_kept() -> None:
    assert str(read_private("epsilon=2,judge=0.1")) == "epsilon=2,judge=0.1"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "epsilon of 0"), (-1, "epsilon of -1"), ("epsilon=x", "It is a number"), ("epsilon=nan", "It is a number"),
        ("judge=0.1", "has no epsilon"), ("epsilon=1,epsilon=2", "twice"), ("epsilon=1,judge=1", "share"),
        ("epsilon=1,jugde=0.1", "Did you mean 'judge'"), (1e9, "promises nothing"), ([1], "a text or a number"),
    ],
)  # fmt: skip
def test_a_budget_that_means_nothing_is_refused(value: Any, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        read_private(value)


def asked(**options: Any) -> Request:
    return Request(source="x", options=options)


def test_delta_is_at_most_one_in_the_number_of_records() -> None:
    assert budget_of(asked(private="epsilon=1"), 5_000)["delta"][0] == 1e-5
    assert budget_of(asked(private="epsilon=1"), 1_000_000)["delta"][0] == pytest.approx(1e-7)
    with pytest.raises(RecipeError, match=r"above 1 / 5,000 records.*Use: --delta 1e-05"):
        budget_of(asked(private="epsilon=1", delta=1e-3), 5_000)
    with pytest.raises(RecipeError, match="needs a budget"):
        budget_of(asked(), 5_000)


def test_shares_of_the_budget_cost_the_whole_together() -> None:
    settings = PrivateSettings(epsilon=1.0, delta=1e-5)
    releases = tuple(Release("a part", "gaussian", settings.multiplier(share)) for share in (0.7, 0.25, 0.05))
    assert ledger(releases).spent == pytest.approx(1.0, abs=1e-4)


def test_the_option_chooses_the_task_and_goes_with_no_other() -> None:
    assert task_for(request_of("digits", {"private": "epsilon=1"})).name == "private"
    with pytest.raises(RecipeError, match=r"--private was given, and so was --task generate"):
        task_for(request_of("digits", {"private": "epsilon=1", "task": "generate"}))
    for name, value in (("minutes", 5), ("examples", 100), ("size", "tiny"), ("until", "kid<1"), ("objective", "wgan")):
        with pytest.raises(RecipeError, match=f"--{name} .* nothing is trained"):
            task_for(request_of("digits", {"private": 1, name: value}))
    with pytest.raises(RecipeError, match="It is the chance"):
        request_of("digits", {"private": 1, "delta": 2})


def ledger(releases: tuple[Release, ...]) -> Ledger:
    return Ledger("a row", 100, 1.0, 1e-5, releases, OUTSIDE, asked={"settings": {"a": (1, 2)}})


ONE = Release("sums", "gaussian", gaussian_multiplier(1.0, 1e-5))


def test_a_ledger_is_read_back_and_a_second_one_that_differs_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert read_ledger(run) is None
    open_ledger(run, ledger((ONE,)))
    found = read_ledger(run)
    assert found is not None and found.releases == (ONE,) and found.outside == OUTSIDE
    open_ledger(run, ledger((ONE,)))
    for other in (
        dataclasses.replace(ledger((ONE,)), records=101),
        dataclasses.replace(ledger((ONE,)), asked={"settings": {"a": (1, 3)}}),
        ledger((dataclasses.replace(ONE, multiplier=5.0),)),
    ):
        with pytest.raises(RunError, match="not those of its release"):
            open_ledger(run, other)


def test_releases_beyond_the_budget_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="was asked for"):
        open_ledger(Run(tmp_path), ledger((ONE, ONE)))
    assert not (tmp_path / "privacy.json").exists()


@pytest.mark.parametrize("change", [{"releases": [{"name": "a"}]}, {"delta": 0}, {"outside": 3}, {"asked": [1]}])
def test_a_damaged_ledger_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    (tmp_path / "privacy.json").write_text(json.dumps({**ledger((ONE,)).to_json(), **change}))
    with pytest.raises(RunError, match="ledger"):
        read_ledger(Run(tmp_path))


def test_a_run_that_is_not_private_says_so(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text("{}")
    assert gf.privacy_of(tmp_path).sentence.startswith("This run is not private")
    open_ledger(Run(tmp_path), ledger((ONE,)))
    assert gf.privacy_of(tmp_path).epsilon == pytest.approx(1.0, abs=1e-5)


def test_two_accountants_agree(tmp_path: Path) -> None:
    pytest.importorskip("opacus")
    (tmp_path / "recipe.json").write_text("{}")
    open_ledger(Run(tmp_path), ledger((ONE,)))
    assert gf.privacy_of(tmp_path).prv == pytest.approx(1.0, abs=0.02)
