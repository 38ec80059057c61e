"""The plan and the game of a voice: a reader, which aligns and judges, the voice, a discriminator, and a sharp decoder.

The reader learns from recordings alone. The voice learns durations and spectrograms to the end, without an adversary.
`sharp` begins as a copy of its decoder at some progress. Both are kept: which of them is used is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from pydantic import AfterValidator, Field
from torch import Tensor

from ganforge.contracts import Batch, Game, Loss, Player, Tell, Turn
from ganforge.core.device import widened
from ganforge.core.seeds import seed_for
from ganforge.errors import RecipeError
from ganforge.kinds.sounds.features import DERIVED, Mel
from ganforge.kinds.sounds.plan import ABSENT, SIZES, WARMUP, choose_adversary, critic_for, pace_of, timed
from ganforge.kinds.sounds.speak.corpus import Corpus, SentenceFeed
from ganforge.kinds.sounds.speak.networks import Discriminator, Reader, Speech, Voice
from ganforge.kinds.sounds.speak.text import Alphabet, as_spelled, is_said, named
from ganforge.networks.convnext import Packed
from ganforge.objectives import OBJECTIVES
from ganforge.objectives.alignment import best_durations, forward_sum, present
from ganforge.objectives.patches import judged_by, of_examples, told_apart
from ganforge.planning.compute import choose_compute
from ganforge.planning.draft import ASKED, Draft, choose_data
from ganforge.planning.game import (
    choose_optimiser,
    choose_sized,
    copies_until,
    copy_weights,
    falling,
    gamma_dials,
    initialised,
    late_players,
    optimiser_settings,
)
from ganforge.recipe import Compute, Network, Recipe, TaskSection

DURATIONS = 0.02  # weight beside the distance
WINDOW = 64  # frames that the discriminator sees of a sentence: a second at 8 kHz
BATCH = 8
PACE = pace_of("sentences", 3.0, 30.0, (0.0, 0.1, 0.3, 0.5, 0.7, 0.85, 1.0))
NOT_HERE = {
    **ABSENT,
    "augmentation": "No change of a spectrogram is known that leaves what is said.",
    "records.look_samples": "A look takes the same held-out sentences each time.",
}


class Speaking(TaskSection):
    """The settings of a voice."""

    key: ClassVar[str] = "speak"
    derived: ClassVar[Mapping[str, str]] = DERIVED

    mel: Mel
    signs: Annotated[str, Field(min_length=1, max_length=5_000), AfterValidator(as_spelled)]
    voice_from: Annotated[float, Field(ge=0, le=1)] = 0.15  # progress from which the voice plays, not the reader alone
    sharp_from: Annotated[float, Field(ge=0, le=1)] = 0.7  # progress from which discriminators and the sharp one play
    adversarial: Annotated[float, Field(ge=0)] = 0.05  # weight of the adversarial loss beside the distance
    matching: Annotated[float, Field(ge=0)] = 0.5  # weight of the distance of the discriminators' features
    sharp_rate: Annotated[float, Field(gt=0)] = 5e-4  # learning rate of both, falling linearly to 0 at the end

    @property
    def alphabet(self) -> Alphabet:
        return Alphabet(self.signs)


def speech_of(own: Speaking, network: Network) -> Speech:
    """Build the networks of a voice."""
    return Speech(own.alphabet, own.mel.bands, network.need("width"), network.need("depth"))


def speech_for(recipe: Recipe) -> Speech:
    """Build the networks of a recipe, with weights from its seed."""
    own, seed = recipe.section(Speaking), seed_for(recipe.seed, "networks")
    return initialised(seed, lambda: speech_of(own, recipe.network))


def build_game(recipe: Recipe) -> Game:
    """Build networks on the recipe's device, with their losses."""
    own, device = recipe.section(Speaking), recipe.compute.device
    speech = speech_for(recipe).to(device)
    critic, objective = critic_for(recipe, Discriminator), OBJECTIVES[recipe.adversary.name]()
    voice = speech.voice

    def seen(turn: Turn) -> tuple[Tensor, Tensor, Packed]:
        """Return true and made levels (1, M, S), these with the sharp decoder's graph."""
        batch = turn.batch
        with torch.no_grad():
            frames, read = Packed(batch["frames"]), voice.read(batch["text"], batch["signs"])
            given = voice.spread(read, durations_of(speech.reader, batch, frames), frames)
            truth = frames.pack(batch["x"])
        return truth, widened(speech.sharp(given, frames.mask)), frames

    def voice_loss(turn: Turn) -> Loss:
        copy_weights(turn, voice.decoder, speech.sharp)
        return loss_of_voice(voice, speech.reader, turn.batch)

    def discriminator_loss(turn: Turn) -> Loss:
        with torch.no_grad():
            truth, made, frames = seen(turn)
        return told_apart(objective, critic, *windows((truth, made), frames, turn), turn)

    def sharp_loss(turn: Turn) -> Loss:
        truth, made, frames = seen(turn)
        real, fake = windows((truth, made), frames, turn)
        judged, apart = judged_by(objective, critic, real, fake)
        return Loss(
            {
                "distance": frames.mean((made - truth).abs().mean(1)[0]),
                **{name: own.adversarial * of_examples(value, len(real)) for name, value in judged.items()},
                "matching": own.matching * apart,
            }
        )

    alone, dials = optimiser_settings(recipe), gamma_dials(recipe)
    against = falling(alone, own.sharp_rate)
    late = late_players(against, own.sharp_from, dials, (critic, discriminator_loss), (speech, sharp_loss))
    players = (
        Player("reader", speech.reader, lambda turn: loss_of_reader(speech.reader, turn.batch), alone),
        Player(
            "voice", voice, voice_loss, alone, lambda progress: progress >= own.voice_from, copies_until(own.sharp_from)
        ),
        *late,
    )
    return Game(players, product="sharp")


