"""The game of two that every adversarial task of one generator plays, of whatever kind its examples are.

A new kind of data has its game in three lines:

    def build_game(recipe: Recipe, held_out: Feed | None = None) -> Game:
        generator, discriminator = build_pair(recipe, PAIRS)
        return adversarial_game(recipe, generator, discriminator, held_out)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from inspect import signature
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from ganforge.contracts import (
    BoundDiscriminator,
    Dial,
    Feed,
    Game,
    Levers,
    Loss,
    OptimiserSettings,
    Player,
    Schedule,
    Turn,
    is_on,
)
from ganforge.core.device import memory_bytes, widened
from ganforge.core.seeds import Draws, generator_for, seed_for
from ganforge.errors import RecipeError, did_you_mean
from ganforge.networks import NetworkPair, Pairs
from ganforge.objectives import OBJECTIVES
from ganforge.planning.draft import DEFAULT_OBJECTIVE, Choice, Draft
from ganforge.recipe import Adversary, Data, Network, Optimiser, Recipe, Size

NO_DIAL = {
    "latent_size": "The network {name!r} draws nothing from noise.",
    "width": "The network {name!r} has no hidden layer.",
    "depth": "The network {name!r} has no blocks or hidden layers to be repeated.",
}


def choose_network(draft: Draft, sized: Network, pairs: Pairs, **why: str) -> Network:
    """Choose the section `network`: the one of a size, or what is pinned.

    Args: sized the network of a size; pairs those that suit the data; why the reasons of name, latent_size, width and
        depth. A network that has a depth, where the size says none, gets one block or layer.
    Raises: RecipeError for an unknown name, and where a dial is pinned that the network does not have.
    """
    name: str = draft.pinned.get("network.name", sized.name)
    has = dials_of(name, pairs)
    draft.leave_out({f"network.{dial}": no.format(name=name) for dial, no in NO_DIAL.items() if dial not in has})
    choices: dict[str, Choice] = {dial: (getattr(sized, dial), why[dial]) for dial in has}
    if "depth" in has and sized.depth is None:
        choices["depth"] = (1, "one, the least")
    return draft.choose(Network, name=(name, why["name"]), **choices)


def size_of(draft: Draft) -> Size:
    """Return the size that was asked for; else small on a processor, and large on a GPU."""
    return draft.request.size or ("small" if draft.device == "cpu" else "large")


def choose_sized(
    draft: Draft, name: str, why: str, sizes: Mapping[Size, tuple[int, int]], blocks: str = "so many blocks"
) -> Network:
    """Choose the section `network` of one network with a width and a depth.

    Args: why it is of that name; sizes width and depth of each; blocks what the depth means.
    Raises: RecipeError where another name is pinned.
    """
    if (pinned := draft.pinned.get("network.name", name)) != name:
        raise RecipeError(f"There is no network {pinned!r}.", f"This task has {name!r} alone.", "Leave it out.")
    size = size_of(draft)
    width, depth = sizes[size]
    reason = f"size {size}"
    return draft.choose(Network, name=(name, why), width=(width, reason), depth=(depth, f"{reason}: {blocks}"))


TRAINED_BYTES = 16  # of a weight: itself, its gradient, and two moments, in float32


def choose_alone(draft: Draft, name: str, why: str, widths: Mapping[Size, int], what: str) -> None:
    """Choose the one network that a task has, and its width by the size, which is small unless asked.

    Args: what the width is of, as the plan says it. Raises: RecipeError if another network was asked for.
    """
    if (given := draft.pinned.get("network.name", name)) != name:
        raise RecipeError(f"There is no network {given!r}.", f"This task has {name!r} alone.", "Leave it out.")
    size = draft.request.size or "small"  # on a GPU too: such networks are small
    draft.choose(Network, name=(name, why), width=(widths[size], f"size {size}: {what}"))


def dials_of(name: str, pairs: Pairs) -> tuple[str, ...]:
    """Return those of latent_size, width and depth that a pair has. Raises: RecipeError for an unknown name."""
    if name not in pairs:
        raise RecipeError(f"There is no network {name!r}.", did_you_mean(name, pairs))
    takes = signature(pairs[name]).parameters
    return tuple(dial for dial in ("latent_size", "width", "depth") if dial in takes)


def network_pair(network: Network, data: Data, pairs: Pairs) -> NetworkPair:
    """Return the pair of `pairs` that a recipe names. Raises: RecipeError for an unknown or unsuitable one."""
    dials = {dial: getattr(network, dial) for dial in dials_of(network.name, pairs)}
    given = {dial: value for dial, value in dials.items() if value is not None}
    return pairs[network.name](shape=data.shape, labels=len(data.label_names), **given)


def refuse_unbuildable(network: Network, build: Callable[[], Sequence[nn.Module]]) -> None:
    """Call `build` on torch's meta device, where tensors have shapes but neither memory nor values.

    Raises: RecipeError, before anything is timed or written, if that fails, or if training the modules that it returns
        needs more memory than this machine has.
    """
    try:
        with torch.device("meta"):
            modules = build()
    except (RuntimeError, TypeError, ValueError) as error:
        raise RecipeError(
            f"The network {_described(network)} cannot be built.",
            f"torch says: {str(error).splitlines()[0].rstrip('.')}.",
            "Choose other values, or leave them to the plan.",
        ) from error
    needed = TRAINED_BYTES * sum(weight.numel() for module in modules for weight in module.parameters())
    there = memory_bytes()
    if needed > there:
        raise RecipeError(
            f"The network {_described(network)} is too large.",
            f"Its weights take {needed / 1e9:,.0f} GB in training, and this machine has {there / 1e9:,.0f} GB.",
            "Choose a smaller width or depth, or leave them to the plan.",
        )


def _described(network: Network) -> str:
    dials = {"width": network.width, "depth": network.depth}
    said = " and ".join(f"{name} {value}" for name, value in dials.items() if value is not None)
    return f"{network.name!r}{f' of {said}' if said else ''}"


def refuse_unbuildable_game(draft: Draft, build: Callable[[Recipe], Game]) -> None:
    """Build the networks of a game as above; what several players hold counts once. Raises: RecipeError."""
    recipe = draft.recipe()
    nowhere = recipe.model_copy(update={"compute": recipe.compute.model_copy(update={"device": "meta"})})
    refuse_unbuildable(draft[Network], lambda: [nn.ModuleList(player.network for player in build(nowhere).players)])


def refuse_unbuildable_pair(network: Network, data: Data, pairs: Pairs) -> None:
    """Build the pair that a recipe names and send one example through it, as above. Raises: RecipeError."""
    pair = network_pair(network, data, pairs)

    def build() -> Sequence[nn.Module]:
        generator, discriminator = pair.generator(), pair.discriminator()
        label = torch.zeros(1, dtype=torch.int64) if data.label_names else None
        discriminator(generator(torch.zeros(1, pair.latent_size), label), label)
        return generator, discriminator

    refuse_unbuildable(network, build)


KIND = ("adam", "a step size for each weight, which layers of different scale need")
BETA1 = (0.0, "no momentum: each step of one player changes the other's task")
BETA2 = (0.99, "a memory of about 100 steps for the size of the gradients")
RATE_END = (0.0, "the last steps settle what was learned")
PLAIN = "Plain steps, which `sgd` takes, have no moments and no weight decay."


def choose_optimiser(
    draft: Draft,
    *,
    rate: Choice,
    warmup: Choice,
    batch_size: Choice,
    kind: Choice = KIND,
    rate_end: Choice = RATE_END,
    beta1: Choice = BETA1,
    beta2: Choice = BETA2,
) -> Optimiser:
    """Choose the section `optimiser`; plain steps (sgd) have neither betas nor weight decay, which a plan may add."""
    plain = draft.pinned.get("optimiser.kind", kind[0]) == "sgd"
    if plain:
        draft.leave_out({f"optimiser.{name}": PLAIN for name in ("beta1", "beta2", "weight_decay")})
    moments: dict[str, Choice] = {} if plain else {"beta1": beta1, "beta2": beta2}
    return draft.choose(
        Optimiser,
        kind=kind,
        learning_rate_start=rate,
        learning_rate_end=rate_end,
        warmup=warmup,
        **moments,
        batch_size=batch_size,
    )


def optimiser_settings(recipe: Recipe) -> OptimiserSettings:
    """Return a player's optimiser settings: its learning rate moves along a half cosine."""
    chosen = recipe.optimiser
    rate = Schedule(chosen.learning_rate_start, chosen.learning_rate_end, "cosine", chosen.warmup)
    moments = {"beta1": chosen.beta1, "beta2": chosen.beta2, "weight_decay": chosen.weight_decay}
    given = {name: value for name, value in moments.items() if value is not None}
    return OptimiserSettings(rate, chosen.kind, **given)


