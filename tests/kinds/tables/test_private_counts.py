"""Private counts and trees: how far one row moves them, how much noise they have, what is found in planted data."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ganforge.core.noise import PrivateNoise
from ganforge.kinds.tables.private import tree as trees
from ganforge.kinds.tables.private.bounds import SORTS, release_categories, release_ranges, sorts_of, threshold_of
from ganforge.kinds.tables.private.cells import cells_of
from ganforge.kinds.tables.private.counts import groups_of, projected, raked, shrunk, without_interaction
from ganforge.kinds.tables.private.schema import PublicColumn
from ganforge.kinds.tables.private.source import encoded

ROWS = 400
AGE = PublicColumn(name="age", kind="number", low=0, high=99, integer=True)
INCOME = PublicColumn(name="income", kind="number", low=0, high=1e6, decimals=2)
SEX = PublicColumn(name="sex", kind="category", categories=("F", "M"))
SEEN = PublicColumn(name="seen", kind="date", low=18_262, high=20_088, integer=True, resolution="D")
COLUMNS = (AGE, INCOME, SEX, SEEN)
HOSTILE = [
    ("1e308", "-inf", "F", "0001-01-01"),
    ("nan", "1e-300", "' OR 1=1", "9999-99-99"),
    ("", "", "", ""),
    ("-5", "٣", "M" * 10_000, "2024-02-30"),
]


class NoNoise(PrivateNoise):
    """No noise, so that what is behind a release can be seen. For tests alone."""

    def gaussian(self, shape, deviation):
        return np.zeros(shape)


def table(rows=ROWS, seed=0):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": random.integers(0, 100, rows).astype(str),
            "income": random.exponential(3e4, rows).round(2).astype(str),
            "sex": random.choice(["F", "M"], rows),
            "seen": (pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 1_800, rows), "D")).astype(str),
        }
    )


def codes_of(frame):
    return [cells_of(column).encode(frame[column.name]) for column in COLUMNS]


def layout(multiplier, rows=ROWS, columns=COLUMNS, classes=2):
    cells = [cells_of(column) for column in columns]
    return trees.Layout(rows, tuple(c.count for c in cells), tuple(c.ordered for c in cells), classes, multiplier)


def distance(one, other):
    return math.sqrt(sum(((one[name] - other[name]) ** 2).sum() for name in one))


@pytest.mark.parametrize("row", HOSTILE)
def test_one_row_more_moves_every_release_by_no_more_than_it_is_accounted_for(row):
    without = table()
    with_it = pd.concat([without, pd.DataFrame([row], columns=without.columns)], ignore_index=True)
    few, many = codes_of(without), codes_of(with_it)
    labels = [np.arange(ROWS) % 2, np.append(np.arange(ROWS) % 2, 1)]
    noise, public = NoNoise(), layout(2.0)
    one, other = (trees.release_pairs(public, c, label, noise) for c, label in zip((few, many), labels, strict=True))
    assert distance(one, other) <= public.of_pairs / (public.multiplier / math.sqrt(trees.PAIRS)) + 1e-9
    margins = trees.margins_of(public, one)  # the same released numbers, whichever table it is
    choice = [trees.release_choice(public, margins, c, la, noise) for c, la in zip((few, many), labels, strict=True)]
    assert np.abs(choice[0]["distances"] - choice[1]["distances"]).max() <= 1 + 1e-9
    assert distance(*choice) <= public.of_choice / (public.multiplier / math.sqrt(trees.CHOICE)) + 1e-9
    for edges in (((0, 1), (1, 2), (2, 3)), ()):
        each = [
            trees.release_triples(public, margins, edges, c, la, noise)
            for c, la in zip((few, many), labels, strict=True)
        ]
        tables = len(edges) or len(COLUMNS)
        assert distance(*each) <= public.of_triples(tables) / (public.multiplier / math.sqrt(trees.TRIPLES)) + 1e-9


@pytest.mark.parametrize("row", HOSTILE)
def test_one_row_moves_bought_ranges_by_one_in_each_column_and_no_category_of_its_own_passes(row, tmp_path):
    frame = table()
    frame.to_csv(tmp_path / "one.csv", index=False)
    pd.concat([frame, pd.DataFrame([row], columns=frame.columns)]).to_csv(tmp_path / "more.csv", index=False)
    names = list(frame)
    one = release_ranges(tmp_path / "one.csv", names, ROWS, 1.0, NoNoise())["sorts"]
    more = release_ranges(tmp_path / "more.csv", names, ROWS + 1, 1.0, NoNoise())["sorts"]
    assert np.abs(one - more).sum(axis=1).max() <= 1 and one.shape == (len(names), SORTS)
    words = bytes(
        release_categories(tmp_path / "more.csv", names, ROWS + 1, 0.5, 1e-6, PrivateNoise(bytes(32)))["words"]
    )
    assert b"OR 1=1" not in words and b"MMM" not in words and b'"F", "M"' in words


def test_a_category_of_one_row_passes_the_threshold_as_seldom_as_delta_says():
    columns, multiplier, delta = 3, 2.0, 0.01
    deviation = multiplier * math.sqrt(columns)
    noise = PrivateNoise(bytes(32)).gaussian((40_000, columns), deviation)
    passed = ((1 + noise) >= threshold_of(columns, multiplier, delta)).any(axis=1).mean()
    assert passed <= delta + 4 * math.sqrt(delta / 40_000)
    assert passed > 0.9 * delta - 4 * math.sqrt(delta / 40_000)  # and is not higher than it need be


def test_the_noise_of_a_release_is_as_large_as_the_ledger_says():
    public = layout(2.0)
    codes, label = codes_of(table()), np.arange(ROWS) % 2
    exact = trees.release_pairs(public, codes, label, NoNoise())
    noisy = trees.release_pairs(public, codes, label, PrivateNoise(bytes(32)))
    found = np.concatenate([(noisy[name] - exact[name]).ravel() for name in exact])
    expected = 2.0 / math.sqrt(trees.PAIRS) * math.sqrt(len(COLUMNS))
    assert found.std() == pytest.approx(expected, rel=4 / math.sqrt(2 * len(found)))


def planted(rows, seed=0):
    """A chain a -> b -> c given the class, and d by itself: four categories each."""
    random = np.random.default_rng(seed)
    label = random.integers(0, 2, rows)
    a = (random.integers(0, 4, rows) + label * random.integers(0, 2, rows)) % 4
    b = np.where(random.random(rows) < 0.8, a, random.integers(0, 4, rows))
    c = np.where(random.random(rows) < 0.8, (b + label) % 4, random.integers(0, 4, rows))
    return label, [a, c, random.integers(0, 4, rows), b]  # not in the order of the chain


def fitted(multiplier, rows=20_000, noise=None):
    label, codes = planted(rows)
    public = trees.Layout(rows, (4,) * 4, (False,) * 4, 2, multiplier)
    noise = noise or PrivateNoise(bytes(32))
    pairs = trees.release_pairs(public, codes, label, noise)
    margins = trees.margins_of(public, pairs)
    choice = trees.release_choice(public, margins, codes, label, noise)
    edges = trees.forest_of(public, margins, choice)
    triples = trees.release_triples(public, margins, edges, codes, label, noise)
    return label, codes, trees.tree_of(public, margins, edges, pairs, triples)


def test_a_planted_tree_is_found_and_a_column_by_itself_is_left_alone():
    _, _, tree = fitted(3.73)
    assert {frozenset(edge) for edge in tree.edges} == {frozenset((0, 3)), frozenset((1, 3))}


def test_without_noise_rows_have_the_counts_of_the_data():
    label, codes, tree = fitted(1e-6, noise=NoNoise())
    drawn, cells = trees.draw(tree, 100_000, np.random.default_rng(1))
    for left, right in ((0, 3), (1, 3)):
        one = trees.counted([label, codes[left], codes[right]], [2, 4, 4]) / len(label)
        other = trees.counted([drawn, cells[left], cells[right]], [2, 4, 4]) / len(drawn)
        assert np.abs(one - other).max() < 4 * math.sqrt(0.25 * one.max() / len(drawn)) + 0.002


def test_of_noise_alone_no_edge_is_chosen_and_rows_can_be_drawn():
    _, _, tree = fitted(1e4)
    assert tree.edges == ()
    drawn, cells = trees.draw(tree, 50, np.random.default_rng(0))
    assert len(drawn) == 50 and all(cell.max() < 4 for cell in cells)


def test_more_noise_merges_cells_into_fewer_groups():
    groups = [replace(layout(2.0, rows=30_000), multiplier=m).most_groups for m in (0.01, 1.0, 10.0, 1000.0)]
    assert groups == sorted(groups, reverse=True) and groups[0] > groups[-1] == trees.FEWEST_GROUPS


def test_projected_counts_add_up_and_keep_their_order():
    values = np.array([5.0, -3.0, 1.0, 0.2])
    found = projected(values, 4.0)
    assert found.sum() == pytest.approx(4) and (found >= 0).all() and found[0] == pytest.approx(4.0)


def test_counts_without_an_interaction_of_three_have_the_margins_and_one_odds_ratio():
    random = np.random.default_rng(0)
    table = random.integers(5, 50, (2, 3, 3)).astype(float)
    found = without_interaction(table.sum(0), table.sum(2), table.sum(1))
    assert found.sum(0) == pytest.approx(table.sum(0), rel=1e-3)
    odds = found[:, 0, 0] * found[:, 1, 1] / (found[:, 0, 1] * found[:, 1, 0])
    assert odds[0] == pytest.approx(odds[1], rel=1e-3)


def test_what_is_noise_is_shrunk_away_and_what_is_not_is_kept():
    random = np.random.default_rng(0)
    expected, noise = np.full(400, 10.0), random.normal(0, 5, 400)
    assert np.abs(shrunk(noise, expected, 5.0)).mean() < 0.25 * np.abs(noise).mean()
    assert shrunk(100 + noise, expected, 5.0) == pytest.approx(100 + noise, rel=0.01)
    assert raked(np.ones((2, 2)), np.array([3.0, 1]), np.array([2.0, 2])).sum(0) == pytest.approx([2, 2])


def test_cells_are_merged_in_order_and_a_heavy_one_stands_alone():
    group = groups_of(np.array([1.0, 1, 1, 90, 1, 1, 1, 4]), 4, 1.0, ordered=True)
    assert (np.diff(group) >= 0).all() and (group == group[3]).sum() == 1
    rare = groups_of(np.array([50.0, 1, 40, 2]), 3, 5.0, ordered=False)
    assert rare.tolist() == [0, 2, 1, 2]


def test_values_beyond_the_schema_are_clipped_and_unknown_ones_are_missing():
    cells = cells_of(AGE)
    assert cells.encode(pd.Series(["-7", "200", "x", None, "41.9"])).tolist() == [0, 99, 100, 100, 41]
    assert cells_of(SEX).encode(pd.Series(["F", "X", None, " M "], dtype=object)).tolist() == [0, 2, 2, 1]
    drawn = cells_of(INCOME).decode(np.arange(cells_of(INCOME).valued), np.random.default_rng(0))
    assert (np.diff(drawn) > 0).all() and drawn.min() >= 0 and drawn.max() <= 1e6
    day = cells_of(SEEN).encode(pd.Series(["2020-01-01", "2024-12-31"]))
    assert day[0] == 0 and day[1] == cells_of(SEEN).valued - 1


def test_a_word_for_missing_values_is_a_category_where_the_schema_names_it(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n" + "a,1\n?,2\nNA,3\n,4\n" * 6)
    column = PublicColumn(name="x", kind="category", categories=("a", "?"))
    (codes,) = encoded(tmp_path / "t.csv", [cells_of(column)], 24)
    assert codes[:4].tolist() == [0, 1, 2, 2]


def test_the_cell_of_a_row_does_not_depend_on_the_other_rows(tmp_path):
    frame = table(60)
    frame.to_csv(tmp_path / "a.csv", index=False)
    odd = frame.copy()
    odd.loc[1:, "age"] = "text"  # so that a reader would take the column for text
    odd.to_csv(tmp_path / "b.csv", index=False)
    cells = [cells_of(column) for column in COLUMNS]
    one, other = (encoded(tmp_path / name, cells, 60) for name in ("a.csv", "b.csv"))
    assert [code[0] for code in one] == [code[0] for code in other]
    assert sorts_of(frame["age"])[0] == sorts_of(odd["age"])[0]
