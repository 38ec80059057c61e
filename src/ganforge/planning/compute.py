"""Choose where and how a run computes, and set this process to it."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from threadpoolctl import threadpool_limits

from ganforge.core.device import survey_machine
from ganforge.planning.draft import Choice, Draft
from ganforge.recipe import Compute

WHOLE = "a batch is computed as a whole; more pieces take less memory"
ALONE = "each operation has one: several wait for each other, and for long where other programs run"


def choose_compute(draft: Draft) -> Compute:
    """Choose the section `compute` for the draft's device: precision, threads, and what only an NVIDIA GPU has."""
    machine, device = survey_machine(), draft.device
    best, on_gpu = device == machine.device, device.startswith("cuda")
    precision = machine.precision if best else "float32"
    reasons = (
        machine.precision_reason if best else "safe on any device",
        "products of matrices and convolutions; weights, moments, losses and penalties are float32"
        if precision == "bfloat16"
        else "",
        "what stays float32 is multiplied as TF32" if on_gpu else "",
    )
    for_a_gpu: dict[str, Choice] = {
        "capture": (True, "hundreds of small operations are started at once"),
        "deterministic": (False, "the fastest algorithms; true makes a resumed run the same to the bit"),
    }
    return draft.choose(
        Compute,
        device=(device, machine.device_reason),
        precision=(precision, "; ".join(filter(None, reasons))),
        pieces=(1, WHOLE),
        threads=(machine.threads, ALONE if machine.threads == 1 else machine.description),
        **(for_a_gpu if on_gpu else {}),
    )


def use(compute: Compute) -> None:
    """Sets this process to a recipe's section `compute`.

    The number of threads decides the order of sums, and with it the bits of a run; on a GPU the choice of algorithms
    does. TF32 keeps 10 bits of the factors of a product and adds in float32.
    """
    torch.set_num_threads(compute.threads)
    on_gpu = compute.device.startswith("cuda")
    torch.set_float32_matmul_precision("high" if on_gpu else "highest")
    if on_gpu:
        torch.use_deterministic_algorithms(bool(compute.deterministic))
        torch.backends.cudnn.benchmark = not compute.deterministic


def library_threads(compute: Compute) -> AbstractContextManager[object]:
    """A context in which numpy, SciPy and scikit-learn share an operation among as many threads as torch does.

    Left alone they take all cores. Judging digits took 4 s with one thread and 5 to 11 s with two.
    """
    limits: AbstractContextManager[object] = threadpool_limits(compute.threads)
    return limits
