"""The Generate-story API: jobs of portraits and scene images, validation before a job exists, the model list."""

import copy
import io
import uuid

import pytest
import requests
from PIL import Image

from tests.engine.server.conftest import KEY, OTHER_KEY
from tests.engine.server.fake_web_server import make_image

BODY = {
    "model": "local-story",
    "characters": [
        {"name": "Ilva", "appearance": "a girl with a red scarf", "states": {"wet": {"appearance": "dripping wet"}}},
        {"name": "Otto", "appearance": "an old otter with a hat"},
    ],
    "locations": [{"name": "River", "description": "a wide green river"}],
    "scenes": [
        {"prompt": "Ilva finds a map", "characters": [{"name": "Ilva"}], "location": "River"},
        {"prompt": "Ilva falls in", "characters": [{"name": "Ilva", "state": "wet"}], "location": "River"},
        {"prompt": "Otto laughs", "characters": [{"name": "Otto", "state": None}], "aspect_ratio": "1:1"},
    ],
    "aspect_ratio": "16:9",
    "style": "ink and wash",
    "setting": "autumn",
    "strictness": None,
}


def changed(path, value):
    """Return the body with one value replaced; `...` removes it."""
    body = copy.deepcopy(BODY)
    place = body
    for part in path[:-1]:
        place = place[part]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return body


@pytest.fixture(scope="module")
def done(server):
    answer = server.post("/v1/generate/story", json=BODY)
    return answer, server.wait_job(answer.json()["job_id"])


def test_a_created_job_returns_202_with_a_poll_url(done, server):
    answer, _ = done
    assert answer.status_code == 202
    body = answer.json()
    assert str(uuid.UUID(body["job_id"])) == body["job_id"]
    assert body["status"] == "pending"
    assert body["poll_url"] == f"{server.url}/v1/jobs/{body['job_id']}"
    assert server.get(body["poll_url"]).status_code == 200


def test_the_result_has_a_signed_image_of_every_scene_and_used_character_state(done):
    job = done[1]
    assert (job["status"], job["scenes_completed"], job["scenes_total"], job["progress_percentage"]) == (
        "completed",
        3,
        3,
        100,
    )
    assert (job["error"], job["message"]) == (None, None)
    for number, scene in enumerate(job["result"]["scenes"]):
        assert scene["index"] == number
        image = Image.open(io.BytesIO(requests.get(scene["image_url"], timeout=30).content))
        assert image.size == (scene["width"], scene["height"])
    assert job["result"]["scenes"][2]["width"] == job["result"]["scenes"][2]["height"]
    looks = [(one["name"], one["state"]) for one in job["result"]["characters"]]
    assert looks == [("Ilva", None), ("Ilva", "wet"), ("Otto", None)]
    assert all(requests.get(one["image_url"], timeout=30).ok for one in job["result"]["characters"])


def test_the_result_has_the_enhanced_scene_images(done, server):
    answer = server.post("/v1/generate/story", json={**BODY, "enhance_image": True})
    job = server.wait_job(answer.json()["job_id"])
    assert (job["status"], job["scenes_completed"]) == ("completed", 3)
    for plain, better in zip(done[1]["result"]["scenes"], job["result"]["scenes"], strict=True):
        pictures = [requests.get(scene["image_url"], timeout=30).content for scene in (plain, better)]
        assert pictures[0] != pictures[1]
        assert len({Image.open(io.BytesIO(data)).size for data in pictures}) == 1


def test_a_reference_image_is_imported_into_the_story(server, web_server):
    web_server.files["/ilva.png"] = ("image/png", make_image())
    body = changed(["characters", 0, "reference_url"], f"{web_server.url}/ilva.png")
    body["reference_images"] = [{"description": "the mood", "url": f"{web_server.url}/ilva.png"}]
    job = server.wait_job(server.post("/v1/generate/story", json=body).json()["job_id"])
    assert job["status"] == "completed", job["message"]
    assert "/ilva.png" in web_server.requested_paths


def test_an_unreadable_reference_image_fails_the_job(server, web_server):
    web_server.files["/broken.png"] = ("image/png", b"\x89PNG\r\n\x1a\n" + b"x" * 200)
    for path in ("/broken.png", "/not-there.png"):
        body = changed(["characters", 0, "reference_url"], web_server.url + path)
        job = server.wait_job(server.post("/v1/generate/story", json=body).json()["job_id"])
        assert (job["status"], job["result"]) == ("failed", None)
        assert job["error"]
        assert "characters[0].reference_url" in job["message"]


