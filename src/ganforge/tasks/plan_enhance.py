"""The plan for pictures made better: which networks, how long, and from when on the sharp end plays."""

from __future__ import annotations

import torch

from ganforge import __version__
from ganforge.contracts import Tell
from ganforge.core.draws import Draws
from ganforge.core.seeds import generator_for
from ganforge.data.images.degrade import Degradation, read_degradation, resized
from ganforge.data.images.photos import TILE, Photos
from ganforge.errors import DataError, RecipeError
from ganforge.networks import refuse_unbuildable
from ganforge.recipe import (
    Adversary,
    Average,
    Data,
    Enhancement,
    Length,
    Network,
    Optimiser,
    Recipe,
    Records,
    Request,
    Size,
    override,
    refuse_two_lengths,
)
from ganforge.tasks.enhance_game import build_game, enhancer_for
from ganforge.tasks.on_machine import compute_on
from ganforge.tasks.plan_pictures import chosen_device, chosen_objective, why_so_many
from ganforge.tasks.timing import in_pieces, measure_rate, steps_per_record

DEFAULT_MINUTES = 5.0
BATCH = 16
GIVEN = 24  # pixels of the side of what the network is given in training, where pictures are enlarged
PATCH = 48  # the same where they are not
GAMMA_PER_SQUARED_ERROR = 0.01  # see plan_pictures.gamma_rule; here truth and result are what is told apart
HALF_LIFE_SHARE = 0.01  # of the run
SECONDS_PER_LOOK = 2.0
STEADY_RATE = 300.0  # patches/s that records are spaced by where examples were asked for, not minutes
MARKS = (0.0, 0.05, 0.2, 0.5, 0.7, 0.85, 1.0)
SIZES: dict[Size, Network] = {
    "tiny": Network(name="enhancer", latent_size=1, width=16, depth=2),
    "small": Network(name="enhancer", latent_size=1, width=32, depth=4),
    "medium": Network(name="enhancer", latent_size=1, width=40, depth=6),
    "base": Network(name="enhancer", latent_size=1, width=48, depth=8),
    "large": Network(name="enhancer", latent_size=1, width=64, depth=16),
}
REASONS = {
    "data__source": "you gave it",
    "data__kind": "found there",
    "data__shape": f"tiles of {TILE} pixels, of which patches are cut at random; nothing is resized",
    "data__label_names": "not used: what a picture shows does not matter here",
    "network__name": "residual blocks at low resolution, no normalisation",
    "network__latent_size": "not used: nothing is drawn at random",
    "enhance__adversarial": "found on photos, twice and four times enlarged (docs/log.md)",
    "enhance__sharp_from": "the faithful end first: what it has learned is where the sharp one begins (docs/log.md)",
    "enhance__sharp_rate": "found on photos (docs/log.md)",
    "objective__order": "the players follow each other; nothing else is possible where one network holds another",
    "objective__augmentation": "none from the start: patches are cut, turned and mirrored at random anyway",
    "objective__augmentation_target": "not used: what is seen of the input keeps the discriminator honest",
    "objective__flips": "not used: patches are mirrored anyway, on both sides",
    "objective__gamma_end": "a tenth of the start, as for other pictures",
    "optimiser__kind": "a step size for each weight, which layers of different scale need",
    "optimiser__learning_rate_start": "found on photos (docs/log.md); falls along a half cosine",
    "optimiser__learning_rate_end": "the last steps settle what was learned",
    "optimiser__warmup": "the first steps are small, until the size of the gradients is known",
    "optimiser__beta1": "the usual momentum for the faithful end, which has no opponent; none for the other two",
    "optimiser__beta2": "a memory of about 100 steps for the size of the gradients",
    "optimiser__batch_size": f"{BATCH} patches hold thousands of pixels, each of which is an example",
    "average__half_life_examples": f"{HALF_LIFE_SHARE:.0%} of the run",
    "length__examples_per_second": "timed on this machine just now, both phases",
    "records__checkpoint_every_steps": "every 20th record",
    "records__marks": f"few: a look at results takes about {SECONDS_PER_LOOK:g} seconds",
    "records__look_samples": "not used: a look takes the same held-out tiles each time",
    "records__best_by": "not used: the best faithful end is the last one, and the sharp one has no best",
    "records__patience_looks": "not used: a run keeps to its length",
}


def plan_enhancement(request: Request, photos: Photos, tell: Tell) -> Recipe:
    """Everything chosen, each choice with its reason; times a few steps of both phases on this machine.

    Raises: RecipeError for unknown names and impossible values; DataError where the data cannot be damaged so.
    """
    refuse_two_lengths(request)
    draft = override(_draft(request, photos), request.settings)
    assert draft.enhance is not None
    damage = read_degradation(draft.enhance.degradation)
    if draft.objective.order != "alternating":
        raise RecipeError(
            "The players cannot step simultaneously here.",
            "The sharp end's network holds the faithful one.",
            "Leave objective.order to the plan.",
        )
    if "grey" in damage.names and photos.shape[0] == 1:
        raise DataError(
            f"The pictures of {request.source!r} are grey already.",
            "Colours can only be learned from coloured pictures.",
            "Give coloured ones, or another task.degradation.",
        )
    draft = _with_length(_with_gamma(draft, photos, damage), photos, tell)
    return override(draft, request.settings)


