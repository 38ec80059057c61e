"""For each planted fault a number that does not come from the diagnosis and shows that the fault is really there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from doctor_faults import SlowFeed, Spoiled
from doctor_runs import Outcome
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from ganforge.kinds.tables.networks import RowLayout

COUNT = 500  # samples, and real examples, that are looked at


@dataclass(frozen=True, slots=True)
class Proof:
    """What is measured, in words, and which values show the fault."""

    words: str
    measure: Callable[[Outcome], float]
    low: float = -np.inf
    high: float = np.inf

    def holds(self, value: float) -> bool:
        """Whether the fault is there."""
        return self.low <= value <= self.high


def _real(outcome: Outcome, held_out: bool = False) -> Tensor:
    """Real examples as the discriminator sees them: pictures (N, C, H, W) or one-hot rows (N, P)."""
    job: Any = outcome.job
    if outcome.job.recipe.data.kind == "tables":
        return RowLayout(job.table.codec.sizes).one_hot(
            (job.table.held_out if held_out else job.table.train).tensors["x"].long()
        )
    feed = job.pictures.held_out if held_out else job.pictures.train
    return torch.as_tensor(feed.batch(torch.arange(len(feed)))["x"])


def _samples(outcome: Outcome, count: int = COUNT) -> Tensor:
    """Samples in the same form."""
    job: Any = outcome.job
    if outcome.job.recipe.data.kind == "tables":
        rows = job.model(outcome.product).draw(count, seed=9)
        codes = torch.from_numpy(job.table.codec.encode(rows)).long()
        return RowLayout(job.table.codec.sizes).one_hot(codes)
    model = job._model(outcome.product)
    labels = model.draw_labels(count, seed=9)
    return torch.from_numpy(model.draw_pictures(count, labels=labels, seed=9)).float() / 127.5 - 1


def _scores(outcome: Outcome, x: Tensor) -> NDArray[np.float64]:
    discriminator: Any = outcome.network("discriminator")
    with torch.no_grad():
        if outcome.job.recipe.data.kind == "tables":
            units = len(outcome.job.table.codec.units)  # type: ignore[attr-defined]
            return discriminator(x, torch.zeros(len(x), units)).double().numpy()
        return discriminator(x).double().numpy()


def _told_apart(high: NDArray[np.float64], low: NDArray[np.float64]) -> float:
    """AUC: 0.5 where two sets of scores are alike, 1 where all of one are higher."""
    both = np.concatenate([high, low])
    return float(roc_auc_score(np.arange(len(both)) < len(high), np.nan_to_num(both)))


def _digits_of(pictures: Tensor, outcome: Outcome) -> NDArray[np.int64]:
    """The digit that each picture is nearest to."""
    from doctor_data import digits

    real, labels = digits()
    nearest = KNeighborsClassifier(1).fit(real.reshape(len(real), -1) / 127.5 - 1, labels)
    return np.asarray(nearest.predict(pictures.flatten(1).numpy()))


def digits_reached(outcome: Outcome) -> float:
    """Share of the ten digits that make up at least one sample in fifty."""
    return float((np.bincount(_digits_of(_samples(outcome), outcome), minlength=10) >= COUNT / 50).mean())


def different_rows(outcome: Outcome) -> float:
    """Different rows of codes among the samples, over those among as many training rows."""
    real = _real(outcome)[:COUNT]
    return len(_samples(outcome, len(real)).unique(dim=0)) / len(real.unique(dim=0))


def variance_within_digits(outcome: Outcome) -> float:
    """Mean variance of pixels within the samples of one label, over that within real pictures of one label."""
    job: Any = outcome.job
    model, train = job._model(outcome.product), job.pictures.train
    labels = np.arange(COUNT) % 10
    fake, real = model.draw_pictures(COUNT, labels=labels, seed=9).astype(float), train.examples().astype(float)
    within = [(fake[labels == k].var(0).mean(), real[train.labels == k].var(0).mean()) for k in range(10)]
    return float(np.mean([a for a, _ in within]) / np.mean([b for _, b in within]))


def rows_for_each_plan(outcome: Outcome) -> float:
    """Different rows of codes for each value of the column `plan` among the samples."""
    job: Any = outcome.job
    rows = job.model(outcome.product).draw(COUNT, seed=9)
    return len(np.unique(job.table.codec.encode(rows), axis=0)) / len(set(rows["plan"]))


def knows_training_set(outcome: Outcome) -> float:
    return _told_apart(_scores(outcome, _real(outcome)), _scores(outcome, _real(outcome, held_out=True)))


def tells_samples(outcome: Outcome) -> float:
    return _told_apart(_scores(outcome, _real(outcome, held_out=True)), _scores(outcome, _samples(outcome)))


def misses_what_is_there(outcome: Outcome) -> float:
    """What a fresh linear classifier tells of real and fake, less what the discriminator tells."""
    real, fake = _real(outcome)[:COUNT].flatten(1), _samples(outcome).flatten(1)
    x, y = torch.cat([real, fake]).numpy(), np.arange(len(real) + len(fake)) < len(real)
    if outcome.job.recipe.data.kind == "tables":  # between columns that are right one by one only pairs tell
        fresh: Any = RandomForestClassifier(100, random_state=0)
    else:
        fresh = LogisticRegression(max_iter=300)
    clear = cross_val_score(fresh, x, y, cv=3, scoring="roc_auc").mean()
    return float(clear - _told_apart(_scores(outcome, _real(outcome)[:COUNT]), _scores(outcome, _samples(outcome))))


@torch.no_grad()
def way_of_the_weights(outcome: Outcome) -> float:
    """How far the generator's weights are from where they began, over their length."""
    before = next(player.network for player in outcome.job.game().players if player.name == "generator")
    pairs = list(zip(before.parameters(), outcome.network("generator").parameters(), strict=True))
    way = sum(float((new - old).square().sum()) for old, new in pairs)
    return float((way / sum(float(old.square().sum()) for old, _ in pairs)) ** 0.5)


