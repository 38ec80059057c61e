"""68 awkward folders of pictures: how people's folders really look."""

from __future__ import annotations

from typing import Any

import numpy as np
from real_cases import Case, Check, done, recipe, refused, told, untold
from real_folders import (
    COUNT,
    add_damaged,
    add_empty_class,
    add_phone_pictures,
    add_system_files,
    applied,
    array_file,
    beside_folders,
    bright_above,
    class_folders,
    draw_discs,
    equal_stems,
    folder_for_apply,
    folder_in_form,
    link_classes,
    no_dark_edge,
    no_late_refusal,
    not_numbers_in_three,
    of_shapes,
    one_odd_mode,
    oriented,
    pages_in_one_file,
    save_all,
    scaled_to,
    sheet,
    spoiled,
    sticker_folder,
    tiff_folder,
    two_sides,
    with_frames,
)

APPLY = ("apply", "{run}", "{folder}/other", "--out", "{new}")
ENHANCE = ("--task", "enhance", "--set", "task.degradation=noise:25")


def _case(name: str, make: Any, *checks: Check, options: tuple[str, ...] = (), **more: Any) -> Case:
    """Return a case whose model is tiny, and of which 16 pictures are drawn."""
    use = more.pop("use", ("sample", "{run}", "-n", "16", "--out", "{new}"))
    asked = ("--size", "tiny", *(() if "--task" in options else ("--resolution", "16")), *options)
    return Case(name, make, checks or (done(),), asked, 256, use, more.pop("ending", ".png"))


