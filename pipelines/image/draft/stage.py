"""Who stands where, how, and how near the camera is: a scene's words become a composition."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise

from pipelines.image.draft import figure as body
from pipelines.image.draft.figures import CharacterFigure, ThingFigure
from pipelines.image.draft.lexicon import Hit, lexicon, names, normal
from pipelines.image.draft.looks import Looks
from pipelines.image.draft.props import PROPS, Prop, draw_thing
from pipelines.image.draft.scenery import Scenery, rock
from pipelines.image.draft.svg import Sheet


@dataclass(frozen=True, slots=True)
class Shot:
    """How near the camera is: a grown man's share of the frame's height, the room one figure needs (units of its own
    measure), where the ground lies (none: below the frame), and how much the backdrop is enlarged."""

    share: float
    room: float
    ground: float | None
    zoom: float


SHOTS = {
    "wide": Shot(0.44, 190, 0.87, 1.0),
    "full": Shot(0.64, 190, 0.925, 1.06),
    "medium": Shot(1.08, 170, None, 1.24),
    "close": Shot(1.75, 150, None, 1.5),
}
_ROUND = {1: ("full", "medium", "wide", "medium", "full", "close"), 2: ("full", "medium", "full", "wide", "medium")}
_CROWD = ("full", "wide", "full")
_MENTIONS = 200
_BUILT = frozenset({"harbour", "ship", "gallery", "city", "village"})
_REACHING = frozenset({"hold", "point", "wave", "walk", "carry"})
_IDLE = ("stand", "ease", "stand", "ease")


@dataclass(slots=True)
class Actor:
    """One character of the scene with what it does and holds."""

    figure: CharacterFigure
    pose: str
    mood: str
    prop: ThingFigure | None = None


@dataclass(slots=True)
class Standing:
    """An actor's place: x and ground in pixels of the frame, pixels per unit, turned to the left or not."""

    actor: Actor
    x: float
    ground: float
    scale: float
    left: bool


@dataclass(slots=True)
class Composition:
    """All that is to be drawn before the backdrop."""

    shot: Shot
    standing: list[Standing]
    loose: list[ThingFigure]
    centre: tuple[float, float]


def compose(
    cast: list[CharacterFigure],
    things: list[ThingFigure],
    scene: str,
    number: int,
    width: float,
    height: float,
    dice: random.Random,
) -> Composition:
    """Reads the scene and sets everyone in it."""
    hits = lexicon().read(scene)
    actors = _actors(cast, scene, hits, dice)
    loose = _hand_out(actors, things, scene)
    name = _shot(actors, loose, hits, number)
    shot = SHOTS[name]
    standing = _places(actors, shot, number, width, height, dice)
    middle = sum(s.x for s in standing) / max(1, len(standing))
    centre = (middle, _face_line(standing)) if standing else (width / 2, height / 2)
    return Composition(shot, standing, loose, centre)


def _face_line(standing: list[Standing]) -> float:
    return sum(s.ground + body.frame_of(s.actor.figure.looks).neck * s.scale for s in standing) / len(standing)


def _segments(cast: list[CharacterFigure], scene: str) -> list[str]:
    """For each character all words that follow its name, each time up to the next name."""
    text = normal(scene)
    found: list[tuple[int, int, int]] = []
    for index, figure in enumerate(cast):
        whole = normal(figure.name).strip()
        first = whole.split(" ")[0]
        name = whole if whole and whole in text else first if len(first) > 2 else ""
        at = text.find(name) if name else -1
        while at >= 0 and len(found) < _MENTIONS:
            found.append((at, at + len(name), index))
            at = text.find(name, at + len(name))
    found.sort()
    parts = [""] * len(cast)
    after = ""
    for (_, start, index), end in reversed(list(zip(found, [*(f[0] for f in found[1:]), len(text)], strict=False))):
        # "Fox and Owl sit": those who are named together do the same.
        said = text[start:end] if len(text[start:end].strip(" ,.&;、，،")) > 3 else after
        parts[index] = f"{said}. {parts[index]}"
        after = said
    return parts


def _actors(cast: list[CharacterFigure], scene: str, hits: tuple[Hit, ...], dice: random.Random) -> list[Actor]:
    actors = []
    moods = [m for m in names(hits, "mood") if m != "tired"]
    poses = names(hits, "pose")
    parts = _segments(cast, scene)
    for index, (figure, part) in enumerate(zip(cast, parts, strict=True)):
        own = lexicon().read(part) if part else ()
        idle = _IDLE[dice.randrange(4)]
        told = names(own, "pose") or (poses if not any(parts) or len(cast) == 1 else ())
        pose = told[0] if told else ("sit" if "sit" in poses and index else idle)
        own_moods = [m for m in names(own, "mood") if m != "tired"]
        mood = own_moods[0] if own_moods else moods[0] if moods else figure.looks.mood
        if mood == "afraid" and pose in ("stand", "ease"):
            pose = "worry"
        if mood == "happy" and pose in ("stand", "ease") and dice.random() < 0.25:
            pose = "wave"
        if "tired" in names(own, "mood"):
            mood = "tired"
        actors.append(Actor(figure, pose, mood))
    return actors


