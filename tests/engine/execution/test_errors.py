"""Failures of steps in the client's terms."""

import pytest

from engine.execution.errors import RunFailed, describe_failure, failure_field
from engine.execution.protocol import Failure, FailureCode
from engine.planning.step_ids import READ_ID, SCORE_ID, WRITE_ID, sanitize_id, scene_id
from engine.schemas.story_requests import to_api_field
from engine.story.field_path import FieldPath
from engine.story.model import Brief, Scene, Story
from pipelines.base import Kind

BRIEF, STORY = Brief(idea="A fox"), Story(scenes=(Scene(prompt="A fox"),))


@pytest.mark.parametrize(
    ("step", "failure", "field"),
    [
        (
            sanitize_id(FieldPath("image_urls", 2)),
            Failure(FailureCode.BAD_INPUT, "unreadable", "image"),
            "image_urls[2]",
        ),
        (sanitize_id(FieldPath("image_urls", 2)), Failure(FailureCode.WORKER_CRASHED, "crashed"), "image_urls[2]"),
        (scene_id(Kind.NARRATE, 1), Failure(FailureCode.BAD_INPUT, "no speech", "text"), "scenes[1].narration"),
        (
            scene_id(Kind.NARRATE, 1),
            Failure(FailureCode.BAD_INPUT, "short", "audio.narrator_sample"),
            "audio.narrator_sample",
        ),
        (scene_id(Kind.SAMPLE_FRAMES, 0), Failure(FailureCode.BAD_INPUT, "no video", "clip"), "scenes[0].clip"),
        (scene_id(Kind.KEYFRAME, 0), Failure(FailureCode.BAD_INPUT, "too long", "prompt"), "scenes[0].prompt"),
        (WRITE_ID, Failure(FailureCode.BAD_INPUT, "empty", "idea"), "idea"),
        (READ_ID, Failure(FailureCode.BAD_INPUT, "no text", "page"), "page"),
        (scene_id(Kind.KEYFRAME, 0), Failure(FailureCode.WORKER_CRASHED, "crashed"), None),
        (SCORE_ID, Failure(FailureCode.BAD_INPUT, "no timeline", "timeline"), None),
        ("a", Failure(FailureCode.BAD_INPUT, "bad", "x"), None),
    ],
)
def test_a_failure_names_the_field_that_the_client_changes(step, failure, field):
    assert failure_field(step, failure) == field
    assert describe_failure(step, failure).startswith(f"{field or step}: {failure.message}")


def test_a_rejection_comes_first_and_the_others_are_counted():
    error = RunFailed(
        {
            "mix": Failure(FailureCode.WORKER_CRASHED, "crashed"),
            "check_text:story": Failure(FailureCode.REJECTED, "not allowed", "title", category="gore"),
        }
    )
    assert str(error) == "title: content_rejected (gore: not allowed) (and 1 more)"
    assert error.exit_code == 2


@pytest.mark.parametrize("message", ["unreadable", "see locations[0].reference_url", "scenes[0].clip"])
def test_fields_are_renamed_for_the_api_of_the_client_and_messages_are_not(message):
    step = sanitize_id(FieldPath("locations", 0, "reference_url"))
    error = RunFailed({step: Failure(FailureCode.BAD_INPUT, message, "image")})
    assert error.describe(lambda field: to_api_field(field, BRIEF)) == f"elements.environments[0].image_url: {message}"
    assert (
        error.describe(lambda field: to_api_field(field, STORY)) == f"storyboard.environments[0].image_url: {message}"
    )


@pytest.mark.parametrize(
    ("field", "renamed"),
    [
        (FieldPath("audio", "narrator_sample"), "audio_option.narrator_sample"),
        (FieldPath("scenes", 1, "clip"), "concat_video_urls[1]"),
        (FieldPath("scenes", 1, "prompt"), "scenes[1].prompt"),
        (FieldPath("locations", 1, "description"), "environments[1].description"),
        (FieldPath("characters", 1, "reference_url"), "storyboard.characters[1].image_url"),
    ],
)
def test_a_field_of_a_story_has_a_field_of_the_story_api(field, renamed):
    assert to_api_field(field, STORY) == renamed