@torch.no_grad()
def growth_of_weights(outcome: Outcome) -> float:
    """Length of the discriminator's weights at the end over that at the beginning."""
    before = next(player.network for player in outcome.job.game().players if player.name == "discriminator")
    lengths = [
        float(sum(p.square().sum() for p in network.parameters())) ** 0.5
        for network in (before, outcome.network("discriminator"))
    ]
    return lengths[1] / lengths[0]


def half_turns(outcome: Outcome) -> float:
    """How often the mean sample went back through the middle of its own path in the last 60 % of the run."""
    path = outcome.path[-round(0.6 * len(outcome.path)) :]
    centred = torch.stack(path) - torch.stack(path).mean(0)
    along = (centred @ torch.linalg.svd(centred, full_matrices=False)[2][0]).numpy()
    along = np.where(np.abs(along) < 0.3 * along.std(), np.nan, along)  # trembling about the middle is no turn
    sides = np.sign(along[~np.isnan(along)])
    return float((np.diff(sides) != 0).sum())


def spoiled_share(outcome: Outcome) -> float:
    """Share of the discriminator's turns whose loss was made no number."""
    loss = outcome.game.players[0].loss
    assert isinstance(loss, Spoiled)
    return loss.spoiled / loss.turns


def copied_share(outcome: Outcome) -> float:
    """Share of samples within a twentieth of the typical distance from a training example."""
    train, samples = _real(outcome).flatten(1), _samples(outcome).flatten(1)
    typical = float(torch.pdist(train[:COUNT]).median())
    return float((torch.cdist(samples, train).min(1).values < 0.05 * typical + 1e-4).float().mean())


def waited_share(outcome: Outcome) -> float:
    assert isinstance(outcome.feed, SlowFeed)
    return outcome.feed.waited / float(outcome.history.records[-1]["seconds"])


def training_examples(outcome: Outcome) -> float:
    return float(len(outcome.feed))