def _hand_out(actors: list[Actor], things: list[ThingFigure], scene: str) -> list[ThingFigure]:
    """Gives small things to those whose words name them; gives back what lies or stands in the scene."""
    parts = _segments([actor.figure for actor in actors], scene)
    loose: list[ThingFigure] = []
    for thing in things:
        prop = PROPS[thing.thing.kind]
        free = [actor for actor in actors if actor.prop is None]
        if prop.where in ("hand", "belly") and free:
            owner = next(
                (a for a, part in zip(actors, parts, strict=True) if a.prop is None and _names_thing(part, thing)), None
            ) or next((a for a in free if a.pose == "hold"), free[0])
            owner.prop = thing
            if prop.where == "belly" or owner.pose in ("stand", "ease", "worry", "carry", "arms_up"):
                owner.pose = "hold"
        else:
            loose.append(thing)
    for actor in actors:
        if actor.pose == "hold" and actor.prop is None:
            actor.pose = "ease"
    return loose


def _names_thing(part: str, thing: ThingFigure) -> bool:
    return bool(part) and (
        (normal(thing.name) in part and bool(thing.name)) or thing.thing.kind in names(lexicon().read(part), "prop")
    )


def _shot(actors: list[Actor], loose: list[ThingFigure], hits: tuple[Hit, ...], number: int) -> str:
    told = names(hits, "shot")
    if told:
        return told[0] if told[0] != "close" or len(actors) < 3 else "medium"
    if not actors:
        return "wide"
    names_ = _ROUND.get(len(actors), _CROWD)
    name = names_[(number - 1) % len(names_)]
    whole = any(
        a.pose in ("sit", "walk", "arms_up") or (a.prop and PROPS[a.prop.thing.kind].where == "belly") for a in actors
    )
    if (whole or any(PROPS[t.thing.kind].where in ("ground", "back") for t in loose)) and name in ("medium", "close"):
        return "full"
    return name


def _places(
    actors: list[Actor], shot: Shot, number: int, width: float, height: float, dice: random.Random
) -> list[Standing]:
    count = len(actors)
    if not count:
        return []
    tall = max(320.0, *(body.frame_of(actor.figure.looks).height for actor in actors))
    rows = 2 if count >= 4 or (count == 3 and width < height) else 1
    columns = (count + rows - 1) / rows if rows == 1 else count * 0.62
    # An arm that is stretched out needs room beside the body.
    wide = any(actor.prop or actor.pose in _REACHING for actor in actors)
    room = shot.room + (90 if wide and count == 1 else 20 if wide else 0)
    scale = min(shot.share * height / tall, width * 0.94 / (columns * room))
    if shot.ground is None:
        reach = max(body.frame_of(a.figure.looks).height + 26 for a in actors)
        ground = max(height * 0.13 + reach * scale, height * 0.93)
    else:
        ground = height * shot.ground
    # Another take of a scene is another staging of it, seen from nearer or from the other side.
    scale *= 1 - 0.1 * dice.random()
    mirrored = (number + dice.randrange(2)) % 2 == 0
    spots = _spots(count, width, height, shot, scale)
    standing = []
    for index, actor in enumerate(actors):
        share = spots[index]
        if mirrored:
            share = 1 - share
        behind = rows == 2 and index % 2 == 1
        size = scale * (0.86 if behind else 1)
        depth = ground - (height * 0.055 if shot.ground else 0.02 * height) * (1 if behind else 0)
        left = share > 0.5 if count > 1 or abs(share - 0.5) > 0.02 else mirrored
        # A given picture is never mirrored: it may hold writing, or a face that is known.
        left = left and not (actor.figure.picture or actor.figure.whole)
        x = share * width
        if count == 1 and wide:
            x = max(x, min(190 * size, width * 0.66)) if left else min(x, max(width - 190 * size, width * 0.34))
        standing.append(Standing(actor, x, depth, size, left))
    # Those behind are drawn first; a centre figure looks at whoever is named next to it.
    return sorted(standing, key=lambda s: s.ground)


def _spots(count: int, width: float, height: float, shot: Shot, scale: float) -> list[float]:
    """Shares of the width, in the order of the cast."""
    if count == 1:
        return [0.5 if width < height else 0.4]
    reach = min(
        0.5 - 88 * scale / width, (count - 1) * shot.room * scale / width * 0.5 + (0.02 if count == 2 else 0.06)
    )
    reach = max(0.16, reach)
    return [0.5 - reach + 2 * reach * index / (count - 1) for index in range(count)]


