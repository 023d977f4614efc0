"""The steps of an existing story.

Each function parses and validates a request and returns the update and the job target; the caller stores the update and
enqueues the job."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from engine.planning.plan import Plan
from engine.planning.planner import plan_story
from engine.planning.step_ids import scene_id
from engine.planning.targets import resolve_target
from engine.schemas.common import RequestModel, parse
from engine.schemas.story_edits import (
    ELEMENT_FIELDS,
    ConcatBody,
    ElementsStepBody,
    ScenesStepBody,
    SubmittedStoryboard,
    VideosStepBody,
    apply_aspect_ratio,
    apply_audio_option,
    apply_storyboard,
)
from engine.schemas.story_responses import element_step_id
from engine.server.http.errors import ApiError
from engine.server.http.forms import Form, decode_fields
from engine.server.jobs.queue import JobTarget
from engine.server.jobs.stories import Record, StoryUpdate
from engine.server.routes.state import AppState
from engine.story.model import Narrator, Scene, Story
from pipelines.base import Kind
from pipelines.step_params import OutputName

PrepareStep = typing.Callable[[AppState, Record, Form], "tuple[StoryUpdate, JobTarget, Story | None]"]
"""Returns the update of the story, the target of the job, and the story to run if it is not the stored one."""


class RerollBody(RequestModel):
    """The part to generate again: `scene 2`, `portrait Mara`, `music` …"""

    target: str = Field(min_length=1, max_length=300)


def prepare_elements(state: AppState, record: Record, form: Form) -> tuple[StoryUpdate, JobTarget, Story | None]:
    """Step 1.5: apply the storyboard and the image model; repeat images of earlier runs."""
    body = parse(ElementsStepBody, decode_fields(ElementsStepBody, form))
    story, extra, elements_with_images = _apply_storyboard(state, record, body.storyboard, keep_images=False)
    story = _with_image_model(
        state, apply_aspect_ratio(story, body.aspect_ratio), body.option, Kind.PORTRAIT, Kind.ELEMENT
    )
    if "elements" in record.stages:
        story = _reroll_elements(story, elements_with_images, storyboard_sent=body.storyboard is not None)
    story = story.model_copy(update={"enhance_elements": body.enhance_image})
    return StoryUpdate(story=story, extra=extra, stage="elements"), "elements", None


def prepare_scenes(state: AppState, record: Record, form: Form) -> tuple[StoryUpdate, JobTarget, Story | None]:
    """Step 2: apply the storyboard, the image model and the audio option."""
    body = parse(ScenesStepBody, decode_fields(ScenesStepBody, form))
    story, extra, _ = _apply_storyboard(state, record, body.storyboard, keep_images=False)
    story = apply_audio_option(apply_aspect_ratio(story, body.aspect_ratio), body.audio_option)
    if body.audio_option and (sample := story.audio.voice_sample):
        sample = state.attachments.resolve_url(record.owner, "audio_option.narrator_sample", sample.source)
        story = story.model_copy(update={"audio": story.audio.model_copy(update={"voice_sample": sample})})
    story = _with_image_model(state, story, body.option, Kind.KEYFRAME)
    story = story.model_copy(update={"enhance": body.enhance_image})
    return StoryUpdate(story=story, extra=extra, stage="scenes"), "scenes", None


def prepare_videos(state: AppState, record: Record, form: Form) -> tuple[StoryUpdate, JobTarget, Story | None]:
    """Step 3: apply the storyboard and the video options. Raises ApiError before step 2."""
    body = parse(VideosStepBody, decode_fields(VideosStepBody, form))
    if "scenes" not in record.stages or (record.job and record.job.state == "failed" and record.job.target == "scenes"):
        raise ApiError(
            400, "story has no scene images yet; run step 2 first (POST /story/{id}/scenes)",
            code="step_required", details={"step": "scenes"},
        )  # fmt: skip
    story, extra, _ = _apply_storyboard(state, record, body.storyboard, keep_images=True)
    video = story.video.model_copy(
        update={
            "transition": "dissolve" if body.is_transition else None,
            "seconds": float(body.duration),
            "loop": body.loop,
        }
    )
    choices = story.choices.model_copy(update={"video_tool": body.motion_type})
    story = story.model_copy(update={"video": video, "choices": choices, "audio_tracks": ()})
    update = StoryUpdate(
        story=story,
        extra=extra,
        stage="film",
        title=body.title or None,
        webhook=state.attachments.parse_webhook_url(body.webhook_url),
        drop_film=True,
    )
    return update, "film", None


def prepare_concat(state: AppState, record: Record, form: Form) -> tuple[StoryUpdate, JobTarget, Story | None]:
    """Concatenate the given clips, or the scene videos. Raises ApiError if there are none."""
    body = parse(ConcatBody, decode_fields(ConcatBody, form))
    assert isinstance(record.story, Story)
    story = record.story
    urls = [url for url in body.concat_video_urls or [] if url.strip()]
    sounds = tuple(
        state.attachments.resolve_url(record.owner, f"audio_urls[{number}]", url)
        for number, url in enumerate(body.audio_urls or [])
    )
    if not urls and "film" not in record.stages:
        raise ApiError(
            400, "story has no scene videos yet; run step 3 first, or send concat_video_urls",
            code="step_required", details={"step": "videos"},
        )  # fmt: skip
    if urls:
        story = _story_from_clips(state, record, story, urls)
    story = story.model_copy(update={"audio_tracks": sounds})
    update = StoryUpdate(drop_film=True, webhook=state.attachments.parse_webhook_url(body.webhook_url))
    return update, "concat", story


def _story_from_clips(state: AppState, record: Record, story: Story, urls: list[str]) -> Story:
    """Return a story whose scenes are the clips; the story's own scene videos keep their name and narration."""
    outputs = state.output_index.outputs_of(record)
    own_clips = {
        outputs.get(scene_id(Kind.ANIMATE, number), {}).get(OutputName.CLIP): scene
        for number, scene in enumerate(story.scenes)
    }
    scenes = []
    for number, url in enumerate(urls):
        clip = state.attachments.resolve_url(record.owner, f"concat_video_urls[{number}]", url)
        scene = own_clips.get(clip.digest) if clip.digest else None
        scenes.append(Scene(clip=clip, name=scene.name if scene else "", narration=scene.narration if scene else ""))
    audio = story.audio.model_copy(update={"music": False, "native": False})
    video = story.video.model_copy(update={"transition": None})
    return Story(
        title=story.title, language=story.language, seed=story.seed, audio=audio, video=video, choices=story.choices,
        scenes=tuple(scenes), strictness=story.strictness,
    )  # fmt: skip


