"""Advanced mode of the Story API: storyboard, elements, scenes, videos, concat; reading, updating, deleting."""

import io
import json
import threading
import time

import pytest
import requests
from PIL import Image

from tests.engine.server.fake_web_server import make_image
from tests.engine.server.routes.test_story import QUIET, probe

PARTS = ("characters", "environments", "objects")


def board(story):
    return {name: story["storyboard"][name] for name in (*PARTS, "scenes")}


def bytes_of(url):
    answer = requests.get(url, timeout=30)
    assert answer.status_code == 200
    return answer.content


def make(server, **form):
    answer = server.post("/story", data={"idea": "A fox learns the drum in a meadow", "scene_count": 2, **form})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def step(server, story, name, **form):
    answer = server.post(f"/story/{story['id']}/{name}", data=form)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@pytest.fixture(scope="module")
def flow(server):
    """Run steps 1, 1.5, 2 and 3 as the advanced example: each submits the storyboard of the previous response."""
    one = make(server, title="Meadow Band", audio_option=json.dumps({"narrator": "Lily"}))
    half = step(server, one, "elements", option="FluxPro", storyboard=json.dumps(board(one)), enhance_image="False")
    two = step(server, one, "scenes", option="Auto", storyboard=json.dumps(board(half)), generate_elements="True")
    three = step(server, one, "videos", title="", storyboard=json.dumps(board(two)), motion_type="Wan", duration=2)
    return {"one": one, "half": half, "two": two, "three": three, "film": server.wait(one["id"])}


def test_step_1_returns_the_complete_storyboard(flow):
    story = flow["one"]
    assert (story["status"], story["progress_percentage"], story["video_url"]) == ("new", 0, None)
    assert story["title"] == "Meadow Band"
    assert len(story["storyboard"]["scenes"]) == 2
    for scene in story["storyboard"]["scenes"]:
        assert scene["name"]
        assert scene["image_description"]
        assert scene["narrator"]
        assert not {"image_url", "narration_url", "video_url"} & set(scene)


def test_step_1_and_a_half_gives_every_element_an_image(flow):
    story = flow["half"]
    assert story["status"] == "new"
    elements = [one for part in PARTS for one in story["storyboard"][part]]
    assert elements
    for one in elements:
        assert one["image_url"] == one["URL"]
        assert Image.open(io.BytesIO(bytes_of(one["image_url"]))).format == "PNG"
    assert not any("image_url" in scene for scene in story["scenes"])


def test_step_2_gives_every_scene_an_image_and_a_narration(flow):
    story = flow["two"]
    assert story["status"] == "new"
    for scene in story["scenes"]:
        assert Image.open(io.BytesIO(bytes_of(scene["image_url"]))).size == (256, 144)
        assert bytes_of(scene["narration_url"])[:4] == b"RIFF"
        assert "video_url" not in scene


def test_a_resubmitted_unchanged_storyboard_changes_nothing(flow):
    for before, after in (("one", "half"), ("half", "two"), ("two", "film")):
        for part in PARTS:
            old, new = (
                [{**one, "image_url": 0, "URL": 0} for one in flow[x]["storyboard"][part]] for x in (before, after)
            )
            assert old == new
        names = ("name", "image_description", "narrator", "camera_movement")
        for old, new in zip(flow[before]["scenes"], flow[after]["scenes"], strict=True):
            assert [old[name] for name in names] == [new[name] for name in names]
    for part in PARTS:
        pictures = [[bytes_of(one["image_url"]) for one in flow[x]["storyboard"][part]] for x in ("half", "film")]
        assert pictures[0] == pictures[1]


def test_step_3_responds_at_once_and_ends_with_a_film(flow, tmp_path):
    assert (flow["three"]["status"], flow["three"]["video_url"]) == ("processing", None)
    story = flow["film"]
    assert (story["status"], story["title"]) == ("success", "Meadow Band")
    assert probe(bytes_of(story["video_url"]), tmp_path)["audio"] == 1
    assert all("video_url" in scene for scene in story["scenes"])
    assert all("video_url" in scene for scene in story["storyboard"]["scenes"])


