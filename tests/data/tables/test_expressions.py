import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganforge.errors import RecipeError
from ganforge.kinds.tables.rules.expressions import (
    Curve,
    Expression,
    Operation,
    evaluate,
    expression_in_words,
    narrowed_by,
    range_of,
    read_expression,
    solve,
)

NAMES = ("c", "net", "tax", "unit price", "x-y", "1")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.8 * c + 32", 50.0),
        ("(net - tax) / 2", 40.0),
        ("net - (tax - c)", 90.0),
        ("unit price * 2 ^ 3", 32.0),
        ("-c + 3", -7.0),
        ('"1" * 2 - x-y', 9.0),
        ("1e1 * c", 100.0),
    ],
)
def test_expressions_are_read_as_mathematics_writes_them(text: str, value: float) -> None:
    plain = {name: np.array([number]) for name, number in zip(NAMES, (10.0, 100.0, 20.0, 4.0, 5.0, 7.0), strict=True)}
    assert evaluate(read_expression(text, NAMES), plain).tolist() == [value]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("net + taxx", r"no column 'taxx'.*Did you mean 'tax'"),
        ("net +", r"cannot be read.*nothing"),
        ("net tax", r"cannot be read.*'tax'"),
        ("net ^ c", r"exponent is a number"),
        ("(net", r"cannot be read"),
        ("(" * 3000 + "c" + ")" * 900, r"parentheses"),
        ("c + " * 2000 + "c", r"8,000"),
    ],
)
def test_expressions_that_cannot_be_read_are_refused(text: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        read_expression(text, NAMES)


LEAVES = st.one_of(st.sampled_from(NAMES), st.floats(0.01, 1e6).map(lambda number: float(f"{number:.3g}")))
TREES: st.SearchStrategy[Expression] = st.recursive(
    LEAVES, lambda sides: st.builds(Operation, st.sampled_from("+-*/"), sides, sides), max_leaves=6
)


@given(tree=TREES)
def test_any_expression_can_be_written_and_read_again(tree: Expression) -> None:
    assert read_expression(expression_in_words(tree, NAMES), NAMES) == tree


@settings(max_examples=50)
@given(tree=TREES, seed=st.integers(0, 99))
def test_values_lie_in_the_range_that_is_told_and_in_what_a_condition_leaves(tree: Expression, seed: int) -> None:
    rng = np.random.default_rng(seed)
    plain = {name: rng.uniform(1, 5, 50) for name in NAMES}
    values = np.full(50, evaluate(tree, plain))
    known = values[~np.isnan(values)]
    if not len(known):
        return
    low, high = range_of(tree, dict.fromkeys(NAMES, (1.0, 5.0)))
    noise = 1e-6 * max(np.abs(known).max(), 1.0)
    assert low - noise <= known.min() and known.max() <= high + noise
    wanted = (float(np.quantile(known, 0.4)) - noise, float(np.quantile(known, 0.6)) + noise)
    rows = (values >= wanted[0]) & (values <= wanted[1])
    for name, (low, high) in narrowed_by(tree, wanted, dict.fromkeys(NAMES, (1.0, 5.0))):
        slack = 1e-6 * max([1.0, *(abs(end) for end in (low, high) if np.isfinite(end))])
        assert (plain[name][rows] >= low - slack).all() and (plain[name][rows] <= high + slack).all()


@pytest.mark.parametrize(
    "text", ["1.8 * c + 32", "(c - 32) / 1.8", "net - c", "net / c", "net * c - tax", "c ^ 2 + net"]
)
def test_an_expression_is_solved_for_a_column(text: str) -> None:
    tree = read_expression(text, NAMES)
    plain = {name: np.random.default_rng(0).uniform(1, 5, 20) for name in NAMES}
    assert np.allclose(solve(tree, "c", evaluate(tree, plain), {**plain, "c": np.full(20, np.nan)}), plain["c"])


def test_a_curve_is_solved_and_of_a_level_part_the_middle() -> None:
    rising = Curve("x", (0.0, 4.0, 6.0, 9.0), (0.0, 0.0, 1.0, 1.0))
    falling = Curve("x", (0.0, 4.0, 6.0, 9.0), (5.0, 5.0, 4.0, 2.0))
    for curve, wanted, expected in (
        (rising, [0.0, 0.25, 1.0, 2.0], [2.0, 4.5, 7.5, np.nan]),
        (falling, [5.0, 4.5, 3.0, 1.0], [2.0, 5.0, 7.5, np.nan]),
        (Curve("x", (0.0, 1.0, 2.0), (0.0, 1.0, 0.0)), [0.5], [np.nan]),
    ):
        solved = solve(curve, "x", np.array(wanted), {})
        np.testing.assert_allclose(solved, expected)
        there = ~np.isnan(solved)
        np.testing.assert_allclose(evaluate(curve, {"x": solved})[there], np.array(wanted)[there])
    function = read_expression("2 * log10(x + 1) - 3", ["x"])
    found = solve(function, "x", evaluate(function, {"x": np.array([0.0, 9.0, 99.0])}), {})
    np.testing.assert_allclose(found, [0.0, 9.0, 99.0], atol=1e-9)
    assert expression_in_words(function, ["x"]) == "2 * log10(x + 1) - 3"
    for text in ("curve(x)", "curve(x, 1: 2)", "curve(x, 2: 1, 1: 2)", "log(x", "curve(y, 1: 2, 3: 4)"):
        with pytest.raises(RecipeError):
            read_expression(text, ["x"])
