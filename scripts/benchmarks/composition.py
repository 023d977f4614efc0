"""Composing a film, three ways in one run: an idiomatic MoviePy 2 script, this engine's families, and the limit (raw
x264 of ready frames).

Six scenes of five seconds, 1280×720 at 24 frames a second, half-second crossfades, a voice in every scene, music ducked
under it. Each way runs in processes of its own; CPU is user + system of all of them, memory the largest sum over them.
The engine's steps are run as its users' are: a plan, a store, two worker processes; their start is part of every figure
unless said otherwise. Ratios count; seconds belong to the machine. The pictures are of full HD, and the camera comes
nearer in each scene, which is what MoviePy's users write by a size that changes with time; `--pictures` and `--moves`
choose others, for all ways alike.
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
    from engine.planning.plan import OutputRef, Step, StepInput, StoredInput

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
ZOOM, SHIFT = 0.088, 0.06
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
    args = parser.parse_args(argv)
    if args.way:
        VARIANTS[args.way](args.folder, args.scenes, args.presets[0])
        return
    with tempfile.TemporaryDirectory(prefix="composition-") as folder:
        width, height = map(int, args.pictures.split("x"))
        size = width, height
        for preset in args.presets:
            rounds = []
            for number in range(args.rounds):
                round_folder = Path(folder, f"{preset}-{number}")
                make_sources(round_folder, args.scenes, args.seconds, size)
                (round_folder / "moves.json").write_text(json.dumps(args.moves))
                print(
                    f"\n{args.scenes} scenes × {args.seconds:g} s, {preset}; {', '.join(args.moves)}; load {os.getloadavg()[0]:.1f}"
                )
                rounds.append(compare(round_folder, args.scenes, size, preset, not args.no_moviepy))
                shutil.rmtree(round_folder)
            if args.rounds > 1:
                print(f"\nMedians of {args.rounds} rounds, {preset}")
                for name in rounds[0]:
                    values = sorted(each[name] for each in rounds)
                    print(f"  {name:55s} {median(values):6.2f}   ({', '.join(f'{value:.2f}' for value in values)})")
        if args.memory:
            compare_memory(Path(folder, "memory"))


def compare(folder: Path, scenes: int, size: tuple[int, int], preset: str, with_moviepy: bool) -> dict[str, float]:
    """Run all ways on the sources in a folder; the figures that there are bars for."""
    started = measure("start", folder, scenes, preset)
    print_cost("processes start", started, "part of each of this engine's figures")
    cold = measure("ours", folder, scenes, preset)
    print_cost("this engine", cold)
    cached = measure("ours", folder, scenes, preset)
    print_cost("… nothing changed", cached)
    make_image(folder / "scene-2" / "keyframe.png", 99, size)
    changed = measure("ours", folder, scenes, preset)
    print_cost("… one scene changed", changed)
    measure("prepare", folder, scenes, preset)
    raw_cost = measure("raw", folder, scenes, preset)
    print_cost("raw x264", raw_cost)
    (folder / "ready.yuv").unlink()
    layered = measure("layered", folder, scenes, preset)
    print_cost("this engine, five layers", layered)
    figures = {
        f"CPU / raw x264's (bar {1.7 if preset == 'veryfast' else 1.25})": cold.cpu / raw_cost.cpu,
        "… without the start of processes, of raw x264's": (cold.cpu - started.cpu) / raw_cost.cpu,
        "one scene changed / all, CPU (bar 0.25)": changed.cpu / cold.cpu,
        "… without the start of processes, of all": (changed.cpu - started.cpu) / (cold.cpu - started.cpu),
        "nothing changed, seconds (bar 1)": cached.wall,
        "CPU of five layers / of flat pictures": layered.cpu / cold.cpu,
    }
    if with_moviepy:
        moviepy_cost = measure("moviepy", folder, scenes, preset)
        print_cost("MoviePy", moviepy_cost)
        figures |= {
            f"MoviePy's CPU / ours (bar {5 if preset == 'veryfast' else 2.7})": moviepy_cost.cpu / cold.cpu,
            "MoviePy's wall / ours (bar 9 at veryfast, idle machine)": moviepy_cost.wall / cold.wall,
            "MoviePy's CPU / raw x264's": moviepy_cost.cpu / raw_cost.cpu,
        }
    for name, value in figures.items():
        print(f"    {name:55s} {value:6.2f}", flush=True)
    return figures


def print_cost(label: str, cost: Cost, remark: str = "") -> None:
    print(f"  {label:25s} {cost}   {remark}", flush=True)


def compare_memory(folder: Path) -> None:
    costs = []
    for scenes in (10, 100):
        make_sources(folder / str(scenes), scenes, 1.0, (WIDTH, HEIGHT))
        costs.append(measure("ours", folder / str(scenes), scenes, "ultrafast"))
        print(f"\n{scenes} scenes × 1 s, ultrafast: {costs[-1]}")
    print(f"  {verdict('memory of 100 scenes over that of 10', costs[1].rss / costs[0].rss, 1.15)}")


def verdict(label: str, value: float, bar: float) -> str:
    return f"{label} {value:.2f} (bar {bar:g}: {'kept' if value <= bar else 'MISSED'})"


def measure(variant: str, folder: Path, scenes: int, preset: str) -> Cost:
    """Run one way in a process of its own."""
    import psutil

    script = Path(__file__).resolve().parents[1] / "bench"
    command = [sys.executable, str(script), "composition", "--way", variant, "--folder", str(folder)]
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
        sys.exit(f"{variant} ended with {code}")
    return Cost(wall, _children() - before, peak / 2**20)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# --- what goes in -----------------------------------------------------------------------------------------------------


def make_sources(folder: Path, scenes: int, seconds: float, size: tuple[int, int]) -> None:
    """A picture and a voice for each scene (noise with the rhythm of speech), and music (a chord)."""
    import numpy as np
    import soundfile

    rng = np.random.default_rng(7)
    spoken = seconds - 0.5
    clock = np.arange(round(spoken * RATE)) / RATE
    for number in range(scenes):
        scene_folder = folder / f"scene-{number}"
        scene_folder.mkdir(parents=True)
        make_image(scene_folder / "keyframe.png", number, size)
        voice = rng.standard_normal(clock.size) * np.clip(np.sin(2 * np.pi * 3 * clock), 0.02, 1) * 0.1
        soundfile.write(scene_folder / "narration.wav", voice, RATE)
        (scene_folder / "word_timings.json").write_text(json.dumps({"seconds": spoken, "words": []}))
    length = np.arange(round((scenes * seconds + 1) * RATE)) / RATE
    chord = sum(np.sin(2 * np.pi * hertz * length) for hertz in (220, 277, 330)) * 0.1
    soundfile.write(folder / "music.wav", np.stack([chord, chord], 1), RATE)


def make_image(path: Path, seed: int, size: tuple[int, int]) -> None:
    """Drawn shapes with outlines over a gradient: what the draft profile's pictures are to an encoder."""
    import cv2
    import numpy as np

    rng = np.random.default_rng(seed)
    scale = size[0] / WIDTH
    image = cv2.resize(rng.integers(90, 230, (3, 4, 3), dtype=np.uint8), size, interpolation=cv2.INTER_CUBIC)
    for _ in range(40):
        centre = (round(rng.integers(0, WIDTH) * scale), round(rng.integers(0, HEIGHT) * scale))
        axes = (round(rng.integers(20, 140) * scale), round(rng.integers(20, 140) * scale))
        colour = tuple(int(part) for part in rng.integers(20, 240, 3))
        cv2.ellipse(image, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)
        cv2.ellipse(image, centre, axes, 0, 0, 360, (20, 20, 20), round(4 * scale), cv2.LINE_AA)
    cv2.imwrite(str(path), image)


