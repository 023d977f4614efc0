"""Pictures that came from outside: opened with explicit formats, capped, upright, and cut to a frame."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.base import BadInput

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_PIXELS = 33_000_000
_HINT = "Use a PNG, JPEG or WebP picture of at most 33 megapixels."


def open_image(path: Path, field: str = "image") -> Image:
    """The first frame of a given picture, upright, as RGB or RGBA (8 bit). Raises BadInput for anything that is not a whole
    PNG, JPEG or WebP picture of at most 33 megapixels: other formats are never handed to a decoder."""
    from PIL import Image as Pillow
    from PIL import ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
            with Pillow.open(path, formats=FORMATS) as found:
                if found.width * found.height > MAX_PIXELS:
                    raise BadInput(field, f"{found.width}×{found.height} pixels are too many.", _HINT)
                found.seek(0)
                found.load()
                upright = ImageOps.exif_transpose(found)
                clear = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
                return upright.convert("RGBA" if clear else "RGB")
    except BadInput:
        raise
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, Pillow.DecompressionBombError) as error:
        raise BadInput(field, "this file is not a readable picture.", _HINT) from error


def cover(picture: Image, width: int, height: int) -> Image:
    """Scaled to cover `width` × `height` and cut to it around the middle; nothing is distorted."""
    from PIL import Image as Pillow
    from PIL import ImageOps

    return ImageOps.fit(picture, (width, height), Pillow.Resampling.LANCZOS)


def flatten_alpha(picture: Image) -> Image:
    """Without transparency: what is clear becomes warm paper."""
    from PIL import Image as Pillow

    if picture.mode != "RGBA":
        return picture.convert("RGB")
    paper = Pillow.new("RGB", picture.size, "#f4ead6")
    paper.paste(picture, mask=picture.getchannel("A"))
    return paper


def png_bytes(picture: Image, level: int = 2) -> bytes:
    """The picture as PNG without any metadata."""
    sink = io.BytesIO()
    picture.info = {}
    picture.save(sink, "PNG", compress_level=level)
    return sink.getvalue()
