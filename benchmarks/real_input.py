"""Is what people really have read rightly? 90 awkward tables, 68 awkward folders of pictures, and what must come back.

Every case is made from a seed, given to the command line as a person would (`train`, then `sample` or `apply`), and
checked by what it must give: cells in the form of the real ones, shares and relations within their sampling error, a
sentence that says what was left out, or a refusal in words before anything is written. A traceback fails a case,
whatever else it gives. Runs are tiny: this asks about reading and writing, not about quality.

    python benchmarks/real_input.py [--kind tables|pictures] [--only WORDS ...] [--seed 0] [--folder runs/real-input]

Bar: all of them; exit code 1 below.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import zlib
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from time import perf_counter

import numpy as np
from real_cases import Case, Outcome
from real_more_tables import MORE_TABLES
from real_pictures import PICTURES
from real_tables import TABLES

from ganforge.cli.main import main as main_of_cli


def call(*arguments: object) -> tuple[int, str]:
    """Run the command line in this process. Returns its exit code and all that it printed."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(out):
        code = main_of_cli([str(argument) for argument in arguments])
    return code, out.getvalue()


def fault(case: Case, folder: Path, seed: int) -> str:
    """Make one case, train on it, use the model. Returns what is wrong, or nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source = case.make(folder, np.random.default_rng([seed, zlib.crc32(case.name.encode())]))
    run, new = folder / "run", folder / f"new{case.ending}"
    code, said = call("train", source, "--run", run, "--examples", case.examples, *case.options)
    if code == 0 and case.use:
        used, more = call(*(word.format(run=run, new=new, source=source, folder=folder) for word in case.use))
        code, said = used, said + more
    if "Traceback" in said or "Something unexpected" in said:
        return "not told in words: " + said.strip()[-300:]
    outcome = Outcome(code, " ".join(said.split()), source, new, run)
    wrong = [problem for check in case.checks if (problem := check(outcome))]
    return "; ".join(wrong)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kind", choices=("tables", "pictures"))
    parser.add_argument("--only", nargs="*", default=[], help="words of the names of cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("runs/real-input"))
    asked = parser.parse_args(arguments)
    failed = 0
    for kind, cases in (("tables", (*TABLES, *MORE_TABLES)), ("pictures", PICTURES)):
        if asked.kind not in (None, kind):
            continue
        chosen = [case for case in cases if not asked.only or any(word in case.name for word in asked.only)]
        held = 0
        for number, case in enumerate(chosen):
            began = perf_counter()
            wrong = fault(case, (asked.folder / f"{kind}-{number:02}").absolute(), asked.seed)
            held += not wrong
            print(f"{'holds' if not wrong else 'FAILS'}  {perf_counter() - began:5.1f} s  {case.name}", flush=True)
            if wrong:
                print(f"       {wrong[:600]}", flush=True)
        print(f"{kind}: {held} of {len(chosen)} hold\n", flush=True)
        failed += len(chosen) - held
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
