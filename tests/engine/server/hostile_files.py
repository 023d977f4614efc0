"""Hostile files, by name: bombs, truncated files, other formats under image names."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def make_png(
    width: int, height: int, *extra_chunks: bytes, depth: int = 8, colour: int = 2, data: bytes = b""
) -> bytes:
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return (
        PNG
        + head
        + b"".join(extra_chunks)
        + png_chunk(b"IDAT", data or zlib.compress(b"\0" * 1000))
        + png_chunk(b"IEND", b"")
    )


def encode_image(image_format: str, image: Image.Image | None = None, **options: object) -> bytes:
    buffer = io.BytesIO()
    (image or Image.new("RGB", (64, 48), (9, 90, 200))).save(buffer, image_format, **options)
    return buffer.getvalue()


def decompression_bomb(side: int) -> bytes:
    """Return a small file that decompresses to that many zero bytes."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + 3 * side)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return make_png(side, side, data=data)


def hostile_files() -> Iterator[tuple[str, bytes]]:
    valid = {form: encode_image(form) for form in ("PNG", "JPEG", "WEBP")}
    for form, data in valid.items():
        for fraction in (0.02, 0.3, 0.6, 0.9, 0.99):
            yield f"{form} cut at {fraction}", data[: max(12, int(len(data) * fraction))]
        for position in (20, len(data) // 2, len(data) - 20):
            corrupted = bytearray(data)
            corrupted[position] ^= 0xFF
            yield f"{form} bent at {position}", bytes(corrupted)
        yield f"{form} and a page", data + b"<script>alert(1)</script>"
        yield f"{form} and a zip", data + b"PK\x03\x04" + b"x" * 100
        yield f"{form} head and nothing", data[:16]
        yield f"{form} head and noise", data[:16] + bytes(range(256)) * 40
    for side in (6000, 20_000, 60_000, 2**31 - 1):
        yield f"PNG that claims {side}", make_png(side, side)
    yield "PNG bomb of 100 megapixels", decompression_bomb(10_000)
    yield "PNG of no size", make_png(0, 0)
    yield "PNG one line high", encode_image("PNG", Image.new("RGB", (8000, 1)))
    yield "PNG one line wide", encode_image("PNG", Image.new("RGB", (1, 8000)))
    yield "PNG of one pixel", encode_image("PNG", Image.new("RGB", (1, 1)))
    yield "PNG with a text bomb", make_png(8, 8, png_chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 50_000_000)))
    yield "PNG with a profile bomb", make_png(8, 8, png_chunk(b"iCCP", b"a\0\0" + zlib.compress(b"\0" * 50_000_000)))
    yield "PNG of 16 bits", encode_image("PNG", Image.new("I;16", (30, 30), 4000))
    yield "PNG of one bit", encode_image("PNG", Image.new("1", (30, 30)))
    yield "PNG with a clear palette", encode_image("PNG", Image.new("P", (30, 30)), transparency=0)
    yield "PNG of a strange depth", make_png(8, 8, depth=3)
    yield "PNG of a strange colour", make_png(8, 8, colour=5)
    yield "PNG that moves", encode_image("PNG", save_all=True, append_images=[Image.new("RGB", (64, 48))] * 3)
    yield "WEBP that moves", encode_image("WEBP", save_all=True, append_images=[Image.new("RGB", (64, 48))] * 3)
    yield "JPEG in print colours", encode_image("JPEG", Image.new("CMYK", (40, 40)))
    yield (
        "JPEG upside down",
        encode_image("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0"),
    )
    yield "JPEG with broken EXIF", encode_image("JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xff" * 50)
    jpeg = bytearray(valid["JPEG"])
    offset = jpeg.index(b"\xff\xc0")
    jpeg[offset + 5 : offset + 9] = b"\xff\xff\xff\xff"
    yield "JPEG that claims 65535", bytes(jpeg)
    yield "EPS in disguise", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (r) file\n"
    yield "SVG in disguise", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    yield "XML entities", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
    yield "PDF in disguise", b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript>>>>endobj"
    yield "GIF", encode_image("GIF")
    yield "BMP", encode_image("BMP")
    yield "TIFF", encode_image("TIFF")
    yield "ICO", encode_image("ICO")
    yield "ImageMagick script", b"push graphic-context\nfill 'url(https://127.0.0.1/x\"|id\")'\n"
    yield "a program", b"\x7fELF" + b"\0" * 200
    yield "a playlist", b"#EXTM3U\nfile:///etc/passwd\n"
    yield "RIFF without a picture", b"RIFF\x10\0\0\0WEBPVP8 \xff\xff\xff\x7f"
    yield "a WAV", b"RIFF\x10\0\0\0WAVEfmt "
