"""Webhooks: stored before they are sent, retried with the same id, signed, independent of slow receivers."""

import json
import time

import pytest
from standardwebhooks.webhooks import Webhook

from engine.inputs.fetch import UrlFetcher
from engine.server.jobs.credits import Credits
from engine.server.jobs.queue import JobRequest
from engine.server.jobs.stories import Records
from engine.server.jobs.webhook_outbox import Outbox
from engine.server.jobs.webhook_sender import WebhookSender
from engine.storage.database import Database, DatabaseError
from engine.story.model import Scene, Story
from tests.engine.server.conftest import Server

QUIET = json.dumps({"has_bg_music": False, "has_narration": False})
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def drip(handler):
    """A receiver that responds with one byte per second."""
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


def submit(server, web_server, path, behaviour=(), **form):
    web_server.webhook_responses[path] = list(behaviour)
    form = {"idea": "A snail", "scene_count": 1, "audio_option": QUIET, "webhook_url": web_server.url + path, **form}
    answer = server.post("/story/idea-2-video", data=form)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["id"]


def test_each_of_seven_kinds_of_receivers_gets_its_webhooks_without_delaying_others(server, web_server):
    """The slow and silent receivers come first; they delay no other."""
    ids = {
        "/silent": submit(server, web_server, "/silent", [silent] * 9),
        "/drip": submit(server, web_server, "/drip", [drip]),
        "/redirect": submit(server, web_server, "/redirect", [302] * 9),
        "/error": submit(server, web_server, "/error", [500, 503]),
        "/cut": submit(server, web_server, "/cut", [cut]),
        "/refused": submit(server, web_server, "/refused", [410] * 9),
        "/good": submit(server, web_server, "/good"),
    }
    began = time.monotonic()
    stories = {path: server.wait(story_id) for path, story_id in ids.items()}
    assert all(story["status"] == "success" for story in stories.values())
    web_server.wait_for_webhooks("/good", seconds=5)
    assert len(web_server.wait_for_webhooks("/error", 3, seconds=10)) == 3  # two failures, then success
    assert len(web_server.wait_for_webhooks("/cut", 2, seconds=10)) == 2
    # One attempt per retry delay and the first one, then it fails.
    assert len(web_server.wait_for_webhooks("/refused", 4, seconds=10)) == 4
    assert time.monotonic() - began < 30
    assert not web_server.webhooks_to("/redirected")
    time.sleep(1)
    assert len(web_server.webhooks_to("/error")) == 3
    assert len(web_server.webhooks_to("/refused")) == 4
    assert len(web_server.webhooks_to("/drip")) == 1  # its status is enough; the body is not read
    for path, story_id in ids.items():
        assert {json.loads(body)["batch_id"] for _, _, body, _ in web_server.webhooks_to(path)} == {story_id}


def test_every_webhook_attempt_has_the_same_id_and_a_valid_signature(server, web_server):
    submit(server, web_server, "/signed", [500])
    hooks = web_server.wait_for_webhooks("/signed", 2)
    assert len({headers["webhook-id"] for _, headers, _, _ in hooks}) == 1
    for _, headers, body, _ in hooks:
        payload = Webhook(SECRET).verify(body.decode(), headers)
        assert (payload["customer_id"], payload["status"]) == ("studio-7", "success")


def test_a_failed_story_sends_a_webhook(server, web_server):
    form = {"image_urls": f"{web_server.url}/gone.png", "webhook_url": f"{web_server.url}/failed"}
    story_id = server.post("/story/images-2-video", data=form).json()["data"]["id"]
    assert server.wait(story_id)["status"] == "fail"
    ((_, _, body, _),) = web_server.wait_for_webhooks("/failed")
    assert json.loads(body)["status"] == "fail"


def test_a_pending_webhook_is_sent_after_the_server_was_killed(tmp_path, web_server):
    server = Server(tmp_path, ENGINE_WEBHOOK_RETRY_DELAYS="1.5,1.5,1.5")
    story_id = submit(server, web_server, "/late", [500])
    server.wait(story_id)
    web_server.wait_for_webhooks("/late")
    server.stop(kill=True)
    server.start()
    try:
        hooks = web_server.wait_for_webhooks("/late", 2)
        assert hooks[0][1]["webhook-id"] == hooks[1][1]["webhook-id"]
    finally:
        server.stop()


class FullDatabaseOutbox(Outbox):
    """An outbox that cannot store the first three attempts."""

    refused = 0

    def record_attempt(self, *arguments, **options):
        if self.refused < 3:
            self.refused += 1
            raise DatabaseError("disk full")
        super().record_attempt(*arguments, **options)


def test_a_sent_webhook_is_not_sent_again_while_the_database_is_unavailable(tmp_path, web_server):
    with Database(tmp_path / "engine.sqlite") as database:
        records = Records(database, Credits(database, 0, {}))
        outbox = FullDatabaseOutbox(database)
        story = Story(title="A snail", scenes=(Scene(prompt="A snail"),))
        records.create("me", "story", story, JobRequest("film"), webhook=f"{web_server.url}/once")
        records.finish_job(records.queue.claim(), "done", film="f" * 64, webhook_body=lambda record: "{}")
        sender = WebhookSender(outbox, UrlFetcher(allow_private=True), SECRET, (0.1,))
        sender.start()
        deadline = time.monotonic() + 20
        while records.count_by_state().get("webhooks.sent") != 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        sender.stop()
        assert outbox.refused == 3
        assert len(web_server.webhooks_to("/once")) == 1