def _draft(request: Request, photos: Photos) -> Recipe:
    """Everything but gamma and length."""
    compute, computed = compute_on(chosen_device(request))
    objective = chosen_objective(request)
    text = request.settings.get("enhance.degradation", "downscale:2")
    damage = read_degradation(text)
    size = request.size or ("small" if compute.device == "cpu" else "large")
    patch = GIVEN * damage.factor if damage.factor > 1 else PATCH
    data = Data(source=request.source, kind="pictures", shape=photos.shape, hash=photos.data_hash)
    draft = Recipe(
        ganforge=__version__,
        task="enhance",
        seed=request.seed,
        ask=request,
        data=data,
        network=SIZES[size],
        enhance=Enhancement(degradation=text, patch=patch),
        objective=Adversary(name=objective),
        optimiser=Optimiser(batch_size=BATCH, beta1=0.9, warmup=0.02),
        length=Length(examples=request.examples or BATCH),
        compute=compute,
    )
    return draft.with_reason(
        **REASONS,
        task="you asked for it",
        network__width=f"size {size}",
        network__depth=f"size {size}: so many residual blocks",
        enhance__degradation="you asked for it"
        if "enhance.degradation" in request.settings
        else "you did not say which: pictures twice as large",
        enhance__patch=f"the network is given {patch // damage.factor} pixels, as much as it can see at once",
        objective__name="you asked for it" if request.objective else "relativistic pairing with R1 and R2: converges",
        **computed,
    )


def _with_gamma(draft: Recipe, photos: Photos, damage: Degradation) -> Recipe:
    """The penalty's weight from how far the plainly enlarged input is from the truth: that difference is what the
    discriminator has to see."""
    assert draft.enhance is not None
    chosen = torch.linspace(0, len(photos.train) - 1, min(64, len(photos.train))).round().long()
    truth = photos.train.batch(chosen)["x"]
    given = damage(truth, Draws(generator_for(0, "enhance/gamma", device=truth.device)))
    error = float((resized(given, damage.factor) - truth).square().mean())
    squared = error * draft.data.shape[0] * draft.enhance.patch**2
    if draft.objective.name == "wasserstein":
        return draft
    gamma = float(f"{max(GAMMA_PER_SQUARED_ERROR * squared, 1e-3):.2g}")
    adversary = draft.objective.model_copy(update={"gamma_start": gamma, "gamma_end": 0.1 * gamma})
    why = f"{GAMMA_PER_SQUARED_ERROR:g} x the squared distance of truth and input ({squared:.3g})"
    return draft.model_copy(update={"objective": adversary}).with_reason(objective__gamma_start=why)


def _with_length(draft: Recipe, photos: Photos, tell: Tell) -> Recipe:
    """Length and records for the examples or minutes that were asked for, from the rates of both phases."""
    assert draft.enhance is not None
    chosen = draft.enhance
    network, data, request = draft.network, draft.data, draft.ask
    refuse_unbuildable(network, lambda: (enhancer_for(chosen, network, data),) * 2)
    tell("timing", size=request.size or network.name)

    def phase(recipe: Recipe, sharp_from: float) -> Recipe:
        return recipe.model_copy(update={"enhance": chosen.model_copy(update={"sharp_from": sharp_from})})

    def measure(recipe: Recipe) -> float:
        """Patches/s over both phases: each has its share of the examples."""
        alone, together = (measure_rate(phase(recipe, at), photos.train, build=build_game) for at in (1.0, 0.0))
        return 1 / (chosen.sharp_from / alone + (1 - chosen.sharp_from) / together)

    draft, batch = in_pieces(draft, photos.train, build_game), draft.optimiser.batch_size
    asked = request.examples or (draft.length.examples if "length.examples" in request.settings else None)
    if asked is not None:
        rate, seconds, examples = measure(draft), None, max(batch, asked)
        why = why_so_many(asked, batch)
    else:
        seconds = 60.0 * (request.minutes or DEFAULT_MINUTES)
        rate = measure(draft)
        training = max(0.5 * seconds, seconds - len(MARKS) * SECONDS_PER_LOOK)
        examples = max(batch, int(rate * training))
        why = f"{seconds / 60:g} minutes at {rate:,.0f} patches/s, without the time of {len(MARKS)} looks"
    every = min(100, steps_per_record(examples, batch, rate if seconds else None, STEADY_RATE))
    return draft.model_copy(
        update={
            "average": Average(half_life_examples=round(HALF_LIFE_SHARE * examples)),
            "length": Length(examples=examples, seconds_allowed=seconds, examples_per_second=rate),
            "records": Records(every_steps=every, checkpoint_every_steps=every * 20, marks=MARKS),
        }
    ).with_reason(
        length__examples=why,
        records__every_steps="about once a second, and 20 times in a short run"
        if seconds
        else "by the examples alone, so that the same command gives the same run; 20 times in a short one",
    )