def choose_objective(
    draft: Draft,
    gamma_start: tuple[float, str],
    gamma_end: tuple[float, str],
    order: str = "each player answers the other's newest step",
    name: tuple[str, str] = (DEFAULT_OBJECTIVE, "relativistic pairing with R1 and R2: converges"),
) -> Adversary:
    """Choose the section `objective`.

    Args: gamma_start, gamma_end the penalty's weight by a rule on the data, with its reason, for objectives whose paper
    gives none; order the reason why the players step in turn; name of the objective for such data, with its reason.
    """
    asked = draft.pinned.get("objective.name", name[0])
    paper = OBJECTIVES[asked].gamma
    if paper is not None:
        gamma_start = (paper[0], "the paper's weight")
        gamma_end = (paper[1], "constant, as in the paper" if paper[0] == paper[1] else "as in the paper")
    return draft.choose(
        Adversary,
        name=name,
        gamma_start=gamma_start,
        gamma_end=gamma_end,
        order=("alternating", order),
    )


def gamma_schedule(recipe: Recipe) -> Schedule:
    """Return the schedule of the gradient penalty's weight: geometric between its ends, or linear where one is 0."""
    start, end = recipe.adversary.gamma_start, recipe.adversary.gamma_end
    return Schedule(start, end, "geometric" if min(start, end) > 0 else "linear")


