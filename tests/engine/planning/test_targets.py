"""What people call the parts of a story leads to its steps."""

import pytest

from engine.planning.planner import plan_story
from engine.planning.targets import resolve_target
from engine.schemas import generate_requests
from engine.story.model import StoryError
from pipelines.models import catalog


@pytest.fixture
def plan(body):
    return plan_story(generate_requests.to_story(body), catalog.load()).plan


@pytest.mark.parametrize(
    ("target", "steps"),
    [
        ("scene 3", ("keyframe:3",)),
        ("narration 1", ("narrate:1",)),
        ("clip 2", ("animate:2",)),
        ("portrait Mara", ("portrait:Mara",)),
        ("portrait Mara/soaked", ("portrait:Mara@soaked",)),
        ("location Cove", ("location:Cove",)),
        ("music", ("score",)),
        ("film", ("compose",)),
        ("transition 1", ("transition:1",)),
        ("audio", ("mix",)),
        ("keyframe:2", ("keyframe:2",)),
        ("portraits", ("portrait:Mara", "portrait:Mara@soaked", "portrait:Tomas")),
        ("clips", ("animate:1", "animate:2", "animate:3")),
    ],
)
def test_a_target_means_steps(plan, target, steps):
    assert resolve_target(target, plan) == steps


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("scene 4", 'there is no "scene 4" to make in this story; did you mean "scene 3"?'),
        ("portrait Mira", 'did you mean "portrait Mara"?'),
        ("scene", "to make in this story"),
        ("", 'there is no "" to make'),
        ("dragons 7", "portrait Mara, portrait Mara/soaked"),
    ],
)
def test_an_unknown_target_is_answered_with_what_there_is(plan, target, message):
    with pytest.raises(StoryError) as caught:
        resolve_target(target, plan)
    assert message in str(caught.value)
