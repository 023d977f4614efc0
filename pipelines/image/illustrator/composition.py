"""Who stands where, how, and how near the camera is: a scene's words become a composition."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from itertools import pairwise

from pipelines.image.illustrator.backdrops.elements import Scenery
from pipelines.image.illustrator.canvas import Sheet
from pipelines.image.illustrator.figures import body as body
from pipelines.image.illustrator.figures.swimmers import SWIMMERS
from pipelines.image.illustrator.language.appearance import Looks
from pipelines.image.illustrator.language.lexicon import Hit, lexicon, names, normal
from pipelines.image.illustrator.language.scene_parser import Mention, doings, mentions, segments
from pipelines.image.illustrator.language.setting import Place
from pipelines.image.illustrator.props import furniture
from pipelines.image.illustrator.props.props import PROPS, Prop, draw_thing
from pipelines.image.illustrator.resolved import CharacterFigure, ThingFigure


@dataclass(frozen=True, slots=True)
class Shot:
    """How near the camera is: a grown man's share of the frame's height, the room one figure needs (units of its own
    measure), where the ground lies (none: below the frame), and how much the backdrop is enlarged."""

    share: float
    room: float
    ground: float | None
    zoom: float


SHOTS = {
    "wide": Shot(0.5, 190, 0.88, 1.0),
    "full": Shot(0.7, 190, 0.935, 1.06),
    "medium": Shot(1.08, 170, None, 1.24),
    "close": Shot(1.75, 150, None, 1.5),
}
_ROUND = {1: ("full", "medium", "close", "full", "medium", "close"), 2: ("full", "medium", "full", "medium", "full")}
_CROWD = ("full", "wide", "full")
_BUILT = frozenset({"harbour", "ship", "gallery", "city", "village", "market"})
_REACHING = frozenset({"hold", "point", "wave", "walk", "carry", "reach"})
_LOW = frozenset({"sit", "kneel"})
_IDLE = ("stand", "ease", "stand", "ease")
_SWUM = frozenset({"underwater", "sea"})
"""Where those who swim do so above the ground."""
_WATERS = frozenset({"cove", "beach", "sea", "lighthouse", "harbour", "river", "lake"})
_LIGHT = 112.0
"""What is higher than this beside a grown man of 400 is not held in a hand."""
_TOGETHER, _APART, _BESIDE_BOAT = 140.0, 190.0, 300.0
"""Units between the middles of two figures: side by side, at ease, and one of them in a boat."""


@dataclass(slots=True)
class Actor:
    """One character of the scene with what it does and holds. `spot`: what it is in or at: `boat`, `water`, `bed`,
    `bench`, `desk`, `riding` (`mount`: the colour of the bicycle), or nothing but the ground."""

    figure: CharacterFigure
    pose: str
    mood: str
    prop: ThingFigure | None = None
    spot: str = ""
    mount: str = ""


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
    """All that is to be drawn before the backdrop. `boat`: its colour, when somebody is in one; `table`: whether a thing
    that is alone in the picture lies on a table's board."""

    shot: Shot
    standing: list[Standing]
    loose: list[ThingFigure]
    centre: tuple[float, float]
    boat: str | None = None
    table: bool = False

    @property
    def afloat(self) -> bool:
        return any(s.actor.spot in ("boat", "water") for s in self.standing)


def compose(
    cast: list[CharacterFigure],
    things: list[ThingFigure],
    scene: str,
    number: int,
    width: float,
    height: float,
    dice: random.Random,
    place: Place | None = None,
) -> Composition:
    """Reads the scene and sets everyone in it."""
    hits = lexicon().read(scene)
    named = mentions([figure.name for figure in cast], scene)
    actors = _actors(cast, scene, hits, dice)
    _settle(actors, scene, place)
    loose = _hand_out(actors, things, scene, named)
    for actor in actors:
        if actor.spot == "riding":
            _mount(actor, loose)
    name = _shot(actors, loose, hits, number)
    shot = SHOTS[name]
    together = "together" in names(hits, "where")
    standing = _places(actors, shot, number, width, height, dice, together=together)
    middle = sum(s.x for s in standing) / max(1, len(standing))
    centre = (middle, _face_line(standing)) if standing else (width / 2, height / 2)
    boat = None
    if any(actor.spot == "boat" for actor in actors):
        usual = (place.boat if place else "") or PROPS["boat"].colour
        boat = next((t.thing.colour for t in loose if t.thing.kind == "boat"), usual)
        loose = [t for t in loose if t.thing.kind != "boat"]
    table = bool({"desk", "ground"} & set(names(hits, "where"))) and bool(place and place.indoors)
    return Composition(shot, standing, loose, centre, boat, table)


