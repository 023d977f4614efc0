"""The steps of a story that is there: what a request of each wants changed, and how far work is to go. They read and check;
whoever calls them stores the change and waits."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from engine.planning.plan import Plan
from engine.planning.planner import plan_story
from engine.planning.targets import steps_of
from engine.schemas.common import Wire, parse
from engine.schemas.story_edits import (
    PARTS,
    ConcatBody,
    ElementsStepBody,
    ScenesStepBody,
    SentStoryboard,
    VideosStepBody,
    with_audio,
    with_ratio,
    with_storyboard,
)
from engine.schemas.story_responses import element_step
from engine.server.http.errors import ApiError
from engine.server.http.forms import Form, decoded
from engine.server.jobs.queue import Goal
from engine.server.jobs.stories import Change, Record
from engine.server.routes.state import Desk
from engine.story.model import Narrator, Scene, Story
from pipelines.base import Kind

Step = typing.Callable[[Desk, Record, Form], "tuple[Change, Goal, Story | None]"]
"""What a request wants changed, how far work is to go, and what it makes where that is not the story itself."""


class RerollBody(Wire):
    """What to make anew: `scene 2`, `portrait Mara`, `music` …"""

    target: str = Field(min_length=1, max_length=300)


def elements(desk: Desk, record: Record, form: Form) -> tuple[Change, Goal, Story | None]:
    """Step 1.5: what was edited, which model draws, which pictures are made anew."""
    body = parse(ElementsStepBody, decoded(ElementsStepBody, form))
    story, extra, pictured = _edited(desk, record, body.storyboard, keep_pictures=False)
    story = _with_tool(desk, with_ratio(story, body.aspect_ratio), body.option, Kind.PORTRAIT, Kind.ELEMENT)
    if "elements" in record.stages:
        story = _anew(story, pictured, asked=body.storyboard is not None)
    story = story.model_copy(update={"enhance_elements": body.enhance_image})
    return Change(told=story, extra=extra, stage="elements"), "elements", None


def scenes(desk: Desk, record: Record, form: Form) -> tuple[Change, Goal, Story | None]:
    """Step 2: what was edited, which model draws, who speaks."""
    body = parse(ScenesStepBody, decoded(ScenesStepBody, form))
    story, extra, _ = _edited(desk, record, body.storyboard, keep_pictures=False)
    story = with_audio(with_ratio(story, body.aspect_ratio), body.audio_option)
    if body.audio_option and (sample := story.audio.sample):
        sample = desk.incoming.found(record.owner, "audio_option.narrator_sample", sample.source)
        story = story.model_copy(update={"audio": story.audio.model_copy(update={"sample": sample})})
    story = _with_tool(desk, story, body.option, Kind.KEYFRAME)
    story = story.model_copy(update={"enhance": body.enhance_image})
    return Change(told=story, extra=extra, stage="scenes"), "scenes", None


def videos(desk: Desk, record: Record, form: Form) -> tuple[Change, Goal, Story | None]:
    """Step 3: how the scenes move. Raises ApiError before step 2."""
    body = parse(VideosStepBody, decoded(VideosStepBody, form))
    if "scenes" not in record.stages or (
        record.work and record.work.state == "failed" and record.work.goal == "scenes"
    ):
        raise ApiError(
            400, "the scenes of this story have no pictures yet: make them first (POST /story/{id}/scenes, step 2)",
            word="step_required", details={"step": "scenes"},
        )  # fmt: skip
    story, extra, _ = _edited(desk, record, body.storyboard, keep_pictures=True)
    video = story.video.model_copy(
        update={
            "transition": "dissolve" if body.is_transition else None,
            "seconds": float(body.duration),
            "loop": body.loop,
        }
    )
    choices = story.choices.model_copy(update={"video_tool": body.motion_type})
    story = story.model_copy(update={"video": video, "choices": choices, "sounds": ()})
    change = Change(
        told=story, extra=extra, stage="film", title=body.title or None, webhook=desk.incoming.webhook(body.webhook_url),
        drop_film=True,
    )  # fmt: skip
    return change, "film", None


def concat(desk: Desk, record: Record, form: Form) -> tuple[Change, Goal, Story | None]:
    """A film of clips, or of the scene videos. Raises ApiError where there are none."""
    body = parse(ConcatBody, decoded(ConcatBody, form))
    assert isinstance(record.told, Story)
    story = record.told
    urls = [url for url in body.concat_video_urls or [] if url.strip()]
    sounds = tuple(
        desk.incoming.found(record.owner, f"audio_urls[{number}]", url)
        for number, url in enumerate(body.audio_urls or [])
    )
    if not urls and "film" not in record.stages:
        raise ApiError(
            400, "there are no scene videos yet and no concat_video_urls: make the videos first (step 3)",
            word="step_required", details={"step": "videos"},
        )  # fmt: skip
    if urls:
        story = _of_clips(desk, record, story, urls)
    story = story.model_copy(update={"sounds": sounds})
    change = Change(drop_film=True, webhook=desk.incoming.webhook(body.webhook_url))
    return change, "concat", story


def _of_clips(desk: Desk, record: Record, story: Story, urls: list[str]) -> Story:
    """A story whose scenes are these clips. Of the story's own scene videos the words come with them."""
    files = desk.shelf.of(record)
    own = {files.get(f"animate:{number + 1}", {}).get("clip.mp4"): scene for number, scene in enumerate(story.scenes)}
    scenes = []
    for number, url in enumerate(urls):
        clip = desk.incoming.found(record.owner, f"concat_video_urls[{number}]", url)
        scene = own.get(clip.digest) if clip.digest else None
        scenes.append(Scene(clip=clip, name=scene.name if scene else "", narration=scene.narration if scene else ""))
    audio = story.audio.model_copy(update={"music": False, "native": False})
    video = story.video.model_copy(update={"transition": None})
    return Story(
        title=story.title, language=story.language, seed=story.seed, audio=audio, video=video, choices=story.choices,
        scenes=tuple(scenes), strictness=story.strictness,
    )  # fmt: skip


