"""Attacks on a trained run, and what they say: a leak was found, or these attacks found none. They prove nothing else.

The attacks know no kind of data: a job gives them examples as features (core/exposure.py). One conclusion is drawn from
all of them, so it needs intervals that hold together; those that are shown are each of 95 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from ganforge.core.exposure import Cells, Exposure, Scores
from ganforge.core.seeds import seed_for
from ganforge.errors import DataError
from ganforge.measures import disclosure, membership
from ganforge.measures.intervals import wilson
from ganforge.measures.membership import Telling, least_area, telling, z_of
from ganforge.measures.neighbours import authentic, mann_whitney_z, nearer_share
from ganforge.records import Estimate

FEWEST = 20  # members, and non-members: with fewer, nothing but the coarsest leak could be seen
ABLE = "They can find a leak; they cannot prove that there is none."
TITLES = {
    "nearness": ("Nearest generated example", "how near a target lies to the nearest generated example (GAN-Leaks)"),
    "calibrated": ("The same, calibrated", "the same, compared with its distance to real ones that training never saw"),
    "monte_carlo": ("Monte Carlo", "how many generated examples lie near a target (Hilprecht et al. 2019)"),
    "density_ratio": ("Density ratio", "how much denser generated than other real examples are there (DOMIAS)"),
    "discriminator": ("The discriminator", "what the run's own discriminator says of a target (LOGAN)"),
    "likelihood": ("The likelihood", "how likely the model itself says that a target is"),
    "singling_out": ("Singling out", "whether conditions taken from a generated row single out one row"),
    "linkability": ("Linkability", "whether two halves of a row lead to the same generated row"),
    "inference": ("Inference", "how many cells are guessed right from the generated row nearest to the others"),
}
WHITE_BOX = ("discriminator", "likelihood")

Outcome = Literal["leak", "none found", "unclear"]


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack: how well it tells members from non-members."""

    name: str  # one of TITLES
    shown: Telling  # its own intervals of 95 %
    leaks: bool  # also where all attacks together are to be right in 95 %
    members: int
    non_members: int
    rates: tuple[Estimate, Estimate] | None = None  # of an attack on columns: of members, and of non-members

    def content(self) -> dict[str, Any]:
        """Return it as audit.json holds it."""
        title, how = TITLES[self.name]
        rates = (
            None if self.rates is None else dict(zip(("members", "non_members"), map(asdict, self.rates), strict=True))
        )
        return {
            "name": self.name,
            "title": title,
            "how": how,
            "needs": "the run's networks" if self.name in WHITE_BOX else "samples alone",
            "auc": asdict(self.shown.area),
            "true_positive_rate": asdict(self.shown.true_positives),
            "false_positive_rate": asdict(self.shown.false_positives),
            "success": rates,
            "members": self.members,
            "non_members": self.non_members,
            "chance": 0.5,
            "leaks": self.leaks,
        }


@dataclass(frozen=True, slots=True)
class Copies:
    """How generated examples lie to members, beside how non-members do."""

    nearer: Estimate  # share nearer to a member than to a non-member, equally many; 0.5 is right
    leaks: bool
    authentic: Estimate  # share that is farther from a member than that from its own nearest
    authentic_unseen: Estimate  # the same of non-members
    c_t: float  # Meehan et al. 2020: standard deviations; far below 0 if samples lie nearer than unseen examples do


@dataclass(frozen=True, slots=True)
class Attacked:
    """What all attacks found."""

    exposure: Exposure
    attacks: tuple[Attack, ...]
    copies: Copies
    control: Telling  # without any model
    z: float  # of the intervals that hold together

    @property
    def outcome(self) -> Outcome:
        """Return the outcome; unclear where members and non-members differ by themselves."""
        if self.control.differs:
            return "unclear"
        return "leak" if self.copies.leaks or any(attack.leaks for attack in self.attacks) else "none found"

    @property
    def strongest(self) -> Attack:
        """Return the attack with the largest area."""
        return max(self.attacks, key=lambda attack: attack.shown.area.value)

    def sentences(self) -> Iterator[str]:
        """Yield the verdict: the headline, then what it rests on."""
        given, best = self.exposure, self.strongest
        area, nouns = best.shown.area, self.exposure.nouns
        told = f"AUC {area.value:.3f} ({area.low:.3f} to {area.high:.3f}), where chance is 0.5"
        least = least_area(len(given.members), len(given.non_members), self.z)
        found = [TITLES[attack.name][0].lower() for attack in self.attacks if attack.leaks]
        found += ["copies"] if self.copies.leaks else []
        match self.outcome:
            case "leak":
                yield f"Leak found: {len(found)} of {len(self.attacks) + 1} attacks tell training {nouns} from others."
                yield f"They are: {', '.join(found)}. The strongest is {TITLES[best.name][0].lower()}: {told}."
            case "none found":
                yield f"No leak found by these {len(self.attacks) + 1} attacks. {ABLE}"
                yield f"The strongest is {TITLES[best.name][0].lower()}: {told}."
            case "unclear":
                yield f"Unclear: the training {nouns} and the held-out ones differ by themselves."
                yield (
                    f"Their distance to other held-out {nouns} tells them apart without any model, AUC "
                    f"{self.control.area.value:.3f}: nothing that an attack finds can be laid to the model."
                )
        yield (
            f"With {len(given.members):,} training and {len(given.non_members):,} held-out {nouns}, an AUC below "
            f"{least:.3f} could not be told from chance."
        )

    def content(self) -> dict[str, Any]:
        """Return it as audit.json holds it."""
        given, (headline, *more) = self.exposure, self.sentences()
        return {
            "outcome": self.outcome,
            "verdict": {"headline": headline, "sentences": more},
            "nouns": given.nouns,
            "features": given.features,
            "members": len(given.members),
            "non_members": len(given.non_members),
            "generated": len(given.generated),
            "trained_on": given.trained_on,
            "least_auc": least_area(len(given.members), len(given.non_members), self.z),
            "attacks": [attack.content() for attack in self.attacks],
            "control": {"auc": asdict(self.control.area), "differs": self.control.differs},
            "copies": asdict(self.copies),
            "missing": dict(given.missing),
        }


