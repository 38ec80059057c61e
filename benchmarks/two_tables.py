"""Two linked tables: a shop whose structure is known, learned, and measured against its own law.

    python benchmarks/two_tables.py [--customers 4000] [--examples 600000] [--seeds 3] [--children 100000]

Customers have a segment, a city and an age; a segment decides how many orders are usual (Poisson), how much is spent
and on what. Orders ascend in time; the amount of one depends on that of the one before. For each seed: integrity of the
drawn children, the distance of the numbers of children and the cross-correlations, beside the interval of real
held-out families and beside children that are drawn independently of their parent. Exits 1 where a reference is broken.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

import ganforge as gf
from ganforge.run import Run

SEGMENTS = ("basic", "plus", "pro")
ORDERS, SPENT = (1.5, 5.0, 12.0), (2.5, 3.4, 4.3)  # by segment: mean number, and mean logarithm of an amount
KINDS = ("book", "food", "tool", "toy")
SHARES = np.array([[0.6, 0.2, 0.1, 0.1], [0.2, 0.5, 0.2, 0.1], [0.1, 0.1, 0.7, 0.1]])  # of kinds, by segment
AUTOCORRELATION = 0.7  # of the logarithm of amounts, from one order to the next


def shop(customers: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return customers and orders."""
    random = np.random.default_rng(seed)
    segment = random.choice(3, customers, p=[0.5, 0.35, 0.15])
    city = np.where(random.random(customers) < 0.7, segment, random.integers(0, 4, customers))
    since = random.integers(0, 1_500, customers)  # days
    people = pd.DataFrame(
        {
            "id": [f"C-{number:06d}" for number in random.permutation(customers)],
            "segment": np.array(SEGMENTS, dtype=object)[segment],
            "city": np.array(["Bonn", "Graz", "Lyon", "Oslo"], dtype=object)[city],
            "age": np.clip(random.normal(35 + 8 * segment, 9), 18, 90).round().astype(int),
            "since": (pd.Timestamp("2019-01-01") + pd.to_timedelta(since, unit="D")).strftime("%Y-%m-%d"),
        }
    )
    rows = []
    for customer, kind in enumerate(segment):
        day, spent = float(since[customer]), random.normal(0.0, 0.6)
        for _ in range(random.poisson(ORDERS[kind])):
            day += random.exponential((60.0, 40.0, 15.0)[kind])
            spent = AUTOCORRELATION * spent + np.sqrt(1 - AUTOCORRELATION**2) * random.normal(0.0, 0.6)
            what = random.choice(4, p=SHARES[kind])
            when = pd.Timestamp("2019-01-01") + pd.Timedelta(days=int(day))
            rows.append(
                (
                    people["id"][customer],
                    when.strftime("%Y-%m-%d"),
                    KINDS[what],
                    round(float(np.exp(SPENT[kind] + spent)), 2),
                )
            )
    orders = pd.DataFrame(rows, columns=["customer_id", "ordered", "kind", "amount"])
    orders = orders.sample(frac=1, random_state=seed).reset_index(drop=True)
    orders.insert(0, "number", np.arange(1, len(orders) + 1))
    return people, orders


def write_shop(folder: Path, customers: int, seed: int) -> Path:
    """Write a folder with both tables."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in zip(("customers", "orders"), shop(customers, seed), strict=True):
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder


def law(people: pd.DataFrame, orders: pd.DataFrame) -> dict[str, float]:
    """Return what the shop's law says: orders and spending by segment, and how amounts of one customer go together."""
    segment = people.set_index("id")["segment"].reindex(orders["customer_id"]).to_numpy()
    rows = orders.assign(segment=segment).sort_values(["customer_id", "ordered"], kind="stable")
    spent = np.log(rows["amount"].clip(lower=0.01))
    rest = (spent - spent.groupby(rows["segment"]).transform("mean")).to_numpy()
    mine = rows["customer_id"].to_numpy()
    found = {f"orders of {name}": (segment == name).sum() / (people["segment"] == name).sum() for name in SEGMENTS}
    found |= {f"spent by {name}": spent[rows["segment"] == name].mean() for name in SEGMENTS}
    for lag in (1, 2, 4):
        same = mine[lag:] == mine[:-lag]
        found[f"correlation of amounts {lag} apart"] = np.corrcoef(rest[lag:][same], rest[:-lag][same])[0, 1]
    return {name: float(value) for name, value in found.items()}