PICTURES: tuple[Case, ...] = (
    # forms of files
    *(
        _case(f"all {ending}", folder_in_form(ending))
        for ending in (
            ".jpg",
            ".JPG",
            ".jpeg",
            ".png",
            ".PNG",
            ".bmp",
            ".webp",
            ".gif",
            ".tif",
            ".tiff",
            ".ppm",
            ".jfif",
        )
    ),
    _case("grey .pgm", folder_in_form(".pgm", lambda one: one.convert("L"))),
    _case("palettes", folder_in_form(".png", lambda one: one.quantize(8))),
    _case("one bit", folder_in_form(".png", lambda one: one.convert("1"))),
    _case("progressive", folder_in_form(".jpg", progressive=True)),
    _case("pictures of 1,200 pixels", of_shapes((1200, 1200))),
    _case("CMYK", folder_in_form(".jpg", lambda one: one.convert("CMYK")), done(), told("CMYK")),
    _case(
        "another form than the name",
        spoiled(lambda folder, r: [path.rename(path.with_suffix(".jpg")) for path in sorted(folder.iterdir())[:40]]),
    ),
    _case("on their side", oriented, done(), sheet("bright above", bright_above)),
    # how deep, how many channels
    _case(
        "12 bits in 16",
        lambda folder, r: save_all(folder / "in", scaled_to(r, 4095), ".png"),
        done(),
        told("4095|12 bit"),
        sheet("bright discs", lambda pixels: pixels.max() > 120),
    ),
    _case(
        "12 bits in an array",
        array_file(lambda r: scaled_to(r, 4095)),
        done(),
        told("4095|12 bit"),
        sheet("bright discs", lambda pixels: pixels.max() > 120),
    ),
    _case(
        "16 bits",
        lambda folder, r: save_all(folder / "in", scaled_to(r, 65535), ".png"),
        done(),
        sheet("bright discs", lambda pixels: pixels.max() > 120),
    ),
    _case(
        "16 bits in TIFF",
        lambda folder, r: save_all(folder / "in", scaled_to(r, 65535), ".tif"),
        done(),
        sheet("bright discs", lambda pixels: pixels.max() > 120),
    ),
    _case(
        "12 bits in colour",
        tiff_folder(lambda r: draw_discs(r).astype(np.uint16) * 16, photometric="rgb", compression="zlib"),
        done(),
        told("12 bits"),
        sheet("bright discs", lambda pixels: pixels.max() > 120),
    ),
    _case(
        "32 bits without a sign",
        tiff_folder(lambda r: scaled_to(r, 2**32 - 1, np.uint32)),
        done(),
        told("4\\.\\d+e\\+09"),
        sheet("bright discs", lambda pixels: pixels.max() > 120),
    ),
    _case(
        "not a number in three of them",
        tiff_folder(not_numbers_in_three),
        done(),
        told("3 files were skipped.*not finite"),
        untold("RuntimeWarning"),
    ),
    _case("0 to 1", array_file(lambda r: (draw_discs(r) / 255).astype(np.float32)), done()),
    _case("-1 to 1", array_file(lambda r: (draw_discs(r) / 127.5 - 1).astype(np.float32)), done()),
    _case("channels first", array_file(lambda r: draw_discs(r).transpose(0, 3, 1, 2)), done()),
    _case(
        "pictures and labels", array_file(lambda r: {"x": draw_discs(r), "y": np.arange(COUNT) % 3}, "in.npz"), done()
    ),
    _case(
        "not a number", array_file(lambda r: np.full((COUNT, 16, 16), np.nan, np.float32)), refused("NaN|nan|finite")
    ),
    _case(
        "pictures and masks",
        array_file(lambda r: {"images": (discs := draw_discs(r)), "masks": discs[..., 0] > 90}, "in.npz"),
        done(),
        told("Not read.*masks"),
    ),
    _case("stickers", sticker_folder, done(), no_dark_edge),
    _case(
        "one transparent pixel",
        one_odd_mode("RGBA", "RGB"),
        done(),
        told("transparen"),
        sheet("no transparency", lambda pixels: pixels.shape[2] == 3),
    ),
    _case("one colour picture among grey ones", one_odd_mode("RGB", "L"), done(), told("colour|grey")),
    _case(
        "one grey picture among colour ones",
        one_odd_mode("L", "RGB"),
        done(),
        sheet("colour", lambda pixels: pixels.ndim == 3),
    ),
    _case("a moving GIF", with_frames(".gif"), done(), told("frame")),
    _case("a moving WebP", with_frames(".webp"), done(), told("frame")),
    _case("a TIFF of pages", with_frames(".tif"), done(), told("page|frame")),
    _case("all pages in one file", pages_in_one_file, refused("several frames or pages")),
    # folders
    _case("an empty class", add_empty_class, done(), told("without a usable picture \\(class 2\\)")),
    _case("pictures of a phone", spoiled(add_phone_pictures), done(), told("format that is not read \\(IMG_0.HEIC")),
    _case("class folders that are links", link_classes, done(), recipe("one", "two")),
    _case(
        "a link to the folder",
        lambda folder, r: (
            (folder / "link").symlink_to(save_all(folder / "in", draw_discs(r), ".png")),
            folder / "link",
        )[1],
    ),
    _case(
        "linked files",
        lambda folder, r: (
            [(folder / "in").mkdir()]
            + [
                (folder / "in" / path.name).symlink_to(path)
                for path in sorted(save_all(folder / "real", draw_discs(r), ".png").iterdir())
            ],
            folder / "in",
        )[1],
    ),
    _case(
        "a link to nothing",
        spoiled(lambda folder, r: (folder / "gone.png").symlink_to(folder / "nowhere")),
        done(),
        told("gone"),
    ),
    _case("a link in a circle", spoiled(lambda folder, r: (folder / "round").symlink_to(folder)), done()),
    _case("a cut file and an empty one", spoiled(add_damaged, ".jpg"), done(), told("cut"), told("empty")),
    _case("files of the system", spoiled(add_system_files)),
    _case(
        "names in other scripts",
        spoiled(
            lambda folder, r: [
                path.rename(path.with_name(f"图片 {k} é.png")) for k, path in enumerate(sorted(folder.iterdir()))
            ]
        ),
    ),
    _case(
        "long names",
        spoiled(
            lambda folder, r: [
                path.rename(path.with_name(path.stem + "x" * 235 + ".png")) for path in sorted(folder.iterdir())
            ]
        ),
    ),
    _case("a file that may not be read", spoiled(lambda folder, r: (folder / "picture-0000.png").chmod(0))),
    _case(
        "folders in folders",
        lambda folder, r: (save_all(folder / "in" / "2023" / "may", draw_discs(r), ".png"), folder / "in")[1],
    ),
    _case(
        "an empty folder", lambda folder, r: ((folder / "in").mkdir(), folder / "in")[1], refused("empty|[Nn]o picture")
    ),
    _case("ten pictures", lambda folder, r: save_all(folder / "in", draw_discs(r, 10), ".png"), refused("10")),
    _case(
        "24 pictures",
        lambda folder, r: save_all(folder / "in", draw_discs(r, 24), ".png"),
        no_late_refusal,
        untold("can be compared"),
    ),
    _case(
        "60 pictures",
        lambda folder, r: save_all(folder / "in", draw_discs(r, 60), ".png"),
        no_late_refusal,
        untold("can be compared"),
    ),
    _case(
        "one picture again and again",
        lambda folder, r: save_all(folder / "in", np.repeat(draw_discs(r, 1), 96, axis=0), ".png"),
        refused("identical"),
    ),
    _case("a class of three", class_folders(60, 60, 3), no_late_refusal, told("class 2")),
    _case("tall and wide", of_shapes((16, 30), (40, 16)), done()),
    _case("panoramas", of_shapes((300, 20)), done()),
    _case("smaller than the model", of_shapes((5, 5)), no_late_refusal),
    # pairs, and what a model is applied to
    _case(
        "folders beside the two",
        beside_folders,
        done(),
        told("Not read: test"),
        untold("in the order of the alphabet"),
        options=("--task", "translate"),
        use=(),
    ),
    _case(
        "pairs by endings",
        two_sides(lambda k: f"{k}_A.png", lambda k: f"{k}_B.png"),
        no_late_refusal,
        told("_A"),
        options=("--task", "translate"),
        use=(),
    ),
    _case(
        "one pair off by a pixel",
        two_sides(lambda k: f"A/{k}.png", lambda k: f"B/{k}.png", wrong=1),
        done(),
        told("A/0|0\\.png|1 pair"),
        options=("--task", "translate"),
        use=(),
    ),
    _case(
        "equal stems on both sides",
        equal_stems,
        done(),
        told("84 training pictures"),
        options=("--task", "translate"),
        use=(),
    ),
    _case(
        "a mixed folder for apply",
        folder_for_apply,
        applied(".jfif", ".ppm", ".webp", ".TIF", ".png", ".pgm", ".tif"),
        told("note.txt"),
        told("gone.png"),
        told("broken.png"),
        options=ENHANCE,
        use=APPLY,
        ending="",
    ),
)
