"""A full disk: requests that need space are rejected without leftovers, and succeed after space is freed."""

import json
import random
import sys

import pytest

from tests.engine.server.conftest import Server
from tests.engine.server.fake_web_server import make_image

resource = pytest.importorskip("resource", reason="limits of processes are a thing of POSIX")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux sets the limits of another process")

QUIET = json.dumps({"has_bg_music": False, "has_narration": False})
ROOM = 700_000


def large(size: int) -> bytes:
    """Return a PNG image with padding after its end."""
    return make_image() + random.Random(size).randbytes(size)


def limited(server: Server, limit: int) -> None:
    """Limit the size of every file: for a program the same as a full disk, without effect on the machine."""
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


def test_uploads_and_fetches_are_rejected_while_the_disk_is_full(tmp_path, web_server):
    server = Server(tmp_path)
    web_server.files["/large.png"] = ("image/png", large(2 * ROOM))
    tmp = tmp_path / "store" / "tmp"
    try:

        def upload(size):
            files = [("image_files", ("x.png", large(size), "image/png"))]
            return server.post("/story", files=files, data={"idea": "A hill", "audio_option": QUIET})

        limited(server, ROOM)
        for size in (ROOM + 100_000, 4 * ROOM):  # the second one fails during the upload
            answer = upload(size)
            assert (answer.status_code, answer.json()["error"]) == (503, "disk_full")
        form = {"image_urls": f"{web_server.url}/large.png", "audio_option": QUIET}
        story = server.wait(server.post("/story/images-2-video", data=form).json()["data"]["id"])
        assert story["status"] == "fail"
        assert "no disk space left" in story["message"]
        assert [path for path in tmp.rglob("*") if path.suffix != ".lock" and path.parent != tmp] == []
        limited(server, resource.RLIM_INFINITY)
        assert upload(ROOM + 100_000).status_code == 200
        story_id = server.post("/story/images-2-video", data=form).json()["data"]["id"]
        assert server.wait(story_id)["status"] == "success"
        assert [path for path in tmp.rglob("*") if path.suffix != ".lock" and path.parent != tmp] == []
    finally:
        server.stop()
