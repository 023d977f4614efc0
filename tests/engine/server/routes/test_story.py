"""Automatic mode of the Story API: films from an idea, a page or images, as the example clients use it."""

import io
import json
import subprocess
import time

import pytest
import requests
from PIL import Image

from tests.engine.server.conftest import KEY, OTHER_KEY
from tests.engine.server.fake_web_server import make_image

QUIET = json.dumps({"has_bg_music": False, "has_narration": False})


@pytest.fixture(scope="module")
def film(server, web_server):
    """Run the quick-start client: submit, poll, download. The handler of its webhook requests the story."""
    seen = {}

    def ask_back(path, body):
        seen[path] = server.story(body["batch_id"])

    web_server.on_webhook = ask_back
    form = {
        "idea": "A fox learns the drum in a meadow",
        "scene_count": 2,
        "image_tool": "NanoBanana",
        "video_tool": "KlingAI",
        "scene_duration": "5",
        "aspect_ratio": "16:9",
        "is_transition": True,
        "elements": json.dumps({"characters": [{"name": "Fennel", "description": "a red fox with a drum"}]}),
        "audio_option": json.dumps({"has_bg_music": True, "narrator": "George"}),
        "language": "English",
        "title": "Meadow Band",
        "webhook_url": f"{web_server.url}/hook",
    }
    answer = requests.post(f"{server.url}/story/idea-2-video", headers={"X-Api-Key": KEY}, data=form, timeout=60)
    story = server.wait(answer.json()["data"]["id"])
    hooks = web_server.wait_for_webhooks("/hook")
    return {"answer": answer, "story": story, "hooks": hooks, "seen": seen}


def probe(data: bytes, tmp_path) -> dict:
    import av

    path = tmp_path / "film.mp4"
    path.write_bytes(data)
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        frames = sum(1 for _ in container.decode(video=0))
        return {
            "size": (video.width, video.height),
            "seconds": frames / float(video.average_rate),
            "audio": len(container.streams.audio),
        }


def test_the_response_comes_at_once_with_every_key_that_clients_read(film):
    assert film["answer"].status_code == 200
    assert film["answer"].elapsed.total_seconds() < 5
    story = film["answer"].json()["data"]
    assert story["status"] in ("new", "processing")
    assert story["video_url"] is None
    assert story["used_credits"] == 0
    assert story["storyboard"] == {"characters": [], "environments": [], "objects": [], "scenes": []}
    assert story["scene_count"] == 2


def test_a_successful_story_has_a_film_that_opens_without_a_key(film, server, tmp_path):
    story = film["story"]
    assert (story["status"], story["progress_percentage"], story["message"]) == ("success", 100, None)
    answer = requests.get(story["video_url"], timeout=30)
    assert answer.headers["content-type"] == "video/mp4"
    assert int(answer.headers["content-length"]) == len(answer.content)
    found = probe(answer.content, tmp_path)
    assert found["size"] == (256, 144)
    assert found["audio"] == 1
    assert found["seconds"] > 2


def test_a_finished_story_has_images_narrations_and_clips(film):
    story = film["story"]
    assert [scene["name"] for scene in story["scenes"]] == [scene["name"] for scene in story["storyboard"]["scenes"]]
    assert len(story["scenes"]) == story["scene_count"] == 2
    kinds = {"image_url": "image/png", "narration_url": "audio/wav", "video_url": "video/mp4"}
    for scene in story["scenes"]:
        assert scene["narrator"].strip()
        for name, kind in kinds.items():
            assert requests.get(scene[name], timeout=30).headers["content-type"] == kind
    for part in ("characters", "environments", "objects"):
        for one in story["storyboard"][part]:
            assert one["image_url"] == one["URL"]


def test_submitted_elements_keep_their_names_and_descriptions(film):
    (fox,) = [one for one in film["story"]["storyboard"]["characters"] if one["name"] == "Fennel"]
    assert fox["description"] == "a red fox with a drum"


def test_the_webhook_is_sent_after_the_story_is_stored(film):
    ((_, headers, body, _),) = film["hooks"]
    assert json.loads(body) == {"customer_id": "local", "batch_id": film["story"]["id"], "status": "success"}
    assert headers["content-type"] == "application/json"
    inside = film["seen"]["/hook"]
    assert inside["status"] == "success"
    assert inside["video_url"]


