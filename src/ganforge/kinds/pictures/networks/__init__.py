"""Networks for pictures. A new pair is one file and one line here."""

from ganforge.kinds.pictures.networks.conv import ConvPair
from ganforge.kinds.pictures.networks.resnet import ResnetPair
from ganforge.networks import PAIRS, Pairs

PICTURE_PAIRS: Pairs = {"conv": ConvPair, "resnet": ResnetPair, **PAIRS}

__all__ = ["PICTURE_PAIRS"]