Built = TypeVar("Built")
WATCHED = 256  # held-out examples that the discriminator scores at each look

View: TypeAlias = Callable[[Mapping[str, Dial], int, Draws], Callable[[Tensor], Tensor] | None]
"""What a discriminator sees examples through: where the dials stand, how many examples, random numbers -> a function of
x (B, ...) or (2B, ...) that keeps its shape, or None. It draws once a turn: real and generated ones are changed alike.
"""

Dials: TypeAlias = Callable[[float, Levers], Mapping[str, float]]
"""Progress (0..1) and levers -> where each dial of a player stands (contracts.Player)."""


def initialised(seed: int, build: Callable[[], Built]) -> Built:
    """Call `build` with initial weights that depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # torch's initialisers take no generator
        return build()


def build_pair(
    recipe: Recipe, pairs: Pairs, memory_format: torch.memory_format = torch.preserve_format
) -> tuple[nn.Module, nn.Module]:
    """Build the generator and discriminator of a recipe, initialised from its seed, on its device."""
    pair = network_pair(recipe.network, recipe.data, pairs)
    generator, discriminator = initialised(
        seed_for(recipe.seed, "networks"), lambda: (pair.generator(), pair.discriminator())
    )
    for network in (generator, discriminator):
        network.to(device=recipe.compute.device, memory_format=memory_format)  # type: ignore[call-overload]
    return generator, discriminator


def gamma_dials(recipe: Recipe) -> Dials:
    """Return the dial of every adversarial game: `gamma`, the penalty's weight now."""
    gamma = gamma_schedule(recipe)
    return lambda progress, levers: {"gamma": levers.penalty * gamma.at(progress)}