def _face_line(standing: list[Standing]) -> float:
    return sum(s.ground + body.frame_of(s.actor.figure.looks).neck * s.scale for s in standing) / len(standing)


def _actors(cast: list[CharacterFigure], scene: str, hits: tuple[Hit, ...], dice: random.Random) -> list[Actor]:
    actors = []
    played = {figure.looks.species for figure in cast}
    hits = doings(hits, played)
    moods = [m for m in names(hits, "mood") if m != "tired"]
    poses = names(hits, "pose")
    parts = segments([figure.name for figure in cast], scene)
    for index, (figure, part) in enumerate(zip(cast, parts, strict=True)):
        own = doings(lexicon().read(part) if part else (), played)
        idle = _IDLE[dice.randrange(4)]
        told = names(own, "pose") or (poses if not any(parts) or len(cast) == 1 else ())
        pose = told[0] if told else ("sit" if "sit" in poses and index else idle)
        # Whoever sits or lies does so whatever else the hands do.
        if pose not in _LOW | {"lie"}:
            pose = next((low for low in ("lie", "kneel", "sit") if low in told[1:]), pose)
        own_moods = [m for m in names(own, "mood") if m != "tired"]
        mood = own_moods[0] if own_moods else moods[0] if moods else figure.looks.mood
        if mood == "afraid" and pose in ("stand", "ease"):
            pose = "worry"
        if mood == "happy" and pose in ("stand", "ease") and dice.random() < 0.25:
            pose = "wave"
        if "tired" in names(own, "mood") or pose == "lie":
            mood = "tired"
        actors.append(Actor(figure, pose, mood))
    return actors


def _settle(actors: list[Actor], scene: str, place: Place | None) -> None:
    """Who is in a boat or in the water, in bed, on a bench, at a table."""
    parts = segments([actor.figure.name for actor in actors], scene)
    everybody = lexicon().read(scene) if not any(parts) or len(actors) == 1 else ()
    wet = place is not None and place.kind in _WATERS
    for actor, part in zip(actors, parts, strict=True):
        where = names((*lexicon().read(part), *everybody), "where")
        if wet and "aboard" in where:
            actor.spot = "boat"
        elif wet and "water" in where:
            actor.spot = "water"
        elif actor.pose == "lie" and place is not None and place.indoors:
            actor.spot = "bed"
        elif "riding" in where:
            actor.spot, actor.pose = "riding", "sit"
        elif actor.pose == "sit" and "desk" in where:
            actor.spot = "desk"
        elif actor.pose == "sit" and "bench" in where:
            actor.spot = "bench"
    if any(actor.spot == "boat" for actor in actors):
        for actor in actors:
            # Nobody stands dry beside a boat that is drawn out on the water.
            actor.spot = actor.spot or "water"
    for actor in actors:
        if actor.spot == "boat" and actor.pose in ("sit", "kneel", "walk", "lie", "stand", "arms_up"):
            actor.pose = "worry" if actor.mood == "afraid" else "ease"
        elif actor.spot == "water" and actor.pose in ("sit", "kneel", "lie"):
            actor.pose = "ease"


def _mount(actor: Actor, loose: list[ThingFigure]) -> None:
    """Puts a rider on the bicycle of the scene; without one there is nothing to ride."""
    for thing in loose:
        if thing.thing.kind == "bicycle":
            loose.remove(thing)
            actor.mount = thing.thing.colour
            return
    actor.spot = ""


def _hand_out(actors: list[Actor], things: list[ThingFigure], scene: str, named: list[Mention]) -> list[ThingFigure]:
    """Gives small things to those whose words name them; gives back what lies or stands in the scene."""
    told = {mention.kind: mention for mention in named}
    parts = segments([actor.figure.name for actor in actors], scene)
    loose: list[ThingFigure] = []
    for thing in things:
        prop, mention = PROPS[thing.thing.kind], told.get(thing.thing.kind)
        free = [actor for actor in actors if actor.prop is None and actor.pose != "lie"]
        light = prop.where in ("hand", "belly") or (mention is not None and mention.held and prop.size <= _LIGHT)
        if light and free and not (mention and mention.laid):
            if mention and mention.all:
                for actor in free:
                    _hold_it(actor, thing, prop)
                continue
            owner = actors[mention.owner] if mention and mention.owner >= 0 else None
            if owner is None or owner not in free:
                owner = next(
                    (a for a, part in zip(actors, parts, strict=True) if a in free and _names_thing(part, thing)), None
                )
            _hold_it(owner or next((a for a in free if a.pose == "hold"), free[0]), thing, prop)
        else:
            loose.append(thing)
    for actor in actors:
        if actor.pose == "hold" and actor.prop is None:
            actor.pose = "ease"
    return loose


