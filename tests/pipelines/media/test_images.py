"""Opening of untrusted images: formats, modes, orientation, damaged files and decompression bombs."""

import struct
import zlib

import pytest
from PIL import Image

from pipelines.base import BadInput
from pipelines.media.images import cover, open_image


def save_image(path, picture, **options):
    picture.save(path, **options)
    return path


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_png_jpeg_and_webp_open_by_content_regardless_of_the_file_name(tmp_path, form):
    path = save_image(tmp_path / "x.dat", Image.new("RGB", (20, 10), "red"), format=form)
    assert open_image(path).size == (20, 10)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16", "CMYK"])
def test_every_colour_mode_is_converted_to_rgb_or_rgba(tmp_path, mode):
    form = "JPEG" if mode == "CMYK" else "PNG"
    path = save_image(tmp_path / "x", Image.new(mode, (8, 8)), format=form)
    assert open_image(path).mode == ("RGBA" if mode in ("LA", "RGBA") else "RGB")


def test_other_formats_are_refused(tmp_path):
    eps = tmp_path / "x.jpg"
    eps.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
    gif = save_image(tmp_path / "x.png", Image.new("P", (4, 4)), format="GIF")
    svg = tmp_path / "x.webp"
    svg.write_bytes(b'<svg xmlns="http://www.w3.org/2000/svg"/>')
    empty = tmp_path / "empty.png"
    empty.write_bytes(b"")
    for path in (eps, gif, svg, empty):
        with pytest.raises(BadInput, match="image"):
            open_image(path)


def test_a_truncated_image_is_refused(tmp_path):
    path = save_image(tmp_path / "x.png", Image.effect_noise((200, 200), 50), format="PNG")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(BadInput):
        open_image(path)


@pytest.mark.parametrize("side", [7000, 60000])
def test_a_decompression_bomb_is_refused_before_decoding(tmp_path, side):
    bomb = tmp_path / "x.png"
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    bomb.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )
    with pytest.raises(BadInput):
        open_image(bomb)


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (12, 12), colour) for colour in ("red", "blue")]
    for form in ("PNG", "WEBP"):
        path = save_image(
            tmp_path / form,
            frames[0],
            format=form,
            save_all=True,
            append_images=frames[1:],
            duration=100,
            lossless=True,
        )
        assert open_image(path).convert("RGB").getpixel((5, 5)) == (255, 0, 0)


def test_the_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save_image(tmp_path / "x.jpg", Image.new("RGB", (40, 20), "red"), format="JPEG", exif=exif)
    assert open_image(path).size == (20, 40)


def test_cover_crops_to_the_centre_without_distortion():
    wide = Image.new("RGB", (300, 100), "red")
    wide.paste("blue", (100, 0, 200, 100))
    cut = cover(wide, 50, 50)
    assert cut.size == (50, 50)
    assert cut.getpixel((3, 25))[2] > 200
    assert cut.getpixel((46, 25))[2] > 200
