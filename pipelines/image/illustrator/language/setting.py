"""The setting: kind of place, time of day, weather and season, parsed from text."""

from __future__ import annotations

from typing import Any

from pipelines.base import Params
from pipelines.image.illustrator.language.appearance import COLOURS
from pipelines.image.illustrator.language.lexicon import Hit, concept_names, load_lexicon
from pipelines.image.illustrator.language.scene_parser import find_prop_mentions

INDOOR_KINDS = frozenset({
    "stairs", "room", "bedroom", "kitchen", "library", "classroom", "lab", "workshop", "office", "shop", "stage", "temple", "station", "castle",
})  # fmt: skip
TIMELESS_KINDS = frozenset({"space", "underwater", "cave"})
# The more a word narrows the picture, the earlier it stands: "harbour village" is a harbour, "stair in the lighthouse" a stair.
_KIND_PRIORITY = [
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
_DETAIL_PROPS = frozenset({"clock", "lantern"})
"""Props that a backdrop shows if the text of the place names them."""
_DEFAULT_KINDS = ("meadow", "forest", "village", "garden", "river", "road")


class Setting(Params):
    """One place at one time. `seed` fixes its details, so a place looks the same in every scene."""

    name: str = ""
    kind: str = "meadow"
    features: tuple[str, ...] = ()
    time: str = "day"
    weather: str = "clear"
    season: str = "summer"
    seed: int = 0
    boat_colour: str = ""
    """The colour of the boat that belongs here, where the words tell one."""

    @property
    def indoors(self) -> bool:
        return self.kind in INDOOR_KINDS


def parse_setting(name: str, description: str, story_setting: str, seed: int) -> tuple[Setting, bool]:
    """The place that its name, its description and the setting of the story describe; whether any word was understood."""
    sources = [load_lexicon().find_concepts(text) for text in (name, description, story_setting)]
    found: list[str] = []
    for hits in sources:
        kinds = sorted(concept_names(hits, "place"), key=_KIND_PRIORITY.index)
        found += [kind for kind in kinds if kind not in found]
    kind = found[0] if found else _DEFAULT_KINDS[seed % len(_DEFAULT_KINDS)]
    if kind == "castle" and not _describes_interior(sources):
        kind = "fortress"
    all_hits = tuple(hit for hits in sources for hit in hits)
    details = tuple(thing for thing in concept_names(all_hits, "prop") if thing in _DETAIL_PROPS)
    trees = tuple(dict.fromkeys(hit.name for hit in all_hits if hit.group in ("grows", "shape")))
    place = Setting(
        name=name, kind=kind, features=(*found[1:4], *details, *trees), seed=seed, boat_colour=_boat_colour(description)
    )
    return apply_time_and_weather(place, all_hits), bool(
        found or concept_names(all_hits, "time") or concept_names(all_hits, "weather")
    )


def apply_time_and_weather(setting: Setting, hits: tuple[Hit, ...]) -> Setting:
    """The same place when the words say something of hour, weather or season; the first word of each decides."""
    updates: dict[str, Any] = {}
    if times := concept_names(hits, "time"):
        updates["time"] = (
            next((time for time in times if time != "day"), "day") if setting.kind not in TIMELESS_KINDS else "night"
        )
    if weathers := concept_names(hits, "weather"):
        updates["weather"] = max(weathers, key=("clear", "wind", "cloud", "fog", "rain", "snow", "storm").index)
    if seasons := concept_names(hits, "season"):
        updates["season"] = seasons[0]
    if updates.get("weather") == "snow" and "season" not in updates:
        updates["season"] = "winter"
    if updates.get("season", "winter") != "winter" and "weather" not in updates and setting.weather == "snow":
        # On a spring day the snow of the winter's picture has melted.
        updates["weather"] = "clear"
    shapes = tuple(shape for shape in concept_names(hits, "shape") if shape not in setting.features)
    if shapes and setting.kind == "mountains":
        updates["features"] = (*setting.features, *shapes)
    return setting.model_copy(update=updates)


def _boat_colour(text: str) -> str:
    return next((COLOURS[m.colour] for m in find_prop_mentions([], text) if m.kind == "boat" and m.colour), "")


def _describes_interior(sources: list[tuple[Hit, ...]]) -> bool:
    return any(
        hit.concept in ("place.room", "place.stairs") or hit.name in ("table", "candle")
        for hits in sources
        for hit in hits
    )
