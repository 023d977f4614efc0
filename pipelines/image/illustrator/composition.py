"""Scene layout: positions, poses and shot size from the text of a scene."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from itertools import pairwise

from pipelines.image.illustrator.backdrops.elements import Backdrop
from pipelines.image.illustrator.canvas import Canvas
from pipelines.image.illustrator.figures import body as body
from pipelines.image.illustrator.figures.swimmers import SWIMMERS
from pipelines.image.illustrator.language.appearance import Appearance
from pipelines.image.illustrator.language.lexicon import Hit, concept_names, load_lexicon, normalize
from pipelines.image.illustrator.language.scene_parser import (
    PropMention,
    exclude_animal_actions,
    find_prop_mentions,
    split_by_character,
)
from pipelines.image.illustrator.language.setting import Setting
from pipelines.image.illustrator.props import furniture
from pipelines.image.illustrator.props.props import PROPS, Prop, draw_prop_spec
from pipelines.image.illustrator.resolved import CharacterFigure, ObjectFigure


@dataclass(frozen=True, slots=True)
class ShotSize:
    """How near the camera is: a grown man's share of the frame's height, the room one figure needs (units of its own
    measure), where the ground lies (none: below the frame), and how much the backdrop is enlarged."""

    height_fraction: float
    figure_width: float
    ground_line: float | None
    backdrop_zoom: float


SHOT_SIZES = {
    "wide": ShotSize(0.5, 190, 0.88, 1.0),
    "full": ShotSize(0.7, 190, 0.935, 1.06),
    "medium": ShotSize(1.08, 170, None, 1.24),
    "close": ShotSize(1.75, 150, None, 1.5),
}
_SHOT_SEQUENCES = {
    1: ("full", "medium", "close", "full", "medium", "close"),
    2: ("full", "medium", "full", "medium", "full"),
}
_CROWD_SHOT_SEQUENCE = ("full", "wide", "full")
_BUILT_SETTINGS = frozenset({"harbour", "ship", "gallery", "city", "village", "market"})
_EXTENDED_ARM_POSES = frozenset({"hold", "point", "wave", "walk", "carry", "reach"})
_LOW_POSES = frozenset({"sit", "kneel"})
_IDLE_POSES = ("stand", "ease", "stand", "ease")
_SWIMMING_SETTINGS = frozenset({"underwater", "sea"})
"""Height of swimmers above the ground."""
_WATER_SETTINGS = frozenset({"cove", "beach", "sea", "lighthouse", "harbour", "river", "lake"})
_MAX_HELD_SIZE = 112.0
"""Largest height of a hand-held prop, where an adult is 400 units high."""
_CLOSE_SPACING, _NORMAL_SPACING, _BOAT_SPACING = 140.0, 190.0, 300.0
"""Units between the middles of two figures: side by side, at ease, and one of them in a boat."""


@dataclass(slots=True)
class Actor:
    """One character of the scene with what it does and holds. `spot`: what it is in or at: `boat`, `water`, `bed`,
    `bench`, `desk`, `riding` (`mount`: the colour of the bicycle), or nothing but the ground."""

    figure: CharacterFigure
    pose: str
    mood: str
    held_object: ObjectFigure | None = None
    station: str = ""
    bicycle_colour: str = ""


@dataclass(slots=True)
class Placement:
    """An actor's place: x and ground in pixels of the frame, pixels per unit, turned to the left or not."""

    actor: Actor
    x: float
    ground_y: float
    scale: float
    faces_left: bool


@dataclass(slots=True)
class SceneLayout:
    """Everything that is drawn in front of the backdrop. `boat`: its colour, if an actor is in one; `table`: whether a
    thing that is alone in the picture lies on a table's board."""

    shot: ShotSize
    placements: list[Placement]
    unheld_objects: list[ObjectFigure]
    focus: tuple[float, float]
    boat_colour: str | None = None
    on_table: bool = False

    @property
    def on_water(self) -> bool:
        return any(s.actor.station in ("boat", "water") for s in self.placements)


