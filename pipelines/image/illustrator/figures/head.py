"""Human heads: the same face for the same looks, in any mood. Drawn around (0, 0), 100 units high, turned to the right."""

from __future__ import annotations

import random

from pipelines.image.illustrator.canvas import Canvas, darken, lighten, luminance, mix
from pipelines.image.illustrator.language.appearance import Appearance

_CROWN = "M-46 2C-54 -64 54 -64 46 2"
_FACE = "M-41 -12C-43 -54 43 -54 41 -12C42 20 28 47 0 49C-28 47 -42 20 -41 -12Z"
_ROUND_FACE = "M-43 -8C-45 -52 45 -52 43 -8C46 24 28 46 0 47C-28 46 -46 24 -43 -8Z"


def draw_back_hair(canvas: Canvas, appearance: Appearance) -> None:
    """What hangs behind neck and shoulders: drawn before the body."""
    colour, shade = _hair_colour(appearance), darken(_hair_colour(appearance), 0.22)
    if _head_is_covered(appearance):
        return
    match appearance.cut:
        case "long":
            canvas.path("M-48 -8C-58 40 -58 86 -44 104C-20 112 20 112 44 104C58 86 58 40 48 -8Z", shade)
        case "wavy":
            canvas.path(
                "M-46 -10C-62 10 -46 28 -58 46C-66 66 -50 78 -54 92C-30 106 30 106 54 92C50 78 66 66 58 46C46 28 62 10 46 -10Z",
                shade,
            )
        case "curly" if appearance.sex == "woman" and appearance.age > 11:
            for x, y, r in (
                (-46, 8, 20),
                (-50, 32, 20),
                (-42, 54, 18),
                (46, 8, 20),
                (50, 32, 20),
                (42, 54, 18),
                (0, 30, 44),
            ):
                canvas.circle(x, y, r, shade)
        case "bob":
            canvas.path("M-50 -10C-58 24 -54 44 -46 52C-20 58 20 58 46 52C54 44 58 24 50 -10Z", shade)
        case "afro":
            canvas.circle(0, -18, 66, colour)
        case "ponytail":
            canvas.path("M-20 -40C-78 -58 -92 4 -66 62C-60 30 -64 0 -34 -16Z", shade)
        case "braid":
            canvas.path("M-42 -16C-54 16 -48 44 -36 50L36 50C48 44 54 16 42 -16Z", shade)
        case "pigtails":
            for side in (-1, 1):
                canvas.path(
                    f"M{side * 38} -2C{side * 78} 4 {side * 74} 60 {side * 54} 78C{side * 40} 56 {side * 56} 32 {side * 36} 14Z",
                    colour,
                )
        case _:
            pass


def draw_head(canvas: Canvas, appearance: Appearance, mood: str) -> None:
    """Face, hair, hat."""
    rng = random.Random(appearance.variation_seed)
    child = appearance.age < 13
    skin, hair = appearance.skin, _hair_colour(appearance)
    shade = darken(skin, 0.13)
    wide = 1.04 if child else 1 + rng.uniform(-0.035, 0.035)
    turn = 5.0
    if not _head_is_covered(appearance) and appearance.cut not in ("long", "wavy", "bob", "braid"):
        for side in (-1, 1):
            canvas.ellipse(side * 42 * wide - 1, 6, 8, 10, skin)
            canvas.ellipse(side * 42 * wide - 1, 7, 4, 6, shade)
    with canvas.transformed(0, 0):
        canvas.path(_ROUND_FACE if child or appearance.build == "stout" else _FACE, skin)
    if appearance.beard == "stubble":
        canvas.path(
            "M-40 6C-38 36 -22 48 0 49C22 48 38 36 40 6C30 26 16 18 0 20C-16 18 -30 26 -40 6Z",
            mix(skin, hair, 0.3),
            opacity=0.75,
        )
    if appearance.age >= 45 and appearance.human:
        for side in (-1, 1):
            canvas.curve([(turn + side * 24, 16), (turn + side * 27, 24), (turn + side * 24, 31)], shade, 2.2)
        if appearance.age >= 60:
            canvas.curve([(turn - 18, -25), (turn, -28), (turn + 18, -25)], shade, 2)
    blush = mix(skin, "#e2574c", 0.38)
    for side in (-1, 1):
        canvas.ellipse(turn + side * 25, 19, 8.5, 6, blush, opacity=0.5)
    if "freckles" in appearance.features:
        for side in (-1, 1):
            for dx, dy in ((-6, 0), (0, 3.5), (6, 0), (-2, -3.5), (4, -4)):
                canvas.circle(turn + side * 22 + dx, 15 + dy, 1.6, darken(mix(skin, "#b0522a", 0.5), 0.1))
    _draw_features(canvas, appearance, mood, turn, rng)
    if appearance.beard in ("beard", "moustache"):
        _draw_beard(canvas, appearance, hair, turn)
    if "scar" in appearance.features:
        canvas.line([(turn + 20, -14), (turn + 29, 20)], mix(skin, "#a8352c", 0.5), 2.6)
    _draw_front_hair(canvas, appearance, hair)
    if "glasses" in appearance.features:
        for side in (-1, 1):
            canvas.ellipse(turn + side * 18, 4, 13.5, 13, "#ffffff", opacity=0.22)
            canvas.ellipse(turn + side * 18, 4, 13.5, 13, None, stroke="#38302e", width=3)
        canvas.line([(turn - 5, 3), (turn + 5, 3)], "#38302e", 3)
        canvas.line([(turn + 31, 2), (43, 0)], "#38302e", 2.6)
        canvas.line([(turn - 31, 2), (-42, 0)], "#38302e", 2.6)
    if "patch" in appearance.features:
        canvas.ellipse(turn + 18, 4, 11, 10, "#26222a")
        canvas.line([(-42, -18), (turn + 18, 0), (44, -6)], "#26222a", 3)
    _draw_bandage(canvas, appearance)
    draw_hat(canvas, appearance)


