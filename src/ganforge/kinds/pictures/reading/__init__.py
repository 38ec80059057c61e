"""Pictures: `survey` says what is there, `open_pictures` opens it for training, `write_pictures` writes samples."""

from ganforge.kinds.pictures.measures.symmetry import MIRRORED, mirrored_ratio
from ganforge.kinds.pictures.reading.array_survey import BUILT_IN
from ganforge.kinds.pictures.reading.feed import PictureFeed, to_uint8
from ganforge.kinds.pictures.reading.open import Pictures, open_pictures
from ganforge.kinds.pictures.reading.part import Survey
from ganforge.kinds.pictures.reading.survey import survey
from ganforge.kinds.pictures.write import write_pictures

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
