"""What opening promises of any pictures: two parts that share nothing, both large enough, and a cache that lasts."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganforge.errors import DataError, RecipeError
from ganforge.kinds.pictures.reading import array_files, store
from ganforge.kinds.pictures.reading.open import Pictures, held_out, open_pictures
from ganforge.kinds.pictures.reading.part import FEWEST, FEWEST_COMPARED, Part
from ganforge.kinds.pictures.reading.survey import survey
from ganforge.measures.neighbours import K

RNG = np.random.default_rng(2)


def noise(count: int, side: int = 8) -> np.ndarray:
    return RNG.integers(0, 256, (count, side, side), np.uint8)


def opened(x: np.ndarray, **more: object) -> Pictures:
    return open_pictures(survey(x, **more), size=x.shape[1:3])  # type: ignore[arg-type]


def write_png(folder: Path, pictures: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{i:03d}.png")


# ---- the split ------------------------------------------------------------------------------------------------------


def test_the_fewest_pictures_are_those_that_can_be_measured() -> None:
    assert FEWEST_COMPARED == 2 * K + 2 and FEWEST == 2 * FEWEST_COMPARED


@pytest.mark.parametrize("count", [24, 25, 60, 114, 130])
def test_few_pictures_are_enough_on_both_sides(count: int) -> None:
    pictures = opened(noise(count))
    assert len(pictures.train) + len(pictures.held_out) == count
    assert len(pictures.held_out) >= 12 and len(pictures.train) >= 12


@pytest.mark.parametrize("repeats", [[1] * 24, [2] * 24, [30] * 33 + [1], [977] + [1] * 23, [1, 2, 3] * 40, [5] * 2000])
def test_copies_land_on_one_side_and_both_sides_have_enough_different_pictures(repeats: list[int]) -> None:
    hashes = np.repeat(RNG.integers(0, 2**63, len(repeats)).astype(np.uint64), repeats)
    mask = held_out(hashes)
    held, train = set(hashes[mask].tolist()), set(hashes[~mask].tolist())
    assert not held & train and len(held) >= 12 and len(train) >= 12
    assert len(held) == max(12, round(0.1 * len(repeats)))


def test_a_picture_with_very_many_copies_does_not_fill_the_held_out_part() -> None:
    hashes = np.concatenate([np.zeros(500, np.uint64), np.arange(1, 501, dtype=np.uint64)])
    assert held_out(hashes).sum() == 50 and not held_out(hashes)[:500].any()


def test_the_split_follows_the_content_and_not_the_order() -> None:
    x = noise(200)
    order = RNG.permutation(200)
    first, again = opened(x), opened(x[order])
    assert {one.tobytes() for one in first.held_out.examples()} == {one.tobytes() for one in again.held_out.examples()}
    assert opened(x).data_hash == first.data_hash != again.data_hash


def test_copies_count_once_towards_the_fewest() -> None:
    with pytest.raises(DataError, match="40 usable pictures, but only 20 different"):
        opened(np.repeat(noise(20), 2, axis=0))


def test_a_given_test_part_is_used_when_it_is_large_enough(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=noise(40), x_test=noise(12))
    pictures = open_pictures(survey(tmp_path / "a.npz"), size=(8, 8))
    assert (len(pictures.train), len(pictures.held_out)) == (40, 12) and "given" in pictures.passport["split"]


@pytest.mark.parametrize("test", [noise(11), np.repeat(noise(4), 5, axis=0), noise(0)])
def test_a_given_test_part_that_is_too_small_is_left_out_and_said(tmp_path: Path, test: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", x_train=noise(40), x_test=test)
    pictures = open_pictures(survey(tmp_path / "a.npz"), size=(8, 8))
    assert (len(pictures.train), len(pictures.held_out)) == (28, 12) and "content" in pictures.passport["split"]
    assert "12 are needed" in " ".join(pictures.passport["notes"]) and pictures.passport["count"] == 40


def test_test_pictures_with_unknown_or_without_labels_do_not_cost_the_labels(tmp_path: Path) -> None:
    labels = np.arange(60) % 3
    for name, more in (("unknown", {"y_test": np.full(20, -1)}), ("none", {})):
        path = tmp_path / f"{name}.npz"
        np.savez(path, x_train=noise(60), y_train=labels, x_test=noise(20), **more)
        pictures = open_pictures(survey(path), size=(8, 8))
        assert pictures.label_names == ("0", "1", "2") and len(pictures.held_out) == 12
        told = " ".join(pictures.passport["notes"] + pictures.passport["warnings"])
        assert pictures.held_out.labels is not None and "left out" in told


def test_a_test_folder_of_broken_files_is_left_out_and_said(tmp_path: Path, cache: Path) -> None:
    write_png(tmp_path / "d" / "train", noise(30, 64))
    write_png(tmp_path / "d" / "test", noise(14, 64))
    for path in (tmp_path / "d" / "test").iterdir():
        path.write_bytes(path.read_bytes()[:1000])
    pictures = open_pictures(survey(tmp_path / "d"), size=(64, 64))
    assert (len(pictures.train), len(pictures.held_out)) == (18, 12) and pictures.passport["skipped_count"] == 14
    assert "are 0 different usable ones" in " ".join(pictures.passport["notes"])


# ---- size -----------------------------------------------------------------------------------------------------------


def test_pictures_that_are_too_small_are_not_blamed_on_the_person() -> None:
    with pytest.raises(DataError, match=r"are 5 x 5 pixels.*--resolution 8 enlarges"):
        opened(noise(30, 5))
    assert open_pictures(survey(noise(30, 5)), size=(8, 8)).passport["enlarged"] == 30
    with pytest.raises(RecipeError, match="300 x 300 pixels were asked for"):
        open_pictures(survey(noise(30)), size=(300, 300))


# ---- cache ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one whenever a part is decoded into the cache."""
    calls: list[int] = []
    write = store._write_cache

    def counting(folder: Path, part: Part, *more: object) -> None:
        calls.append(part.count)
        write(folder, part, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "_write_cache", counting)
    return calls


