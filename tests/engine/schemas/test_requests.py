"""Request bodies of both hosted APIs → Story or Brief. Errors name the field of the request."""

import json

import pytest

from engine.schemas import generate_requests, story_requests
from engine.schemas.common import detect_language, field_name, frame_size
from engine.schemas.generate_requests import draft_narration
from engine.story.model import StoryError


def refused(change, body):
    change(body)
    with pytest.raises(StoryError) as caught:
        generate_requests.to_story(body)
    return str(caught.value)


def test_a_generate_story_body_becomes_a_story(body):
    story = generate_requests.to_story(body)
    assert [scene.prompt for scene in story.scenes] == [scene["prompt"] for scene in body["scenes"]]
    assert story.scenes[1].characters[0].state == "soaked"
    assert (story.video.width, story.video.height, story.video.fps) == (1280, 720, 24)
    assert story.choices.image_tool == "local-story"


def test_a_missing_narration_is_drafted_from_the_prompt(body):
    assert [scene.narration for scene in generate_requests.to_story(body).scenes] == [
        "One.",
        "Mara finds Tomas",
        "The sea is calm.",
    ]


def test_an_empty_narration_stays_empty(body):
    body["scenes"][0]["narration"] = ""
    assert generate_requests.to_story(body).scenes[0].narration == ""


