"""The server under many: pollers while a film is made, a long queue, many stories, deletes in the middle, requests from
the page.

scripts/bench server [--pollers N] [--seconds S] [--jobs N] [--races N] [--fuzz N]     0 leaves a part out
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
POLL_SECONDS = 5.0
"""Seconds between two questions of one poller."""
FILM = {"idea": "A long journey over many mountains", "scene_count": 20}
SMALL = {"idea": "A snail", "scene_count": 1, "audio_option": '{"has_bg_music": false, "has_narration": false}'}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench server")
    for name, default in (("pollers", 1000), ("seconds", 30), ("jobs", 10_000), ("races", 200), ("fuzz", 8000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args(arguments)
    sys.path.insert(0, str(ROOT))
    from tests.engine.server.conftest import Server

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        if args.pollers:
            server = Server(home / "pollers", ENGINE_SHORT_SIDE="360", ENGINE_FPS="24")
            print_figures(asyncio.run(poll_film(server, args.pollers, args.seconds)))
            server.stop(kill=True)
        if args.jobs:
            measure_queue(Server, home, args.jobs)
        if args.races:
            delete_while_running(Server(home / "races"), args.races)
        if args.fuzz:
            fuzz_openapi(Server(home / "fuzz", ENGINE_SYNC_WAIT_SECONDS="0.05,0.05,0.05"), args.fuzz)


def print_figures(figures: dict[str, object]) -> None:
    print("  ".join(f"{name} {value}" for name, value in figures.items()), flush=True)


async def poll_film(server: Any, count: int, seconds: int) -> dict[str, object]:
    """`count` clients ask every 5 s how far a film is."""
    story = server.post("/story/idea-2-video", data=FILM).json()["data"]["id"]
    latencies: list[float] = []
    errors: list[object] = []
    states: set[str] = set()
    host, port = server.url.removeprefix("http://").split(":")
    request = f"GET /story/{story} HTTP/1.1\r\nHost: {host}:{port}\r\nX-Api-Key: key-of-a\r\n\r\n".encode()

    async def client(number: int) -> None:
        await asyncio.sleep(POLL_SECONDS * number / count)
        reader, writer = await asyncio.open_connection(host, int(port))
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            began = time.monotonic()
            try:
                writer.write(request)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                body = await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
                latencies.append(time.monotonic() - began)
                if not head.startswith(b"http/1.1 200"):
                    errors.append(head[:20])
                states.add(json.loads(body)["data"]["status"])
            except (OSError, EOFError, LookupError, ValueError) as error:
                errors.append(repr(error))
                return
            await asyncio.sleep(max(0.0, POLL_SECONDS - (time.monotonic() - began)))
        writer.close()

    await asyncio.gather(*(client(number) for number in range(count)))
    latencies.sort()
    return {
        "pollers": count,
        "asked": len(latencies),
        "errors": len(errors),
        "p50": f"{statistics.median(latencies) * 1000:.0f} ms",
        "p99": f"{latencies[int(len(latencies) * 0.99)] * 1000:.0f} ms",
        "states": sorted(states),
    }


def measure_queue(server_class: Any, home: Path, count: int) -> None:
    """`count` jobs are enqueued while the first of them are made; one story is read when there are 100, and when there are all."""
    server = server_class(home / "many", ENGINE_MAX_QUEUED_STORIES=str(count + 10))
    ids = asyncio.run(enqueue(server.url, 100))
    latency_few = measure_latency(server, ids[-1])
    began = time.monotonic()
    ids += asyncio.run(enqueue(server.url, count - 100))
    seconds = time.monotonic() - began
    latency_many = measure_latency(server, ids[-1])
    page = server.get("/story", params={"limit": 100}).json()
    newest = [story["id"] for story in page["data"]]
    server.stop(kill=True)
    with sqlite3.connect(home / "many" / "engine.sqlite") as connection:
        rows = [row[0] for row in connection.execute("SELECT story_id FROM jobs ORDER BY id")]
    print_figures(
        {
            "enqueued": len(ids), "unique": len(set(ids)) == count, "listed": page["total"],
            "in order": newest == ids[::-1][:100] and rows == ids, "seconds": round(seconds, 1),
            "GET among 100": f"{latency_few * 1000:.1f} ms", f"GET among {count}": f"{latency_many * 1000:.1f} ms",
            "ratio": round(latency_many / latency_few, 2),
        }
    )  # fmt: skip


async def enqueue(url: str, count: int) -> list[str]:
    async with httpx.AsyncClient(headers={"X-Api-Key": "key-of-a"}, timeout=60) as client:
        ids = []
        for _ in range(count):
            answer = await client.post(f"{url}/story/idea-2-video", data={**SMALL, "webhook_url": ""})
            ids.append(answer.json()["data"]["id"])
    return ids


def measure_latency(server: Any, story: str) -> float:
    """The median seconds of reading one story."""
    latencies = []
    with httpx.Client(headers={"X-Api-Key": "key-of-a"}, timeout=60) as client:
        for _ in range(500):
            began = time.perf_counter()
            client.get(f"{server.url}/story/{story}").raise_for_status()
            latencies.append(time.perf_counter() - began)
    return statistics.median(latencies)


def delete_while_running(server: Any, count: int) -> None:
    """Stories are deleted at every moment of their making."""
    failures = 0
    for number in range(count):
        form = {**SMALL, "scene_count": 4, "seed": number}
        story = server.post("/story/idea-2-video", data=form).json()["data"]["id"]
        time.sleep(number / count)
        response = server.request("DELETE", f"/story/{story}")
        failures += response.status_code != 200 or server.get(f"/story/{story}").status_code != 404
    remaining = server.get("/story").json()["total"]
    status_after = server.post("/story", data={"idea": "A snail", "scene_count": 1}).json()["data"]["status"]
    server.stop()
    print_figures(
        {
            "deleted while made": count,
            "wrong": failures,
            "left": remaining,
            "then": status_after,
            "mistakes": len(server.error_lines()),
        }
    )


def fuzz_openapi(server: Any, cases: int) -> None:
    """Requests made from the API page."""
    from tests.engine.server.fuzz import fuzz
    from tests.engine.server.routes.test_generate import BODY

    story = server.post("/story", data={"idea": "A snail", "scene_count": 1}).json()["data"]["id"]
    job = server.post("/v1/generate/story", json=BODY).json()["job_id"]
    server.wait(story)
    server.wait_job(job)
    began = time.monotonic()
    sent, counts = fuzz(server.url, "key-of-a", cases, {"story_id": story, "job_id": job})
    server.stop()
    failures = sum(number for (_, status), number in counts.items() if status >= 500)
    print_figures(
        {
            "requests": sent,
            "answers 5xx": failures,
            "seconds": round(time.monotonic() - began),
            "mistakes": len(server.error_lines()),
        }
    )