def _hair_colour(appearance: Appearance) -> str:
    return darken(appearance.hair, 0.25) if "wet" in appearance.conditions else appearance.hair


def _head_is_covered(appearance: Appearance) -> bool:
    return "hood" in appearance.features or any(extra.name == "headscarf" for extra in appearance.accessories)


def _draw_features(canvas: Canvas, appearance: Appearance, mood: str, turn: float, rng: random.Random) -> None:
    ink = "#2b2226"
    child = appearance.age < 13
    gap = 17 + rng.uniform(-1, 1.5)
    eye_y = 7 if child else 4
    size = (6.4 if child else 5.4) + (1.4 if mood == "afraid" else 0)
    closed = "tired" in appearance.conditions or mood == "tired"
    brow = darken(appearance.hair, 0.3) if luminance(appearance.hair) > 0.25 else appearance.hair
    for side in (-1, 1):
        x = turn + side * gap
        if side == 1 and "patch" in appearance.features:
            continue
        if closed:
            canvas.curve([(x - 7, eye_y), (x, eye_y + 4), (x + 7, eye_y)], ink, 3)
        elif mood == "happy" and appearance.variation_seed % 3 == 0:
            canvas.curve([(x - 7, eye_y + 2), (x, eye_y - 4), (x + 7, eye_y + 2)], ink, 3.2)
        else:
            canvas.ellipse(x, eye_y, size + 2.6, size + 3.4, "#fffaf2")
            canvas.ellipse(x + 1.4, eye_y + 0.4, size, size + 1.4, appearance.eyes)
            canvas.ellipse(x + 1.6, eye_y + 0.6, size * 0.62, size * 0.75, ink)
            canvas.circle(x + 3.4, eye_y - 2.4, 1.9, "#ffffff")
            canvas.curve([(x - size - 3, eye_y - 2), (x - 1, eye_y - size - 4), (x + size + 3, eye_y - 2)], ink, 2.6)
            if appearance.sex == "woman" and not child:
                canvas.line([(x + side * (size + 2), eye_y - 3), (x + side * (size + 6), eye_y - 6.5)], ink, 2.4)
        lift = {"angry": 4.5, "sad": -4.5, "afraid": -3.0}.get(mood, 0.0)
        up = {"afraid": -4.0, "happy": -2.0}.get(mood, 0.0)
        inner, outer = eye_y - 16 + up + lift, eye_y - 15 + up - lift * 0.6
        canvas.curve(
            [(x - side * 8, inner), (x, (inner + outer) / 2 - 3.2), (x + side * 9, outer)],
            brow,
            3.6 if appearance.sex == "man" else 2.8,
        )
    nose = darken(appearance.skin, 0.24)
    long_nose = 3 if appearance.sex == "man" and not child else 0
    canvas.curve([(turn + 2, 10), (turn + 6, 18 + long_nose), (turn, 20 + long_nose)], nose, 2.8)
    lip = mix(appearance.skin, "#a8323a", 0.62)
    y = 32
    match mood:
        case "happy":
            canvas.path(
                f"M{turn - 13} {y - 2}C{turn - 8} {y + 13} {turn + 8} {y + 13} {turn + 13} {y - 2}Z", darken(lip, 0.35)
            )
            canvas.path(
                f"M{turn - 11} {y - 1}L{turn + 11} {y - 1}C{turn + 8} {y + 4} {turn - 8} {y + 4} {turn - 11} {y - 1}Z",
                "#fffaf2",
            )
        case "sad":
            canvas.curve([(turn - 9, y + 4), (turn, y - 1), (turn + 9, y + 4)], lip, 3.2)
        case "angry":
            canvas.curve([(turn - 9, y + 2), (turn, y), (turn + 10, y + 3)], lip, 3.6)
        case "afraid":
            canvas.ellipse(turn, y + 2, 5.5, 7, darken(lip, 0.35))
        case _:
            canvas.curve([(turn - 10, y - 1), (turn, y + 4), (turn + 10, y - 2)], lip, 3.2)
    if mood == "sad":
        canvas.path(f"M{turn + 22} 14C{turn + 17} 24 {turn + 27} 24 {turn + 22} 14Z", "#9fd0ea")


