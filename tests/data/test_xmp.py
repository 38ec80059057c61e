"""Of XMP data what still holds is kept, in every format; what is lost is told."""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ganforge.kinds.pictures.metadata import RDF
from ganforge.kinds.pictures.picture_file import assemble, open_picture, write_picture

DC = "{http://purl.org/dc/elements/1.1/}"
PACKET = """<?xpacket begin="\N{BYTE ORDER MARK}" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
  xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
  xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
  xmp:Rating="5" tiff:Orientation="6" tiff:ImageWidth="30" exif:PixelXDimension="30" photoshop:ColorMode="3"
  photoshop:City="Zürich" crs:CropTop="0.1">
 <dc:creator><rdf:Seq><rdf:li>Ada &amp; Ömer</rdf:li></rdf:Seq></dc:creator>
 <dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© 2024</rdf:li></rdf:Alt></dc:rights>
 <xmp:Thumbnails><rdf:Alt><rdf:li>old pixels</rdf:li></rdf:Alt></xmp:Thumbnails>
</rdf:Description>
<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:ImageLength="20"/>
</rdf:RDF></x:xmpmeta><?xpacket end="w"?>""".encode()


def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8))


def with_xmp(path: Path, packet: bytes) -> Path:
    if path.suffix == ".png":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
        picture().save(path, pnginfo=info)
    elif path.suffix == ".tif":
        picture().save(path, tiffinfo={700: packet})
    else:
        picture().save(path, xmp=packet)
    return path


def through(path: Path, out: Path) -> tuple[bytes | None, tuple[str, ...]]:
    """The packet that the written file holds, and what was told."""
    given = open_picture(path, 3, lightness=False)
    told = (*given.notes, *write_picture(assemble(given, given.pixels, keep_grey=True), out, given))
    with Image.open(out) as image:
        image.load()
        return image.info.get("xmp"), told


@pytest.mark.parametrize("out", [".png", ".jpg", ".webp", ".tif"])
@pytest.mark.parametrize("given", [".png", ".jpg", ".webp", ".tif"])
def test_who_where_and_with_which_rights_are_kept_and_orientation_and_sizes_are_not(
    given: str, out: str, tmp_path: Path
) -> None:
    packet, told = through(with_xmp(tmp_path / f"a{given}", PACKET), tmp_path / f"b{out}")
    assert told == ()
    assert packet is not None
    root = ElementTree.fromstring(packet)
    (description,) = root.findall(f".//{RDF}Description")
    assert root.findtext(f".//{DC}creator/{RDF}Seq/{RDF}li") == "Ada & Ömer"
    assert root.findtext(f".//{DC}rights/{RDF}Alt/{RDF}li") == "© 2024"
    kept = {name.rpartition("}")[2]: value for name, value in description.attrib.items()}
    assert kept == {"about": "", "Rating": "5", "City": "Zürich"}
    assert [child.tag for child in description] == [f"{DC}creator", f"{DC}rights"]
    with Image.open(tmp_path / f"b{out}") as image:
        assert image.size == (20, 30)  # the packet said that the picture is turned, and now it is upright
        assert image.getexif().get(0x112, 1) == 1


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'


@pytest.mark.parametrize(
    "packet", [b"<x:xmpmeta", b"", b"\0\0", BOMB, b"\xff\xfe<", PACKET.replace(b"dc/elements", b"x")]
)
def test_a_packet_that_is_damaged_or_holds_nothing_else_is_left_out_and_that_is_told(
    packet: bytes, tmp_path: Path
) -> None:
    rest = packet.replace(b"xap/1.0", b"x").replace(b"photoshop/1.0", b"x")
    picture().save(tmp_path / "a.webp", xmp=rest)
    found, told = through(tmp_path / "a.webp", tmp_path / "b.png")
    assert found is None
    assert told == (("its XMP data were left out",) if rest else ())


def test_a_packet_that_is_too_long_for_a_jpeg_is_left_out_and_that_is_told(tmp_path: Path) -> None:
    long = PACKET.replace(b"\xc2\xa9 2024", b"x" * 66_000)
    with_xmp(tmp_path / "a.png", long)
    assert through(tmp_path / "a.png", tmp_path / "b.jpg") == (
        None,
        ("its XMP data are too long for a JPEG and were left out",),
    )
    packet, told = through(tmp_path / "a.png", tmp_path / "c.png")
    assert packet is not None
    assert b"x" * 66_000 in packet
    assert told == ()


def test_iptc_data_are_left_out_and_that_is_told(tmp_path: Path) -> None:
    iptc = b"\x1c\x02\x50" + struct.pack(">H", 3) + b"Ada"  # record 2, dataset 80: the by-line
    block = b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(iptc)) + iptc
    content = b"Photoshop 3.0\0" + block
    picture().save(tmp_path / "a.jpg")
    plain = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(
        plain[:2] + b"\xff\xed" + struct.pack(">H", 2 + len(content)) + content + plain[2:]
    )
    picture().save(tmp_path / "c.tif", tiffinfo={33723: iptc})
    for name in ("b.jpg", "c.tif"):
        assert through(tmp_path / name, tmp_path / "out.png") == (None, ("its IPTC data were left out",))
    assert through(tmp_path / "a.jpg", tmp_path / "out.png") == (None, ())
