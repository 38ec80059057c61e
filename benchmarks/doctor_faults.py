"""The planted faults of the benchmark of the diagnosis, and what is done to make each of them happen."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import perf_counter, sleep
from typing import Any

import doctor_data as data
import torch
from doctor_runs import Plant
from torch import Tensor, nn

from ganforge.contracts import Batch, Feed, Game, Job, Loss, Turn
from ganforge.kinds.tables.networks import RowLayout

Asked = Mapping[str, Any]
# The plan writes a record about once a second: here runs must be alike however busy the machine is.
OFTEN: Asked = {"records.marks": "[0.0, 0.25, 0.5, 0.75, 1.0]", "records.every_steps": 10}
PICTURES: Asked = {"examples": 20_000, "label": "none", "settings": OFTEN}
ROWS: Asked = {"examples": 32_000, "size": "tiny", "settings": {**OFTEN, "optimiser.batch_size": 128}}

# A game that is linear in both players, without a penalty and with plain steps: it turns in circles for ever.
CIRCLES: Asked = {
    "objective.gamma_start": 0, "objective.gamma_end": 0, "optimiser.kind": "sgd", "records.every_steps": 5,
    "optimiser.learning_rate_start": 1.0, "optimiser.learning_rate_end": 1.0,
}  # fmt: skip


def asked(base: Asked, **more: Any) -> dict[str, Any]:
    """What is asked of a run. Args: more, of which `settings` are added to those of the base."""
    return {**base, **more, "settings": {**base.get("settings", {}), **more.get("settings", {})}}


# ---- plants ---------------------------------------------------------------------------------------------------------


def few_latents(count: int) -> Plant:
    """The generator is deaf to all but the sign of one of its latent numbers: `count` outputs in all."""

    def plant(game: Game, feed: Feed, job: Job) -> tuple[Game, Feed]:
        random = torch.Generator().manual_seed(job.recipe.seed)
        points = torch.randn(count, job.recipe.network.latent_size, generator=random)

        def quantise(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            latent, *rest = inputs
            place = (torch.special.ndtr(latent[:, 0]) * count).long().clamp_max(count - 1)
            return (points[place].to(latent), *rest)

        generator = game.product_player.network
        generator.register_forward_pre_hook(quantise)
        if job.recipe.data.kind == "tables":  # rows are drawn from what it says: so that it says it clearly
            generator.register_forward_hook(lambda module, inputs, logits: 30 * logits)
        return game, feed

    return plant


def one_of_each_kind(game: Game, feed: Feed, job: Job) -> tuple[Game, Feed]:
    """A generator that has one row for each value of the column `plan`, each as often as in the data."""
    table = job.table  # type: ignore[attr-defined]
    layout, codec = RowLayout(table.codec.sizes), table.codec
    unit = codec.unit_of("plan")
    kinds = table.train.tensors["x"][:, unit].unique().tolist()
    chosen = [table.train.tensors["x"][table.train.tensors["x"][:, unit] == kind][0] for kind in kinds]
    shares = torch.tensor([float((table.train.tensors["x"][:, unit] == kind).float().mean()) for kind in kinds])
    rows = layout.one_hot(torch.stack(chosen).long())  # (kinds, P)

    def one(module: nn.Module, inputs: tuple[Any, ...], logits: Tensor) -> Tensor:
        place = torch.searchsorted(shares.cumsum(0), torch.special.ndtr(inputs[0][:, 0])).clamp_max(len(kinds) - 1)
        return 0.05 * logits + 20 * rows[place]

    game.product_player.network.register_forward_hook(one)
    return game, feed


def by_heart(game: Game, feed: Feed, job: Job) -> tuple[Game, Feed]:
    """A generator that returns training examples: which one, a latent number says."""
    pictures = job.recipe.data.kind != "tables"
    known = feed.batch(torch.arange(len(feed)))["x"]
    if not pictures:
        known = RowLayout(job.table.codec.sizes).one_hot(known)  # type: ignore[attr-defined]

    def repeat(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        place = (torch.special.ndtr(inputs[0][:, 0]) * len(known)).long().clamp_max(len(known) - 1)
        return 0.05 * output + 0.95 * known[place] if pictures else 0.05 * output + 20 * known[place]

    game.product_player.network.register_forward_hook(repeat)
    return game, feed


def deaf_generator(game: Game, feed: Feed, job: Job) -> tuple[Game, Feed]:
    """What the discriminator says reaches the generator a thousand million times too small."""

    def shrink(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        return output.detach() + 1e-9 * (output - output.detach())

    game.product_player.network.register_forward_hook(shrink)
    return game, feed


class SlowFeed:
    """A feed that takes its time, and says how much."""

    def __init__(self, feed: Feed, seconds: float) -> None:
        self.feed, self.seconds, self.waited, self.begun = feed, seconds, 0.0, perf_counter()

    @property
    def resident(self) -> bool:
        return False

    def __len__(self) -> int:
        return len(self.feed)

    def batch(self, indices: Tensor) -> Batch:
        """The other feed's batch, later."""
        before = perf_counter()
        sleep(self.seconds)
        found = self.feed.batch(indices)
        self.waited += perf_counter() - before
        return found