def _hold_it(actor: Actor, thing: ThingFigure, prop: Prop) -> None:
    actor.prop = thing
    if prop.where == "belly" or actor.pose in ("stand", "ease", "worry", "carry", "arms_up"):
        actor.pose = "hold"


def _names_thing(part: str, thing: ThingFigure) -> bool:
    return bool(part) and (
        (normal(thing.name) in part and bool(thing.name)) or thing.thing.kind in names(lexicon().read(part), "prop")
    )


def _shot(actors: list[Actor], loose: list[ThingFigure], hits: tuple[Hit, ...], number: int) -> str:
    told = names(hits, "shot")
    if told:
        # From very near, what somebody holds would be out of the frame, and so would the third of three.
        crowded = len(actors) > 2 or any(a.prop for a in actors)
        return told[0] if told[0] != "close" or not crowded else "medium"
    if not actors:
        return "wide"
    names_ = _ROUND.get(len(actors), _CROWD)
    name = names_[(number - 1) % len(names_)]
    whole = any(
        a.pose in ("sit", "kneel", "lie", "walk", "arms_up")
        or a.spot in ("boat", "water")
        or (a.prop and PROPS[a.prop.thing.kind].where == "belly")
        for a in actors
    )
    if (whole or any(PROPS[t.thing.kind].where in ("ground", "back") for t in loose)) and name in ("medium", "close"):
        return "full"
    return "medium" if name == "close" and any(a.prop for a in actors) else name


