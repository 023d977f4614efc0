"""Stories of owners: whose a story is not, for him it does not exist."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.server.http.errors import ApiError
from engine.server.jobs.stories import Api, Record, Records

_ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, slots=True)
class StoryAccess:
    """Finds what an owner has."""

    records: Records

    def get_or_404(self, owner: str, api: Api, story_id: str) -> Record:
        """The owner's story. Raises ApiError: 400 for what is no id, 404 for what is not there or another's."""
        if not _ID_PATTERN.fullmatch(story_id) and api == "story":
            raise ApiError(400, "the story id is malformed", code="invalid_story_id")
        record = self.records.find(owner, api, story_id) if _ID_PATTERN.fullmatch(story_id) else None
        if record is None:
            raise not_found_error(api)
        return record


def not_found_error(api: Api) -> ApiError:
    """The answer where there is no such story."""
    if api == "v1":
        return ApiError(404, "there is no such job", code="job_not_found")
    return ApiError(404, "there is no such story", code="story_not_found")


def busy_error(api: Api) -> ApiError:
    """The answer while work on a story keeps other work from beginning."""
    if api == "v1":
        return ApiError(409, "this job is being worked on; wait until it is completed", code="job_busy")
    return ApiError(400, "this story is being worked on; wait until its status is not processing", code="story_busy")