def make_layers(scene_folder: Path) -> None:
    """Five layers of the scene's picture: bands, each nearer than the one above."""
    import cv2
    import numpy as np

    margin = 64
    image = cv2.resize(cv2.imread(str(scene_folder / "keyframe.png")), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    wide = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_REFLECT)
    layers = []
    for number, depth in enumerate((0.0, 0.2, 0.5, 1.0, 1.5)):
        alpha = np.full(wide.shape[:2], 255, np.uint8)
        alpha[: int(wide.shape[0] * (0, 0.3, 0.5, 0.65, 0.85)[number])] = 0
        cv2.imwrite(str(scene_folder / f"layer-{number:02d}.png"), np.dstack([wide, alpha]))
        layers.append({"file": f"layer-{number:02d}.png", "depth": depth})
    (scene_folder / "layers.json").write_text(
        json.dumps({"width": WIDTH, "height": HEIGHT, "margin": margin, "layers": layers})
    )


# --- the engine: a plan, a store, two workers --------------------------------------------------------------------------------

FAMILIES = {
    "schedule": "pipelines.media.film.schedule:FilmScheduler",
    "animate": "pipelines.video.animatic.camera:Camera",
    "conform": "pipelines.media.film.conform:Conformer",
    "transition": "pipelines.video.transitions.dissolve:BlendTransition",
    "mix": "pipelines.media.audio.mix:Mixer",
    "compose": "pipelines.media.film.compose:Composer",
}
FRAME = {"width": WIDTH, "height": HEIGHT, "fps": FPS}


