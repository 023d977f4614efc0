"""Spec files: read strictly, recognised by their fields, refused in the client's words."""

import json

import pytest

from engine.schemas.spec_file import detect_request_type, read_spec
from engine.story.model import Brief, InputFile, Story, StoryError, input_files, map_input_files


def written(tmp_path, content, name="spec.json"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "form"),
    [
        ({"model": "m", "characters": [], "scenes": []}, "generate-story"),
        ({"idea": "a fox"}, "idea-2-video"),
        ({"idea": "a fox, see https://example.com."}, "url-2-video"),
        ({"idea": "a fox", "page": "fox.html"}, "url-2-video"),
        ({"idea": "a fox", "image_urls": ["a.png"]}, "images-2-video"),
        ({"image_files": ["a.png"]}, "images-2-video"),
    ],
)
def test_a_request_is_recognised_by_its_fields(content, form):
    assert detect_request_type(content) == form


def test_json_and_yaml_say_the_same(tmp_path, body):
    import yaml

    as_json = read_spec(written(tmp_path, json.dumps(body)))
    as_yaml = read_spec(written(tmp_path, yaml.safe_dump(body, allow_unicode=True), "spec.yaml"))
    assert isinstance(as_json, Story)
    assert as_json == as_yaml


def test_the_form_can_be_said(tmp_path):
    path = written(tmp_path, '{"idea": "about https://example.com"}')
    assert read_spec(path).page is not None
    told = read_spec(path, "idea-2-video")
    assert isinstance(told, Brief)
    assert told.page is None


REFUSED = [
    (b"{", "spec.json:1:2: is not valid JSON"),
    (b"[1, 2]", "must hold one object"),
    (b'{"idea": "a", "idea": "b"}', "idea: stands twice in one object"),
    (b'{"idea": "x", "seed": NaN}', "NaN is not a number that JSON knows"),
    (b'{"idea": "x", "seed": Infinity}', "Infinity is not a number that JSON knows"),
    (b'{"idea": "a\\u0000b"}', "idea: holds characters that are no text"),
    (b'{"idea": "\\ud800"}', "idea: holds characters that are no text"),
    (b"\xff\xfe{}", "is not UTF-8 text"),
    (b'{"title": "x"}', 'neither "scenes" (a whole story) nor "idea" nor "image_urls" is there'),
    (b'{"a":' * 100_000, "is nested too deeply"),
    (b"", "is not valid JSON"),
]


@pytest.mark.parametrize(("content", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_what_no_story_can_be_read_from_is_refused(tmp_path, content, message):
    with pytest.raises(StoryError) as caught:
        read_spec(written(tmp_path, content))
    assert message in str(caught.value)


def test_yaml_cannot_expand_without_end(tmp_path):
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nidea: [*b, *b]\n"
    with pytest.raises(StoryError, match="uses YAML aliases"):
        read_spec(written(tmp_path, bomb, "spec.yaml"))


@pytest.mark.parametrize(
    ("content", "message"), [("idea: [", "is not valid YAML"), ("1: x\nidea: y", "which is no text")]
)
def test_yaml_that_is_no_story_is_refused(tmp_path, content, message):
    with pytest.raises(StoryError, match=message):
        read_spec(written(tmp_path, content, "spec.yml"))


def test_a_missing_file_a_folder_and_a_huge_file_are_named(tmp_path):
    with pytest.raises(StoryError, match=r"missing.json: cannot be read"):
        read_spec(tmp_path / "missing.json")
    with pytest.raises(StoryError, match="is a folder"):
        read_spec(tmp_path)
    with pytest.raises(StoryError, match="is larger than 8 MB"):
        read_spec(written(tmp_path, b" " * (9 << 20)))


def test_an_unknown_form_is_answered_with_what_there_is(tmp_path):
    with pytest.raises(StoryError, match='did you mean "idea-2-video"'):
        read_spec(written(tmp_path, '{"idea": "x"}'), "idea-2-vide")


def test_given_pictures_are_found_with_the_fields_that_name_them(body, tmp_path):
    body["characters"][0]["reference_url"] = "mara.png"
    body["characters"][0]["states"]["soaked"]["reference_url"] = "wet.png"
    body["locations"][1]["reference_url"] = "cove.jpg"
    body["reference_images"] = [{"description": "mood", "url": "mood.webp"}]
    story = read_spec(written(tmp_path, json.dumps(body)))
    assert {field: picture.source for field, picture in input_files(story).items()} == {
        "characters[0].reference_url": "mara.png",
        "characters[0].states.soaked.reference_url": "wet.png",
        "locations[1].reference_url": "cove.jpg",
        "reference_images[0].url": "mood.webp",
    }
    taken = map_input_files(story, lambda field, picture: InputFile(source=picture.source, digest="d" * 64))
    assert {picture.digest for picture in input_files(taken).values()} == {"d" * 64}
    assert taken.scenes == story.scenes
