"""Files that say all that their format can say beside the pixels."""

from __future__ import annotations

import struct
from typing import Any

from PIL import Image as Pillow

from tests.image.makers import RGB, pillow
from undegrade.image import Format

MAKERS_NOTE, PRIVATE = b"Nobody\0" + bytes(range(200)), "a tag that nobody else knows"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:title="t"/></x:xmpmeta>'
IPTC = b"8BIM\x04\x04\0\0\0\0\0\x07\x1c\x02\x05\0\x02hi\0"
PREVIEW = b"8BIM\x04\x0c\0\0\0\0\0\x04jpeg"


def exif(orientation: int = 1, dpi: float = 300.0, thumbnail: bool = False) -> bytes:
    """EXIF as cameras write it: a maker's note, a position, a thumbnail; and a tag that nobody knows."""
    tags = Pillow.Exif()
    tags[0x010F], tags[0x8298], tags[0x0112] = "Maker", "copyright", orientation
    tags[0x011A] = tags[0x011B] = dpi
    tags[0x0128] = 2
    below = tags.get_ifd(0x8769)
    below[0x829A], below[0x927C], below[0xFDE8] = (1, 100), MAKERS_NOTE, PRIVATE
    below[0xA002], below[0xA003] = 1234, 567
    tags.get_ifd(0x8825)[1] = "N"
    data = tags.tobytes()
    if not thumbnail:
        return data
    # Pillow writes none: a second directory at the end, which the first one's end points to.
    tiff, preview = bytearray(data[6:]), pillow(RGB, "jpeg")
    order = "<" if tiff[:2] == b"II" else ">"
    start, end = struct.unpack_from(order + "I", tiff, 4)[0], len(tiff)
    link = start + 2 + 12 * struct.unpack_from(order + "H", tiff, start)[0]
    struct.pack_into(order + "I", tiff, link, end)
    tiff += struct.pack(order + "H" + "HHII" * 2 + "I", 2, 0x201, 4, 1, end + 30, 0x202, 4, 1, len(preview), 0)
    return b"Exif\0\0" + bytes(tiff) + preview


def talkative(format: Format, orientation: int = 1) -> bytes:
    """A file that says all that its format can say."""
    from PIL import ImageCms, PngImagePlugin

    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    what: dict[str, Any] = {"exif": exif(orientation, thumbnail=True), "icc_profile": icc}
    match format:
        case Format.PNG:
            text = PngImagePlugin.PngInfo()
            text.add_text("Title", "a title")
            text.add_itxt("Author", "Jos\u00e9", zip=True)
            text.add_itxt("XML:com.adobe.xmp", XMP.decode())
            text.add(b"gAMA", struct.pack(">I", 100_000))
            return pillow(RGB, "png", pnginfo=text, dpi=(300, 300), **what)
        case Format.JPEG:
            data = pillow(RGB, "jpeg", xmp=XMP, comment=b"a comment", dpi=(300, 300), **what)
            block = b"Photoshop 3.0\0" + PREVIEW + IPTC
            return data[:2] + b"\xff\xed" + struct.pack(">H", len(block) + 2) + block + data[2:]
        case Format.TIFF:
            tags = Pillow.Exif()
            tags.load(what["exif"])
            tags[700], tags[34377], tags[270] = XMP, PREVIEW + IPTC, "a description"
            return pillow(RGB, "tiff", dpi=(300, 300), **what | {"exif": tags})
        case _:
            return pillow(RGB, str(format), xmp=XMP, quality=95, **what)