def windows(packed: tuple[Tensor, Tensor], frames: Packed, turn: Turn) -> tuple[Tensor, Tensor]:
    """Return WINDOW frames (B, M, WINDOW) of each sentence, from one random frame on, of packed levels (1, M, S) each.

    So an example's scores do not depend on the others of its batch. A shorter sentence is filled up with zeros.
    """
    free = (frames.lengths - WINDOW).clamp(min=0)
    first = (turn.random.uniform(len(free), 1) * (free[:, None] + 1)).long().clamp(max=free[:, None])
    places = first + torch.arange(WINDOW, device=free.device)

    def cut(x: Tensor) -> Tensor:
        whole = F.pad(frames.unpack(x), (0, 0, 0, WINDOW))
        return whole.gather(1, places[..., None].expand(-1, -1, whole.shape[2])).transpose(1, 2)

    return cut(packed[0]), cut(packed[1])


def loss_of_reader(reader: Reader, batch: Batch) -> Loss:
    """Return minus the log probability of what is said in recordings, for each frame."""
    scores = reader.scores(batch["x"], Packed(batch["frames"]), batch["text"], batch["signs"])
    return Loss({"reading": forward_sum(scores, batch["frames"], batch["signs"])})


def durations_of(reader: Reader, batch: Batch, frames: Packed) -> Tensor:
    """Return the frames (B, L) of each sign, by the reader's best alignment."""
    with torch.no_grad():
        scores = reader.scores(batch["x"], frames, batch["text"], batch["signs"])
        return best_durations(scores, batch["frames"], batch["signs"])


def loss_of_voice(voice: Voice, reader: Reader, batch: Batch) -> Loss:
    """Return the losses of durations, which are Poisson distributed, and of the spectrogram."""
    frames, read = Packed(batch["frames"]), voice.read(batch["text"], batch["signs"])
    durations = durations_of(reader, batch, frames)
    made = voice.decoder(voice.spread(read, durations, frames), frames.mask)
    apart = (widened(made) - frames.pack(batch["x"])).abs().mean(1)[0]
    logs = voice.log_durations(read)
    lasting = F.poisson_nll_loss(logs, durations.float(), reduction="none") * present(batch["signs"], logs.shape[1])
    return Loss({"durations": DURATIONS * lasting.sum(1) / batch["signs"], "distance": frames.mean(apart)})


def refuse_unfit(alphabet: Alphabet, texts: Sequence[str]) -> None:
    """Raise RecipeError for signs that a person pinned unless texts have each, and they have every frequent letter."""
    there, found = Alphabet.of(texts, alphabet.words, fewest=1), Alphabet.of(texts, alphabet.words)
    never = [sign for sign in alphabet.signs if sign not in there.signs]
    lost = [sign for sign in found.signs if sign not in alphabet.signs and is_said(sign)]
    if never or lost:
        raise RecipeError(
            f"The setting speak.signs cannot be {alphabet.signs[:80]!r}.",
            f"No text has {named(never[:5])}." if never else f"Recordings say {named(lost[:5])} too.",
            "Leave it to the plan, or take a sign out or add one.",
        )


def plan_voice(draft: Draft, corpus: Corpus, feed: SentenceFeed, tell: Tell) -> Recipe:
    """Choose every setting, with its reason, and time a few steps. Raises: RecipeError for settings that do not fit."""
    draft.explain({"task": ASKED})
    mel, alphabet = corpus.mel, corpus.alphabet
    refuse_unfit(alphabet, corpus.train.texts)
    shape = ((mel.bands,), f"{mel.bands} mel bands; sentences have any number of frames")
    choose_data(draft, "sounds", shape, corpus.sha256)
    compute = choose_compute(draft)
    if compute.device.startswith("cuda"):
        draft.revise(Compute, capture=(False, "every batch has the length of its longest sentence"))
    chosen = draft.choose(
        Speaking,
        mel=(mel, f"for {mel.rate:,} Hz: bands of which a waveform can be made without a trained vocoder"),
        signs=(alphabet.signs, f"the {len(alphabet.signs)} signs that are heard often enough"),
        voice_from=(0.15, "first the reader finds out which frame says which sign"),
        sharp_from=(0.7, "without an adversary first: what it has learned is where the sharp one begins"),
        adversarial=(0.05, "small beside the distance (docs/log.md)"),
        matching=(0.5, "half of the distance (docs/log.md)"),
        sharp_rate=(5e-4, "as of a vocoder; not tuned"),
    )
    blocks = "so many blocks make the spectrogram"
    choose_sized(draft, "speech", "convolutions over signs, then over frames", {**SIZES, "large": (384, 8)}, blocks)
    choose_adversary(draft)
    choose_optimiser(
        draft,
        rate=(3e-3, "found on one voice (docs/log.md); falls along a half cosine"),
        warmup=WARMUP,
        beta1=(0.9, "as usual where no opponent moves"),
        batch_size=(min(BATCH, len(feed) // 2 * 2), f"from {len(feed):,} sentences"),
    )
    return timed(draft, feed, build_game, PACE, chosen.sharp_from, tell)
