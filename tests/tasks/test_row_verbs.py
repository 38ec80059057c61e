"""What one model of rows does besides drawing them: rows from given cells, asked shares, parity, temperature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rows_world import Trained, distance, known, trained
from sklearn.ensemble import IsolationForest

import ganforge as gf
from ganforge.errors import DataError, InputError
from ganforge.kinds.tables.generate import anomaly, predict
from ganforge.kinds.tables.generate.balance import rounded_counts
from ganforge.kinds.tables.reading.arrays import to_plain
from ganforge.kinds.tables.rules.checks import broken
from ganforge.measures.prediction import auc

pytestmark = pytest.mark.slow
TRUTH = known(100_000, seed=9)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return trained(known(1_800), tmp_path_factory.mktemp("rows"), examples=80_000)


@pytest.fixture(scope="module")
def run(rows: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rows.as_run(tmp_path_factory.mktemp("runs") / "run").folder


def sampled(run: Path, n: int = 1, **asked: Any) -> pd.DataFrame:
    found = gf.load(run).sample(n, **asked)
    assert isinstance(found, pd.DataFrame)
    return found


# ---- rows from given cells ------------------------------------------------------------------------------------------


def test_given_cells_stay_and_the_others_follow_them(rows: Trained, run: Path) -> None:
    given = TRUTH[["y", "start"]].head(4_000)
    made = sampled(run, given=given)
    assert list(made.columns) == list(TRUTH.columns) and len(made) == len(given)
    pd.testing.assert_frame_equal(made[["y", "start"]], given, check_dtype=False)
    for other in ("x", "city"):
        usual = distance({**TRUTH, "y": TRUTH["y"].sample(frac=1, random_state=0).to_numpy()}, TRUTH, "y", other)
        assert distance(made, TRUTH, "y", other) < 0.6 * usual
    assert made["key"].is_unique and not set(made["key"]) & set(known(1_800)["key"])
    assert 0.1 < made["z"].isna().mean() < 0.4  # what is missing in training is missing here
    codec = rows.model.codec
    plain = to_plain(made, codec.columns)
    assert set(broken(codec.rules, plain, rows.job.table.train_rows, codec.columns).values()) == {0}


def test_conditions_hold_for_the_cells_that_are_drawn(run: Path) -> None:
    given = pd.DataFrame({"start": [10.0, 50.0, None] * 300})
    made = sampled(run, given=given, where=["end<=60", "y=c", "country=A"])
    assert (made["start"][given["start"].notna()] == given["start"].dropna()).all()
    assert (made["end"] <= 60).all() and (made["start"] <= made["end"]).all()
    assert (made["y"] == "c").all() and (made["country"] == "A").all()
    upper = sampled(run, given=pd.DataFrame({"end": [5, 90] * 100}))
    assert (upper["start"] <= upper["end"]).all() and (upper["end"] == [5, 90] * 100).all()


@pytest.mark.parametrize("out", ["rows.csv", "rows.parquet"])
def test_given_cells_of_a_file_are_written_to_the_letter(run: Path, tmp_path: Path, out: str) -> None:
    seeds = tmp_path / "seeds.csv"
    seeds.write_text("z,key,y\n10.50,mine-1,b\n,mine-2,\n19.10,,c\n")
    gf.sample(run, 1, tmp_path / out, given=seeds)
    if out.endswith(".csv"):
        cells = [line.split(",") for line in (tmp_path / out).read_text().splitlines()]
        assert [[row[cells[0].index(name)] for name in ("z", "key", "y")] for row in cells[1:]][::2][0] == [
            "10.50",
            "mine-1",
            "b",
        ]
        assert cells[3][cells[0].index("z")] == "19.10"
    else:
        read = pd.read_parquet(tmp_path / out)
        assert read["z"].tolist()[::2] == [10.5, 19.1] and read["key"][1] == "mine-2" and read["y"][2] == "c"


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (
            {"y": ["a", "d"]},
            r"column 'y' holds 'd' in row 2\. Training never saw it, or .* rows\.rare\. Known: a, b, c",
        ),
        (
            {"x": [1, 2, 40]},
            r"column 'x' holds 40 in row 3\. Training never saw it, or .* rows\.rare\. It is drawn from 0 to 11",
        ),
        ({"x": [1, 1.5]}, r"column 'x' holds 1\.5 in row 2"),
        ({"unit": ["m", "km"]}, r"'unit' holds 'km' in row 2"),
        ({"city": ["P", "P"], "country": ["A", "B"]}, r"Row 2 has city=P and country=B\. The training rows have no"),
        ({"start": [1, 50], "end": [1, 40]}, r"Row 2 breaks the rule 'start <= end'"),
        ({"key": ["k", "k"]}, r"Row 2 breaks the rule 'unique key'"),
        ({"wye": ["a"]}, r"The model has no column 'wye'"),
    ],
)
def test_what_training_never_saw_is_refused_with_its_row(run: Path, cells: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        sampled(run, given=pd.DataFrame(cells))


def test_a_given_cell_that_breaks_a_condition_is_refused_with_its_row(run: Path) -> None:
    with pytest.raises(DataError, match=r"Row 2 of the given rows allows another value than y=a"):
        sampled(run, given=pd.DataFrame({"y": ["a", "b"]}), where="y=a")
    with pytest.raises(DataError, match=r"Row 1 of the given rows allows no row with start >= 30"):
        sampled(run, given=pd.DataFrame({"end": [20]}), where="start>=30")


# ---- shares ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "counts"),
    [
        ("y=b:0.5", {"b": 4_501}),
        ({"y": {"b": 0.5}}, {"b": 4_501}),
        ("y=a:20%,c:0.3", {"a": 1_800, "b": 4_501, "c": 2_700}),
        ("y=a:1", {"a": 9_001}),
        ("x=11:0.25, 0:0.25", {11: 2_250, 0: 2_250}),
        ("city=P:0.75", {"P": 6_751}),
        ("z=missing:0.5", {None: 4_501}),
    ],
)
def test_balanced_rows_have_just_the_asked_counts(rows: Trained, run: Path, asked: Any, counts: dict[Any, int]) -> None:
    if asked == "z=missing:0.5":
        with pytest.raises(InputError, match="'z' has too many values"):
            sampled(run, 9_001, balance=asked)
        return
    made = sampled(run, 9_001, balance=asked)
    column = "y" if isinstance(asked, dict) else asked.partition("=")[0]
    found = made[column].value_counts()
    assert {value: found[value] for value in counts} == counts and len(made) == 9_001
    assert made["key"].is_unique and (made["start"] <= made["end"]).all()
    halves = [made[column][:4_500], made[column][4_500:]]  # in random order
    first = next(iter(counts))
    assert abs((halves[0] == first).mean() - (halves[1] == first).mean()) < 0.05
    if column == "y":
        for value, part in made.groupby("y"):
            assert distance(part, TRUTH[TRUTH["y"] == value], "x") < 0.25


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("y=d:0.5", "In training 'y' is never 'd'"),
        ("y=a:0.7,b:0.5", "add up to 1.2"),
        ("y=a:0.5,b:0.2,c:0.1", "add up to 0.8"),
        ("y=a:0.5,a:0.2", "named twice"),
        ("y=a:1.5", "1.5 is not a share"),
        ("wye=a:0.5", "no column 'wye'"),
        ("y", "--balance cannot read 'y'"),
        ("y=a", "--balance cannot read"),
        ("start=3:0.5", "'start' has too many values"),
        ("key=a:0.5", "asks for an identifier"),
        ({"y": {"a": "much"}}, "'much' is not a share"),
        ({"y": 0.5}, "cannot read"),
    ],
)
def test_shares_that_cannot_be_are_refused(run: Path, asked: Any, words: str) -> None:
    with pytest.raises(InputError) as refused:
        sampled(run, 50, balance=asked)
    assert words in str(refused.value)


def test_shares_and_conditions_hold_together_or_are_refused(run: Path) -> None:
    made = sampled(run, 400, balance="y=b:0.25", where="x>=6")
    assert (made["y"] == "b").sum() == 100 and (made["x"] >= 6).all()
    with pytest.raises(InputError, match="No row can meet y=b and --where"):
        sampled(run, 10, balance="y=b:0.5", where="y=a")
    with pytest.raises(InputError, match=r"--balance and --fair were given\. They exclude"):
        sampled(run, 10, balance="y=b:0.5", fair="y ~ country")


def test_counts_are_rounded_so_that_they_add_up() -> None:
    assert rounded_counts([1 / 3, 1 / 3, 1 / 3], 10) == [4, 3, 3]
    assert rounded_counts([0.1, 0.9], 30) == [3, 27] and rounded_counts([0.5, 0.5], 1) == [1, 0]


def test_fair_rows_have_the_same_shares_in_every_group_and_the_rest_as_it_was(run: Path) -> None:
    def gap(table: pd.DataFrame) -> float:
        shares = pd.crosstab(table["country"], table["y"], normalize="index")
        return float((shares.loc["A"] - shares.loc["B"]).abs().max())

    fair, usual = sampled(run, 6_000, fair="y ~ country"), sampled(run, 6_000)
    assert gap(usual) > 0.2 and gap(fair) < 2 / 1_000
    for column in ("y", "country"):
        assert distance(fair, usual, column) < 0.03  # each by itself is as it was
    with pytest.raises(InputError, match="no column 'wye'"):
        sampled(run, 10, fair="wye ~ country")
    with pytest.raises(InputError, match="--fair cannot read 'y'"):
        sampled(run, 10, fair="y")
    with pytest.raises(InputError, match="'start' has too many values"):
        sampled(run, 10, fair="y ~ start")
    for with_identifier in ("key ~ y", "y ~ key"):
        with pytest.raises(InputError, match="'key' is an identifier, which has no shares"):
            sampled(run, 10, fair=with_identifier)


# ---- temperature ----------------------------------------------------------------------------------------------------


def test_a_lower_temperature_makes_likely_values_likelier(run: Path) -> None:
    def surprise(temperature: float) -> float:
        made = sampled(run, 3_000, temperature=temperature)
        return float(-np.log(TRUTH["x"].value_counts(normalize=True).loc[made["x"]]).mean())

    cold, usual, hot = surprise(0.3), surprise(1.0), surprise(2.0)
    assert cold < usual - 0.05 < hot
    assert sampled(run, 500, temperature=1.0).equals(sampled(run, 500))
    with pytest.raises(InputError, match=r"--temperature cannot be 3\. It is a number from 0\.1 to 2"):
        sampled(run, 5, temperature=3)


# ---- filling --------------------------------------------------------------------------------------------------------


def test_a_model_that_generates_fills_holes_nearly_as_well_as_one_that_was_trained_for_it(
    rows: Trained, run: Path, tmp_path: Path
) -> None:
    """y is x mod 3 in 93 % of rows; its most frequent value is right in 37 %."""
    filler = trained(known(1_800), tmp_path, "impute", examples=80_000)
    truth, holes = TRUTH["y"].head(2_000), TRUTH.head(2_000).assign(y=None)
    plain = to_plain(holes, rows.model.codec.columns)
    right = (gf.apply(run, holes)["y"] == truth).mean()
    best = (filler.model.complete(plain)["y"] == truth.to_numpy()).mean()
    assert best > 0.8 and right > best - 0.15 and right > truth.value_counts(normalize=True).max() + 0.3


# ---- prediction and anomaly -----------------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "TAUGHT", 6_000)
    monkeypatch.setattr(anomaly, "TAUGHT", 6_000)
    monkeypatch.setattr(anomaly, "RANKED", 2_000)


@pytest.mark.usefixtures("few")
def test_a_class_is_predicted_from_the_others_whether_its_column_is_there_or_not(run: Path) -> None:
    table = TRUTH.head(1_000)
    found = gf.apply(run, table, predict="y", probabilities=True)
    pd.testing.assert_frame_equal(found[list(table.columns)], table, check_dtype=False)
    assert list(found.columns[len(table.columns) :]) == ["y_predicted", *(f"y_probability_{value}" for value in "cba")]
    chances = found[[f"y_probability_{value}" for value in "abc"]].to_numpy()
    assert chances.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (np.array(list("abc"))[chances.argmax(axis=1)] == found["y_predicted"]).mean() > 0.99
    assert (found["y_predicted"] == table["y"]).mean() > 0.75
    without = gf.apply(run, table.drop(columns="y"), predict="y")
    assert list(without.columns) == [*table.columns.drop("y"), "y_predicted"]
    assert without["y_predicted"].tolist() == found["y_predicted"].tolist()  # what it held was hidden


@pytest.mark.usefixtures("few")
def test_a_number_is_predicted_with_the_ends_of_an_interval(run: Path) -> None:
    table = TRUTH.head(2_000)
    found = gf.apply(run, table, predict="z", probabilities=True)
    assert list(found.columns[-3:]) == ["z_predicted", "z_low", "z_high"]
    there = table["z"].notna()
    inside = (found["z_low"] <= table["z"]) & (table["z"] <= found["z_high"])
    assert 0.7 < inside[there].mean() < 1 and (found["z_low"] <= found["z_high"]).all()
    assert np.corrcoef(found["z_predicted"][there], table["z"][there])[0, 1] > 0.8


@pytest.mark.usefixtures("few")
def test_added_columns_leave_the_cells_of_a_file_as_they_are(run: Path, tmp_path: Path) -> None:
    table = known(30, seed=5).drop(columns="y").assign(note="0042")
    table.to_csv(tmp_path / "new.csv", index=False)
    lines = (tmp_path / "new.csv").read_text().splitlines()
    gf.apply(run, tmp_path / "new.csv", tmp_path / "out.csv", predict="y")
    written = (tmp_path / "out.csv").read_text().splitlines()
    assert [line.rpartition(",")[0] for line in written] == lines
    gf.apply(run, tmp_path / "new.csv", tmp_path / "out.parquet", predict="y")
    assert pd.read_parquet(tmp_path / "out.parquet")["y_predicted"].isin(["a", "b", "c"]).all()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"predict": "wye"}, "no column 'wye' to predict"),
        ({"predict": "key"}, "'key' cannot be predicted. It is an identifier"),
        ({"probabilities": True}, "--probabilities was given without --predict"),
        ({"predict": "y", "score": True}, "--predict and --score were given"),
        ({"predict": "y", "draw": True}, "--predict and --draw were given"),
    ],
)
def test_what_cannot_be_predicted_is_refused(run: Path, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        gf.apply(run, TRUTH.head(20), **asked)


@pytest.mark.usefixtures("few")
def test_a_column_that_is_there_already_or_one_that_is_missing_is_refused(run: Path) -> None:
    with pytest.raises(InputError, match="a column 'y_predicted' already"):
        gf.apply(run, TRUTH.head(20).assign(y_predicted=1), predict="y")
    with pytest.raises(DataError, match="has no column 'city'"):
        gf.apply(run, TRUTH.head(20).drop(columns="city"), predict="y")


@pytest.mark.usefixtures("few")
def test_planted_anomalies_are_found_better_than_by_an_isolation_forest(rows: Trained, run: Path) -> None:
    """Rows in which some cells come from other rows, and rows with a number that is far away."""
    table, random = TRUTH.head(1_000), np.random.default_rng(0)
    mixed = table.apply(lambda values: random.permutation(values.to_numpy())).astype(table.dtypes.to_dict())
    mixed["country"] = mixed["city"].map(dict(zip(TRUTH["city"], TRUTH["country"], strict=True)))
    mixed["end"] = mixed["start"] + (table["end"] - table["start"]).sample(frac=1, random_state=1).to_numpy()
    both = pd.concat([table, mixed], ignore_index=True)
    bad = np.arange(2_000) >= 1_000
    scored = gf.apply(run, both, score=True)
    assert list(scored.columns[-2:]) == ["anomaly_score", "anomaly_percentile"]
    codes = both.drop(columns="key").apply(lambda values: values.astype("category").cat.codes)
    known_codes = codes[:1_000]
    forest = -IsolationForest(random_state=0).fit(known_codes).score_samples(codes)
    assert auc(bad, scored["anomaly_score"].to_numpy()) > auc(bad, forest) + 0.1
    usual = scored["anomaly_percentile"][:1_000]
    assert usual.between(0, 100).all() and 40 < usual.mean() < 65  # real rows are ranked as generated ones
    far = gf.apply(run, table.assign(x=400).head(200), score=True)
    assert far["anomaly_percentile"].mean() > 90


# ---- columns of every kind ------------------------------------------------------------------------------------------


def test_cells_of_every_kind_are_given_balanced_and_made_fair(tmp_path: Path) -> None:
    """A truth, a moment, a category, a whole number with holes, and a sum, whose third part two others decide."""
    random = np.random.default_rng(0)
    net, tax = random.integers(10, 90, 400), random.integers(1, 9, 400)
    frame = pd.DataFrame(
        {
            "member": random.random(400) < 0.4,
            "born": pd.Timestamp("1990-01-01") + pd.to_timedelta(random.integers(0, 9_000, 400), "D"),
            "size": pd.Categorical(random.choice(["S", "M", "L"], 400)),
            "net": net,
            "tax": tax,
            "total": net + tax,
            "count": pd.array(np.where(random.random(400) < 0.2, None, random.integers(0, 3, 400)), "Int64"),
        }
    )
    run = (
        trained(frame, tmp_path, examples=640, options={"rules": ("total = net + tax",)})
        .as_run(tmp_path / "run")
        .folder
    )
    given = frame[["member", "born", "size", "count"]].head(60)
    made = sampled(run, given=given)
    there = given["count"].notna()
    pd.testing.assert_frame_equal(made[["member", "born", "size"]], given[["member", "born", "size"]])
    assert (made["count"][there] == given["count"][there]).all() and made.dtypes.equals(frame.dtypes)
    assert (made["total"] == made["net"] + made["tax"]).all()
    parts = sampled(run, given=pd.DataFrame({"net": [20, 30], "total": [25, 31]}))
    assert parts["tax"].tolist() == [5, 1]
    with pytest.raises(DataError, match="Row 1 breaks the rule 'total = net"):
        sampled(run, given=pd.DataFrame({"net": [20], "tax": [3], "total": [29]}))
    for column, value in {"member": True, "size": "L", "count": 2}.items():
        assert (sampled(run, 100, balance={column: {value: 0.7}})[column] == value).sum() == 70
    fair = sampled(run, 1_000, fair="count ~ member")
    shares = pd.crosstab(fair["member"], fair["count"].fillna(-1), normalize="index")
    assert (shares.loc[True] - shares.loc[False]).abs().max() < 0.01 and fair["count"].isna().any()
    assert (sampled(run, 50, balance="member=True:0.5", where="total>=60")["total"] >= 60).all()
