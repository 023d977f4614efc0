"""Composing a film, three ways in one run: an idiomatic MoviePy 2 script, this engine's families, and the limit (raw x264 of ready frames).

Six scenes of five seconds, 1280×720 at 24 frames a second, half-second crossfades, a voice in every scene, music ducked under it. Each way runs
in processes of its own; CPU is user + system of all of them, memory the largest sum over them. The engine's steps are run as its users'
are: a plan, a store, two worker processes; their start is part of every figure unless said otherwise. Ratios count; seconds belong to
the machine. The pictures are of full HD, and the camera comes nearer in each scene, which is what MoviePy's users write by a size that
changes with time; `--pictures` and `--moves` choose others, for all ways alike.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.planning.plan import Given, Ref, Source, Step

WIDTH, HEIGHT, FPS, RATE = 1280, 720, 24, 48_000
MOVES = {
    "push in": (1, 0, 0),
    "pan left": (0, -1, 0),
    "pull out": (-1, 0, 0),
    "pan right": (0, 1, 0),
    "track left": (0, -1, 0),
    "crane up": (0, 0, -1),
}
"""What the camera does, and what that is in numbers: in or out, right or left, down or up."""
CLOSER, SHIFT = 0.088, 0.06
"""How much a scene of five seconds is enlarged by a push in, and how far it shifts in a pan, as the engine's camera does."""
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
    parser.add_argument("--moves", nargs="*", default=["push in"], choices=list(MOVES), metavar="MOVE")
    parser.add_argument("--pictures", default="1920x1080", help="their size, of the film's shape")
    parser.add_argument("--rounds", type=int, default=1, help="repeat all, and print the medians of the ratios")
    parser.add_argument("--no-moviepy", action="store_true", help="skip the slowest way")
    parser.add_argument("--memory", action="store_true", help="also compare the memory of 10 scenes with that of 100")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    if asked.way:
        WAYS[asked.way](asked.folder, asked.scenes, asked.presets[0])
        return
    with tempfile.TemporaryDirectory(prefix="composition-") as folder:
        width, height = map(int, asked.pictures.split("x"))
        size = width, height
        for preset in asked.presets:
            rounds = []
            for number in range(asked.rounds):
                place = Path(folder, f"{preset}-{number}")
                sources(place, asked.scenes, asked.seconds, size)
                (place / "moves.json").write_text(json.dumps(asked.moves))
                print(
                    f"\n{asked.scenes} scenes × {asked.seconds:g} s, {preset}; {', '.join(asked.moves)}; load {os.getloadavg()[0]:.1f}"
                )
                rounds.append(compare(place, asked.scenes, size, preset, not asked.no_moviepy))
                shutil.rmtree(place)
            if asked.rounds > 1:
                print(f"\nMedians of {asked.rounds} rounds, {preset}")
                for name in rounds[0]:
                    values = sorted(each[name] for each in rounds)
                    print(f"  {name:55s} {median(values):6.2f}   ({', '.join(f'{value:.2f}' for value in values)})")
        if asked.memory:
            compare_memory(Path(folder, "memory"))


def compare(folder: Path, scenes: int, size: tuple[int, int], preset: str, moviepy: bool) -> dict[str, float]:
    """Run all ways on the sources in a folder; the figures that there are bars for."""
    started = measure("start", folder, scenes, preset)
    told("processes start", started, "part of each of this engine's figures")
    full = measure("ours", folder, scenes, preset)
    told("this engine", full)
    again = measure("ours", folder, scenes, preset)
    told("… nothing changed", again)
    picture(folder / "scene-2" / "keyframe.png", 99, size)
    changed = measure("ours", folder, scenes, preset)
    told("… one scene changed", changed)
    measure("prepare", folder, scenes, preset)
    limit = measure("raw", folder, scenes, preset)
    told("raw x264", limit)
    (folder / "ready.yuv").unlink()
    layered = measure("layered", folder, scenes, preset)
    told("this engine, five layers", layered)
    figures = {
        f"CPU / raw x264's (bar {1.7 if preset == 'veryfast' else 1.25})": full.cpu / limit.cpu,
        "… without the start of processes, of raw x264's": (full.cpu - started.cpu) / limit.cpu,
        "one scene changed / all, CPU (bar 0.25)": changed.cpu / full.cpu,
        "… without the start of processes, of all": (changed.cpu - started.cpu) / (full.cpu - started.cpu),
        "nothing changed, seconds (bar 1)": again.wall,
        "CPU of five layers / of flat pictures": layered.cpu / full.cpu,
    }
    if moviepy:
        peer = measure("moviepy", folder, scenes, preset)
        told("MoviePy", peer)
        figures |= {
            f"MoviePy's CPU / ours (bar {5 if preset == 'veryfast' else 2.7})": peer.cpu / full.cpu,
            "MoviePy's wall / ours (bar 9 at veryfast, idle machine)": peer.wall / full.wall,
            "MoviePy's CPU / raw x264's": peer.cpu / limit.cpu,
        }
    for name, value in figures.items():
        print(f"    {name:55s} {value:6.2f}", flush=True)
    return figures


