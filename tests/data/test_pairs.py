"""Two folders of pictures: pairs where names match, else two crowds."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganforge.errors import DataError
from ganforge.kinds.pictures.translate.pairs import open_pairs
from ganforge.kinds.pictures.translate.sides import survey_sides


def picture(seed: int, side: int = 16) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8))


def two_folders(root: Path, a: list[str], b: list[str], names: tuple[str, str] = ("A", "B")) -> Path:
    for number, (folder, files) in enumerate(zip(names, (a, b), strict=True)):
        (root / folder).mkdir(parents=True)
        for place, name in enumerate(files):
            picture(1000 * number + place).save(root / folder / name)
    return root


def numbered(count: int, prefix: str = "", suffix: str = ".png") -> list[str]:
    return [f"{prefix}{place:03d}{suffix}" for place in range(count)]


def test_equal_names_are_pairs_whatever_their_format_and_the_plan_says_why(tmp_path: Path) -> None:
    sides = survey_sides(str(two_folders(tmp_path, numbered(40), numbered(40, suffix=".bmp"))))
    assert sides.pairing == "paired"
    assert sides.why == "40 of 40 names are found in both A and B: each picture has its truth"
    pairs = open_pairs(sides, size=(16, 16))
    batch = pairs.train.batch(torch.arange(len(pairs.train)))
    for x, y in zip(batch["x"], batch["y"], strict=True):
        one = next(n for n in range(40) if np.array_equal(_levels(x), np.asarray(picture(n))))
        assert np.array_equal(_levels(y), np.asarray(picture(1000 + one)))


def _levels(x: torch.Tensor) -> np.ndarray:
    return ((x + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()


def test_other_names_are_two_crowds_of_different_size(tmp_path: Path) -> None:
    sides = survey_sides(str(two_folders(tmp_path, numbered(40, "cat"), numbered(30, "dog"), ("content", "style"))))
    assert sides.pairing == "unpaired"
    assert sides.why == "no name is found in both content and style"
    pairs = open_pairs(sides, size=(16, 16))
    x, y = pairs.train.sides["x"].examples(), pairs.train.sides["y"].examples()
    assert len(pairs.train) == len(x) > len(y)
    last = pairs.train.batch(torch.tensor([len(x) - 1]))
    assert np.array_equal(_levels(last["y"][0]), y[(len(x) - 1) % len(y)].transpose(1, 2, 0))


def test_a_few_names_in_common_are_an_accident(tmp_path: Path) -> None:
    sides = survey_sides(str(two_folders(tmp_path, numbered(30), [*numbered(3), *numbered(27, "x")])))
    assert sides.pairing == "unpaired"
    assert sides.why == "only 3 of 30 names are found in both A and B"


def test_pairs_that_share_a_picture_land_in_the_same_part(tmp_path: Path) -> None:
    root = two_folders(tmp_path, numbered(60), numbered(60))
    for place in range(0, 60, 2):  # two inputs of the same truth
        picture(1000 + place).save(root / "B" / f"{place + 1:03d}.png")
    pairs = open_pairs(survey_sides(str(root)), size=(16, 16))
    parts = [{truth.tobytes() for truth in feed.sides["y"].examples()} for feed in (pairs.train, pairs.held_out)]
    assert len(parts[1]) >= 12
    assert not parts[0] & parts[1]


def test_pairs_asked_for_without_common_names_are_refused_with_examples(tmp_path: Path) -> None:
    root = two_folders(tmp_path, numbered(30, "cat"), numbered(30, "dog"))
    with pytest.raises(DataError, match=r"no file name in common\. For example 'cat000.png' and 'dog000.png'"):
        survey_sides(str(root), "paired")


def test_a_pair_of_different_sizes_is_refused_by_name(tmp_path: Path) -> None:
    root = two_folders(tmp_path, numbered(30), numbered(30))
    for name in ("007", "008"):
        picture(5, side=20).save(root / "B" / f"{name}.png")
    with pytest.raises(DataError, match=r"2 of 30 pairs differ.*A/007.png and B/007.png: 16 x 16 and 20 x 20"):
        survey_sides(str(root))
    assert survey_sides(str(root), "unpaired").pairing == "unpaired"


def test_one_misfit_is_left_out_and_a_pixel_more_is_cut(tmp_path: Path) -> None:
    root = two_folders(tmp_path, [], [])
    for place, name in enumerate(numbered(40)):
        picture(place, 64).save(root / "A" / name)
        picture(1000 + place, {7: 65, 8: 80}.get(place, 64)).save(root / "B" / name)
    sides = survey_sides(str(root))
    assert sides.pairing == "paired" and len(sides.names[0]) == 39 and sides.native_size == (64, 64)
    assert sides.told == (
        "1 pairs differ a little in size, and are cut to one: A/007.png and B/007.png: 64 x 64 and 65 x 65 pixels.",
        "1 pairs differ in size and are left out: A/008.png and B/008.png: 64 x 64 and 80 x 80 pixels.",
    )
    assert len(open_pairs(sides, size=(64, 64)).passport["warnings"]) == 3  # and that they are few


def test_equal_names_of_one_side_lose_no_picture(tmp_path: Path) -> None:
    names = [f"{name}{suffix}" for name in numbered(15, "cat", "") for suffix in (".png", ".bmp", ".jpg")]
    sides = survey_sides(str(two_folders(tmp_path, names, numbered(30, "dog"))))
    assert sides.pairing == "unpaired" and sorted(sides.names[0]) == sorted(names)


def test_equal_names_of_one_side_are_matched_by_their_endings(tmp_path: Path) -> None:
    both = [*numbered(30), "000.bmp", "001.bmp"]
    sides = survey_sides(str(two_folders(tmp_path, both, numbered(30))))
    assert sides.pairing == "paired" and sides.names[0] == sides.names[1] == tuple(numbered(30))
    assert sides.told == ("2 pictures have no partner of the same name: they are left out.",)


@pytest.mark.parametrize(
    "marks", [("_A", "_B"), ("_real", "_fake"), ("-input", "-target"), (".left", ".right"), ("_a", "_B")]
)
def test_marks_at_the_end_of_names_are_left_out(tmp_path: Path, marks: tuple[str, str]) -> None:
    sides = survey_sides(str(two_folders(tmp_path, *(numbered(30, suffix=f"{mark}.png") for mark in marks))))
    assert sides.pairing == "paired" and "but for marks" in sides.why
    assert [name[:3] for name in sides.names[0]] == [name[:3] for name in sides.names[1]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("", ".png"), ("", "_mask.png")),
        (("shot-", ".png"), ("truth ", ".bmp")),
        (("IMG_", "_raw.png"), ("", "_gt.png")),
    ],
)
def test_ends_that_all_names_share_are_a_hint_and_pairs_when_asked_for(
    tmp_path: Path, one: tuple[str, str], other: tuple[str, str]
) -> None:
    root = str(two_folders(tmp_path, numbered(40, *one), numbered(40, *other)))
    sides, asked = survey_sides(root), survey_sides(root, "paired")
    assert sides.pairing == "unpaired" and "--set task.pairing=paired" in sides.told[0]
    assert sides.why.endswith("A and B, and 40 are but for what all names of a folder begin or end with")
    assert asked.pairing == "paired" and len(asked.names[0]) == 40
    assert [re.findall(r"\d+", name) for name in asked.names[0]] == [re.findall(r"\d+", n) for n in asked.names[1]]


def test_marks_at_the_beginning_too_and_other_words_are_no_marks(tmp_path: Path) -> None:
    marked = survey_sides(str(two_folders(tmp_path / "m", numbered(30, "A_"), numbered(30, "B_"))))
    words = survey_sides(str(two_folders(tmp_path / "w", numbered(30, "cat_"), numbered(30, "dog_"))))
    assert (marked.pairing, words.pairing) == ("paired", "unpaired")


ALPHABET = "From 'drawings' to 'photos', in the order of the alphabet: A and B say it better."


@pytest.mark.parametrize(
    ("folders", "found", "rest"),
    [
        (["trainA", "trainB", "testA", "testB"], ("trainA", "trainB"), ("Not read: testA, testB.",)),
        (["train/A", "train/B", "test/A"], ("train/A", "train/B"), ("Not read: test.",)),
        (["all/left", "all/right"], ("all/left", "all/right"), ()),
        (["gt", "lq"], ("lq", "gt"), ()),
        (["photos", "drawings"], ("drawings", "photos"), (ALPHABET,)),
    ],
)
def test_the_usual_layouts_are_found(tmp_path: Path, folders: list[str], found: object, rest: object) -> None:
    for number, folder in enumerate(folders):
        (tmp_path / folder).mkdir(parents=True)
        for place, name in enumerate(numbered(24)):
            picture(100 * number + place).save(tmp_path / folder / name)
    sides = survey_sides(str(tmp_path))
    assert (sides.folders, sides.told, sides.pairing) == (found, rest, "paired")
    assert len(open_pairs(sides, size=(16, 16)).train) == 12


def test_marked_files_in_one_folder_get_a_hint(tmp_path: Path) -> None:
    for name in ("001_A.png", "001_B.png"):
        picture(1).save(tmp_path / name)
    with pytest.raises(DataError, match=r"Move files such as '001_A.png' into one of the two"):
        survey_sides(str(tmp_path))


def test_files_that_hold_both_sides_get_a_hint(tmp_path: Path) -> None:
    picture(1).save(tmp_path / "001.png")
    with pytest.raises(DataError, match=r"Cut files that hold both side by side in two"):
        survey_sides(str(tmp_path))


def test_an_empty_folder_one_folder_and_no_folder_are_refused(tmp_path: Path) -> None:
    root = two_folders(tmp_path / "one", numbered(30), [])
    with pytest.raises(DataError, match="is empty"):
        survey_sides(str(root))
    (tmp_path / "two" / "A").mkdir(parents=True)
    with pytest.raises(DataError, match=r"holds 1 folders: A"):
        survey_sides(str(tmp_path / "two"))
    with pytest.raises(DataError, match="does not exist"):
        survey_sides(str(tmp_path / "none"))


def test_too_few_pairs_are_refused(tmp_path: Path) -> None:
    root = two_folders(tmp_path, numbered(30), [*numbered(10), *numbered(20, "x")])
    with pytest.raises(DataError, match="10 pictures of"):
        survey_sides(str(root), "paired")


def test_damaged_files_are_skipped_and_listed(tmp_path: Path) -> None:
    root = two_folders(tmp_path, numbered(40), numbered(40))
    (root / "A" / "003.png").write_bytes(b"no picture")
    pairs = open_pairs(survey_sides(str(root)), size=(16, 16))
    assert pairs.passport["count"] == 39
    assert pairs.passport["skipped"][0]["name"] == "003.png"
    assert any("1 pictures have no partner" in told for told in pairs.passport["warnings"])


def test_the_hash_knows_every_pixel(tmp_path: Path) -> None:
    root = two_folders(tmp_path, numbered(40), numbered(40))
    before = open_pairs(survey_sides(str(root)), size=(16, 16)).data_hash
    assert open_pairs(survey_sides(str(root)), size=(16, 16)).data_hash == before
    picture(77).save(root / "B" / "020.png")
    assert open_pairs(survey_sides(str(root)), size=(16, 16)).data_hash != before


def test_copies_of_few_pictures_are_refused_with_the_number_of_different_ones(tmp_path: Path) -> None:
    two_folders(tmp_path, numbered(40, "a"), numbered(40, "b"))
    for place in range(40):
        picture(place % 3).save(tmp_path / "B" / f"b{place:03d}.png")
    with pytest.raises(DataError, match="'B' holds 3 different pictures"):
        open_pairs(survey_sides(str(tmp_path)), size=(16, 16))
