"""Every task's step can be recorded and repeated: it asks nothing of the host, and nothing in it is the host's choice.

Recorded on a processor (tests/engine/tape.py), where a repeated step makes the same operations in the same order, so
that the weights must be the same to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rows_world import known, planned, quiet
from skimage import data as photos
from sklearn.datasets import load_digits
from tape import TapeRecorder
from torch import Tensor
from toy_games import same, weights

import ganforge.engine.fit as loop
from ganforge.contracts import Levers, Task, Turn
from ganforge.core.seeds import Draws
from ganforge.core.world import World
from ganforge.engine.capture import WARM_UP, Captured
from ganforge.engine.fit import FitSettings, fit
from ganforge.engine.step import Seat
from ganforge.kinds.pictures.enhance.task import Enhance
from ganforge.kinds.pictures.generate.task import Generate
from ganforge.kinds.pictures.translate.task import Translate
from ganforge.kinds.tables.regress.task import Regress
from ganforge.recipe import Request

STEPS, BATCH = 12, 8
PLAN = FitSettings(seed=0, batch_size=BATCH, length_examples=BATCH * STEPS, half_life_examples=50, record_every_steps=5)
QUICK = {"compute.threads": "1", "compute.precision": "float32", "optimiser.batch_size": str(BATCH)}


def folders(root: Path) -> dict[str, Path]:
    """Photos, and two sides of digits under the same names."""
    digits = (load_digits().images[:60] * 15.9).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    for side, pictures in (("A", digits), ("B", 255 - digits)):
        (root / "sides" / side).mkdir(parents=True)
        for place, picture in enumerate(pictures):
            Image.fromarray(picture).save(root / "sides" / side / f"{place:03d}.png")
    (root / "photos").mkdir()
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        image = Image.fromarray(getattr(photos, name)())
        image.thumbnail((200, 200))
        image.save(root / "photos" / f"{name}.png")
    return {"sides": root / "sides", "photos": root / "photos"}


def job_of(task: Task, source: str | Path, label: str | None = None, **settings: str) -> Any:
    request = Request(
        source=str(source), task=task.name, label=label, examples=64, size="tiny", settings={**QUICK, **settings}
    )  # fmt: skip
    return task.plan(request, quiet)


def table_job(task: str, root: Path) -> Any:
    return planned(known(400), root, task, settings=QUICK)


def repeated_steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """From now on `fit` repeats its steps; gives the list of events of it that will be told."""
    told: list[tuple[str, Any]] = []

    def runner(seats: Sequence[Seat], plan: FitSettings, world: World, tell: Callable[..., None]) -> Any:
        recorder = TapeRecorder([seat.random.generator for seat in seats])
        return Captured(recorder, seats, lambda kind, **content: told.append((kind, content)))

    monkeypatch.setattr(loop, "runner_for", runner)
    return told


JOBS: dict[str, Callable[[dict[str, Path], Path], Any]] = {
    "generate": lambda at, root: job_of(Generate(), "digits8"),
    "generate, augmented": lambda at, root: job_of(
        Generate(), "digits8", **{"augmentation.strength": "0.5", "augmentation.flips": "true"}
    ),
    "generate, residual": lambda at, root: job_of(
        Generate(), "digits8", **{"network.name": "resnet", "network.width": "16"}
    ),
    "generate, wasserstein": lambda at, root: job_of(Generate(), "digits8", **{"objective.name": "wasserstein"}),
    "rows": lambda at, root: table_job("generate", root),
    "impute": lambda at, root: table_job("impute", root),
    "regress": lambda at, root: job_of(Regress(), "diabetes", "target"),
    "translate, paired": lambda at, root: job_of(Translate(), at["sides"]),
    "translate, cycle": lambda at, root: job_of(
        Translate(), at["sides"], **{"translate.pairing": "unpaired", "translate.unpaired_by": "cycle"}
    ),
    "translate, contrastive": lambda at, root: job_of(Translate(), at["sides"], **{"translate.pairing": "unpaired"}),
    "enhance": lambda at, root: job_of(
        Enhance(),
        at["photos"],
        **{"enhance.degradation": "blur:0.5-1.5,noise:5-30,downscale:2", "enhance.sharp_from": "0.5"},
    ),
    "enhance, hole and grey": lambda at, root: job_of(Enhance(), at["photos"], **{"enhance.degradation": "hole,grey"}),
}


SLOW = ("translate, cycle", "enhance", "enhance, hole and grey")
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in JOBS]


@pytest.mark.slow
def test_jpeg_is_made_on_the_processor_so_its_steps_are_not_repeated(
    places: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(Enhance(), places["photos"], **{"enhance.degradation": "jpeg:20-50"})
    told = repeated_steps(monkeypatch)
    fit(job.game(), job.feed, PLAN)
    assert [kind for kind, _ in told] == ["not_captured"]
    assert "cannot be recorded" in told[0][1]["reason"]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return folders(tmp_path_factory.mktemp("captured"))


@pytest.mark.parametrize("name", NAMES)
def test_a_repeated_step_of_each_task_is_its_step(
    name: str, places: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = JOBS[name](places, tmp_path)
    ends = []
    for record in (False, True):
        told = repeated_steps(monkeypatch) if record else []
        game = job.game()
        product = fit(game, job.feed, PLAN).product
        ends.append([x for player in game.players for x in weights(player.network)] + weights(product))
    assert {kind for kind, _ in told} == {"captured"}, told
    assert same(*ends)
    assert STEPS > WARM_UP
    assert all(torch.isfinite(x).all() for x in ends[1])


class Elsewhere(Draws):
    """Random numbers on torch's meta device, which has shapes and no content, and refuses what lies anywhere else."""

    def __init__(self) -> None:
        super().__init__(torch.Generator())

    @property
    def device(self) -> torch.device:
        return torch.device("meta")

    def normal(self, rows: int, *shape: int) -> Tensor:
        return torch.empty(rows, *shape, device=self.device)

    def uniform(self, rows: int, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return torch.empty(rows, *shape, device=self.device)


@pytest.mark.parametrize("name", NAMES)
def test_a_turn_needs_nothing_that_lies_on_another_device(name: str, places: dict[str, Path], tmp_path: Path) -> None:
    """There is no GPU here, but there is another device: a tensor that a loss makes on the processor is found."""
    job = JOBS[name](places, tmp_path)
    batch = {key: x.to("meta") for key, x in job.feed.batch(torch.arange(BATCH)).items()}
    compute = job.recipe.compute.model_copy(update={"device": "meta"})
    job.recipe = job.recipe.model_copy(update={"compute": compute})
    game = job.game()
    for player in game.players:
        player.network.to("meta")
    for player in game.players:
        moving = player.dials(0.3, Levers())
        dials = {key: torch.empty((), device="meta") if value else 0.0 for key, value in moving.items()}
        loss = player.loss(Turn(batch, Elsewhere(), dials))
        assert {term.device.type for term in (*loss.terms.values(), *loss.notes.values())} == {"meta"}
        torch.stack(list(loss.terms.values())).mean().backward()
        assert any(weight.grad is not None for weight in player.network.parameters())


def test_the_other_device_does_find_it() -> None:
    with pytest.raises(RuntimeError, match="device"):
        torch.empty(3, device="meta") * torch.ones(3)
