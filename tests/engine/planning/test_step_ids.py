"""Step ids: kind and subject, their text, and the parts of a text."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.planning.step_ids import (
    COMPOSE_ID,
    TEXT_CHECK_ID,
    StepId,
    element_id,
    encode_id,
    enhance_id,
    image_check_id,
    portrait_id,
    sanitize_id,
    scene_id,
)
from engine.story.field_path import FieldPath
from pipelines.base import Kind

names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)

TEXTS = {
    "compose": COMPOSE_ID,
    "check_text:story": TEXT_CHECK_ID,
    "portrait:Mara": portrait_id("Mara"),
    "portrait:Mara@soaked": portrait_id("Mara", "soaked"),
    "portrait:a%2Fb%3Ac%40d%25e": portrait_id("a/b:c@d%e"),
    "location:Cove": element_id("location", "Cove"),
    "object:Lamp": element_id("object", "Lamp"),
    "keyframe:3": scene_id(Kind.KEYFRAME, 2),
    "enhance:3": scene_id(Kind.ENHANCE, 2),
    "enhance:portrait:Mara@soaked": enhance_id(portrait_id("Mara", "soaked")),
    "encode_prompt:keyframe:3": encode_id(scene_id(Kind.KEYFRAME, 2)),
    "sanitize_image:scenes[1].picture": sanitize_id(FieldPath("scenes", 1, "picture")),
    "check_image:sanitize_image:image_urls[0]": image_check_id(sanitize_id(FieldPath("image_urls", 0))),
}


@pytest.mark.parametrize(("text", "step_id"), TEXTS.items())
def test_an_id_has_its_text_and_a_text_gives_the_id(text, step_id):
    assert step_id == text
    parsed = StepId.parse(text)
    assert (parsed.kind, parsed.subject) == (step_id.kind, step_id.subject)


@given(names, names)
def test_names_with_any_characters_survive_in_an_id(name, state):
    assert StepId.parse(str(portrait_id(name, state))).subject == (name, state)
    assert StepId.parse(str(portrait_id(name))).subject == (name, None)
    assert StepId.parse(str(enhance_id(element_id("object", name)))).subject.subject == ("object", name)


@pytest.mark.parametrize("text", ["", "a", "paint:1", "keyframe:x", "keyframe:01", "keyframe:", "enhance:nothing"])
def test_a_text_that_is_no_step_of_a_story_has_no_id(text):
    assert StepId.parse(text) is None


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_of_an_id_has_its_kind_and_subject(clone):
    step_id = portrait_id("Mara", "soaked")
    assert (clone(step_id).kind, clone(step_id).subject) == (step_id.kind, step_id.subject)
