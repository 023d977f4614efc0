"""Operation of the server: idempotency, full queues, stops and kills, keys, probes, expiry, concurrency."""

import json
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests.engine.server.conftest import KEY, OTHER_KEY, ROOT, TEST_SETTINGS, Server
from tests.engine.server.fake_web_server import make_image

QUIET = json.dumps({"has_bg_music": False, "has_narration": False})
ONE_JOB = {
    "model": "local-story",
    "characters": [{"name": "Ilva", "appearance": "a red scarf"}],
    "scenes": [{"prompt": f"Ilva walks {n} miles"} for n in range(3)],
}
LONG = {"idea": "A long journey over many mountains", "scene_count": 10, "audio_option": QUIET}


class TestIdempotency:
    def test_a_repeated_idempotency_key_returns_the_first_response(self, server):
        headers = {"Idempotency-Key": "one"}
        form = {"idea": "A snail", "scene_count": 1, "audio_option": QUIET}
        first = server.post("/story/idea-2-video", data=form, headers=headers)
        again = server.post("/story/idea-2-video", data=form, headers=headers)
        assert again.json() == first.json()
        assert again.headers["idempotency-replayed"] == "true"
        other = server.post("/story/idea-2-video", data={**form, "idea": "A slug"}, headers=headers)
        assert (other.status_code, other.json()["error"]) == (409, "conflict")
        path = server.post("/story", data=form, headers=headers)
        assert path.status_code == 409

    def test_idempotent_requests_compare_uploads_by_their_bytes(self, server):
        headers = {"Idempotency-Key": "two"}

        def send(colour):
            files = [("image_files", ("x.png", make_image(colour=colour), "image/png"))]
            return server.post("/story/images-2-video", files=files, data={"audio_option": QUIET}, headers=headers)

        first, again, other = send((1, 2, 3)), send((1, 2, 3)), send((9, 9, 9))
        assert first.json() == again.json()
        assert other.status_code == 409

    def test_a_rejected_request_releases_its_idempotency_key(self, server):
        headers = {"Idempotency-Key": "three"}
        assert server.post("/story", data={}, headers=headers).status_code == 400
        assert server.post("/story", data={"idea": "A snail", "scene_count": 1}, headers=headers).status_code == 200

    def test_idempotency_keys_of_different_owners_are_independent(self, server):
        headers = {"Idempotency-Key": "four"}
        form = {"idea": "A snail", "scene_count": 1}
        ids = {
            server.post("/story", data=form, headers=headers, key=key).json()["data"]["id"] for key in (KEY, OTHER_KEY)
        }
        assert len(ids) == 2

    def test_jobs_and_steps_accept_idempotency_keys(self, server):
        story_id = server.post("/story", data={"idea": "A snail", "scene_count": 1}).json()["data"]["id"]
        answers = [server.post(f"/story/{story_id}/elements", headers={"Idempotency-Key": "five"}) for _ in range(2)]
        assert answers[0].json() == answers[1].json()


def test_with_two_concurrent_stories_a_step_does_not_queue_behind_a_film(tmp_path):
    server = Server(tmp_path, ENGINE_MAX_CONCURRENT_STORIES="2")
    try:
        long = server.post("/story/idea-2-video", data={**LONG, "scene_count": 20}).json()["data"]["id"]
        began = time.monotonic()
        while server.story(long)["progress_percentage"] < 5:
            assert time.monotonic() - began < 60
            time.sleep(0.05)
        story = server.post("/story", data={"idea": "A snail", "scene_count": 1, "audio_option": QUIET}).json()["data"]
        scenes = server.post(f"/story/{story['id']}/scenes").json()["data"]["scenes"]
        assert "image_url" in scenes[0]
        assert server.story(long)["status"] == "processing"
        assert server.request("DELETE", f"/story/{long}").status_code == 200
        assert server.post(f"/story/{story['id']}/videos").status_code == 200
        assert server.wait(story["id"])["status"] == "success"
        assert not server.error_lines()
    finally:
        server.stop()


