"""Rejected requests: one error shape, the right code, an unchanged story, no internal details."""

import json
import socket
import time

import pytest
import requests

from engine.planning.plan import PlanningError, PlanningErrorCode
from engine.server.http.errors import to_api_error
from tests.engine.server.conftest import KEY, OTHER_KEY, Server

IDEA = {"idea": "A fox"}
UNKNOWN = "91f943a0-3723-438a-b8af-0d95e11814ba"

CREATING = [
    ("/story/url-2-video", {"idea": "http://10.0.0.1/x"}, {422}),
    ("/story/url-2-video", {"idea": "read http://[::ffff:10.0.0.1]/x now"}, {422}),
    ("/story/images-2-video", {"image_urls": ["https://e.example/x.png"] * 21}, {422}),
]
"""Invalid requests that do not fit into the table of invalid_requests."""


@pytest.fixture(scope="module")
def story(server):
    return server.post("/story", data={"idea": "A fox learns the drum", "scene_count": 1}).json()["data"]


def assert_refused(answer, allowed, *, secret=()):
    assert answer.status_code in allowed, (answer.status_code, answer.text)
    body = answer.json()
    assert {"error", "message", "details", "request_id", "detail"} == set(body)
    assert body["detail"] == body["message"]
    assert isinstance(body["details"], dict)
    assert body["request_id"] == answer.headers["x-request-id"]
    for word in ("Traceback", "Error(", "pydantic", "sqlite", "/work/", "site-packages", *secret):
        assert word not in answer.text


@pytest.mark.parametrize(("path", "form", "allowed"), CREATING, ids=lambda value: str(value)[:50])
def test_an_invalid_creating_request_is_rejected(server, path, form, allowed):
    assert_refused(server.post(path, data=form), allowed)


@pytest.mark.parametrize(
    "data", [b"\xff\xd8\xff" + b"x" * 50, b"GIF89a" + b"x" * 50, b"%!PS\n", b"<svg/>", b"\x89PNG\r\n\x1a\n" + b"x" * 99]
)
def test_a_file_that_is_not_an_image_is_rejected_or_fails_with_a_message(server, data):
    answer = server.post("/story", data=IDEA, files=[("image_files", ("x.jpg", data, "image/jpeg"))])
    if answer.status_code == 200:
        story = answer.json()["data"]
        assert (story["status"], bool(story["message"])) == ("fail", True)
    else:
        assert_refused(answer, {400, 422})


def raw(server, body, kind="application/x-www-form-urlencoded", path="/story/idea-2-video", **headers):
    return server.post(path, data=body, headers={"Content-Type": kind, **headers})


def test_a_body_above_the_limit_is_rejected(tmp_path):
    server = Server(tmp_path, ENGINE_MAX_BODY_MB="1")
    try:
        answer = server.post("/story/idea-2-video", data={"idea": "x" * (2 << 20)})
        assert_refused(answer, {413})

        def chunks():
            for _ in range(30):
                yield b"x" * 100_000

        assert_refused(raw(server, chunks()), {413})
    finally:
        server.stop()


def test_a_body_without_files_above_8_mb_is_rejected(server):
    long = "x" * (9 << 20)
    assert_refused(server.post("/story/idea-2-video", data={"idea": long}), {413})
    assert server.post("/v1/generate/story", json={"prompt": long}).json()["error"] == "too_large"
    assert_refused(server.post("/story", json={"idea": long}), {413})
    assert_refused(server.post("/story", data={"idea": long}, files=[("x", ("x", b"x"))]), {400})


ROUTES = [
    ("POST", "/story/idea-2-video"), ("POST", "/story/url-2-video"), ("POST", "/story/images-2-video"), ("POST", "/story"),
    ("GET", "/story"), ("GET", "/story/options"), ("GET", "/story/{id}"), ("PUT", "/story/{id}"), ("DELETE", "/story/{id}"),
    ("POST", "/story/{id}/elements"), ("POST", "/story/{id}/scenes"), ("POST", "/story/{id}/videos"),
    ("POST", "/story/{id}/concat"), ("POST", "/story/{id}/reroll"), ("GET", "/story/{id}/events"),
    ("POST", "/v1/generate/story"), ("GET", "/v1/models"), ("GET", "/v1/jobs/{id}"), ("DELETE", "/v1/jobs/{id}"),
    ("POST", "/v1/jobs/{id}/reroll"), ("GET", "/v1/jobs/{id}/events"),
]  # fmt: skip


@pytest.mark.parametrize("key", [None, "", "wrong", KEY + "x", KEY.upper()])
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_returns_401_without_a_valid_key(server, story, method, path, key):
    answer = server.request(method, path.format(id=story["id"]), key=key, data=IDEA)
    assert answer.status_code == 401
    assert answer.json()["error"] == "unauthorized"


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if "{id}" in route[1]])
def test_the_id_of_another_owner_gets_the_response_of_an_unknown_id(server, story, method, path):
    answers = [
        server.request(method, path.format(id=one), key=OTHER_KEY, json={"target": "scene 1"})
        for one in (story["id"], UNKNOWN)
    ]
    shapes = [(one.status_code, {**one.json(), "request_id": ""}) for one in answers]
    assert shapes[0] == shapes[1]
    assert answers[0].status_code == 404
    assert server.story(story["id"]) == story


