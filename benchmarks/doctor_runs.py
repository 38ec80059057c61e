"""One run for the benchmark of the diagnosis: planned and trained as ganforge does, with a fault planted on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganforge.api.request import requested, task_for, task_of
from ganforge.api.train import fit_settings
from ganforge.contracts import Feed, Game, Job
from ganforge.diagnosis import CHECKS
from ganforge.engine.fit import fit
from ganforge.errors import TrainingError
from ganforge.kinds.pictures.write import png_bytes
from ganforge.kinds.tables.generate import task as generate_rows
from ganforge.records import Finding, History, Record
from ganforge.run import Run

NO_PICTURE = png_bytes(np.zeros((8, 8, 1), np.uint8))
Plant = Callable[[Game, Feed, Job], tuple[Game, Feed]]


@dataclass(slots=True)
class Wake:
    """An observer that notes the mean of what the generator gives, of the same latents at each record."""

    generator: nn.Module
    latent: Tensor
    points: list[Tensor] = field(default_factory=list)

    @torch.no_grad()
    def record(self, record: Record) -> None:
        self.points.append(self.generator(self.latent).mean(0).flatten().clone())

    def event(self, event: Mapping[str, Any]) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run that has ended: what a proof may look at."""

    job: Job
    game: Game
    feed: Feed
    product: nn.Module
    history: History
    path: tuple[Tensor, ...]  # the mean of the generator's output at each record, flattened

    def network(self, player: str) -> nn.Module:
        """A player's network as it is at the end."""
        return next(one.network for one in self.game.players if one.name == player)


def follow(source: object, asked: Mapping[str, Any], plant: Plant | None, folder: Path, judged: bool = True) -> Outcome:
    """Trains, judges and diagnoses.

    It is the path of api.train.train without the files of the model, because hooks on a network are not stored, and
    without pictures of columns, which take longer than such short runs. judged: with the evaluation at the end.
    """
    torch.set_num_threads(1)
    for name in ("draw_columns", "draw_pairs", "draw_dependence"):
        setattr(generate_rows, name, lambda *given: NO_PICTURE)
    settings = {"compute.threads": 1, **asked.get("settings", {})}
    with requested(source, {**asked, "settings": settings}) as request:
        run, events = Run(folder), []

        def tell(kind: str, **content: Any) -> None:
            events.append({"kind": kind, "step": 0, **content})

        job = task_for(request).plan(request, tell)
        run.folder.mkdir(parents=True)
        run.write_json(run.passport, job.passport)
        run.write_json(run.recipe, job.recipe.to_json())
        job.prepare()
        for event in events:
            run.add_event(**event)
        run.add_event("started", 0, measured=dict(task_of(job.recipe).measured))
        game, feed = job.game(), job.feed
        if plant:
            game, feed = plant(game, feed, job)
        product = game.product_player.network
        random = torch.Generator().manual_seed(0)
        wake = Wake(product, torch.randn(64, job.recipe.network.latent_size, generator=random))
        with suppress(TrainingError):  # numbers that stay not finite end a run, and are a finding
            fitted = fit(
                game,
                feed,
                fit_settings(job.recipe),
                run=run,
                observers=(wake,) if not job.recipe.data.label_names else (),
                look=lambda product, state: job.look(run, product, state.clock.examples),
            )
            product, state = fitted.product, fitted.state
            hooked = bool(product._forward_hooks or product._forward_pre_hooks)
            if judged and not hooked:  # the last touches learn from the product and would undo what a hook does
                product = job.finish(product)
            if judged:
                trained = {"step": state.step, "examples": state.clock.examples}
                run.write_json(run.evaluation, {**trained, **job.evaluate(run, product).to_json()})
    history = run.history()
    return Outcome(job, game, feed, product, history, tuple(wake.points))


def is_alarm(finding: Finding) -> bool:
    """Whether a person is warned: notes are true statements that ask for nothing."""
    return finding.severity != "note"


def first_said(history: History) -> dict[str, tuple[float, str]]:
    """Every ailment that was called out at any time -> the share of the run at which that was first, and the evidence.

    0 is before it began, 1 by what is known at its end.
    """
    found: dict[str, tuple[float, str]] = {}

    def look(part: History, progress: float) -> None:
        for ailment, check in CHECKS.items():
            finding = check(part) if ailment not in found else None
            if finding is not None and is_alarm(finding):
                found[ailment] = progress, finding.evidence

    before = tuple(event for event in history.events if event.get("step", 0) == 0)
    for end in range(len(history.records) + 1):
        part = History(history.records[:end], before, history.passport)
        look(part, float(part.records[-1]["progress"]) if end else 0.0)
    look(history, 1.0)
    return found