def integrity(run: Path, children: int, per_parent: float, folder: Path) -> tuple[dict[str, int], dict[str, float]]:
    """Draw so many children at least. Returns: the counts of what is broken, and what their law is."""
    gf.sample(run, int(1.1 * children / per_parent), folder, seed=3)
    people, orders = (pd.read_csv(folder / f"{name}.csv") for name in ("customers", "orders"))
    orders["day"] = pd.to_datetime(orders["ordered"])
    ordered = orders.sort_values(["customer_id", "ordered"], kind="stable")
    first = people.set_index("id")["since"].reindex(ordered["customer_id"]).to_numpy()
    counted = {
        "children": len(orders),
        "orphans": int((~orders["customer_id"].isin(people["id"])).sum()),
        "keys_twice": int(people["id"].duplicated().sum() + orders["number"].duplicated().sum()),
        "before_the_customer": int((ordered["ordered"].to_numpy() < first).sum()),
        "out_of_order": int((orders["day"] < orders.groupby("customer_id")["day"].cummax()).sum()),
        "without_children": int((~people["id"].isin(orders["customer_id"])).sum()),
    }
    return counted, law(people, orders)


def measure(seed: int, customers: int, examples: int, children: int, folder: Path) -> dict[str, object]:
    """Train and measure one run."""
    source = write_shop(folder / f"shop{seed}", customers, seed)
    begun = perf_counter()
    gf.train(source, run=folder / f"run{seed}", examples=examples, seed=seed, task="generate")
    seconds = perf_counter() - begun
    run = Run(folder / f"run{seed}")
    found = json.loads(run.evaluation.read_text())
    people, orders = shop(customers, seed)
    counted, drawn = integrity(run.folder, children, len(orders) / customers, folder / f"new{seed}")
    told = {measure["name"]: measure for measure in found["measures"]}
    floors = found["floor_across"]
    for name in ("children_per_parent", "parent_child", "siblings", "parent_table_quality", "parent_detection",
                 "child_table_quality", "child_detection"):  # fmt: skip
        one = told[name]
        real = "{:.3f} ({:.3f} to {:.3f})".format(*floors[name]) if name in floors else f"{one['floor']:.3f}"
        print(
            f"seed {seed}  {name:22} {one['value']:.3f} ({one['low']:.3f} to {one['high']:.3f})  "
            f"real {real}  reference {one['reference']:.3f}"
        )
    for name, real in law(people, orders).items():
        print(f"seed {seed}  {name:30} {drawn[name]:.2f}  real {real:.2f}")
    print(f"seed {seed}  {counted}  {seconds:.0f} s  {found['verdict']['headline']}", flush=True)
    return {
        "seed": seed,
        "measures": told,
        "integrity": counted,
        "law": drawn,
        "seconds": seconds,
        "verdict": found["verdict"],
    }


def main() -> int:
    """Measure every seed. Returns: the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=4_000)
    parser.add_argument("--examples", type=int, default=600_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--children", type=int, default=100_000)
    parser.add_argument("--out", type=Path, help="where all figures are written as JSON")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = [
            measure(seed, asked.customers, asked.examples, asked.children, Path(folder)) for seed in range(asked.seeds)
        ]
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=2) + "\n")
    broken = ("orphans", "keys_twice", "before_the_customer", "out_of_order")
    return int(any(one["integrity"][name] for one in found for name in broken))  # type: ignore[index]


if __name__ == "__main__":
    sys.exit(main())
