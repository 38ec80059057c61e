"""A recommender as it is stored: EASE's weights, prices, perhaps a residual, and what each user has met.

Shape letters here: U users, I items, N interactions, B users of a block, C candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import nn

from ganforge.core.seeds import seed_for
from ganforge.kinds.interactions.low_rank import PartWeights
from ganforge.kinds.interactions.recommend.choice import JUDGES, table_of
from ganforge.kinds.interactions.recommend.exposure import KNOTS, SHOWN, Shelf, prices_at
from ganforge.kinds.interactions.recommend.material import Material, RecommendSettings, counts_of, shelf_of
from ganforge.kinds.interactions.recommend.networks import ResidualScores
from ganforge.kinds.interactions.scorers import Floats, ItemWeights, Rows, Scorer
from ganforge.kinds.interactions.tuning import ranking_of, some_users
from ganforge.measures.intervals import mean_by_bootstrap
from ganforge.records import Estimate

WEIGHTS = (0.25, 0.5, 1.0)  # of the residual that are tried
APART = "\0"  # between ids


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the parts of a stored recommender are."""

    users: int
    items: int
    interactions: int
    user_bytes: int  # of the ids of users
    item_bytes: int
    popular: int  # items among which the weights are a matrix, where that is not all of them; else 0
    rank: int  # of the weights of all other pairs; 0 where there are none
    width: int  # of the residual; 0 without one


