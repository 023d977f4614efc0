"""A story that is told by a given voice."""

import pytest

from engine.inputs.importer import policy_for
from engine.planning.plan import PlanningError
from engine.planning.planner import plan_brief, plan_story
from engine.schemas import generate_requests, story_requests
from engine.story.model import NARRATOR_SAMPLE_FIELD, input_files, map_input_files
from pipelines.base import Kind, MissingDependency
from pipelines.models import catalog

BODY = {
    "model": "local-story",
    "characters": [{"name": "Mara", "appearance": "auburn braid"}],
    "scenes": [{"prompt": "Mara lights the lamp"}, {"prompt": "Mara looks at the sea"}],
    "language": "English",
    "audio": {"narrator_sample": "grandma.wav"},
}


def told(digit="a", **changes):
    story = generate_requests.to_story({**BODY, **changes})
    return map_input_files(story, lambda place, file: file.model_copy(update={"digest": digit * 64}))


def with_clones(*names):
    """The catalog, in which those models can speak with a given voice."""
    known = catalog.load()
    models = {
        name: spec.model_copy(
            update={"clones_voice": name in names, "requires": () if name in names else spec.requires}
        )
        for name, spec in known.models.items()
    }
    aliases = {**known.aliases, "narration.cloned": names}
    return known.model_copy(update={"models": models, "aliases": aliases})


def test_the_recording_is_one_of_the_files_that_the_client_gave():
    story = generate_requests.to_story(BODY)
    assert input_files(story)[NARRATOR_SAMPLE_FIELD].source == "grandma.wav"
    assert policy_for(NARRATOR_SAMPLE_FIELD).label == "an audio file"
    brief = story_requests.to_brief(
        "idea-2-video", {"idea": "A light", "audio_option": {"narrator_sample": "grandma.wav"}}
    )
    assert input_files(brief)[NARRATOR_SAMPLE_FIELD].source == "grandma.wav"


def test_who_does_not_speak_needs_no_recording():
    assert NARRATOR_SAMPLE_FIELD not in input_files(
        generate_requests.to_story({**BODY, "audio": {**BODY["audio"], "has_narration": False}})
    )


def test_every_narration_hears_the_recording_and_no_picture_is_made_of_it():
    plan = plan_story(told(), with_clones("espeak")).plan
    steps = [step for step in plan if step.kind is Kind.NARRATE]
    assert len(steps) == 2
    for step in steps:
        assert step.spec.name == "espeak"
        assert [source.digest for source in step.inputs["voice_sample"]] == ["a" * 64]
    assert not [step for step in plan if step.kind is Kind.SANITIZE_IMAGE]
    brief = story_requests.to_brief(
        "idea-2-video", {"idea": "A light", "audio_option": {"narrator_sample": "grandma.wav"}}
    )
    assert not [step for step in plan_brief(brief, with_clones("espeak")).plan if step.kind is Kind.SANITIZE_IMAGE]


def test_another_recording_is_another_narration():
    first, second = (plan_story(told(digit), with_clones("espeak")).plan for digit in "ab")
    keys = [{step.id: step.inputs for step in plan if step.kind is Kind.NARRATE} for plan in (first, second)]
    assert keys[0].keys() == keys[1].keys()
    assert all(keys[0][step] != keys[1][step] for step in keys[0])


def test_without_a_recording_nothing_changes():
    steps = plan_story(told(audio={}), with_clones("espeak")).plan
    assert {step.spec.name for step in steps if step.kind is Kind.NARRATE} == {"kokoro"}
    assert not any("voice_sample" in step.inputs for step in steps)


def test_a_model_that_cannot_is_refused_by_name():
    with pytest.raises(PlanningError, match=r'audio\.narrator_sample: "kokoro" cannot speak with a given voice'):
        plan_story(told(models={"narrate": "kokoro"}), with_clones("espeak"))


def test_where_none_that_can_is_installed_it_is_said_what_to_pull():
    with pytest.raises(MissingDependency, match=r"chatterbox.*xtts"):
        plan_story(told(), catalog.load())