def slow_disk(game: Game, feed: Feed, job: Job) -> tuple[Game, Feed]:
    """Reading a batch takes three times as long as learning from it."""
    rate = job.recipe.length.examples_per_second or 1.0
    return game, SlowFeed(feed, 1.5 * job.recipe.optimiser.batch_size / rate)  # two batches a step


class Spoiled:
    """A loss that is no number once in `every` turns, and says how often."""

    def __init__(self, loss: Callable[[Turn], Loss], every: int) -> None:
        self.loss, self.every, self.turns, self.spoiled = loss, every, 0, 0

    def __call__(self, turn: Turn) -> Loss:
        """The other loss, or none."""
        self.turns += 1
        loss = self.loss(turn)
        if self.turns % self.every:
            return loss
        self.spoiled += 1
        return Loss({name: math.nan * term for name, term in loss.terms.items()}, loss.notes)


def no_number_now_and_then(game: Game, feed: Feed, job: Job) -> tuple[Game, Feed]:
    """One turn in 30 of the discriminator has a loss that is no number, as when a logarithm meets a 0."""
    first, *others = game.players
    return replace(game, players=(replace(first, loss=Spoiled(first.loss, 30)), *others)), feed


def rate_of(player: str, factor: float) -> Plant:
    """One player's learning rate, multiplied."""

    def plant(game: Game, feed: Feed, job: Job) -> tuple[Game, Feed]:
        players = []
        for one in game.players:
            rate = one.optimiser.learning_rate
            if one.name == player:
                rate = replace(rate, start=factor * rate.start, end=factor * rate.end)
            players.append(replace(one, optimiser=replace(one.optimiser, learning_rate=rate)))
        return replace(game, players=tuple(players)), feed

    return plant


@dataclass(frozen=True, slots=True)
class Fault:
    """One planted fault: what is trained on, what is asked, and what is done on the way."""

    ailment: str
    kind: str  # pictures or table
    source: Callable[[int], object]  # seed -> what `ganforge train` is given
    asked: Asked
    plant: Plant | None = None
    judged: bool = False  # whether it takes the evaluation at the end to see it


def on_digits(seed: int) -> object:
    return data.digits()


def on_people(seed: int) -> object:
    return data.people(1000, seed)


