"""Requests that create stories: what they want, and how work on it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field
from starlette.concurrency import run_in_threadpool

from engine.schemas import story_requests
from engine.schemas.common import Wire, framed, parse
from engine.schemas.story_requests import IdeaBody, ImagesBody, StoryboardBody, UrlBody
from engine.server.http.forms import Form, decoded
from engine.server.jobs.queue import Goal, Order
from engine.server.jobs.stories import Change, Record
from engine.server.routes.state import Desk
from engine.server.routes.wait import free
from engine.story.model import Brief, Picture, StoryError


class Wishes(Wire):
    """Extensions that every creating request takes."""

    priority: int = Field(0, ge=-10, le=10, description="Extension: more urgent work is done first.")
    expires_at: str | None = Field(None, max_length=64, description="Extension: when the story deletes itself.")
    webhook_url: str | None = None


class IdeaForm(Wishes, IdeaBody):
    """An idea becomes a film."""


class UrlForm(Wishes, UrlBody):
    """The page whose address stands in `idea` becomes a film."""


class ImagesForm(Wishes, ImagesBody):
    """Given pictures become a film."""


class StoryboardForm(Wishes, StoryboardBody):
    """Step 1: an idea, or an idea and pictures, becomes a storyboard."""

    story_id: str | None = Field(None, description="Replaces the storyboard of that story.")


CREATED: Mapping[str, tuple[type[Wishes], bool]] = {
    "idea-2-video": (IdeaForm, False),
    "url-2-video": (UrlForm, False),
    "images-2-video": (ImagesForm, True),
    "storyboard": (StoryboardForm, True),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A creating request that was read and looked at. `old`: the story whose storyboard it replaces."""

    brief: Brief
    goal: Goal
    wishes: Wishes
    warnings: Sequence[str] = ()
    old: Record | None = None


async def asked_for(desk: Desk, owner: str, name: str, form: Form) -> Asked:
    """What a creating request wants. Raises ApiError, StoryError."""
    body, has_files = CREATED[name]
    content = decoded(body, form)
    for local in ("image_files", "page"):  # paths mean files of this machine, which no client names
        content.pop(local, None)
    wishes = parse(Wishes, {key: content.pop(key) for key in list(Wishes.model_fields) if key in content})
    story_id = content.pop("story_id", None)
    old = await run_in_threadpool(desk.owned.find, owner, "story", story_id) if story_id else None
    files = form.files.get("image_files", ())[: desk.settings.max_images + 1] if has_files else ()
    uploads = await desk.incoming.uploaded(files)
    brief, warnings = await run_in_threadpool(_brief, desk, owner, name, content, uploads)
    return Asked(brief, "storyboard" if name == "storyboard" else "film", wishes, warnings, old)


async def begun(desk: Desk, owner: str, asked: Asked) -> Record:
    """The story, new or with a new storyboard to come, on which work has begun. Raises ApiError, StoryError."""
    brief, wishes = asked.brief, asked.wishes
    webhook, expires = desk.incoming.webhook(wishes.webhook_url), desk.incoming.expiry(wishes.expires_at)
    await run_in_threadpool(desk.admit, owner)
    cost = await run_in_threadpool(desk.quotes.cost, brief, asked.goal)
    order, extra = Order(asked.goal, wishes.priority, cost), {"warnings": list(asked.warnings)}
    if asked.old is not None:
        old = await free(desk, asked.old)
        change = Change(
            told=brief, title=brief.title or None, extra={**old.extra, "unknown": {}, **extra}, webhook=webhook,
            drop_film=True, stages=(),
        )  # fmt: skip
        return await run_in_threadpool(desk.change, old, change, order)
    stages = () if asked.goal == "storyboard" else ("elements", "scenes", "film")
    return await run_in_threadpool(
        lambda: desk.create(owner, "story", brief, order, webhook=webhook, extra=extra, expires=expires, stages=stages)
    )


def _brief(
    desk: Desk, owner: str, name: str, content: dict[str, Any], uploads: list[Picture]
) -> tuple[Brief, list[str]]:
    warnings = []
    if uploads:
        if content.pop("image_urls", None):
            warnings.append("image_urls is ignored, as image_files were sent")
        content["image_files"] = [picture.source for picture in uploads]
    pictures = content.get("image_files") or content.get("image_urls") or []
    if len(pictures) > desk.settings.max_images:
        raise StoryError("image_files" if uploads else "image_urls", f"at most {desk.settings.max_images} pictures")
    if pictures and content.pop("scene_count", None):
        warnings.append("scene_count is ignored: there is one scene per picture")
    count = content.get("scene_count")
    if isinstance(count, int) and count > desk.settings.max_scenes:
        raise StoryError("scene_count", f"at most {desk.settings.max_scenes} scenes")
    content = framed(content, desk.settings.short_side, desk.settings.fps)
    brief = story_requests.brief(name, content)
    if desk.settings.auto_scene_count and name != "storyboard" and not (pictures or count):
        brief = brief.model_copy(update={"scene_count": None})
    if not content.get("strictness"):
        brief = brief.model_copy(update={"strictness": desk.settings.strictness})
    desk.check(brief)
    return desk.incoming.resolved(owner, brief, uploads), warnings
