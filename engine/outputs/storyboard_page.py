"""The storyboard page (`storyboard.html`) of a story: its film, reference images, scenes, credits and models.

The page refers only to files beside it. It has no script and loads nothing from the network.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from engine.outputs.story_record import ReferenceRecord, ReferenceRole, StoryRecord
from engine.story.model import Scene

TEMPLATE_FILE = "storyboard.html.jinja"


@dataclass(frozen=True, slots=True)
class ReferenceCard:
    """A reference image and its caption."""

    file: str
    role: ReferenceRole
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class SceneCard:
    """A scene: `image` and `audio` are paths, None while the files do not exist."""

    number: int
    facts: tuple[str, ...]
    narration: str
    prompt: str
    prompt_direction: str
    image: str | None
    audio: str | None


@dataclass(slots=True)
class ModelRow:
    """A model, the kinds of steps that it ran and its total run time in seconds."""

    name: str
    licence: str
    kinds: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class StoryboardPage:
    """Everything that the template shows."""

    title: str
    description: str
    facts: tuple[str, ...]
    film: str | None
    poster: str | None
    cast: tuple[ReferenceCard, ...]
    elements: tuple[ReferenceCard, ...]
    scenes: tuple[SceneCard, ...]
    warnings: tuple[str, ...]
    credits: tuple[str, ...]
    models: tuple[ModelRow, ...]
    engine: str
    seed: int


def render_storyboard_page(record: StoryRecord) -> str:
    """Return the storyboard page of a record as HTML. All text of the record is escaped."""
    story = record.story
    page = StoryboardPage(
        title=story.title or "Untitled",
        description=story.description,
        facts=_summary_facts(record),
        film=record.film,
        poster=next((file for file in record.files if file.startswith("keyframes/")), None),
        cast=_reference_cards(record, "character"),
        elements=_reference_cards(record, "location", "object"),
        scenes=tuple(_scene_card(record, number, scene) for number, scene in enumerate(story.scenes, start=1)),
        warnings=record.warnings,
        credits=record.credits,
        models=_model_rows(record),
        engine=record.engine,
        seed=story.seed,
    )
    return _template().render(page=page)


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(TEMPLATE_FILE)


def _summary_facts(record: StoryRecord) -> tuple[str, ...]:
    story, timeline = record.story, record.timeline
    return (
        f"{len(story.scenes)} scenes",
        *([f"{timeline.seconds:.0f} s"] if timeline else []),
        f"{story.video.width} × {story.video.height}",
        story.language,
        f"profile {record.profile}",
    )


def _reference_cards(record: StoryRecord, *roles: ReferenceRole) -> tuple[ReferenceCard, ...]:
    return tuple(
        ReferenceCard(
            one.file,
            one.role,
            f"{one.name} · {one.state}" if one.state else one.name,
            _reference_description(record, one),
        )
        for one in record.references
        if one.role in roles
    )


def _reference_description(record: StoryRecord, reference: ReferenceRecord) -> str:
    story = record.story
    match reference.role:
        case "character":
            character = story.get_character(reference.name)
            return character.get_state(reference.state).appearance if reference.state else character.appearance
        case "location":
            return story.get_location(reference.name).description
        case "object":
            return story.get_object(reference.name).description


def _scene_card(record: StoryRecord, number: int, scene: Scene) -> SceneCard:
    image, audio = f"keyframes/scene-{number:02d}.png", f"narration/scene-{number:02d}.wav"
    # A default name such as "Scene 3" would repeat the number.
    name = "" if scene.name.endswith(str(number)) else scene.name
    timing = record.timeline.scenes[number - 1].timing if record.timeline else None
    people = (f"{one.name} ({one.state})" if one.state else one.name for one in scene.characters)
    return SceneCard(
        number=number,
        facts=tuple(
            fact
            for fact in (
                name,
                f"{timing.frames / timing.fps:.1f} s" if timing else "",
                scene.camera,
                *people,
                scene.location or "",
            )
            if fact
        ),
        narration=scene.narration,
        prompt=scene.prompt,
        prompt_direction=_text_direction(scene.prompt),
        image=image if image in record.files else None,
        audio=audio if audio in record.files else None,
    )


def _text_direction(text: str) -> str:
    """Return `rtl` if most letters of a text run from right to left, else `ltr`.

    `dir="auto"` would take the first letter: wrong for an English sentence that begins with an Arabic name.
    """
    sides = [unicodedata.bidirectional(letter) for letter in text]
    return "rtl" if sides.count("R") + sides.count("AL") > sides.count("L") else "ltr"


def _model_rows(record: StoryRecord) -> tuple[ModelRow, ...]:
    rows: dict[str, ModelRow] = {}
    for step in record.steps:
        row = rows.setdefault(step.model, ModelRow(step.model, record.models[step.model].licence))
        if step.kind not in row.kinds:
            row.kinds.append(step.kind)
        row.seconds += step.seconds
    return tuple(rows.values())