def test_a_story_shows_its_effective_options(film):
    story = film["story"]
    assert story["audio_option"]["narrator"] == "George"
    assert (story["language"], story["aspect_ratio"], story["title"]) == ("English", "16:9", "Meadow Band")
    assert story["visibility_status"] == "0"


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [({"scene_duration": "5"}, 5), ({"scene_duration": "10"}, 10), ({}, 5)],
)
def test_without_narration_the_scene_duration_decides(server, tmp_path, fields, seconds):
    form = {"idea": "A kite above the sea", "scene_count": "1", "audio_option": QUIET, "aspect_ratio": "1:1", **fields}
    story = server.wait(server.post("/story/idea-2-video", data=form).json()["data"]["id"])
    assert story["status"] == "success", story["message"]
    found = probe(requests.get(story["video_url"], timeout=30).content, tmp_path)
    assert found == {"size": (144, 144), "seconds": pytest.approx(seconds, abs=0.2), "audio": 0}
    assert not any("narration_url" in scene for scene in story["scenes"])


def test_transitions_never_lengthen_the_film_by_more_than_their_own_time(server, tmp_path):
    form = {"idea": "A kite above the sea", "scene_count": 2, "audio_option": QUIET, "is_transition": "True"}
    story = server.wait(server.post("/story/idea-2-video", data=form).json()["data"]["id"])
    found = probe(requests.get(story["video_url"], timeout=30).content, tmp_path)
    assert 10 <= found["seconds"] <= 11


def test_the_page_of_the_url_in_the_idea_is_read(server, web_server):
    form = {"idea": f'Tell the story of "{web_server.url}/page".', "scene_count": 2, "audio_option": QUIET}
    answer = server.post("/story/url-2-video", data=form)
    assert answer.status_code == 200
    story = server.wait(answer.json()["data"]["id"])
    assert story["status"] == "success", story["message"]
    assert "/page" in web_server.requested_paths
    words = json.dumps(story["storyboard"])
    assert "Oda" in words or "bees" in words or "hives" in words


def test_an_unreachable_page_causes_a_warning_and_the_idea_is_used(server, web_server):
    form = {"idea": f"A beekeeper on a roof, see {web_server.url}/gone!", "scene_count": 1, "audio_option": QUIET}
    story = server.wait(server.post("/story/url-2-video", data=form).json()["data"]["id"])
    assert story["status"] == "success", story["message"]
    assert any("cannot read the page" in warning for warning in story["warnings"])


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/html", b"<html><body><script>x()</script></body></html>"),
        ("text/html", b"\0\1\2" * 500),
        ("image/png", b"x"),
    ],
)
def test_a_page_without_text_causes_a_warning(server, web_server, kind, body):
    web_server.files["/mute"] = (kind, body)
    form = {"idea": f"A beekeeper on a roof, see {web_server.url}/mute", "scene_count": 1}
    answer = server.post("/story/url-2-video", data={**form, "audio_option": QUIET})
    story = server.wait(answer.json()["data"]["id"])
    assert story["status"] == "success", story["message"]
    assert any("cannot read the page" in warning for warning in story["warnings"])


SHOWN = """<html><head><title>Bees of Elm Street</title><meta property="og:image" content="/hives.jpg">
<meta property="og:image:alt" content="Three blue hives on a roof"></head><body><article><h1>Bees of Elm Street</h1>
<p>Every morning Oda climbs to the roof of the library, where forty thousand bees live in three blue hives.</p>
<img src="/broken.png" alt="broken"><img src="/not-there.png"><img src="/dot.png"><img src="/again.jpg">
<img src="http://169.254.169.254/latest/meta-data/x.png"><img src="http://10.0.0.1/x.png">
<p>She sells the honey on Saturdays. See <a href="/secret">this</a> and /also-secret.png.</p>
<img src="/honey.webp" alt="A jar of honey"><img src="/late.png" alt="late"></article></body></html>"""