def test_the_audio_option_of_step_1_holds_until_step_2_replaces_it(server):
    story = make(server, audio_option=QUIET)
    after = step(server, story, "scenes")
    assert not any("narration_url" in scene for scene in after["scenes"])
    again = step(server, story, "scenes", audio_option=json.dumps({"narrator": "Brian"}))
    assert all(scene["narrator"].strip() and "narration_url" in scene for scene in again["scenes"])
    assert again["audio_option"]["narrator"] == "Brian"


def test_deprecated_fields_of_step_2_have_no_effect(server):
    story = make(server, audio_option=QUIET)
    form = {"narrator": "nobody", "has_narration": "True", "has_bg_music": "perhaps", "generate_elements": "x"}
    after = step(server, story, "scenes", **form)
    assert not any("narration_url" in scene for scene in after["scenes"])


def test_a_step_out_of_order_returns_400_and_changes_nothing(server):
    story = make(server)
    for name, word in (("videos", "scenes"), ("concat", "videos")):
        answer = server.post(f"/story/{story['id']}/{name}")
        assert answer.status_code == 400
        assert answer.json()["error"] == "step_required"
        assert answer.json()["details"]["step"] == word
    assert server.story(story["id"]) == story


def test_submitted_texts_and_unknown_keys_are_returned_unchanged(server):
    story = make(server, audio_option=QUIET)
    sent = board(story)
    sent["mood_board"] = {"deep": [1, 2]}
    sent["scenes"][0] |= {"image_description": "A red barn.", "name": "Barn", "x_id": 7, "camera": "pan left"}
    del sent["scenes"][0]["camera_movement"]
    sent["characters"][0]["client_id"] = "c-1"
    after = step(server, story, "scenes", storyboard=json.dumps(sent))
    assert after["storyboard"]["mood_board"] == {"deep": [1, 2]}
    scene = after["scenes"][0]
    assert (scene["image_description"], scene["name"], scene["x_id"]) == ("A red barn.", "Barn", 7)
    assert scene["camera_movement"] == "pan left"
    assert after["storyboard"]["characters"][0]["client_id"] == "c-1"
    assert after["scenes"][1]["image_description"] == story["scenes"][1]["image_description"]


def test_a_submitted_array_replaces_the_stored_one_and_an_absent_one_stays(server):
    story = make(server)
    sent = {"characters": [{"name": "Otto", "description": "an otter"}], "scenes": []}
    after = step(server, story, "elements", storyboard=json.dumps(sent))
    assert [one["name"] for one in after["storyboard"]["characters"]] == ["Otto"]
    assert after["storyboard"]["environments"][0]["name"] == story["storyboard"]["environments"][0]["name"]
    assert len(after["scenes"]) == 2


def test_narration_is_an_alias_of_narrator_and_a_voice_name_causes_a_warning(server):
    story = make(server)
    scenes = [
        {"name": "One", "image_description": "A hill.", "narration": "Once."},
        {"image_description": "A lake.", "narrator": "Sarah"},
    ]
    after = step(server, story, "scenes", storyboard=json.dumps({"scenes": scenes}))
    assert [scene["narrator"] for scene in after["scenes"]] == ["Once.", "Sarah"]
    assert any("read aloud as text" in warning for warning in after["warnings"])
    assert all("narration_url" in scene for scene in after["scenes"])


def test_of_two_urls_of_an_element_the_changed_one_is_used(server, web_server):
    web_server.files["/new.png"] = ("image/png", make_image())
    for name in ("image_url", "URL"):
        story = make(server)
        half = step(server, story, "elements")
        sent = json.loads(json.dumps(board(half)))
        sent["characters"][0][name] = f"{web_server.url}/new.png"
        after = step(server, story, "elements", storyboard=json.dumps(sent))
        assert after["storyboard"]["characters"][0]["image_url"] == f"{web_server.url}/new.png"
        assert after["storyboard"]["characters"][0]["URL"] == f"{web_server.url}/new.png"


