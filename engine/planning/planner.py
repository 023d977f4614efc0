"""Story → Plan. Pure: the same story and catalog give the same plan. How far it goes is an argument, nothing else differs
between a portrait, a scene picture and a film."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from engine.planning import prompts
from engine.planning.builder import Draft
from engine.planning.plan import Plan, Planned, PlanningError, Ref, Source
from engine.planning.step_ids import (
    IDEA_CHECK,
    TEXT_CHECK,
    burned_subtitles,
    clip_source,
    element_id,
    element_source,
    given_source,
    inspection_id,
    intake_id,
    is_narrated,
    keyframe_source,
    portrait_id,
    portrait_source,
    scene_id,
    timing,
)
from engine.story.model import SAMPLE, Brief, Character, Picture, Place, Scene, State, Story, given
from pipelines.base import Kind
from pipelines.models.catalog import Catalog
from pipelines.moods import classify_mood
from pipelines.step_params import (
    AnimateParams,
    BridgeParams,
    ComposeParams,
    ConformParams,
    ElementParams,
    EnhanceParams,
    KeyframeParams,
    MixParams,
    Named,
    NarrateParams,
    PortraitParams,
    ReadParams,
    Reference,
    SceneTime,
    ScheduleParams,
    ScoreParams,
    SubtitleParams,
    WriteParams,
)

Upto = Literal["portraits", "keyframes", "clips", "film"]
PORTRAIT_SIZE = (768, 1024)
OBJECT_SIZE = (768, 768)
ENDING = 1.0
"""Seconds that the last scene stays after its last word, and the music with it: half a second around speech is too short an end."""
CLONED = "narration.cloned"
"""The alias of models that speak with the voice of a given recording."""


def with_checks(ids: Iterable[str], plan: Plan) -> tuple[str, ...]:
    """These steps, all that they need, and the steps that look at the words and at what those make."""
    closure = plan.closure(ids)
    looks = (TEXT_CHECK, IDEA_CHECK, *(inspection_id(step.id) for step in closure))
    return (*closure.by_id, *(step for step in looks if step in plan and step not in closure))


# --- planning ---------------------------------------------------------------------------------------------------------


def check_of(told: Brief | Story, catalog: Catalog) -> Planned:
    """The check of the words alone. Models that the story names must be there, whatever they are for."""
    draft = Draft(told, catalog)
    for kind in told.choices.models:
        draft.model(kind)
    draft.check()
    return draft.done()


def plan_brief(brief: Brief, catalog: Catalog) -> Planned:
    """Everything up to the storyboard."""
    draft = Draft(brief, catalog)
    draft.check()
    draft.intake((place, picture) for place, picture in given(brief).items() if place not in ("page", SAMPLE))
    inputs: dict[str, tuple[Source, ...]] = {}
    if brief.page:
        draft.add("read", Kind.READ, ReadParams(url=brief.page.source), {"page": (given_source(brief.page),)})
        inputs["page"] = (Ref("read", "page.json"),)
    if brief.pictures:
        inputs["pictures"] = tuple(
            Ref(intake_id(f"image_urls[{n}]"), "picture.png") for n in range(len(brief.pictures))
        )
    params = WriteParams(
        idea=brief.idea,
        language=brief.language,
        scene_count=len(brief.pictures) or brief.scene_count,
        title=brief.title,
        narrated=brief.audio.narration,
        characters=tuple(Named(name=one.name, description=one.appearance) for one in brief.characters),
        locations=_named(brief.locations),
        objects=_named(brief.objects),
    )
    draft.add("write", Kind.WRITE, params, inputs, language=brief.language)
    return draft.done()


def plan_story(story: Story, catalog: Catalog, upto: Upto = "film") -> Planned:
    """Everything from the portraits up to `upto`."""
    draft = Draft(story, catalog)
    draft.check()
    _plan_portraits(draft, story)
    if upto == "portraits":
        return draft.done()
    for number in range(len(story.scenes)):
        _plan_keyframe(draft, story, number)
    if upto == "keyframes":
        return draft.done()
    _plan_clips(draft, story)
    if upto == "clips":
        return draft.done()
    _plan_film(draft, story)
    return draft.done()


def _plan_portraits(draft: Draft, story: Story) -> None:
    draft.intake(
        (place, picture)
        for place, picture in given(story).items()
        if not place.startswith(("scenes[", "audio_urls[", SAMPLE))
    )
    for number, scene in enumerate(story.scenes):
        if scene.picture:
            width, height = _size(story, scene)
            draft.intake([(f"scenes[{number}].picture", scene.picture)], width=width, height=height)
    used = {(presence.name, presence.state) for scene in story.scenes for presence in scene.characters}
    for number, character in enumerate(story.characters):
        for state in (None, *(state for state in character.states if (character.name, state.name) in used)):
            _plan_portrait(draft, story, number, character, state)
    for number, place_ in enumerate(story.locations):
        _plan_element(draft, story, place_, "location", f"locations[{number}]", (story.video.width, story.video.height))
    for number, place_ in enumerate(story.objects):
        _plan_element(draft, story, place_, "object", f"objects[{number}]", OBJECT_SIZE)


def _plan_portrait(draft: Draft, story: Story, number: int, character: Character, state: State | None) -> None:
    name = state.name if state else None
    one: Character | State = state or character
    place = f"characters[{number}].states.{name}" if state else f"characters[{number}]"
    inputs = _reference(f"{place}.reference_url", one.reference)
    if state:
        base = portrait_source(story, character.name)
        inputs |= {"base": (base,), "base_figure": (Ref(portrait_id(character.name), "figure*"),)}
    tool = story.choices.image_tool
    params = PortraitParams(
        prompt=prompts.portrait_words(
            story,
            character,
            name,
            given=one.reference is not None,
            limit=draft.model(Kind.PORTRAIT, tool).max_references,
        ),
        width=PORTRAIT_SIZE[0],
        height=PORTRAIT_SIZE[1],
        style=story.style,
        setting=story.setting,
        name=character.name,
        appearance=character.appearance,
        state=name,
        state_appearance=state.appearance if state else "",
    )
    step_id = portrait_id(character.name, name)
    draft.add(step_id, Kind.PORTRAIT, params, inputs, name=tool)
    draft.inspect(step_id, "portrait.png", f"{place}.appearance")
    draft.enhance(step_id, "portrait.png")


def _plan_element(
    draft: Draft, story: Story, place: Place, role: Literal["location", "object"], at: str, size: tuple[int, int]
) -> None:
    draft.add(
        element_id(role, place.name),
        Kind.ELEMENT,
        ElementParams(
            prompt=prompts.element_words(
                story,
                place,
                given=place.reference is not None,
                limit=draft.model(Kind.ELEMENT, story.choices.image_tool).max_references,
            ),
            width=size[0],
            height=size[1],
            style=story.style,
            setting=story.setting,
            role=role,
            name=place.name,
            description=place.description,
        ),
        _reference(f"{at}.reference_url", place.reference),
        name=story.choices.image_tool,
    )
    draft.inspect(element_id(role, place.name), "element.png", f"{at}.description")
    draft.enhance(element_id(role, place.name), "element.png")


def _plan_keyframe(draft: Draft, story: Story, number: int) -> None:
    scene = story.scenes[number]
    if scene.picture or scene.clip:
        return
    model = draft.model(Kind.KEYFRAME, story.choices.image_tool)
    pictures = prompts.shown(story, number, model.max_references, multiturn=model.multiturn)
    inputs: dict[str, tuple[Source, ...]] = {
        "references": tuple(_shown_source(story, picture) for picture in pictures),
        "figures": _figures(scene),
    }
    drawn = [turn for turn in prompts.earlier(story, number) if not story.scenes[turn].picture]
    if model.multiturn and drawn:
        inputs["before"] = (Ref(scene_id(Kind.KEYFRAME, drawn[0]), "context.json"),)
    width, height = _size(story, scene)
    location = story.location(scene.location) if scene.location is not None else None
    draft.add(
        scene_id(Kind.KEYFRAME, number),
        Kind.KEYFRAME,
        KeyframeParams(
            prompt=prompts.scene_words(story, number, pictures, model.max_references),
            width=width,
            height=height,
            style=story.style,
            setting=story.setting,
            scene=scene.prompt,
            number=number + 1,
            references=tuple(
                Reference(role=one.role, name=one.name, state=one.state, description=one.description)
                for one in pictures
            ),
            slots=model.max_references if len(pictures) > (model.max_references or len(pictures)) else None,
            on_stage=prompts.on_stage(story, scene),
            location=location.name if location else "",
            location_description=location.description if location else "",
            objects=_named(story.thing(name) for name in scene.objects),
        ),
        inputs,
        name=story.choices.image_tool,
    )
    draft.inspect(scene_id(Kind.KEYFRAME, number), "keyframe.png", f"scenes[{number}].prompt")
    if story.enhance:
        picture = Ref(scene_id(Kind.KEYFRAME, number), "keyframe.png")
        draft.add(scene_id(Kind.ENHANCE, number), Kind.ENHANCE, EnhanceParams(), {"picture": (picture,)})


def _plan_clips(draft: Draft, story: Story) -> None:
    sample = story.audio.sample if any(is_narrated(story, scene) for scene in story.scenes) else None
    cloned = CLONED if sample else None
    if cloned and not (model := draft.model(Kind.NARRATE, cloned, story.language)).clones:
        raise PlanningError(
            f'{SAMPLE}: "{model.name}" cannot speak with a given voice; leave models.{Kind.NARRATE} out'
        )
    for number, scene in enumerate(story.scenes):
        if is_narrated(story, scene):
            params = NarrateParams(text=scene.narration, language=story.language, narrator=story.audio.narrator)
            voice = {"sample": (given_source(sample),)} if sample else {}
            draft.add(scene_id(Kind.NARRATE, number), Kind.NARRATE, params, voice, name=cloned, language=story.language)
    video = story.video
    last = len(story.scenes) - 1
    times = tuple(
        SceneTime(
            seconds=(scene.seconds or video.seconds) * video.loop,
            narrated=is_narrated(story, scene),
            given=scene.clip is not None and not is_narrated(story, scene),
            transition=video.transition_seconds if video.transition and number < last else 0.0,
        )
        for number, scene in enumerate(story.scenes)
    )
    draft.add(
        "schedule",
        Kind.SCHEDULE,
        ScheduleParams(fps=video.fps, scenes=times, ending=ENDING),
        {
            "words": _narrated(story, "words.json"),
            "clips": tuple(
                given_source(scene.clip) for scene in story.scenes if scene.clip and not is_narrated(story, scene)
            ),
        },
    )
    tool = story.choices.video_tool
    if story.audio.native and not all(scene.clip for scene in story.scenes):
        tool = draft.sounding(tool)
    for number, scene in enumerate(story.scenes):
        if scene.clip:
            draft.inspect_given_clip(number, scene.clip)
            continue
        inputs: dict[str, tuple[Source, ...]] = {
            "keyframe": (keyframe_source(story, number),),
            "timing": (timing(number),),
        }
        if not scene.picture and not story.enhance:
            # Layers are the drawn picture taken apart; an enhanced picture exists only whole.
            inputs["layers"] = (Ref(scene_id(Kind.KEYFRAME, number), "layer*"),)
        if draft.model(Kind.ANIMATE, tool).multiturn:
            inputs["references"] = tuple(
                portrait_source(story, presence.name, presence.state) for presence in scene.characters
            )
        draft.add(
            scene_id(Kind.ANIMATE, number),
            Kind.ANIMATE,
            AnimateParams(
                width=video.width,
                height=video.height,
                fps=video.fps,
                prompt=scene.prompt,
                camera=scene.camera,
                loop=video.loop,
                native_audio=story.audio.native,
            ),
            inputs,
            name=tool,
        )
        if draft.steps[-1].spec.weights:  # it invents what comes after the keyframe, which was looked at
            draft.inspect_made_clip(number, f"scenes[{number}].prompt")


def _plan_film(draft: Draft, story: Story) -> None:
    video = story.video
    frame = {"width": video.width, "height": video.height, "fps": video.fps}
    timeline = (Ref("schedule", "timeline.json"),)
    words = _narrated(story, "words.json")
    burned = bool(words) and video.subtitles == "burned"
    if words:
        params = SubtitleParams(language=story.language, width=video.width, height=video.height)
        draft.add("subtitle", Kind.SUBTITLE, params, {"words": words, "timeline": timeline})
    parts: list[Source] = []
    for number in range(len(story.scenes)):
        clip = clip_source(story, number)
        inputs: dict[str, tuple[Source, ...]] = {"clip": (clip,), "timing": (timing(number),)}
        if burned:
            inputs["subtitles"] = (burned_subtitles(number),)
        whole = story.scenes[number].clip is not None
        draft.add(scene_id(Kind.CONFORM, number), Kind.CONFORM, ConformParams(**frame, whole=whole), inputs)
        parts.append(Ref(scene_id(Kind.CONFORM, number), "body.mp4"))
        if video.transition and number + 1 < len(story.scenes):
            inputs = {
                "clips": (clip, clip_source(story, number + 1)),
                "timings": (timing(number), timing(number + 1)),
            }
            if burned:
                inputs["subtitles"] = (burned_subtitles(number), burned_subtitles(number + 1))
            bridge = BridgeParams(**frame, transition=video.transition)
            name = "bridge.match" if video.transition == "match" else None
            draft.add(scene_id(Kind.BRIDGE, number), Kind.BRIDGE, bridge, inputs, name=name)
            parts.append(Ref(scene_id(Kind.BRIDGE, number), "bridge.mp4"))
    inputs = {"parts": tuple(parts), "timeline": timeline}
    if sound := _plan_sound(draft, story):
        inputs["sound"] = (sound,)
    if words and video.subtitles == "soft":
        inputs["subtitles"] = (Ref("subtitle", "subtitles.srt"),)
    draft.add(
        "compose",
        Kind.COMPOSE,
        ComposeParams(
            **frame, title=story.title, language=story.language, comment=f"story-engine, profile {draft.profile}"
        ),
        inputs,
    )


def _plan_sound(draft: Draft, story: Story) -> Ref | None:
    timeline = (Ref("schedule", "timeline.json"),)
    inputs: dict[str, tuple[Source, ...]] = {
        "timeline": timeline,
        "narrations": _narrated(story, "narration.wav"),
        "audio": tuple(given_source(sound) for sound in story.sounds),
    }
    sounding = [
        number
        for number, scene in enumerate(story.scenes)
        if (scene.clip and not is_narrated(story, scene)) or (story.audio.native and not scene.clip)
    ]
    if story.audio.music:
        about = " ".join(part for part in (story.title, story.description, story.prompt, story.setting) if part)
        mood = story.audio.mood or classify_mood(
            "", " ".join((about, *(f"{s.prompt} {s.narration}" for s in story.scenes)))
        )
        draft.add("score", Kind.SCORE, ScoreParams(mood=mood, prompt=about), {"timeline": timeline})
        inputs["music"] = (Ref("score", "music.wav"),)
    inputs["clips"] = tuple(clip_source(story, number) for number in sounding)
    if not (inputs["narrations"] or inputs["audio"] or story.audio.music or sounding):
        return None
    draft.add("mix", Kind.MIX, MixParams(native=tuple(number + 1 for number in sounding)), inputs)
    return Ref("mix", "sound.m4a")


# --- small pieces -----------------------------------------------------------------------------------------------------


def _narrated(story: Story, name: str) -> tuple[Source, ...]:
    return tuple(
        Ref(scene_id(Kind.NARRATE, number), name)
        for number, scene in enumerate(story.scenes)
        if is_narrated(story, scene)
    )


def _size(story: Story, scene: Scene) -> tuple[int, int]:
    return scene.width or story.video.width, scene.height or story.video.height


def _named(places: Iterable[Place]) -> tuple[Named, ...]:
    return tuple(Named(name=place.name, description=place.description) for place in places)


def _reference(place: str, picture: Picture | None) -> dict[str, tuple[Source, ...]]:
    return {"reference": (Ref(intake_id(place), "picture.png"),)} if picture else {}


def _shown_source(story: Story, picture: prompts.Shown) -> Source:
    match picture.role:
        case "character":
            return portrait_source(story, picture.name, picture.state)
        case "shared":
            number = int(picture.name.removeprefix("reference ")) - 1
            return Ref(intake_id(f"reference_images[{number}].url"), "picture.png")
        case "turn":
            assert picture.turn is not None
            return keyframe_source(story, picture.turn)
        case _:
            return element_source(story, picture.role, picture.name)


def _figures(scene: Scene) -> tuple[Source, ...]:
    people = [Ref(portrait_id(presence.name, presence.state), "figure*") for presence in scene.characters]
    places = [Ref(element_id("location", scene.location), "figure*")] if scene.location is not None else []
    things = [Ref(element_id("object", name), "figure*") for name in scene.objects]
    return (*people, *places, *things)