FAULTS: tuple[Fault, ...] = (
    Fault("collapse", "pictures", on_digits, PICTURES, few_latents(3)),
    Fault("collapse", "tables", on_people, ROWS, few_latents(3)),
    Fault("class_collapse", "pictures", on_digits, asked(PICTURES, label=None), few_latents(1)),
    Fault("class_collapse", "tables", on_people, asked(ROWS, label="plan"), one_of_each_kind),
    Fault(
        "discriminator_overfits", "pictures", lambda seed: data.some_digits(150, seed),
        asked(PICTURES, examples=40_000, settings={
            "objective.gamma_start": 0.02, "objective.gamma_end": 0.02, "augmentation.target": 0,
        }),
    ),
    Fault(
        "discriminator_overfits", "tables", lambda seed: data.people(150, seed),
        asked(ROWS, examples=50_000, size="base",
            settings={"objective.gamma_start": 0.01, "objective.gamma_end": 0.01}),
    ),
    Fault(
        "discriminator_wins", "pictures", on_digits,
        asked(PICTURES, objective="minimax", settings={"objective.gamma_start": 0, "objective.gamma_end": 0}),
        rate_of("generator", 0.003),
    ),
    Fault(
        "discriminator_wins", "tables", on_people,  # whole rows: of those that are given in part little can be told
        asked(ROWS, examples=50_000, objective="minimax", settings={
            "objective.gamma_start": 0, "objective.gamma_end": 0, "rows.whole": 1.0}),
        rate_of("generator", 0.003),
    ),
    Fault(
        "discriminator_blind", "pictures", on_digits,
        asked(PICTURES, settings={"objective.gamma_start": 1e6, "objective.gamma_end": 1e6}),
    ),
    Fault(
        "discriminator_blind", "tables", on_people,
        asked(ROWS, settings={"objective.gamma_start": 1e6, "objective.gamma_end": 1e6}),
    ),
    Fault("vanishing", "pictures", on_digits, PICTURES, deaf_generator),
    Fault("vanishing", "tables", on_people, ROWS, deaf_generator),
    Fault(
        "exploding", "pictures", on_digits,
        asked(PICTURES, settings={"objective.gamma_start": 0, "objective.gamma_end": 0,
            "optimiser.learning_rate_start": 0.2, "optimiser.learning_rate_end": 0.2}),
    ),
    Fault(
        "exploding", "tables", on_people,
        asked(ROWS, settings={"objective.gamma_start": 0, "objective.gamma_end": 0,
            "optimiser.learning_rate_start": 0.3, "optimiser.learning_rate_end": 0.3}),
    ),
    Fault(
        "oscillating", "pictures", on_digits,
        asked(PICTURES, examples=40_000, objective="wasserstein", settings=CIRCLES | {"network.name": "linear"}),
    ),
    Fault(
        "oscillating", "tables", on_people,
        asked(ROWS, examples=90_000, objective="wasserstein", settings=CIRCLES | {"network.depth": 0,
            "optimiser.learning_rate_start": 0.5, "optimiser.learning_rate_end": 0.5}),
        rate_of("generator", 3.0),
    ),
    Fault("not_finite", "pictures", on_digits, PICTURES, no_number_now_and_then),
    Fault("not_finite", "tables", on_people, ROWS, no_number_now_and_then),
    Fault("copying", "pictures", on_digits, PICTURES, by_heart, judged=True),
    # Of numbers only the span is copied, and the value in it drawn anew: no copy of a row. Of words it is one.
    Fault("copying", "tables", lambda seed: data.ratings(1000, seed), ROWS, by_heart, judged=True),
    Fault("starved", "pictures", on_digits, asked(PICTURES, examples=10_000), slow_disk),
    Fault("too_little_data", "pictures", lambda seed: data.some_digits(40, seed), asked(PICTURES, examples=10_000)),
    Fault("too_little_data", "tables", lambda seed: data.people(40, seed), asked(ROWS, examples=16_000)),
    Fault("wrong_data", "pictures", data.repeated_digits, PICTURES),
    Fault("wrong_data", "pictures", data.plain_and_digits, PICTURES),
    Fault("wrong_data", "tables", data.repeated_people, ROWS),
    Fault("wrong_data", "tables", data.people_and_constants, ROWS),
    Fault("meaningless_labels", "pictures", data.digits_with_dice, asked(PICTURES, label=None)),
    Fault("meaningless_labels", "tables", data.people_with_dice, asked(ROWS, label="outcome"), judged=True),
)  # fmt: skip
