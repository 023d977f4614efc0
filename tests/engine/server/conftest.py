"""A real server on a loopback port, with small frames and a fast voice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests

from tests.engine.server.fake_web_server import FakeWebServer
from tests.engine.server.response_validator import ResponseValidator

ROOT = Path(__file__).resolve().parents[3]
KEY, OTHER_KEY = "key-of-a", "key-of-b"
TEST_SETTINGS = {
    "ENGINE_SHORT_SIDE": "144",
    "ENGINE_FPS": "8",
    "ENGINE_MODELS": str(Path(__file__).with_name("small.yaml")),
    "ENGINE_ALLOW_PRIVATE_URLS": "1",
    "ENGINE_API_KEYS": f"{KEY},{OTHER_KEY}",
    "ENGINE_WEBHOOK_RETRY_DELAYS": "0.3,0.3,0.3",
}


class Server:
    """`python -m engine serve`, in a process of its own."""

    response_validator: ResponseValidator | None = None

    def __init__(self, home: Path, **settings: str) -> None:
        self.home, self.settings = home, settings
        self.process: subprocess.Popen | None = None
        self.start()

    def start(self) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ENGINE_")}
        environment |= {**TEST_SETTINGS, "ENGINE_HOME": str(self.home), **self.settings}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "engine", "serve", "--port", "0"],
            cwd=ROOT,
            env={name: value for name, value in environment.items() if value != "-"},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.match(r"listening on (http://\S+)", line):
                self.url = found[1]
                break
        else:
            raise RuntimeError("".join(self.lines))
        self._reader = threading.Thread(target=lambda: self.lines.extend(self.process.stderr), daemon=True)
        self._reader.start()

    def stop(self, *, kill: bool = False) -> None:
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        self.process.wait(30)
        self._reader.join()

    def error_lines(self) -> list[str]:
        """Return the log lines of level error, and lines that are not JSON."""
        return [line for line in self.lines if '"level": "error"' in line or not line.startswith(("{", "listening"))]

    def request(self, method: str, path: str, key: str | None = KEY, **what) -> requests.Response:
        headers = {**({"X-Api-Key": key} if key else {}), **what.pop("headers", {})}
        url = path if path.startswith("http") else self.url + path
        response = requests.request(method, url, headers=headers, timeout=what.pop("timeout", 120), **what)
        if not what.get("stream"):
            self._validate(response)
        return response

    def _validate(self, response: requests.Response) -> None:
        """Validate a response against the OpenAPI document, which is equal for all servers."""
        if Server.response_validator is None:
            Server.response_validator = ResponseValidator(requests.get(f"{self.url}/openapi.json", timeout=30).json())
        Server.response_validator.validate(response)

    def get(self, path, **what):
        return self.request("GET", path, **what)

    def post(self, path, **what):
        return self.request("POST", path, **what)

    def story(self, story_id: str, **what) -> dict:
        return self.get(f"/story/{story_id}", **what).json()["data"]

    def wait(self, story_id: str, seconds: float = 120, **what) -> dict:
        """Poll a story until its status is not `processing`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            story = self.story(story_id, **what)
            if story["status"] != "processing":
                return story
            time.sleep(0.2)
        raise TimeoutError(story)

    def wait_job(self, job_id: str, seconds: float = 120, **what) -> dict:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            job = self.get(f"/v1/jobs/{job_id}", **what).json()
            if job["status"] in ("completed", "failed"):
                return job
            time.sleep(0.2)
        raise TimeoutError(job)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("home"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def web_server():
    web_server = FakeWebServer()
    yield web_server
    web_server.close()
