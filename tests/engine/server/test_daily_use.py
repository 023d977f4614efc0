"""Daily use of the server: concurrent films, many clients, kills, a model that kills its worker."""

import json
import threading
import time
from pathlib import Path

from tests.engine.server.conftest import TEST_SETTINGS, Server

QUIET = json.dumps({"has_bg_music": False, "has_narration": False})
LOUD = json.dumps({"has_bg_music": True, "has_narration": False})


def film(server: Server, idea: str, scenes: int, **form) -> str:
    form = {"idea": idea, "scene_count": scenes, "audio_option": QUIET, **form}
    answer = server.post("/story/idea-2-video", data=form)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["id"]


def steps(home: Path) -> dict[str, int]:
    """Return the modification times of the stored actions by their keys."""
    return {path.stem: path.stat().st_ino for path in (home / "store" / "actions").glob("*/*.json")}


def test_three_films_resume_after_the_server_was_killed(tmp_path):
    server = Server(tmp_path, ENGINE_MAX_CONCURRENT_STORIES="3")
    try:
        ids = [film(server, f"A long journey over {place}", 6) for place in ("mountains", "seas", "deserts")]
        deadline = time.monotonic() + 60
        while min(server.story(one)["progress_percentage"] for one in ids) < 15:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        server.stop(kill=True)
        before = steps(tmp_path)
        server.start()
        assert [server.wait(one)["status"] for one in ids] == ["success"] * 3
        after = steps(tmp_path)
        assert {key: after.get(key) for key in before} == before  # no finished step ran again
        assert not server.error_lines()
    finally:
        server.stop()


def test_fifty_concurrent_creating_requests_are_all_accepted(tmp_path):
    server = Server(tmp_path, ENGINE_MAX_CONCURRENT_STORIES="2")
    try:
        ids, took = [], []

        def create(number):
            began = time.monotonic()
            ids.append(film(server, f"Journey number {number}", 2))
            took.append(time.monotonic() - began)

        threads = [threading.Thread(target=create, args=(number,)) for number in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(ids)) == 50
        assert max(took) < 10
        assert server.get("/story?limit=100").json()["total"] == 50
        assert server.get("/readyz").json()["ready"]
        assert not server.error_lines()
    finally:
        server.stop(kill=True)


def test_a_model_that_kills_its_worker_fails_only_its_own_film(tmp_path):
    overlay = tmp_path / "deadly.yaml"
    overlay.write_text(
        'models:\n  deadly: {family: "tests.fixtures.deadly:KillingFamily", kinds: [score], licence: "none"}\n', "utf-8"
    )
    server = Server(tmp_path / "home", ENGINE_MODELS=f"{TEST_SETTINGS['ENGINE_MODELS']},{overlay}")
    try:
        dying = film(server, "A storm", 1, audio_option=LOUD, models=json.dumps({"score": "deadly"}))
        behind = film(server, "A snail", 1)
        story = server.wait(dying)
        assert story["status"] == "fail"
        assert "score: the worker crashed while running deadly (signal 9)" in story["message"]
        assert server.wait(behind)["status"] == "success"
        assert not server.error_lines() or all("score failed: WorkerCrashed" in line for line in server.error_lines())
    finally:
        server.stop()