def build_layout(
    cast: list[CharacterFigure],
    objects: list[ObjectFigure],
    scene_text: str,
    scene_number: int,
    width: float,
    height: float,
    rng: random.Random,
    setting: Setting | None = None,
) -> SceneLayout:
    """Lay out the cast and props of a scene."""
    hits = load_lexicon().find_concepts(scene_text)
    prop_mentions = find_prop_mentions([figure.name for figure in cast], scene_text)
    actors = _build_actors(cast, scene_text, hits, rng)
    _assign_stations(actors, scene_text, setting)
    unheld_objects = _assign_objects(actors, objects, scene_text, prop_mentions)
    for actor in actors:
        if actor.station == "riding":
            _assign_bicycle(actor, unheld_objects)
    name = _choose_shot_size(actors, unheld_objects, hits, scene_number)
    shot = SHOT_SIZES[name]
    close_together = "together" in concept_names(hits, "where")
    placements = _place_actors(actors, shot, scene_number, width, height, rng, close_together=close_together)
    middle = sum(s.x for s in placements) / max(1, len(placements))
    focus = (middle, _mean_face_y(placements)) if placements else (width / 2, height / 2)
    boat_colour = None
    if any(actor.station == "boat" for actor in actors):
        default_colour = (setting.boat_colour if setting else "") or PROPS["boat"].colour
        boat_colour = next((t.spec.colour for t in unheld_objects if t.spec.kind == "boat"), default_colour)
        unheld_objects = [t for t in unheld_objects if t.spec.kind != "boat"]
    on_table = bool({"desk", "ground"} & set(concept_names(hits, "where"))) and bool(setting and setting.indoors)
    return SceneLayout(shot, placements, unheld_objects, focus, boat_colour, on_table)


def _mean_face_y(placements: list[Placement]) -> float:
    return sum(s.ground_y + body.body_proportions(s.actor.figure.appearance).neck * s.scale for s in placements) / len(
        placements
    )


def _build_actors(
    cast: list[CharacterFigure], scene_text: str, hits: tuple[Hit, ...], rng: random.Random
) -> list[Actor]:
    actors = []
    played = {figure.appearance.species for figure in cast}
    hits = exclude_animal_actions(hits, played)
    moods = [m for m in concept_names(hits, "mood") if m != "tired"]
    poses = concept_names(hits, "pose")
    parts = split_by_character([figure.name for figure in cast], scene_text)
    for index, (figure, part) in enumerate(zip(cast, parts, strict=True)):
        own = exclude_animal_actions(load_lexicon().find_concepts(part) if part else (), played)
        idle = _IDLE_POSES[rng.randrange(4)]
        stated_poses = concept_names(own, "pose") or (poses if not any(parts) or len(cast) == 1 else ())
        pose = stated_poses[0] if stated_poses else ("sit" if "sit" in poses and index else idle)
        # Sitting and lying win over what the hands do.
        if pose not in _LOW_POSES | {"lie"}:
            pose = next((low for low in ("lie", "kneel", "sit") if low in stated_poses[1:]), pose)
        own_moods = [m for m in concept_names(own, "mood") if m != "tired"]
        mood = own_moods[0] if own_moods else moods[0] if moods else figure.appearance.mood
        if mood == "afraid" and pose in ("stand", "ease"):
            pose = "worry"
        if mood == "happy" and pose in ("stand", "ease") and rng.random() < 0.25:
            pose = "wave"
        if "tired" in concept_names(own, "mood") or pose == "lie":
            mood = "tired"
        actors.append(Actor(figure, pose, mood))
    return actors


def _assign_stations(actors: list[Actor], scene_text: str, setting: Setting | None) -> None:
    """Assign boats, water, beds, benches and tables to actors."""
    parts = split_by_character([actor.figure.name for actor in actors], scene_text)
    shared_hits = load_lexicon().find_concepts(scene_text) if not any(parts) or len(actors) == 1 else ()
    wet = setting is not None and setting.kind in _WATER_SETTINGS
    for actor, part in zip(actors, parts, strict=True):
        where = concept_names((*load_lexicon().find_concepts(part), *shared_hits), "where")
        if wet and "aboard" in where:
            actor.station = "boat"
        elif wet and "water" in where:
            actor.station = "water"
        elif actor.pose == "lie" and setting is not None and setting.indoors:
            actor.station = "bed"
        elif "riding" in where:
            actor.station, actor.pose = "riding", "sit"
        elif actor.pose == "sit" and "desk" in where:
            actor.station = "desk"
        elif actor.pose == "sit" and "bench" in where:
            actor.station = "bench"
    if any(actor.station == "boat" for actor in actors):
        for actor in actors:
            # All actors are in a boat or in the water if the boat is out on the water.
            actor.station = actor.station or "water"
    for actor in actors:
        if actor.station == "boat" and actor.pose in ("sit", "kneel", "walk", "lie", "stand", "arms_up"):
            actor.pose = "worry" if actor.mood == "afraid" else "ease"
        elif actor.station == "water" and actor.pose in ("sit", "kneel", "lie"):
            actor.pose = "ease"


