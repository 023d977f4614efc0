"""Where and when a scene is: kind of place, time of day, weather and season, read from words."""

from __future__ import annotations

from typing import Any

from pipelines.base import Params
from pipelines.image.illustrator.language.appearance import COLOURS
from pipelines.image.illustrator.language.lexicon import Hit, lexicon, names
from pipelines.image.illustrator.language.scene_parser import mentions

INDOORS = frozenset({
    "stairs", "room", "bedroom", "kitchen", "library", "classroom", "lab", "workshop", "office", "shop", "stage", "temple", "station", "castle",
})  # fmt: skip
TIMELESS = frozenset({"space", "underwater", "cave"})
# The more a word narrows the picture, the earlier it stands: "harbour village" is a harbour, "stair in the lighthouse" a stair.
_NARROW = [
    "stairs",
    "underwater",
    "space",
    "gallery",
    "ship",
    "kitchen",
    "library",
    "classroom",
    "bedroom",
    "workshop",
    "office",
    "lab",
    "stage",
    "temple",
    "cave",
    "shop",
    "station",
    "castle",
    "market",
    "harbour",
    "cove",
    "lighthouse",
    "beach",
    "desert",
    "sky",
    "garden",
    "lake",
    "river",
    "mountains",
    "forest",
    "meadow",
    "city",
    "village",
    "road",
    "sea",
    "room",
]
_DETAILS = frozenset({"clock", "lantern"})
"""Things that a backdrop shows when the words of the place name them."""
_ANY = ("meadow", "forest", "village", "garden", "river", "road")


class Place(Params):
    """One place at one time. `seed` fixes its details: the same place looks the same in every scene."""

    name: str = ""
    kind: str = "meadow"
    features: tuple[str, ...] = ()
    time: str = "day"
    weather: str = "clear"
    season: str = "summer"
    seed: int = 0
    boat: str = ""
    """The colour of the boat that belongs here, where the words tell one."""

    @property
    def indoors(self) -> bool:
        return self.kind in INDOORS


def read_place(name: str, words: str, setting: str, seed: int) -> tuple[Place, bool]:
    """The place that its name, its description and the setting of the story describe; whether any word was understood."""
    sources = [lexicon().read(text) for text in (name, words, setting)]
    found: list[str] = []
    for hits in sources:
        kinds = sorted(names(hits, "place"), key=_NARROW.index)
        found += [kind for kind in kinds if kind not in found]
    kind = found[0] if found else _ANY[seed % len(_ANY)]
    if kind == "castle" and not _inside(sources):
        kind = "fortress"
    everything = tuple(hit for hits in sources for hit in hits)
    details = tuple(thing for thing in names(everything, "prop") if thing in _DETAILS)
    trees = tuple(dict.fromkeys(hit.name for hit in everything if hit.group in ("grows", "shape")))
    place = Place(name=name, kind=kind, features=(*found[1:4], *details, *trees), seed=seed, boat=_boat(words))
    return at_time(place, everything), bool(found or names(everything, "time") or names(everything, "weather"))


def at_time(place: Place, hits: tuple[Hit, ...]) -> Place:
    """The same place when the words say something of hour, weather or season; the first word of each decides."""
    told: dict[str, Any] = {}
    if times := names(hits, "time"):
        told["time"] = next((time for time in times if time != "day"), "day") if place.kind not in TIMELESS else "night"
    if weathers := names(hits, "weather"):
        told["weather"] = max(weathers, key=("clear", "wind", "cloud", "fog", "rain", "snow", "storm").index)
    if seasons := names(hits, "season"):
        told["season"] = seasons[0]
    if told.get("weather") == "snow" and "season" not in told:
        told["season"] = "winter"
    if told.get("season", "winter") != "winter" and "weather" not in told and place.weather == "snow":
        # On a spring day the snow of the winter's picture has melted.
        told["weather"] = "clear"
    shapes = tuple(shape for shape in names(hits, "shape") if shape not in place.features)
    if shapes and place.kind == "mountains":
        told["features"] = (*place.features, *shapes)
    return place.model_copy(update=told)


def _boat(words: str) -> str:
    return next((COLOURS[m.colour] for m in mentions([], words) if m.kind == "boat" and m.colour), "")


def _inside(sources: list[tuple[Hit, ...]]) -> bool:
    return any(
        hit.concept in ("place.room", "place.stairs") or hit.name in ("table", "candle")
        for hits in sources
        for hit in hits
    )