def read_moves(folder: Path) -> list[str]:
    """What the camera does in each scene."""
    moves_file = folder / "moves.json"
    return list(json.loads(moves_file.read_text())) if moves_file.exists() else list(MOVES)


class FilmBuilder:
    """The steps from pictures and voices to the film, done by the engine's runner in two worker processes."""

    def __init__(self, folder: Path, options: Mapping[str, Any], layered: bool = False) -> None:
        from engine.storage.artifact_store import ArtifactStore

        self.folder, self.options, self.layered = folder, options, layered
        self.store = ArtifactStore(folder / "store")
        self.moves = read_moves(folder)
        self.steps: list[Step] = []

    def build(self, scenes: int, target: Path) -> None:
        from engine.execution.devices import cpu_placements
        from engine.execution.local import LocalExecutor
        from engine.execution.runner import Runner
        from engine.planning.plan import Plan

        self._plan(scenes)
        executor = LocalExecutor(cpu_placements(2))
        try:
            result = Runner(self.store, executor).run(Plan(tuple(self.steps)))
        finally:
            executor.stop()
        if not result.ok:
            sys.exit(f"failed: {result.failed}")
        target.unlink(missing_ok=True)
        os.link(self.store.path(result.actions["compose"].outputs[0].digest), target)
        self.store.close()

    def _plan(self, scenes: int) -> None:
        from engine.planning.plan import OutputRef

        scene_folders = [self.folder / f"scene-{number}" for number in range(scenes)]
        times = tuple({"seconds": 5.0, "narrated": True, "transition": FADE} for _ in scene_folders)
        self._add_step(
            "schedule",
            {"fps": FPS, "scenes": times},
            word_timings=[self._stored_input(place / "word_timings.json") for place in scene_folders],
        )
        timings = [OutputRef("schedule", f"scene-{number + 1:03d}.json") for number in range(scenes)]
        parts: list[OutputRef] = []
        for number, place in enumerate(scene_folders):
            pictures = {"keyframe": [self._stored_input(place / "keyframe.png")]}
            if self.layered:
                pictures["layers"] = [self._stored_input(path) for path in sorted(place.glob("layer*"))]
            camera = FRAME | {"camera": self.moves[number % len(self.moves)]}
            self._add_step("animate", camera, number, timing=[timings[number]], **pictures)
        for number in range(scenes):
            clips = [OutputRef(f"animate-{each}", "clip.mp4") for each in (number, number + 1)]
            self._add_step("conform", FRAME, number, clip=clips[:1], timing=[timings[number]])
            parts.append(OutputRef(f"conform-{number}", "segment.mp4"))
            if number + 1 < scenes:
                self._add_step("transition", FRAME, number, clips=clips, timings=timings[number : number + 2])
                parts.append(OutputRef(f"transition-{number}", "transition.mp4"))
        timeline = [OutputRef("schedule", "timeline.json")]
        voices = [self._stored_input(place / "narration.wav") for place in scene_folders]
        self._add_step(
            "mix", {}, narrations=voices, music=[self._stored_input(self.folder / "music.wav")], timeline=timeline
        )
        self._add_step("compose", FRAME, segments=parts, timeline=timeline, sound=[OutputRef("mix", "sound.m4a")])

    def _stored_input(self, path: Path) -> StoredInput:
        from engine.planning.plan import StoredInput

        return StoredInput(self.store.put(path, name=path.name).digest, path.name)

    def _add_step(
        self, kind: str, params: Mapping[str, Any], number: int | None = None, **inputs: Sequence[StepInput]
    ) -> None:
        from engine.planning.plan import Step
        from pipelines.base import Kind, ModelSpec
        from pipelines.step_params import CONTRACTS

        spec = ModelSpec(name=kind, family=FAMILIES[kind], kinds=(Kind(kind),), options=dict(self.options))
        step_params = CONTRACTS[Kind(kind)].params.model_validate_json(json.dumps(params))
        name = kind if number is None else f"{kind}-{number}"
        roles = {role: tuple(sources) for role, sources in inputs.items()}
        self.steps.append(Step(name, Kind(kind), spec, step_params, roles, seed=number or 0))