def test_media_of_another_owner_are_rejected_as_input(server, story):
    half = server.post(f"/story/{story['id']}/elements").json()["data"]
    url = half["storyboard"]["environments"][0]["image_url"]
    assert server.post("/story/images-2-video", data={"image_urls": url}, key=OTHER_KEY).status_code == 422
    assert server.post("/story", data={**IDEA, "image_urls": url}).status_code == 200


def test_a_modified_media_url_returns_404(server, story):
    half = server.post(f"/story/{story['id']}/elements").json()["data"]
    url = half["storyboard"]["environments"][0]["image_url"]
    token = url.split("/")[-2]
    assert requests.get(url, timeout=30).status_code == 200
    bent = token[:-5] + ("A" if token[-5] != "A" else "B") + token[-4:]  # the last character has unused bits
    for bad in (bent, token[::-1], "x", "." + token):
        assert requests.get(url.replace(token, bad), timeout=30).status_code == 404


@pytest.mark.parametrize("form", [{"audio_option": json.dumps({"has_narration": False, "narrator": "Zorro"})},
                                  {"audio_option": json.dumps({"native_audio": True, "narrator": "Zorro"})},
                                  {"narrator": "Zorro"}, {"no_such_field": "x"}, {"title": "", "language": "", "scene_count": ""},
                                  {"audio_option": ""}, {"audio_option": "{}"}, {"elements": "{}"}])  # fmt: skip
def test_ignored_fields_cause_no_error(server, form):
    assert server.post("/story?dry_run=true", data={**IDEA, **form}).status_code == 200


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "1", "yes", "on", "false", "False", "0", "no", "off"])
def test_every_spelling_of_a_boolean_is_accepted(server, text):
    assert server.post("/story/idea-2-video?dry_run=true", data={**IDEA, "is_transition": text}).status_code == 200


@pytest.mark.parametrize(
    "how",
    [
        {"data": IDEA},
        {"files": {"idea": (None, "A fox")}},
        {"json": IDEA},
        {
            "json": {
                **IDEA,
                "scene_count": 2,
                "elements": {"characters": [{"name": "A", "id": 7}]},
                "is_transition": True,
            }
        },
        {"data": "idea=Ein Füchslein".encode(), "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    ],
)
@pytest.mark.parametrize("path", ["/story/idea-2-video", "/story"])
def test_every_content_type_is_accepted(server, how, path):
    assert server.post(f"{path}?dry_run=true", **how).status_code == 200


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("image_tool", ["Seedream", "FluxTurbo", "NanoBanana", "QwenImage"]),
        ("video_tool", ["Auto", "KlingAI", "Seedance", "Pixverse", "VeoFast"]),
        ("aspect_ratio", ["16:9", "4:3", "1:1", "3:4", "9:16"]),
        ("scene_duration", ["5", "10", 5, 10]),
        (
            "language",
            ["Arabic", "Chinese", "English", "French", "German", "Hindi", "Japanese", "Korean", "Spanish", "Turkish"],
        ),
        ("scene_count", [1, 20]),
    ],
)
def test_every_enumerated_value_of_the_contract_is_accepted(server, name, values):
    for value in values:
        assert server.post("/story/idea-2-video?dry_run=true", data={**IDEA, name: value}).status_code == 200


def test_every_narrator_is_accepted(server):
    narrators = server.get("/story/options").json()["data"]["narrator"]
    assert len(set(narrators)) == 21
    for narrator in narrators:
        form = {**IDEA, "audio_option": json.dumps({"narrator": narrator})}
        assert server.post("/story?dry_run=true", data=form).status_code == 200


def test_a_client_that_disconnects_during_a_request_causes_no_error_log(server):
    host, port = server.url.removeprefix("http://").split(":")
    head = f"POST /story HTTP/1.1\r\nHost: {host}\r\nX-Api-Key: {KEY}\r\nContent-Length: 1000\r\n\r\nidea=half"
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json"):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head.replace("Content-Length", f"Content-Type: {kind}\r\nContent-Length").encode())
            time.sleep(0.1)
    assert server.get("/story/options").status_code == 200
    assert not server.error_lines()


@pytest.mark.parametrize("wording", ['no profile "{}"', "the profile {} is unknown", '{}; no model "x" in models.yaml'])
def test_the_answer_to_a_planning_error_never_has_the_value_whatever_the_wording_of_the_message(wording):
    error = PlanningError(
        "profile", wording.format("my secret"), PlanningErrorCode.UNKNOWN_PROFILE, value="my secret", redacted="unknown"
    )
    answer = to_api_error(error)
    assert (answer.status, answer.message) == (422, "profile: unknown")