def _assign_bicycle(actor: Actor, unheld_objects: list[ObjectFigure]) -> None:
    """Puts a rider on the bicycle of the scene; without one there is nothing to ride."""
    for thing in unheld_objects:
        if thing.spec.kind == "bicycle":
            unheld_objects.remove(thing)
            actor.bicycle_colour = thing.spec.colour
            return
    actor.station = ""


def _assign_objects(
    actors: list[Actor], objects: list[ObjectFigure], scene_text: str, prop_mentions: list[PropMention]
) -> list[ObjectFigure]:
    """Put small props into the hands of the actors whose text names them. Return the other props."""
    mention_by_kind = {mention.kind: mention for mention in prop_mentions}
    parts = split_by_character([actor.figure.name for actor in actors], scene_text)
    unheld_objects: list[ObjectFigure] = []
    for thing in objects:
        prop, mention = PROPS[thing.spec.kind], mention_by_kind.get(thing.spec.kind)
        free_actors = [actor for actor in actors if actor.held_object is None and actor.pose != "lie"]
        can_be_held = prop.anchor in ("hand", "belly") or (
            mention is not None and mention.held and prop.size <= _MAX_HELD_SIZE
        )
        if can_be_held and free_actors and not (mention and mention.on_surface):
            if mention and mention.for_everyone:
                for actor in free_actors:
                    _give_object(actor, thing, prop)
                continue
            owner = actors[mention.owner_index] if mention and mention.owner_index >= 0 else None
            if owner is None or owner not in free_actors:
                owner = next(
                    (
                        a
                        for a, part in zip(actors, parts, strict=True)
                        if a in free_actors and _mentions_object(part, thing)
                    ),
                    None,
                )
            _give_object(owner or next((a for a in free_actors if a.pose == "hold"), free_actors[0]), thing, prop)
        else:
            unheld_objects.append(thing)
    for actor in actors:
        if actor.pose == "hold" and actor.held_object is None:
            actor.pose = "ease"
    return unheld_objects


def _give_object(actor: Actor, thing: ObjectFigure, prop: Prop) -> None:
    actor.held_object = thing
    if prop.anchor == "belly" or actor.pose in ("stand", "ease", "worry", "carry", "arms_up"):
        actor.pose = "hold"


def _mentions_object(part: str, thing: ObjectFigure) -> bool:
    return bool(part) and (
        (normalize(thing.name) in part and bool(thing.name))
        or thing.spec.kind in concept_names(load_lexicon().find_concepts(part), "prop")
    )


def _choose_shot_size(
    actors: list[Actor], unheld_objects: list[ObjectFigure], hits: tuple[Hit, ...], scene_number: int
) -> str:
    stated_sizes = concept_names(hits, "shot")
    if stated_sizes:
        # In a close-up, held props and the third of three actors would be out of the frame.
        crowded = len(actors) > 2 or any(a.held_object for a in actors)
        return stated_sizes[0] if stated_sizes[0] != "close" or not crowded else "medium"
    if not actors:
        return "wide"
    names_ = _SHOT_SEQUENCES.get(len(actors), _CROWD_SHOT_SEQUENCE)
    name = names_[(scene_number - 1) % len(names_)]
    needs_full_body = any(
        a.pose in ("sit", "kneel", "lie", "walk", "arms_up")
        or a.station in ("boat", "water")
        or (a.held_object and PROPS[a.held_object.spec.kind].anchor == "belly")
        for a in actors
    )
    if (needs_full_body or any(PROPS[t.spec.kind].anchor in ("ground", "back") for t in unheld_objects)) and name in (
        "medium",
        "close",
    ):
        return "full"
    return "medium" if name == "close" and any(a.held_object for a in actors) else name


