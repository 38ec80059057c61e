"""The game of a voice: a reader that judges later, the voice, discriminators, and a decoder that they judge.

The voice learns alignment, durations and spectrograms from start to end, without an adversary. `sharp` begins as a copy
of its decoder at some progress. Both are kept: which of them is used is measured.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from ganforge.contracts import Batch, Dial, Game, Levers, Loss, Player, Schedule, Turn, is_on
from ganforge.core.device import widened
from ganforge.core.seeds import seed_for
from ganforge.kinds.sounds.features import Mel
from ganforge.kinds.sounds.speak.alignment import best_durations, forward_sum, present, signs_of_frames
from ganforge.kinds.sounds.speak.networks import Discriminator, Packed, Reader, Speech, Voice
from ganforge.kinds.sounds.speak.text import Alphabet
from ganforge.objectives import OBJECTIVES
from ganforge.planning.game import gamma_dials, initialised, optimiser_settings
from ganforge.recipe import Recipe, TaskSection

DURATIONS, DISTANCE = 0.1, 10.0  # weights beside the loss of the alignment


class Speaking(TaskSection):
    """The settings of a voice."""

    key: ClassVar[str] = "speak"

    mel: Mel
    signs: Annotated[str, Field(min_length=1, max_length=5_000)]
    hard_from: Annotated[float, Field(ge=0, le=1)] = 0.2  # progress from which one alignment is preferred to all others
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

    def aligned(turn: Turn) -> tuple[Tensor, Tensor, Packed, Tensor]:
        """Return the decoder's input and the true levels (1, M, S), without graph."""
        batch = turn.batch
        with torch.no_grad():
            frames, read = Packed(batch["frames"]), voice.read(batch["text"], batch["signs"])
            durations = best_durations(voice.scores(read, batch["x"], frames), batch["frames"], batch["signs"])
            given = voice.spread(read, durations, frames)
            return given, frames.pack(batch["x"]), frames, speech.sharp(given, frames.mask)

    def voice_loss(turn: Turn) -> Loss:
        if is_on(turn.dials["copies"]):
            with torch.no_grad():
                for ours, theirs in zip(speech.sharp.parameters(), voice.decoder.parameters(), strict=True):
                    ours.copy_(theirs)
        return loss_of_voice(voice, turn.batch, turn.dials["hard"])

    def discriminator_loss(turn: Turn) -> Loss:
        _, truth, frames, made = aligned(turn)

        def score(x: Tensor) -> Tensor:
            return critic(x)[0].reshape(-1)

        judged = objective.discriminator_loss(score, truth, widened(made), turn.dials["gamma"], turn.random)
        count = len(frames.lengths)
        terms, notes = ({name: value.mean().expand(count) for name, value in found.items()}
                        for found in (judged.terms, judged.notes))  # fmt: skip
        return Loss(terms, notes)

    def sharp_loss(turn: Turn) -> Loss:
        given, truth, frames, _ = aligned(turn)
        made = widened(speech.sharp(given, frames.mask))
        count = len(frames.lengths)
        found: list[list[Tensor]] = []

        def score(x: Tensor) -> Tensor:
            scores, features = critic(x)
            found.append(features)
            return scores.reshape(-1)

        judged = objective.generator_loss(score, truth, made)
        with torch.no_grad():
            _, real = critic(truth)
        apart = torch.stack([(a - b).abs().mean() for a, b in zip(found[-1], real, strict=True)]).mean()
        return Loss(
            {
                "distance": frames.mean((made - truth).abs().mean(1)[0]),
                **{name: own.adversarial * value.mean().expand(count) for name, value in judged.terms.items()},
                "matching": own.matching * apart.expand(count),
            }
        )

    def plays_late(progress: float) -> bool:
        return progress >= own.sharp_from

    def moving(progress: float, levers: Levers) -> dict[str, float]:
        return {"copies": float(not plays_late(progress)), "hard": float(progress >= own.hard_from)}

    alone, dials = optimiser_settings(recipe), gamma_dials(recipe)
    against = replace(alone, learning_rate=Schedule(own.sharp_rate, 0.0, "linear"))
    players = (
        Player("reader", speech.reader, lambda turn: loss_of_reader(speech.reader, turn.batch), alone),
        Player("voice", voice, voice_loss, alone, dials=moving),
        Player("discriminator", critic, discriminator_loss, against, plays_late, dials=dials),
        Player("sharp", speech, sharp_loss, against, plays_late, dials=dials),
    )
    return Game(players, product="sharp")


def loss_of_reader(reader: Reader, batch: Batch) -> Loss:
    """Return the CTC loss (Graves et al. 2006) of what a reader hears in recordings, for each frame."""
    frames = Packed(batch["frames"])
    heard = frames.unpack(reader(frames.pack(batch["x"]), frames.mask))
    said = F.log_softmax(widened(heard), dim=2).transpose(0, 1)
    inside = batch["signs"] - 2  # without the edges
    lost = F.ctc_loss(said, batch["text"][:, 1:], batch["frames"], inside, reduction="none", zero_infinity=True)
    return Loss({"reading": lost / batch["frames"]})


def loss_of_voice(voice: Voice, batch: Batch, hard: Dial) -> Loss:
    """Return the losses of alignment, durations and spectrogram. Args: hard weight of the best alignment's loss."""
    frames, read = Packed(batch["frames"]), voice.read(batch["text"], batch["signs"])
    scores = voice.scores(read, batch["x"], frames)
    durations = best_durations(scores, batch["frames"], batch["signs"])
    made = voice.decoder(voice.spread(read, durations, frames), frames.mask)
    apart = (widened(made) - frames.pack(batch["x"])).abs().mean(1)[0]
    logs = voice.log_durations(read)
    lasting = F.poisson_nll_loss(logs, durations.float(), reduction="none")
    lasting = (lasting * present(batch["signs"], logs.shape[1])).sum(1) / batch["signs"]
    terms = {
        "alignment": forward_sum(scores, batch["frames"], batch["signs"]),
        "durations": DURATIONS * lasting,
        "distance": DISTANCE * frames.mean(apart),
    }
    if is_on(hard):
        which = signs_of_frames(durations, scores.shape[1])
        path = scores.log_softmax(2).gather(2, which[..., None])[..., 0] * present(batch["frames"], scores.shape[1])
        terms["hard"] = hard * -path.sum(1) / batch["frames"]
    return Loss(terms)
