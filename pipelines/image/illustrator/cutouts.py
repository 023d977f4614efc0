"""User images of characters and objects: face crops, cut-outs and clothing colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.image.illustrator.canvas import to_hex
from pipelines.media.images import flatten_alpha

if TYPE_CHECKING:
    from PIL.Image import Image

_FACE_SIZE = 320
_MAX_CUTOUT_SIZE = 720


def crop_face(image: Image) -> Image:
    """A square around the face where one is found, else the upper middle of the picture."""
    import cv2
    import numpy as np
    from PIL import Image as Pillow

    flat = flatten_alpha(image)
    small = flat.copy()
    small.thumbnail((640, 640))
    factor = flat.width / small.width
    box: tuple[float, float, float] | None = None
    half: float
    # OpenCV 5 moved its cascades out of the main package; without them the upper middle serves.
    cascades = getattr(getattr(cv2, "data", None), "haarcascades", None)
    if cascades and hasattr(cv2, "CascadeClassifier"):
        detector = cv2.CascadeClassifier(f"{cascades}haarcascade_frontalface_default.xml")
        faces = detector.detectMultiScale(cv2.cvtColor(np.asarray(small), cv2.COLOR_RGB2GRAY), 1.1, 6, minSize=(48, 48))
        if len(faces):
            x, y, w, h = max((tuple(int(v) for v in face) for face in faces), key=lambda f: (f[2] * f[3], -f[0], -f[1]))
            box = ((x + w / 2) * factor, (y + h * 0.48) * factor, w * 0.82 * factor)
    if box is None:
        found = _cut_out_subject(image)
        if found is not None:
            # The head is what is widest in the upper part of the subject.
            alpha = np.asarray(found[0].getchannel("A"))
            rows, columns = np.where(alpha > 128)
            high = rows < rows.min() + (rows.max() - rows.min()) * 0.4
            left, right = np.percentile(columns[high], (3, 97))
            factor = flat.width / alpha.shape[1]
            half = float(right - left) * 0.64 * factor
            box = (float(left + right) / 2 * factor, float(rows.min()) * factor + half * 0.94, half)
        else:
            half = min(flat.size) * 0.46
            box = (
                flat.width / 2,
                min(flat.height * 0.42, flat.height - half) if flat.height > flat.width else flat.height / 2,
                half,
            )
    x0, y0, reach = box
    half = max(8.0, min(reach, flat.width / 2, flat.height / 2))
    x0, y0 = min(max(x0, half), flat.width - half), min(max(y0, half), flat.height - half)
    square = flat.crop((round(x0 - half), round(y0 - half), round(x0 + half), round(y0 + half)))
    return square.resize((_FACE_SIZE, _FACE_SIZE), Pillow.Resampling.LANCZOS)


def _cut_out_subject(image: Image) -> tuple[Image, bool] | None:
    """The subject without its background (RGBA, in the picture's own frame) and whether it is cut off by the lower
    border; none where the picture is neither transparent around it nor stands on one even colour."""
    import cv2
    import numpy as np
    from PIL import Image as Pillow

    small = image.copy()
    small.thumbnail((_MAX_CUTOUT_SIZE, _MAX_CUTOUT_SIZE))
    if small.mode == "RGBA" and int(np.asarray(small.getchannel("A")).min()) < 40:
        alpha = np.asarray(small.getchannel("A")).copy()
    else:
        pixels = np.asarray(small.convert("RGB")).copy()
        rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).astype(np.int16)
        middle = np.median(rim, axis=0)
        if (np.abs(rim - middle).max(axis=1) < 26).mean() < 0.8:
            return None
        h, w = pixels.shape[:2]
        mask = np.zeros((h + 2, w + 2), np.uint8)
        for x, y in ((0, 0), (w - 1, 0), (0, h - 1), (w - 1, h - 1)):
            if mask[y + 1, x + 1] == 0 and np.abs(pixels[y, x].astype(np.int16) - middle).max() < 40:
                cv2.floodFill(
                    pixels, mask, (x, y), (0, 0, 0), (9, 9, 9), (9, 9, 9), 4 | (255 << 8) | cv2.FLOODFILL_MASK_ONLY
                )
        alpha = 255 - mask[1:-1, 1:-1]
        alpha = cv2.GaussianBlur(cv2.erode(alpha, np.ones((3, 3), np.uint8)), (3, 3), 0)
    share = float((alpha > 128).mean())
    if not 0.04 < share < 0.92:
        return None
    # A rim of white paper keeps the cut-out apart from any backdrop.
    rim_mask = cv2.GaussianBlur(cv2.dilate(alpha, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13))), (3, 3), 0)
    outlined = Pillow.new("RGBA", small.size, "#fffaf0")
    outlined.putalpha(Pillow.fromarray(rim_mask))
    subject = small.convert("RGBA")
    subject.putalpha(Pillow.fromarray(alpha))
    outlined.alpha_composite(subject)
    return outlined, bool((alpha[-2:] > 128).any())


def cut_out_full_body(image: Image) -> Image | None:
    """The cut-out, if it shows a full body: clearly higher than wide and clear of the lower border."""
    found = _cut_out_subject(image)
    bounds = found[0].getchannel("A").getbbox() if found else None
    if found is None or bounds is None or found[1]:
        return None
    cut = found[0].crop(bounds)
    return cut if cut.height >= 1.45 * cut.width else None


def clothing_colours(image: Image) -> tuple[str, str]:
    """Two colours for the clothes of a figure under a given face: what is worn below the face, and a darker second."""
    flat = flatten_alpha(image).resize((60, 60))
    chest = flat.crop((20, 44, 40, 60)).resize((1, 1)).getpixel((0, 0))
    rest = flat.resize((1, 1)).getpixel((0, 0))
    assert isinstance(chest, tuple)
    assert isinstance(rest, tuple)
    return to_hex(*chest[:3]), to_hex(*(v * 0.55 for v in rest[:3]))