def _place_actors(
    actors: list[Actor],
    shot: ShotSize,
    scene_number: int,
    width: float,
    height: float,
    rng: random.Random,
    *,
    close_together: bool = False,
) -> list[Placement]:
    count = len(actors)
    if not count:
        return []
    tall = max(320.0, *(body.body_proportions(actor.figure.appearance).height for actor in actors))
    rows = 2 if count >= 4 or (count == 3 and width < height) else 1
    columns = (count + rows - 1) / rows if rows == 1 else count * 0.62
    # An arm that is stretched out needs room beside the body.
    arms_extended = any(actor.held_object or actor.pose in _EXTENDED_ARM_POSES for actor in actors)
    figure_width = shot.figure_width + (90 if arms_extended and count == 1 else 20 if arms_extended else 0)
    spacing = min(_NORMAL_SPACING, shot.figure_width) + (34 if arms_extended and count > 1 else 0)
    if width < height and count > 1:
        # A tall frame is narrow: those in it stand closer.
        spacing, figure_width = min(spacing, 156.0), min(figure_width, 168.0)
    if close_together and count == 2:
        spacing = _CLOSE_SPACING
        figure_width = max(figure_width - 40, 150)
    elif any(a.station == "boat" for a in actors):
        spacing = figure_width = (
            _BOAT_SPACING if count > 1 and any(a.station == "water" for a in actors) else 320.0 / count
        )
    elif any(a.station == "bed" for a in actors):
        spacing = figure_width = 360.0 if count > 1 else 440.0
    scale = min(shot.height_fraction * height / tall, width * 0.94 / (columns * figure_width))
    if all(a.pose in _LOW_POSES for a in actors) and shot.ground_line is not None:
        scale = min(scale * 1.22, width * 0.94 / (columns * figure_width))
    # Another take changes the staging: nearer, or from the other side.
    scale *= 1 - 0.1 * rng.random()
    if shot.ground_line is None:
        frames = [body.body_proportions(a.figure.appearance) for a in actors]
        reach = max(frame.height for frame in frames) + 26
        # Beside a bear the fox is seen, too: from near, the smallest face still lies above the lower third.
        low = max(reach - frame.height + frame.head * 0.5 for frame in frames)
        scale = min(scale, 0.5 * height / low)
        ground = max(height * 0.13 + reach * scale, height * 0.93)
    else:
        ground = height * shot.ground_line
    mirrored = (scene_number + rng.randrange(2)) % 2 == 0
    spots = _x_fractions(count, width, height, spacing, scale)
    placements = []
    for index, actor in enumerate(actors):
        share = spots[index]
        if mirrored:
            share = 1 - share
        behind = rows == 2 and index % 2 == 1
        size = scale * (0.86 if behind else 1)
        depth = ground - (height * 0.055 if shot.ground_line else 0.02 * height) * (1 if behind else 0)
        left = share > 0.5 if count > 1 or abs(share - 0.5) > 0.02 else mirrored
        # A given picture is never mirrored: it may hold writing, or a face that is known.
        left = left and not (actor.figure.face_image or actor.figure.full_body_image)
        x = share * width
        if count == 1 and arms_extended:
            x = max(x, min(190 * size, width * 0.66)) if left else min(x, max(width - 190 * size, width * 0.34))
        placements.append(Placement(actor, x, depth, size, left))
    _lower_into_water(placements, height)
    # Those behind are drawn first; a centre figure looks at the actor named next to it.
    return sorted(placements, key=lambda s: s.ground_y)


def _lower_into_water(placements: list[Placement], height: float) -> None:
    """Those in a boat or in the water are sunk into it: to the hip behind the hull, to the knee in the waves."""
    line = height * furniture.WATERLINE
    for one in placements:
        proportions = body.body_proportions(one.actor.figure.appearance)
        if one.actor.station == "boat":
            one.ground_y = line + (-proportions.hip - 40) * one.scale
        elif one.actor.station == "water":
            one.ground_y = line + 0.4 * -proportions.hip * one.scale


def _x_fractions(count: int, width: float, height: float, spacing: float, scale: float) -> list[float]:
    """Shares of the width, in the order of the cast."""
    if count == 1:
        return [0.5 if width < height else 0.4]
    reach = min(
        0.5 - 88 * scale / width,
        (count - 1) * spacing * scale / width * 0.5
        + (0.0 if spacing == _CLOSE_SPACING else 0.02 if count == 2 else 0.06),
    )
    reach = max(0.05 if spacing == _CLOSE_SPACING else 0.12, reach)
    return [0.5 - reach + 2 * reach * index / (count - 1) for index in range(count)]