def _draw_beard(canvas: Canvas, appearance: Appearance, hair: str, turn: float) -> None:
    colour = hair
    if appearance.beard == "beard":
        reach = 70 if appearance.age > 60 else 60
        canvas.path(
            f"M-42 2C-46 34 -30 {reach} 0 {reach + 2}C30 {reach} 46 34 42 2C38 16 28 23 {turn + 14} 22C{turn + 6} 20 {turn - 6} 20 "
            f"{turn - 14} 22C-28 23 -38 16 -42 2Z",
            colour,
        )
        canvas.path(f"M{turn - 9} 33C{turn - 4} 38 {turn + 5} 38 {turn + 9} 32Z", mix(appearance.skin, "#a8323a", 0.6))
    canvas.path(
        f"M{turn} 23C{turn - 8} 18 {turn - 20} 24 {turn - 22} 32C{turn - 12} 32 {turn - 4} 31 {turn} 28C{turn + 4} 31 {turn + 12} 32 "
        f"{turn + 22} 32C{turn + 20} 24 {turn + 8} 18 {turn} 23Z",
        darken(colour, 0.12),
    )


def _draw_front_hair(canvas: Canvas, appearance: Appearance, hair: str) -> None:
    if _head_is_covered(appearance):
        return
    high = lighten(hair, 0.14)
    shade = darken(hair, 0.18)
    match appearance.cut:
        case "bald":
            if appearance.age > 50 and appearance.human:
                for side in (-1, 1):
                    canvas.path(
                        f"M{side * 44} -20C{side * 53} -6 {side * 50} 12 {side * 41} 14C{side * 40} 2 {side * 38} -10 {side * 38} -18Z",
                        hair,
                    )
            canvas.curve([(14, -42), (24, -37), (29, -29)], lighten(appearance.skin, 0.4), 4, 0.6)
        case "curly" | "afro":
            for x, y, r in (
                (-40, -10, 14), (-42, -26, 15), (-32, -42, 17), (-14, -50, 18), (8, -52, 18), (28, -44, 17), (41, -28, 15),
                (41, -12, 13), (-22, -30, 13), (-4, -36, 14), (14, -36, 13), (29, -28, 12),
            ):  # fmt: skip
                canvas.circle(x, y, r, hair)
            for x, y in ((-30, -46), (-6, -54), (18, -52), (34, -38)):
                canvas.curve([(x - 6, y + 3), (x, y - 3), (x + 6, y + 2)], high, 2.6, 0.8)
        case "spiky":
            canvas.path(
                "M-45 2C-52 -22 -50 -40 -40 -48L-43 -62L-26 -56L-20 -72L-6 -59L8 -74L16 -58L34 -66L34 -51L50 -50L43 -36"
                "C50 -24 48 -10 45 2C42 -10 40 -20 34 -26L24 -14L16 -28L2 -16L-8 -29L-22 -16L-28 -26C-38 -18 -42 -8 -45 2Z",
                hair,
            )
        case "short":
            canvas.path(
                _CROWN + "C43 -6 42 -13 36 -17C24 -18 8 -16 -6 -27C-13 -17 -27 -13 -36 -12C-41 -8 -44 -4 -46 2Z", hair
            )
            canvas.curve([(-4, -38), (14, -44), (30, -36)], high, 3.4, 0.8)
        case "bob":
            canvas.path(
                _CROWN
                + "C56 22 52 36 44 44C36 34 44 8 36 -18C10 -16 -14 -18 -37 -17C-44 8 -36 34 -44 44C-52 36 -56 22 -46 2Z",
                hair,
            )
            canvas.curve([(-26, -40), (0, -47), (26, -40)], high, 4, 0.8)
        case "long" | "wavy":
            canvas.path(
                _CROWN
                + "C56 30 58 60 52 84C42 74 44 30 38 -6C34 -22 18 -32 4 -36C-4 -28 -28 -22 -37 -8C-44 30 -42 74 -52 84"
                "C-58 60 -56 30 -46 2Z",
                hair,
            )
            canvas.curve([(6, -42), (28, -36), (40, -16)], high, 3.6, 0.8)
        case _:
            canvas.path(
                _CROWN + "C44 -8 42 -16 37 -22C22 -40 4 -38 2 -37C-12 -36 -28 -26 -37 -12C-41 -8 -44 -4 -46 2Z", hair
            )
            canvas.curve([(8, -42), (26, -37), (37, -24)], high, 3.4, 0.8)
    match appearance.cut:
        case "bun":
            canvas.circle(0, -60, 19, hair)
            canvas.curve([(-11, -58), (0, -68), (12, -60)], high, 3, 0.8)
            canvas.curve([(-15, -47), (0, -44), (15, -47)], shade, 3)
        case "braid":
            canvas.path("M-40 -4C-52 8 -50 30 -40 42L-26 44C-30 26 -36 10 -36 -8Z", hair)
            canvas.path("M46 0C52 14 50 32 42 46L33 46C40 28 40 8 34 -20Z", hair)
            for step in range(5):
                y = 44 + step * 14
                left = -33 + step * 1.6
                canvas.ellipse(left - 4, y, 9.5 - step * 0.7, 9, hair)
                canvas.ellipse(left + 4, y + 5, 9 - step * 0.7, 8.5, shade)
            canvas.rect(-33, 110, 13, 6, "#c8463c", 3)
            canvas.path("M-32 116C-38 128 -30 136 -27 138C-22 132 -18 124 -21 116Z", hair)
        case "pigtails":
            for side in (-1, 1):
                canvas.circle(side * 44, 2, 7, "#d0524a")
        case "ponytail":
            canvas.circle(-32, -36, 8, "#d0524a")
        case _:
            pass
    for extra in appearance.accessories:
        if extra.name == "flower":
            for dx, dy in ((0, -8), (7.6, -2.5), (4.7, 6.5), (-4.7, 6.5), (-7.6, -2.5)):
                canvas.circle(-32 + dx, -24 + dy, 6, extra.colour)
            canvas.circle(-32, -24, 5, "#f4cf5a")