REFUSED = [
    (
        lambda b: b["scenes"][1]["characters"][1].update(name="Tomsa"),
        'scenes[1].characters[1].name: no character "Tomsa"; did you mean "Tomas"?',
    ),
    (
        lambda b: b["scenes"][1]["characters"][0].update(state="wet"),
        'scenes[1].characters[0].state: no state "wet" of "Mara"; known: soaked',
    ),
    (
        lambda b: b["scenes"][1]["characters"][1].update(state="wet"),
        'scenes[1].characters[1].state: no state "wet" of "Tomas"; "Tomas" has no states',
    ),
    (
        lambda b: b["scenes"][0].update(location="Lighthous"),
        'scenes[0].location: no location "Lighthous"; did you mean "Lighthouse"?',
    ),
    (lambda b: b["scenes"][0].update(promt="x"), 'scenes[0].promt: unknown key; did you mean "prompt"?'),
    (lambda b: b.update(styel="x"), 'styel: unknown key; did you mean "style"?'),
    (
        lambda b: b["video"].update(sutitles="soft") if b.setdefault("video", {}) is not None else None,
        'video.sutitles: unknown key; did you mean "subtitles"?',
    ),
    (lambda b: b.update(scenes=b["scenes"][:1]), "scenes: must have at least 2 items, has 1"),
    (lambda b: b.update(scenes=b["scenes"][:1] * 11), "scenes: must have at most 10 items, has 11"),
    (
        lambda b: b.update(locations=[{"name": f"hill {n}"} for n in range(100_000)]),
        "locations: must have at most 200 items, has 100000",
    ),
    (lambda b: b.update(scenes=None), "scenes: Input should be a valid list"),
    (lambda b: b.update(characters=[]), "characters: must have at least 1 items, has 0"),
    (
        lambda b: b["characters"].append({"name": "Mara", "appearance": "x"}),
        'characters[2].name: "Mara" is there twice; names must be unique',
    ),
    (
        lambda b: b["characters"].append({"name": "Odd"}),
        "characters[2].appearance: is missing: set `appearance` or `reference_url`",
    ),
    (
        lambda b: b["characters"].append({"name": "", "appearance": "x"}),
        "characters[2].name: String should have at least 1 character",
    ),
    (
        lambda b: b["characters"][0].update(states={str(n): {} for n in range(6)}),
        "characters[0].states: must have at most 5 items, has 6",
    ),
    (
        lambda b: b["scenes"][0]["characters"].append({"name": "Mara", "state": "soaked"}),
        'scenes[0].characters[1].name: "Mara" is in this scene twice; one character has one state in a scene',
    ),
    (lambda b: b["scenes"][0].update(prompt="  "), "scenes[0].prompt: is missing: describe the scene"),
    (lambda b: b.pop("model"), "model: is missing"),
    (lambda b: b.update(seed=-1), "seed: Input should be greater than or equal to 0"),
    (lambda b: b.update(seed=True), "seed: Input should be a valid integer"),
    (lambda b: b.update(seed=float("nan")), "seed: Input should be a valid integer"),
    (lambda b: b["scenes"][0].update(duration=float("nan")), "scenes[0].duration: Input should be a finite number"),
    (lambda b: b["scenes"][0].update(duration=0), "scenes[0].duration: Input should be greater than 0"),
    (
        lambda b: b.update(aspect_ratio="16x9"),
        'aspect_ratio: "16x9" is not an aspect ratio; use 16:9, 4:3, 1:1, 3:4, 9:16, or W:H up to 4:1',
    ),
    (
        lambda b: b.update(aspect_ratio="0:9"),
        'aspect_ratio: "0:9" is not an aspect ratio; use 16:9, 4:3, 1:1, 3:4, 9:16, or W:H up to 4:1',
    ),
    (
        lambda b: b.update(image_size="huge"),
        'image_size: "huge" is not supported; use WxH (64 to 4096 pixels each), 1K or 2K',
    ),
    (lambda b: b.update(strictness="lax"), "strictness: \"lax\" is not one of 'normal' or 'liberal'"),
    (
        lambda b: b.update(language="Klingon"),
        "language: \"Klingon\" is not one of 'Arabic', 'Chinese', 'English', 'French', 'German', 'Hindi', 'Japanese', "
        "'Korean', 'Spanish' or 'Turkish'",
    ),
    (lambda b: b.update(models={"narrat": "espeak"}), 'models: no kind of step "narrat"; did you mean "narrate"?'),
    (lambda b: b.update(video={"width": 1281}), "video.width: Input should be a multiple of 2"),
    (
        lambda b: b.update(video={"transition": "fade"}),
        "video.transition: \"fade\" is not one of 'none', 'dissolve', 'dip', 'wipe' or 'match'",
    ),
    (lambda b: b.update(reference_images=[{"description": "x"}]), "reference_images[0].url: is missing"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=[message[:50] for _, message in REFUSED])
def test_an_invalid_generate_story_body_is_refused_with_the_field(body, change, message):
    assert refused(change, body) == message


def test_an_unknown_narrator_is_refused_only_with_narration(body):
    message = refused(lambda b: b.update(audio={"narrator": "Bob"}), body)
    assert message.startswith('audio.narrator: no narrator "Bob"; one of: Rachel, Aria')
    body["audio"]["has_narration"] = False
    assert generate_requests.to_story(body).audio.narration is False


def test_a_partial_audio_object_keeps_the_defaults_of_the_missing_keys(body):
    body["audio"] = {"has_bg_music": False}
    audio = generate_requests.to_story(body).audio
    assert (audio.narration, audio.music, audio.narrator) == (True, False, "Rachel")


def test_native_audio_switches_narration_off(body):
    body["audio"] = {"native_audio": True}
    audio = generate_requests.to_story(body).audio
    assert (audio.native, audio.narration) == (True, False)


@pytest.mark.parametrize(
    ("size", "ratio", "expected"),
    [
        ("1K", "16:9", (1024, 576)),
        ("2k", "9:16", (1152, 2048)),
        ("800x600", "16:9", (800, 600)),
        (None, "1:1", (720, 720)),
    ],
)
def test_scene_images_have_the_requested_size(body, size, ratio, expected):
    body["image_size"] = size
    body["scenes"][0]["aspect_ratio"] = ratio
    scene = generate_requests.to_story(body).scenes[0]
    assert (scene.width, scene.height) == expected


@pytest.mark.parametrize(
    ("ratio", "frame"),
    [((16, 9), (1280, 720)), ((4, 3), (960, 720)), ((1, 1), (720, 720)), ((3, 4), (720, 960)), ((9, 16), (720, 1280))],
)
def test_frame_sizes_are_even_and_have_the_aspect_ratio(ratio, frame):
    assert frame_size(ratio) == frame


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The keeper climbs.", "English"),
        ("समुद्र के किनारे", "Hindi"),
        ("في صباح هادئ", "Arabic"),
        ("灯台の光が、海を照らす。", "Japanese"),
        ("灯塔照亮大海。", "Chinese"),
        ("등대가 바다를 비춘다.", "Korean"),
        ("", "English"),
    ],
)
def test_the_language_is_detected_from_the_script(text, language):
    assert detect_language(text) == language


def test_a_drafted_narration_is_short_and_omits_camera_instructions():
    prompt = "Close-up shot, bokeh. Mara lights the lamp. " + "The wind howls around the tower. " * 20
    text = draft_narration(prompt)
    assert text.startswith("Mara lights the lamp. The wind")
    assert len(text) <= 260


def test_field_paths_use_json_notation():
    assert field_name(("scenes", 2, "characters", 0, "name")) == "scenes[2].characters[0].name"


# --- Story API --------------------------------------------------------------------------------------------------------


def test_a_request_with_only_an_idea_has_the_documented_defaults():
    brief = story_requests.to_brief("idea-2-video", {"idea": "A shy fox learns to drum."})
    assert (brief.scene_count, brief.language, brief.video.seconds, brief.video.transition) == (3, "English", 5.0, None)
    assert (brief.audio.narration, brief.audio.music, brief.audio.narrator) == (True, True, "Rachel")


