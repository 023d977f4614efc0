"""A rejected text gets 451 with field and category, never the text, before any job; `liberal` relaxes some rules."""

import copy
import json

import pytest

from tests.engine.server.routes.test_generate import BODY

NEVER = "We must exterminate all foreigners"
GORE = "A gore film with blood and gore"


def v1(words, strictness):
    body = copy.deepcopy(BODY)
    body["scenes"][1]["prompt"] = words
    return {**body, "strictness": strictness}


@pytest.mark.parametrize(
    ("words", "strictness", "status"),
    [(NEVER, "normal", 451), (NEVER, "liberal", 451), (GORE, "normal", 451), (GORE, None, 451), (GORE, "liberal", 200)],
)
def test_the_strictness_of_a_request_selects_the_rules(server, words, strictness, status):
    answer = server.post("/v1/generate/story?dry_run=1", json=v1(words, strictness))
    assert answer.status_code == status
    if status == 451:
        body = answer.json()
        assert body["error"] == "content_rejected"
        assert body["details"]["field"] == "scenes[1].prompt"
        assert body["details"]["category"]
        assert words not in answer.text


def test_ideas_elements_and_storyboards_are_moderated(server):
    before = server.get("/story").json()["total"]
    for path in ("/story", "/story/idea-2-video"):
        answer = server.post(path, data={"idea": NEVER})
        assert (answer.status_code, answer.json()["details"]["field"]) == (451, "idea")
    elements = json.dumps({"environments": [{"name": "A", "description": NEVER}]})
    answer = server.post("/story", data={"idea": "A snail", "elements": elements})
    assert (answer.status_code, answer.json()["details"]["field"]) == (451, "environments[0].description")
    assert server.get("/story").json()["total"] == before
    story = server.post("/story", data={"idea": "A snail", "scene_count": 1}).json()["data"]
    sent = json.dumps({"scenes": [{"name": "x", "image_description": "A hill.", "narrator": NEVER}]})
    assert server.post(f"/story/{story['id']}/scenes", data={"storyboard": sent}).status_code == 451
    assert server.story(story["id"]) == story
