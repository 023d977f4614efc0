"""Opening of untrusted images with a list of formats and a limit of pixels, and basic operations on images."""

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
_HINT = "Use a PNG, JPEG or WebP image of at most 33 megapixels."


def open_image(path: Path, field: str = "image") -> Image:
    """Return the first frame of an image file, upright, as 8-bit RGB or RGBA.

    Raises BadInput for `field` unless the file is a complete PNG, JPEG or WebP image of at most `MAX_PIXELS` pixels. No
    decoder opens other formats.
    """
    from PIL import Image as Pillow
    from PIL import ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
            with Pillow.open(path, formats=FORMATS) as opened:
                if opened.width * opened.height > MAX_PIXELS:
                    raise BadInput(field, f"{opened.width}×{opened.height} pixels are too many.", _HINT)
                opened.seek(0)
                opened.load()
                upright = ImageOps.exif_transpose(opened)
                has_alpha = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
                return upright.convert("RGBA" if has_alpha else "RGB")
    except BadInput:
        raise
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, Pillow.DecompressionBombError) as error:
        raise BadInput(field, "the file is not a readable image.", _HINT) from error


def cover(image: Image, width: int, height: int) -> Image:
    """Return the image scaled to cover `width` × `height` and cropped to the centre, without distortion."""
    from PIL import Image as Pillow
    from PIL import ImageOps

    return ImageOps.fit(image, (width, height), Pillow.Resampling.LANCZOS)


def flatten_alpha(image: Image) -> Image:
    """Return the image as RGB on a background of the paper colour #f4ead6."""
    from PIL import Image as Pillow

    if image.mode != "RGBA":
        return image.convert("RGB")
    background = Pillow.new("RGB", image.size, "#f4ead6")
    background.paste(image, mask=image.getchannel("A"))
    return background


def png_bytes(image: Image, level: int = 2) -> bytes:
    """Encode the image as PNG without metadata. `level`: zlib compression, 0 to 9."""
    buffer = io.BytesIO()
    image.info = {}
    image.save(buffer, "PNG", compress_level=level)
    return buffer.getvalue()
