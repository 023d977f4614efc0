"""Invalid requests get the right code and one error shape, echo nothing, reveal nothing, start and change nothing."""

import pytest
import requests

from tests.engine.server.conftest import KEY
from tests.engine.server.invalid_requests import MARK, all_requests

ROWS = all_requests()
INSIDE = (
    "Traceback",
    "Error(",
    "Exception",
    "pydantic",
    "sqlite",
    "/work/",
    "site-packages",
    "errno",
    "0x7f",
    "/etc/passwd",
)


@pytest.fixture(scope="module")
def asked(server):
    """A session on one connection, and the story that the steps name, in its state before the test."""
    story = server.post("/story", data={"idea": "A fox learns the drum", "scene_count": 1}).json()["data"]
    with requests.Session() as session:
        session.headers["X-Api-Key"] = KEY

        def send(row):
            path = row.path.replace("STORY", story["id"])
            what = (
                {"headers": {"Content-Type": row.content_type}, "data": row.body}
                if row.body
                else {"data": list(row.form)}
            )
            if row.json:
                what = {"headers": {"Content-Type": "application/json"}, "data": row.json.encode()}
            return session.request(row.method, server.url + path, timeout=60, **what)

        before = server.get("/metrics", key=None).text
        yield send
        assert server.story(story["id"]) == story, "refused requests leave a story as it was"
        assert counts(server.get("/metrics", key=None).text) == counts(before), "a rejected request started something"
        assert not server.error_lines()


def counts(text):
    return [line for line in text.splitlines() if line.startswith(("engine_stories", "engine_jobs"))]


def test_no_invalid_request_is_repeated():
    assert len(set(ROWS)) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_an_invalid_request_is_rejected_and_changes_nothing(asked, row):
    answer = asked(row)
    assert answer.status_code in row.codes, (answer.status_code, answer.text[:300])
    body = answer.json()
    assert {"error", "message", "details", "request_id"} == set(body) - {"detail"}
    assert isinstance(body["details"], dict)
    assert body["message"]
    assert len(answer.content) < 2000
    assert MARK not in answer.text
    for word in INSIDE:
        assert word not in answer.text
