"""The plan and the game of a translator.

Where lines are translations of each other, it learns each from the other. Where they are not, it learns each line from
what the dictionary makes of it word by word, and later from its own translation of it (back-translation: Sennrich,
Haddow and Birch 2016; without pairs Lample et al. 2018). The adversary tells, of pairs, a translation from what was
written, both beside what was read of the source (Yang et al. 2018); without pairs, in which language a source is, by
what was read of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from ganforge.contracts import Game, Levers, Loss, Player, Tell, Turn, is_on
from ganforge.core.device import widened
from ganforge.core.seeds import Draws, seed_for
from ganforge.core.sequences import END, PAD
from ganforge.engine.feed import ArrayFeed
from ganforge.errors import RecipeError
from ganforge.kinds.text.translate.corpus import TwoTexts
from ganforge.kinds.text.translate.networks import Seen, SequenceDiscriminator, Source, Translator
from ganforge.networks.language_model import RowDraws
from ganforge.planning.compute import Pace, choose_compute, choose_length, choose_pieces, for_two_phases
from ganforge.planning.draft import ASKED, Draft, choose_data
from ganforge.planning.game import choose_optimiser, choose_sized, falling, initialised, optimiser_settings
from ganforge.recipe import Recipe, Size, TaskSection

BATCH = 64
RATE_AGAINST = 5e-4  # learning rate of the discriminator
SIZES: dict[Size, tuple[int, int]] = {
    "tiny": (32, 1), "small": (256, 1), "medium": (320, 1), "base": (512, 1), "large": (1024, 1),
}  # fmt: skip
MARKS = (0.0, 0.25, 0.5, 0.75, 1.0)
PACE = Pace(
    examples="sentences",
    looks="looks",
    seconds_per_look=4.0,
    steady_rate=150.0,
    half_life_share=0.01,
    most_steps=50,
    marks=lambda seconds: MARKS,
    why_marks="few: at each look held-out lines are translated",
)
ABSENT = {
    "augmentation": "Without pairs words are missing from sources; with pairs nothing is changed.",
    "objective": "The discriminator, if there is one, has two classes: its loss is cross-entropy.",
    "network.latent_size": "Nothing is drawn from noise.",
    "records.look_samples": "A look translates the same held-out lines each time.",
}


class Translating(TaskSection):
    """The settings of a translator."""

    key: ClassVar[str] = "translate"

    pairs: bool  # lines of one number are translations of each other, and learned from as such
    back_from: Annotated[float, Field(ge=0, le=1)] = 1.0  # progress from which it reads its translations; 1: never
    back: Annotated[float, Field(ge=0, le=1)] = 0.8  # share of sources that are then its own
    lost: Annotated[float, Field(ge=0, lt=1)] = 0.0  # share of a source's units that are missing
    against: Annotated[float, Field(ge=0)] = 0.0  # weight of the adversary's opinion; 0: there is none


def build_game(recipe: Recipe, units: int) -> Game:
    """Build networks on the recipe's device, with their losses.

    Batches have x (B, 2, L): source and target, each from BEGIN to END; label (B,) the language of the target.
    """
    chosen, device, width = recipe.section(Translating), recipe.compute.device, recipe.network.need("width")
    translator = initial_translator(recipe, units).to(device)
    discriminator = initialised(
        seed_for(recipe.seed, "networks/discriminator"),
        lambda: SequenceDiscriminator((2 if chosen.pairs else 1) * width, width),
    ).to(device)

    def sources(turn: Turn) -> Tensor:
        """Return the sources (B, L) of a turn: as they are, or translated back, some units missing."""
        x, target = turn.batch["x"].unbind(1)
        x = x[:, 1:]
        if is_on(turn.dials["back"]):
            made = translator.written(_cut(target[:, 1:]), 1 - turn.batch["label"], x.shape[1])
            x = torch.where(turn.random.uniform(len(x), 1) < turn.dials["back"], made, x)
        return _cut(without_some(x, chosen.lost, turn.random) if chosen.lost else x)

    def read_and_seen(turn: Turn, random: Draws | None) -> tuple[Source, Seen, Tensor]:
        """Return the source as it is read, what is known before each unit of the target, and these units (B, T)."""
        x, tokens = sources(turn), _cut(turn.batch["x"][:, 1])
        draws = [None if random is None else RowDraws(random, turn.batch["x"].shape[2]) for _ in range(2)]
        source = translator.read(x, draws[0])
        return source, translator.seen(source, turn.batch["label"], tokens[:, :-1], draws[1]), tokens[:, 1:]

    def opinion(source: Source, seen: Seen, units: Tensor) -> Tensor:
        """Return the discriminator's scores (B,). Args: units (B, T) or, of what was written, shares (B, T, V)."""
        if not chosen.pairs:
            return widened(discriminator(source.keys, source.there))
        embedded = translator.embedding(units) if units.dim() == 2 else units @ translator.embedding.weight
        there = (units if units.dim() == 2 else units.argmax(2)) != PAD
        return widened(discriminator(torch.cat([seen.read, embedded], 2), there))

    def written(seen: Seen, units: Tensor) -> Tensor:
        """Return the chances (B, T, V) of each unit where there is one; elsewhere padding."""
        shares = translator.logits(seen.known).softmax(2)
        padding = F.one_hot(torch.full_like(units, PAD), shares.shape[2]).to(shares)
        return torch.where((units != PAD)[:, :, None], shares, padding)

    def translator_loss(turn: Turn) -> Loss:
        source, seen, units = read_and_seen(turn, turn.random)
        terms = {"translate": surprise(translator, seen.known, units)}
        if chosen.against:
            if chosen.pairs:
                scores, wanted = opinion(source, seen, written(seen, units)), torch.ones(len(units), device=device)
            else:  # the source is in the other language than the target
                scores, wanted = opinion(source, seen, units), turn.batch["label"].to(torch.float32)
            terms["against"] = chosen.against * F.binary_cross_entropy_with_logits(scores, wanted, reduction="none")
        return Loss(terms)

    def discriminator_loss(turn: Turn) -> Loss:
        with torch.no_grad():
            source, seen, units = read_and_seen(turn, None)
            shares = written(seen, units) if chosen.pairs else None
        if shares is None:
            wanted = 1 - turn.batch["label"].to(torch.float32)
            scores = opinion(source, seen, units)
            return Loss({"language": F.binary_cross_entropy_with_logits(scores, wanted, reduction="none")})
        return Loss({
            "real": F.softplus(-opinion(source, seen, units)),
            "written": F.softplus(opinion(source, seen, shares)),
        })  # fmt: skip

    def dials(progress: float, levers: Levers) -> Mapping[str, float]:
        return {"back": chosen.back * float(progress >= chosen.back_from and not chosen.pairs)}

    players = [Player("translator", translator, translator_loss, optimiser_settings(recipe), dials=dials)]
    if chosen.against:
        slower = falling(optimiser_settings(recipe), RATE_AGAINST)
        players.insert(0, Player("discriminator", discriminator, discriminator_loss, slower, dials=dials))
    return Game(tuple(players), product="translator")


