"""Every task that releases instead of training releases once, whatever happens in between."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from test_every_task import TINY, UNTRAINED

import ganforge as gf
from ganforge.core.files import MANIFEST
from ganforge.errors import Interrupted, RunError

pytestmark = pytest.mark.slow


class Stop:
    """An observer that kills the program after the first release."""

    def record(self, record: Mapping[str, Any]) -> None: ...

    def event(self, event: Mapping[str, Any]) -> None:
        if event["kind"] == "released":
            raise KeyboardInterrupt


def released_of(run: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (run / "release").iterdir()}


@pytest.fixture(scope="module", params=sorted(UNTRAINED), ids="-".join)
def stopped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped after its first release."""
    write, asked = TINY[request.param]
    folder = tmp_path_factory.mktemp("-".join(request.param))
    with pytest.raises(Interrupted):
        gf.train(write(folder), run=folder / "run", observers=(Stop(),), task=request.param[1], **asked)
    return folder / "run"


def test_what_was_released_is_never_drawn_again_and_the_rest_follows_from_it(stopped: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(stopped, run)
    first = released_of(run)
    assert first and not (run / "model").exists()
    gf.resume(run)
    assert first.items() <= released_of(run).items()
    everything, model = released_of(run), (run / "model" / MANIFEST).read_bytes()
    shutil.rmtree(run / "model")
    gf.resume(run)
    assert released_of(run) == everything
    assert (run / "model" / MANIFEST).read_bytes() == model


def test_the_ledger_is_written_before_anything_is_released(stopped: Path) -> None:
    told = json.loads((stopped / "privacy.json").read_text())
    assert told["spent"] <= told["epsilon"] * (1 + 1e-6)
    assert len(told["releases"]) >= 1 and told["outside"]


def test_other_settings_are_refused_after_a_release(stopped: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(stopped, run)
    recipe = json.loads((run / "recipe.json").read_text())
    recipe["private"]["epsilon"] *= 2
    (run / "recipe.json").write_text(json.dumps(recipe))
    with pytest.raises(RunError, match=r"settings .* are not those of its release"):
        gf.resume(run)
    assert released_of(run) == released_of(stopped)
