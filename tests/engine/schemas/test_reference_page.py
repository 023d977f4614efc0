"""The documentation of spec files is made from the types, and kept."""

from pathlib import Path

import pytest

from engine.schemas.reference_page import BODIES, body_of, documentation
from engine.story.model import StoryError

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_in_the_repository_is_the_one_that_the_types_give():
    page = (ROOT / "docs" / "spec.md").read_text("utf-8")
    assert page == documentation() + "\n", "run: python -m engine schema --page > docs/spec.md"


@pytest.mark.parametrize("name", BODIES)
def test_every_body_has_a_schema_and_a_section(name):
    schema = body_of(name).model_json_schema()
    assert schema["additionalProperties"] is False
    assert f"## {name}\n" in documentation()


def test_an_unknown_form_is_answered():
    with pytest.raises(StoryError, match='did you mean "generate-story"'):
        body_of("generate-stroy")
