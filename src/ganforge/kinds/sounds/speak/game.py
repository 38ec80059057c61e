"""The game of a voice: a reader that aligns and judges, the voice, a discriminator, and a decoder that it judges.

The reader learns from recordings alone. The voice learns durations and spectrograms to the end, without an adversary.
`sharp` begins as a copy of its decoder at some progress. Both are kept: which of them is used is measured.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from ganforge.contracts import Batch, Game, Levers, Loss, Player, Schedule, Turn, is_on
from ganforge.core.device import widened
from ganforge.core.seeds import seed_for
from ganforge.kinds.sounds.features import Mel
from ganforge.kinds.sounds.speak.alignment import best_durations, forward_sum, present
from ganforge.kinds.sounds.speak.networks import Discriminator, Packed, Reader, Speech, Voice
from ganforge.kinds.sounds.speak.text import Alphabet
from ganforge.objectives import OBJECTIVES
from ganforge.planning.game import gamma_dials, initialised, optimiser_settings
from ganforge.recipe import Recipe, TaskSection

DURATIONS = 0.02  # weight beside the distance
WINDOW = 64  # frames that the discriminator sees of a sentence: a second at 8 kHz


class Speaking(TaskSection):
    """The settings of a voice."""

    key: ClassVar[str] = "speak"

    mel: Mel
    signs: Annotated[str, Field(min_length=1, max_length=5_000)]
    voice_from: Annotated[float, Field(ge=0, le=1)] = (
        0.15  # progress from which the voice plays: before, only the reader
    )
    sharp_from: Annotated[float, Field(ge=0, le=1)] = 0.7  # progress from which discriminators and the sharp one play
    adversarial: Annotated[float, Field(ge=0)] = 0.05  # weight of the adversarial loss beside the distance
    matching: Annotated[float, Field(ge=0)] = 0.5  # weight of the distance of the discriminators' features
    sharp_rate: Annotated[float, Field(gt=0)] = 5e-4  # learning rate of both, falling linearly to 0 at the end

    @property
    def alphabet(self) -> Alphabet:
        return Alphabet(self.signs)


def speech_for(recipe: Recipe) -> Speech:
    """Build the networks of a recipe, with weights from its seed."""
    own, chosen = recipe.section(Speaking), recipe.network
    return initialised(
        seed_for(recipe.seed, "networks"),
        lambda: Speech(len(own.alphabet), own.mel.bands, chosen.need("width"), chosen.need("depth")),
    )


def build_game(recipe: Recipe) -> Game:
    """Build networks on the recipe's device, with their losses."""
    own, device = recipe.section(Speaking), recipe.compute.device
    speech = speech_for(recipe).to(device)
    width = max(4, recipe.network.need("width") // 8)
    critic = initialised(seed_for(recipe.seed, "networks/critic"), lambda: Discriminator(width)).to(device)
    objective = OBJECTIVES[recipe.adversary.name]()
    voice = speech.voice

    def aligned(turn: Turn) -> tuple[Tensor, Tensor, Packed]:
        """Return the decoder's input and the true levels (1, M, S), without graph."""
        batch = turn.batch
        with torch.no_grad():
            frames, read = Packed(batch["frames"]), voice.read(batch["text"], batch["signs"])
            given = voice.spread(read, durations_of(speech.reader, batch, frames), frames)
            return given, frames.pack(batch["x"]), frames

    def of_examples(terms: Tensor, count: int) -> Tensor:
        return terms.reshape(count, -1).mean(1)  # scores of an example's patches follow each other

    def voice_loss(turn: Turn) -> Loss:
        if is_on(turn.dials["copies"]):
            with torch.no_grad():
                for ours, theirs in zip(speech.sharp.parameters(), voice.decoder.parameters(), strict=True):
                    ours.copy_(theirs)
        return loss_of_voice(voice, speech.reader, turn.batch)

    def discriminator_loss(turn: Turn) -> Loss:
        given, truth, frames = aligned(turn)
        with torch.no_grad():
            made = widened(speech.sharp(given, frames.mask))
        real, fake = windows((truth, made), frames, turn)

        def score(x: Tensor) -> Tensor:
            scores: Tensor = critic(x)[0].reshape(-1)
            return scores

        judged = objective.discriminator_loss(score, real, fake, turn.dials["gamma"], turn.random)
        terms, notes = ({name: of_examples(value, len(real)) for name, value in found.items()}
                        for found in (judged.terms, judged.notes))  # fmt: skip
        return Loss(terms, notes)

    def sharp_loss(turn: Turn) -> Loss:
        given, truth, frames = aligned(turn)
        made = widened(speech.sharp(given, frames.mask))
        real, fake = windows((truth, made), frames, turn)
        found: list[list[Tensor]] = []

        def score(x: Tensor) -> Tensor:
            scores, features = critic(x)
            found.append(features)
            flat: Tensor = scores.reshape(-1)
            return flat

        judged = objective.generator_loss(score, real, fake)
        with torch.no_grad():
            _, theirs = critic(real)
        apart = torch.stack([(a - b).flatten(1).abs().mean(1) for a, b in zip(found[-1], theirs, strict=True)])
        return Loss(
            {
                "distance": frames.mean((made - truth).abs().mean(1)[0]),
                **{name: own.adversarial * of_examples(value, len(real)) for name, value in judged.terms.items()},
                "matching": own.matching * apart.mean(0),
            }
        )

    def plays_late(progress: float) -> bool:
        return progress >= own.sharp_from

    def moving(progress: float, levers: Levers) -> dict[str, float]:
        return {"copies": float(not plays_late(progress))}

    alone, dials = optimiser_settings(recipe), gamma_dials(recipe)
    against = replace(alone, learning_rate=Schedule(own.sharp_rate, 0.0, "linear"))
    players = (
        Player("reader", speech.reader, lambda turn: loss_of_reader(speech.reader, turn.batch), alone),
        Player("voice", voice, voice_loss, alone, lambda progress: progress >= own.voice_from, moving),
        Player("discriminator", critic, discriminator_loss, against, plays_late, dials=dials),
        Player("sharp", speech, sharp_loss, against, plays_late, dials=dials),
    )
    return Game(players, product="sharp")


def windows(packed: tuple[Tensor, ...], frames: Packed, turn: Turn) -> tuple[Tensor, ...]:
    """Return WINDOW frames (B, M, WINDOW) of each sentence, from one random frame on, of packed levels (1, M, S) each.

    So an example's scores do not depend on the others of its batch. A shorter sentence is filled up with zeros.
    """
    free = (frames.lengths - WINDOW).clamp(min=0)
    first = (turn.random.uniform(len(free), 1) * (free[:, None] + 1)).long().clamp(max=free[:, None])
    places = first + torch.arange(WINDOW, device=free.device)

    def cut(x: Tensor) -> Tensor:
        whole = F.pad(frames.unpack(x), (0, 0, 0, WINDOW))
        return whole.gather(1, places[..., None].expand(-1, -1, whole.shape[2])).transpose(1, 2)

    return tuple(cut(x) for x in packed)


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
