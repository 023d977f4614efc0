"""The planner: a Story or a Brief → a Plan.

Pure: the same story and catalog give the same plan. Portraits, scene pictures and films differ only in the stage at
which planning ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from engine.planning import prompts
from engine.planning.builder import PlanBuilder
from engine.planning.plan import OutputRef, Plan, PlanningError, PlanningErrorCode, PlanResult, StepInput
from engine.planning.step_ids import (
    COMPOSE_ID,
    IDEA_CHECK_ID,
    MIX_ID,
    READ_ID,
    SCHEDULE_ID,
    SCORE_ID,
    SUBTITLE_ID,
    TEXT_CHECK_ID,
    WRITE_ID,
    burned_subtitles_source,
    clip_source,
    element_id,
    element_source,
    image_check_id,
    is_narrated,
    keyframe_source,
    portrait_id,
    portrait_source,
    sanitize_id,
    scene_id,
    stored_input,
    timing_source,
)
from engine.story.field_path import FieldPath
from engine.story.model import (
    NARRATOR_SAMPLE_FIELD,
    Brief,
    Character,
    Element,
    InputFile,
    Scene,
    State,
    Story,
    input_files,
)
from pipelines.base import Kind
from pipelines.models.catalog import Catalog
from pipelines.moods import classify_mood
from pipelines.step_params import (
    AnimateParams,
    ComposeParams,
    ConformParams,
    ElementParams,
    EnhanceParams,
    KeyframeParams,
    MixParams,
    NamedElement,
    NarrateParams,
    OutputName,
    PortraitParams,
    ReadParams,
    Reference,
    SceneDuration,
    ScheduleParams,
    ScoreParams,
    SubtitleParams,
    TransitionParams,
    WriteParams,
)

PlanStage = Literal["portraits", "keyframes", "clips", "film"]
PORTRAIT_SIZE = (768, 1024)
OBJECT_SIZE = (768, 768)
ENDING_SECONDS = 1.0
"""Seconds of the last scene, and of its music, after the last word. The half second around other speech is too short
for an ending."""
VOICE_CLONING_ALIAS = "narration.cloned"
"""The alias of models that speak with the voice of a recording."""


def with_check_steps(ids: Iterable[str], plan: Plan) -> tuple[str, ...]:
    """Return these steps, their dependencies, and the steps that check the texts and the pictures of them."""
    closure = plan.closure(ids)
    check_steps = (TEXT_CHECK_ID, IDEA_CHECK_ID, *(image_check_id(step.id) for step in closure))
    return (*closure.by_id, *(step for step in check_steps if step in plan and step not in closure))


# --- planning ---------------------------------------------------------------------------------------------------------


def plan_text_check(story: Brief | Story, catalog: Catalog) -> PlanResult:
    """Return the plan of the text check alone. Raises PlanningError or MissingDependency for any model that the
    story names."""
    builder = PlanBuilder(story, catalog)
    for kind in story.choices.models:
        builder.resolve_model(kind)
    builder.add_text_check()
    return builder.build()


def plan_brief(brief: Brief, catalog: Catalog) -> PlanResult:
    """Return the plan from the request to the storyboard."""
    builder = PlanBuilder(brief, catalog)
    builder.add_text_check()
    builder.add_sanitize_steps(
        (place, picture)
        for place, picture in input_files(brief).items()
        if place.root != "page" and place != NARRATOR_SAMPLE_FIELD
    )
    inputs: dict[str, tuple[StepInput, ...]] = {}
    if brief.page:
        builder.add_step(READ_ID, Kind.READ, ReadParams(url=brief.page.source), {"page": (stored_input(brief.page),)})
        inputs["page"] = (OutputRef(READ_ID, OutputName.PAGE),)
    if brief.pictures:
        inputs["images"] = tuple(
            OutputRef(sanitize_id(FieldPath("image_urls", n)), OutputName.IMAGE) for n in range(len(brief.pictures))
        )
    params = WriteParams(
        idea=brief.idea,
        language=brief.language,
        scene_count=len(brief.pictures) or brief.scene_count,
        title=brief.title,
        narrated=brief.audio.narration,
        characters=tuple(NamedElement(name=one.name, description=one.appearance) for one in brief.characters),
        locations=_named_elements(brief.locations),
        objects=_named_elements(brief.objects),
    )
    builder.add_step(WRITE_ID, Kind.WRITE, params, inputs, language=brief.language)
    return builder.build()


def plan_story(story: Story, catalog: Catalog, until: PlanStage = "film") -> PlanResult:
    """Return the plan from the portraits to the stage `until`."""
    builder = PlanBuilder(story, catalog)
    builder.add_text_check()
    _plan_portraits(builder, story)
    if until == "portraits":
        return builder.build()
    for number in range(len(story.scenes)):
        _plan_keyframe(builder, story, number)
    if until == "keyframes":
        return builder.build()
    _plan_clips(builder, story)
    if until == "clips":
        return builder.build()
    _plan_film(builder, story)
    return builder.build()


def _plan_portraits(builder: PlanBuilder, story: Story) -> None:
    builder.add_sanitize_steps(
        (place, picture)
        for place, picture in input_files(story).items()
        if place.root not in ("scenes", "audio_urls") and place != NARRATOR_SAMPLE_FIELD
    )
    for number, scene in enumerate(story.scenes):
        if scene.picture:
            width, height = _image_size(story, scene)
            builder.add_sanitize_steps(
                [(FieldPath("scenes", number, "picture"), scene.picture)], width=width, height=height
            )
    used = {(presence.name, presence.state) for scene in story.scenes for presence in scene.characters}
    for number, character in enumerate(story.characters):
        for state in (None, *(state for state in character.states if (character.name, state.name) in used)):
            _plan_portrait(builder, story, number, character, state)
    for number, element in enumerate(story.locations):
        _plan_element(
            builder, story, element, "location", FieldPath("locations", number), (story.video.width, story.video.height)
        )
    for number, element in enumerate(story.objects):
        _plan_element(builder, story, element, "object", FieldPath("objects", number), OBJECT_SIZE)


def _plan_portrait(builder: PlanBuilder, story: Story, number: int, character: Character, state: State | None) -> None:
    name = state.name if state else None
    subject: Character | State = state or character
    field_path = FieldPath("characters", number, *(("states", state.name) if state else ()))
    inputs = _reference_input(field_path.child("reference_url"), subject.reference)
    if state:
        base = portrait_source(story, character.name)
        inputs |= {"base": (base,), "base_figure": (OutputRef(portrait_id(character.name), OutputName.FIGURE),)}
    tool = story.choices.image_tool
    params = PortraitParams(
        prompt=prompts.portrait_prompt(
            story,
            character,
            name,
            has_input_image=subject.reference is not None,
            limit=builder.resolve_model(Kind.PORTRAIT, tool).max_references,
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
    builder.add_step(step_id, Kind.PORTRAIT, params, inputs, tool_or_alias=tool)
    builder.add_image_check(step_id, OutputName.PORTRAIT, field_path.child("appearance"))
    builder.add_enhance_step(step_id, OutputName.PORTRAIT)


def _plan_element(
    builder: PlanBuilder,
    story: Story,
    element: Element,
    role: Literal["location", "object"],
    field_path: FieldPath,
    size: tuple[int, int],
) -> None:
    builder.add_step(
        element_id(role, element.name),
        Kind.ELEMENT,
        ElementParams(
            prompt=prompts.element_prompt(
                story,
                element,
                has_input_image=element.reference is not None,
                limit=builder.resolve_model(Kind.ELEMENT, story.choices.image_tool).max_references,
            ),
            width=size[0],
            height=size[1],
            style=story.style,
            setting=story.setting,
            role=role,
            name=element.name,
            description=element.description,
        ),
        _reference_input(field_path.child("reference_url"), element.reference),
        tool_or_alias=story.choices.image_tool,
    )
    builder.add_image_check(element_id(role, element.name), OutputName.ELEMENT, field_path.child("description"))
    builder.add_enhance_step(element_id(role, element.name), OutputName.ELEMENT)


def _plan_keyframe(builder: PlanBuilder, story: Story, number: int) -> None:
    scene = story.scenes[number]
    if scene.picture or scene.clip:
        return
    model = builder.resolve_model(Kind.KEYFRAME, story.choices.image_tool)
    references = prompts.select_references(story, number, model.max_references, multiturn=model.multiturn)
    inputs: dict[str, tuple[StepInput, ...]] = {
        "references": tuple(_reference_source(story, picture) for picture in references),
        "figures": _figures(scene),
    }
    drawn = [turn for turn in prompts.context_scenes(story, number) if not story.scenes[turn].picture]
    if model.multiturn and drawn:
        inputs["previous_context"] = (OutputRef(scene_id(Kind.KEYFRAME, drawn[0]), OutputName.CONTEXT),)
    width, height = _image_size(story, scene)
    location = story.get_location(scene.location) if scene.location is not None else None
    builder.add_step(
        scene_id(Kind.KEYFRAME, number),
        Kind.KEYFRAME,
        KeyframeParams(
            prompt=prompts.scene_prompt(story, number, references, model.max_references),
            width=width,
            height=height,
            style=story.style,
            setting=story.setting,
            scene_text=scene.prompt,
            number=number + 1,
            references=tuple(
                Reference(role=one.role, name=one.name, state=one.state, description=one.description)
                for one in references
            ),
            max_references=model.max_references
            if len(references) > (model.max_references or len(references))
            else None,
            characters=prompts.characters_on_stage(story, scene),
            location=location.name if location else "",
            location_description=location.description if location else "",
            objects=_named_elements(story.get_object(name) for name in scene.objects),
        ),
        inputs,
        tool_or_alias=story.choices.image_tool,
    )
    builder.add_image_check(scene_id(Kind.KEYFRAME, number), OutputName.KEYFRAME, FieldPath("scenes", number, "prompt"))
    if story.enhance:
        picture = OutputRef(scene_id(Kind.KEYFRAME, number), OutputName.KEYFRAME)
        builder.add_step(scene_id(Kind.ENHANCE, number), Kind.ENHANCE, EnhanceParams(), {"image": (picture,)})


def _plan_clips(builder: PlanBuilder, story: Story) -> None:
    sample = story.audio.voice_sample if any(is_narrated(story, scene) for scene in story.scenes) else None
    voice_alias = VOICE_CLONING_ALIAS if sample else None
    if voice_alias and not (model := builder.resolve_model(Kind.NARRATE, voice_alias, story.language)).clones_voice:
        raise PlanningError(
            NARRATOR_SAMPLE_FIELD,
            f'"{model.name}" cannot speak with a given voice; leave models.{Kind.NARRATE} out',
            PlanningErrorCode.NO_SUITABLE_MODEL,
        )
    for number, scene in enumerate(story.scenes):
        if is_narrated(story, scene):
            params = NarrateParams(text=scene.narration, language=story.language, narrator=story.audio.narrator)
            voice = {"voice_sample": (stored_input(sample),)} if sample else {}
            builder.add_step(
                scene_id(Kind.NARRATE, number),
                Kind.NARRATE,
                params,
                voice,
                tool_or_alias=voice_alias,
                language=story.language,
            )
    video = story.video
    last = len(story.scenes) - 1
    times = tuple(
        SceneDuration(
            seconds=(scene.seconds or video.seconds) * video.loop,
            narrated=is_narrated(story, scene),
            has_clip=scene.clip is not None and not is_narrated(story, scene),
            transition=video.transition_seconds if video.transition and number < last else 0.0,
        )
        for number, scene in enumerate(story.scenes)
    )
    builder.add_step(
        SCHEDULE_ID,
        Kind.SCHEDULE,
        ScheduleParams(fps=video.fps, scenes=times, end_padding=ENDING_SECONDS),
        {
            "word_timings": _narration_outputs(story, OutputName.WORD_TIMINGS),
            "clips": tuple(
                stored_input(scene.clip) for scene in story.scenes if scene.clip and not is_narrated(story, scene)
            ),
        },
    )
    tool = story.choices.video_tool
    if story.audio.native and not all(scene.clip for scene in story.scenes):
        tool = builder.pick_model_with_audio(tool)
    for number, scene in enumerate(story.scenes):
        if scene.clip:
            builder.add_input_clip_check(number, scene.clip)
            continue
        inputs: dict[str, tuple[StepInput, ...]] = {
            "keyframe": (keyframe_source(story, number),),
            "timing": (timing_source(number),),
        }
        if not scene.picture and not story.enhance:
            # Layers belong to the generated picture; an enhanced picture has none.
            inputs["layers"] = (OutputRef(scene_id(Kind.KEYFRAME, number), OutputName.LAYERS),)
        if builder.resolve_model(Kind.ANIMATE, tool).multiturn:
            inputs["references"] = tuple(
                portrait_source(story, presence.name, presence.state) for presence in scene.characters
            )
        builder.add_step(
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
            tool_or_alias=tool,
        )
        if builder.steps[-1].spec.weights:  # it generates frames that the check of the keyframe does not cover
            builder.add_generated_clip_check(number, FieldPath("scenes", number, "prompt"))


def _plan_film(builder: PlanBuilder, story: Story) -> None:
    video = story.video
    frame = {"width": video.width, "height": video.height, "fps": video.fps}
    timeline = (OutputRef(SCHEDULE_ID, OutputName.TIMELINE),)
    words = _narration_outputs(story, OutputName.WORD_TIMINGS)
    burned = bool(words) and video.subtitles == "burned"
    if words:
        params = SubtitleParams(language=story.language, width=video.width, height=video.height)
        builder.add_step(SUBTITLE_ID, Kind.SUBTITLE, params, {"word_timings": words, "timeline": timeline})
    parts: list[StepInput] = []
    for number in range(len(story.scenes)):
        clip = clip_source(story, number)
        inputs: dict[str, tuple[StepInput, ...]] = {"clip": (clip,), "timing": (timing_source(number),)}
        if burned:
            inputs["subtitles"] = (burned_subtitles_source(number),)
        whole = story.scenes[number].clip is not None
        builder.add_step(scene_id(Kind.CONFORM, number), Kind.CONFORM, ConformParams(**frame, letterbox=whole), inputs)
        parts.append(OutputRef(scene_id(Kind.CONFORM, number), OutputName.SEGMENT))
        if video.transition and number + 1 < len(story.scenes):
            inputs = {
                "clips": (clip, clip_source(story, number + 1)),
                "timings": (timing_source(number), timing_source(number + 1)),
            }
            if burned:
                inputs["subtitles"] = (burned_subtitles_source(number), burned_subtitles_source(number + 1))
            transition_params = TransitionParams(**frame, transition=video.transition)
            name = "transition.match" if video.transition == "match" else None
            builder.add_step(
                scene_id(Kind.TRANSITION, number), Kind.TRANSITION, transition_params, inputs, tool_or_alias=name
            )
            parts.append(OutputRef(scene_id(Kind.TRANSITION, number), OutputName.TRANSITION))
    inputs = {"segments": tuple(parts), "timeline": timeline}
    if sound := _plan_audio_mix(builder, story):
        inputs["sound"] = (sound,)
    if words and video.subtitles == "soft":
        inputs["subtitles"] = (OutputRef(SUBTITLE_ID, OutputName.SUBTITLES_SRT),)
    builder.add_step(
        COMPOSE_ID,
        Kind.COMPOSE,
        ComposeParams(
            **frame, title=story.title, language=story.language, comment=f"story-engine, profile {builder.profile}"
        ),
        inputs,
    )


def _plan_audio_mix(builder: PlanBuilder, story: Story) -> OutputRef | None:
    timeline = (OutputRef(SCHEDULE_ID, OutputName.TIMELINE),)
    inputs: dict[str, tuple[StepInput, ...]] = {
        "timeline": timeline,
        "narrations": _narration_outputs(story, OutputName.NARRATION),
        "audio": tuple(stored_input(sound) for sound in story.audio_tracks),
    }
    scenes_with_audio = [
        number
        for number, scene in enumerate(story.scenes)
        if (scene.clip and not is_narrated(story, scene)) or (story.audio.native and not scene.clip)
    ]
    if story.audio.music:
        about = " ".join(part for part in (story.title, story.description, story.prompt, story.setting) if part)
        mood = story.audio.mood or classify_mood(
            "", " ".join((about, *(f"{s.prompt} {s.narration}" for s in story.scenes)))
        )
        builder.add_step(SCORE_ID, Kind.SCORE, ScoreParams(mood=mood, prompt=about), {"timeline": timeline})
        inputs["music"] = (OutputRef(SCORE_ID, OutputName.MUSIC),)
    inputs["clips"] = tuple(clip_source(story, number) for number in scenes_with_audio)
    if not (inputs["narrations"] or inputs["audio"] or story.audio.music or scenes_with_audio):
        return None
    builder.add_step(
        MIX_ID, Kind.MIX, MixParams(native_audio_scenes=tuple(number + 1 for number in scenes_with_audio)), inputs
    )
    return OutputRef(MIX_ID, OutputName.SOUND_AAC)


# --- small pieces -----------------------------------------------------------------------------------------------------


def _narration_outputs(story: Story, name: str) -> tuple[StepInput, ...]:
    return tuple(
        OutputRef(scene_id(Kind.NARRATE, number), name)
        for number, scene in enumerate(story.scenes)
        if is_narrated(story, scene)
    )


def _image_size(story: Story, scene: Scene) -> tuple[int, int]:
    return scene.width or story.video.width, scene.height or story.video.height


def _named_elements(elements: Iterable[Element]) -> tuple[NamedElement, ...]:
    return tuple(NamedElement(name=element.name, description=element.description) for element in elements)


def _reference_input(field_path: FieldPath, picture: InputFile | None) -> dict[str, tuple[StepInput, ...]]:
    return {"reference": (OutputRef(sanitize_id(field_path), OutputName.IMAGE),)} if picture else {}


def _reference_source(story: Story, picture: prompts.ReferenceImage) -> StepInput:
    match picture.role:
        case "character":
            return portrait_source(story, picture.name, picture.state)
        case "shared":
            assert picture.number is not None
            return OutputRef(sanitize_id(FieldPath("reference_images", picture.number, "url")), OutputName.IMAGE)
        case "turn":
            assert picture.number is not None
            return keyframe_source(story, picture.number)
        case _:
            return element_source(story, picture.role, picture.name)


def _figures(scene: Scene) -> tuple[StepInput, ...]:
    people = [OutputRef(portrait_id(presence.name, presence.state), OutputName.FIGURE) for presence in scene.characters]
    places = (
        [OutputRef(element_id("location", scene.location), OutputName.FIGURE)] if scene.location is not None else []
    )
    things = [OutputRef(element_id("object", name), OutputName.FIGURE) for name in scene.objects]
    return (*people, *places, *things)
