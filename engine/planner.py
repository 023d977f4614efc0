"""Story → Plan. Pure: the same story and catalog give the same plan. How far it goes is an argument, nothing else differs
between a portrait, a scene picture and a film."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from engine import context
from engine.mood import mood_of
from engine.plan import Given, Plan, Ref, Source, Step
from engine.story import SAMPLE, Brief, Picture, Place, Scene, Story, Told, given, texts
from pipelines.base import Kind, Missing, ModelSpec, Params
from pipelines.catalog import Catalog, CatalogError
from pipelines.kinds import (
    AnimateParams,
    BridgeParams,
    CheckParams,
    ComposeParams,
    ConformParams,
    ElementParams,
    EncodeParams,
    EnhanceParams,
    GlimpseParams,
    InspectParams,
    IntakeParams,
    KeyframeParams,
    MixParams,
    Named,
    NarrateParams,
    PictureParams,
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
IDEA_CHECK, TEXT_CHECK = "check:idea", "check:texts"
"""The steps that look whether the words of a brief, and of a story, may be told."""
CLONED = "narration.cloned"
"""The alias of models that speak with the voice of a given recording."""


class PlanningError(ValueError):
    """The story asks for something that no installed model can do."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and what the client should know of how it came about."""

    plan: Plan
    profile: str
    warnings: tuple[str, ...] = ()


# --- names of steps ---------------------------------------------------------------------------------------------------


def portrait_id(name: str, state: str | None = None) -> str:
    """The step of a character's portrait; `state` None: the base look."""
    return f"portrait:{_quoted(name)}" + (f"@{_quoted(state)}" if state is not None else "")


def element_id(role: str, name: str) -> str:
    """The step of the reference picture of a `location` or an `object`."""
    return f"{role}:{_quoted(name)}"


def intake_id(place: str) -> str:
    """The step that makes a given picture safe; `place` is the field that named it."""
    return f"intake:{place}"


def inspection_id(step_id: str) -> str:
    """The step that looks whether the picture of step `step_id` may be shown."""
    return f"{Kind.INSPECT}:{step_id}"


def scene_id(kind: Kind, number: int) -> str:
    """The step of one kind for scene `number`, counted from 0; people see it counted from 1."""
    return f"{kind}:{number + 1}"


def _quoted(name: str) -> str:
    """A name that may hold anything, without the signs that structure step ids."""
    return name.replace("%", "%25").replace("@", "%40").replace(":", "%3A").replace("/", "%2F")


def enhanced_id(step_id: str) -> str:
    """The step that gives the picture of step `step_id` more detail."""
    return f"{Kind.ENHANCE}:{step_id}"


def portrait_source(told: Told, name: str, state: str | None = None) -> Ref:
    """Where a character's portrait comes from: drawn, or drawn and enhanced."""
    return _drawn(told, portrait_id(name, state), "portrait.png")


def element_source(told: Told, role: str, name: str) -> Ref:
    """Where the reference picture of a `location` or an `object` comes from: drawn, or drawn and enhanced."""
    return _drawn(told, element_id(role, name), "element.png")


def _drawn(told: Told, step_id: str, name: str) -> Ref:
    return Ref(enhanced_id(step_id), "picture.png") if told.enhance_elements else Ref(step_id, name)


def keyframe_source(story: Story, number: int) -> Ref:
    """Where the picture of scene `number` (from 0) comes from: the client's own, else drawn, else drawn and enhanced."""
    if story.scenes[number].picture:
        return Ref(intake_id(f"scenes[{number}].picture"), "picture.png")
    if story.enhance:
        return Ref(scene_id(Kind.ENHANCE, number), "picture.png")
    return Ref(scene_id(Kind.KEYFRAME, number), "keyframe.png")


def clip_source(story: Story, number: int) -> Source:
    """Where the moving form of scene `number` (from 0) comes from: the client's own, else made."""
    clip = story.scenes[number].clip
    return _given(clip) if clip else Ref(scene_id(Kind.ANIMATE, number), "clip.mp4")


def is_narrated(story: Story, scene: Scene) -> bool:
    """Whether somebody speaks in the scene."""
    return story.audio.narration and bool(scene.narration.strip())


def with_checks(ids: Iterable[str], plan: Plan) -> tuple[str, ...]:
    """These steps, all that they need, and the steps that look at the words and at what those make."""
    closure = plan.closure(ids)
    looks = (TEXT_CHECK, IDEA_CHECK, *(inspection_id(step.id) for step in closure))
    return (*closure.by_id, *(step for step in looks if step in plan and step not in closure))


# --- planning ---------------------------------------------------------------------------------------------------------


def check_of(told: Brief | Story, catalog: Catalog) -> Planned:
    """The check of the words alone. Models that the story names must be there, whatever they are for."""
    draft = _Draft(told, catalog)
    for kind in told.choices.models:
        draft.model(kind)
    draft.check()
    return draft.done()


