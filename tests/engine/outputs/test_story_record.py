"""`story.json` is a record of the published model; other versions and files are refused with the reason."""

import json

import pytest

from engine.execution.inline import InlineExecutor
from engine.outputs.export import export
from engine.outputs.story_record import VERSION, RecordError, StoryRecord, read_record
from engine.schemas import generate_requests
from engine.service import Service
from engine.settings import Settings
from pipelines.models import catalog


@pytest.fixture
def story_json(tmp_path, body):
    """The `story.json` of a real run up to the portraits."""
    body["video"] = {"width": 256, "height": 144, "fps": 8}
    with Service(Settings(tmp_path / "home", tmp_path / "weights"), catalog.load(), InlineExecutor()) as service:
        result = service.run(generate_requests.to_story(body), "portraits")
        export(result, service.store, tmp_path / "film", "story")
    return tmp_path / "film" / "story.json"


def test_the_story_json_of_a_run_is_valid_and_lists_its_files(story_json):
    record = read_record(story_json)
    assert record.story.scenes[1].characters[0].state == "soaked"
    assert {one.file for one in record.references if one.role == "character"} <= record.files.keys()
    assert all((story_json.parent / file).is_file() for file in record.files)
    assert {"portrait"} <= {step.kind for step in record.steps}
    assert record.film is None
    assert record.to_json() == story_json.read_text("utf-8")


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (None, "has no `version`; run the story again"),
        (VERSION - 1, f"has version {VERSION - 1}, and this engine reads {VERSION}; run the story again"),
        (VERSION + 1, f"has version {VERSION + 1}, newer than {VERSION}, which this engine reads; update story-engine"),
    ],
)
def test_another_version_is_refused_with_the_fix(story_json, version, reason):
    content = json.loads(story_json.read_text("utf-8"))
    content["version"] = version
    story_json.write_text(json.dumps(content), "utf-8")
    with pytest.raises(RecordError) as caught:
        read_record(story_json)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not valid JSON"),
        ("[]", "is not a story record"),
        (json.dumps({"version": VERSION}), "is not a valid story record"),
    ],
)
def test_another_file_is_refused_with_the_reason(tmp_path, content, reason):
    (tmp_path / "story.json").write_text(content, "utf-8")
    with pytest.raises(RecordError, match=reason):
        read_record(tmp_path / "story.json")
    with pytest.raises(RecordError, match="cannot be read"):
        read_record(tmp_path / "missing.json")


def test_the_schema_names_the_version_and_refuses_unknown_keys():
    schema = StoryRecord.model_json_schema()
    assert schema["properties"]["version"]["const"] == VERSION
    assert schema["additionalProperties"] is False
