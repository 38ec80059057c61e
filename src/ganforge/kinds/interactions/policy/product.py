"""The policy that a run leaves behind: a reward model, a base policy, and how far it goes from the one to the other.

Shape letters here: U users, I items, N ratings, F factors, B users of a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from ganforge.kinds.interactions.policy.choice import Situations, Tilt, base_policy, chosen, is_better, tilts
from ganforge.kinds.interactions.policy.game import Discriminator
from ganforge.kinds.interactions.policy.material import Material, dense, shares_of, tastes
from ganforge.kinds.interactions.policy.rewards import MOST_ALIKE, PARTS, Floats, Rewards, Rows
from ganforge.kinds.interactions.policy.tilt import CLOSENESS, Array
from ganforge.measures.off_policy import Worth

LEARNED = ("item_means", "user_means", "likeness", "weights", "user_factors", "item_factors", "user_traits",
           "item_traits", "mixture", "ends")  # of the reward model  # fmt: skip
WEIGHTS = (0.1, 0.3, 1.0)  # of the discriminator's score that are tried, in spreads of the expected rewards


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of what is stored."""

    users: int
    items: int
    ratings: int
    factors: int
    traits: int
    width: int = 0  # of the discriminator; 0 where it is not used


class Stored(nn.Module):
    """What model.safetensors holds."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        users, items = sizes.users, sizes.items
        alike = items if items <= MOST_ALIKE else 0
        self.register_buffer("shares", torch.zeros(items, dtype=torch.float64))
        self.register_buffer("item_means", torch.zeros(items))
        self.register_buffer("user_means", torch.zeros(users))
        self.register_buffer("likeness", torch.zeros(alike, alike))
        self.register_buffer("weights", torch.zeros(alike, alike))
        for name, columns in (("factors", sizes.factors), ("traits", sizes.traits)):
            self.register_buffer(f"user_{name}", torch.zeros(users, columns))
            self.register_buffer(f"item_{name}", torch.zeros(items, columns))
        self.register_buffer("starts", torch.zeros(users + 1, dtype=torch.int64))
        self.register_buffer("met", torch.zeros(sizes.ratings, dtype=torch.int32))
        self.register_buffer("left", torch.zeros(sizes.ratings))
        self.register_buffer("liked", torch.zeros(sizes.ratings, dtype=torch.bool))
        self.register_buffer("mixture", torch.zeros(1 + PARTS, dtype=torch.float64))
        self.register_buffer("ends", torch.zeros(2, dtype=torch.float64))
        self.register_buffer("tilt", torch.zeros(3, dtype=torch.float64))  # its price, its form, the adversary's weight
        self.register_buffer("plain", torch.zeros(2, dtype=torch.float64))  # price and form without the adversary
        self.discriminator = Discriminator(items, sizes.width) if sizes.width else None

    def _array(self, name: str) -> NDArray[np.generic]:
        return self.get_buffer(name).numpy()

    def _matrix(self, values: NDArray[np.generic]) -> csr_matrix:
        shape = len(self._array("user_means")), len(self._array("shares"))
        return csr_matrix((values, self._array("met"), self._array("starts")), shape=shape)

    @property
    def rewards(self) -> Rewards:
        """The reward model without the adversary."""
        learned: dict[str, Any] = {name: self._array(name) for name in LEARNED}
        liked = self._matrix(self._array("liked").astype(np.float32))
        return Rewards(**learned, left=self._matrix(self._array("left")), liked=liked)

    @property
    def chosen(self) -> Tilt:
        """How far the policy goes from the base policy."""
        price, form, _ = self.get_buffer("tilt").tolist()
        return Tilt(CLOSENESS[int(form)], price)

    @property
    def without(self) -> Tilt:
        """The policy without the adversary, by the reward model alone."""
        price, form = self.get_buffer("plain").tolist()
        return Tilt(CLOSENESS[int(form)], price)

    @property
    def seen(self) -> csr_matrix:
        """What users had, (U, I)."""
        return self._matrix(np.ones(len(self._array("met")), np.float32))

    def preferred(self, users: Rows, expected: Floats) -> Floats:
        """Return what is maximised, (B, I): expected rewards, with the adversary's score if it is used.

        Args: users (B,) rows; -1 for one who is not known. expected (B, I).
        """
        weight = float(self.get_buffer("tilt")[2])
        if self.discriminator is None:
            return expected
        signs = self._matrix(np.where(self._array("liked"), 1, -1).astype(np.float32))
        scores = scored(self.discriminator, signs[np.maximum(users, 0)])
        scores[users < 0] = 0
        return expected + np.float32(weight) * scores

    def policy(self, users: Rows, base: Array) -> Array:
        """Return the policy (B, I). Args: users (B,) rows; base (B, I)."""
        return self.chosen.of(base, self.preferred(users, self.rewards.of(users)))

    def base(self, users: Rows, *, exclude_seen: bool) -> NDArray[np.float64]:
        """Return the base policy (B, I). Args: users (B,) rows; -1 for one who is not known, who has seen nothing."""
        shares: NDArray[np.float64] = self._array("shares")  # type: ignore[assignment]
        if not exclude_seen:
            return base_policy(shares, None, len(users))
        seen = self.seen[np.maximum(users, 0)]
        return base_policy(shares, csr_matrix(seen.multiply((users >= 0)[:, None])), len(users))


def scored(discriminator: Discriminator, signs: csr_matrix) -> Floats:
    """Return the discriminator's scores (B, I). Args: signs (B, I), as `tastes`."""
    with torch.no_grad():
        found: Tensor = discriminator(torch.from_numpy(dense(signs)))
    return found.numpy()