@pytest.fixture(scope="module")
def page_of_bees(web_server):
    hives = make_image(400, 300, (20, 60, 200), "JPEG")
    web_server.files |= {
        "/bees": ("text/html", SHOWN.encode()), "/hives.jpg": ("image/jpeg", hives), "/again.jpg": ("image/jpeg", hives),
        "/broken.png": ("image/png", b"\x89PNG\r\n\x1a\n" + b"x" * 99), "/dot.png": ("image/png", make_image(20, 20)),
        "/honey.webp": ("image/webp", make_image(300, 300, (220, 160, 20), "WEBP")), "/late.png": ("image/png", make_image()),
        "/secret": ("text/html", b"x"), "/also-secret.png": ("image/png", make_image()),
    }  # fmt: skip
    return f"{web_server.url}/bees"


def test_page_pictures_become_objects_of_the_story(server, web_server, page_of_bees):
    web_server.requested_paths.clear()
    form = {"idea": f"Tell {page_of_bees}", "scene_count": 2, "audio_option": QUIET, "page_pictures": "5"}
    story = server.wait(server.post("/story/url-2-video", data=form).json()["data"]["id"])
    assert story["status"] == "success", story["message"]
    things = {one["name"]: one["image_url"] for one in story["storyboard"]["objects"]}
    assert {"Three blue hives on a roof", "A jar of honey"} <= set(things)
    assert all(url.startswith(server.url) for url in things.values())
    blue = Image.open(io.BytesIO(requests.get(things["Three blue hives on a roof"], timeout=30).content))
    assert blue.size == (400, 300)
    left_out = [warning for warning in story["warnings"] if "image of the page" in warning]
    assert {warning.rpartition("it ")[2] for warning in left_out} >= {"returned status 404", "is too small"}
    assert any("private or reserved network" in warning for warning in left_out)
    assert not [warning for warning in story["warnings"] if "169.254" in warning]
    assert not {"/secret", "/also-secret.png"} & set(web_server.requested_paths)
    assert len([path for path in web_server.requested_paths if path != "/bees"]) <= 10


def test_no_more_images_of_a_page_are_fetched_than_requested(server, web_server, page_of_bees):
    for wished, asked in ((1, {"/bees", "/hives.jpg"}), (0, {"/bees"})):
        web_server.requested_paths.clear()
        form = {"idea": f"Tell {page_of_bees}", "scene_count": 1, "audio_option": QUIET, "page_pictures": wished}
        story = server.wait(server.post("/story/url-2-video", data=form).json()["data"]["id"])
        assert story["status"] == "success", story["message"]
        assert set(web_server.requested_paths) == asked
        assert ("Three blue hives on a roof" in json.dumps(story["storyboard"]["objects"])) == bool(wished)


@pytest.mark.parametrize(
    "idea",
    [
        "{}/page",
        "See {}/page.",
        "({}/page)",
        '"{}/page"!',
        "{}/page, please",
        "Http{rest}/page tells it",
        "first {}/page then http://b.example/",
    ],
)
def test_the_url_may_stand_anywhere_in_the_idea(server, web_server, idea):
    web_server.requested_paths.clear()
    form = {"idea": idea.format(web_server.url, rest=web_server.url.removeprefix("http")), "scene_count": 1}
    story = server.post("/story/url-2-video", data=form).json()["data"]["id"]
    deadline = time.monotonic() + 20
    while not web_server.requested_paths and time.monotonic() < deadline:
        time.sleep(0.05)
    assert web_server.requested_paths == ["/page"]
    server.request("DELETE", f"/story/{story}")


def test_spaces_around_a_url_and_extra_slashes_in_a_path_are_accepted(server, web_server):
    web_server.files["/0.png"] = ("image/png", make_image())
    form = {"image_urls": f" {web_server.url}/0.png\n", "webhook_url": f" {web_server.url}/hook", "audio_option": QUIET}
    story = server.post("//story", data={"idea": "A hill", **form}).json()["data"]
    assert (story["status"], story["message"]) == ("new", None)
    assert server.get(f"//story/{story['id']}/").json()["data"]["id"] == story["id"]


def test_an_idea_without_a_url_is_rejected(server):
    assert server.post("/story/url-2-video", data={"idea": "no address here"}).status_code == 400


