"""The reference of story files in docs/ matches the types."""

from pathlib import Path

import pytest

from engine.schemas.reference_page import REQUEST_BODIES, get_body, render_page
from engine.story.model import StoryError

ROOT = Path(__file__).resolve().parents[3]


def test_docs_spec_md_is_up_to_date():
    page = (ROOT / "docs" / "spec.md").read_text("utf-8")
    assert page == render_page() + "\n", "run: python -m engine schema --markdown > docs/spec.md"


@pytest.mark.parametrize("name", REQUEST_BODIES)
def test_every_request_type_has_a_schema_and_a_section(name):
    schema = get_body(name).model_json_schema()
    assert schema["additionalProperties"] is False
    assert f"## {name}\n" in render_page()


def test_an_unknown_request_type_gets_a_suggestion():
    with pytest.raises(StoryError, match='did you mean "generate-story"'):
        get_body("generate-stroy")