@dataclass(frozen=True, slots=True)
class Choice:
    """The policies that were best by the draws to choose by, with and without the adversary."""

    without: Tilt
    against: Tilt
    weight: float  # of the adversary's score in `against`
    helps: bool  # whether the adversary is used


def spread_of(situations: Situations, rewards: Rewards) -> float:
    """Return the standard deviation of expected rewards over the items that were chosen."""
    return max(float(rewards.at(situations.draws.user, situations.item).std()), 1e-9)


def choose(material: Material, discriminator: Discriminator) -> Choice:
    """Try every price and form, and every weight of the adversary. Only validation is looked at."""
    situations, rewards = material.to_choose, material.fitted
    spread = spread_of(situations, rewards)
    signs = tastes(material.split.fit, material.liked_from)
    tried: dict[tuple[float, Tilt], Worth] = {}
    every = tilts(spread)
    for weight in (0.0, *(spread * weight for weight in WEIGHTS)):

        def policies(users: Rows, base: Array, weight: float = weight) -> Iterator[Array]:
            expected = rewards.of(users)
            if weight:
                expected += np.float32(weight) * scored(discriminator, signs[users])
            yield from (tilt.of(base, expected) for tilt in every)

        found = situations.worths(policies, rewards)
        tried |= {(weight, tilt): its for tilt, its in zip(every, found, strict=True)}
    best = {weight: chosen({tilt: its for (own, tilt), its in tried.items() if own == weight}) for weight, _ in tried}
    plain = best.pop(0.0)
    weight = max(best, key=lambda weight: tried[weight, best[weight]].value.low)
    return Choice(plain, best[weight], weight, is_better(tried[weight, best[weight]], tried[0.0, plain]))


def found(material: Material, discriminator: Discriminator) -> Stored:
    """Return the policy: the best by validation, its reward model learned anew from all but the test part."""
    choice = choose(material, discriminator)
    helps = choice.helps
    train, rewards = material.split.train, material.refitted
    width = discriminator.encoder.out_features if helps else 0
    sizes = Sizes(
        len(train.users),
        len(train.items),
        len(train),
        rewards.user_factors.shape[1],
        rewards.user_traits.shape[1],
        width,
    )
    stored, signs = Stored(sizes), tastes(train, material.liked_from)
    signs.sort_indices()
    left = rewards.left.copy()
    left.sort_indices()
    tilt = choice.against if helps else choice.without
    values = {
        **{name: getattr(rewards, name) for name in LEARNED}, "shares": shares_of(train),
        "starts": left.indptr, "met": left.indices, "left": left.data, "liked": signs.data > 0,
        "tilt": [tilt.beta, CLOSENESS.index(tilt.closeness), choice.weight if helps else 0],
        "plain": [choice.without.beta, CLOSENESS.index(choice.without.closeness)],
    }  # fmt: skip
    for name, value in values.items():
        stored.get_buffer(name).copy_(torch.from_numpy(np.asarray(value)))
    if stored.discriminator is not None:
        stored.discriminator.load_state_dict(discriminator.state_dict())
    return stored.eval().requires_grad_(False)
