"""A table of requests with one error each, and the status codes that they may get.

`MARK` stands in values that a response must not echo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.engine.server.routes.test_generate import BODY, changed

MARK = "zQ7x"
IDEA_FIELDS = {"idea": "A fox"}
IMAGE_FIELDS = {"image_urls": "https://pictures.example/a.png"}
UNKNOWN_ID = "91f943a0-3723-438a-b8af-0d95e11814ba"


@dataclass(frozen=True)
class InvalidRequest:
    """A request: form (or `json`, or raw `body` of `content_type`), and the status codes that it may get."""

    method: str
    path: str
    form: tuple[tuple[str, str], ...] = ()
    json: str = ""
    body: bytes = b""
    content_type: str = ""
    codes: frozenset[int] = frozenset({422})

    @property
    def id(self) -> str:
        payload = self.json or str(dict(self.form)) if not self.body else repr(self.body)
        return f"{self.method} {self.path} {payload}"[:90]


def form_request(path: str, fields: dict[str, str], codes: set[int], method: str = "POST") -> InvalidRequest:
    return InvalidRequest(method, path, tuple(fields.items()), codes=frozenset(codes))


INVALID_INTEGERS = ["", "zQ7x", "2.5", "1e3", "0x10", "9" * 30, "1 2", "NaN", "true", "[1]", "١٢", "1\0"]
INVALID_BOOLEANS = ["zQ7x", "2", "-1", "yess", "[]", "null", "{}"]
INVALID_CHOICES = ["zQ7x", "0", "[]", "null", '"x"', "\u202e"]
INVALID_OBJECTS = [
    "zQ7x", "[]", "7", "true", '"zQ7x"', "null", "{", '{"a": 1, "a": 2}', '{"a": NaN}', '{"a": 1e999}', "[" * 3000, '{"a": "\\ud800"}',
]  # fmt: skip
FORBIDDEN_URLS = [
    "zQ7x", "/etc/passwd", "file:///etc/passwd", "ftp://zQ7x.example/a", "gopher://zQ7x/", "data:image/png;base64,AAAA",
    "javascript:alert(1)", "http://", "https:///a.png", "http://10.0.0.1/zQ7x", "http://169.254.169.254/latest/meta-data",
    "http://[::ffff:10.0.0.1]/a", "http://user:zQ7x@a.example/", "http://a.example:25/", "http://0x7f.1/", "http://2130706433/",
    "media:" + "0" * 64, "upload:0:" + "0" * 64, "page:https://a.example/", "http://a.example/\\@10.0.0.1/",
]  # fmt: skip
FILM_PATHS = ["/story/idea-2-video", "/story/url-2-video", "/story/images-2-video"]


def minimal_form(path: str) -> dict[str, str]:
    if path.endswith("images-2-video"):
        return dict(IMAGE_FIELDS)
    return {"idea": "Tell https://page.example/a"} if path.endswith("url-2-video") else dict(IDEA_FIELDS)


def wrong_types() -> Iterator[InvalidRequest]:
    """Yield each field of the creating requests with values of other types. An empty value counts as absent."""
    for path in (*FILM_PATHS, "/story"):
        for name in ("seed", "priority", "scene_count", "page_pictures"):
            if name == "scene_count" and path.endswith("images-2-video"):
                continue  # not a field there
            if name == "page_pictures" and not path.endswith("url-2-video"):
                continue
            bounds = {"seed": ["-1", str(2**63)], "priority": ["11", "-11"], "scene_count": ["0", "-3", "21"]}
            for value in [*INVALID_INTEGERS[1:], *bounds.get(name, ["-1", "11"])]:
                yield form_request(path, {**minimal_form(path), name: value}, {422})
        for name in ("aspect_ratio", "language"):
            for value in INVALID_CHOICES:
                yield form_request(path, {**minimal_form(path), name: value}, {422})
        for value in INVALID_OBJECTS[:-1] if path != "/story/idea-2-video" else INVALID_OBJECTS:
            yield form_request(path, {**minimal_form(path), "audio_option": value}, {422})
    for path in FILM_PATHS:
        for value in INVALID_BOOLEANS:
            yield form_request(path, {**minimal_form(path), "is_transition": value}, {422})
        for value in INVALID_CHOICES:
            yield form_request(path, {**minimal_form(path), "video_tool": value}, {422})
    for name, values in (
        ("image_tool", INVALID_CHOICES),
        ("scene_duration", ["7", "05", "5.0", "zQ7x", "-5"]),
        ("elements", INVALID_OBJECTS),
    ):
        for value in values:
            yield form_request("/story/idea-2-video", {**IDEA_FIELDS, name: value}, {422})
    for value in FORBIDDEN_URLS:
        yield form_request("/story/images-2-video", {"image_urls": value}, {400, 422})
        yield form_request("/story/idea-2-video", {**IDEA_FIELDS, "webhook_url": value}, {422})
    for value in ["zQ7x", "yesterday", "2001-01-01", "9999", "2030-13-01T00:00:00Z", "1e9"]:
        yield form_request("/story", {**IDEA_FIELDS, "expires_at": value}, {422})


def invalid_json_fields() -> Iterator[InvalidRequest]:
    """Yield errors inside JSON text."""
    for option in (
        {"narrator": MARK}, {"narrator": 5}, {"narrator": None}, {"has_bg_music": MARK}, {"has_narration": 1}, {"native_audio": "yes"},
        {"narrator": "rachel"}, {"has_bg_music": None},
    ):  # fmt: skip
        yield form_request("/story", {**IDEA_FIELDS, "audio_option": json.dumps(option)}, {422})
    for elements in (
        {"characters": {}}, {"characters": None}, {"characters": [MARK]}, {"characters": [[]]}, {"characters": [{"description": MARK}]},
        {"characters": [{"name": ""}]}, {"characters": [{"name": 5}]}, {"characters": [{"name": MARK * 100}]},
        {"characters": [{"name": MARK}, {"name": MARK}]}, {"environments": MARK}, {"objects": [{"name": "A", "description": []}]},
        {"objects": [{"name": "A", "image_url": "/etc/passwd"}]}, {"environments": [{"name": "A", "URL": "http://10.0.0.1/zQ7x"}]},
        {"characters": [{"name": "A", "image_url": 7}]},
    ):  # fmt: skip
        yield form_request("/story", {**IDEA_FIELDS, "elements": json.dumps(elements)}, {400, 422})


def invalid_creations() -> Iterator[InvalidRequest]:
    """Yield missing fields, too many entries, and invalid text."""
    for path in ("/story/idea-2-video", "/story/url-2-video", "/story"):
        for fields in ({}, {"idea": ""}, {"idea": " \t\n"}):
            yield form_request(path, fields, {400})
        yield form_request(path, {"idea": "a\0b"}, {422})
        yield form_request(path, {"idea": "http://a.example/ " * 10_000}, {422})
    for idea in ("no address", "ftp://a.example/", "http://", "https://.", "see http://a.example:99999/zQ7x"):
        yield form_request("/story/url-2-video", {"idea": idea}, {400, 422})
    yield form_request("/story/images-2-video", {}, {400})
    yield form_request("/story/images-2-video", {"image_urls": ""}, {400})
    yield form_request("/story", {**IDEA_FIELDS, "title": "x" * 30_000}, {422})
    yield form_request("/story", {**IDEA_FIELDS, "story_id": "a b"}, {400})
    yield form_request("/story", {**IDEA_FIELDS, "story_id": "../../etc"}, {400})
    yield form_request("/story", {**IDEA_FIELDS, "story_id": UNKNOWN_ID}, {404})
    yield form_request("/story", {**IDEA_FIELDS, "strictness": MARK}, {422})
    yield form_request("/story", {**IDEA_FIELDS, "profile": MARK}, {422})
    yield form_request("/story", {**IDEA_FIELDS, "models": json.dumps({MARK: "x"})}, {422})
    for kind in ("write", "narrate", "check_image"):
        yield form_request("/story", {**IDEA_FIELDS, "models": json.dumps({kind: MARK})}, {422})
    yield form_request("/story", {**IDEA_FIELDS, "models": json.dumps({"write": "kokoro"})}, {422})
    yield form_request("/story", {**IDEA_FIELDS, "models": json.dumps({"keyframe": "absent"})}, {503})
    yield form_request("/story", {**IDEA_FIELDS, "video": json.dumps({"fps": 1000})}, {422})
    yield form_request("/story", {**IDEA_FIELDS, "video": json.dumps({"width": 3})}, {422})
    yield form_request("/story", {**IDEA_FIELDS, "music_mood": "a\0"}, {422})


INVALID_STORYBOARDS: list[Any] = [
    {"characters": 5}, {"characters": [5]}, {"characters": [{}]}, {"characters": [{"name": ""}]}, {"characters": [{"name": MARK * 60}]},
    {"characters": [{"name": MARK}, {"name": MARK}]}, {"characters": [{"name": "A", "image_url": "file:///zQ7x"}]},
    {"characters": [{"name": "A", "URL": "http://192.168.0.1/zQ7x.png"}]}, {"characters": [{"name": "A", "description": 5}]},
    {"environments": {}}, {"objects": "zQ7x"}, {"objects": [{"name": "A", "image_url": []}]}, {"scenes": ["zQ7x"]}, {"scenes": {}},
    {"scenes": [{"image_description": 5}]}, {"scenes": [{"narrator": []}]}, {"scenes": [{"camera_movement": {}}]},
    {"scenes": [{"name": "x" * 30_000}]}, {"scenes": [{"image_url": "zQ7x"}]}, {"scenes": [{"name": "x"}] * 21},
]  # fmt: skip


def invalid_steps(story: str) -> Iterator[InvalidRequest]:
    """Yield steps of a story that has only its storyboard."""
    for step in ("elements", "scenes"):
        path = f"/story/{story}/{step}"
        for board in INVALID_STORYBOARDS:
            yield form_request(path, {"storyboard": json.dumps(board)}, {400, 422})
        for value in INVALID_OBJECTS:
            yield form_request(path, {"storyboard": value}, {422})
        for name, values in (
            ("option", INVALID_CHOICES),
            ("aspect_ratio", INVALID_CHOICES),
            ("enhance_image", INVALID_BOOLEANS),
        ):
            for value in values:
                yield form_request(path, {name: value}, {422})
    path = f"/story/{story}/scenes"
    for value in (*INVALID_OBJECTS[:6], json.dumps({"narrator": MARK}), json.dumps({"has_bg_music": MARK})):
        yield form_request(path, {"audio_option": value}, {422})
    path = f"/story/{story}/videos"
    yield form_request(path, {}, {400})
    for name, values in (
        ("duration", [*INVALID_INTEGERS[1:], "0", "11"]), ("loop", [*INVALID_INTEGERS[1:], "0", "7"]), ("is_transition", INVALID_BOOLEANS),
        ("motion_type", [*INVALID_CHOICES, "auto"]), ("webhook_url", FORBIDDEN_URLS[:6]), ("storyboard", INVALID_OBJECTS[:4]),
    ):  # fmt: skip
        for value in values:
            yield form_request(path, {name: value}, {400, 422})
    path = f"/story/{story}/concat"
    yield form_request(path, {}, {400})
    for value in FORBIDDEN_URLS:
        yield form_request(path, {"concat_video_urls": value}, {422})
        yield form_request(path, {"concat_video_urls": "https://clips.example/a.mp4", "audio_urls": value}, {422})
    for fields, codes in (
        ({}, {400}),
        ({"target": MARK}, {422}),
        ({"target": "scene 99"}, {422}),
        ({"target": "x" * 400}, {422}),
    ):
        yield form_request(f"/story/{story}/reroll", fields, codes)
    path = f"/story/{story}"
    for fields in (
        {"visibility_status": "3"}, {"visibility_status": MARK}, {"additional_videos": "{}"}, {"additional_videos": MARK},
        {"title": "x" * 30_000}, {"description": "a\0"},
    ):  # fmt: skip
        yield form_request(path, fields, {422}, "PUT")


def invalid_bodies() -> Iterator[InvalidRequest]:
    """Yield bodies that differ from their content type."""
    urlencoded, json_type = "application/x-www-form-urlencoded", "application/json"
    for body, content_type in (
        (b"idea=%ED%A0%80", urlencoded), (b"idea=\xff\xfe", urlencoded), (b"&".join(b"a%d=1" % n for n in range(2000)), urlencoded),
        (b"idea=zQ7x", "text/plain"), (b"idea=zQ7x", "application/octet-stream"), (b"--x\r\nzQ7x", "multipart/form-data; boundary=x"),
        (b"zQ7x", "multipart/form-data"), (b"{", json_type), (b'{"idea": NaN}', json_type), (b'{"idea": "\\ud800"}', json_type),
        (b'{"idea": "x", "idea": "zQ7x"}', json_type), (b'{"idea": "x", "seed": 9223372036854775808}', json_type),
        (b'{"idea": "x", "seed": ' + b"9" * 5000 + b"}", json_type), (b'{"idea": "x", "scene_count": true}', json_type),
        (b'{"idea": "x", "scene_count": 1.0}', json_type), (b'{"idea": 5}', json_type), (b'{"idea": ["zQ7x"]}', json_type), (b'["idea"]', json_type),
        (b'{"elements":' + b"[" * 5000, json_type), (b"\xef\xbb\xbf", json_type), (b"null", json_type), (b'"zQ7x"', json_type),
    ):  # fmt: skip
        yield InvalidRequest(
            "POST", "/story/idea-2-video", body=body, content_type=content_type, codes=frozenset({400, 422})
        )
        if content_type == json_type:
            yield InvalidRequest(
                "POST", "/v1/generate/story", body=body, content_type=content_type, codes=frozenset({400, 422})
            )


def invalid_paths() -> Iterator[InvalidRequest]:
    """Yield invalid ids and query parameters."""
    for path, codes in (
        ("/nothing", {404}), ("/story/idea-2-video/x", {404}), ("/story/zQ7x%20id", {400}), ("/story/..%2f..%2fetc", {400, 404}),
        ("/story/%00", {400}), ("/story/" + "a" * 200, {400}), ("/story/zQ7x", {404}), (f"/story/{UNKNOWN_ID}", {404}),
        (f"/story/{UNKNOWN_ID}/events", {404}), ("/story?limit=0", {422}), ("/story?limit=zQ7x", {422}), ("/story?limit=101", {422}),
        (f"/story?offset={10**30}", {422}), ("/story?offset=-1", {422}), ("/media/zQ7x/y.png", {404}),
        ("/media/../../etc/passwd", {404}), (f"/v1/jobs/{UNKNOWN_ID}", {404}), ("/v1/jobs/zQ7x%20id", {404}), ("/v1/jobs/%00", {404}),
        ("/v1/nothing", {404}),
    ):  # fmt: skip
        yield InvalidRequest("GET", path, codes=frozenset(codes))
    for method, path in (("PATCH", "/story"), ("DELETE", "/story"), ("PUT", "/v1/models"), ("POST", "/story/options")):
        yield InvalidRequest(method, path, codes=frozenset({400, 404, 405}))


def invalid_jobs() -> Iterator[InvalidRequest]:
    """Yield bodies of the Generate-story API with one error each."""
    wrong_values: list[Any] = [None, 5, True, [], {}, MARK]
    cases = [
        (["characters"], [*wrong_values[:3], [], {}, MARK, [None], [MARK], [{"name": str(n), "appearance": "x"} for n in range(11)]]),
        (["scenes"], [*wrong_values[:3], [], {}, MARK, [{"prompt": "one"}], [{"prompt": str(n)} for n in range(11)], [None, None]]),
        (["characters", 0, "name"], [..., *wrong_values[:5], "", MARK * 60]),
        (["characters", 0, "appearance"], [..., *wrong_values[:5], " "]),
        (["characters", 0, "states"], [None, 5, [], MARK, {"a": 5}, {"a": {"appearance": 5}}, {str(n): {} for n in range(6)}]),
        (["characters", 0, "reference_url"], [5, True, [], {}, "http://a.example/zQ7x.png", *FORBIDDEN_URLS[:9]]),
        (["characters", 1, "name"], ["Ilva"]),
        (["scenes", 1, "prompt"], [..., *wrong_values[:5], " "]),
        (["scenes", 1, "characters"], [None, 5, {}, MARK, [MARK], [{}], [{"name": MARK}], [{"name": "Ilva"}, {"name": "Ilva"}]]),
        (["scenes", 1, "characters", 0, "state"], [5, [], MARK]),
        (["scenes", 0, "location"], [5, [], MARK]),
        (["scenes", 0, "aspect_ratio"], [5, "zQ7x", "16x9", "0:1", "100:1"]),
        (["aspect_ratio"], [5, "zQ7x", "16x9", "-1:1"]),
        (["image_size"], [5, "zQ7x", "8K", "1x1", "99999x99999"]),
        (["locations"], [None, 5, {}, [MARK], [{"name": ""}], [{"name": "A"}, {"name": "A"}]]),
        (["locations", 0, "reference_url"], FORBIDDEN_URLS[:5]),
        (["reference_images"], [None, 5, [{"url": "https://a.example/x"}], [{"description": "x"}], [{"description": "x", "url": MARK}],
                                [{"description": "x", "url": "https://a.example/x.png"}] * 6]),
        (["strictness"], [5, MARK, "NORMAL"]),
        (["raw_prompts"], [5, "yes", []]),
        (["prompt"], [None, 5, []]),
        (["style"], [5, "a\0b"]),
        (["setting"], [5, {}]),
        (["model"], [..., None, 5, []]),
        (["seed"], [-1, 2**63, 1.5, "1", True]),
        (["priority"], [11, "1", 0.5]),
        (["audio"], [5, [], {"narrator": MARK}, {"has_narration": "yes"}]),
    ]  # fmt: skip
    for path, values in cases:
        for value in values:
            text = json.dumps(changed(path, value))
            yield InvalidRequest("POST", "/v1/generate/story", json=text, codes=frozenset({400, 422}))
    for model, code in ((MARK, 404), ("camera", 404), ("local-picture", 422)):
        yield InvalidRequest(
            "POST", "/v1/generate/story", json=json.dumps({**BODY, "model": model}), codes=frozenset({code})
        )


def all_requests(story: str = "STORY") -> list[InvalidRequest]:
    """Return the complete table."""
    return [
        *invalid_creations(),
        *wrong_types(),
        *invalid_json_fields(),
        *invalid_steps(story),
        *invalid_bodies(),
        *invalid_paths(),
        *invalid_jobs(),
    ]