@pytest.mark.parametrize("way", ["files", "urls", "one url"])
def test_each_image_becomes_a_scene_in_order(server, web_server, way):
    colours = [(200, 40, 30), (30, 180, 60)]
    common = {"audio_option": QUIET, "aspect_ratio": "9:16", "scene_count": "7", "elements": "{}"}
    if way == "files":
        files = [("image_files", (f"{n}.png", make_image(colour=c), "image/png")) for n, c in enumerate(colours)]
        urls = {"image_urls": ["https://never.fetched.example/x.png"]}
        answer = server.post("/story/images-2-video", data={**common, **urls}, files=files)
    else:
        for number, colour in enumerate(colours):
            web_server.files[f"/{number}.jpg"] = ("image/jpeg", make_image(colour=colour, image_format="JPEG"))
        urls = [f"{web_server.url}/{n}.jpg" for n in range(2)]
        colours, urls = (colours, urls) if way == "urls" else (colours[:1], urls[:1])
        answer = server.post("/story/images-2-video", data={**common, "image_urls": urls})
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["scene_count"] == len(colours)
    story = server.wait(answer.json()["data"]["id"])
    assert story["status"] == "success", story["message"]
    assert len(story["scenes"]) == len(colours)
    for scene, colour in zip(story["scenes"], colours, strict=True):
        shown = Image.open(io.BytesIO(requests.get(scene["image_url"], timeout=30).content))
        assert shown.size == (144, 256)
        middle = shown.convert("RGB").getpixel((72, 200))
        assert all(abs(a - b) < 12 for a, b in zip(middle, colour, strict=True))


def test_a_submitted_element_image_is_used_instead_of_a_generated_one(server, web_server):
    web_server.files["/fox.webp"] = ("image/webp", make_image(image_format="WEBP"))
    url = f"{web_server.url}/fox.webp"
    elements = {"characters": [{"name": "Fennel", "description": "a fox", "URL": url}], "objects": []}
    form = {"idea": "Fennel drums", "scene_count": 1, "elements": json.dumps(elements)}
    story = server.post("/story", data=form).json()["data"]
    story = server.post(f"/story/{story['id']}/elements").json()["data"]
    (fennel,) = [one for one in story["storyboard"]["characters"] if one["name"] == "Fennel"]
    assert (fennel["image_url"], fennel["URL"]) == (url, url)
    assert "/fox.webp" in web_server.requested_paths


def test_another_key_cannot_read_the_story(film, server):
    path = f"/story/{film['story']['id']}"
    never = "/story/00000000-0000-4000-8000-000000000000"
    assert server.get(path, key=OTHER_KEY).status_code == server.get(never, key=OTHER_KEY).status_code == 404


def test_the_film_supports_range_requests(film):
    url = film["story"]["video_url"]
    part = requests.get(url, headers={"Range": "bytes=100-199"}, timeout=30)
    assert part.status_code == 206
    assert len(part.content) == 100
    assert part.headers["content-range"].startswith("bytes 100-199/")
    tag = requests.get(url, timeout=30).headers["etag"]
    assert requests.get(url, headers={"If-None-Match": tag}, timeout=30).status_code == 304
    assert requests.head(url, timeout=30).status_code == 200


@pytest.mark.parametrize(
    ("asked", "status", "content_range"),
    [
        ("bytes=0-0", 206, "bytes 0-0/{}"), ("bytes=-10", 206, None), ("bytes=100-", 206, None), ("bytes=0-1, 4-5", 206, None),
        ("bytes=99999999-", 416, "bytes */{}"), ("bytes=5-1", 200, None), ("lines=1-2", 200, None), ("bytes=", 200, None),
        ("bytes=-", 200, None), ("bytes=a-b", 200, None), ("bytes=" + "0-0," * 5000, 200, None),
    ],
)  # fmt: skip
def test_valid_ranges_return_206_unsatisfiable_ones_416_and_invalid_ones_200(film, asked, status, content_range):
    answer = requests.get(film["story"]["video_url"], headers={"Range": asked}, timeout=30)
    assert answer.status_code == status
    size = requests.head(film["story"]["video_url"], timeout=30).headers["content-length"]
    if content_range:
        assert answer.headers["content-range"] == content_range.format(size)
    if status == 416:
        assert answer.json()["error"] == "range_not_satisfiable"
    if status == 200:
        assert len(answer.content) == int(size)


def test_a_browser_and_ffmpeg_open_the_media_url(film):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", film["story"]["video_url"], "-f", "null", "-"]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0