def told(what: str, cost: Cost, remark: str = "") -> None:
    print(f"  {what:25s} {cost}   {remark}", flush=True)


def compare_memory(folder: Path) -> None:
    costs = []
    for scenes in (10, 100):
        sources(folder / str(scenes), scenes, 1.0, (WIDTH, HEIGHT))
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


def sources(folder: Path, scenes: int, seconds: float, size: tuple[int, int]) -> None:
    """A picture and a voice for each scene (noise with the rhythm of speech), and music (a chord)."""
    import numpy as np
    import soundfile

    chance = np.random.default_rng(7)
    spoken = seconds - 0.5
    clock = np.arange(round(spoken * RATE)) / RATE
    for number in range(scenes):
        place = folder / f"scene-{number}"
        place.mkdir(parents=True)
        picture(place / "keyframe.png", number, size)
        voice = chance.standard_normal(clock.size) * np.clip(np.sin(2 * np.pi * 3 * clock), 0.02, 1) * 0.1
        soundfile.write(place / "narration.wav", voice, RATE)
        (place / "words.json").write_text(json.dumps({"seconds": spoken, "words": []}))
    length = np.arange(round((scenes * seconds + 1) * RATE)) / RATE
    chord = sum(np.sin(2 * np.pi * hertz * length) for hertz in (220, 277, 330)) * 0.1
    soundfile.write(folder / "music.wav", np.stack([chord, chord], 1), RATE)


def picture(path: Path, seed: int, size: tuple[int, int]) -> None:
    """Drawn shapes with outlines over a gradient: what the draft profile's pictures are to an encoder."""
    import cv2
    import numpy as np

    chance = np.random.default_rng(seed)
    scale = size[0] / WIDTH
    art = cv2.resize(chance.integers(90, 230, (3, 4, 3), dtype=np.uint8), size, interpolation=cv2.INTER_CUBIC)
    for _ in range(40):
        centre = (round(chance.integers(0, WIDTH) * scale), round(chance.integers(0, HEIGHT) * scale))
        axes = (round(chance.integers(20, 140) * scale), round(chance.integers(20, 140) * scale))
        colour = tuple(int(part) for part in chance.integers(20, 240, 3))
        cv2.ellipse(art, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)
        cv2.ellipse(art, centre, axes, 0, 0, 360, (20, 20, 20), round(4 * scale), cv2.LINE_AA)
    cv2.imwrite(str(path), art)


def cut_out(place: Path) -> None:
    """Five layers of the scene's picture: bands, each nearer than the one above."""
    import cv2
    import numpy as np

    margin = 64
    art = cv2.resize(cv2.imread(str(place / "keyframe.png")), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
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
    "schedule": "pipelines.media.film.schedule:Scheduler",
    "animate": "pipelines.video.animatic.camera:Camera",
    "conform": "pipelines.media.film.conform:Conformer",
    "bridge": "pipelines.video.transitions.dissolve:Bridge",
    "mix": "pipelines.media.audio.mix:Mixer",
    "compose": "pipelines.media.film.compose:Composer",
}
FRAME = {"width": WIDTH, "height": HEIGHT, "fps": FPS}


def moves_of(folder: Path) -> list[str]:
    """What the camera does in each scene."""
    told = folder / "moves.json"
    return list(json.loads(told.read_text())) if told.exists() else list(MOVES)


class Film:
    """The steps from pictures and voices to the film, done by the engine's runner in two worker processes."""

    def __init__(self, folder: Path, options: Mapping[str, Any], layered: bool = False) -> None:
        from engine.storage.artifact_store import Store

        self.folder, self.options, self.layered = folder, options, layered
        self.store = Store(folder / "store")
        self.moves = moves_of(folder)
        self.steps: list[Step] = []

    def make(self, scenes: int, target: Path) -> None:
        from engine.execution.devices import cpu_places
        from engine.execution.local import LocalExecutor
        from engine.execution.runner import Runner
        from engine.planning.plan import Plan

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
        from engine.planning.plan import Ref

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
            camera = FRAME | {"camera": self.moves[number % len(self.moves)]}
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
        self._add("compose", FRAME, parts=parts, timeline=timeline, sound=[Ref("mix", "sound.m4a")])

    def _given(self, path: Path) -> Given:
        from engine.planning.plan import Given

        return Given(self.store.put(path, name=path.name).digest, path.name)

    def _add(self, kind: str, params: Mapping[str, Any], number: int | None = None, **inputs: Sequence[Source]) -> None:
        from engine.planning.plan import Step
        from pipelines import step_params
        from pipelines.base import Kind, ModelSpec

        spec = ModelSpec(name=kind, family=FAMILIES[kind], kinds=(Kind(kind),), options=dict(self.options))
        asked = step_params.PARAMS[Kind(kind)].model_validate_json(json.dumps(params))
        name = kind if number is None else f"{kind}-{number}"
        roles = {role: tuple(sources) for role, sources in inputs.items()}
        self.steps.append(Step(name, Kind(kind), spec, asked, roles, seed=number or 0))