def _draw_bandage(canvas: Canvas, appearance: Appearance) -> None:
    if "hurt" in appearance.conditions:
        canvas.path("M-45 -26C-20 -40 20 -38 45 -22L44 -10C20 -26 -20 -28 -45 -14Z", "#f7f1e6")
        canvas.ellipse(24, -24, 6, 4.5, "#c23b34")
        canvas.line([(-26, 22), (-14, 28)], mix(appearance.skin, "#a8352c", 0.6), 2.6)
    if "dirty" in appearance.conditions:
        for x, y, rx in ((-24, 24, 9), (30, 8, 7), (10, -22, 8)):
            canvas.ellipse(x, y, rx, rx * 0.55, "#6b4c33", 0.55)
    if "floury" in appearance.conditions:
        for x, y, rx in ((-27, 25, 8), (32, 23, 7), (9, 15, 6), (-16, 33, 4)):
            canvas.ellipse(x, y, rx, rx * 0.6, "#fbf8f2", 0.72)
    if "wet" in appearance.conditions:
        for x, y in ((-30, -6), (34, 14), (-18, 40), (22, -30)):
            canvas.path(f"M{x} {y}C{x - 5} {y + 10} {x + 5} {y + 10} {x} {y}Z", "#a9d8ee", opacity=0.95)


