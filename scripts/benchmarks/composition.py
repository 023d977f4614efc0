"""Composing a film, three ways in one run: an idiomatic MoviePy 2 script, this engine's families, and the limit (raw x264 of ready frames).

Six scenes of five seconds, 1280×720 at 24 frames a second, half-second crossfades, a voice in every scene, music ducked under it. Each way runs
in processes of its own; CPU is user + system of all of them, memory the largest sum over them. The engine's steps are run as its users'
are: a plan, a store, two worker processes; their start is part of every figure unless said otherwise. Ratios count; seconds belong to
the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.plan import Given, Ref, Source, Step

WIDTH, HEIGHT, FPS, RATE = 1280, 720, 24, 48_000
MOVES = ("push in", "pan left", "pull out", "pan right", "track left", "crane up")
FADE = 0.5


@dataclass(frozen=True)
class Cost:
    wall: float
    cpu: float
    rss: float

    def __str__(self) -> str:
        return f"{self.wall:7.2f} s wall  {self.cpu:7.2f} s CPU  {self.rss:6.0f} MB"


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench composition", description=__doc__)
    parser.add_argument("--scenes", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a scene")
    parser.add_argument("--presets", nargs="*", default=["veryfast", "medium"])
    parser.add_argument("--no-moviepy", action="store_true", help="skip the slowest way")
    parser.add_argument("--memory", action="store_true", help="also compare the memory of 10 scenes with that of 100")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    if asked.way:
        WAYS[asked.way](asked.folder, asked.scenes, asked.presets[0])
        return
    with tempfile.TemporaryDirectory(prefix="composition-") as folder:
        for preset in asked.presets:
            compare(Path(folder, preset), asked.scenes, asked.seconds, preset, not asked.no_moviepy)
        if asked.memory:
            compare_memory(Path(folder, "memory"))


def compare(folder: Path, scenes: int, seconds: float, preset: str, moviepy: bool) -> None:
    sources(folder, scenes, seconds)
    print(f"\n{scenes} scenes × {seconds:g} s, {preset}; load {os.getloadavg()[0]:.1f}", flush=True)
    started = measure("start", folder, scenes, preset)
    print(f"  processes start      {started}   (part of each of this engine's figures)", flush=True)
    full = measure("ours", folder, scenes, preset)
    print(f"  this engine          {full}", flush=True)
    again = measure("ours", folder, scenes, preset)
    print(f"  … nothing changed    {again}   {judged('wall', again.wall, 1.0)}", flush=True)
    picture(folder / "scene-2" / "keyframe.png", 99)
    changed = measure("ours", folder, scenes, preset)
    print(f"  … one scene changed  {changed}   {judged('CPU of a full one', changed.cpu / full.cpu, 0.25)}")
    print(
        f"                       without the start of processes {(changed.cpu - started.cpu) / (full.cpu - started.cpu):.2f}"
    )
    measure("prepare", folder, scenes, preset)
    limit = measure("raw", folder, scenes, preset)
    (folder / "ready.yuv").unlink()
    bar = 1.7 if preset == "veryfast" else 1.25
    print(f"  raw x264             {limit}   {judged('our CPU of its', full.cpu / limit.cpu, bar)}")
    print(
        f"                       without the start of processes {(full.cpu - started.cpu) / limit.cpu:.2f}", flush=True
    )
    layered = measure("layered", folder, scenes, preset)
    print(f"  … with five layers   {layered}   {layered.cpu / full.cpu:.2f} of the flat pictures' CPU", flush=True)
    if moviepy:
        peer = measure("moviepy", folder, scenes, preset)
        print(f"  MoviePy              {peer}")
        print(f"    its wall / ours {peer.wall / full.wall:5.1f} (bar 9 at veryfast on an idle machine)")
        print(f"    its CPU  / ours {peer.cpu / full.cpu:5.1f} (bar {5 if preset == 'veryfast' else 2.7})", flush=True)


def compare_memory(folder: Path) -> None:
    costs = []
    for scenes in (10, 100):
        sources(folder / str(scenes), scenes, 1.0)
        costs.append(measure("ours", folder / str(scenes), scenes, "ultrafast"))
        print(f"\n{scenes} scenes × 1 s, ultrafast: {costs[-1]}")
    print(f"  {judged('memory of 100 scenes over that of 10', costs[1].rss / costs[0].rss, 1.15)}")


def judged(what: str, value: float, bar: float) -> str:
    return f"{what} {value:.2f} (bar {bar:g}: {'kept' if value <= bar else 'MISSED'})"


def measure(way: str, folder: Path, scenes: int, preset: str) -> Cost:
    """Run one way in a process of its own."""
    import psutil

    script = Path(__file__).resolve().parents[1] / "bench"
    command = [sys.executable, str(script), "composition", "--way", way, "--folder", str(folder)]
    before, started = _children(), time.perf_counter()
    process = subprocess.Popen([*command, "--scenes", str(scenes), "--presets", preset], stdout=subprocess.DEVNULL)
    peak, done = 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.05):
            try:
                root = psutil.Process(process.pid)
                peak = max(peak, sum(each.memory_info().rss for each in (root, *root.children(recursive=True))))
            except psutil.NoSuchProcess:
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    wall = time.perf_counter() - started
    done.set()
    watcher.join()
    if code:
        sys.exit(f"{way} ended with {code}")
    return Cost(wall, _children() - before, peak / 2**20)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# --- what goes in -----------------------------------------------------------------------------------------------------


def sources(folder: Path, scenes: int, seconds: float) -> None:
    """A picture and a voice for each scene (noise with the rhythm of speech), and music (a chord)."""
    import numpy as np
    import soundfile

    chance = np.random.default_rng(7)
    spoken = seconds - 0.5
    clock = np.arange(round(spoken * RATE)) / RATE
    for number in range(scenes):
        place = folder / f"scene-{number}"
        place.mkdir(parents=True)
        picture(place / "keyframe.png", number)
        voice = chance.standard_normal(clock.size) * np.clip(np.sin(2 * np.pi * 3 * clock), 0.02, 1) * 0.1
        soundfile.write(place / "narration.wav", voice, RATE)
        (place / "words.json").write_text(json.dumps({"seconds": spoken, "words": []}))
    length = np.arange(round((scenes * seconds + 1) * RATE)) / RATE
    chord = sum(np.sin(2 * np.pi * hertz * length) for hertz in (220, 277, 330)) * 0.1
    soundfile.write(folder / "music.wav", np.stack([chord, chord], 1), RATE)


def picture(path: Path, seed: int) -> None:
    """Drawn shapes with outlines over a gradient: what the draft profile's pictures are to an encoder."""
    import cv2
    import numpy as np

    chance = np.random.default_rng(seed)
    art = cv2.resize(
        chance.integers(90, 230, (3, 4, 3), dtype=np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
    )
    for _ in range(40):
        centre = (int(chance.integers(0, WIDTH)), int(chance.integers(0, HEIGHT)))
        axes = (int(chance.integers(20, 140)), int(chance.integers(20, 140)))
        colour = tuple(int(part) for part in chance.integers(20, 240, 3))
        cv2.ellipse(art, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)
        cv2.ellipse(art, centre, axes, 0, 0, 360, (20, 20, 20), 4, cv2.LINE_AA)
    cv2.imwrite(str(path), art)


def cut_out(place: Path) -> None:
    """Five layers of the scene's picture: bands, each nearer than the one above."""
    import cv2
    import numpy as np

    margin = 64
    art = cv2.imread(str(place / "keyframe.png"))
    wide = cv2.copyMakeBorder(art, margin, margin, margin, margin, cv2.BORDER_REFLECT)
    layers = []
    for number, depth in enumerate((0.0, 0.2, 0.5, 1.0, 1.5)):
        alpha = np.full(wide.shape[:2], 255, np.uint8)
        alpha[: int(wide.shape[0] * (0, 0.3, 0.5, 0.65, 0.85)[number])] = 0
        cv2.imwrite(str(place / f"layer-{number:02d}.png"), np.dstack([wide, alpha]))
        layers.append({"file": f"layer-{number:02d}.png", "depth": depth})
    (place / "layers.json").write_text(
        json.dumps({"width": WIDTH, "height": HEIGHT, "margin": margin, "layers": layers})
    )


# --- the engine: a plan, a store, two workers --------------------------------------------------------------------------------

FAMILIES = {
    "schedule": "pipelines.media.schedule:Scheduler",
    "animate": "pipelines.video.camera:Camera",
    "conform": "pipelines.media.conform:Conformer",
    "bridge": "pipelines.video.bridge:Bridge",
    "mix": "pipelines.media.mix:Mixer",
    "compose": "pipelines.media.compose:Composer",
}
FRAME = {"width": WIDTH, "height": HEIGHT, "fps": FPS}


class Film:
    """The steps from pictures and voices to the film, done by the engine's runner in two worker processes."""

    def __init__(self, folder: Path, options: Mapping[str, Any], layered: bool = False) -> None:
        from engine.artifacts import Store

        self.folder, self.options, self.layered = folder, options, layered
        self.store = Store(folder / "store")
        self.steps: list[Step] = []

    def make(self, scenes: int, target: Path) -> None:
        from engine.executor.devices import cpu_places
        from engine.executor.local import LocalExecutor
        from engine.plan import Plan
        from engine.runner import Runner

        self._plan(scenes)
        executor = LocalExecutor(cpu_places(2))
        try:
            result = Runner(self.store, executor).run(Plan(tuple(self.steps)))
        finally:
            executor.stop()
        if not result.ok:
            sys.exit(f"failed: {result.failed}")
        target.unlink(missing_ok=True)
        os.link(self.store.path(result.made["compose"].outputs[0].digest), target)
        self.store.close()

    def _plan(self, scenes: int) -> None:
        from engine.plan import Ref

        places = [self.folder / f"scene-{number}" for number in range(scenes)]
        times = tuple({"seconds": 5.0, "narrated": True, "transition": FADE} for _ in places)
        self._add(
            "schedule", {"fps": FPS, "scenes": times}, words=[self._given(place / "words.json") for place in places]
        )
        timings = [Ref("schedule", f"scene-{number + 1:03d}.json") for number in range(scenes)]
        parts: list[Ref] = []
        for number, place in enumerate(places):
            pictures = {"keyframe": [self._given(place / "keyframe.png")]}
            if self.layered:
                pictures["layers"] = [self._given(path) for path in sorted(place.glob("layer*"))]
            camera = FRAME | {"camera": MOVES[number % len(MOVES)]}
            self._add("animate", camera, number, timing=[timings[number]], **pictures)
        for number in range(scenes):
            clips = [Ref(f"animate-{each}", "clip.mp4") for each in (number, number + 1)]
            self._add("conform", FRAME, number, clip=clips[:1], timing=[timings[number]])
            parts.append(Ref(f"conform-{number}", "body.mp4"))
            if number + 1 < scenes:
                self._add("bridge", FRAME, number, clips=clips, timings=timings[number : number + 2])
                parts.append(Ref(f"bridge-{number}", "bridge.mp4"))
        timeline = [Ref("schedule", "timeline.json")]
        voices = [self._given(place / "narration.wav") for place in places]
        self._add("mix", {}, narrations=voices, music=[self._given(self.folder / "music.wav")], timeline=timeline)
        self._add("compose", FRAME, parts=parts, timeline=timeline, sound=[Ref("mix", "sound.wav")])

    def _given(self, path: Path) -> Given:
        from engine.plan import Given

        return Given(self.store.put(path, name=path.name).digest, path.name)

    def _add(self, kind: str, params: Mapping[str, Any], number: int | None = None, **inputs: Sequence[Source]) -> None:
        from engine.plan import Step
        from pipelines import kinds
        from pipelines.base import Kind, ModelSpec

        spec = ModelSpec(name=kind, family=FAMILIES[kind], kinds=(Kind(kind),), options=dict(self.options))
        asked = kinds.PARAMS[Kind(kind)].model_validate_json(json.dumps(params))
        name = kind if number is None else f"{kind}-{number}"
        roles = {role: tuple(sources) for role, sources in inputs.items()}
        self.steps.append(Step(name, Kind(kind), spec, asked, roles, seed=number or 0))


def ours(folder: Path, scenes: int, preset: str) -> None:
    Film(folder, {"preset": preset}).make(scenes, folder / "film.mp4")


def start(folder: Path, scenes: int, preset: str) -> None:
    """The engine and two workers come up, import what composing needs, and have next to nothing to do."""
    import engine.artifacts
    import engine.runner  # noqa: F401
    from engine.executor.devices import cpu_places
    from engine.executor.local import _environment

    code = "import engine.executor.worker, pipelines.video.clip, pipelines.video.overlap, pipelines.media.body"
    workers = [subprocess.Popen([sys.executable, "-c", code], env=_environment(place)) for place in cpu_places(2)]
    for worker in workers:
        worker.wait()


def with_layers(folder: Path, scenes: int, preset: str) -> None:
    for number in range(scenes):
        cut_out(folder / f"scene-{number}")
    Film(folder, {"preset": preset}, layered=True).make(scenes, folder / "layered.mp4")


# --- the limit, and the peer ------------------------------------------------------------------------------------------------


def raw(folder: Path, scenes: int, preset: str) -> None:
    """x264 alone, one thread, with the engine's own settings, over the frames of the film as they lie ready."""
    from pipelines.media.coding import Coding
    from pipelines.media.encoder import x264_options
    from pipelines.media.ffmpeg import run

    ready = folder / "ready.yuv"
    shape = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS)]
    settings = x264_options(Coding.from_options({"preset": preset}))
    coding = [
        "-c:v",
        "libx264",
        "-threads",
        "1",
        *(word for key, value in settings.items() for word in (f"-{key}", value)),
    ]
    run(["-v", "error", *shape, "-i", str(ready), *coding, "-y", str(folder / "raw.mp4")], "Coding")


