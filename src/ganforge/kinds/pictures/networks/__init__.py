"""Networks for pictures. A new pair is one file and one line here."""

from ganforge.networks import PAIRS, Pairs
from ganforge.networks.conv import ConvPair
from ganforge.networks.resnet import ResnetPair

PICTURE_PAIRS: Pairs = {"conv": ConvPair, "resnet": ResnetPair, **PAIRS}

__all__ = ["PICTURE_PAIRS"]
