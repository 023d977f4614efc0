"""A whole draft film: seconds of work per second of film, the share of each kind of step, a recalled run, memory by
scenes.

scripts/bench film                    everything but the long one
scripts/bench film --scenes 10 100    peak memory of the process tree for both numbers of scenes, and their ratio
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
NARRATIONS = (
    "At first light the keeper walked down to the quiet harbour with a lantern.",
    "Nobody had seen the little boat leave, and the tide was already turning.",
    "She asked the fishermen, the baker, and a boy who was mending a net.",
    "Together they rowed out past the rocks, where the fog was thickest.",
    "A bell answered them, faint and slow, from somewhere near the reef.",
    "By evening all of them sat around the stove and told it once again.",
)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench film", description=__doc__)
    parser.add_argument("--scenes", type=int, nargs="+", help="peak memory for these numbers of scenes")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if options.scenes:
            measure_memory(work, options.scenes)
        else:
            measure_speed(work)
            measure_cached(work)
            measure_cli_start()


def measure_speed(work: Path) -> None:
    print("film of 6 scenes, 1280 × 720 at 24, dissolves, music; first run in an empty home, workers started anew\n")
    for name, narrated in (("without speech", False), ("narrated by Kokoro", True)):
        spec = write_spec(work / f"{name.replace(' ', '-')}.json", 6, narrated=narrated)
        seconds, cpu, _ = run_spec(spec, work / name.replace(" ", "-"))
        record = json.loads((work / "films" / spec.stem / "story.json").read_text("utf-8"))
        film = film_seconds(record)
        kinds: Counter[str] = Counter()
        for step in record["steps"]:
            kinds[step["kind"]] += step["seconds"]
        total = sum(kinds.values())
        shares = ", ".join(f"{kind} {share / total:.0%}" for kind, share in kinds.most_common(6))
        print(
            f"{name}: film {film:.1f} s, wall {seconds:.1f} s = {seconds / film:.2f} × film, cpu {cpu:.1f} s = {cpu / film:.2f} × film"
        )
        print(f"  shares of the work: {shares}\n")


def measure_cached(work: Path) -> None:
    spec = write_spec(work / "ten.json", 10, narrated=True)
    first, _, _ = run_spec(spec, work / "ten-home")
    cached, _, _ = run_spec(spec, work / "ten-home")
    print(
        f"10 scenes: first run {first:.1f} s, fully recalled run {cached:.2f} s = {cached / first:.3f} × (files written out again)\n"
    )


def measure_cli_start() -> None:
    times = []
    for _ in range(7):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "engine", "--help"], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - started)
    python_times = []
    for _ in range(7):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", ""], check=True)
        python_times.append(time.perf_counter() - started)
    print(
        f"python -m engine --help: {sorted(times)[3]:.2f} s (median of 7; python alone {sorted(python_times)[3]:.2f} s)"
    )


def measure_memory(work: Path, numbers: list[int]) -> None:
    peaks = []
    for number in numbers:
        script = work / f"{number}.py"
        script.write_text(
            MANY_SCENES_SCRIPT.format(root=str(ROOT), scenes=number, home=str(work / f"home-{number}")), "utf-8"
        )
        seconds, _, peak = run_measured([sys.executable, str(script)], {})
        peaks.append(peak)
        print(
            f"{number} scenes of 2 s, 640 × 360: {seconds:.0f} s, peak of the process tree {peak:.0f} MB (proportional set size)"
        )
    print(f"ratio {peaks[-1] / peaks[0]:.3f} for {numbers[-1] / numbers[0]:.0f} × the scenes")


MANY_SCENES_SCRIPT = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from engine.execution.local import LocalExecutor
from engine.service import Service
from engine.settings import Settings
from engine.story.model import Audio, Character, Element, Scene, SceneCharacter, Story, Video
from pipelines.models.catalog import load

scenes = tuple(
    Scene(prompt=f"Mara walks along the shore, day {{n}}", characters=(SceneCharacter(name="Mara"),), location=f"Shore
    {{n % 3}}",
          narration=f"Day {{n}} at the shore.", seconds=2.0)
    for n in range({scenes})
)
story = Story(
    title="Many", scenes=scenes, characters=(Character(name="Mara", appearance="red hair, green coat"),),
    locations=tuple(Element(name=f"Shore {{n}}", description="a rocky shore") for n in range(3)),
    audio=Audio(), video=Video(width=640, height=360, transition="dissolve", transition_seconds=0.5),
    choices={{"profile": "draft", "models": {{}}}},
)
home = Path({home!r})
if __name__ == "__main__":
    with Service(Settings(home, home / "weights"), load(), LocalExecutor(logs=home / "logs")) as service:
        service.run(story)
"""


def write_spec(path: Path, scenes: int, *, narrated: bool) -> Path:
    body = {
        "model": "local-story",
        "title": path.stem,
        "seed": 3,
        "characters": [
            {"name": "Mara", "appearance": "34, auburn braid, green oilskin coat"},
            {"name": "Tomas", "appearance": "a boy of ten, black curly hair, yellow raincoat"},
        ],
        "locations": [
            {"name": "Harbour", "description": "a fishing harbour at dawn"},
            {"name": "Reef", "description": "rocks in the sea, fog"},
        ],
        "scenes": [
            {
                "prompt": f"{NARRATIONS[n % 6]} Scene {n + 1}.",
                "characters": [{"name": "Mara"}] + ([{"name": "Tomas"}] if n % 2 else []),
                "location": "Reef" if n % 3 == 2 else "Harbour",
                "narration": NARRATIONS[n % 6] if narrated else "",
                "camera_movement": ("slow push in", "pan right", "pull out", "track left", "tilt up", "static")[n % 6],
                "duration": 5,
            }
            for n in range(scenes)
        ],
    }
    path.write_text(json.dumps(body), "utf-8")
    return path


def run_spec(spec: Path, home: Path) -> tuple[float, float, float]:
    out = spec.parent / "films" / spec.stem
    return run_measured(
        [sys.executable, "-m", "engine", "run", str(spec), "--out", str(out)], {"ENGINE_HOME": str(home)}
    )


def run_measured(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds of the whole tree, and its peak memory in MB."""
    before, started = os.times(), time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    peak, cpu = [0.0], {}
    finished = threading.Event()

    def sample() -> None:
        root = psutil.Process(process.pid)
        while not finished.wait(0.25):
            total = 0.0
            try:
                for one in (root, *root.children(recursive=True)):
                    total += one.memory_full_info().pss / 1e6
                    times = one.cpu_times()
                    cpu[one.pid] = times.user + times.system
            except psutil.Error:
                continue
            peak[0] = max(peak[0], total)

    watcher = threading.Thread(target=sample, daemon=True)
    watcher.start()
    code = process.wait()
    seconds = time.perf_counter() - started
    finished.set()
    watcher.join()
    if code:
        raise SystemExit(f"{command} ended with {code}")
    after = os.times()
    reaped = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, max(reaped, sum(cpu.values())), peak[0]


def film_seconds(record: Mapping[str, Any]) -> float:
    last = record["timeline"]["scenes"][-1]
    seconds: float = (last["start"] + last["timing"]["frames"]) / record["timeline"]["fps"]
    return seconds