def test_a_repeated_step_1_and_a_half_generates_new_images_except_submitted_ones(server):
    story = make(server)
    half = step(server, story, "elements")
    again = step(server, story, "elements")
    old, new = (bytes_of(one["storyboard"]["characters"][0]["image_url"]) for one in (half, again))
    assert old != new
    kept = step(server, story, "elements", storyboard=json.dumps(board(again)))
    assert bytes_of(kept["storyboard"]["characters"][0]["image_url"]) == new


def test_media_urls_of_the_server_are_accepted_as_input(server):
    story = make(server)
    half = step(server, story, "elements")
    url = half["storyboard"]["environments"][0]["image_url"]
    sent = board(half)
    sent["scenes"][0]["image_url"] = url
    after = step(server, story, "scenes", storyboard=json.dumps(sent))
    shown = Image.open(io.BytesIO(bytes_of(after["scenes"][0]["image_url"])))
    given = Image.open(io.BytesIO(bytes_of(url)))
    assert shown.size == (256, 144)
    assert (
        shown.convert("RGB").resize((8, 8)).tobytes()
        == given.convert("RGB").resize((256, 144)).resize((8, 8)).tobytes()
    )


def test_images_of_step_1_are_the_scene_images_of_step_2(server):
    files = [("image_files", (f"../../{n}.png", make_image(colour=(n * 80, 90, 20)), "image/png")) for n in range(3)]
    answer = server.post(
        "/story", data={"idea": "Three hills", "audio_option": QUIET, "aspect_ratio": "4:3"}, files=files
    )
    story = answer.json()["data"]
    assert (story["scene_count"], len(story["scenes"])) == (3, 3)
    after = step(server, story, "scenes")
    for number, scene in enumerate(after["scenes"]):
        shown = Image.open(io.BytesIO(bytes_of(scene["image_url"]))).convert("RGB")
        assert shown.size == (192, 144)
        assert abs(shown.getpixel((150, 120))[0] - number * 80) < 6


def test_an_enhanced_image_has_the_same_size_and_other_pixels(server):
    story = make(server, audio_option=QUIET)
    plain = bytes_of(step(server, story, "scenes")["scenes"][0]["image_url"])
    better = bytes_of(step(server, story, "scenes", enhance_image="True")["scenes"][0]["image_url"])
    assert plain != better
    assert Image.open(io.BytesIO(better)).size == Image.open(io.BytesIO(plain)).size


def test_enhanced_elements_have_the_same_size_and_scenes_are_generated_from_them(server):
    story = make(server, audio_option=QUIET)
    plain = step(server, story, "elements")["storyboard"]
    again = make(server, audio_option=QUIET)
    better = step(server, again, "elements", enhance_image="True")
    assert not better["warnings"]
    for part in PARTS:
        for old, new in zip(plain[part], better["storyboard"][part], strict=True):
            pictures = [bytes_of(one["image_url"]) for one in (old, new)]
            assert pictures[0] != pictures[1]
            assert len({Image.open(io.BytesIO(data)).size for data in pictures}) == 1
    kept = step(server, again, "scenes", storyboard=json.dumps(board(better)))
    for part in PARTS:
        for old, new in zip(better["storyboard"][part], kept["storyboard"][part], strict=True):
            assert bytes_of(old["image_url"]) == bytes_of(new["image_url"])
            assert not new["image_url"].startswith("media:")


def test_the_aspect_ratio_of_a_later_step_updates_the_story(server):
    story = make(server, audio_option=QUIET)
    after = step(server, story, "scenes", aspect_ratio="9:16")
    assert after["aspect_ratio"] == "9:16"
    assert Image.open(io.BytesIO(bytes_of(after["scenes"][0]["image_url"]))).size == (144, 256)


def test_step_1_with_a_story_id_replaces_its_storyboard(server):
    story = make(server)
    answer = server.post("/story", data={"idea": "A whale in the city", "story_id": story["id"], "scene_count": 1})
    again = answer.json()["data"]
    assert again["id"] == story["id"]
    assert len(again["scenes"]) == 1
    assert again["scenes"] != story["scenes"][:1]
    assert server.post("/story", data={"idea": "x", "story_id": "0" * 8}).status_code == 404