def draw_cast(sheet: Sheet, scene: Scenery, plan: Composition) -> None:
    """Everyone and everything of the composition, back to front."""
    big = [thing for thing in plan.loose if PROPS[thing.thing.kind].where == "back"]
    scale = plan.standing[0].scale if plan.standing else scene.height * 0.5 / 400
    ground = plan.standing[0].ground if plan.standing else scene.height * 0.9
    taken = [s.x for s in plan.standing]
    for thing in big:
        _set_down(sheet, scene, thing, _gap(scene.width, taken), ground - scene.height * 0.05, scale)
    for standing in plan.standing:
        _draw_actor(sheet, scene, standing)
    for thing in plan.loose:
        prop = PROPS[thing.thing.kind]
        if prop.where == "back":
            continue
        x = _gap(scene.width, taken)
        if prop.where == "sky":
            _set_down(sheet, scene, thing, x, scene.height * 0.34, scale, shadow=False)
        else:
            _set_down(sheet, scene, thing, x, min(ground + scene.height * 0.015, scene.height * 0.97), scale)
        taken.append(x)


def _gap(width: float, taken: list[float]) -> float:
    """The middle of the widest free stretch of the stage."""
    if not taken:
        return width * 0.5
    edges = sorted((width * 0.04, *taken, width * 0.96))
    middles = [(b - a, (a + b) / 2) for a, b in pairwise(edges)]
    # Between two who face each other a thing may stand closer than beside them at the border.
    return max(middles, key=lambda m: m[0] - 0.35 * abs(m[1] - width / 2))[1]


def _set_down(
    sheet: Sheet, scene: Scenery, thing: ThingFigure, x: float, y: float, scale: float, *, shadow: bool = True
) -> None:
    prop = PROPS[thing.thing.kind]
    size = min(prop.size * scale, scene.height * 0.85)
    if shadow:
        sheet.ellipse(x, y, size * 0.55 if prop.size < 250 else size * 0.34, size * 0.07, "#1d1622", 0.2)
    with sheet.moved(x, y, size / 100):
        draw_prop(sheet, thing)


def draw_prop(sheet: Sheet, thing: ThingFigure) -> None:
    """A thing, or the card with the picture that was given of it."""
    if thing.picture:
        sheet.rect(-54, -104, 108, 108, "#fffaf0", 8)
        sheet.image(-48, -98, 96, 96, thing.picture)
    else:
        draw_thing(sheet, thing.thing)


def _draw_actor(sheet: Sheet, scene: Scenery, standing: Standing) -> None:
    actor, looks = standing.actor, standing.actor.figure.looks
    frame = body.frame_of(looks)
    shade = frame.shoulder * 1.5 * standing.scale
    sheet.ellipse(standing.x, standing.ground + 2 * standing.scale, shade, shade * 0.17, "#1d1622", 0.24)
    with sheet.moved(standing.x, standing.ground, standing.scale, flip=standing.left):
        if actor.pose == "sit":
            _seat(sheet, scene, looks, frame)
        if actor.figure.whole:
            draw_whole(sheet, actor.figure.whole, frame)
            hand = (frame.shoulder * 1.2, frame.neck * 0.55)
        else:
            hand = body.draw_figure(sheet, looks, actor.pose, actor.mood, actor.figure.picture).hand
        if actor.prop:
            prop = PROPS[actor.prop.thing.kind]
            _hold(sheet, actor.prop, prop, hand, looks, frame)


def _seat(sheet: Sheet, scene: Scenery, looks: Looks, frame: body.Frame) -> None:
    top = frame.hip * 0.5 + frame.limb * 0.4
    wide = frame.waist * 2.5
    if scene.place.indoors or scene.place.kind in _BUILT:
        sheet.rect(-wide * 0.44, top, wide * 0.16, -top, "#5a4030")
        sheet.rect(wide * 0.34, top, wide * 0.16, -top, "#5a4030")
        sheet.rect(-wide * 0.55, top - 4, wide * 1.15, 14, "#8a5f40", 5)
    else:
        rock(sheet, 0, 4, -top * 1.12, "#8d857c", random.Random(looks.quirk))


def _hold(
    sheet: Sheet, thing: ThingFigure, prop: Prop, hand: tuple[float, float], looks: Looks, frame: body.Frame
) -> None:
    # Small hands carry smaller things.
    size = prop.size * min(1.0, 0.5 + 0.5 * frame.height / 400)
    if prop.where == "belly":
        with sheet.moved(10, frame.hip * 0.98 + size * 0.32, size / 100):
            draw_prop(sheet, thing)
        return
    with sheet.moved(hand[0], hand[1], size / 100), sheet.moved(0, prop.grip):
        draw_prop(sheet, thing)
    tip = looks.skin
    sheet.circle(hand[0], hand[1], frame.limb * 0.4, tip)


def draw_whole(sheet: Sheet, png: str, frame: body.Frame) -> None:
    """A given picture from head to foot, as a paper figure."""
    import base64
    import struct

    wide, high = struct.unpack(">II", base64.b64decode(png[:64])[16:24])
    tall = frame.height * 1.04
    sheet.image(-tall * wide / high / 2, -tall, tall * wide / high, tall, png)