class Stored(nn.Module):
    """What model.safetensors holds."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        square = sizes.popular or sizes.items
        self.register_buffer("weights", torch.zeros(square, square))
        if sizes.popular:
            self.register_buffer("popular", torch.zeros(sizes.popular, dtype=torch.int64))
            self.register_buffer("left", torch.zeros(sizes.items, sizes.rank))
            self.register_buffer("right", torch.zeros(sizes.rank, sizes.items))
        self.register_buffer("factor", torch.zeros(sizes.items))
        self.register_buffer("prices", torch.zeros(len(KNOTS), sizes.items))
        self.register_buffer("counts", torch.zeros(sizes.items))
        self.register_buffer("starts", torch.zeros(sizes.users + 1, dtype=torch.int64))
        self.register_buffer("met", torch.zeros(sizes.interactions, dtype=torch.int32))
        self.register_buffer("user_ids", torch.zeros(sizes.user_bytes, dtype=torch.uint8))
        self.register_buffer("item_ids", torch.zeros(sizes.item_bytes, dtype=torch.uint8))
        self.register_buffer("residual_weight", torch.zeros(()))
        self.register_buffer("residual_gain", torch.zeros(3, dtype=torch.float64))  # NDCG on validation, with interval
        self.residual = ResidualScores(sizes.items, sizes.width) if sizes.width else None

    def array(self, name: str) -> np.ndarray:
        """Return a buffer as an array that shares its memory."""
        found: np.ndarray = self.get_buffer(name).numpy()
        return found

    @property
    def scorer(self) -> Scorer:
        """EASE, without its correction."""
        if self.sizes.popular:
            return PartWeights(*(self.array(name) for name in ("popular", "weights", "left", "right")))
        return ItemWeights(self.array("weights"))

    def shelf(self, exposure: float) -> Shelf:
        """Return the recommender at an exposure."""
        prices = prices_at(self.array("prices"), exposure) if exposure > 0 else None
        added = None if self.residual is None else Added(self.residual, float(self.get_buffer("residual_weight")))
        return Shelf(self.scorer, self.array("factor"), prices, added)

    @property
    def history(self) -> csr_matrix:
        """What users have met, (U, I)."""
        met = self.array("met")
        ones = np.ones(len(met), np.float32)
        return csr_matrix((ones, met, self.array("starts")), shape=(self.sizes.users, self.sizes.items))

    @property
    def gain(self) -> Estimate:
        """What the best residual changed in NDCG@10 on validation."""
        value, low, high = self.get_buffer("residual_gain").tolist()
        return Estimate(value, low, high)

    def ids(self, of: str) -> list[str]:
        """Return the ids of "user" or "item"."""
        return self.array(f"{of}_ids").tobytes().decode().split(APART)

    def reasons(self, met: NDArray[np.integer], items: Sequence[int], most: int) -> list[list[int]]:
        """Return for each item those that the user has met which speak most for it. Args: met rows of items."""
        scorer = self.scorer
        if isinstance(scorer, PartWeights):
            shares = scorer.left[met] @ scorer.right[:, items]
            rows, columns = (np.searchsorted(scorer.popular, part) for part in (met, items))
            both = [
                (part < len(scorer.popular)) & (scorer.popular[np.minimum(part, len(scorer.popular) - 1)] == known)
                for part, known in ((rows, met), (columns, np.asarray(items)))
            ]
            shares[np.ix_(both[0], both[1])] += scorer.weights[np.ix_(rows[both[0]], columns[both[1]])]
        else:
            shares = self.array("weights")[met[:, None], items]
        best = np.argsort(-shares, axis=0, kind="stable")[:most]
        return [[int(met[row]) for row in best[:, place] if shares[row, place] > 0] for place in range(len(items))]


@dataclass(frozen=True, slots=True)
class Added:
    """A trained residual times its weight (exposure.Residual)."""

    network: ResidualScores
    weight: float

    def __call__(self, history: csr_matrix, candidates: Rows) -> Floats:
        counts = np.maximum(1, np.diff(history.indptr))[:, None]
        vectors = self.network.met.detach().cpu()[:-1].numpy()
        mean = torch.from_numpy(np.asarray((history @ vectors) / counts, np.float32))
        with torch.no_grad():
            added: Floats = self.network.cpu().of_mean(mean, torch.from_numpy(np.maximum(candidates, 0))).numpy()
        return self.weight * added


# ---- what is stored of a run -----------------------------------------------------------------------------------------


def found(material: Material, chosen: RecommendSettings, network: ResidualScores) -> Stored:
    """Decide by validation whether the residual is added, and learn the closed form from all but the test part."""
    weight, gain = _decided(material, chosen, network)
    material.forget()
    train, log = material.train, material.reading.log
    shelf = shelf_of(train, chosen)
    whole = log.matrix()
    ids = {"user": APART.join(log.users.tolist()).encode(), "item": APART.join(log.items.tolist()).encode()}
    scorer = shelf.scorer
    assert isinstance(scorer, ItemWeights | PartWeights)
    part = scorer if isinstance(scorer, PartWeights) else None
    users, items = whole.shape
    sizes = Sizes(
        users=users,
        items=items,
        interactions=whole.nnz,
        user_bytes=len(ids["user"]),
        item_bytes=len(ids["item"]),
        popular=0 if part is None else len(part.popular),
        rank=0 if part is None else part.left.shape[1],
        width=network.item.shape[1] if weight else 0,
    )
    stored = Stored(sizes)
    values = {
        "weights": scorer.weights,
        "factor": shelf.factor,
        "prices": table_of(shelf, train),
        "counts": counts_of(train),
        "starts": whole.indptr.astype(np.int64),
        "met": whole.indices.astype(np.int32),
        "user_ids": np.frombuffer(ids["user"], np.uint8).copy(),
        "item_ids": np.frombuffer(ids["item"], np.uint8).copy(),
        "residual_weight": np.float32(weight),
        "residual_gain": np.array([gain.value, gain.low, gain.high]),
    }
    if part is not None:
        values |= {"popular": part.popular, "left": part.left, "right": part.right}
    for name, value in values.items():
        setattr(stored, name, torch.from_numpy(np.asarray(value)))
    if stored.residual is not None:
        stored.residual.load_state_dict({name: tensor.cpu() for name, tensor in network.state_dict().items()})
    return stored


def _decided(material: Material, chosen: RecommendSettings, network: ResidualScores) -> tuple[float, Estimate]:
    """Return the weight of the residual, 0 unless it certainly ranks validation better, and what it changes."""
    fit, judged = material.fit, some_users(material.validation, JUDGES)
    shelf = material.shelf(chosen)
    prices = prices_at(table_of(shelf, fit), chosen.exposure) if chosen.exposure else None
    without = ranking_of(Shelf(shelf.scorer, shelf.factor, prices), fit, judged).ndcg(SHOWN)
    best: tuple[float, Estimate] | None = None
    for weight in WEIGHTS:
        with_it = Shelf(shelf.scorer, shelf.factor, prices, Added(network, weight))
        apart = ranking_of(with_it, fit, judged).ndcg(SHOWN) - without
        random = np.random.default_rng(seed_for(0, "recommend/residual"))
        gain = mean_by_bootstrap(apart, random)
        if best is None or gain.value > best[1].value:
            best = weight, gain
    assert best is not None
    return (best[0] if best[1].low > 0 else 0.0), best[1]
