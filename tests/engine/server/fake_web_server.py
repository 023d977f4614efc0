"""A web server on loopback with images, pages, clips and receivers of webhooks."""

from __future__ import annotations

import io
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE_HTML = """<html><head><title>The Beekeeper of Elm Street</title><meta name="description" content="A woman keeps
bees on a roof."> </head><body><article><h1>The Beekeeper of Elm Street</h1><p>Every morning Oda climbs to the roof of
the library, where forty thousand bees live in three blue hives.</p><p>She sells the honey on Saturdays and gives half
of the money to the school.</p> </article></body></html>"""


def make_image(
    width: int = 320, height: int = 200, colour: tuple[int, int, int] = (200, 40, 30), image_format: str = "PNG"
) -> bytes:
    """Return an image with one corner of another colour."""
    from PIL import Image

    image = Image.new("RGB", (width, height), colour)
    image.paste((10, 10, 240), (0, 0, width // 4, height // 4))
    buffer = io.BytesIO()
    image.save(buffer, image_format)
    return buffer.getvalue()


class FakeWebServer:
    """A web server that records its requests and returns configured responses to webhooks."""

    def __init__(self) -> None:
        self.requested_paths: list[str] = []
        self.webhooks: list[tuple[str, dict[str, str], bytes, float]] = []
        self.files: dict[str, tuple[str, bytes]] = {"/page": ("text/html", PAGE_HTML.encode())}
        self.webhook_responses: dict[str, list] = {}
        self.on_webhook = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requested_paths.append(self.path)
                kind, body = outer.files.get(self.path, ("", b""))
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.webhooks.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body, time.time()))
                if outer.on_webhook:
                    outer.on_webhook(self.path, json.loads(body))
                steps = outer.webhook_responses.get(self.path, [])
                status = steps.pop(0) if steps else 200
                if callable(status):
                    status(self)
                    return
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header("Location", "/redirected")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def webhooks_to(self, path: str) -> list[tuple[str, dict[str, str], bytes, float]]:
        return [hook for hook in self.webhooks if hook[0] == path]

    def wait_for_webhooks(
        self, path: str, count: int = 1, seconds: float = 60
    ) -> list[tuple[str, dict[str, str], bytes, float]]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if len(self.webhooks_to(path)) >= count:
                return self.webhooks_to(path)
            time.sleep(0.05)
        raise TimeoutError(f"{len(self.webhooks_to(path))} of {count} webhooks came to {path}")
