from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("GANFORGE_CACHE", str(folder))
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty-four coloured pictures of 16 x 16, all different."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, picture in enumerate(np.random.default_rng(0).integers(0, 256, (24, 16, 16, 3), np.uint8)):
        Image.fromarray(picture).save(folder / f"{i:02d}.png")
    return folder
