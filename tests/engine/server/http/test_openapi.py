"""Requests made from the API page: bounded here, 5,000 and more in scripts/bench server."""

import re

import pytest
import requests

from tests.engine.server.conftest import KEY, Server
from tests.engine.server.fuzz import fuzz
from tests.engine.server.routes.test_generate import BODY


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("home"), ENGINE_SYNC_WAIT_SECONDS="0.05,0.05,0.05")
    yield server
    server.stop()


def test_no_request_breaks_the_server_and_every_answer_is_on_the_page(server):
    story = server.post("/story", data={"idea": "A snail", "scene_count": 1}).json()["data"]["id"]
    job = server.post("/v1/generate/story", json=BODY).json()["job_id"]
    server.wait(story)
    server.wait_job(job)
    sent, _ = fuzz(server.url, KEY, 380, {"story_id": story, "job_id": job})
    assert sent >= 280
    assert not server.error_lines()


def test_the_page_needs_nobody_elses_network(server):
    """Users without internet read it too."""
    page = requests.get(f"{server.url}/docs", timeout=10).text
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert links
    assert all(link.startswith("/") and requests.get(server.url + link, timeout=10).ok for link in links)
