"""The plan of recognition, and its staged game: supervised, then its student, and on demand an adversary.

`supervised` learns from the labels alone, to its end. It then labels the sounds without labels, and `student` learns
from these too, from new weights: of each label the best share. `adversarial` is such a student that must also tell real
sounds from those of a generator: K scores, and Z / (Z + 1) for real (Salimans et al. 2016). Each of them is a network
that learns from every label, and one for each fold, which never saw that fold's labels: they tell how good it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from ganforge.contracts import Game, Loss, OptimiserSettings, Player, Tell, Turn
from ganforge.core.device import widened
from ganforge.core.seeds import Draws, seed_for
from ganforge.errors import RecipeError
from ganforge.kinds.sounds.generate.grid import Grid
from ganforge.kinds.sounds.plan import WARMUP, pace_of, timed
from ganforge.kinds.sounds.recognise.labelled import EVERY, Labelled
from ganforge.kinds.sounds.recognise.networks import (
    ADVERSARIAL,
    FULL,
    LINEAR,
    STUDENT,
    SUPERVISED,
    Classifier,
    Generator,
    Recogniser,
)
from ganforge.objectives import OBJECTIVES
from ganforge.objectives.labels import learned_from, realness
from ganforge.planning.compute import choose_compute
from ganforge.planning.draft import ASKED, Draft, choose_data
from ganforge.planning.game import (
    choose_objective,
    choose_optimiser,
    gamma_dials,
    initialised,
    optimiser_settings,
)
from ganforge.recipe import Network, Recipe, Size, TaskSection

BATCH = 32
FOLDS, STUDENT_FROM, SHARE = 3, 0.5, 0.7
LATENT = 64
WIDTHS: dict[Size, int] = {"tiny": 8, "small": 16, "medium": 32, "base": 64, "large": 128}
ABSENT = {
    "augmentation": "Examples are changed in speed, pitch, place and level, and partly masked, in every run.",
    "network.depth": "Three convolutions halve a spectrogram to 4 by 4 cells.",
    "records.look_samples": "A look takes every labelled sound.",
}
ALONE = {"objective": "It needs a generator, which plays with --set recognise.adversarial=1."}
PACE = replace(
    pace_of("pairs of sounds", 1.0, 500.0, (0.0, 0.1, 0.2, 0.4, 0.7, 1.0)),
    most_steps=100,
    why_marks="few: at each look every labelled sound is recognised",
)
SPEED, BEND, SHIFT, LIFT, LEVEL = 0.25, 0.12, 0.25, 0.08, 0.1  # by how much examples are changed, to each side
MASKED_BANDS, MASKED_FRAMES = 0.2, 0.15  # most of an example that is blanked out


class Recognising(TaskSection):
    """The settings of recognition."""

    key: ClassVar[str] = "recognise"
    derived: ClassVar[Mapping[str, str]] = {"grid": "Use --rate, or give sounds of another length."}

    grid: Grid
    folds: Annotated[int, Field(ge=0, le=10)] = 3  # of cross-validation; 0 or 1: none
    student_from: Annotated[float, Field(gt=0, le=1)] = 0.5  # progress at which the students begin
    share: Annotated[float, Field(gt=0, le=1)] = 0.7  # of the sounds that are given a label, the surest, which count
    adversarial: Annotated[float, Field(ge=0)] = 0.0  # weight of the game against a generator; 0: it is not played

    @property
    def members(self) -> int:
        """Return the networks of each method: one of all labels, and one for each fold."""
        return 1 + (self.folds if self.folds > 1 else 0)


def methods_of(chosen: Recognising) -> tuple[str, ...]:
    """Return the methods that a run compares."""
    others = chosen.student_from < 1
    students = (STUDENT, ADVERSARIAL) if others and chosen.adversarial else (STUDENT,) if others else ()
    return (LINEAR, SUPERVISED, *students)


def initial_recogniser(recipe: Recipe) -> Recogniser:
    """Build the networks of a recipe with initial weights from its seed."""
    chosen, labels, width = recipe.section(Recognising), len(recipe.data.label_names), recipe.network.need("width")
    return initialised(
        seed_for(recipe.seed, "networks"), lambda: Recogniser(methods_of(chosen), chosen.members, labels, width)
    )


def changed(levels: Tensor, random: Draws) -> Tensor:
    """Return examples 0..1 (B, 1, M, N) of levels, each at another speed, pitch, place and level, and partly masked.

    Masks of bands and frames: Park et al. 2019, "SpecAugment"; the voice's pitch: Jaitly and Hinton 2013.
    """
    with torch.autocast(levels.device.type, enabled=False):
        x = levels / FULL
        count, _, bands, frames = x.shape
        speed, bend, shift, lift, level, low, high, early, late = random.uniform(count, 9).unbind(1)
        speed, bend = ((2 * u - 1).mul(most).exp() for u, most in ((speed, SPEED), (bend, BEND)))
        shift, lift, level = ((2 * u - 1) * most for u, most in ((shift, SHIFT), (lift, LIFT), (level, LEVEL)))
        none = torch.zeros_like(speed)
        rows = [speed, none, speed - 1 + shift, none, bend, bend - 1 + lift]  # what begins stays at the beginning
        grid = F.affine_grid(torch.stack(rows, 1).view(-1, 2, 3), list(x.shape), align_corners=False)
        x = F.grid_sample(x, grid, padding_mode="zeros", align_corners=False)
        x = ((x + level[:, None, None, None]) * (x > 0)).clamp(0, 1)  # silence stays silence
        kept_bands = ~_masked(bands, low, MASKED_BANDS * high)
        kept_frames = ~_masked(frames, early, MASKED_FRAMES * late)
        return x * (kept_bands[:, None, :, None] & kept_frames[:, None, None, :])


def _masked(length: int, begin: Tensor, share: Tensor) -> Tensor:
    """Return which of `length` places (B, length) are masked. Args: begin, share (B,) of the length."""
    place = torch.arange(length, device=begin.device) / length
    return (place >= begin[:, None]) & (place < (begin + share)[:, None])


def build_game(recipe: Recipe) -> Game:
    """Build networks on the recipe's device, with their losses."""
    chosen, device = recipe.section(Recognising), recipe.compute.device
    all_methods = initial_recogniser(recipe).to(device)
    supervised = all_methods.classifiers(SUPERVISED)

    def of_labels(network: Classifier, member: int, turn: Turn, x: Tensor) -> Tensor:
        """Return the loss on labelled examples: 0 for a fold that the network must not see."""
        scores = widened(network(x, network.kept(len(x), turn.random)))
        loss = F.cross_entropy(scores, turn.batch["label"], reduction="none")
        return loss * (turn.batch["fold"] != member - 1) if member else loss

    def supervised_loss(turn: Turn) -> Loss:
        x = changed(turn.batch["x"], turn.random)
        return _over_members({"labels": of_labels(one, member, turn, x)} for member, one in enumerate(supervised))

    def student_loss(method: str, generators: nn.ModuleList | None = None) -> Callable[[Turn], Loss]:
        students = all_methods.classifiers(method)

        def loss(turn: Turn) -> Loss:
            x, other = changed(turn.batch["x"], turn.random), changed(turn.batch["other"], turn.random)
            clear, terms = turn.batch["other"] / FULL, list[dict[str, Tensor]]()
            for member, (teacher, student) in enumerate(zip(supervised, students, strict=True)):
                found, own = list[Tensor](), dict[str, Tensor]()
                score = realness(partial(student, kept=student.kept(len(other), turn.random)), found)
                if generators is None:
                    score(other)
                else:
                    with torch.no_grad():
                        fake = draw(generators[member], turn)
                    judged = objective.discriminator_loss(score, other, fake, turn.dials["gamma"], turn.random)
                    own = {name: chosen.adversarial * term for name, term in judged.terms.items()}
                own["labels"] = of_labels(student, member, turn, x)
                own |= learned_from(teacher, student.threshold, clear, found[0][: len(other)], chosen.share)
                terms.append(own)
            return _over_members(terms)

        return loss

    def draw(generator: nn.Module, turn: Turn) -> Tensor:
        return widened(generator(turn.random.normal(len(turn.batch["x"]), recipe.network.need("latent_size"))))

    first, later = _stage(recipe, 0.0, chosen.student_from), _stage(recipe, min(chosen.student_from, 0.999), 1.0)
    whole = all_methods if chosen.student_from == 1 else all_methods.of(SUPERVISED)

    def is_late(progress: float) -> bool:
        return progress >= chosen.student_from

    players = [Player(SUPERVISED, whole, supervised_loss, first, lambda progress: not is_late(progress))]
    if STUDENT in all_methods.methods:
        players.append(Player(STUDENT, all_methods, student_loss(STUDENT), later, is_late))
    if ADVERSARIAL in all_methods.methods:
        objective, dials = OBJECTIVES[recipe.adversary.name](), gamma_dials(recipe)
        size = (recipe.network.need("latent_size"), chosen.grid.mel.bands, chosen.grid.frames)
        width = recipe.network.need("width")
        generators = initialised(
            seed_for(recipe.seed, "networks/generator"),
            lambda: nn.ModuleList(Generator(*size, width) for _ in range(chosen.members)),
        ).to(device)

        def generator_loss(turn: Turn) -> Loss:
            other, terms = changed(turn.batch["other"], turn.random), []
            for generator, critic in zip(generators, all_methods.classifiers(ADVERSARIAL), strict=True):
                score = realness(partial(critic, kept=critic.kept(len(other), turn.random)), [])
                terms.append(objective.generator_loss(score, other, draw(generator, turn)).terms)
            return _over_members(terms)

        against = student_loss(ADVERSARIAL, generators)
        players += [
            Player(ADVERSARIAL, all_methods.of(ADVERSARIAL), against, later, is_late, dials=dials),
            Player("generator", generators, generator_loss, later, is_late, dials=dials),
        ]
    return Game(tuple(players), product=SUPERVISED if chosen.student_from == 1 else STUDENT)