HOSTILE = "http://example.com/x.png"
BAD = [
    (["characters", 0, "name"], ..., "characters[0].name"),
    (["characters", 0, "appearance"], ..., "characters[0].appearance"),
    (["characters", 0, "states"], {str(n): {"appearance": "x"} for n in range(6)}, "characters[0].states"),
    (["characters", 1, "name"], "Ilva", "characters[1].name"),
    (["characters"], [], "characters"),
    (["characters"], None, "characters"),
    (["characters"], ..., "characters"),
    (["characters"], [{"name": str(n), "appearance": "x"} for n in range(11)], "characters"),
    (["scenes"], [], "scenes"),
    (["scenes"], None, "scenes"),
    (["scenes"], [{"prompt": "one"}], "scenes"),
    (["scenes"], [{"prompt": str(n)} for n in range(11)], "scenes"),
    (["scenes", 1, "prompt"], ..., "scenes[1].prompt"),
    (["scenes", 1, "characters", 0, "name"], "Nobody", "scenes[1].characters[0].name"),
    (["scenes", 1, "characters", 0, "state"], "dry", "scenes[1].characters[0].state"),
    (["scenes", 0, "location"], "Moon", "scenes[0].location"),
    (["scenes", 0, "aspect_ratio"], "wide", "scenes[0].aspect_ratio"),
    (["reference_images"], [{"description": "x", "url": "https://e.example/x.png"}] * 6, "reference_images"),
    (["reference_images"], [{"url": "https://e.example/x.png"}], "reference_images[0].description"),
    (["reference_images"], [{"description": "x"}], "reference_images[0].url"),
    (["reference_images"], [{"description": "x", "url": HOSTILE}], "reference_images[0].url"),
    (["characters", 0, "reference_url"], HOSTILE, "characters[0].reference_url"),
    (["characters", 0, "reference_url"], "no url", "characters[0].reference_url"),
    (["characters", 0, "reference_url"], "file:///etc/passwd", "characters[0].reference_url"),
    (["characters", 0, "reference_url"], "/etc/passwd", "characters[0].reference_url"),
    (["locations", 0, "name"], ..., "locations[0].name"),
    (["strictness"], "strict", "strictness"),
    (["aspect_ratio"], "5", "aspect_ratio"),
    (["image_size"], "8K", "image_size"),
    (["model"], ..., "model"),
    (["raw_prompts"], "yes", "raw_prompts"),
    (["style"], "a\0b", "body"),
]


@pytest.mark.parametrize(("path", "value", "field"), BAD, ids=lambda value: str(value)[:40])
def test_an_invalid_body_is_rejected_before_a_job_exists(server, path, value, field):
    answer = server.post("/v1/generate/story", json=changed(path, value))
    assert answer.status_code in (400, 422), answer.text
    body = answer.json()
    assert set(body) == {"error", "message", "details", "request_id"}
    if answer.status_code == 422:
        assert body["error"] == "validation_error"
        assert body["details"]["field"] == field


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("no-such", 404, "model_not_found"),
        ("local-picture", 422, "model_not_capable"),
        ("camera", 404, "model_not_found"),
    ],
)
def test_a_model_that_cannot_run_the_job_is_rejected(server, model, status, code):
    answer = server.post("/v1/generate/story", json={**BODY, "model": model})
    assert (answer.status_code, answer.json()["error"]) == (status, code)


@pytest.mark.parametrize(
    "text", ["", "{", '{"a": 1, "a": 2}', '{"a": NaN}', '{"a": 1e999}', '"\\ud800"', "[" * 9999, b"\xff\xfe"]
)
def test_invalid_json_returns_400(server, text):
    answer = server.post("/v1/generate/story", data=text, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] in ("invalid_json", "invalid_text")


def test_unknown_keys_are_ignored_with_a_warning(server):
    job = server.wait_job(server.post("/v1/generate/story", json={**BODY, "colour": "x"}).json()["job_id"])
    assert job["status"] == "completed"
    assert any("colour" in warning for warning in job["warnings"])


def test_another_key_cannot_read_the_job(done, server):
    job_id = done[1]["job_id"]
    never = server.get(f"/v1/jobs/{uuid.uuid4()}", key=OTHER_KEY)
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/events")):
        answer = server.request(method, f"/v1/jobs/{job_id}{path}", key=OTHER_KEY)
        assert (answer.status_code, answer.json()["error"]) == (404, "job_not_found")
        assert answer.json()["message"] == never.json()["message"]
    assert server.get(f"/story/{job_id}").status_code == 404  # jobs and stories have separate ids


def test_a_job_can_be_cancelled_and_deleted(server):
    body = changed(["scenes"], [{"prompt": f"Scene {n}", "characters": [{"name": "Ilva"}]} for n in range(10)])
    job_id = server.post("/v1/generate/story", json={**body, "seed": 99, "aspect_ratio": "4:1"}).json()["job_id"]
    assert server.request("DELETE", f"/v1/jobs/{job_id}").status_code == 200
    assert server.get(f"/v1/jobs/{job_id}").status_code == 404


def test_a_dry_run_of_a_job_creates_nothing(server):
    before = server.get("/metrics", key=None).text
    answer = server.post("/v1/generate/story?dry_run=true", json=BODY)
    plan = answer.json()
    assert (answer.status_code, plan["dry_run"], plan["exact"]) == (200, True, True)
    assert {"portrait:Ilva", "keyframe:1"} <= {step["id"] for step in plan["steps"]}
    assert plan["seconds"] >= 0
    stories = [line for line in before.splitlines() if line.startswith("engine_stories")]
    assert stories == [
        line for line in server.get("/metrics", key=None).text.splitlines() if line.startswith("engine_stories")
    ]


def test_a_bearer_token_is_accepted_as_api_key(server):
    for header in ({"Authorization": f"Bearer {KEY}"}, {"authorization": f"bearer {KEY}"}, {"x-api-key": KEY}):
        assert requests.get(f"{server.url}/v1/models", headers=header, timeout=30).status_code == 200


def test_the_model_list_has_the_capabilities_of_each_model(server):
    models = server.get("/v1/models").json()["models"]
    assert {model["supports_multiturn"] for model in models} == {True, False}
    assert "local-story" in {model["id"] for model in models}
    assert all({"id", "supports_multiturn", "installed", "licence"} <= set(model) for model in models)