def plan_brief(brief: Brief, catalog: Catalog) -> Planned:
    """Everything up to the storyboard."""
    draft = _Draft(brief, catalog)
    draft.check()
    draft.intake((place, picture) for place, picture in given(brief).items() if place not in ("page", SAMPLE))
    inputs: dict[str, tuple[Source, ...]] = {}
    if brief.page:
        draft.add("read", Kind.READ, ReadParams(url=brief.page.source), {"page": (_given(brief.page),)})
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
    draft = _Draft(story, catalog)
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


def _plan_portraits(draft: _Draft, story: Story) -> None:
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
        states = [state for state in character.states if (character.name, state.name) in used]
        for state in (None, *states):
            name = state.name if state else None
            picture = state.reference if state else character.reference
            place = (
                f"characters[{number}].states.{name}.reference_url" if state else f"characters[{number}].reference_url"
            )
            inputs = _reference(place, picture)
            if state:
                base = portrait_id(character.name)
                source = portrait_source(story, character.name)
                inputs |= {"base": (source,), "base_figure": (Ref(base, "figure*"),)}
            draft.add(
                portrait_id(character.name, name),
                Kind.PORTRAIT,
                PortraitParams(
                    prompt=context.portrait_words(
                        story,
                        character,
                        name,
                        given=picture is not None,
                        limit=draft.model(Kind.PORTRAIT, story.choices.image_tool).max_references,
                    ),
                    width=PORTRAIT_SIZE[0],
                    height=PORTRAIT_SIZE[1],
                    style=story.style,
                    setting=story.setting,
                    name=character.name,
                    appearance=character.appearance,
                    state=name,
                    state_appearance=state.appearance if state else "",
                ),
                inputs,
                name=story.choices.image_tool,
            )
            draft.inspect(
                portrait_id(character.name, name),
                "portrait.png",
                f"characters[{number}].states.{name}.appearance" if state else f"characters[{number}].appearance",
            )
            draft.enhance(portrait_id(character.name, name), "portrait.png")
    for number, place_ in enumerate(story.locations):
        _plan_element(draft, story, place_, "location", f"locations[{number}]", (story.video.width, story.video.height))
    for number, place_ in enumerate(story.objects):
        _plan_element(draft, story, place_, "object", f"objects[{number}]", OBJECT_SIZE)