def initial_translator(recipe: Recipe, units: int) -> Translator:
    """Build a new translator from the recipe's seed."""
    width = recipe.network.need("width")
    return initialised(seed_for(recipe.seed, "networks"), lambda: Translator(units, width))


def surprise(translator: Translator, known: Tensor, units: Tensor) -> Tensor:
    """Return minus the mean log-probability of each text's units, (B,). Args: known (B, T, W); units (B, T)."""
    there = units != PAD
    if units.device.type == "cpu":  # there the units that are not there cost time
        places = there.flatten().nonzero()[:, 0]
        more = F.pad(places, (0, _rounded(len(places), 128) - len(places)))
        scores = widened(translator.logits(known.flatten(0, 1)[more]))[: len(places)]
        found = F.cross_entropy(scores, units.flatten()[places], reduction="none")
        lost = torch.zeros(units.numel()).index_put((places,), found).view(units.shape)
    else:
        scores = widened(translator.logits(known)).flatten(0, 1)
        lost = F.cross_entropy(scores, units.flatten(), ignore_index=PAD, reduction="none").view(units.shape)
    return lost.sum(1) / there.sum(1)


def without_some(x: Tensor, share: float, random: Draws) -> Tensor:
    """Return texts (B, L) with a random share of their units missing, END and padding last as before."""
    gone = (random.uniform(*x.shape) < share) & (x != END)
    order = (gone | (x == PAD)).to(torch.uint8).argsort(dim=1, stable=True)
    return torch.where(gone, PAD, x).gather(1, order)


def _cut(x: Tensor) -> Tensor:
    """Return texts (B, L) without most places that none reaches; on a GPU, where nobody reads lengths, as they are."""
    return x[:, : _rounded(int((x != PAD).sum(1).max()), 8)] if x.device.type == "cpu" else x


def _rounded(count: int, to: int) -> int:
    """Return a count rounded up: a processor keeps something of each product of another size, which takes memory."""
    return -(-count // to) * to


def plan_translator(draft: Draft, texts: TwoTexts, feed: ArrayFeed, tell: Tell) -> Recipe:
    """Choose every setting, with its reason, and time a few steps. Raises: RecipeError for settings that do not fit."""
    draft.explain({"task": ASKED})
    names = (texts.names, "the two texts")
    choose_data(draft, "text", (feed.stored(torch.zeros(1, dtype=torch.int64).numpy()).shape[1:], texts.why),
                texts.corpus.sha256, label_names=names)  # fmt: skip
    choose_compute(draft)
    parallel = texts.pairs
    alone = "each line is learned from its translation"
    chosen = draft.choose(
        Translating,
        pairs=(parallel, "the texts' lines are translations" if parallel else "their lines are not translations"),
        back_from=(1.0, alone) if parallel else (0.25, "first it learns from what the dictionary makes, word by word"),
        back=(0.8, "the others stay the dictionary's, which are never far off"),
        lost=(0.0, alone) if parallel else (0.1, "what it reads at first is not how people write"),
        against=(0.0, "measured: it makes translations worse (docs/benchmarks.md)"),
    )
    if chosen.pairs != parallel:
        raise RecipeError(
            f"translate.pairs is {chosen.pairs}, and was {parallel} when the texts were read.",
            "It says what the plan found.", "Leave it out.",
        )  # fmt: skip
    choose_sized(draft, "translator", "one network for both directions, with attention", SIZES, "a layer")
    choose_optimiser(
        draft,
        rate=(2e-3, "found on captions (docs/log.md); falls along a half cosine"),
        warmup=(0.02, "the first steps are small, until the size of the gradients is known"),
        beta1=(0.9, "what is learned from stays much the same"),
        batch_size=(BATCH, f"{BATCH} sentences"),
    )

    def build(recipe: Recipe) -> Game:
        return build_game(recipe, texts.units.size)

    tell("timing", size=draft.request.size or "small")
    choose_pieces(draft, feed, build=build)
    choose_length(draft, PACE, for_two_phases(draft, PACE, feed, chosen.back_from, build=build, name="back_from"))
    return draft.recipe()
