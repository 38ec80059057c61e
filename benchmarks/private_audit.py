"""Does the audit of private training have teeth? Five broken engines, and twenty audits of the correct one.

    python benchmarks/private_audit.py

Bar: 5 of 5 broken engines are caught, 0 of 20 false alarms, under 60 CPU seconds in all. Each test of the audit raises
a false alarm on a correct engine with a chance of 1e-6.
"""

from __future__ import annotations

import sys
import time

import torch
from broken_engines import BROKEN

from ganforge.engine.private import PrivateGradients
from ganforge.privacy.engine_audit import EngineFinding, audit_engine

AUDITS = 20
BAR_SECONDS = 60.0


def row(name: str, findings: list[EngineFinding]) -> str:
    return f"{name:32}" + "".join(f"{finding.measured:>10.4g}{' ' if finding.passed else '*'}" for finding in findings)


def main() -> int:
    torch.set_num_threads(1)
    begun = time.process_time()
    first = audit_engine(PrivateGradients)
    heads = ("adjacency", "noise", "fresh", "killed", "step", "training", "sampler", "ledger")
    print(f"{'engine (* is a fault found)':32}" + "".join(f"{head:>10} " for head in heads))
    print(row("at most", [EngineFinding("", finding.bar, 0, True, "") for finding in first]))
    audits = [first, *(audit_engine(PrivateGradients) for _ in range(AUDITS - 1))]
    alarms = sum(any(not finding.passed for finding in findings) for findings in audits)
    for number, findings in enumerate(audits):
        print(row(f"correct, {number + 1}", findings))
    caught = 0
    for name, engine in BROKEN.items():
        findings = audit_engine(engine)
        caught += any(not finding.passed for finding in findings)
        print(row(name, findings))
    seconds = time.process_time() - begun
    print(f"caught {caught} of {len(BROKEN)}; false alarms {alarms} of {AUDITS}; {seconds:.0f} CPU s in all")
    return 0 if (caught, alarms) == (len(BROKEN), 0) and seconds < BAR_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
