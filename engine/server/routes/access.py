"""Access to stories: a story of another owner is reported as not found."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.server.http.errors import ApiError
from engine.server.jobs.stories import Api, Record, Records

_ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, slots=True)
class StoryAccess:
    """Finds the stories of an owner."""

    records: Records

    def get_or_404(self, owner: str, api: Api, story_id: str) -> Record:
        """Return the owner's story. Raises ApiError: 400 for a malformed id, 404 for an unknown or foreign one."""
        if not _ID_PATTERN.fullmatch(story_id) and api == "story":
            raise ApiError(400, "the story id is malformed", code="invalid_story_id")
        record = self.records.find(owner, api, story_id) if _ID_PATTERN.fullmatch(story_id) else None
        if record is None:
            raise not_found_error(api)
        return record


def not_found_error(api: Api) -> ApiError:
    """Return the error for an unknown story or job."""
    if api == "v1":
        return ApiError(404, "job not found", code="job_not_found")
    return ApiError(404, "story not found", code="story_not_found")


def busy_error(api: Api) -> ApiError:
    """Return the error for a story or job whose current job has not finished."""
    if api == "v1":
        return ApiError(409, "the job is still processing; wait until its status is completed", code="job_busy")
    return ApiError(400, "the story is still processing; wait until its status is not processing", code="story_busy")