def _over_members(terms: Iterable[Mapping[str, Tensor]]) -> Loss:
    """Return the mean of the losses of the networks of a method."""
    every = list(terms)
    return Loss({name: torch.stack([own[name] for own in every]).mean(0) for name in every[0]})


def _stage(recipe: Recipe, begin: float, finish: float) -> OptimiserSettings:
    """Return optimiser settings whose learning rate runs its whole course within a part of the run."""
    settings = optimiser_settings(recipe)
    return replace(settings, learning_rate=replace(settings.learning_rate, first=begin, last=finish))


def plan_recogniser(draft: Draft, found: Labelled, tell: Tell) -> Recipe:
    """Choose every setting, with its reason; times a few steps of both stages on this machine.

    Raises: RecipeError for settings that do not fit.
    """
    draft.explain({"task": ASKED})
    grid, names = found.grid, found.names
    labelled = (names, f"the {len(names)} subfolders with labels")
    choose_data(draft, "sounds", grid.shape, found.sha256, label_names=labelled)
    choose_compute(draft)
    others = len(found.others)
    chosen = draft.choose(
        Recognising,
        grid=(grid, f"for {grid.mel.rate:,} Hz, and as long as 95 % of the sounds"),
        folds=(
            FOLDS if (found.folds != EVERY).any() else 0,
            "each label is left out once, to measure with and to choose by",
        ),
        student_from=(
            STUDENT_FROM if others else 1.0,
            "first the labels, then what they say of the others" if others else "there are no sounds without a label",
        ),
        share=(SHARE, "of each label; the rest would teach too many errors"),
        adversarial=(0.0, "at equal time it was no better than self-training (docs/benchmarks.md)"),
    )
    if chosen.student_from < 1 and not others:
        raise RecipeError(
            f"recognise.student_from is {chosen.student_from}, and there are no sounds without labels.",
            "A student learns from what is said of those.",
            "Leave it out, or give a folder `unlabelled`.",
        )
    size = draft.request.size or "small"
    latent = {"latent_size": (LATENT, "enough for short sounds")} if chosen.adversarial else {}
    if not chosen.adversarial:
        draft.leave_out({**ALONE, "network.latent_size": "Nothing is drawn from noise."})
    draft.choose(
        Network,
        name=("convolutions", "small ones: a few labels hold no more"),
        width=(WIDTHS[size], f"size {size}"),
        **latent,
    )
    if chosen.adversarial:
        choose_objective(
            draft,
            (0.0, "none: the labels hold the discriminator"),
            (0.0, "none"),
            name=("nonsaturating", "real is Z / (Z + 1) of the labels' scores"),
        )
    choose_optimiser(
        draft,
        rate=(4e-3, "found on spoken digits (docs/log.md); falls along a half cosine, once in each stage"),
        warmup=WARMUP,
        beta1=(0.9, "what is learned stays the same"),
        batch_size=(BATCH, f"{BATCH} labelled sounds, and as many without"),
    )
    feed = found.feed(draft.device)
    return timed(draft, feed, build_game, PACE, chosen.student_from, tell, name="student_from")