def draw_bystanders(canvas: Canvas, backdrop: Backdrop, layout: SceneLayout, bystanders: list[CharacterFigure]) -> None:
    """People of whom the words speak beside the cast: a row in the background, seen over its shoulders."""
    if not layout.placements or layout.on_water or backdrop.setting.kind == "stage":
        return
    scale = min(one.scale for one in layout.placements) * 0.62
    ground = min(max(s.ground_y for s in layout.placements) - backdrop.height * 0.1, backdrop.height * 0.86)
    taken = sorted(one.x for one in layout.placements)
    for index, figure in enumerate(bystanders):
        x = backdrop.width * (0.1 + 0.8 * (index + 0.5) / len(bystanders))
        near = min(taken, key=lambda other: abs(other - x))
        if abs(near - x) < 110 * scale:
            x = near + math.copysign(140 * scale, x - near)
        _draw_actor(
            canvas,
            backdrop,
            Placement(Actor(figure, _IDLE_POSES[index % 4], ""), x, ground, scale, x > backdrop.width / 2),
        )


def draw_cast(canvas: Canvas, backdrop: Backdrop, layout: SceneLayout) -> None:
    """Everyone and everything of the composition, back to front."""
    if not layout.placements and layout.unheld_objects:
        _draw_still_life(canvas, backdrop, layout)
        return
    big = [thing for thing in layout.unheld_objects if PROPS[thing.spec.kind].anchor == "back"]
    scale = layout.placements[0].scale if layout.placements else backdrop.height * 0.5 / 400
    ground = max((s.ground_y for s in layout.placements if not s.actor.station), default=backdrop.height * 0.9)
    taken = [s.x for s in layout.placements]
    for thing in big:
        _draw_object_at(
            canvas, backdrop, thing, _widest_gap_centre(backdrop.width, taken), ground - backdrop.height * 0.05, scale
        )
    if layout.on_water:
        furniture.draw_water_behind(canvas, backdrop)
    _draw_bench(canvas, layout)
    aboard = [one for one in layout.placements if one.actor.station == "boat"]
    if aboard:
        _draw_boat_with_crew(canvas, backdrop, aboard, layout.boat_colour or PROPS["boat"].colour)
    for placement in layout.placements:
        if placement not in aboard:
            _draw_actor(canvas, backdrop, placement)
    if layout.on_water:
        furniture.draw_water_in_front(canvas, backdrop)
    for thing in layout.unheld_objects:
        prop = PROPS[thing.spec.kind]
        if prop.anchor == "back":
            continue
        x = _widest_gap_centre(backdrop.width, taken)
        if prop.anchor == "sky":
            _draw_object_at(canvas, backdrop, thing, x, backdrop.height * 0.34, scale, shadow=False)
        elif layout.on_water:
            # Between the waves a thing needs a stone to lie on.
            base = backdrop.height * 0.8
            with canvas.transformed(x, base + 30 * scale, scale):
                furniture.draw_boulder(canvas, -44, backdrop.setting.seed)
            _draw_object_at(canvas, backdrop, thing, x, base - 8 * scale, scale)
        else:
            _draw_object_at(
                canvas, backdrop, thing, x, min(ground + backdrop.height * 0.015, backdrop.height * 0.97), scale
            )
        taken.append(x)


def _draw_still_life(canvas: Canvas, backdrop: Backdrop, layout: SceneLayout) -> None:
    """A scene of props only: the first one large, as the subject."""
    near = layout.shot.backdrop_zoom > 1.1
    first, rest = layout.unheld_objects[0], layout.unheld_objects[1:]
    prop = PROPS[first.spec.kind]
    short = min(backdrop.height, backdrop.width)
    size = short * (0.42 if near else 0.34) * (0.72 if prop.size > 170 else 1)
    ground = backdrop.height * (0.8 if near else 0.82)
    if prop.anchor in ("hand", "belly") or layout.on_table:
        furniture.draw_plinth(canvas, backdrop.width / 2, ground, size, as_table=layout.on_table, backdrop=backdrop)
    else:
        canvas.ellipse(backdrop.width / 2, ground, size * 0.6, size * 0.08, "#1d1622", 0.2)
    with canvas.transformed(backdrop.width / 2, ground, size / 100):
        draw_object(canvas, first)
    for index, thing in enumerate(rest[:2]):
        x = backdrop.width * (0.24 if index else 0.76)
        _draw_object_at(canvas, backdrop, thing, x, ground + (0 if layout.on_table else short * 0.04), size / 160)


