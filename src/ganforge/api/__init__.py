"""One function per verb, from train to runs. The command line calls only these.

import ganforge as gf

run = gf.train("photos/", minutes=5)
pictures = run.sample(64)  # uint8 (64, C, H, W)
print(run.verdict)
"""

from ganforge.api.applying import apply
from ganforge.api.augmenting import Enlarged, augment
from ganforge.api.diagnosing import Diagnosis, diagnose
from ganforge.api.drawing import TrainedRun, sample
from ganforge.api.inverting import FoundPicture, Inversion, invert
from ganforge.api.profiling import Profile, profile
from ganforge.api.verbs import evaluate, load, plan, report, resume, runs, train
from ganforge.api.walking import interpolate

__all__ = [
    "Diagnosis",
    "Enlarged",
    "FoundPicture",
    "Inversion",
    "Profile",
    "TrainedRun",
    "apply",
    "augment",
    "diagnose",
    "evaluate",
    "interpolate",
    "invert",
    "load",
    "plan",
    "profile",
    "report",
    "resume",
    "runs",
    "sample",
    "train",
]