def prepare_reroll(state: AppState, record: Record, form: Form) -> tuple[StoryUpdate, JobTarget, Story | None]:
    """Repeat one part, up to the latest stage that the client has requested."""
    body = parse(RerollBody, decode_fields(RerollBody, form))
    assert isinstance(record.story, Story)
    target: JobTarget = "film" if "film" in record.stages else "scenes" if "scenes" in record.stages else "elements"
    plan: Plan = plan_story(record.story, state.service.catalog).plan
    story = record.story.with_new_takes(resolve_target(body.target, plan))
    return StoryUpdate(story=story, stage=target, drop_film=target == "film"), target, None


def _apply_storyboard(
    state: AppState, record: Record, sent: SubmittedStoryboard | None, *, keep_images: bool
) -> tuple[Story, dict[str, Any], frozenset[str]]:
    """Return the story with the submitted storyboard, its extra data, and the elements that came with images."""
    assert isinstance(record.story, Story)
    extra = dict(record.extra)
    if sent is None:
        return record.story, extra, frozenset()
    context = state.attachments.storyboard_context(record)
    edited = apply_storyboard(record.story, extra.get("unknown", {}), sent, context, keep_images=keep_images)
    names = set(typing.get_args(Narrator))
    for number, scene in enumerate(edited.story.scenes):
        if scene.narration.strip() in names:
            extra = _with_warning(extra, f"scenes[{number}].narrator is read aloud as text: {scene.narration.strip()}")
    return edited.story, {**extra, "unknown": dict(edited.extra_fields)}, edited.elements_with_images


def _reroll_elements(story: Story, elements_with_images: frozenset[str], *, storyboard_sent: bool) -> Story:
    """Repeat the element images, except those that came with the submitted storyboard."""
    steps = [
        element_step_id(part, one.name)
        for part, own in ELEMENT_FIELDS.items()
        for one in getattr(story, own)
        if one.reference is None and not (storyboard_sent and f"{part}/{one.name}" in elements_with_images)
    ]
    return story.with_new_takes(steps)


def _with_image_model(state: AppState, story: Story, option: str | None, *kinds: Kind) -> Story:
    if option is None:
        return story
    alias = state.service.catalog.image_tools.get(option, option)
    models = {**story.choices.models, **dict.fromkeys(kinds, alias)}
    return story.model_copy(update={"choices": story.choices.model_copy(update={"models": models})})


def _with_warning(extra: Mapping[str, Any], warning: str) -> dict[str, Any]:
    warnings = [*extra.get("warnings", ()), *([warning] if warning else ())]
    return {**extra, "warnings": list(dict.fromkeys(warnings))}
