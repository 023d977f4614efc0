"""Bad input never harms: the right code, one shape, nothing echoed, nothing from inside told, nothing begun, nothing changed."""

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
    """Ask on one connection; the story that steps name, as it was before."""
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
        assert counts(server.get("/metrics", key=None).text) == counts(before), "nothing was begun"
        assert not server.error_lines()


def counts(text):
    return [line for line in text.splitlines() if line.startswith(("engine_stories", "engine_jobs"))]


def test_no_invalid_request_is_repeated():
    assert len(set(ROWS)) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_bad_input(asked, row):
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
