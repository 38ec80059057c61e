"""One function per verb: train, plan, resume, load, sample, evaluate, report, runs. The command line calls only these.

import ganforge as gf

run = gf.train("photos/", minutes=5)
pictures = run.sample(64)  # uint8 (64, C, H, W)
print(run.verdict)
"""

from ganforge.api.drawing import TrainedRun, sample
from ganforge.api.verbs import evaluate, load, plan, report, resume, runs, train

__all__ = ["TrainedRun", "evaluate", "load", "plan", "report", "resume", "runs", "sample", "train"]