def adversarial_game(
    recipe: Recipe,
    generator: nn.Module,
    discriminator: nn.Module,
    held_out: Feed | None = None,
    *,
    view: View | None = None,
    dials: Dials | None = None,
) -> Game:
    """Build the game of two on any examples, with or without labels: discriminator first, then generator.

    Args:
        generator: latent (B, Z), label (B,) or None -> x (B, ...). discriminator: x, label -> score (B,).
        held_out: real examples that are never trained on; the discriminator's score of them is noted at each look, and
            shows whether it has begun to memorise the training examples.
        view: what the discriminator sees examples through; None shows them as they are.
        dials: of both players, `gamma` among them; None for `gamma` alone.
    """
    objective = OBJECTIVES[recipe.adversary.name]()
    latent_size: int = recipe.network.need("latent_size")

    def draw(turn: Turn) -> Tensor:
        real, label = turn.batch["x"], turn.batch.get("label")
        latent = turn.random.normal(len(real), latent_size)
        fake: Tensor = generator(latent, label)
        return widened(fake)

    def bind(turn: Turn) -> BoundDiscriminator:
        label = turn.batch.get("label")
        seen = view(turn.dials, len(turn.batch["x"]), turn.random) if view is not None else None

        def score(x: Tensor) -> Tensor:
            bound = label.repeat(len(x) // len(label)) if label is not None else None  # real and fake share labels
            result: Tensor = discriminator(x if seen is None else seen(x), bound)
            return result

        return score

    def discriminator_loss(turn: Turn) -> Loss:
        with torch.no_grad():
            fake = draw(turn)
        return objective.discriminator_loss(bind(turn), turn.batch["x"], fake, turn.dials["gamma"], turn.random)

    def generator_loss(turn: Turn) -> Loss:
        return objective.generator_loss(bind(turn), turn.batch["x"], draw(turn))

    def score_held_out(stands: Mapping[str, float]) -> dict[str, Tensor]:
        """Score held-out examples with the augmentation of training examples, so that the scores are comparable."""
        assert held_out is not None
        batch = held_out.batch(torch.randperm(len(held_out), generator=generator_for(0, "held out"))[:WATCHED])
        x = batch["x"]
        random = Draws(generator_for(0, "held out/view", device=x.device))
        seen = view(stands, len(x), random) if view is not None else None
        score: Tensor = discriminator(x if seen is None else seen(x), batch.get("label"))
        return {"score_held_out": score.float()}

    steps, moving = optimiser_settings(recipe), dials or gamma_dials(recipe)
    watch = score_held_out if held_out is not None else None
    players = (
        Player("discriminator", discriminator, discriminator_loss, steps, dials=moving, watch=watch),
        Player("generator", generator, generator_loss, steps, dials=moving),
    )
    return Game(players, product="generator", order=recipe.adversary.order)


# ---- an adversary that joins late ------------------------------------------------------------------------------------


def copies_until(sharp_from: float) -> Dials:
    """Return the dial `copies` of a player whose weights `copy_weights` copies to `sharp` before that plays."""
    return lambda progress, levers: {"copies": float(progress < sharp_from)}


def copy_weights(turn: Turn, source: nn.Module, to: nn.Module) -> None:
    """Copy weights while the dial `copies` is on: evaluations, and a player that joins, find a copy one step old."""
    if is_on(turn.dials["copies"]):
        with torch.no_grad():
            for ours, theirs in zip(to.parameters(), source.parameters(), strict=True):
                ours.copy_(theirs)


Judged: TypeAlias = tuple[nn.Module, Callable[[Turn], Loss]]
"""A network and its loss."""


def late_players(
    settings: OptimiserSettings, sharp_from: float, dials: Dials, discriminator: Judged, sharp: Judged
) -> tuple[Player, Player]:
    """Return the two players that join at the progress `sharp_from`.

    Args: settings of both; dials of both; sharp the product, which may hold more than what `sharp` has copied.
    """

    def player(name: str, judged: Judged) -> Player:
        return Player(name, *judged, settings, lambda progress: progress >= sharp_from, dials)

    return player("discriminator", discriminator), player("sharp", sharp)


def falling(settings: OptimiserSettings, rate: float) -> OptimiserSettings:
    """Return settings with a learning rate that falls linearly from `rate` to 0."""
    return replace(settings, learning_rate=Schedule(rate, 0.0, "linear"))
