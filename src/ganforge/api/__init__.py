"""One function per verb, from train to runs. The command line calls only these.

import ganforge as gf

run = gf.train("photos/", minutes=5)
pictures = run.sample(64)  # uint8 (64, C, H, W)
print(run.verdict)
"""

from ganforge.api.apply import apply
from ganforge.api.augment import Enlarged, augment
from ganforge.api.diagnose import Diagnosis, diagnose
from ganforge.api.interpolate import interpolate
from ganforge.api.invert import FoundPicture, Inversion, invert
from ganforge.api.profile import Profile, profile
from ganforge.api.sample import TrainedRun, sample
from ganforge.api.train import evaluate, load, plan, report, resume, runs, train

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