def useless_share(outcome: Outcome) -> float:
    """Share of the training examples that repeat another one or are of one value throughout; of columns likewise."""
    job: Any = outcome.job
    if outcome.job.recipe.data.kind == "tables":
        rows = job.table.train_rows
        names = [column.name for column in job.table.codec.columns]
        constant = np.mean([len(set(map(str, rows[name]))) == 1 for name in names])
        different = len(set(zip(*[map(str, rows[name]) for name in names], strict=True)))
        return float(max(constant, 1 - different / len(rows[names[0]])))
    flat = job.pictures.train.examples().reshape(len(outcome.feed), -1)
    constant = (flat == flat[:, :1]).all(1).mean()
    return float(max(constant, 1 - len(np.unique(flat, axis=0)) / len(flat)))


def what_labels_tell(outcome: Outcome) -> float:
    """What another kind of model reads of the labels in unseen examples, in shares right, less what guessing gets."""
    job: Any = outcome.job
    if outcome.job.recipe.data.kind == "tables":
        rows = job.table.train_rows
        x = np.stack([rows[name] for name in ("age", "income", "spent")], axis=1)
        y, model = rows["outcome"].astype(str), RandomForestClassifier(100, random_state=0)
    else:
        x, y = job.pictures.train.examples().reshape(len(outcome.feed), -1), job.pictures.train.labels
        model = KNeighborsClassifier(5)
    right = cross_val_score(model, x, y, cv=3).mean()
    return float(right - np.unique(y, return_counts=True)[1].max() / len(y))


PROOFS: dict[tuple[str, str], Proof] = {
    ("collapse", "pictures"): Proof("share of the ten digits reached", digits_reached, high=0.5),
    ("collapse", "tables"): Proof("different rows among samples, real rows: 1", different_rows, high=0.1),
    ("class_collapse", "pictures"): Proof(
        "variance within a digit, real pictures: 1", variance_within_digits, high=0.1
    ),
    ("class_collapse", "tables"): Proof("different rows for each plan", rows_for_each_plan, high=2.0),
    ("discriminator_overfits", "pictures"): Proof("AUC, training against unseen", knows_training_set, low=0.7),
    ("discriminator_overfits", "tables"): Proof("AUC, training against unseen", knows_training_set, low=0.7),
    ("discriminator_wins", "pictures"): Proof("AUC, unseen real against samples", tells_samples, low=0.98),
    ("discriminator_wins", "tables"): Proof("AUC, unseen real against samples", tells_samples, low=0.8),
    ("discriminator_blind", "pictures"): Proof("AUC it misses, of a fresh classifier's", misses_what_is_there, low=0.1),
    ("discriminator_blind", "tables"): Proof("AUC it misses, of a fresh classifier's", misses_what_is_there, low=0.1),
    ("vanishing", "pictures"): Proof("way of the generator's weights", way_of_the_weights, high=1e-2),
    ("vanishing", "tables"): Proof("way of the generator's weights", way_of_the_weights, high=1e-2),
    ("exploding", "pictures"): Proof("growth of the discriminator's weights", growth_of_weights, low=5.0),
    ("exploding", "tables"): Proof("growth of the discriminator's weights", growth_of_weights, low=5.0),
    ("oscillating", "pictures"): Proof("half turns of the mean sample", half_turns, low=5.0),
    ("oscillating", "tables"): Proof("half turns of the mean sample", half_turns, low=5.0),
    ("not_finite", "pictures"): Proof("share of turns whose loss is no number", spoiled_share, low=0.02),
    ("not_finite", "tables"): Proof("share of turns whose loss is no number", spoiled_share, low=0.02),
    ("copying", "pictures"): Proof("samples that are training pictures", copied_share, low=0.5),
    ("copying", "tables"): Proof("samples that are training rows", copied_share, low=0.5),
    ("starved", "pictures"): Proof("share of the time in the slow feed", waited_share, low=0.4),
    ("too_little_data", "pictures"): Proof("training examples", training_examples, high=50),
    ("too_little_data", "tables"): Proof("training examples", training_examples, high=50),
    ("wrong_data", "pictures"): Proof("share repeated or constant", useless_share, low=0.4),
    ("wrong_data", "tables"): Proof("share repeated or constant", useless_share, low=0.4),
    ("meaningless_labels", "pictures"): Proof("labels right beyond guessing", what_labels_tell, high=0.05),
    ("meaningless_labels", "tables"): Proof("labels right beyond guessing", what_labels_tell, high=0.05),
}
