"""Stories and the work on them in the history's file."""

import pytest

from engine.jobs import Jobs
from engine.server.credits import Credits
from engine.server.records import Records
from engine.story import Scene, Story

STORY = Story(title="A snail", scenes=(Scene(prompt="A snail crosses the road"),))


@pytest.fixture
def jobs(tmp_path):
    with Jobs(tmp_path / "engine.sqlite") as jobs:
        yield jobs


@pytest.fixture
def records(jobs):
    return Records(jobs, Credits(jobs, 0, {}))


class Unlucky(Jobs):
    """A machine that stops in the middle of forgetting."""

    def forget_run(self, run_id: str) -> None:
        raise SystemExit


def test_a_story_is_deleted_as_a_whole_or_not_at_all(tmp_path):
    with Unlucky(tmp_path / "engine.sqlite") as jobs:
        records = Records(jobs, Credits(jobs, 0, {}))
        story_id = records.create("me", "story", STORY, "film").id
        with pytest.raises(SystemExit):
            records.delete(story_id)
        assert records.get(story_id).told == STORY
        assert jobs.get_run(story_id).title == "A snail"


def test_what_a_killed_server_was_answering_may_be_asked_again_under_its_key(records):
    for key in ("answered", "cut"):
        assert records.reserve("me", key, "a request") is None
    records.answer("me", "answered", 200, "{}")
    records.resume()
    assert records.reserve("me", "cut", "a request") is None
    assert records.reserve("me", "answered", "a request") == ("a request", 200, "{}")