def _draw_bench(canvas: Canvas, layout: SceneLayout) -> None:
    """Draw one bench for all actors that sit side by side."""
    seated = [one for one in layout.placements if one.actor.station == "bench"]
    if not seated:
        return
    first = seated[0]
    proportions = body.body_proportions(first.actor.figure.appearance)
    xs = [one.x for one in seated]
    ground = max(one.ground_y for one in seated)
    left, right = min(xs) / first.scale - 95, max(xs) / first.scale + 95
    top = -max(abs(_seat_height(body.body_proportions(one.actor.figure.appearance))) for one in seated)
    canvas.ellipse(
        sum(xs) / len(xs), ground + 3 * first.scale, (right - left) * first.scale * 0.5, 8 * first.scale, "#1d1622", 0.2
    )
    with canvas.transformed(0, ground, first.scale):
        furniture.draw_bench(canvas, left, right, min(top, _seat_height(proportions)))


def _seat_height(proportions: body.BodyProportions) -> float:
    return proportions.hip * 0.5 + proportions.limb_width * 0.4


def _draw_boat_with_crew(canvas: Canvas, backdrop: Backdrop, crew: list[Placement], colour: str) -> None:
    """A boat with its crew, in the middle of where they were to stand."""
    scale = crew[0].scale
    middle = sum(one.x for one in crew) / len(crew)
    line = backdrop.height * furniture.WATERLINE
    lean = random.Random(backdrop.setting.seed).uniform(-5, 5) if backdrop.setting.weather in ("storm", "wind") else 0
    with canvas.transformed(middle, line + 12 * scale, scale, rotation=lean):
        furniture.draw_boat_far_side(canvas, colour)
    for index, one in enumerate(crew):
        one.x = middle + (index - (len(crew) - 1) / 2) * 96 * scale
        _draw_actor(canvas, backdrop, one)
    with canvas.transformed(middle, line + 12 * scale, scale, rotation=lean):
        furniture.draw_boat_near_side(canvas, colour)


def _widest_gap_centre(width: float, taken: list[float]) -> float:
    """The middle of the widest free stretch of the stage."""
    if not taken:
        return width * 0.5
    edges = sorted((width * 0.04, *taken, width * 0.96))
    middles = [(b - a, (a + b) / 2) for a, b in pairwise(edges)]
    # Between two who face each other a thing may stand closer than beside them at the border.
    return max(middles, key=lambda m: m[0] - 0.35 * abs(m[1] - width / 2))[1]


def _draw_object_at(
    canvas: Canvas, backdrop: Backdrop, thing: ObjectFigure, x: float, y: float, scale: float, *, shadow: bool = True
) -> None:
    prop = PROPS[thing.spec.kind]
    size = min(prop.size * scale, backdrop.height * 0.85)
    if shadow:
        canvas.ellipse(x, y, size * 0.55 if prop.size < 250 else size * 0.34, size * 0.07, "#1d1622", 0.2)
    with canvas.transformed(x, y, size / 100):
        draw_object(canvas, thing)


def draw_object(canvas: Canvas, thing: ObjectFigure) -> None:
    """Draw a prop, or the card with its user image."""
    if thing.image:
        canvas.rect(-54, -104, 108, 108, "#fffaf0", 8)
        canvas.image(-48, -98, 96, 96, thing.image)
    else:
        draw_prop_spec(canvas, thing.spec)