def attack(given: Exposure, seed: int = 0) -> Attacked:
    """Make every attack that the exposure allows. Args: seed of what attackers choose by chance.

    Raises: DataError for fewer than FEWEST members or non-members, or without generated examples.
    """
    counts = len(given.members), len(given.non_members), len(given.generated)
    if min(counts) < FEWEST:
        raise DataError(
            f"There are {counts[0]} training, {counts[1]} held-out and {counts[2]} generated {given.nouns}.",
            f"An attack needs at least {FEWEST} of each, to be told from chance.",
            "Give the run more data.",
        )
    random = np.random.default_rng(seed_for(seed, "attacks"))
    made = dict(_scores(given, random))
    tests = 2 * len(made) + 1  # an area and a rate each, and copies
    return Attacked(
        given,
        tuple(_attack(name, scores, tests) for name, scores in made.items()),
        _copies(given, z_of(tests)),
        telling(*membership.nearness_to_others(given.members, given.non_members, random), tests=tests),
        z_of(tests),
    )


def _attack(name: str, scores: tuple[Scores, Scores], tests: int) -> Attack:
    rates = None
    if name in ("singling_out", "linkability", "inference"):
        first, second = (wilson(float(side.mean()), len(side), z_of(1)) for side in scores)
        rates = first, second
    members, non_members = map(len, scores)
    return Attack(name, telling(*scores), telling(*scores, tests=tests).leaks, members, non_members, rates)


def _scores(given: Exposure, random: np.random.Generator) -> Iterator[tuple[str, tuple[Scores, Scores]]]:
    """Yield the scores of members and of non-members, by attack."""
    sides = given.members, given.non_members
    near, far = (membership.nearness(side, given.generated) for side in sides)
    yield "nearness", (near, far)
    others = membership.nearness_to_others(*sides, random)
    yield "calibrated", (near - others[0], far - others[1])
    yield "monte_carlo", membership.monte_carlo(*sides, given.generated)
    yield "density_ratio", membership.density_ratio(*sides, given.generated, random)
    yield from given.white_box.items()
    if given.cells is not None:
        yield from _on_columns(given.cells, random)


def _on_columns(cells: Cells, random: np.random.Generator) -> Iterator[tuple[str, tuple[Scores, Scores]]]:
    numeric, made = cells.numeric, cells.generated
    alike = min(len(cells.members), len(cells.non_members))
    within = cells.members[:alike], cells.non_members[:alike]
    first, second = disclosure.singled_out(within, made[:alike], numeric, random)
    yield "singling_out", (first, second)
    if len(numeric) < 2:
        return
    sides = [side[: disclosure.TARGETS] for side in (cells.members, cells.non_members)]
    both = disclosure.linked(np.concatenate(sides), made, numeric, random)
    yield "linkability", (both[: len(sides[0])], both[len(sides[0]) :])
    first, second = (disclosure.inferred(side, made, numeric).mean(1) for side in sides)
    yield "inference", (first, second)


def _copies(given: Exposure, z: float) -> Copies:
    alike = min(len(given.members), len(given.non_members))
    share, trials = nearer_share(given.generated, given.members[:alike], given.non_members[:alike])
    made, unseen = (authentic(side, given.members) for side in (given.generated, given.non_members))
    from_generated, from_unseen = (
        -membership.nearness(side, given.members) for side in (given.generated, given.non_members)
    )
    shown = z_of(1)
    return Copies(
        nearer=wilson(share, trials, shown),
        leaks=wilson(share, trials, z).low > 0.5,
        authentic=wilson(float(made.mean()), len(made), shown),
        authentic_unseen=wilson(float(unseen.mean()), len(unseen), shown),
        c_t=mann_whitney_z(from_generated, from_unseen),
    )
