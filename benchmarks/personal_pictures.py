"""Pictures with metadata of every sort that a camera or an editor leaves, and some without any."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms
from PIL.ExifTags import IFD
from PIL.ExifTags import Base as Tag
from PIL.PngImagePlugin import PngInfo

EACH = 50  # pictures of each format
FORMATS = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".tiff": "TIFF"}
KINDS = {  # by format
    ".jpg": ("exif", "gps", "xmp", "comment", "thumbnail", "profile", "orientation"),
    ".png": ("exif", "gps", "xmp", "comment", "profile", "orientation"),
    ".webp": ("exif", "gps", "xmp", "profile", "orientation"),
    ".tiff": ("exif", "gps", "xmp", "profile", "orientation"),
}
SECRET = "SECRET-"  # before every planted word: it must not be found in the bytes of the copy


def _xmp() -> bytes:
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:creator="{SECRET}creator"/></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    ).encode()


def _profile() -> bytes:
    """The profile of sRGB with other primaries and a planted name: red and green change places."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(content[128:132])
    entries = {bytes(content[132 + 12 * n : 136 + 12 * n]): 132 + 12 * n for n in range(count)}
    red, green = (slice(entries[tag] + 4, entries[tag] + 12) for tag in (b"rXYZ", b"gXYZ"))
    content[red], content[green] = content[green], content[red]
    place = int.from_bytes(content[entries[b"desc"] + 4 : entries[b"desc"] + 8])
    words = f"{SECRET}p".encode("utf-16-be")
    at = content.find("sRGB".encode("utf-16-be"), place)
    content[at : at + 18] = words
    return bytes(content)


def write(path: Path, planted: set[str], chance: random.Random) -> np.ndarray:
    """Write one picture with these metadata. Returns: its pixels as a viewer shows them, (H, W, 3)."""
    height, width = chance.randrange(24, 60), chance.randrange(24, 60)
    smooth = np.random.default_rng(chance.randrange(2**32)).integers(0, 256, (6, 6, 3), np.uint8)
    image = Image.fromarray(smooth).resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    exif = Image.Exif()
    if "exif" in planted:
        exif[Tag.Artist], exif[Tag.Make] = f"{SECRET}artist", f"{SECRET}make"
        exif.get_ifd(IFD.Exif)[0xA431] = f"{SECRET}serial"
        exif[IFD.Exif] = exif.get_ifd(IFD.Exif)
    if "gps" in planted:
        exif.get_ifd(IFD.GPSInfo).update(
            {1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0), 29: f"{SECRET}2020"}
        )
        exif[IFD.GPSInfo] = exif.get_ifd(IFD.GPSInfo)
    if "orientation" in planted:
        exif[Tag.Orientation] = 6
        pixels = np.rot90(pixels, 3)  # a quarter turn clockwise
    options: dict[str, object] = {}
    kind = FORMATS[path.suffix]
    if "xmp" in planted:
        if kind == "PNG":
            options["pnginfo"] = info = PngInfo()
            info.add_itxt("XML:com.adobe.xmp", _xmp().decode())
        elif kind == "TIFF":
            exif[Tag.XMLPacket] = _xmp()
        else:
            options["xmp"] = _xmp()
    if "comment" in planted and kind == "PNG":
        info = options.setdefault("pnginfo", PngInfo())  # type: ignore[assignment]
        info.add_text("Author", f"{SECRET}author")
        info.add_text("Comment", f"{SECRET}comment", zip=chance.random() < 0.5)
    elif "comment" in planted:
        options["comment"] = f"{SECRET}comment"
    if "profile" in planted:
        options["icc_profile"] = _profile()
    if kind == "JPEG":
        options["quality"] = 90
    if kind == "WEBP":
        options["lossless"] = chance.random() < 0.5
    file = io.BytesIO()
    options["exif"] = _with_thumbnail(exif) if "thumbnail" in planted else exif
    image.save(file, kind, **options)
    path.write_bytes(file.getvalue())
    return pixels


def _with_thumbnail(exif: Image.Exif) -> bytes:
    """EXIF with a second directory that holds a small JPEG, by hand: Pillow writes none."""
    content = exif.tobytes()  # Exif\0\0 and a TIFF
    head, tiff = content[:6], bytearray(content[6:])
    order = "little" if tiff[:2] == b"II" else "big"
    file = io.BytesIO()
    Image.new("RGB", (16, 12), (200, 30, 30)).save(file, "JPEG", comment=f"{SECRET}thumbnail")
    small = file.getvalue()
    first = int.from_bytes(tiff[4:8], order)  # type: ignore[arg-type]
    count = int.from_bytes(tiff[first : first + 2], order)  # type: ignore[arg-type]
    link = first + 2 + 12 * count
    place = len(tiff)
    tiff[link : link + 4] = place.to_bytes(4, order)  # type: ignore[arg-type]
    entries = [(0x0201, 4, 1, place + 2 + 24 + 4), (0x0202, 4, 1, len(small))]
    tiff += len(entries).to_bytes(2, order)  # type: ignore[arg-type]
    for tag, form, number, value in entries:
        for part, size in ((tag, 2), (form, 2), (number, 4), (value, 4)):
            tiff += part.to_bytes(size, order)  # type: ignore[arg-type]
    return head + bytes(tiff + bytes(4) + small)


def fill(folder: Path, seed: int) -> tuple[dict[str, set[str]], dict[str, np.ndarray]]:
    """Write 200 pictures, each with about half of the metadata of its format, every tenth without any.

    Returns: what was planted, and what each shows, by the names of the files.
    """
    chance = random.Random(seed)
    planted: dict[str, set[str]] = {}
    shown: dict[str, np.ndarray] = {}
    for suffix, kinds in KINDS.items():
        for number in range(EACH):
            name = f"{suffix[1:]}-{number:02d}{suffix}"
            planted[name] = set() if number % 10 == 0 else {kind for kind in kinds if chance.random() < 0.5}
            shown[name] = write(folder / name, planted[name], chance)
    return planted, shown
