"""A table of customers with planted relations: what a model of tables must learn, and the rules that it must keep.

customer_id   C-000123, no two alike                                       unique customer_id
city          60 names of uneven size; each lies in one of 12 countries    city -> country
signup        a day of 2022 to 2024                                        signup <= last_order
last_order    to the second, from hours to months later; missing where nothing was ordered: of `free` two of five,
              of the others one in twenty
age           whole years, 18 to 90
income        two decimals, log-normal: highest at 50, a level for each country; the young say it less often
plan          free, basic, plus or premium: the higher the income, the higher
active        mostly whether the last order lies in the last quarter of 2024
product       one of 10,000 codes, Zipf: each plan has favourites of its own
discount      per cent: 0 for most, else continuous; premium has the largest
currency      EUR for all

python benchmarks/planted_table.py OUT.csv [ROWS] [SEED]
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.core.seeds import seed_for

COUNTRIES = (
    "Austria", "Belgium", "Croatia", "Denmark", "Estonia", "Finland",
    "Greece", "Hungary", "Ireland", "Latvia", "Malta", "Norway",
)  # fmt: skip
CITIES = 60
PLANS = ("free", "basic", "plus", "premium")
PRODUCTS = 10_000
FIRST_DAY, END = np.datetime64("2022-01-01", "D"), np.datetime64("2025-01-01", "s")
LAST_QUARTER = np.datetime64("2024-10-01", "s")
RULES = ("signup <= last_order", "city -> country", "unique customer_id")


def planted_table(rows: int, seed: int = 0) -> pd.DataFrame:
    """Args: rows > 0; seed decides everything. Returns: the table above, (rows, 12), always the same."""
    random = np.random.default_rng(seed_for(seed, "benchmarks/planted_table"))
    sizes = 1.0 / np.arange(3, CITIES + 3)
    city = random.choice(CITIES, rows, p=sizes / sizes.sum())
    country = city % len(COUNTRIES)
    age = np.clip(18 + 72 * random.beta(1.6, 2.6, rows), 18, 90).astype(np.int64)
    level = 10.2 - ((age - 50) / 32.0) ** 2 + 0.08 * country
    income = np.round(np.exp(level + 0.35 * random.standard_normal(rows)), 2)
    wish = np.log(income) - 10.2 + 0.4 * random.standard_normal(rows)
    plan = np.searchsorted([-0.5, 0.1, 0.7], wish)  # places in PLANS
    signup, last_order = _dates(plan, random)
    active = (last_order >= LAST_QUARTER) ^ (random.random(rows) < 0.03)  # a missing order is not late: False
    income[random.random(rows) < np.where(age < 25, 0.3, 0.04)] = np.nan
    return pd.DataFrame(
        {
            "customer_id": [f"C-{number:06d}" for number in random.permutation(rows) + 1],
            "city": np.array([f"City {number:02d}" for number in range(CITIES)], dtype=object)[city],
            "country": np.array(COUNTRIES, dtype=object)[country],
            "signup": signup.astype("datetime64[s]"),
            "last_order": last_order,
            "age": age,
            "income": income,
            "plan": np.array(PLANS, dtype=object)[plan],
            "active": active,
            "product": _products(plan, random),
            "discount": _discounts(plan, random),
            "currency": "EUR",
        }
    )


def _dates(
    plan: NDArray[np.int64], random: np.random.Generator
) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64]]:
    """Days of signing up, growing more frequent, and seconds of the last order, (N,) each."""
    days = int((END.astype("datetime64[D]") - FIRST_DAY).astype(np.int64))
    signup = FIRST_DAY + (days * np.sqrt(random.random(len(plan)))).astype(np.int64)
    left = (END - signup.astype("datetime64[s]")).astype(np.float64)  # seconds
    mean = 86_400.0 * np.array([2.0, 20.0, 60.0, 120.0])[plan]
    wait = np.minimum(random.exponential(mean), left - 1)
    last_order = signup.astype("datetime64[s]") + wait.astype(np.int64)
    never = random.random(len(plan)) < np.where(plan == 0, 0.4, 0.05)
    last_order[never] = np.datetime64("NaT")
    return signup, last_order


def _products(plan: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.object_]:
    shares = np.cumsum(np.arange(1, PRODUCTS + 1) ** -1.1)
    rank = np.searchsorted(shares / shares[-1], random.random(len(plan)))
    number = (rank + PRODUCTS // len(PLANS) * plan) % PRODUCTS  # the first ranks of each plan are other products
    return np.array([f"P-{number:04d}" for number in range(PRODUCTS)], dtype=object)[number]


def _discounts(plan: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.float64]:
    some = random.random(len(plan)) < np.array([0.05, 0.2, 0.3, 0.5])[plan]
    return np.where(some, np.round((5 + 10 * plan) * (0.5 + random.beta(2, 3, len(plan))), 3), 0.0)


if __name__ == "__main__":
    out, *numbers = sys.argv[1:]
    planted_table(*([int(number) for number in numbers] or [50_000])).to_csv(out, index=False)