def prepare(folder: Path, scenes: int, preset: str) -> None:
    """The frames of the film before they are coded: the film again, all but lossless, decoded."""
    from pipelines.media.ffmpeg import run

    fine = folder / "fine.mp4"
    Film(folder, {"preset": "ultrafast", "crf": 1.0}).make(scenes, fine)
    run(["-v", "error", "-i", str(fine), "-f", "rawvideo", "-y", str(folder / "ready.yuv")], "Decoding")


def moviepy(folder: Path, scenes: int, preset: str) -> None:
    """As its documentation would have one write it."""
    from moviepy import AudioFileClip, CompositeAudioClip, CompositeVideoClip, ImageClip, afx, vfx

    clips: list[Any] = []
    voices: list[Any] = []
    start = 0.0
    for number in range(scenes):
        place = folder / f"scene-{number}"
        voice = AudioFileClip(str(place / "narration.wav"))
        length = voice.duration + 0.5 + FADE
        clip = ImageClip(str(place / "keyframe.png")).with_duration(length)
        clip = clip.resized(lambda t, length=length: 1 + 0.08 * t / length).with_position("center").with_start(start)
        clips.append(clip.with_effects([vfx.CrossFadeIn(FADE)]) if number else clip)
        voices.append(voice.with_start(start + FADE))
        start += length - FADE
    film = CompositeVideoClip(clips, size=(WIDTH, HEIGHT)).with_duration(start)
    music = AudioFileClip(str(folder / "music.wav")).with_effects([afx.MultiplyVolume(0.25)])
    music = music.with_duration(min(music.duration, start))
    film = film.with_audio(CompositeAudioClip([music, *voices]))
    film.write_videofile(str(folder / "moviepy.mp4"), fps=FPS, preset=preset, audio_codec="aac", logger=None)


WAYS = {"ours": ours, "layered": with_layers, "raw": raw, "prepare": prepare, "start": start, "moviepy": moviepy}