def _plan_element(
    draft: _Draft, story: Story, place: Place, role: Literal["location", "object"], at: str, size: tuple[int, int]
) -> None:
    draft.add(
        element_id(role, place.name),
        Kind.ELEMENT,
        ElementParams(
            prompt=context.element_words(
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


def _plan_keyframe(draft: _Draft, story: Story, number: int) -> None:
    scene = story.scenes[number]
    if scene.picture or scene.clip:
        return
    model = draft.model(Kind.KEYFRAME, story.choices.image_tool)
    pictures = context.shown(story, number, model.max_references, multiturn=model.multiturn)
    inputs: dict[str, tuple[Source, ...]] = {
        "references": tuple(_shown_source(story, picture) for picture in pictures),
        "figures": _figures(scene),
    }
    drawn = [turn for turn in context.earlier(story, number) if not story.scenes[turn].picture]
    if model.multiturn and drawn:
        inputs["before"] = (Ref(scene_id(Kind.KEYFRAME, drawn[0]), "context.json"),)
    width, height = _size(story, scene)
    location = story.location(scene.location) if scene.location is not None else None
    draft.add(
        scene_id(Kind.KEYFRAME, number),
        Kind.KEYFRAME,
        KeyframeParams(
            prompt=context.scene_words(story, number, pictures, model.max_references),
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
            on_stage=context.on_stage(story, scene),
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


def _plan_clips(draft: _Draft, story: Story) -> None:
    sample = story.audio.sample if any(is_narrated(story, scene) for scene in story.scenes) else None
    cloned = CLONED if sample else None
    if cloned and not (model := draft.model(Kind.NARRATE, cloned, story.language)).clones:
        raise PlanningError(
            f'{SAMPLE}: "{model.name}" cannot speak with a given voice; leave models.{Kind.NARRATE} out'
        )
    for number, scene in enumerate(story.scenes):
        if is_narrated(story, scene):
            params = NarrateParams(text=scene.narration, language=story.language, narrator=story.audio.narrator)
            voice = {"sample": (_given(sample),)} if sample else {}
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
        ScheduleParams(fps=video.fps, scenes=times),
        {
            "words": _narrated(story, "words.json"),
            "clips": tuple(
                _given(scene.clip) for scene in story.scenes if scene.clip and not is_narrated(story, scene)
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


def _plan_film(draft: _Draft, story: Story) -> None:
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
            inputs["subtitles"] = (_burned(number),)
        whole = story.scenes[number].clip is not None
        draft.add(scene_id(Kind.CONFORM, number), Kind.CONFORM, ConformParams(**frame, whole=whole), inputs)
        parts.append(Ref(scene_id(Kind.CONFORM, number), "body.mp4"))
        if video.transition and number + 1 < len(story.scenes):
            inputs = {
                "clips": (clip, clip_source(story, number + 1)),
                "timings": (timing(number), timing(number + 1)),
            }
            if burned:
                inputs["subtitles"] = (_burned(number), _burned(number + 1))
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


def _plan_sound(draft: _Draft, story: Story) -> Ref | None:
    timeline = (Ref("schedule", "timeline.json"),)
    inputs: dict[str, tuple[Source, ...]] = {
        "timeline": timeline,
        "narrations": _narrated(story, "narration.wav"),
        "audio": tuple(_given(sound) for sound in story.sounds),
    }
    sounding = [
        number
        for number, scene in enumerate(story.scenes)
        if (scene.clip and not is_narrated(story, scene)) or (story.audio.native and not scene.clip)
    ]
    if story.audio.music:
        about = " ".join(part for part in (story.title, story.description, story.prompt, story.setting) if part)
        mood = story.audio.mood or mood_of(" ".join((about, *(f"{s.prompt} {s.narration}" for s in story.scenes))))
        draft.add("score", Kind.SCORE, ScoreParams(mood=mood, prompt=about), {"timeline": timeline})
        inputs["music"] = (Ref("score", "music.wav"),)
    inputs["clips"] = tuple(clip_source(story, number) for number in sounding)
    if not (inputs["narrations"] or inputs["audio"] or story.audio.music or sounding):
        return None
    draft.add("mix", Kind.MIX, MixParams(native=tuple(number + 1 for number in sounding)), inputs)
    return Ref("mix", "sound.m4a")


# --- small pieces -----------------------------------------------------------------------------------------------------


def timing(number: int) -> Ref:
    """The frames of scene `number` (from 0)."""
    return Ref("schedule", f"scene-{number + 1:03d}.json")


def _burned(number: int) -> Ref:
    return Ref("subtitle", f"scene-{number + 1:03d}.ass")


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


def _given(picture: Picture) -> Given:
    # The client's file name says nothing about the bytes: it stays out of the key.
    return Given(picture.digest, "given")


def _reference(place: str, picture: Picture | None) -> dict[str, tuple[Source, ...]]:
    return {"reference": (Ref(intake_id(place), "picture.png"),)} if picture else {}


def _shown_source(story: Story, picture: context.Shown) -> Source:
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


@dataclass
class _Draft:
    """A plan in the making: resolves models, derives seeds, collects warnings."""

    told: Told
    catalog: Catalog

    def __post_init__(self) -> None:
        try:
            self.profile = self.catalog.profile(self.told.choices.profile)
        except CatalogError as error:
            raise PlanningError(f"profile: {error}") from error
        self.steps: list[Step] = []
        # Step of a picture, or digest of a given clip → step that looks at it; None: nobody can.
        self.inspected: dict[str, str] | None = {}
        self.warnings: dict[str, None] = {}
        if self.catalog.profiles[self.profile].device_mb > self.catalog.device_mb:
            self.warnings[f"profile {self.profile} {self.catalog.short_of(self.profile)}"] = None

    def model(self, kind: Kind, name: str | None = None, language: str | None = None) -> ModelSpec:
        """The model for a kind of step: named in `models`, else by tool or alias `name`, else the kind's default."""
        try:
            choice = self.catalog.choose(self._asked(kind, name), kind, profile=self.profile, language=language)
        except CatalogError as error:
            raise PlanningError(f"models.{kind}: {error}") from error
        for passed, reason in choice.passed_over:
            why = f"is {reason}" if reason.startswith("not ") else reason
            self.warnings[f"{kind}: {choice.spec.name} serves instead of {passed}, which {why}"] = None
        return choice.spec

    def _asked(self, kind: Kind, name: str | None) -> str:
        """The model or alias by which a kind of step is asked for."""
        tools = self.catalog.video_tools if kind is Kind.ANIMATE else self.catalog.image_tools
        return self.told.choices.models.get(kind) or (tools.get(name, name) if name else self.catalog.kinds[kind])

    def sounding(self, tool: str | None) -> str | None:
        """By which name clips are asked for that are to bring their own sound: the first model behind the tool that makes sound, where
        one is here; else the tool itself, and the client is told that its clips are silent."""
        chosen = self.model(Kind.ANIMATE, tool)
        if chosen.sounds:
            return tool
        able = [one for one in self.catalog.candidates(self._asked(Kind.ANIMATE, tool), self.profile) if one.sounds]
        here = [one.name for one in able if self.catalog.unfit(one, Kind.ANIMATE) is None]
        if here:
            return here[0]
        more = f"; `python -m engine models pull {able[0].name}` brings one that does" if able else ""
        self.warnings[f"native_audio: {chosen.name} makes no sound, its clips are silent{more}"] = None
        return tool

    def add(
        self,
        step_id: str,
        kind: Kind,
        params: Params,
        inputs: Mapping[str, tuple[Source, ...]] | None = None,
        *,
        name: str | None = None,
        language: str | None = None,
    ) -> None:
        take = self.told.takes.get(step_id, 0)
        words = f"{self.told.seed}/{step_id}" + (f"/{take}" if take else "")  # made anew means with other dice
        digest = hashlib.sha256(words.encode()).digest()
        spec = self.model(kind, name, language)
        inputs = {role: sources for role, sources in (inputs or {}).items() if sources}
        if spec.encodes and isinstance(params, PictureParams | AnimateParams):
            # No dice in it: whatever is made anew with the same words finds them encoded.
            encoding = Step(f"{Kind.ENCODE}:{step_id}", Kind.ENCODE, spec, EncodeParams(prompt=params.words()))
            self.steps.append(encoding)
            inputs["words"] = (Ref(encoding.id, "words.safetensors"),)
        self.steps.append(
            Step(
                id=step_id,
                kind=kind,
                spec=spec,
                params=params,
                inputs=inputs,
                seed=int.from_bytes(digest[:4], "big"),
                take=take,
            )
        )

    def intake(
        self, pictures: Iterable[tuple[str, Picture]], *, width: int | None = None, height: int | None = None
    ) -> None:
        params = IntakeParams(width=width, height=height)
        for place, picture in pictures:
            self.add(intake_id(place), Kind.INTAKE, params, {"picture": (_given(picture),)})
            self.inspect(intake_id(place), "picture.png", place)

    def check(self) -> None:
        params = CheckParams(texts=texts(self.told), strictness=self.told.strictness)
        self.add(IDEA_CHECK if isinstance(self.told, Brief) else TEXT_CHECK, Kind.CHECK, params)

    def inspect(self, step_id: str, name: str, place: str) -> None:
        """The picture `name` of a step is looked at, where a model for that is installed."""
        if self.inspected is None:
            return
        inspection = inspection_id(step_id)
        params = InspectParams(field=place, strictness=self.told.strictness)
        try:
            self.add(inspection, Kind.INSPECT, params, {"picture": (Ref(step_id, name),)})
        except Missing:
            self.inspected = None
            return
        self.inspected[step_id] = inspection

    def inspect_given_clip(self, number: int, clip: Picture) -> None:
        """A few frames of the given clip of scene `number` are looked at, before anything else is."""
        self._inspect_clip(number, _given(clip), scene_id(Kind.GLIMPSE, number), clip.digest, f"scenes[{number}].clip")

    def inspect_made_clip(self, number: int, place: str) -> None:
        """So are those of the clip that was made of scene `number`; `place` is what its client would change."""
        made = scene_id(Kind.ANIMATE, number)
        self._inspect_clip(number, Ref(made, "clip.mp4"), made, made, place)

    def _inspect_clip(self, number: int, clip: Source, looked_at: str, waits: str, place: str) -> None:
        """`waits`: the step, or the digest, whose readers wait until it was looked at."""
        if self.inspected is None:
            return
        try:
            self.model(Kind.INSPECT)
        except Missing:
            self.inspected = None
            return
        glimpse = scene_id(Kind.GLIMPSE, number)
        self.add(glimpse, Kind.GLIMPSE, GlimpseParams(), {"clip": (clip,)})
        params = InspectParams(field=place, strictness=self.told.strictness)
        self.add(inspection_id(looked_at), Kind.INSPECT, params, {"picture": (Ref(glimpse, "frame-*"),)})
        self.inspected[waits] = inspection_id(looked_at)

    def enhance(self, step_id: str, name: str) -> None:
        """The picture `name` of a portrait or element gets a pass for detail, where that is wished."""
        if self.told.enhance_elements:
            self.add(enhanced_id(step_id), Kind.ENHANCE, EnhanceParams(), {"picture": (Ref(step_id, name),)})

    def done(self) -> Planned:
        """What is refused goes no further: whatever reads a picture waits until it was looked at."""
        inspected = self.inspected or {}
        steps = []
        for step in self.steps:
            files = {one.digest for sources in step.inputs.values() for one in sources if isinstance(one, Given)}
            looked_at = sorted({inspected[need] for need in (step.needs() | files) & inspected.keys()})
            waits = looked_at and step.kind not in (Kind.INSPECT, Kind.GLIMPSE)
            steps.append(replace(step, after=tuple(looked_at)) if waits else step)
        return Planned(Plan(tuple(steps)), self.profile, tuple(self.warnings))
