"""Recommendation in closed and simple forms: accuracy and what is shown, each method beside EASE.

    python benchmarks/recommend_rivals.py ml-100k.inter InstEval.csv [--seeds 0 1 2 3 4] [--by random time]
    python benchmarks/recommend_rivals.py --irgan IRGAN/item_recommendation/ml-100k --cfgan CFGAN/datasets/ML100K

Files of interactions are split 20 % test and 20 % of the rest validation within each user, at random or in time; all
interactions, and those rated 4 or more. Settings are chosen by NDCG@10 on validation; then a method learns from both
and is judged by test once. Candidates are all items that a user does not have yet. A difference is that of each user,
its mean over the seeds, with a bootstrap interval over users. CPU seconds of one thread: all settings and the last fit.

Two published splits, with the figures of their papers. The files stay where their authors published them:
github.com/geek-ai/irgan (movielens-100k-train.txt and -test.txt) and, as part of recsyspolimi's evaluation of it,
CFGAN's ML100K.train and ML100K.test. Settings are chosen within the training file here, and the test is used once.
What was wrong there:
- IRGAN (Wang et al., SIGIR 2017; cf_gan.py): after each epoch precision at 5 is measured ON THE TEST SET, and the
  model is kept whose value is highest there; the generator begins at another model that was trained before. Films that
  a user rated below 4 in the training set stay candidates (so they do here; the row "hidden" leaves them out). No
  method on neighbours or linear model is in its table.
- CFGAN (Chae et al., CIKM 2018; trainer.py, parameters.py): no validation set; the test is measured after each epoch,
  and the number of epochs is one of several that were tried, "quite sensitive". The generator is given the profile
  that it must produce and no noise, the discriminator as condition the very profile that it judges: both are solved by
  the identity (Perez Maurera et al., ECIR 2022). No linear model is in its table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from ganforge.kinds.interactions.columns import LogSettings
from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.low_rank import ease_in_part
from ganforge.kinds.interactions.reading import read_log
from ganforge.kinds.interactions.scorers import ease
from ganforge.kinds.interactions.split import By, split_log
from ganforge.kinds.interactions.tuning import METHODS, Method, ranking_of, tune
from ganforge.measures.intervals import mean_by_bootstrap
from ganforge.measures.ranking import Ranking, coverage, gini, novelty, of_each_user, rank

HEAD = (
    "method         P@5    R@10   NDCG@10 (sd)     MRR    cov.   Gini   novelty  NDCG@10 minus EASE"
    "            CPU s  chosen"
)
SHOWN = 10  # places of a list
PUBLISHED_IRGAN = {  # precision and NDCG at 3, 5 and 10
    "BPR": (0.3289, 0.3044, 0.2656, 0.3410, 0.3245, 0.3076),
    "LambdaFM": (0.3845, 0.3474, 0.2967, None, None, None),
    "IRGAN": (0.4072, 0.3750, 0.3140, 0.4222, 0.4009, 0.3723),
}
PUBLISHED_CFGAN = {  # precision, NDCG and reciprocal rank at 5 and 20
    "BPR": (0.348, 0.236, 0.370, 0.380, 0.556, 0.574),
    "CDAE": (0.433, 0.287, 0.465, 0.425, 0.664, 0.674),
    "IRGAN": (0.312, 0.221, 0.342, 0.368, 0.536, 0.523),
    "CFGAN": (0.444, 0.294, 0.476, 0.433, 0.681, 0.693),
}


def others(items: int, penalty: float) -> dict[str, Method]:
    """EASE in double precision, and as it is done where there are too many items, at the penalty that EASE chose."""
    axes = {"penalty": (penalty,)}
    return {
        "EASE float64": Method("", lambda matrix, penalty: ease(matrix, penalty, np.float64), axes),
        "EASE in part": Method("", ease_in_part, {**axes, "popular": (items // 4,), "rank": (256,)}),
    }


def compare(name: str, log: Log, by: By, seeds: Sequence[int]) -> None:
    """Print every method on one log, the best first."""
    rows: dict[str, list[tuple[float, ...]]] = {}
    gains: dict[str, np.ndarray] = {}  # NDCG of every user, a row for each seed; nan where he is not judged
    chosen: dict[str, set[str]] = {}
    for seed in seeds:
        split = split_log(log, by, seed)
        fit, validation, train, test = (
            part.matrix() for part in (split.fit, split.validation, split.train, split.test)
        )
        counts = np.bincount(train.indices, minlength=train.shape[1])
        methods = dict(METHODS)
        for method in [*METHODS, "EASE float64", "EASE in part"]:
            its = methods[method]
            begun = time.process_time()
            tuned = tune(method, its, fit, validation, train)
            seconds = time.process_time() - begun
            if method == "EASE":
                methods.update(others(train.shape[1], tuned.settings["penalty"]))
            ranking = ranking_of(tuned.scorer, train, test)
            rows.setdefault(method, []).append((*figures(ranking, counts), seconds))
            own = gains.setdefault(method, np.full((len(seeds), train.shape[0]), np.nan))
            own[list(seeds).index(seed), ranking.users] = ranking.ndcg(10)
            chosen.setdefault(method, set()).add(" ".join(f"{value:g}" for value in tuned.settings.values()))
    print(f"\n{name}, by {by}: {len(log.users):,} users, {len(log.items):,} items, {len(log):,} interactions")
    print(HEAD)
    for method in sorted(rows, key=lambda method: -np.mean([row[2] for row in rows[method]])):
        mean, spread = np.mean(rows[method], 0), np.std(rows[method], 0)
        apart = gains[method] - gains["EASE"]
        difference = mean_by_bootstrap(np.nanmean(apart[:, ~np.isnan(apart).all(0)], 0), np.random.default_rng(0))
        print(
            f"{method:13s}  {mean[0]:.4f} {mean[1]:.4f} {mean[2]:.4f} ({spread[2]:.4f})  {mean[3]:.4f} {mean[4]:.3f}  "
            f"{mean[5]:.3f}  {mean[6]:5.2f}    {difference.value:+.4f} ({difference.low:+.4f} to "
            f"{difference.high:+.4f})  {mean[7]:6.1f}  {', '.join(sorted(chosen[method]))}",
            flush=True,
        )


def figures(ranking: Ranking, counts: np.ndarray) -> tuple[float, ...]:
    shown = ranking.top[:, :SHOWN]
    means = [float(values.mean()) for values in of_each_user(ranking).values()]
    return (*means, coverage(shown, ranking.items), gini(shown, ranking.items), float(novelty(shown, counts).mean()))


# ---- published splits ------------------------------------------------------------------------------------------------


def published(
    title: str,
    files: tuple[Path, Path],
    least: float,
    measures: Mapping[str, Callable[[Ranking], np.ndarray]],
    papers: Mapping[str, tuple[float | None, ...]],
    seeds: Sequence[int],
) -> None:
    """Print the methods on a published split, below the figures of its paper. Args: least rating that counts."""
    parts = [np.loadtxt(file) for file in files]
    rows, columns = (int(max(part[:, place].max() for part in parts)) + 1 for place in (0, 1))
    liked = [part[part[:, 2] >= least][:, :2].astype(np.int32) for part in parts]
    train, test = (matrix_of(part, rows, columns) for part in liked)
    every = matrix_of(parts[0][:, :2].astype(np.int32), rows, columns)
    print(
        f"\n{title}: {rows} users ({np.count_nonzero(np.diff(test.indptr))} of them in the test), {columns} items, "
        f"{train.nnz:,} and {test.nnz:,} interactions"
    )
    print(f"{'':38s}" + "  ".join(f"{name:>16s}" for name in measures))
    for name, its in papers.items():
        print(f"{name + ', published':38s}" + "  ".join(f"{'' if one is None else f'{one:.4f}':>16s}" for one in its))
    for name, method in METHODS.items():
        found: list[Ranking] = []
        hidden: list[Ranking] = []
        for seed in seeds:
            split = split_log(log_of(train), "random", seed)  # its test is the validation here: the test is the paper's
            tuned = tune(name, method, split.train.matrix(), split.test.matrix(), train)
            found.append(ranking_of(tuned.scorer, train, test))
            if name == "EASE" and least > 0:
                hidden.append(rank(lambda users, scorer=tuned.scorer: scorer.scores(train[users], users), every, test))
        show(f"{name}, measured", found, measures)
        if hidden:
            show(f"{name}, lower ratings hidden", hidden, measures)


def show(name: str, found: Sequence[Ranking], measures: Mapping[str, Callable[[Ranking], np.ndarray]]) -> None:
    """Print a row: the mean over seeds, and its interval over users."""
    cells = []
    for measure in measures.values():
        its = mean_by_bootstrap(np.mean([measure(ranking) for ranking in found], 0), np.random.default_rng(0))
        cells.append(f"{its.value:.4f} {its.low:.3f}-{its.high:.3f}"[:18])
    print(f"{name:38s}" + "  ".join(f"{cell:>16s}" for cell in cells), flush=True)


def matrix_of(pairs: np.ndarray, users: int, items: int) -> csr_matrix:
    return csr_matrix((np.ones(len(pairs), np.float32), (pairs[:, 0], pairs[:, 1])), shape=(users, items))


def log_of(matrix: csr_matrix) -> Log:
    user, item = matrix.nonzero()
    users, items = (np.arange(count).astype(str) for count in matrix.shape)
    return Log(users, items, user.astype(np.int32), item.astype(np.int32))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("logs", nargs="*", type=Path)
    parser.add_argument("--by", nargs="+", default=["random", "time"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--irgan", type=Path)
    parser.add_argument("--cfgan", type=Path)
    asked = parser.parse_args()
    for path in asked.logs:
        columns = {"user": "s", "item": "d", "rating": "y"} if path.stem == "InstEval" else {}
        for least in (4, None):
            log = read_log(path, LogSettings(**columns, positive=least)).log
            for by in asked.by:
                if by == "random" or log.time is not None:
                    compare(f"{path.stem}, {'rated 4 or more' if least else 'all interactions'}", log, by, asked.seeds)
    if asked.irgan:
        names = (asked.irgan / "movielens-100k-train.txt", asked.irgan / "movielens-100k-test.txt")
        measures = {
            **{f"P@{k}": lambda ranking, k=k: ranking.precision(k) for k in (3, 5, 10)},
            **{f"NDCG@{k}": lambda ranking, k=k: ranking.ndcg(k) for k in (3, 5, 10)},
        }
        published("IRGAN's split, rated 4 or more", names, 4, measures, PUBLISHED_IRGAN, asked.seeds)
    if asked.cfgan:
        names = (asked.cfgan / "ML100K.train", asked.cfgan / "ML100K.test")
        measures = {
            **{f"P@{k}": lambda ranking, k=k: ranking.precision(k) for k in (5, 20)},
            **{f"NDCG@{k}": lambda ranking, k=k: ranking.ndcg(k) for k in (5, 20)},
            **{f"MRR@{k}": lambda ranking, k=k: ranking.reciprocal(k) for k in (5, 20)},
        }
        published("CFGAN's split, all interactions", names, 0, measures, PUBLISHED_CFGAN, asked.seeds)


if __name__ == "__main__":
    main()