def test_of_concurrent_steps_of_one_story_one_starts_and_the_others_get_story_busy(tmp_path):
    server = Server(tmp_path, ENGINE_MAX_CONCURRENT_STORIES="2")
    try:
        form = {"idea": "A snail", "scene_count": 1, "audio_option": QUIET}
        story_id = server.post("/story", data=form).json()["data"]["id"]
        job_id = server.post("/v1/generate/story", json=ONE_JOB).json()["job_id"]
        assert server.wait_job(job_id)["status"] == "completed"
        answers = {"videos": [], "reroll": []}
        assert server.post(f"/story/{story_id}/scenes").status_code == 200

        def send(path, name, **what):
            answer = server.post(path, **what)
            answers[name].append((answer.status_code, answer.json().get("error")))

        threads = [
            *(threading.Thread(target=send, args=(f"/story/{story_id}/videos", "videos")) for _ in range(8)),
            *(
                threading.Thread(
                    target=send, args=(f"/v1/jobs/{job_id}/reroll", "reroll"), kwargs={"json": {"target": "scene 1"}}
                )
                for _ in range(8)
            ),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(answers["videos"]) <= {(200, None), (400, "story_busy")}
        assert set(answers["reroll"]) <= {(202, None), (409, "job_busy")}
        assert server.get("/readyz").json()["checks"]["scheduler"]
        assert server.wait(story_id)["status"] == "success"
        assert server.wait_job(job_id)["status"] == "completed"
        assert not server.error_lines()
    finally:
        server.stop()


class TestCredits:
    def test_without_a_credit_budget_nothing_is_counted(self, server):
        form = {"idea": "A snail", "scene_count": 1, "audio_option": QUIET}
        story = server.wait(server.post("/story/idea-2-video", data=form).json()["data"]["id"])
        assert (story["status"], story["used_credits"]) == ("success", 0)
        assert server.post("/story?dry_run=1", data=form).json()["data"]["credits"] == 0

    def test_executed_steps_cost_credits_and_a_request_above_the_budget_gets_402(self, tmp_path):
        server = Server(tmp_path, ENGINE_CREDIT_BUDGET="12", ENGINE_CREDIT_COSTS="scene_image=1,scene_video=4")
        try:
            form = {"idea": "A snail", "scene_count": 2, "audio_option": QUIET}
            dry = server.post("/story/idea-2-video?dry_run=1", data=form).json()["data"]
            assert dry["credits"] == 10
            story = server.post("/story", data=form).json()["data"]
            assert story["used_credits"] == 0
            story = server.post(f"/story/{story['id']}/scenes").json()["data"]
            assert story["used_credits"] == 2
            again = server.post(f"/story/{story['id']}/scenes").json()["data"]
            assert again["used_credits"] == 2  # every step was cached
            server.post(f"/story/{story['id']}/videos")
            story = server.wait(story["id"])
            assert (story["status"], story["used_credits"]) == ("success", 10)

            answers = [
                server.post("/story/idea-2-video", data={**form, "scene_count": 1, "idea": "A whale"}),
                server.post("/v1/generate/story", json=ONE_JOB),
                server.post(f"/story/{story['id']}/reroll", data={"target": "scene 1"}),
                server.post(f"/story/{story['id']}/videos", data={"duration": "2"}),
            ]
            for answer in answers:
                assert (answer.status_code, answer.json()["error"]) == (402, "insufficient_credits"), answer.text
                assert answer.json()["details"]["remaining"] == 2
            assert server.story(story["id"]) == story
            assert server.get("/story").json()["total"] == 1

            assert server.post("/story", data=form).status_code == 200  # costs nothing
            other = server.post(
                "/story/idea-2-video", data={**form, "scene_count": 1, "idea": "A whale"}, key=OTHER_KEY
            )
            assert other.status_code == 200
            server.stop()
            server.start()
            assert server.post("/v1/generate/story", json=ONE_JOB).status_code == 402
        finally:
            server.stop()

    def test_a_cancelled_job_releases_its_reserved_credits(self, tmp_path):
        server = Server(tmp_path, ENGINE_CREDIT_BUDGET="200")
        try:
            long = server.post("/story/idea-2-video", data={**LONG, "scene_count": 20}).json()["data"]["id"]
            short = {**LONG, "scene_count": 20, "idea": "A snail"}
            assert [server.post("/story/idea-2-video", data=short).status_code for _ in range(2)] == [200, 402]
            assert server.request("DELETE", f"/story/{long}").status_code == 200
            assert server.post("/story/idea-2-video", data=short).status_code == 200
        finally:
            server.stop(kill=True)


class TestLimits:
    def test_a_full_queue_returns_429_with_retry_after(self, tmp_path):
        server = Server(tmp_path, ENGINE_MAX_QUEUED_STORIES="2")
        try:
            answers = [server.post("/story/idea-2-video", data=LONG) for _ in range(5)]
            assert {answer.status_code for answer in answers[:2]} == {200}
            refused = [answer for answer in answers if answer.status_code == 429]
            assert refused
            assert int(refused[0].headers["retry-after"]) > 0
            assert refused[0].json()["error"] == "queue_full"
        finally:
            server.stop()

    def test_a_key_above_its_rate_limit_gets_429(self, tmp_path):
        server = Server(tmp_path, ENGINE_CREATIONS_PER_MINUTE="3")
        try:
            form = {"idea": "A snail", "scene_count": 1, "audio_option": QUIET}
            codes = [server.post("/story/idea-2-video", data=form).status_code for _ in range(4)]
            assert codes == [200, 200, 200, 429]
            answer = server.post("/story/idea-2-video", data=form)
            assert 0 < int(answer.headers["retry-after"]) <= 21
            assert server.post("/story/idea-2-video", data=form, key=OTHER_KEY).status_code == 200
            assert server.get("/story").status_code == 200
        finally:
            server.stop()

    def test_a_step_that_exceeds_its_timeout_responds_processing_and_continues(self, tmp_path):
        server = Server(tmp_path, ENGINE_SYNC_WAIT_SECONDS="0.05,0.05,0.05")
        try:
            began = time.monotonic()
            story = server.post("/story", data={"idea": "A fox learns the drum", "scene_count": 3}).json()["data"]
            assert time.monotonic() - began < 3
            assert story["status"] == "processing"
            assert story["storyboard"]["scenes"] == []
            assert len(server.wait(story["id"])["scenes"]) == 3
            server.post("/story/idea-2-video", data=LONG)
            server.post(f"/story/{story['id']}/elements")
            busy = server.post(f"/story/{story['id']}/scenes")
            assert (busy.status_code, busy.json()["error"]) in ((400, "story_busy"), (200, None))
        finally:
            server.stop()

    def test_the_timeout_of_a_step_includes_the_wait_for_the_previous_step(self, tmp_path):
        server = Server(tmp_path, ENGINE_SYNC_WAIT_SECONDS="30,0.05,2")
        try:
            form = {"idea": "A snail", "scene_count": 1, "audio_option": QUIET}
            story_id = server.post("/story", data=form).json()["data"]["id"]
            before = server.post("/story/idea-2-video", data={**LONG, "scene_count": 20}).json()["data"]["id"]
            assert server.post(f"/story/{story_id}/elements").json()["data"]["status"] == "processing"
            server.post("/story/idea-2-video", data={**LONG, "scene_count": 20, "idea": "Another journey"})
            began, ended = time.monotonic(), []

            def look():
                time.sleep(1.5)
                server.request("DELETE", f"/story/{before}")
                while not all("image_url" in one for one in server.story(story_id)["storyboard"]["environments"]):
                    time.sleep(0.05)
                ended.append(time.monotonic() - began)

            looking = threading.Thread(target=look)
            looking.start()
            answer = server.post(f"/story/{story_id}/scenes")
            took = time.monotonic() - began
            looking.join()
            assert (answer.status_code, answer.json()["data"]["status"]) == (200, "processing")
            assert took < max(ended[0], 2.0) + 1.2
        finally:
            server.stop(kill=True)


class TestStops:
    @pytest.mark.parametrize("kill", [False, True])
    def test_a_job_resumes_after_a_restart(self, tmp_path, kill):
        server = Server(tmp_path)
        try:
            story_id = server.post("/story/idea-2-video", data=LONG).json()["data"]["id"]
            waiting = server.post(
                "/story/idea-2-video", data={"idea": "A snail", "scene_count": 1, "audio_option": QUIET}
            )
            deadline = time.monotonic() + 60
            while server.story(story_id)["progress_percentage"] < 25:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            server.stop(kill=kill)
            server.start()
            story = server.wait(story_id)
            assert (story["status"], story["message"]) == ("success", None)
            assert server.wait(waiting.json()["data"]["id"])["status"] == "success"
        finally:
            server.stop()

    def test_waiting_requests_get_the_current_state_when_the_server_stops(self, tmp_path):
        server = Server(tmp_path)
        try:
            long = server.post("/story/idea-2-video", data=LONG).json()["data"]["id"]
            answers = {}

            def wait():
                answers["step"] = server.post("/story", data={"idea": "A snail", "scene_count": 1})

            def listen():
                answers["events"] = server.get(f"/story/{long}/events").text

            threads = [threading.Thread(target=one) for one in (wait, listen)]
            for thread in threads:
                thread.start()
            while server.get("/story").json()["total"] < 2:
                time.sleep(0.05)
            began = time.monotonic()
            server.stop()
            assert time.monotonic() - began < 4
            for thread in threads:
                thread.join()
            assert answers["step"].status_code == 200
            assert answers["step"].json()["data"]["status"] == "processing"
            assert answers["events"].startswith("event: progress")
            assert not server.error_lines()
        finally:
            if server.process.poll() is None:
                server.stop(kill=True)

    def test_a_second_server_in_the_same_folder_exits_with_an_error(self, server):
        result = run("serve", "--port", "0", home=server.home)
        assert result.returncode == 4
        assert "another server is already using" in result.stderr


def test_an_unusable_folder_is_reported_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    result = run("serve", "--port", "0", home=tmp_path / "file" / "home")
    assert (result.returncode, len(result.stderr.splitlines())) == (4, 1)
    assert "set ENGINE_HOME" in result.stderr


def test_an_unavailable_address_is_reported_in_one_line_before_any_job_starts(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("serve", "--port", str(taken.getsockname()[1]), home=tmp_path)
    assert (result.returncode, len(result.stderr.splitlines())) == (4, 1)
    assert "Address already in use" in result.stderr
    assert run("serve", "--port", "99999", home=tmp_path).returncode == 2


class TestKeys:
    def test_keys_are_added_listed_used_and_revoked(self, tmp_path):
        made = run("keys", "add", "alice", home=tmp_path).stdout.strip()
        assert len(made) > 40
        assert "alice" in run("keys", "list", home=tmp_path).stdout
        assert run("keys", "add", "alice", home=tmp_path).returncode == 2
        assert made.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("engine.sqlite*"))
        server = Server(tmp_path, ENGINE_API_KEYS="-")
        try:
            assert server.get("/story", key=None).status_code == 401
            assert server.get("/story", key=made).status_code == 200
            assert run("keys", "revoke", "alice", home=tmp_path).returncode == 0
            assert run("keys", "add", "bob", home=tmp_path).returncode == 0
            assert server.get("/story", key=made).status_code == 401
            assert run("keys", "revoke", "alice", home=tmp_path).returncode == 2
            assert run("keys", "revoke", "bob", home=tmp_path).returncode == 0
            assert (
                server.get("/story", key=None).status_code == 401
            )  # the revocation of the last key does not open the server
        finally:
            server.stop()

    def test_without_keys_only_local_requests_are_accepted(self, tmp_path):
        result = run("serve", "--host", "0.0.0.0", "--port", "0", home=tmp_path)
        assert result.returncode == 4
        assert "without an API key" in result.stderr
        server = Server(tmp_path, ENGINE_API_KEYS="-")
        try:
            assert server.get("/story", key=None).status_code == 200
            assert server.get("/story", key="any").status_code == 200
            for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
                assert server.get("/story", key=None, headers=headers).status_code == 403
            assert server.get("/story", key=None, headers={"Origin": "http://localhost:5173"}).status_code == 200
        finally:
            server.stop()


def test_an_expired_story_is_deleted(server):
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    form = {"idea": "A snail", "scene_count": 1, "expires_at": soon}
    story = server.post("/story", data=form).json()["data"]
    assert story["expires_at"]
    time.sleep(1.2)
    assert server.get(f"/story/{story['id']}").status_code == 404


@pytest.mark.parametrize(
    "moment", ["9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59.999999", "0001-01-01T00:00+23:59"]
)
def test_an_expiry_after_the_year_9999_is_rejected(server, moment):
    answer = server.post("/story", data={"idea": "A snail", "scene_count": 1, "expires_at": moment})
    assert (answer.status_code, answer.json()["details"]) == (422, {"field": "expires_at"})
    assert server.get("/story").status_code == 200


def test_a_dry_run_previews_a_film_and_creates_nothing(server):
    before = server.get("/story").json()["total"]
    plan = server.post("/story/idea-2-video?dry_run=true", data={"idea": "A snail", "scene_count": 4}).json()["data"]
    kinds = [step["kind"] for step in plan["steps"]]
    assert (kinds.count("write"), kinds.count("animate"), kinds.count("compose")) == (1, 4, 1)
    assert plan["seconds"] > 1
    assert plan["memory_mb"] > 100
    assert plan["disk_bytes"] > 0
    assert server.get("/story").json()["total"] == before


def test_jobs_with_a_higher_priority_run_first(server):
    first = server.post("/story/idea-2-video", data=LONG).json()["data"]["id"]
    while 'state="running"' not in server.get("/metrics").text:
        time.sleep(0.01)
    small = {"idea": "A snail", "scene_count": 1, "audio_option": QUIET}
    late = server.post("/story/idea-2-video", data={**small, "priority": "-5"}).json()["data"]["id"]
    soon = server.post("/story/idea-2-video", data={**small, "priority": "5"}).json()["data"]["id"]
    times = {name: server.wait(one)["updated_at"] for name, one in (("soon", soon), ("late", late), ("first", first))}
    assert times["first"] <= times["soon"] <= times["late"]


def test_probes_metrics_and_the_openapi_document(server):
    assert server.get("/healthz", key=None).json() == {"status": "ok"}
    ready = server.get("/readyz", key=None)
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    figures = server.get("/metrics", key=None).text
    assert 'engine_http_requests_total{method="GET",route="/readyz",status="200"}' in figures
    page = server.get("/openapi.json", key=None).json()
    assert {"/story/idea-2-video", "/story/{story_id}/concat", "/v1/generate/story"} <= set(page["paths"])
    example = page["paths"]["/v1/generate/story"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert server.post("/v1/generate/story?dry_run=true", json=example).status_code == 200


def test_logs_are_json_lines_with_the_request_id(server):
    answer = server.get("/healthz", headers={"X-Request-Id": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"
    time.sleep(0.2)
    lines = [json.loads(line) for line in server.lines if line.startswith("{")]
    (line,) = [line for line in lines if line.get("request_id") == "mine-1"]
    assert (line["route"], line["status"]) == ("/healthz", 200)
    assert KEY not in "".join(server.lines)


def test_deleting_a_processing_story_leaves_no_job(server):
    """A small number of deletions; `scripts/bench server` runs the full number."""
    for number in range(12):
        form = {"idea": f"Journey {number}", "scene_count": 6, "seed": number, "audio_option": QUIET}
        story_id = server.post("/story/idea-2-video", data=form).json()["data"]["id"]
        time.sleep(number * 0.06)
        assert server.request("DELETE", f"/story/{story_id}").status_code == 200
        assert server.get(f"/story/{story_id}").status_code == 404
    story = server.post("/story", data={"idea": "A snail", "scene_count": 1}).json()["data"]
    assert story["status"] == "new"
    figures = dict(
        line.rsplit(" ", 1) for line in server.get("/metrics").text.splitlines() if line.startswith("engine_jobs{")
    )
    assert "running" not in "".join(figures)
    assert not server.error_lines()


def test_garbage_collection_removes_every_file_of_deleted_stories(tmp_path):
    server = Server(tmp_path)
    try:
        form = {"idea": "A snail", "scene_count": 1, "audio_option": QUIET}
        done = server.post("/story/idea-2-video", data=form).json()["data"]["id"]
        assert server.wait(done)["status"] == "success"
        running = server.post("/story/idea-2-video", data=LONG).json()["data"]["id"]
        time.sleep(1)
        for story_id in (done, running):
            assert server.request("DELETE", f"/story/{story_id}").status_code == 200
        server.post("/story?dry_run=1", data={"idea": "A snail"})
        deadline = time.monotonic() + 10
        while 'state="running"' in server.get("/metrics").text and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        server.stop()
    assert run("gc", "--grace", "0", home=tmp_path).returncode == 0
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def test_garbage_collection_keeps_only_the_artifacts_of_the_current_story(tmp_path):
    server = Server(tmp_path)
    try:
        form = {"idea": "A snail", "scene_count": 1, "audio_option": QUIET}
        story_id = server.post("/story/idea-2-video", data=form).json()["data"]["id"]
        assert server.wait(story_id)["status"] == "success"
        for path, data in (("reroll", {"target": "scene 1"}), ("concat", {})):
            assert server.post(f"/story/{story_id}/{path}", data=data).status_code == 200
            assert server.wait(story_id)["status"] == "success"
        other = server.post("/story", data={**form, "story_id": story_id, "idea": "A whale in the city"})
        assert other.json()["data"]["status"] == "new"
        for step in ("elements", "elements", "scenes"):
            server.post(f"/story/{story_id}/{step}")
        server.stop()
        assert run("gc", "--grace", "0", home=tmp_path).returncode == 0
        made = [
            json.loads(path.read_text())["record"]["step"] for path in (tmp_path / "store/actions").glob("*/*.json")
        ]
        assert made.count("keyframe:1") == 1
        assert not [step for step in made if step.startswith(("write", "animate", "compose"))]
        server.start()
        board = server.story(story_id)["storyboard"]
        shown = [one["image_url"] for part in ("characters", "environments", "scenes") for one in board[part]]
        assert shown
        assert all(requests.get(url, timeout=30).ok for url in shown)
    finally:
        server.stop()


def test_polls_are_fast_while_a_film_is_rendered(server):
    """30 pollers; `scripts/bench server` runs 1,000."""
    story_id = server.post("/story/idea-2-video", data=LONG).json()["data"]["id"]
    took, bad = [], []

    def poll():
        with requests.Session() as session:
            for _ in range(8):
                began = time.monotonic()
                answer = session.get(f"{server.url}/story/{story_id}", headers={"X-Api-Key": KEY}, timeout=30)
                took.append(time.monotonic() - began)
                if answer.status_code != 200:
                    bad.append(answer.status_code)
                time.sleep(0.2)

    threads = [threading.Thread(target=poll) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not bad
    assert sorted(took)[int(len(took) * 0.99)] < 2
    server.request("DELETE", f"/story/{story_id}")


def run(*arguments, home, **settings):
    import os

    environment = {k: v for k, v in os.environ.items() if not k.startswith("ENGINE_")}
    environment |= {**TEST_SETTINGS, "ENGINE_HOME": str(home), **settings}
    del environment["ENGINE_API_KEYS"]
    command = [sys.executable, "-m", "engine", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def test_an_upload_for_an_existing_story_is_kept_until_its_job_starts(tmp_path):
    server = Server(tmp_path)
    try:
        story = server.post("/story", data={"idea": "A snail", "scene_count": 1, "audio_option": QUIET}).json()["data"]
        long = server.post("/story/idea-2-video", data=LONG).json()["data"]["id"]  # later jobs wait in the queue
        files = [("image_files", ("x.png", make_image(), "image/png"))]
        again = threading.Thread(
            target=lambda: server.post("/story", data={"idea": "A hill", "story_id": story["id"]}, files=files)
        )
        again.start()
        while server.story(story["id"])["status"] != "processing":
            time.sleep(0.05)
        assert run("gc", "--grace", "0", home=tmp_path).returncode == 0
        server.request("DELETE", f"/story/{long}")
        again.join()
        assert (server.wait(story["id"])["status"], server.story(story["id"])["message"]) == ("new", None)
    finally:
        server.stop(kill=True)
