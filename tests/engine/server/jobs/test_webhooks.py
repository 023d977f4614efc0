"""Webhooks: saved before they are sent, tried again with the same id, signed, never in anybody's way."""

import json
import time

import pytest
from standardwebhooks.webhooks import Webhook

from engine.inputs.fetch import Door
from engine.server.jobs.credits import Credits
from engine.server.jobs.queue import Order
from engine.server.jobs.stories import Records
from engine.server.jobs.webhook_outbox import Outbox
from engine.server.jobs.webhook_sender import Sender
from engine.storage.database import Jobs, JobsError
from engine.story.model import Scene, Story
from tests.engine.server.conftest import Server

QUIET = json.dumps({"has_bg_music": False, "has_narration": False})
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def drip(handler):
    """Answers one byte a second, for a long time."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(60):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(1)


def silent(handler):
    time.sleep(60)


def cut(handler):
    handler.connection.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("home"), ENGINE_WEBHOOK_SECRET=SECRET, ENGINE_CUSTOMER_ID="studio-7")
    yield server
    server.stop()


def submit(server, elsewhere, path, behaviour=(), **form):
    elsewhere.behaviour[path] = list(behaviour)
    form = {"idea": "A snail", "scene_count": 1, "audio_option": QUIET, "webhook_url": elsewhere.url + path, **form}
    answer = server.post("/story/idea-2-video", data=form)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["id"]


def test_seven_kinds_of_receivers(server, elsewhere):
    """Slow and silent ones first: they delay nobody."""
    ids = {
        "/silent": submit(server, elsewhere, "/silent", [silent] * 9),
        "/drip": submit(server, elsewhere, "/drip", [drip]),
        "/redirect": submit(server, elsewhere, "/redirect", [302] * 9),
        "/error": submit(server, elsewhere, "/error", [500, 503]),
        "/cut": submit(server, elsewhere, "/cut", [cut]),
        "/refused": submit(server, elsewhere, "/refused", [410] * 9),
        "/good": submit(server, elsewhere, "/good"),
    }
    began = time.monotonic()
    stories = {path: server.wait(story_id) for path, story_id in ids.items()}
    assert all(story["status"] == "success" for story in stories.values())
    elsewhere.wait_for("/good", seconds=5)
    assert len(elsewhere.wait_for("/error", 3, seconds=10)) == 3  # twice in vain, then taken
    assert len(elsewhere.wait_for("/cut", 2, seconds=10)) == 2
    assert len(elsewhere.wait_for("/refused", 4, seconds=10)) == 4  # as often as there are pauses, then given up
    assert time.monotonic() - began < 30
    assert not elsewhere.of("/redirected")
    time.sleep(1)
    assert len(elsewhere.of("/error")) == 3
    assert len(elsewhere.of("/refused")) == 4
    assert len(elsewhere.of("/drip")) == 1  # its status came, nobody reads on
    for path, story_id in ids.items():
        assert {json.loads(body)["batch_id"] for _, _, body, _ in elsewhere.of(path)} == {story_id}


def test_every_try_has_the_same_id_and_a_good_signature(server, elsewhere):
    submit(server, elsewhere, "/signed", [500])
    hooks = elsewhere.wait_for("/signed", 2)
    assert len({headers["webhook-id"] for _, headers, _, _ in hooks}) == 1
    for _, headers, body, _ in hooks:
        told = Webhook(SECRET).verify(body.decode(), headers)
        assert (told["customer_id"], told["status"]) == ("studio-7", "success")


def test_failure_is_told_too(server, elsewhere):
    form = {"image_urls": f"{elsewhere.url}/gone.png", "webhook_url": f"{elsewhere.url}/failed"}
    story_id = server.post("/story/images-2-video", data=form).json()["data"]["id"]
    assert server.wait(story_id)["status"] == "fail"
    ((_, _, body, _),) = elsewhere.wait_for("/failed")
    assert json.loads(body)["status"] == "fail"


def test_what_was_not_sent_is_sent_after_a_kill(tmp_path, elsewhere):
    server = Server(tmp_path, ENGINE_WEBHOOK_PAUSES="1.5,1.5,1.5")
    story_id = submit(server, elsewhere, "/late", [500])
    server.wait(story_id)
    elsewhere.wait_for("/late")
    server.stop(kill=True)
    server.start()
    try:
        hooks = elsewhere.wait_for("/late", 2)
        assert hooks[0][1]["webhook-id"] == hooks[1][1]["webhook-id"]
    finally:
        server.stop()


class Full(Outbox):
    """An outbox that takes no word of what was tried, the first three times."""

    refused = 0

    def tried(self, *told, **more):
        if self.refused < 3:
            self.refused += 1
            raise JobsError("disk full")
        super().tried(*told, **more)


def test_what_was_sent_is_not_sent_again_while_that_cannot_be_written_down(tmp_path, elsewhere):
    with Jobs(tmp_path / "engine.sqlite") as jobs:
        records = Records(jobs, Credits(jobs, 0, {}))
        outbox = Full(jobs)
        story = Story(title="A snail", scenes=(Scene(prompt="A snail"),))
        records.create("me", "story", story, Order("film"), webhook=f"{elsewhere.url}/once")
        records.end(records.queue.take(), "done", film="f" * 64, webhook_body=lambda record: "{}")
        sender = Sender(outbox, Door(allow_private=True), SECRET, (0.1,))
        sender.start()
        deadline = time.monotonic() + 20
        while records.counts().get("deliveries.sent") != 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        sender.stop()
        assert outbox.refused == 3
        assert len(elsewhere.of("/once")) == 1
