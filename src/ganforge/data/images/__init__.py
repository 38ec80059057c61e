"""Pictures: `survey` says what is there, `open_pictures` opens it for training, `write_pictures` writes samples."""

from ganforge.data.images.array_survey import BUILT_IN
from ganforge.data.images.feed import PictureFeed, to_uint8
from ganforge.data.images.part import Survey
from ganforge.data.images.pictures import Pictures, open_pictures
from ganforge.data.images.survey import survey
from ganforge.data.images.symmetry import MIRRORED, mirrored_ratio
from ganforge.data.images.write import write_pictures

__all__ = [
    "BUILT_IN",
    "MIRRORED",
    "PictureFeed",
    "Pictures",
    "Survey",
    "mirrored_ratio",
    "open_pictures",
    "survey",
    "to_uint8",
    "write_pictures",
]