def test_duration_times_loop_is_the_length_without_narration(server, tmp_path):
    story = step(server, make(server, audio_option=QUIET, scene_count=1), "scenes")
    step(server, story, "videos", duration="2", loop="3", motion_type="StaticMotion")
    film = server.wait(story["id"])
    assert probe(bytes_of(film["video_url"]), tmp_path)["seconds"] == pytest.approx(6, abs=0.2)


def test_with_narration_the_speech_determines_the_length(server, tmp_path):
    story = make(server, scene_count=1, audio_option=json.dumps({"has_bg_music": False}))
    sent = {"scenes": [{"name": "A", "image_description": "A hill.", "narrator": "Hello there."}]}
    step(server, story, "scenes", storyboard=json.dumps(sent))
    step(server, story, "videos", duration="10", loop="6")
    film = server.wait(story["id"])
    speech = len(bytes_of(film["scenes"][0]["narration_url"]))
    found = probe(bytes_of(film["video_url"]), tmp_path)
    assert found["seconds"] < 4
    assert speech > 10_000


class TestConcat:
    def test_concat_without_urls_makes_a_new_film_with_a_new_url(self, server, flow, tmp_path):
        before = flow["film"]["video_url"]
        answer = server.post(f"/story/{flow['one']['id']}/concat")
        assert answer.json()["data"]["video_url"] is None
        film = server.wait(flow["one"]["id"])
        assert film["status"] == "success", film["message"]
        assert film["video_url"] != before
        assert probe(bytes_of(film["video_url"]), tmp_path)["audio"] == 1

    def test_concat_uses_exactly_the_given_clips_in_order(self, server, flow, web_server, tmp_path):
        own = [scene["video_url"] for scene in flow["film"]["scenes"]]
        web_server.files["/clip.mp4"] = ("video/mp4", bytes_of(own[1]))
        urls = [own[1], f"{web_server.url}/clip.mp4", own[0]]
        server.post(f"/story/{flow['one']['id']}/concat", data={"concat_video_urls": urls})
        film = server.wait(flow["one"]["id"])
        assert film["status"] == "success", film["message"]
        found = probe(bytes_of(film["video_url"]), tmp_path)
        lengths = [probe(bytes_of(url), tmp_path)["seconds"] for url in (own[1], own[1], own[0])]
        assert found["seconds"] == pytest.approx(sum(lengths), abs=0.6)
        assert found["size"] == (256, 144)

    def test_audio_urls_are_mixed_over_the_film_and_trimmed_to_its_length(self, server, flow, web_server, tmp_path):
        web_server.files["/song.wav"] = ("audio/wav", bytes_of(flow["film"]["scenes"][0]["narration_url"]))
        form = {
            "concat_video_urls": [flow["film"]["scenes"][0]["video_url"]],
            "audio_urls": [f"{web_server.url}/song.wav"],
        }
        server.post(f"/story/{flow['one']['id']}/concat", data=form)
        film = server.wait(flow["one"]["id"])
        assert film["status"] == "success", film["message"]
        assert probe(bytes_of(film["video_url"]), tmp_path)["audio"] == 1

    def test_an_invalid_clip_fails_with_a_message_and_a_later_step_succeeds(self, server, flow, web_server):
        web_server.files["/text.mp4"] = ("video/mp4", b"#EXTM3U\n/etc/passwd\n" * 50)
        story_id = flow["one"]["id"]
        server.post(f"/story/{story_id}/concat", data={"concat_video_urls": [f"{web_server.url}/text.mp4"]})
        failed = server.wait(story_id)
        assert (failed["status"], failed["video_url"]) == ("fail", None)
        assert failed["message"]
        server.post(f"/story/{story_id}/concat")
        mended = server.wait(story_id)
        assert (mended["status"], mended["message"]) == ("success", None)


