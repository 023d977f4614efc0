"""Story files: strict parsing, detection of the request type, error messages."""

import json

import pytest

from engine.schemas.spec_file import detect_request_type, read_spec
from engine.story.model import Brief, InputFile, Story, StoryError, input_files, map_input_files


def write_file(tmp_path, content, name="spec.json"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "request_type"),
    [
        ({"model": "m", "characters": [], "scenes": []}, "generate-story"),
        ({"idea": "a fox"}, "idea-2-video"),
        ({"idea": "a fox, see https://example.com."}, "url-2-video"),
        ({"idea": "a fox", "page": "fox.html"}, "url-2-video"),
        ({"idea": "a fox", "image_urls": ["a.png"]}, "images-2-video"),
        ({"image_files": ["a.png"]}, "images-2-video"),
    ],
)
def test_the_fields_of_a_file_determine_its_request_type(content, request_type):
    assert detect_request_type(content) == request_type


def test_json_and_yaml_give_the_same_story(tmp_path, body):
    import yaml

    as_json = read_spec(write_file(tmp_path, json.dumps(body)))
    as_yaml = read_spec(write_file(tmp_path, yaml.safe_dump(body, allow_unicode=True), "spec.yaml"))
    assert isinstance(as_json, Story)
    assert as_json == as_yaml


def test_the_request_type_can_be_set(tmp_path):
    path = write_file(tmp_path, '{"idea": "about https://example.com"}')
    assert read_spec(path).page is not None
    brief = read_spec(path, "idea-2-video")
    assert isinstance(brief, Brief)
    assert brief.page is None


REFUSED = [
    (b"{", "spec.json:1:2: is not valid JSON"),
    (b"[1, 2]", "must be one object"),
    (b'{"idea": "a", "idea": "b"}', "idea: is a duplicate key"),
    (b'{"idea": "x", "seed": NaN}', "NaN is not a valid JSON number"),
    (b'{"idea": "x", "seed": Infinity}', "Infinity is not a valid JSON number"),
    (b'{"idea": "a\\u0000b"}', "idea: contains NUL or a lone surrogate"),
    (b'{"idea": "\\ud800"}', "idea: contains NUL or a lone surrogate"),
    (b"\xff\xfe{}", "is not valid UTF-8"),
    (b'{"title": "x"}', 'must have "scenes" (a complete story), "idea" or "image_urls"'),
    (b'{"a":' * 100_000, "is nested too deeply"),
    (b"", "is not valid JSON"),
]


@pytest.mark.parametrize(("content", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_an_invalid_json_file_is_refused(tmp_path, content, message):
    with pytest.raises(StoryError) as caught:
        read_spec(write_file(tmp_path, content))
    assert message in str(caught.value)


def test_yaml_aliases_are_refused(tmp_path):
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nidea: [*b, *b]\n"
    with pytest.raises(StoryError, match="has a YAML alias"):
        read_spec(write_file(tmp_path, bomb, "spec.yaml"))


@pytest.mark.parametrize(
    ("content", "message"), [("idea: [", "is not valid YAML"), ("1: x\nidea: y", "which is not text")]
)
def test_an_invalid_yaml_file_is_refused(tmp_path, content, message):
    with pytest.raises(StoryError, match=message):
        read_spec(write_file(tmp_path, content, "spec.yml"))


def test_a_missing_file_a_folder_and_a_too_large_file_are_refused(tmp_path):
    with pytest.raises(StoryError, match=r"missing.json: cannot be read"):
        read_spec(tmp_path / "missing.json")
    with pytest.raises(StoryError, match="is a folder"):
        read_spec(tmp_path)
    with pytest.raises(StoryError, match="is larger than 8 MB"):
        read_spec(write_file(tmp_path, b" " * (9 << 20)))


def test_an_unknown_request_type_gets_a_suggestion(tmp_path):
    with pytest.raises(StoryError, match='did you mean "idea-2-video"'):
        read_spec(write_file(tmp_path, '{"idea": "x"}'), "idea-2-vide")


def test_input_files_are_found_with_their_fields_and_can_be_mapped(body, tmp_path):
    body["characters"][0]["reference_url"] = "mara.png"
    body["characters"][0]["states"]["soaked"]["reference_url"] = "wet.png"
    body["locations"][1]["reference_url"] = "cove.jpg"
    body["reference_images"] = [{"description": "mood", "url": "mood.webp"}]
    story = read_spec(write_file(tmp_path, json.dumps(body)))
    assert {field: file.source for field, file in input_files(story).items()} == {
        "characters[0].reference_url": "mara.png",
        "characters[0].states.soaked.reference_url": "wet.png",
        "locations[1].reference_url": "cove.jpg",
        "reference_images[0].url": "mood.webp",
    }
    mapped = map_input_files(story, lambda field, file: InputFile(source=file.source, digest="d" * 64))
    assert {file.digest for file in input_files(mapped).values()} == {"d" * 64}
    assert mapped.scenes == story.scenes
