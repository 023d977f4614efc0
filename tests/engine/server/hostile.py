"""Files that are no honest pictures, by name."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *between: bytes, depth: int = 8, colour: int = 2, data: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return PNG + head + b"".join(between) + chunk(b"IDAT", data or zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def saved(form: str, image: Image.Image | None = None, **options: object) -> bytes:
    target = io.BytesIO()
    (image or Image.new("RGB", (64, 48), (9, 90, 200))).save(target, form, **options)
    return target.getvalue()


def bomb(side: int) -> bytes:
    """So many zeroes that few bytes hold them."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + 3 * side)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return png(side, side, data=data)


def hostile() -> Iterator[tuple[str, bytes]]:
    good = {form: saved(form) for form in ("PNG", "JPEG", "WEBP")}
    for form, whole in good.items():
        for share in (0.02, 0.3, 0.6, 0.9, 0.99):
            yield f"{form} cut at {share}", whole[: max(12, int(len(whole) * share))]
        for place in (20, len(whole) // 2, len(whole) - 20):
            bent = bytearray(whole)
            bent[place] ^= 0xFF
            yield f"{form} bent at {place}", bytes(bent)
        yield f"{form} and a page", whole + b"<script>alert(1)</script>"
        yield f"{form} and a zip", whole + b"PK\x03\x04" + b"x" * 100
        yield f"{form} head and nothing", whole[:16]
        yield f"{form} head and noise", whole[:16] + bytes(range(256)) * 40
    for side in (6000, 20_000, 60_000, 2**31 - 1):
        yield f"PNG that claims {side}", png(side, side)
    yield "PNG bomb of 100 megapixels", bomb(10_000)
    yield "PNG of no size", png(0, 0)
    yield "PNG one line high", saved("PNG", Image.new("RGB", (8000, 1)))
    yield "PNG one line wide", saved("PNG", Image.new("RGB", (1, 8000)))
    yield "PNG of one pixel", saved("PNG", Image.new("RGB", (1, 1)))
    yield "PNG with a text bomb", png(8, 8, chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 50_000_000)))
    yield "PNG with a profile bomb", png(8, 8, chunk(b"iCCP", b"a\0\0" + zlib.compress(b"\0" * 50_000_000)))
    yield "PNG of 16 bits", saved("PNG", Image.new("I;16", (30, 30), 4000))
    yield "PNG of one bit", saved("PNG", Image.new("1", (30, 30)))
    yield "PNG with a clear palette", saved("PNG", Image.new("P", (30, 30)), transparency=0)
    yield "PNG of a strange depth", png(8, 8, depth=3)
    yield "PNG of a strange colour", png(8, 8, colour=5)
    yield "PNG that moves", saved("PNG", save_all=True, append_images=[Image.new("RGB", (64, 48))] * 3)
    yield "WEBP that moves", saved("WEBP", save_all=True, append_images=[Image.new("RGB", (64, 48))] * 3)
    yield "JPEG in print colours", saved("JPEG", Image.new("CMYK", (40, 40)))
    yield (
        "JPEG upside down",
        saved("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0"),
    )
    yield "JPEG with broken EXIF", saved("JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xff" * 50)
    jpeg = bytearray(good["JPEG"])
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    yield "JPEG that claims 65535", bytes(jpeg)
    yield "EPS in disguise", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (r) file\n"
    yield "SVG in disguise", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    yield "XML entities", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
    yield "PDF in disguise", b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript>>>>endobj"
    yield "GIF", saved("GIF")
    yield "BMP", saved("BMP")
    yield "TIFF", saved("TIFF")
    yield "ICO", saved("ICO")
    yield "ImageMagick script", b"push graphic-context\nfill 'url(https://127.0.0.1/x\"|id\")'\n"
    yield "a program", b"\x7fELF" + b"\0" * 200
    yield "a playlist", b"#EXTM3U\nfile:///etc/passwd\n"
    yield "RIFF without a picture", b"RIFF\x10\0\0\0WEBPVP8 \xff\xff\xff\x7f"
    yield "a WAV", b"RIFF\x10\0\0\0WAVEfmt "