def run_engine(folder: Path, scenes: int, preset: str) -> None:
    FilmBuilder(folder, {"preset": preset}).build(scenes, folder / "film.mp4")


def run_startup(folder: Path, scenes: int, preset: str) -> None:
    """The engine and two workers come up, import what composing needs, and have next to nothing to do."""
    from engine.execution.devices import cpu_placements
    from engine.execution.local import LocalExecutor
    from engine.execution.protocol import Task, TaskResult
    from pipelines.base import Kind, ModelSpec

    executor = LocalExecutor(cpu_placements(2))
    spec = ModelSpec(name="mix", family=FAMILIES["mix"], kinds=(Kind.MIX,))
    for number in range(2):  # they end at once: a mix without a timeline is refused
        executor.submit(Task(f"task-{number}", Kind.MIX, spec, {}, {}, folder / f"start-{number}", 0))
    ended = 0
    while ended < 2:
        ended += sum(isinstance(event, TaskResult) for event in executor.events(1))
    executor.stop()


def run_layered(folder: Path, scenes: int, preset: str) -> None:
    for number in range(scenes):
        make_layers(folder / f"scene-{number}")
    FilmBuilder(folder, {"preset": preset}, layered=True).build(scenes, folder / "layered.mp4")


# --- the limit, and the peer ------------------------------------------------------------------------------------------------


def run_raw(folder: Path, scenes: int, preset: str) -> None:
    """x264 alone, one thread, with the engine's own settings, over the frames of the film as they lie ready."""
    from pipelines.media.codec.encoder import x264_options
    from pipelines.media.codec.encoding_options import EncodingOptions
    from pipelines.media.codec.ffmpeg import run

    ready = folder / "ready.yuv"
    shape = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS)]
    settings = x264_options(EncodingOptions.from_options({"preset": preset}))
    coding = [
        "-c:v",
        "libx264",
        "-threads",
        "1",
        *(word for key, value in settings.items() for word in (f"-{key}", value)),
    ]
    run(["-v", "error", *shape, "-i", str(ready), *coding, "-y", str(folder / "raw.mp4")], "Coding")


def prepare_frames(folder: Path, scenes: int, preset: str) -> None:
    """The frames of the film before they are coded: the film again, all but lossless, decoded."""
    from pipelines.media.codec.ffmpeg import run

    fine = folder / "fine.mp4"
    FilmBuilder(folder, {"preset": "ultrafast", "crf": 1.0}).build(scenes, fine)
    run(["-v", "error", "-i", str(fine), "-f", "rawvideo", "-y", str(folder / "ready.yuv")], "Decoding")


def run_moviepy(folder: Path, scenes: int, preset: str) -> None:
    """As its documentation would have one write it: the same moves, fades, ducked music, quality and container."""
    from moviepy import AudioFileClip, CompositeAudioClip, CompositeVideoClip, ImageClip, afx, vfx

    moves = read_moves(folder)
    clips: list[Any] = []
    voices: list[Any] = []
    start = 0.0
    for number in range(scenes):
        place = folder / f"scene-{number}"
        voice = AudioFileClip(str(place / "narration.wav"))
        length = voice.duration + 0.5 + FADE
        clip = ImageClip(str(place / "keyframe.png")).with_duration(length)
        clip = with_camera_move(clip, MOVES[moves[number % len(moves)]], length).with_start(start)
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


def with_camera_move(clip: Any, move: tuple[int, int, int], length: float) -> Any:
    """A picture clip as the camera sees it that zooms, or pans across a picture made a little larger."""
    zoom, across, down = move
    fit = WIDTH / clip.w
    if zoom:
        initial_scale, scale_change = (1.0, ZOOM) if zoom > 0 else (1.0 + ZOOM, -ZOOM)
        return clip.resized(lambda t: fit * (initial_scale + scale_change * t / length)).with_position("center")
    spare_x, spare_y = WIDTH * SHIFT, HEIGHT * SHIFT

    def corner(t: float) -> tuple[float, float]:
        progress = t / length - 0.5
        return -spare_x * (0.5 + across * progress), -spare_y * (0.5 + down * progress)

    return clip.resized(fit * (1 + SHIFT)).with_position(corner)


VARIANTS = {
    "ours": run_engine,
    "layered": run_layered,
    "raw": run_raw,
    "prepare": prepare_frames,
    "start": run_startup,
    "moviepy": run_moviepy,
}