class TestStory:
    def test_put_changes_only_the_submitted_fields(self, server):
        story = make(server)
        path = f"/story/{story['id']}"
        put = server.request(
            "PUT", path, data={"description": "D", "visibility_status": "2", "additional_videos": '["x"]'}
        )
        assert put.status_code == 200
        assert (put.json()["data"]["description"], put.json()["data"]["visibility_status"]) == ("D", "2")
        put = server.request("PUT", path, data={"title": "New", "visibility_status": "", "description": ""})
        after = put.json()["data"]
        assert (after["title"], after["description"], after["visibility_status"]) == ("New", "D", "2")
        assert "additional_videos" not in after
        assert server.story(story["id"])["scenes"] == story["scenes"]

    def test_delete_returns_the_story_and_deletes_it(self, server):
        story = step(server, make(server), "elements")
        url = story["storyboard"]["characters"][0]["image_url"]
        gone = server.request("DELETE", f"/story/{story['id']}")
        assert (gone.status_code, gone.json()["data"]["id"]) == (200, story["id"])
        for method in ("GET", "PUT", "DELETE"):
            assert server.request(method, f"/story/{story['id']}").status_code == 404
        for name in ("elements", "scenes", "videos", "concat"):
            assert server.post(f"/story/{story['id']}/{name}").status_code == 404
        assert requests.get(url, timeout=30).status_code == 404

    def test_delete_cancels_the_job_and_sends_no_webhook(self, server, web_server):
        form = {
            "idea": "A long journey over the mountains",
            "scene_count": 12,
            "webhook_url": f"{web_server.url}/never",
        }
        story_id = server.post("/story/idea-2-video", data=form).json()["data"]["id"]
        time.sleep(0.7)
        assert server.request("DELETE", f"/story/{story_id}").status_code == 200
        began = time.monotonic()
        assert make(server)["status"] == "new"  # the queue continues
        assert time.monotonic() - began < 20
        assert not web_server.webhooks_to("/never")

    @pytest.mark.parametrize("asked", ["image_urls", "page"])
    def test_delete_cancels_a_running_fetch(self, server, web_server, asked):
        waiting = threading.Event()

        class Never:
            """A file that does not come."""

            def __iter__(self):
                waiting.set()
                time.sleep(20)
                return iter(("text/html", b""))

        web_server.files["/never"] = Never()
        url = f"{web_server.url}/never"
        path, form = (
            ("/story/url-2-video", {"idea": url}) if asked == "page" else ("/story/images-2-video", {asked: url})
        )
        story_id = server.post(path, data=form).json()["data"]["id"]
        assert waiting.wait(20)
        began = time.monotonic()
        assert server.request("DELETE", f"/story/{story_id}").status_code == 200
        assert make(server)["status"] == "new"
        assert time.monotonic() - began < 10
        del web_server.files["/never"]

    def test_stories_are_listed_newest_first(self, server):
        story = make(server, title="Newest")
        page = server.get("/story", params={"limit": 2}).json()
        assert page["data"][0]["id"] == story["id"]
        assert page["total"] >= len(page["data"]) == 2

    def test_a_reroll_of_one_portrait_keeps_the_other_elements(self, server):
        story = step(server, make(server), "elements")
        name = story["storyboard"]["characters"][0]["name"]
        old = [bytes_of(story["storyboard"][part][0]["image_url"]) for part in ("characters", "environments")]
        answer = server.post(f"/story/{story['id']}/reroll", data={"target": f"portrait {name}"})
        assert answer.status_code == 200
        board = server.wait(story["id"])["storyboard"]
        new = [bytes_of(board[part][0]["image_url"]) for part in ("characters", "environments")]
        assert (new[0] == old[0], new[1] == old[1]) == (False, True)
        assert server.post(f"/story/{story['id']}/reroll", data={"target": "scene 9"}).status_code == 422

    def test_progress_is_sent_as_server_sent_events(self, server):
        story = server.post(
            "/story/idea-2-video", data={"idea": "A snail", "scene_count": 1, "audio_option": QUIET}
        ).json()["data"]
        with server.get(f"/story/{story['id']}/events", stream=True) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            text = b"".join(answer.iter_content(None)).decode()
        states = [json.loads(line[6:]) for line in text.splitlines() if line.startswith('data: {"id"')]
        percents = [state["progress_percentage"] for state in states]
        assert percents == sorted(percents)
        assert (states[-1]["status"], percents[-1]) == ("success", 100)
        assert text.endswith("event: end\ndata: {}\n\n")