def reroll(desk: Desk, record: Record, form: Form) -> tuple[Change, Goal, Story | None]:
    """One part is made anew, as far as the story was asked for."""
    body = parse(RerollBody, decoded(RerollBody, form))
    assert isinstance(record.told, Story)
    goal: Goal = "film" if "film" in record.stages else "scenes" if "scenes" in record.stages else "elements"
    plan: Plan = plan_story(record.told, desk.service.catalog).plan
    story = record.told.anew(steps_of(body.target, plan))
    return Change(told=story, stage=goal, drop_film=goal == "film"), goal, None


def _edited(
    desk: Desk, record: Record, sent: SentStoryboard | None, *, keep_pictures: bool
) -> tuple[Story, dict[str, Any], frozenset[str]]:
    """The story after a storyboard was sent, or as it is."""
    assert isinstance(record.told, Story)
    extra = dict(record.extra)
    if sent is None:
        return record.told, extra, frozenset()
    known = desk.incoming.known(record)
    found = with_storyboard(record.told, extra.get("unknown", {}), sent, known, keep_pictures=keep_pictures)
    names = set(typing.get_args(Narrator))
    for number, scene in enumerate(found.story.scenes):
        if scene.narration.strip() in names:
            extra = _noted(extra, f"scenes[{number}].narrator is spoken as text: {scene.narration.strip()}")
    return found.story, {**extra, "unknown": dict(found.unknown)}, found.with_picture


def _anew(story: Story, pictured: frozenset[str], *, asked: bool) -> Story:
    """Element pictures that were made before are made anew, except those that the sent storyboard brought."""
    steps = [
        element_step(part, one.name)
        for part, own in PARTS.items()
        for one in getattr(story, own)
        if one.reference is None and not (asked and f"{part}/{one.name}" in pictured)
    ]
    return story.anew(steps)


def _with_tool(desk: Desk, story: Story, option: str | None, *kinds: Kind) -> Story:
    if option is None:
        return story
    alias = desk.service.catalog.image_tools.get(option, option)
    models = {**story.choices.models, **dict.fromkeys(kinds, alias)}
    return story.model_copy(update={"choices": story.choices.model_copy(update={"models": models})})


def _noted(extra: Mapping[str, Any], warning: str) -> dict[str, Any]:
    warnings = [*extra.get("warnings", ()), *([warning] if warning else ())]
    return {**extra, "warnings": list(dict.fromkeys(warnings))}
