"""A whole figure: body, clothes and head of any looks in any pose. Feet on (0, 0), y upwards negative, turned to the right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from pipelines.image.illustrator.canvas import Canvas, Point, darken, lighten, luminance, mix
from pipelines.image.illustrator.figures import animal_heads, head
from pipelines.image.illustrator.figures.swimmers import SWIMMERS, draw_swimmer
from pipelines.image.illustrator.language.appearance import Appearance


@dataclass(frozen=True, slots=True)
class Pose:
    """Degrees from hanging down, positive forwards: (upper, lower) of far and near arm, far and near leg."""

    far_arm: tuple[float, float]
    near_arm: tuple[float, float]
    far_leg: tuple[float, float] = (-4, -2)
    near_leg: tuple[float, float] = (4, 3)
    seated: bool = False
    hip_drop: float = 0.0
    """How far the hip comes down, as a share of its height."""


POSES = {
    "stand": Pose((-13, -6), (14, 20)),
    "ease": Pose((-17, -2), (18, 12), (-7, -4), (9, 8)),
    "walk": Pose((-30, -14), (24, 58), (-24, -46), (24, 10)),
    "sit": Pose((-12, 30), (18, 66), (70, 2), (80, 6), True, 0.5),
    "kneel": Pose((-16, 6), (34, 62), (2, -82), (68, 4), hip_drop=0.44),
    "kick": Pose((-52, -20), (38, 60), (-10, -22), (52, 34)),
    "lie": Pose((-8, -2), (8, 4), (-3, -2), (3, 3)),
    "reach": Pose((-15, 2), (64, 80)),
    "wave": Pose((-14, -6), (128, 168)),
    "point": Pose((-14, -4), (80, 88)),
    "hold": Pose((-16, 32), (30, 112)),
    "carry": Pose((24, 92), (30, 104)),
    "arms_up": Pose((-118, -152), (118, 152)),
    "worry": Pose((-26, 150), (24, 152)),
}


@dataclass(frozen=True, slots=True)
class BodyProportions:
    """The measures of one body: all in the units of the figure (a grown man is about 408 high)."""

    height: float
    head: float
    neck: float
    hip: float
    shoulder: float
    waist: float
    arm: float
    limb_width: float


def body_proportions(appearance: Appearance) -> BodyProportions:
    """Measures from age, sex, build and species."""
    if appearance.human:
        ages = (
            (0, 150),
            (2, 190),
            (5, 240),
            (9, 290),
            (12, 326),
            (15, 362),
            (18, 392),
            (60, 392),
            (75, 372),
            (120, 360),
        )
        height = next(
            low_h + (high_h - low_h) * (appearance.age - low) / (high - low)
            for (low, low_h), (high, high_h) in pairwise(ages)
            if appearance.age <= high or high == 120
        )
        if appearance.age > 15:
            height += 12 if appearance.sex == "man" else -6
        skull = 90 + min(14.0, appearance.age * 0.9)
    else:
        height = 400 * animal_heads.SPECIES[appearance.species].height * (0.78 if appearance.age < 13 else 1)
        skull = min(116.0, 70 + height * 0.13)
    bulk = 1.0 if appearance.human else animal_heads.SPECIES[appearance.species].bulk
    height *= {"tall": 1.07, "small": 0.88}.get(appearance.stature, 1)
    body = height - skull * 0.93
    wide = {"stout": 1.28, "slim": 0.9}.get(appearance.build, 1.0) * (body / 292) ** 0.75 * bulk
    man = appearance.sex == "man" and appearance.age > 13 and appearance.human
    return BodyProportions(
        height=height,
        head=skull,
        neck=-body,
        hip=-body * 0.52,
        shoulder=(49 if man else 42) * wide,
        waist=(36 if man else 31) * wide * (1.25 if appearance.build == "stout" else 1),
        arm=body * 0.235,
        limb_width=25 * wide**0.9,
    )


@dataclass(frozen=True, slots=True)
class FigureAnchors:
    """Anchor points of a drawn figure, for held props and the camera."""

    top: float
    hand: Point
    face: Point


def draw_figure(
    canvas: Canvas, appearance: Appearance, pose: str = "stand", mood: str = "", face_image: str | None = None
) -> FigureAnchors:
    """Draws the figure; `medallion` is a given picture (base64 PNG, square) that stands in for the head."""
    pose_angles = POSES[pose]
    proportions = body_proportions(appearance)
    mood = mood or appearance.mood
    if appearance.species in SWIMMERS:
        lift = (
            pose_angles.near_arm[0] + pose_angles.near_arm[1] * 0.2,
            pose_angles.far_arm[0] + pose_angles.far_leg[0] * 0.1,
        )
        top, fin, face = draw_swimmer(canvas, appearance, proportions.height, lift, mood)
        return FigureAnchors(top, fin, face)
    drop = -proportions.hip * pose_angles.hip_drop
    with canvas.transformed(0, drop):
        _draw_behind_body(canvas, appearance, proportions)
        sway = -3.0 if pose == "ease" else 0.0
        centre = (sway, proportions.neck - proportions.head * 0.43)
        scale = proportions.head / 100
        if face_image is None and appearance.human:
            with canvas.transformed(*centre, scale):
                head.draw_back_hair(canvas, appearance)
        hand_far = _draw_arm(canvas, appearance, proportions, -1, pose_angles.far_arm)
        _draw_legs(canvas, appearance, proportions, pose_angles)
        _draw_torso(canvas, appearance, proportions, seated=pose_angles.seated)
        _draw_neck(canvas, appearance, proportions, face_image is not None)
        if face_image is not None:
            _draw_face_image(canvas, proportions, face_image)
        else:
            with canvas.transformed(*centre, scale):
                if appearance.human:
                    head.draw_head(canvas, appearance, mood)
                else:
                    animal_heads.draw_animal_head(canvas, appearance, mood)
        _draw_accessories(canvas, appearance, proportions)
        hand = _draw_arm(canvas, appearance, proportions, 1, pose_angles.near_arm)
        if pose in ("carry", "worry"):
            hand_far = _draw_arm(canvas, appearance, proportions, -1, pose_angles.far_arm)
        if pose == "carry":
            hand = ((hand[0] + hand_far[0]) / 2, (hand[1] + hand_far[1]) / 2)
    if "wet" in appearance.conditions:
        canvas.ellipse(4, 3, proportions.shoulder * 1.7, 7, "#9cc6dc", 0.6)
    hat = {"wizard": 62, "top": 48, "chef": 44, "crown": 26}.get(appearance.hat, 12)
    ears = 0 if appearance.human else animal_heads.height_above_skull(appearance.species)
    top = (
        -proportions.height
        + drop
        - max(hat if appearance.hat else 0, ears, 14 if appearance.cut in ("bun", "afro", "spiky") else 4) * scale
    )
    return FigureAnchors(top, (hand[0], hand[1] + drop), (0, centre[1] + drop))


def _cloth_colour(appearance: Appearance) -> str:
    colour = appearance.top_colour if appearance.dressed else appearance.skin
    return darken(colour, 0.22) if "wet" in appearance.conditions else colour


def _draw_behind_body(canvas: Canvas, appearance: Appearance, proportions: BodyProportions) -> None:
    if not appearance.human:
        if appearance.species == "dragon":
            animal_heads.draw_wings(canvas, appearance, proportions.neck * 0.9)
        animal_heads.draw_tail(canvas, appearance, proportions.hip * 0.92)
        if appearance.species == "bee":
            for turn in (-38, -64):
                with canvas.transformed(-proportions.shoulder * 0.3, proportions.neck * 0.8, rotation=turn):
                    canvas.ellipse(
                        0,
                        -proportions.height * 0.2,
                        proportions.shoulder * 0.5,
                        proportions.height * 0.2,
                        "#e8f4f8",
                        0.85,
                    )
        elif appearance.species == "snail":
            x, y, r = -proportions.shoulder * 0.9, proportions.hip * 1.15, -proportions.hip * 0.78
            for step, tone in enumerate((0.0, 0.22, 0.0, 0.22)):
                canvas.circle(x + r * 0.07 * step, y + r * 0.05 * step, r * (1 - 0.24 * step), darken("#a8683f", tone))
    s = proportions.shoulder
    for extra in appearance.accessories:
        if extra.name == "cape":
            canvas.path(
                f"M{-s * 0.8:.1f} {proportions.neck:.1f}C{-s * 1.7:.1f} {proportions.neck * 0.6:.1f} {-s * 1.9:.1f} {proportions.neck * 0.3:.1f} {-s * 1.6:.1f} {proportions.neck * 0.1:.1f}"
                f"L{s * 1.4:.1f} {proportions.neck * 0.1:.1f}C{s * 1.5:.1f} {proportions.neck * 0.5:.1f} {s * 1.2:.1f} {proportions.neck * 0.8:.1f} {s * 0.8:.1f} {proportions.neck:.1f}Z",
                extra.colour,
            )
        if extra.name == "backpack":
            canvas.rect(-s * 1.35, proportions.neck * 0.95, s * 1.2, -proportions.neck * 0.4, extra.colour, 16)


def _draw_arm(
    canvas: Canvas, appearance: Appearance, proportions: BodyProportions, side: int, angles: tuple[float, float]
) -> Point:
    start = (
        side * (proportions.shoulder - proportions.limb_width * 0.42),
        proportions.neck + proportions.limb_width * 0.78,
    )
    upper, lower = (math.radians(a) for a in angles)
    elbow = (start[0] + math.sin(upper) * proportions.arm, start[1] + math.cos(upper) * proportions.arm)
    hand = (elbow[0] + math.sin(lower) * proportions.arm * 0.94, elbow[1] + math.cos(lower) * proportions.arm * 0.94)
    if not appearance.human and animal_heads.SPECIES[appearance.species].limb_kind == "wings":
        return _draw_wing(canvas, appearance, proportions, start, elbow, hand)
    cloth = _cloth_colour(appearance)
    shade = darken(cloth, 0.12 if side > 0 else 0.2)
    skin = appearance.skin
    if appearance.species == "panda" and not appearance.dressed:
        skin = shade = "#2e2b31"
    if "hurt" in appearance.conditions and side > 0:
        canvas.line([start, elbow], shade, proportions.limb_width)
        canvas.line([elbow, hand], "#f3ece0", proportions.limb_width * 0.9)
    elif appearance.dressed and appearance.top in ("overalls",) and appearance.human:
        canvas.line([start, elbow, hand], "#efe6d4", proportions.limb_width)
    elif appearance.dressed and appearance.top == "shirt" and appearance.age < 13 and appearance.human:
        canvas.line([elbow, hand], skin, proportions.limb_width * 0.72)
        canvas.line([start, elbow], shade, proportions.limb_width)
    else:
        canvas.line([start, elbow, hand], shade, proportions.limb_width)
        if appearance.dressed and appearance.top in ("coat", "raincoat", "jacket", "suit", "labcoat", "sweater"):
            near = (
                hand[0] - math.sin(lower) * proportions.limb_width * 0.3,
                hand[1] - math.cos(lower) * proportions.limb_width * 0.3,
            )
            canvas.line(
                [near, hand], darken(cloth, 0.3 if appearance.top != "labcoat" else 0.2), proportions.limb_width
            )
    paw = skin if appearance.human or appearance.species in ("frog", "alien", "pig", "robot") else darken(skin, 0.12)
    if appearance.top == "spacesuit" and appearance.dressed:
        paw = "#dcd6ca"
    reach = proportions.limb_width * 0.42
    tip = (hand[0] + math.sin(lower) * reach, hand[1] + math.cos(lower) * reach)
    radius = proportions.limb_width * (0.47 if appearance.human else 0.54)
    canvas.circle(*tip, radius, paw)
    if appearance.human:
        thumb = lower + 0.75
        canvas.line(
            [tip, (tip[0] + math.sin(thumb) * radius * 1.15, tip[1] + math.cos(thumb) * radius * 1.15)],
            paw,
            radius * 0.62,
        )
    return tip


def _draw_wing(
    canvas: Canvas, appearance: Appearance, proportions: BodyProportions, start: Point, elbow: Point, hand: Point
) -> Point:
    colour = darken(appearance.skin, 0.22)
    across = (hand[1] - start[1]) * 0.28, (start[0] - hand[0]) * 0.28
    canvas.path(
        f"M{start[0]:.1f} {start[1] - 12:.1f}Q{elbow[0] + across[0]:.1f} {elbow[1] + across[1]:.1f} {hand[0]:.1f} {hand[1]:.1f}"
        f"Q{elbow[0] - across[0]:.1f} {elbow[1] - across[1]:.1f} {start[0] - 8:.1f} {start[1] + 30:.1f}Z",
        colour, colour, 12,
    )  # fmt: skip
    return hand


def _draw_legs(canvas: Canvas, appearance: Appearance, proportions: BodyProportions, pose_angles: Pose) -> None:
    length = -proportions.hip / 2 * 0.94
    bare = appearance.bottom in ("shorts", "skirt") or (appearance.top == "dress" and appearance.dressed)
    trousers = (
        appearance.bottom_colour
        if appearance.dressed
        else "#2e2b31"
        if appearance.species == "panda"
        else appearance.skin
    )
    if appearance.dressed and appearance.top in ("overalls", "spacesuit", "armor"):
        trousers = appearance.top_colour
    if "wet" in appearance.conditions:
        trousers = darken(trousers, 0.22)
    width = proportions.limb_width * 1.16
    if pose_angles.hip_drop and not pose_angles.seated and appearance.dressed and appearance.top in ("robe", "dress"):
        # A kneeling figure kneels on a long garment.
        trousers, width, bare = _cloth_colour(appearance), proportions.limb_width * 1.7, False
    for side, (thigh, calf) in ((-1, pose_angles.far_leg), (1, pose_angles.near_leg)):
        tone = trousers if side > 0 else darken(trousers, 0.14)
        skin = appearance.skin if side > 0 else darken(appearance.skin, 0.1)
        start = (side * proportions.waist * 0.48, proportions.hip + 2)
        if pose_angles.seated:
            thigh = 62 if side > 0 else 40
        a, b = math.radians(thigh), math.radians(calf)
        reach = 0.62 if pose_angles.seated else 1.0
        knee = (start[0] + math.sin(a) * length * reach, start[1] + math.cos(a) * length * reach)
        foot = (knee[0] + math.sin(b) * length, knee[1] + math.cos(b) * length)
        if pose_angles.seated:
            knee = (start[0] + side * 4 + length * 0.55, proportions.hip + length * 0.12)
            foot = (knee[0] + 4, proportions.hip * 0.5 - 8)
        if bare and appearance.human:
            canvas.line([start, knee, foot], skin, width * 0.78)
            if appearance.bottom == "shorts" and appearance.top != "dress":
                cut = (start[0] + (knee[0] - start[0]) * 0.8, start[1] + (knee[1] - start[1]) * 0.8)
                canvas.line([start, cut], tone, width * 1.1)
        else:
            canvas.line([start, knee, foot], tone, width)
        _draw_shoe(canvas, appearance, foot, b if not pose_angles.seated else 0, width, side, knee)


def _draw_shoe(
    canvas: Canvas, appearance: Appearance, foot: Point, turn: float, width: float, side: int, knee: Point
) -> None:
    if not appearance.human and not (appearance.dressed and appearance.boots):
        birdlike = animal_heads.SPECIES[appearance.species].limb_kind == "wings"
        colour = "#e39a36" if birdlike else darken(appearance.skin, 0.3)
        canvas.ellipse(foot[0] + width * 0.24, foot[1] + width * 0.12, width * 0.8, width * 0.42, colour)
        return
    colour = appearance.shoe_colour if side > 0 else darken(appearance.shoe_colour, 0.18)
    if appearance.top == "spacesuit":
        colour = "#c9ced3"
    if appearance.boots or appearance.top in ("raincoat", "spacesuit", "armor"):
        boot = appearance.shoe_colour if appearance.boots else colour if appearance.top != "raincoat" else "#3f5a4a"
        boot = boot if side > 0 else darken(boot, 0.18)
        top = (foot[0] + (knee[0] - foot[0]) * 0.5, foot[1] + (knee[1] - foot[1]) * 0.5)
        canvas.line([top, foot], boot, width * 1.12)
        colour = boot
    w = width
    with canvas.transformed(foot[0], foot[1], rotation=-math.degrees(turn) * 0.7):
        canvas.path(
            f"M{-w * 0.62:.1f} {w * 0.42:.1f}L{-w * 0.58:.1f} {-w * 0.3:.1f}L{w * 0.5:.1f} {-w * 0.3:.1f}"
            f"C{w * 0.7:.1f} {-w * 0.1:.1f} {w * 1.3:.1f} {-w * 0.1:.1f} {w * 1.32:.1f} {w * 0.42:.1f}Z",
            colour,
        )


def _draw_torso(canvas: Canvas, appearance: Appearance, proportions: BodyProportions, *, seated: bool) -> None:
    cloth = _cloth_colour(appearance)
    s, w, n, h = proportions.shoulder, proportions.waist, proportions.neck, proportions.hip
    if not appearance.human and not appearance.dressed:
        round_ = (
            1.12
            if animal_heads.SPECIES[appearance.species].limb_kind == "wings" or appearance.build == "stout"
            else 1.0
        )
        canvas.path(
            f"M0 {n - 4:.1f}C{s * 1.1 * round_:.1f} {n:.1f} {s * 1.25 * round_:.1f} {h * 0.8:.1f} {w * 0.9:.1f} {h + 14:.1f}"
            f"C{w * 0.4:.1f} {h + 24:.1f} {-w * 0.4:.1f} {h + 24:.1f} {-w * 0.9:.1f} {h + 14:.1f}"
            f"C{-s * 1.25 * round_:.1f} {h * 0.8:.1f} {-s * 1.1 * round_:.1f} {n:.1f} 0 {n - 4:.1f}Z",
            appearance.skin,
        )
        if appearance.species == "robot":
            canvas.rect(-w * 0.7, n * 0.84, w * 1.5, -n * 0.2, "#23303c", 8)
            for x, colour in ((-0.35, "#e5574d"), (0.05, "#f0c24a"), (0.45, "#63c48b")):
                canvas.circle(w * x, n * 0.74, 6, colour)
        elif appearance.species == "bee":
            canvas.ellipse(6, n * 0.7, w * 0.72, -n * 0.22, animal_heads.SPECIES["bee"].pale_colour)
            for y in (0.82, 0.66, 0.52):
                canvas.line([(-s * 0.86, n * y), (s * 0.86, n * y)], "#3a2e28", 9)
        elif appearance.species == "snowman":
            for y in (0.82, 0.7, 0.58):
                canvas.circle(4, n * y, 5, "#2a2125")
        else:
            pale = animal_heads.SPECIES[appearance.species].pale_colour
            canvas.ellipse(6, n * 0.7, w * 0.72, -n * 0.22, pale)
        return
    skirt = _hem_shape(appearance)
    canvas.path(
        f"M{-s * 0.45:.1f} {n:.1f}C{-s * 0.9:.1f} {n + 1:.1f} {-s:.1f} {n + 9:.1f} {-s:.1f} {n + 30:.1f}L{-w:.1f} {n * 0.7:.1f}"
        f"L{-w * 1.06:.1f} {h + 8:.1f}C{-w * 0.5:.1f} {h + 16:.1f} {w * 0.5:.1f} {h + 16:.1f} {w * 1.06:.1f} {h + 8:.1f}L{w:.1f} {n * 0.7:.1f}"
        f"L{s:.1f} {n + 30:.1f}C{s:.1f} {n + 9:.1f} {s * 0.9:.1f} {n + 1:.1f} {s * 0.45:.1f} {n:.1f}Z",
        cloth,
    )
    if skirt and seated and skirt[0] < 0.8:
        _draw_seated_garment(canvas, proportions, cloth)
    elif skirt:
        low, flare = skirt
        y = h * low
        f = w * flare
        canvas.path(
            f"M{-w:.1f} {n * 0.68:.1f}C{-w * 1.1:.1f} {h:.1f} {-f:.1f} {h * (low + 0.3):.1f} {-f:.1f} {y:.1f}"
            f"C{-f * 0.5:.1f} {y + 9:.1f} {f * 0.5:.1f} {y + 9:.1f} {f:.1f} {y:.1f}C{f:.1f} {h * (low + 0.3):.1f} {w * 1.1:.1f} {h:.1f} {w:.1f} {n * 0.68:.1f}Z",
            cloth,
        )
    if appearance.bottom == "skirt" and not skirt:
        colour = appearance.bottom_colour
        canvas.path(
            f"M{-w:.1f} {h - 4:.1f}L{-w * 1.6:.1f} {h * 0.48:.1f}C{-w * 0.5:.1f} {h * 0.44:.1f} {w * 0.5:.1f} {h * 0.44:.1f} {w * 1.6:.1f} {h * 0.48:.1f}L{w:.1f} {h - 4:.1f}Z",
            colour,
        )
    _draw_pattern(canvas, appearance, proportions, cloth)
    _draw_tailoring(canvas, appearance, proportions, cloth, seated=seated)
    if "dirty" in appearance.conditions:
        for x, y, r in ((-0.4, 0.75, 12), (0.45, 0.6, 10), (0.1, 0.45, 14)):
            canvas.ellipse(w * x, n * y, r, r * 0.7, "#5f4630", 0.55)
    if "floury" in appearance.conditions:
        for x, y, r in ((-0.5, 0.86, 8), (0.5, 0.74, 11), (-0.3, 0.62, 7), (0.6, 0.9, 6), (0.2, 0.6, 5)):
            canvas.ellipse(w * x, n * y, r, r * 0.75, "#fbf8f2", 0.55)
    if "snowy" in appearance.conditions:
        for side in (-1, 1):
            canvas.ellipse(side * s * 0.75, n + 6, s * 0.3, 7, "#fbfdff")


def _draw_seated_garment(canvas: Canvas, proportions: BodyProportions, cloth: str) -> None:
    """Draw a long garment over the knees of a sitting figure."""
    w, h, limb = proportions.waist, proportions.hip, proportions.limb_width
    knee = w * 0.48 + 4 - h * 0.26
    canvas.path(
        f"M{-w:.1f} {h * 1.3:.1f}L{-w * 1.15:.1f} {h * 0.94:.1f}C{-w:.1f} {h * 0.82:.1f} {knee * 0.2:.1f} {h * 0.8:.1f} {knee * 0.4:.1f} {h * 0.78:.1f}"
        f"L{knee * 0.42:.1f} {h * 0.64:.1f}C{knee * 0.6:.1f} {h * 0.6:.1f} {knee:.1f} {h * 0.6:.1f} {knee + limb * 0.8:.1f} {h * 0.63:.1f}"
        f"L{knee + limb * 0.75:.1f} {h * 0.96:.1f}C{knee + limb * 0.5:.1f} {h * 1.06:.1f} {w:.1f} {h * 1.04:.1f} {w:.1f} {h * 1.1:.1f}L{w:.1f} {h * 1.3:.1f}Z",
        cloth,
    )


def _hem_shape(appearance: Appearance) -> tuple[float, float] | None:
    """How far down a garment reaches (fraction of the leg left bare) and how wide its hem is against the waist."""
    return {
        "coat": (0.42, 1.42), "raincoat": (0.5, 1.5), "labcoat": (0.45, 1.35), "dress": (0.4, 1.9), "robe": (0.07, 1.6),
        "armor": (0.85, 1.25), "sweater": (0.94, 1.12), "jacket": (0.92, 1.14),
    }.get(appearance.top)  # fmt: skip


def _draw_pattern(canvas: Canvas, appearance: Appearance, proportions: BodyProportions, cloth: str) -> None:
    mark = lighten(cloth, 0.6) if luminance(cloth) < 0.6 else mix(cloth, "#a8413c", 0.75)
    w, n, h = proportions.waist, proportions.neck, proportions.hip
    match appearance.pattern:
        case "stripes":
            for y in (0.9, 0.8, 0.7, 0.6):
                canvas.line([(-w * 0.92, n * y), (w * 0.92, n * y)], mark, 7)
        case "dots":
            for row, y in enumerate((0.88, 0.78, 0.68, 0.58)):
                for x in (-0.6, 0, 0.6):
                    canvas.circle(w * (x + (row % 2) * 0.25), n * y, 4.5, mark)
        case "check":
            for y in (0.86, 0.72, 0.58):
                canvas.line([(-w * 0.9, n * y), (w * 0.9, n * y)], mark, 4, 0.7)
            for x in (-0.5, 0.1, 0.7):
                canvas.line([(w * x, n * 0.94), (w * x, h)], mark, 4, 0.7)
        case _:
            pass


def _draw_tailoring(
    canvas: Canvas, appearance: Appearance, proportions: BodyProportions, cloth: str, *, seated: bool
) -> None:
    """What makes the garment what it is: seams, buttons, collars, belts."""
    s, w, n, h = proportions.shoulder, proportions.waist, proportions.neck, proportions.hip
    dark, light = darken(cloth, 0.24), lighten(cloth, 0.3)
    button = lighten(cloth, 0.55) if luminance(cloth) < 0.55 else darken(cloth, 0.45)
    match appearance.top:
        case "coat" | "raincoat" | "labcoat":
            low = h * (1.05 if seated else 0.5)
            canvas.line([(6, n + 8), (6, low)], dark, 3)
            for y in (0.86, 0.74, 0.62) if seated else (0.86, 0.74, 0.62, 0.5):
                canvas.circle(14, n * y, 4.2, button)
            if appearance.top == "coat":
                for side in (-1, 1):
                    canvas.path(
                        f"M{side * s * 0.42:.1f} {n - 1:.1f}L6 {n * 0.8:.1f}L{side * s * 0.62 + 3:.1f} {n * 0.84:.1f}Z",
                        dark,
                    )
                canvas.rect(-w * 1.02, n * 0.64, w * 2.06, 9, darken(cloth, 0.32), 3)
            elif appearance.top == "raincoat":
                canvas.path(
                    f"M{-s * 0.62:.1f} {n + 4:.1f}C{-s * 0.3:.1f} {n - 14:.1f} {s * 0.3:.1f} {n - 14:.1f} {s * 0.62:.1f} {n + 4:.1f}C{s * 0.3:.1f} {n + 22:.1f} {-s * 0.3:.1f} {n + 22:.1f} {-s * 0.62:.1f} {n + 4:.1f}Z",
                    dark,
                )
                for side in (-1, 1):
                    canvas.rect(side * w * 0.62 - 11, h * 1.02, 22, 6, dark, 3)
            else:
                canvas.path(f"M{-s * 0.34:.1f} {n:.1f}L6 {n * 0.8:.1f}L{s * 0.42:.1f} {n:.1f}Z", "#7fa3b8")
        case "jacket" | "suit":
            inner = "#f3ede0" if appearance.top == "suit" else lighten(cloth, 0.5)
            canvas.path(f"M{-s * 0.36:.1f} {n:.1f}L4 {n * 0.72:.1f}L{s * 0.4:.1f} {n:.1f}Z", inner)
            for side in (-1, 1):
                canvas.path(
                    f"M{side * s * 0.4:.1f} {n - 1:.1f}L4 {n * 0.7:.1f}L{side * s * 0.62:.1f} {n * 0.86:.1f}Z", dark
                )
            canvas.line([(4, n * 0.7), (4, h + 6)], dark, 3)
            if appearance.top == "suit":
                canvas.path(
                    f"M1 {n + 4:.1f}L9 {n + 4:.1f}L12 {n * 0.78:.1f}L5 {n * 0.73:.1f}L-1 {n * 0.78:.1f}Z", "#a8322f"
                )
        case "sweater":
            canvas.curve([(-s * 0.4, n + 1), (2, n + 11), (s * 0.42, n + 1)], dark, 6)
            canvas.rect(-w * 1.08, h - 2, w * 2.16, 10, dark, 4)
            canvas.line([(-w * 0.8, n * 0.76), (w * 0.85, n * 0.76)], light, 4, 0.7)
        case "shirt":
            for side in (-1, 1):
                canvas.path(
                    f"M4 {n + 14:.1f}L{side * s * 0.46 + 3:.1f} {n - 3:.1f}L{side * s * 0.34 + 4:.1f} {n + 18:.1f}Z",
                    light,
                )
            for y in (0.84, 0.74, 0.64):
                canvas.circle(5, n * y, 2.8, button)
            canvas.rect(-w * 1.05, h - 1, w * 2.1, 8, darken(appearance.bottom_colour, 0.3), 3)
        case "dress":
            canvas.curve([(-s * 0.42, n + 1), (3, n + 16), (s * 0.44, n + 1)], light, 5)
            canvas.rect(-w, n * 0.68, w * 2, 9, dark, 4)
            for x in () if seated else (-0.55, 0.1, 0.7):
                canvas.curve([(w * x * 0.8, n * 0.6), (w * x * 1.1, h * 0.85), (w * x * 1.35, h * 0.5)], dark, 2.6, 0.7)
        case "robe":
            canvas.line([(s * 0.42, n), (-w * 0.2, n * 0.62)], light, 8)
            canvas.line([(-s * 0.42, n), (w * 0.1, n * 0.74)], light, 8)
            canvas.rect(-w, n * 0.66, w * 2, 16, mix(dark, "#d9a73a", 0.4), 4)
            if not seated:
                canvas.line([(-w * 0.1, n * 0.6), (-w * 0.3, h * 0.1)], dark, 3)
        case "armor":
            canvas.path(
                f"M{-w:.1f} {n * 0.9:.1f}C{-w * 0.4:.1f} {n * 0.72:.1f} {w * 0.5:.1f} {n * 0.72:.1f} {w:.1f} {n * 0.9:.1f}",
                None,
                light,
                5,
            )
            canvas.line([(2, n * 0.94), (2, n * 0.62)], dark, 4)
            for side in (-1, 1):
                canvas.ellipse(side * s * 0.92, n + 16, s * 0.34, 17, light)
            canvas.rect(-w * 1.05, h - 6, w * 2.1, 11, "#7d5136", 3)
        case "overalls":
            canvas.path(
                f"M{-s * 0.96:.1f} {n + 34:.1f}C{-s:.1f} {n + 6:.1f} {-s * 0.9:.1f} {n + 1:.1f} 0 {n:.1f}C{s * 0.9:.1f} {n + 1:.1f} {s:.1f} {n + 6:.1f} {s * 0.96:.1f} {n + 34:.1f}L{w:.1f} {n * 0.76:.1f}L{-w:.1f} {n * 0.76:.1f}Z",
                "#efe6d4",
            )
            for side in (-1, 1):
                canvas.line([(side * s * 0.5, n + 2), (side * w * 0.5, n * 0.76)], cloth, 10)
                canvas.circle(side * w * 0.5, n * 0.76, 5, "#e0b64a")
            canvas.rect(-w * 0.62, n * 0.8, w * 1.26, -n * 0.16, cloth, 5)
            canvas.rect(-w * 0.3, n * 0.72, w * 0.62, 22, dark, 4)
        case "uniform":
            canvas.line([(4, n + 4), (4, h)], dark, 3)
            for y in (0.86, 0.76, 0.66, 0.57):
                canvas.circle(12, n * y, 4, "#e7c25a")
            for side in (-1, 1):
                canvas.ellipse(side * s * 0.78, n + 9, s * 0.26, 6, "#e0b64a")
            canvas.rect(-w * 1.04, h - 8, w * 2.08, 10, "#2e2b31", 3)
        case "spacesuit":
            canvas.rect(-w * 0.6, n * 0.86, w * 1.25, -n * 0.16, "#c9ced3", 8)
            for x, colour in ((-0.3, "#e5574d"), (0.05, "#3b6fb0"), (0.4, "#f0c24a")):
                canvas.circle(w * x, n * 0.78, 5, colour)
            canvas.rect(-w * 1.04, h - 6, w * 2.08, 9, "#e27b2d", 3)
        case _:
            pass


def _draw_neck(canvas: Canvas, appearance: Appearance, proportions: BodyProportions, has_face_image: bool) -> None:
    if not appearance.human:
        return
    width = proportions.head * (0.135 if appearance.sex == "woman" or appearance.age < 13 else 0.165)
    n = proportions.neck
    if appearance.top == "raincoat" or (appearance.dressed and "hood" in appearance.features):
        canvas.rect(
            -width,
            n - proportions.head * 0.12,
            width * 2,
            proportions.head * 0.14,
            darken(appearance.skin, 0.13),
            width * 0.5,
        )
        return
    tone = appearance.skin if has_face_image else darken(appearance.skin, 0.13)
    canvas.path(
        f"M{-width:.1f} {n - proportions.head * 0.14:.1f}L{width:.1f} {n - proportions.head * 0.14:.1f}L{width * 1.15:.1f} {n + 3:.1f}"
        f"C{width * 0.6:.1f} {n + 14:.1f} {-width * 0.6:.1f} {n + 14:.1f} {-width * 1.15:.1f} {n + 3:.1f}Z",
        tone,
    )


def _draw_accessories(canvas: Canvas, appearance: Appearance, proportions: BodyProportions) -> None:
    s, w, n, h = proportions.shoulder, proportions.waist, proportions.neck, proportions.hip
    # A waistcoat lies under the other garments.
    for extra in sorted(appearance.accessories, key=lambda extra: extra.name != "vest"):
        colour, dark = extra.colour, darken(extra.colour, 0.18)
        match extra.name:
            case "scarf":
                canvas.path(
                    f"M{-s * 0.62:.1f} {n - 6:.1f}C{-s * 0.3:.1f} {n + 10:.1f} {s * 0.3:.1f} {n + 10:.1f} {s * 0.62:.1f} {n - 6:.1f}C{s * 0.72:.1f} {n + 14:.1f} {s * 0.3:.1f} {n + 26:.1f} 0 {n + 24:.1f}C{-s * 0.3:.1f} {n + 26:.1f} {-s * 0.72:.1f} {n + 14:.1f} {-s * 0.62:.1f} {n - 6:.1f}Z",
                    colour,
                )
                canvas.path(
                    f"M{s * 0.1:.1f} {n + 16:.1f}L{s * 0.5:.1f} {n + 14:.1f}L{s * 0.56:.1f} {n * 0.7:.1f}L{s * 0.2:.1f} {n * 0.69:.1f}Z",
                    dark,
                )
            case "apron":
                canvas.path(
                    f"M{-w * 0.6:.1f} {n * 0.86:.1f}L{w * 0.66:.1f} {n * 0.86:.1f}L{w * 0.95:.1f} {n * 0.66:.1f}L{w * 1.12:.1f} {h * 0.5:.1f}C{w * 0.5:.1f} {h * 0.46:.1f} {-w * 0.5:.1f} {h * 0.46:.1f} {-w * 1.12:.1f} {h * 0.5:.1f}L{-w * 0.95:.1f} {n * 0.66:.1f}Z",
                    colour,
                )
                canvas.rect(-w * 0.4, h * 1.02, w * 0.9, 20, dark, 4, 0.6)
            case "vest":
                _draw_vest(canvas, proportions, colour)
            case "tie":
                canvas.path(
                    f"M0 {n + 6:.1f}L9 {n + 6:.1f}L13 {n * 0.74:.1f}L5 {n * 0.68:.1f}L-3 {n * 0.74:.1f}Z", colour
                )
            case "necklace":
                canvas.curve([(-s * 0.34, n + 4), (3, n + 28), (s * 0.38, n + 4)], colour, 4)
                canvas.circle(3, n + 30, 6, colour)
            case "backpack":
                for side in (-1, 1):
                    canvas.curve(
                        [(side * s * 0.5, n + 3), (side * s * 0.62, n * 0.8), (side * s * 0.66, n * 0.66)], colour, 9
                    )
            case "cape":
                canvas.path(
                    f"M{-s * 0.7:.1f} {n - 2:.1f}C{-s * 0.2:.1f} {n + 16:.1f} {s * 0.2:.1f} {n + 16:.1f} {s * 0.7:.1f} {n - 2:.1f}L{s * 0.74:.1f} {n + 16:.1f}C{s * 0.2:.1f} {n + 30:.1f} {-s * 0.2:.1f} {n + 30:.1f} {-s * 0.74:.1f} {n + 16:.1f}Z",
                    dark,
                )
                canvas.circle(2, n + 20, 7, "#e0b64a")
            case _:
                pass


def _draw_vest(canvas: Canvas, proportions: BodyProportions, colour: str) -> None:
    """Two fronts, open at the neck and buttoned below, without sleeves."""
    s, w, n, h = proportions.shoulder, proportions.waist, proportions.neck, proportions.hip
    for side in (-1, 1):
        tone = colour if side > 0 else darken(colour, 0.08)
        canvas.path(
            f"M{side * s * 0.4:.1f} {n + 1:.1f}L{side * s * 0.78:.1f} {n + 5:.1f}C{side * s * 0.66:.1f} {n * 0.86:.1f} {side * s * 0.84:.1f} {n * 0.8:.1f} {side * w * 1.08:.1f} {n * 0.74:.1f}"
            f"L{side * w * 1.12:.1f} {h - 2:.1f}L{side * w * 0.24 + 4:.1f} {h + 12:.1f}L4 {h - 2:.1f}L4 {n * 0.76:.1f}Z",
            tone,
        )
    canvas.line([(4, n * 0.76), (4, h - 2)], darken(colour, 0.3), 2.6)
    for y in (0.72, 0.64, 0.57):
        canvas.circle(11, n * y, 3.4, lighten(colour, 0.5) if luminance(colour) < 0.6 else darken(colour, 0.4))
    for side in (-1, 1):
        canvas.line([(side * w * 0.4 + 2, n * 0.62), (side * w * 0.8 + 2, n * 0.63)], darken(colour, 0.3), 3)


def _draw_face_image(canvas: Canvas, proportions: BodyProportions, png: str) -> None:
    r = proportions.head * 0.62
    y = proportions.neck - r * 0.82
    canvas.circle(0, y, r + 7, "#fffaf0")
    k = 0.5523 * r
    clip = (
        f"M0 {y - r:.1f}C{k:.1f} {y - r:.1f} {r:.1f} {y - k:.1f} {r:.1f} {y:.1f}C{r:.1f} {y + k:.1f} {k:.1f} {y + r:.1f} 0 {y + r:.1f}"
        f"C{-k:.1f} {y + r:.1f} {-r:.1f} {y + k:.1f} {-r:.1f} {y:.1f}C{-r:.1f} {y - k:.1f} {-k:.1f} {y - r:.1f} 0 {y - r:.1f}Z"
    )
    canvas.image(-r, y - r, 2 * r, 2 * r, png, clip)