def _places(
    actors: list[Actor],
    shot: Shot,
    number: int,
    width: float,
    height: float,
    dice: random.Random,
    *,
    together: bool = False,
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
    apart = min(_APART, shot.room) + (34 if wide and count > 1 else 0)
    if width < height and count > 1:
        # A tall frame is narrow: those in it stand closer.
        apart, room = min(apart, 156.0), min(room, 168.0)
    if together and count == 2:
        apart = _TOGETHER
        room = max(room - 40, 150)
    elif any(a.spot == "boat" for a in actors):
        apart = room = _BESIDE_BOAT if count > 1 and any(a.spot == "water" for a in actors) else 320.0 / count
    elif any(a.spot == "bed" for a in actors):
        apart = room = 360.0 if count > 1 else 440.0
    scale = min(shot.share * height / tall, width * 0.94 / (columns * room))
    if all(a.pose in _LOW for a in actors) and shot.ground is not None:
        scale = min(scale * 1.22, width * 0.94 / (columns * room))
    # Another take of a scene is another staging of it, seen from nearer or from the other side.
    scale *= 1 - 0.1 * dice.random()
    if shot.ground is None:
        frames = [body.frame_of(a.figure.looks) for a in actors]
        reach = max(frame.height for frame in frames) + 26
        # Beside a bear the fox is seen, too: from near, the smallest face still lies above the lower third.
        low = max(reach - frame.height + frame.head * 0.5 for frame in frames)
        scale = min(scale, 0.5 * height / low)
        ground = max(height * 0.13 + reach * scale, height * 0.93)
    else:
        ground = height * shot.ground
    mirrored = (number + dice.randrange(2)) % 2 == 0
    spots = _spots(count, width, height, apart, scale)
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
    _float(standing, height)
    # Those behind are drawn first; a centre figure looks at whoever is named next to it.
    return sorted(standing, key=lambda s: s.ground)


def _float(standing: list[Standing], height: float) -> None:
    """Those in a boat or in the water are sunk into it: to the hip behind the hull, to the knee in the waves."""
    line = height * furniture.WATERLINE
    for one in standing:
        frame = body.frame_of(one.actor.figure.looks)
        if one.actor.spot == "boat":
            one.ground = line + (-frame.hip - 40) * one.scale
        elif one.actor.spot == "water":
            one.ground = line + 0.4 * -frame.hip * one.scale


def _spots(count: int, width: float, height: float, apart: float, scale: float) -> list[float]:
    """Shares of the width, in the order of the cast."""
    if count == 1:
        return [0.5 if width < height else 0.4]
    reach = min(
        0.5 - 88 * scale / width,
        (count - 1) * apart * scale / width * 0.5 + (0.0 if apart == _TOGETHER else 0.02 if count == 2 else 0.06),
    )
    reach = max(0.05 if apart == _TOGETHER else 0.12, reach)
    return [0.5 - reach + 2 * reach * index / (count - 1) for index in range(count)]


def draw_company(sheet: Sheet, scene: Scenery, plan: Composition, company: list[CharacterFigure]) -> None:
    """People of whom the words speak beside the cast: a row in the background, seen over its shoulders."""
    if not plan.standing or plan.afloat or scene.place.kind == "stage":
        return
    scale = min(one.scale for one in plan.standing) * 0.62
    ground = min(max(s.ground for s in plan.standing) - scene.height * 0.1, scene.height * 0.86)
    taken = sorted(one.x for one in plan.standing)
    for index, figure in enumerate(company):
        x = scene.width * (0.1 + 0.8 * (index + 0.5) / len(company))
        near = min(taken, key=lambda other: abs(other - x))
        if abs(near - x) < 110 * scale:
            x = near + math.copysign(140 * scale, x - near)
        _draw_actor(sheet, scene, Standing(Actor(figure, _IDLE[index % 4], ""), x, ground, scale, x > scene.width / 2))


def draw_cast(sheet: Sheet, scene: Scenery, plan: Composition) -> None:
    """Everyone and everything of the composition, back to front."""
    if not plan.standing and plan.loose:
        _still_life(sheet, scene, plan)
        return
    big = [thing for thing in plan.loose if PROPS[thing.thing.kind].where == "back"]
    scale = plan.standing[0].scale if plan.standing else scene.height * 0.5 / 400
    ground = max((s.ground for s in plan.standing if not s.actor.spot), default=scene.height * 0.9)
    taken = [s.x for s in plan.standing]
    for thing in big:
        _set_down(sheet, scene, thing, _gap(scene.width, taken), ground - scene.height * 0.05, scale)
    if plan.afloat:
        furniture.water_behind(sheet, scene)
    _benches(sheet, plan)
    aboard = [one for one in plan.standing if one.actor.spot == "boat"]
    if aboard:
        _row(sheet, scene, aboard, plan.boat or PROPS["boat"].colour)
    for standing in plan.standing:
        if standing not in aboard:
            _draw_actor(sheet, scene, standing)
    if plan.afloat:
        furniture.water_before(sheet, scene)
    for thing in plan.loose:
        prop = PROPS[thing.thing.kind]
        if prop.where == "back":
            continue
        x = _gap(scene.width, taken)
        if prop.where == "sky":
            _set_down(sheet, scene, thing, x, scene.height * 0.34, scale, shadow=False)
        elif plan.afloat:
            # Between the waves a thing needs a stone to lie on.
            base = scene.height * 0.8
            with sheet.moved(x, base + 30 * scale, scale):
                furniture.boulder(sheet, -44, scene.place.seed)
            _set_down(sheet, scene, thing, x, base - 8 * scale, scale)
        else:
            _set_down(sheet, scene, thing, x, min(ground + scene.height * 0.015, scene.height * 0.97), scale)
        taken.append(x)


def _still_life(sheet: Sheet, scene: Scenery, plan: Composition) -> None:
    """Things and nobody: the first one large, as what the scene is about."""
    near = plan.shot.zoom > 1.1
    first, rest = plan.loose[0], plan.loose[1:]
    prop = PROPS[first.thing.kind]
    short = min(scene.height, scene.width)
    size = short * (0.42 if near else 0.34) * (0.72 if prop.size > 170 else 1)
    ground = scene.height * (0.8 if near else 0.82)
    if prop.where in ("hand", "belly") or plan.table:
        furniture.plinth(sheet, scene.width / 2, ground, size, table=plan.table, scene=scene)
    else:
        sheet.ellipse(scene.width / 2, ground, size * 0.6, size * 0.08, "#1d1622", 0.2)
    with sheet.moved(scene.width / 2, ground, size / 100):
        draw_prop(sheet, first)
    for index, thing in enumerate(rest[:2]):
        x = scene.width * (0.24 if index else 0.76)
        _set_down(sheet, scene, thing, x, ground + (0 if plan.table else short * 0.04), size / 160)


def _benches(sheet: Sheet, plan: Composition) -> None:
    """One plank for all who sit side by side."""
    seated = [one for one in plan.standing if one.actor.spot == "bench"]
    if not seated:
        return
    first = seated[0]
    frame = body.frame_of(first.actor.figure.looks)
    xs = [one.x for one in seated]
    ground = max(one.ground for one in seated)
    left, right = min(xs) / first.scale - 95, max(xs) / first.scale + 95
    top = -max(abs(_seat_height(body.frame_of(one.actor.figure.looks))) for one in seated)
    sheet.ellipse(
        sum(xs) / len(xs), ground + 3 * first.scale, (right - left) * first.scale * 0.5, 8 * first.scale, "#1d1622", 0.2
    )
    with sheet.moved(0, ground, first.scale):
        furniture.bench(sheet, left, right, min(top, _seat_height(frame)))


def _seat_height(frame: body.Frame) -> float:
    return frame.hip * 0.5 + frame.limb * 0.4


def _row(sheet: Sheet, scene: Scenery, crew: list[Standing], colour: str) -> None:
    """A boat with its crew, in the middle of where they were to stand."""
    scale = crew[0].scale
    middle = sum(one.x for one in crew) / len(crew)
    line = scene.height * furniture.WATERLINE
    lean = random.Random(scene.place.seed).uniform(-5, 5) if scene.place.weather in ("storm", "wind") else 0
    with sheet.moved(middle, line + 12 * scale, scale, turn=lean):
        furniture.boat_inside(sheet, colour)
    for index, one in enumerate(crew):
        one.x = middle + (index - (len(crew) - 1) / 2) * 96 * scale
        _draw_actor(sheet, scene, one)
    with sheet.moved(middle, line + 12 * scale, scale, turn=lean):
        furniture.rowing_boat(sheet, colour)


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
    if actor.spot == "bed":
        _draw_lying(sheet, standing, frame)
        return
    if looks.species in SWIMMERS and scene.place.kind in _SWUM:
        standing.ground -= frame.height * 0.5 * standing.scale
    elif actor.spot not in ("boat", "water"):
        shade = frame.shoulder * 1.5 * standing.scale
        sheet.ellipse(standing.x, standing.ground + 2 * standing.scale, shade, shade * 0.17, "#1d1622", 0.24)
    with sheet.moved(standing.x, standing.ground, standing.scale, flip=standing.left):
        if actor.spot == "riding":
            _ride(sheet, actor, frame)
            return
        if actor.pose == "sit" and actor.spot != "bench":
            _seat(sheet, scene, looks, frame)
        if actor.figure.whole:
            draw_whole(sheet, actor.figure.whole, frame)
            hand = (frame.shoulder * 1.2, frame.neck * 0.55)
        else:
            hand = body.draw_figure(sheet, looks, actor.pose, actor.mood, actor.figure.picture).hand
        if actor.spot == "desk":
            top = frame.hip * 0.82
            furniture.desk(sheet, top)
            if actor.prop:
                with sheet.moved(120, top, PROPS[actor.prop.thing.kind].size / 100):
                    draw_prop(sheet, actor.prop)
        elif actor.prop:
            prop = PROPS[actor.prop.thing.kind]
            _hold(sheet, actor.prop, prop, hand, looks, frame)


def _ride(sheet: Sheet, actor: Actor, frame: body.Frame) -> None:
    """On a bicycle of the rider's own size: the hip on the saddle, the hands at the bar."""
    size = 0.46 * frame.height
    saddle = (-0.18 * size, -0.94 * size)
    with sheet.moved(0, 0, size / 100):
        PROPS["bicycle"].draw(sheet, actor.mount)
    with sheet.moved(saddle[0] - 4, saddle[1] - frame.hip * 0.5 + 8):
        body.draw_figure(sheet, actor.figure.looks, "sit", actor.mood, actor.figure.picture)


def _draw_lying(sheet: Sheet, standing: Standing, frame: body.Frame) -> None:
    """Somebody in bed: the head on the pillow, the rest under the blanket."""
    actor, looks = standing.actor, standing.actor.figure.looks
    with sheet.moved(standing.x, standing.ground, standing.scale, flip=standing.left):
        x, y = furniture.bed_behind(sheet, frame)
        if actor.figure.whole:
            with sheet.moved(x + frame.height * 0.86, y + 20, turn=-86):
                draw_whole(sheet, actor.figure.whole, frame)
        else:
            with sheet.moved(x + frame.height - frame.head * 0.5, y + 8, turn=-84):
                body.draw_figure(sheet, looks, "lie", actor.mood, actor.figure.picture)
        furniture.blanket(sheet, frame, "#5f7f8f" if looks.top_colour != "#5f7f8f" else "#8f6a5f")


def _seat(sheet: Sheet, scene: Scenery, looks: Looks, frame: body.Frame) -> None:
    top = _seat_height(frame)
    if scene.place.indoors or scene.place.kind in _BUILT:
        furniture.stool(sheet, frame.waist * 2.5, top)
    else:
        furniture.boulder(sheet, top, looks.quirk)


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