def draw_hat(canvas: Canvas, appearance: Appearance) -> None:
    """Hat, hood, headscarf or helmet on a head of this size; animals wear them too."""
    colour = appearance.hat_colour
    shade, high = darken(colour, 0.2), lighten(colour, 0.2)
    for extra in appearance.accessories:
        if extra.name == "headscarf":
            canvas.path(
                "M0 -58C-66 -58 -56 20 -50 62L-30 70C-48 26 -40 -26 0 -28C40 -26 48 26 30 70L50 62C56 20 66 -58 0 -58Z",
                extra.colour,
            )
            canvas.path("M-46 46C-24 74 24 74 46 46L54 78C24 92 -24 92 -54 78Z", darken(extra.colour, 0.12))
    if "hood" in appearance.features:
        cloth = next((extra.colour for extra in appearance.accessories if extra.name == "cape"), appearance.top_colour)
        canvas.path(
            "M0 -62C-68 -60 -58 26 -40 56L-30 48C-44 20 -42 -34 0 -36C42 -34 44 20 30 48L40 56C58 26 68 -60 0 -62Z",
            cloth,
        )
        canvas.path("M-34 50C-46 10 -42 -36 0 -38C42 -36 46 10 34 50", None, darken(cloth, 0.25), 4)
    if appearance.top == "spacesuit":
        canvas.circle(0, -4, 64, "#cfe6f2", 0.28)
        canvas.ellipse(0, -4, 64, 64, None, stroke="#eef0f2", width=8)
        canvas.curve([(20, -48), (42, -32), (50, -8)], "#ffffff", 5, 0.8)
    match appearance.hat:
        case "cap":
            canvas.path("M-46 -18C-48 -66 48 -66 46 -18C20 -26 -20 -26 -46 -18Z", colour)
            canvas.path("M2 -24C30 -30 66 -24 70 -12C52 -18 24 -18 2 -16Z", shade)
            canvas.circle(0, -56, 4, shade)
        case "wool":
            canvas.path("M-46 -14C-50 -68 50 -68 46 -14Z", colour)
            canvas.rect(-49, -26, 98, 16, high, 8)
            canvas.circle(0, -62, 12, high)
        case "brim":
            canvas.ellipse(0, -22, 76, 15, shade)
            canvas.path("M-42 -24C-44 -74 44 -74 42 -24C20 -16 -20 -16 -42 -24Z", colour)
            canvas.path("M-42 -34C-20 -26 20 -26 42 -34L42 -24C20 -16 -20 -16 -42 -24Z", darken(colour, 0.45))
        case "top":
            canvas.ellipse(0, -28, 60, 11, shade)
            canvas.path("M-38 -30L-42 -98C-20 -104 20 -104 42 -98L38 -30C20 -24 -20 -24 -38 -30Z", colour)
            canvas.path("M-38 -44C-20 -38 20 -38 38 -44L38 -30C20 -24 -20 -24 -38 -30Z", "#a8322f")
        case "wizard":
            canvas.ellipse(0, -24, 74, 14, shade)
            canvas.path("M-42 -26C-30 -60 -12 -96 18 -120C20 -104 32 -60 42 -26C20 -18 -20 -18 -42 -26Z", colour)
            canvas.path("M-40 -34C-20 -26 20 -26 40 -34L42 -26C20 -18 -20 -18 -42 -26Z", "#e0b64a")
        case "crown":
            canvas.path("M-36 -34L-42 -70L-20 -52L0 -78L20 -52L42 -70L36 -34C16 -28 -16 -28 -36 -34Z", colour)
            for x, y in ((-42, -70), (0, -78), (42, -70)):
                canvas.circle(x, y, 4.5, high)
            canvas.circle(0, -44, 5, "#c23b4a")
        case "helmet":
            canvas.path("M-50 2C-56 -74 56 -74 50 2L40 2C42 -18 34 -24 0 -26C-34 -24 -42 -18 -40 2Z", colour)
            canvas.rect(-4, -60, 8, 38, high, 4)
        case "turban":
            canvas.path("M-50 -14C-60 -76 60 -76 50 -14C20 -34 -20 -34 -50 -14Z", colour)
            canvas.curve([(-46, -22), (-6, -44), (40, -54)], shade, 4)
            canvas.curve([(46, -22), (6, -44), (-34, -58)], shade, 4)
            canvas.circle(2, -42, 6, "#e7c25a")
        case "chef":
            for x, y, r in ((-26, -66, 22), (0, -76, 26), (26, -66, 22)):
                canvas.circle(x, y, r, colour)
            canvas.path("M-38 -26L-40 -60L40 -60L38 -26C16 -32 -16 -32 -38 -26Z", darken(colour, 0.06))
        case "pirate":
            canvas.path("M-72 -24C-50 -40 -40 -80 0 -80C40 -80 50 -40 72 -24C30 -36 -30 -36 -72 -24Z", colour)
            canvas.circle(0, -56, 9, "#f4efe4")
        case _:
            pass
    if "snowy" in appearance.conditions:
        canvas.path("M-36 -38C-30 -66 30 -66 36 -38C22 -46 12 -38 0 -44C-12 -38 -24 -46 -36 -38Z", "#fbfdff")
