"""Field paths: parts, their text, and the parts of a text."""

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.story.field_path import FieldPath

keys = st.text(st.characters(exclude_characters=".[]", exclude_categories=("Cs",)), min_size=1, max_size=8)
paths = st.lists(keys | st.integers(0, 99), max_size=5).map(lambda parts: FieldPath("root", *parts))


def test_the_text_of_a_path_has_dots_before_keys_and_brackets_around_indexes():
    assert FieldPath("scenes", 2, "characters", 0, "name") == "scenes[2].characters[0].name"
    assert FieldPath() == ""


@given(paths)
def test_parsing_the_text_of_a_path_gives_its_parts(path):
    assert FieldPath.parse(str(path)).parts == path.parts


@given(st.text())
def test_parsing_keeps_any_text(text):
    assert FieldPath.parse(text) == text


def test_a_key_with_dots_keeps_its_text_when_it_is_parsed():
    path = FieldPath("characters", 0, "states", "a.b[1]", "reference_url")
    assert FieldPath.parse(str(path)) == path
    assert FieldPath.parse(str(path)).index_in("characters") == 0


def test_the_index_in_an_array_is_that_of_an_array_at_the_root_only():
    assert FieldPath("objects", 7, "reference_url").index_in("objects") == 7
    assert FieldPath("scenes", 1, "objects", 7).index_in("objects") is None
    assert FieldPath("objects").index_in("objects") is None


def test_renaming_the_root_keeps_the_other_parts():
    names = {"locations": "environments"}
    assert FieldPath("locations", 0, "locations").with_root(names) == "environments[0].locations"
    assert FieldPath("scenes", 0).with_root(names) == "scenes[0]"


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda path: pickle.loads(pickle.dumps(path))])
def test_a_copy_of_a_path_has_its_parts(clone):
    path = FieldPath("scenes", 2, "prompt")
    assert clone(path).parts == path.parts


def test_a_path_is_text_in_json():
    assert json.dumps({FieldPath("a", 1): FieldPath("b")}) == '{"a[1]": "b"}'