def test_a_folder_is_decoded_once_and_again_only_when_it_changes(photos: Path, cache: Path, counted: list[int]) -> None:
    def data_hash() -> str:
        return open_pictures(survey(photos), size=(16, 16)).data_hash

    first = data_hash()
    assert data_hash() == first and counted == [24]
    Image.new("RGB", (16, 16), "red").save(photos / "00.png")
    assert data_hash() != first and counted == [24, 24]


@pytest.mark.parametrize("harm", ["cut", "flipped", "half-written"])
def test_a_damaged_cache_is_made_anew(photos: Path, cache: Path, counted: list[int], harm: str) -> None:
    first = open_pictures(survey(photos), size=(16, 16))
    pixels = next(cache.rglob("pixels"))
    if harm == "cut":
        pixels.write_bytes(pixels.read_bytes()[:-100])
    elif harm == "flipped":
        pixels.write_bytes(bytes([pixels.read_bytes()[0] ^ 255]) + pixels.read_bytes()[1:])
    else:
        pixels.with_name("manifest.json").unlink()
    again = open_pictures(survey(photos), size=(16, 16))
    assert again.data_hash == first.data_hash and counted == [24, 24]


def test_an_array_that_is_saved_anew_somewhere_else_reuses_its_cache(
    tmp_path: Path, cache: Path, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array_files, "IN_MEMORY", 1000)
    monkeypatch.setattr(store, "IN_MEMORY", 1000)
    x = noise(40)
    for name, content in (("first", x), ("second", x), ("other", 255 - x)):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "array.npz", x=content / np.float32(255))
        open_pictures(survey(tmp_path / name / "array.npz"), size=(8, 8))
    assert counted == [40, 40]


def test_a_file_of_equal_name_size_and_time_with_other_pictures_is_not_taken_for_the_same(tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "two"):
        path = tmp_path / name / "x.npy"
        path.parent.mkdir()
        np.save(path, noise(40))
        os.utime(path, (0, 0))
        digests.add(survey(path).digest)
    assert len(digests) == 2
    moved = path.rename(tmp_path / "x.npy")
    assert survey(moved).digest in digests