def _draw_actor(canvas: Canvas, backdrop: Backdrop, placement: Placement) -> None:
    actor, appearance = placement.actor, placement.actor.figure.appearance
    proportions = body.body_proportions(appearance)
    if actor.station == "bed":
        _draw_in_bed(canvas, placement, proportions)
        return
    if appearance.species in SWIMMERS and backdrop.setting.kind in _SWIMMING_SETTINGS:
        placement.ground_y -= proportions.height * 0.5 * placement.scale
    elif actor.station not in ("boat", "water"):
        shade = proportions.shoulder * 1.5 * placement.scale
        canvas.ellipse(placement.x, placement.ground_y + 2 * placement.scale, shade, shade * 0.17, "#1d1622", 0.24)
    with canvas.transformed(placement.x, placement.ground_y, placement.scale, flip=placement.faces_left):
        if actor.station == "riding":
            _draw_rider(canvas, actor, proportions)
            return
        if actor.pose == "sit" and actor.station != "bench":
            _draw_seat(canvas, backdrop, appearance, proportions)
        if actor.figure.full_body_image:
            draw_full_body_image(canvas, actor.figure.full_body_image, proportions)
            hand = (proportions.shoulder * 1.2, proportions.neck * 0.55)
        else:
            hand = body.draw_figure(canvas, appearance, actor.pose, actor.mood, actor.figure.face_image).hand
        if actor.station == "desk":
            top = proportions.hip * 0.82
            furniture.draw_desk(canvas, top)
            if actor.held_object:
                with canvas.transformed(120, top, PROPS[actor.held_object.spec.kind].size / 100):
                    draw_object(canvas, actor.held_object)
        elif actor.held_object:
            prop = PROPS[actor.held_object.spec.kind]
            _draw_held_object(canvas, actor.held_object, prop, hand, appearance, proportions)


def _draw_rider(canvas: Canvas, actor: Actor, proportions: body.BodyProportions) -> None:
    """On a bicycle of the rider's own size: the hip on the saddle, the hands at the bar."""
    size = 0.46 * proportions.height
    saddle = (-0.18 * size, -0.94 * size)
    with canvas.transformed(0, 0, size / 100):
        PROPS["bicycle"].draw(canvas, actor.bicycle_colour)
    with canvas.transformed(saddle[0] - 4, saddle[1] - proportions.hip * 0.5 + 8):
        body.draw_figure(canvas, actor.figure.appearance, "sit", actor.mood, actor.figure.face_image)


def _draw_in_bed(canvas: Canvas, placement: Placement, proportions: body.BodyProportions) -> None:
    """Draw an actor in bed: head on the pillow, body under the blanket."""
    actor, appearance = placement.actor, placement.actor.figure.appearance
    with canvas.transformed(placement.x, placement.ground_y, placement.scale, flip=placement.faces_left):
        x, y = furniture.draw_bed(canvas, proportions)
        if actor.figure.full_body_image:
            with canvas.transformed(x + proportions.height * 0.86, y + 20, rotation=-86):
                draw_full_body_image(canvas, actor.figure.full_body_image, proportions)
        else:
            with canvas.transformed(x + proportions.height - proportions.head * 0.5, y + 8, rotation=-84):
                body.draw_figure(canvas, appearance, "lie", actor.mood, actor.figure.face_image)
        furniture.draw_blanket(canvas, proportions, "#5f7f8f" if appearance.top_colour != "#5f7f8f" else "#8f6a5f")


def _draw_seat(canvas: Canvas, backdrop: Backdrop, appearance: Appearance, proportions: body.BodyProportions) -> None:
    top = _seat_height(proportions)
    if backdrop.setting.indoors or backdrop.setting.kind in _BUILT_SETTINGS:
        furniture.draw_stool(canvas, proportions.waist * 2.5, top)
    else:
        furniture.draw_boulder(canvas, top, appearance.variation_seed)


def _draw_held_object(
    canvas: Canvas,
    thing: ObjectFigure,
    prop: Prop,
    hand: tuple[float, float],
    appearance: Appearance,
    proportions: body.BodyProportions,
) -> None:
    # Small hands carry smaller things.
    size = prop.size * min(1.0, 0.5 + 0.5 * proportions.height / 400)
    if prop.anchor == "belly":
        with canvas.transformed(10, proportions.hip * 0.98 + size * 0.32, size / 100):
            draw_object(canvas, thing)
        return
    with canvas.transformed(hand[0], hand[1], size / 100), canvas.transformed(0, prop.grip_height):
        draw_object(canvas, thing)
    tip = appearance.skin
    canvas.circle(hand[0], hand[1], proportions.limb_width * 0.4, tip)


def draw_full_body_image(canvas: Canvas, png: str, proportions: body.BodyProportions) -> None:
    """Draw a full-body user image as a cut-out figure."""
    import base64
    import struct

    wide, high = struct.unpack(">II", base64.b64decode(png[:64])[16:24])
    tall = proportions.height * 1.04
    canvas.image(-tall * wide / high / 2, -tall, tall * wide / high, tall, png)
