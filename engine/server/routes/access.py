"""Stories of owners: whose a story is not, for him it does not exist."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.server.http.errors import ApiError
from engine.server.jobs.stories import Api, Record, Records

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, slots=True)
class Owned:
    """Finds what an owner has."""

    records: Records

    def find(self, owner: str, api: Api, story_id: str) -> Record:
        """The owner's story. Raises ApiError: 400 for what is no id, 404 for what is not there or another's."""
        if not _ID.fullmatch(story_id) and api == "story":
            raise ApiError(400, "the story id is malformed", word="invalid_story_id")
        record = self.records.find(owner, api, story_id) if _ID.fullmatch(story_id) else None
        if record is None:
            raise not_there(api)
        return record


def not_there(api: Api) -> ApiError:
    """The answer where there is no such story."""
    if api == "v1":
        return ApiError(404, "there is no such job", word="job_not_found")
    return ApiError(404, "there is no such story", word="story_not_found")


def busy(api: Api) -> ApiError:
    """The answer while work on a story keeps other work from beginning."""
    if api == "v1":
        return ApiError(409, "this job is being worked on; wait until it is completed", word="job_busy")
    return ApiError(400, "this story is being worked on; wait until its status is not processing", word="story_busy")