@pytest.mark.parametrize("duration", ["5", "10", 5, 10])
def test_scene_duration_is_text_or_number(duration):
    assert story_requests.to_brief("idea-2-video", {"idea": "x", "scene_duration": duration}).video.seconds == float(
        duration
    )


def test_objects_may_be_json_text():
    elements = {
        "characters": [{"name": "Fox", "description": "red", "URL": "fox.png"}],
        "environments": [{"name": "Meadow"}],
    }
    body = {"idea": "x", "elements": json.dumps(elements), "audio_option": '{"narrator": "Bill"}'}
    brief = story_requests.to_brief("idea-2-video", body)
    assert brief.characters[0].reference.source == "fox.png"
    assert brief.locations[0].name == "Meadow"
    assert brief.audio.narrator == "Bill"


def test_empty_optional_fields_count_as_absent():
    assert (
        story_requests.to_brief(
            "idea-2-video", {"idea": "x", "title": "", "scene_count": "", "elements": ""}
        ).scene_count
        == 3
    )


def test_images_set_the_number_of_scenes_and_image_files_override_image_urls():
    body = {"image_urls": ["a.png"], "image_files": ["b.png", "c.png"], "scene_count": 7}
    brief = story_requests.to_brief("images-2-video", body)
    assert [picture.source for picture in brief.pictures] == ["b.png", "c.png"]
    assert brief.scene_count == 2
    assert brief.idea


@pytest.mark.parametrize(
    ("idea", "url"),
    [
        ("Make a film of https://example.com/a?b=1.", "https://example.com/a?b=1"),
        ('Look: "http://example.com/x", please', "http://example.com/x"),
        ("first https://a.example/1 then https://b.example/2", "https://a.example/1"),
        ("no address here", None),
    ],
)
def test_find_url_returns_the_first_url_without_surrounding_punctuation(idea, url):
    assert story_requests.find_url(idea) == url


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("idea-2-video", {}, "idea: is missing"),
        ("idea-2-video", {"idea": "   "}, "idea: is blank: describe the story"),
        ("idea-2-video", {"idea": "word " * 100_000}, "idea: String should have at most 100000 characters"),
        ("idea-2-video", {"idea": "x", "scene_count": 0}, "scene_count: Input should be greater than or equal to 1"),
        ("idea-2-video", {"idea": "x", "scene_count": 21}, "scene_count: Input should be less than or equal to 20"),
        ("idea-2-video", {"idea": "x", "audio_option": "{bad"}, "audio_option: is not valid JSON"),
        (
            "idea-2-video",
            {"idea": "x", "audio_option": "[1]"},
            "audio_option: Input should be a valid dictionary or instance of AudioOption",
        ),
        (
            "idea-2-video",
            {"idea": "x", "aspect_ratio": "2:1"},
            "aspect_ratio: \"2:1\" is not one of '16:9', '4:3', '1:1', '3:4' or '9:16'",
        ),
        (
            "idea-2-video",
            {"idea": "x", "elements": {"characters": [{"name": "A"}, {"name": "A"}]}},
            'characters[1].name: "A" is there twice; names must be unique',
        ),
        ("url-2-video", {"idea": "no address"}, "idea: contains no http(s) URL, and `page` is not set"),
        ("images-2-video", {"idea": "x"}, "image_urls: is missing: set `image_files` or `image_urls`"),
    ],
)
def test_an_invalid_story_api_body_is_refused_with_the_field(name, body, message):
    with pytest.raises(StoryError) as caught:
        story_requests.to_brief(name, body)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("idea", "url"),
    [
        ("https://a.example/b", "https://a.example/b"),
        ("(https://a.example/b).", "https://a.example/b"),
        ("Fox: https://a.example/Fox_(animal)", "https://a.example/Fox_(animal)"),
        ("(https://a.example/Fox_(animal)), he said", "https://a.example/Fox_(animal)"),
        ("HTTPS://A.example/?!", "HTTPS://A.example/"),
        ("no address", None),
    ],
)
def test_find_url_keeps_brackets_that_the_url_opens(idea, url):
    assert story_requests.find_url(idea) == url


def test_a_story_has_at_most_200_elements_of_each_type():
    elements = [{"name": f"element {number}"} for number in range(201)]
    for part in ("characters", "environments", "objects"):
        with pytest.raises(StoryError, match=rf"^elements.{part}: must have at most 200 items, has 201$"):
            story_requests.to_brief("idea-2-video", {"idea": "A fair", "elements": {part: elements}})
    story_requests.to_brief("idea-2-video", {"idea": "A fair", "elements": {"objects": elements[:200]}})
