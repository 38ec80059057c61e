"""The evaluation of a private table: one noisy count of private rows, and what can be said without another look."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from ganforge.core.noise import PrivateNoise
from ganforge.core.seeds import seed_for
from ganforge.kinds.tables.private.counts import Codes
from ganforge.kinds.tables.private.model import PrivateTableModel
from ganforge.kinds.tables.private.plan import PrivateTable, PrivateTableSettings
from ganforge.kinds.tables.private.source import encoded
from ganforge.measures.intervals import of_share
from ganforge.privacy.release import Releases
from ganforge.privacy.share import noisy_count, share_of
from ganforge.recipe import Recipe
from ganforge.records import Block, Evaluation, Grade, Meaning, Measure, Prose, Rows, Verdict

DRAWN = 20_000  # rows that the classifier learns from, at most
MOST_LEVELS = 255  # of a category, for scikit-learn's trees
WHY_NO_GAN = (
    "No GAN was trained: it would read the rows again and again, and pay for each step; counts are read once. "
    "These rows may train one, at no further cost."
)


def evaluate_private(
    model: PrivateTableModel, recipe: Recipe, releases: Releases, multiplier: float | None, data: PrivateTable
) -> Evaluation:
    """Measure how often a classifier that learned from samples is right on the private rows, counted with noise.

    Args: multiplier of the noise of that count; None where nothing was set aside for it: then only samples are judged.
    """
    names = [column.name for column in model.columns]
    place = names.index(data.target) if data.target is not None else _most_tied(model)
    cells = model.cells
    count = min(DRAWN, max(data.rows, 1_000))
    random = np.random.default_rng(seed_for(recipe.seed, "judge of a private table"))
    learned, fresh = model.codes(count, random), model.codes(count, random)
    classes = _classes(model, place)
    answer = _classifier(model, learned, place, classes)
    majority = int(np.bincount(classes[learned[place]]).argmax())
    itself = of_share(int((answer(fresh) == classes[fresh[place]]).sum()), count)
    simplest = float(np.mean(classes[fresh[place]] == majority))
    value, judge = itself, "rows drawn from the release, since nothing was set aside for the private ones"
    if multiplier is not None:
        noise_of = multiplier

        def draw(noise: PrivateNoise) -> dict[str, NDArray[np.float64]]:
            rows = encoded(data.source, cells, data.rows)
            return {"right": np.array([noisy_count(answer(rows) == classes[rows[place]], noise_of, noise)])}

        right = releases.once("judge", draw, "It was counted how often samples lead to a right answer, with noise.")
        value = share_of(float(right["right"][0]), data.rows, multiplier)
        judge = "the private rows, in one count with noise"
    name = names[place]
    meaning = Meaning("higher", f"Share of rows whose {name} a classifier finds that learned from made rows alone.")
    measure = Measure.of("accuracy", value, meaning, floor=itself.value, reference=simplest)
    return Evaluation(
        measures=(measure,),
        verdict=_verdict(measure, recipe, name),
        samples=count,
        held_out=data.rows if multiplier is not None else 0,
        judge={"kind": "classifier", "sentence": f"A boosted tree learned from made rows and was tried on {judge}."},
        floor="The floor is what the same classifier gets on other made rows: what it could get if they were the real.",
        reference="The reference is the most frequent value for every row.",
        best="other made rows",
        simplest="the most frequent value",
        blocks=(_tree_block(model, recipe),),
    )


def _classes(model: PrivateTableModel, place: int) -> Codes:
    """Return the class of each cell of the judged column: of a number to predict the group that it was merged into."""
    if model.columns[place].name != model.target:
        return np.arange(model.cells[place].count)
    return np.asarray(np.argmax(model.network.array("target"), axis=0))


def _classifier(
    model: PrivateTableModel, learned: list[Codes], place: int, classes: Codes
) -> Callable[[list[Codes]], Codes]:
    """Return what answers with the class of a column, given the cells of the others."""
    cells, others = model.cells, [i for i in range(len(learned)) if i != place]
    sorts = [not cells[i].ordered and cells[i].count <= MOST_LEVELS for i in others]
    labels = classes[learned[place]]
    if len(np.unique(labels)) < 2:
        only = int(labels[0])
        return lambda codes: np.full(len(codes[place]), only, np.int64)
    tree = HistGradientBoostingClassifier(random_state=0, max_iter=50, categorical_features=sorts)
    tree.fit(np.column_stack([learned[i] for i in others]), labels)

    def answer(codes: list[Codes]) -> Codes:
        found: Codes = tree.predict(np.column_stack([codes[i] for i in others]))
        return found

    return answer


def _most_tied(model: PrivateTableModel) -> int:
    """Return the column that is judged where none is to be predicted: of few cells, with most edges in the tree."""
    ties = np.bincount(np.array(model.edges, np.int64).ravel(), minlength=len(model.columns))
    sizes = np.array([cells.count for cells in model.cells])
    return int(np.lexsort((sizes, -ties, sizes > MOST_LEVELS))[0])


def _verdict(measure: Measure, recipe: Recipe, name: str) -> Verdict:
    settings = recipe.section(PrivateTableSettings)
    helps = measure.low > measure.reference
    near = measure.high >= measure.floor - 0.02
    grade: Grade = "good" if helps and near else "fair" if helps else "poor"
    if helps:
        words = (
            f"who learns from made rows finds {name} in {measure.value:.1%} of the private ones; "
            f"the most frequent value is right in {measure.reference:.1%}"
        )
    else:
        words = (
            f"made rows do not help to find {name}: the most frequent value is right as often, as far as noise tells"
        )
    interval = f"95 % interval {measure.low:.1%} to {measure.high:.1%}, sampling and noise together"
    sentences = (
        f"The whole run costs epsilon {settings.epsilon:g} at delta {settings.delta:g} ({interval}).",
        WHY_NO_GAN,
        "How alike columns and pairs of columns are was not measured: each look at the rows has a price.",
    )
    return Verdict(grade, f"{grade.capitalize()}: {words}.", sentences, None)


def _tree_block(model: PrivateTableModel, recipe: Recipe) -> Block:
    names = [column.name for column in model.columns if column.name != model.target]
    rows = tuple((names[left], names[right]) for left, right in model.edges)
    given = f", each given {model.target}" if model.target else ""
    lead = f"Pairs of columns whose values were counted together{given}; others go together through these alone."
    if not rows:
        lead = "No pair of columns went together more clearly than noise: each is drawn by itself" + given + "."
        return Block("The tree", lead, (Prose((lead,)),))
    return Block("The tree", lead, (Rows(("column", "with"), rows),))