def ours(folder: Path, scenes: int, preset: str) -> None:
    Film(folder, {"preset": preset}).make(scenes, folder / "film.mp4")


def start(folder: Path, scenes: int, preset: str) -> None:
    """The engine and two workers come up, import what composing needs, and have next to nothing to do."""
    from engine.execution.devices import cpu_places
    from engine.execution.local import LocalExecutor
    from engine.execution.protocol import Done, Task
    from pipelines.base import Kind, ModelSpec

    executor = LocalExecutor(cpu_places(2))
    spec = ModelSpec(name="mix", family=FAMILIES["mix"], kinds=(Kind.MIX,))
    for number in range(2):  # they end at once: a mix without a timeline is refused
        executor.submit(Task(f"task-{number}", Kind.MIX, spec, {}, {}, folder / f"start-{number}", 0))
    ended = 0
    while ended < 2:
        ended += sum(isinstance(event, Done) for event in executor.events(1))
    executor.stop()


def with_layers(folder: Path, scenes: int, preset: str) -> None:
    for number in range(scenes):
        cut_out(folder / f"scene-{number}")
    Film(folder, {"preset": preset}, layered=True).make(scenes, folder / "layered.mp4")


# --- the limit, and the peer ------------------------------------------------------------------------------------------------


def raw(folder: Path, scenes: int, preset: str) -> None:
    """x264 alone, one thread, with the engine's own settings, over the frames of the film as they lie ready."""
    from pipelines.media.codec.encoder import x264_options
    from pipelines.media.codec.encoding_options import Coding
    from pipelines.media.codec.ffmpeg import run

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
    from pipelines.media.codec.ffmpeg import run

    fine = folder / "fine.mp4"
    Film(folder, {"preset": "ultrafast", "crf": 1.0}).make(scenes, fine)
    run(["-v", "error", "-i", str(fine), "-f", "rawvideo", "-y", str(folder / "ready.yuv")], "Decoding")


def moviepy(folder: Path, scenes: int, preset: str) -> None:
    """As its documentation would have one write it: the same moves, fades, ducked music, quality and container."""
    from moviepy import AudioFileClip, CompositeAudioClip, CompositeVideoClip, ImageClip, afx, vfx

    moves = moves_of(folder)
    clips: list[Any] = []
    voices: list[Any] = []
    start = 0.0
    for number in range(scenes):
        place = folder / f"scene-{number}"
        voice = AudioFileClip(str(place / "narration.wav"))
        length = voice.duration + 0.5 + FADE
        clip = ImageClip(str(place / "keyframe.png")).with_duration(length)
        clip = moved(clip, MOVES[moves[number % len(moves)]], length).with_start(start)
        clips.append(clip.with_effects([vfx.CrossFadeIn(FADE)]) if number else clip)
        voices.append(voice.with_start(start + FADE))
        start += length - FADE
    film = CompositeVideoClip(clips, size=(WIDTH, HEIGHT)).with_duration(start)
    music = AudioFileClip(str(folder / "music.wav")).with_effects([afx.MultiplyVolume(0.8)])
    music = music.with_duration(min(music.duration, start))
    music = music.with_effects([afx.MultiplyVolume(0.25, start_time=each.start, end_time=each.end) for each in voices])
    film = film.with_audio(CompositeAudioClip([music, *voices]))
    film.write_videofile(
        str(folder / "moviepy.mp4"),
        fps=FPS,
        codec="libx264",
        preset=preset,
        audio_codec="aac",
        audio_bitrate="192k",
        ffmpeg_params=["-crf", "18", "-movflags", "+faststart"],
        logger=None,
    )


def moved(clip: Any, move: tuple[int, int, int], length: float) -> Any:
    """A picture clip as the camera sees it that zooms, or pans across a picture made a little larger."""
    zoom, across, down = move
    fit = WIDTH / clip.w
    if zoom:
        begin, more = (1.0, CLOSER) if zoom > 0 else (1.0 + CLOSER, -CLOSER)
        return clip.resized(lambda t: fit * (begin + more * t / length)).with_position("center")
    spare_x, spare_y = WIDTH * SHIFT, HEIGHT * SHIFT

    def corner(t: float) -> tuple[float, float]:
        way = t / length - 0.5
        return -spare_x * (0.5 + across * way), -spare_y * (0.5 + down * way)

    return clip.resized(fit * (1 + SHIFT)).with_position(corner)


WAYS = {"ours": ours, "layered": with_layers, "raw": raw, "prepare": prepare, "start": start, "moviepy": moviepy}
