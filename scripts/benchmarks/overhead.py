"""What the engine adds to the models: a story of portraits, scenes and clips through the whole engine, beside a bare
script that calls the same pipelines with the same words, sizes and pictures, in the same order. Tiny models of the real
classes, on the processor: what the models do is the same, so the rest is the engine. Both include the start of their
processes, the imports of the libraries and the loading of the models.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MAX_RATIO = 1.10
SEED, FRAMES, STEPS = 7, 33, 12
SIZE = {"portrait": (384, 512), "keyframe": (640, 352), "clip": (320, 176)}
IMAGE_OPTIONS: dict[str, Any] = {
    "steps": STEPS,
    "guidance": 1.0,
    "pixels": [256, 384 * 640],
    "reference_pixels": 128 * 128,
}
CLIP_OPTIONS = {
    "steps": STEPS,
    "guidance": 1.0,
    "dtypes": {},
    "window": {"width": SIZE["clip"][0], "height": SIZE["clip"][1], "frames": FRAMES, "fps": 16, "multiple": 16},
}


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench overhead", description=__doc__)
    parser.add_argument("--scenes", type=int, default=6)
    parser.add_argument(
        "--rounds", type=int, default=3, help="how often both are run, in turns; the median of the ratios counts"
    )
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.bare:
        run_bare(args.bare)
        return
    with tempfile.TemporaryDirectory(prefix="overhead-") as name:
        compare(Path(name), args.scenes, args.rounds)


def compare(folder: Path, scenes: int, rounds: int) -> None:
    prepare(folder, scenes)
    times: dict[str, list[float]] = {"bare": [], "engine": []}
    for number in range(rounds):
        home = folder / f"home-{number}"
        home.mkdir()
        (home / "weights").symlink_to(folder / "weights")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "ENGINE_HOME": str(home)}
        script = [sys.executable, str(Path(__file__).resolve().parents[1] / "bench"), "overhead", "--bare", str(folder)]
        story = [sys.executable, "-m", "engine", "run", str(folder / "story.json"), "--until", "clips"]
        engine = [*story, "--models", str(folder / "models.yaml"), "--out", str(home / "out")]
        variants = [("bare", script), ("engine", engine)]
        for variant, command in variants[:: 1 if number % 2 else -1]:
            started = time.perf_counter()
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            times[variant].append(time.perf_counter() - started)
            if done.returncode:
                sys.exit(f"{variant} ended with {done.returncode}: {done.stderr[-2000:]}")
    steps = read_step_records(folder / "home-0")
    kinds = Counter(step["kind"] for step in steps if step["model"].startswith("tiny-"))
    loads = Counter(step["model"] for step in steps if step["loaded"] and step["model"].startswith("tiny-"))
    ratios = sorted(engine / bare for engine, bare in zip(times["engine"], times["bare"], strict=True))
    ratio = statistics.median(ratios)
    print(f"{scenes} scenes; steps of models: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}")
    for variant, durations in times.items():
        print(f"  {variant:8} {', '.join(f'{seconds:.2f}' for seconds in durations)} s")
    each = ", ".join(f"{one:.3f}" for one in ratios)
    print(f"  engine / bare {ratio:.3f} ({each}; bar {MAX_RATIO}: {'kept' if ratio <= MAX_RATIO else 'MISSED'})")
    print(
        f"  loads of each model in the run: {dict(loads)} (bar 1: {'kept' if set(loads.values()) == {1} else 'MISSED'})"
    )


def prepare(folder: Path, scenes: int) -> None:
    """Tiny weights, locked; a story; the calls that its plan comes down to."""
    from engine.planning.planner import plan_story
    from engine.schemas import generate_requests
    from pipelines.base import Weights
    from pipelines.models import catalog
    from pipelines.models.weights import WeightStore
    from tests.fixtures.tiny import flux2, wan

    weight_store = WeightStore(folder / "weights")
    models = {}
    for name, family, build, options, kinds in (
        ("tiny-flux2", "pipelines.image.flux2:Flux2", flux2.build, IMAGE_OPTIONS, ["portrait", "element", "keyframe"]),
        ("tiny-wan", "pipelines.video.wan:Wan", wan.build, CLIP_OPTIONS, ["animate"]),
    ):
        build(folder / name)
        weights = {"repo": f"file:{folder / name}"}
        weight_store.lock_folder(Weights(**weights), folder / name)
        models[name] = {
            "family": family, "kinds": ["encode_prompt", *kinds], "encodes_prompt": True, "device": "gpu", "memory_mb": 300,
            "weights": {"model": weights}, "options": options, "multiturn": name == "tiny-flux2",
        }  # fmt: skip
    # A bare script does not look whether its pictures may be shown.
    models["nsfw-check"] = {"requires": ["nothing_of_that_name"]}
    (folder / "models.yaml").write_text(json.dumps({"models": models}))
    body = {
        "model": "local-story",
        "seed": SEED,
        "audio": {"has_narration": False, "has_bg_music": False},
        "video": dict(zip(("width", "height"), SIZE["keyframe"], strict=True)) | {"fps": 16, "transition": "none"},
        "characters": [{"name": "Mara", "appearance": "auburn braid"}, {"name": "Tomas", "appearance": "red scarf"}],
        "scenes": [{"prompt": f"Scene {n}: they walk on", "duration": (FRAMES - 1) / 16, "characters": [{"name": "Mara"}, {"name": "Tomas"}]} for n in range(scenes)],
        "models": {"portrait": "tiny-flux2", "keyframe": "tiny-flux2", "animate": "tiny-wan"},
    }  # fmt: skip
    (folder / "story.json").write_text(json.dumps(body))
    model_catalog = catalog.load(folder / "models.yaml", home=folder / "weights")
    plan = plan_story(generate_requests.to_story(body), model_catalog, "clips").plan
    (folder / "calls.json").write_text(json.dumps([call for step in plan if (call := to_bare_call(step)) is not None]))


def to_bare_call(step: Any) -> dict[str, Any] | None:
    """What a bare script must know of a step; None for steps without a model."""
    from engine.planning.plan import OutputRef

    if not step.spec.name.startswith("tiny-"):
        return None
    source_ids = [
        source.step
        for role in ("references", "keyframe", "prompt_embeds")
        for source in step.inputs.get(role, ())
        if isinstance(source, OutputRef)
    ]
    return {
        "id": step.id, "kind": str(step.kind), "model": step.spec.name, "seed": step.seed,
        "prompt": step.params.prompt, "width": getattr(step.params, "width", 0), "height": getattr(step.params, "height", 0),
        "reads": source_ids,
    }  # fmt: skip


def read_step_records(home: Path) -> list[dict[str, Any]]:
    """How every step of the run was made."""
    actions = [json.loads(path.read_text()) for path in (home / "store" / "actions").rglob("*") if path.is_file()]
    return [action["record"] for action in actions]


def run_bare(folder: Path) -> None:
    """As its user would write it without an engine: load, call, save."""
    import torch
    from diffusers import Flux2KleinPipeline, WanImageToVideoPipeline
    from diffusers.utils import export_to_video
    from PIL import Image

    from pipelines.diffusion.image_family import generation_size

    torch.set_num_threads(1)
    pipes: dict[str, Any] = {}
    prompt_embeds: dict[str, Any] = {}
    files: dict[str, Path] = {}
    (folder / "bare").mkdir(exist_ok=True)
    for number, call in enumerate(json.loads((folder / "calls.json").read_text())):
        name = call["model"]
        if name not in pipes:
            pipeline_class = Flux2KleinPipeline if name == "tiny-flux2" else WanImageToVideoPipeline
            pipes[name] = pipeline_class.from_pretrained(folder / name, torch_dtype=torch.float32)
            pipes[name].set_progress_bar_config(disable=True)
        pipe = pipes[name]
        generator = torch.Generator().manual_seed(call["seed"])
        if call["kind"] == "encode_prompt":
            with torch.no_grad():
                prompt_embeds[call["id"]] = (
                    pipe.encode_prompt(call["prompt"])[0]
                    if name == "tiny-flux2"
                    else pipe.encode_prompt(call["prompt"], None, False)[0]
                )
            continue
        embeds = prompt_embeds[call["reads"][-1]]
        if call["kind"] == "animate":
            first = Image.open(files[call["reads"][0]]).resize(SIZE["clip"])
            video = pipe(
                image=first, prompt_embeds=embeds, width=SIZE["clip"][0], height=SIZE["clip"][1], num_frames=FRAMES,
                num_inference_steps=STEPS, guidance_scale=1.0, guidance_scale_2=1.0, generator=generator,
            ).frames[0]  # fmt: skip
            export_to_video(video, str(folder / "bare" / f"{number}.mp4"), fps=16)
            continue
        width, height = generation_size(call["width"], call["height"], tuple(IMAGE_OPTIONS["pixels"]), 16)
        references = [Image.open(files[one]) for one in call["reads"][:-1]]
        for picture in references:
            picture.thumbnail((128, 128))
        files[call["id"]] = folder / "bare" / f"{number}.png"
        pipe(
            image=references or None, prompt_embeds=embeds, width=width, height=height, num_inference_steps=STEPS,
            guidance_scale=1.0, generator=generator,
        ).images[0].resize((call["width"], call["height"])).save(files[call["id"]])  # fmt: skip
