"""The rivals do what they promise: they are the measure of the generator."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from tables_world import COLUMNS, chosen, people

from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.measures.rivals import GaussianCopula, independent_columns, smote_rows


def latent(rho: float, count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).multivariate_normal([0, 0], [[1, rho], [rho, 1]], count)


def test_the_copula_keeps_every_column_and_what_is_missing() -> None:
    train = people(3000, 0)
    drawn = GaussianCopula.fit(train, COLUMNS).sample(3000, np.random.default_rng(1))
    assert "id" not in drawn
    for name in ("age", "gain"):
        assert stats.ks_2samp(train[name], drawn[name], method="asymp").statistic < 0.04
    assert np.isnan(drawn["hours"]).mean() == pytest.approx(np.isnan(train["hours"]).mean(), abs=0.02)
    for town in ("Aachen", "Dresden", None):
        assert np.mean(drawn["town"] == town) == pytest.approx(np.mean(train["town"] == town), abs=0.03)


def test_the_copula_recovers_the_rank_correlation_of_any_monotone_world() -> None:
    hidden = latent(0.7, 5000, 0)
    train = {"age": np.exp(hidden[:, 0]), "gain": hidden[:, 1] ** 3}
    drawn = GaussianCopula.fit(train, chosen("age", "gain")).sample(5000, np.random.default_rng(1))
    expected = stats.spearmanr(train["age"], train["gain"]).statistic
    assert stats.spearmanr(drawn["age"], drawn["gain"]).statistic == pytest.approx(expected, abs=0.03)


def test_the_copula_keeps_the_dependence_of_two_categories() -> None:
    """Cut at 0, a hidden correlation of 0.5 gives agreement in two rows of three (Sheppard 1899)."""
    hidden = latent(0.5, 20_000, 0)
    table = {name: np.where(hidden[:, i] > 0.1, "yes", "no").astype(object) for i, name in enumerate(("town", "rich"))}
    drawn = GaussianCopula.fit(table, chosen("town", "rich")).sample(20_000, np.random.default_rng(1))
    agree = np.mean(table["town"] == table["rich"])
    assert agree == pytest.approx(2 / 3, abs=0.02)
    assert np.mean(drawn["town"] == drawn["rich"]) == pytest.approx(agree, abs=0.04)


def test_the_copula_bears_columns_of_one_value_and_columns_that_copy_each_other() -> None:
    age = np.arange(50.0)
    train = {"age": age, "hours": age, "gain": np.zeros(50), "town": np.full(50, None, object)}
    drawn = GaussianCopula.fit(train, chosen("age", "hours", "gain", "town")).sample(200, np.random.default_rng(0))
    assert set(drawn["gain"]) == {0.0}
    assert set(drawn["town"]) == {None}
    assert np.corrcoef(drawn["age"], drawn["hours"])[0, 1] > 0.9


def test_the_copula_is_a_function_of_its_generator() -> None:
    model = GaussianCopula.fit(people(200, 0), COLUMNS)
    one, other = (model.sample(50, np.random.default_rng(3)) for _ in range(2))
    assert one["age"].tolist() == other["age"].tolist()


def test_independent_columns_keep_values_and_lose_relations() -> None:
    train = people(2000, 0)
    drawn = independent_columns(train, 2000, np.random.default_rng(0))
    assert sorted(drawn["age"]) == sorted(train["age"])
    both = ~np.isnan(drawn["hours"])
    assert abs(np.corrcoef(drawn["age"][both], drawn["hours"][both])[0, 1]) < 0.1
    assert len(independent_columns(train, 5000, np.random.default_rng(0))["age"]) == 5000


@pytest.mark.parametrize("names", [("town", "gain"), ("age", "hours"), ("town", "planet")])
def test_smote_mixes_rows_within_a_label(names: tuple[str, ...]) -> None:
    pytest.importorskip("imblearn")
    train = people(600, 0)
    columns = [*chosen(*names), *chosen("rich")]
    if "planet" in names:  # texts only
        columns = [*chosen("town", "rich"), Column(name="planet", kind="category", dtype="str")]
    drawn = smote_rows(train, columns, "rich", 500, seed=0)
    assert drawn is not None
    assert len(drawn["rich"]) == pytest.approx(500, abs=2)
    assert np.mean(drawn["rich"] == "True") == pytest.approx(np.mean(train["rich"] == "True"), abs=0.02)
    if "town" in drawn:
        assert set(drawn["town"]) <= set(train["town"])


def test_smote_gives_nothing_where_no_label_has_six_rows() -> None:
    pytest.importorskip("imblearn")
    train = {"age": np.arange(10.0), "rich": np.array([f"v{i}" for i in range(10)], object)}
    assert smote_rows(train, chosen("age", "rich"), "rich", 100, seed=0) is None
