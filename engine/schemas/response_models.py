"""Response models of both APIs: the component schemas of the OpenAPI document.

The response functions (`story_responses`, `generate_responses`) build plain JSON; a test of every endpoint validates it
against these models.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

StoryStatus = Literal["new", "processing", "success", "fail"]
JobStatus = Literal["pending", "processing", "completed", "failed"]
Percent = Annotated[int, Field(ge=0, le=100)]


def _remove_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


UrlIfFinished = Annotated[str | SkipJsonSchema[None], Field(json_schema_extra=_remove_default)]
"""A URL that is absent, never null, until its file is finished."""


class ResponseModel(BaseModel):
    """Part of a response, with exactly these keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OpenResponseModel(BaseModel):
    """Part of a response that also contains the keys that the client stored there."""

    model_config = ConfigDict(extra="allow", frozen=True)


# --- errors -----------------------------------------------------------------------------------------------------------


class ErrorResponse(ResponseModel):
    """Body of every error response."""

    error: str = Field(description="Error code for programs.")
    message: str = Field(description="What is wrong, and how to fix it.")
    details: dict[str, Any] = Field(description="Data for programs, such as `field`.")
    request_id: str = Field(description="Id of the request in the server log.")
    detail: str | SkipJsonSchema[None] = Field(
        None, description="The same as `message`; Story API only.", json_schema_extra=_remove_default
    )


# --- Story API --------------------------------------------------------------------------------------------------------


class StoryboardElement(OpenResponseModel):
    """A character, environment or object of a storyboard."""

    name: str
    description: str
    image_url: UrlIfFinished = None
    URL: UrlIfFinished = Field(None, description="The same as `image_url`.")


class StoryboardScene(OpenResponseModel):
    """A scene of a storyboard."""

    name: str
    image_description: str = Field(description="Prompt of the scene image.")
    narrator: str = Field(description="Text of the narration.")
    camera_movement: str
    image_url: UrlIfFinished = None
    narration_url: UrlIfFinished = None
    video_url: UrlIfFinished = None


class Storyboard(OpenResponseModel):
    """The storyboard of a story; its arrays are empty before step 1 has finished."""

    characters: list[StoryboardElement]
    environments: list[StoryboardElement]
    objects: list[StoryboardElement]
    scenes: list[StoryboardScene]


class StoryAudio(ResponseModel):
    """The effective audio options of a story."""

    has_bg_music: bool
    has_narration: bool
    native_audio: bool
    narrator: str


class Story(ResponseModel):
    """A story: its status, storyboard, scenes and film."""

    id: str
    status: StoryStatus
    progress_percentage: Percent
    message: str | None = Field(description="Error message; null unless `status` is `fail`.")
    video_url: str | None = Field(description="URL of the film (MP4); null unless `status` is `success`.")
    title: str
    description: str
    visibility_status: str = Field(description="0 private, 1 unlisted, 2 public.")
    scene_count: int
    used_credits: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = Field(description="Extension: the server deletes the story at this time.")
    aspect_ratio: str
    language: str
    audio_option: StoryAudio
    warnings: list[str] = Field(description="Ignored fields, substituted models, unreadable pages.")
    storyboard: Storyboard
    scenes: list[StoryboardScene] = Field(description="The scenes of `storyboard`.")


class StoryResponse(ResponseModel):
    """A story in the envelope of the Story API."""

    data: Story


class StoryListResponse(ResponseModel):
    """One page of stories, newest first."""

    data: list[Story]
    total: int = Field(description="Number of stories on all pages.")
    limit: int
    offset: int


class StoryLimits(ResponseModel):
    """Limits of this server."""

    max_scenes: int
    max_images: int
    max_upload_mb: int


class StoryOptions(ResponseModel):
    """The values of each enumerated field."""

    aspect_ratio: list[str]
    image_tool: list[str]
    option: list[str]
    video_tool: list[str]
    motion_type: list[str]
    scene_duration: list[int] = Field(description="Seconds.")
    language: list[str]
    narrator: list[str]
    visibility_status: list[str]
    limits: StoryLimits


class StoryOptionsResponse(ResponseModel):
    """The field values in the envelope of the Story API."""

    data: StoryOptions


# --- cost preview -----------------------------------------------------------------------------------------------------


class StepPreview(ResponseModel):
    """One step of a dry run."""

    id: str
    kind: str
    model: str
    cached: bool = Field(description="The artifact store has the result; the step does not run.")
    seconds: float


class CostPreview(ResponseModel):
    """Result of a dry run: estimated time, memory, disk space and credits."""

    dry_run: Literal[True]
    profile: str
    exact: bool = Field(description="False while the storyboard is unknown: the preview uses placeholder scenes.")
    seconds: float
    memory_mb: int
    disk_bytes: int
    measured: bool = Field(description="All times come from earlier runs on this machine.")
    credits: int
    warnings: list[str]
    steps: list[StepPreview]


class CostPreviewResponse(ResponseModel):
    """The cost preview in the envelope of the Story API."""

    data: CostPreview


# --- Generate-story API -----------------------------------------------------------------------------------------------


class JobCreated(ResponseModel):
    """An accepted job."""

    job_id: str
    poll_url: str
    status: Literal["pending"]


class SceneImage(ResponseModel):
    """The image of a scene. `width` and `height` in pixels."""

    index: int = Field(description="Index of the scene, from 0.")
    image_url: str | None
    width: int
    height: int


class CharacterImage(ResponseModel):
    """The portrait of a character in one state."""

    name: str
    state: str | None
    image_url: str | None


class JobResult(ResponseModel):
    """The images of a completed job."""

    scenes: list[SceneImage]
    characters: list[CharacterImage]


class Job(ResponseModel):
    """A job: its status, and its images once it is completed."""

    job_id: str
    status: JobStatus
    scenes_completed: int
    scenes_total: int
    progress_percentage: Percent
    result: JobResult | None = Field(description="Null until `status` is `completed`.")
    error: str | None = Field(description="Error code; null unless `status` is `failed`.")
    message: str | None = Field(description="Error message; null unless `status` is `failed`.")
    warnings: list[str]
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = Field(description="Extension: the server deletes the job at this time.")


class ImageModel(ResponseModel):
    """A value of `model`."""

    id: str
    supports_multiturn: bool = Field(description="Accepts earlier images as context.")
    installed: bool
    resolved_model: str = Field(description="The model that an alias resolves to.")
    licence: str
    max_references: int | None = Field(description="Maximum number of reference images of one call; null: no limit.")


class ModelList(ResponseModel):
    """All values of `model`."""

    models: list[ImageModel]


# --- operation --------------------------------------------------------------------------------------------------------


class Health(ResponseModel):
    """Result of the liveness probe."""

    status: Literal["ok"]


class ReadinessChecks(ResponseModel):
    """Results of the single checks."""

    scheduler: bool
    disk_space: bool
    database: bool


class Readiness(ResponseModel):
    """Result of the readiness probe."""

    ready: bool
    checks: ReadinessChecks
