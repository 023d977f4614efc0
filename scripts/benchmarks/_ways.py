"""One case of `scripts/bench gpu` made one way: by diffusers alone, or by the engine under some options and within some memory. Run as a
program (`scripts/bench gpu --serve`), it takes ways as lines of JSON and answers each with a line of what it measured."""

from __future__ import annotations

import gc
import importlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import _shapes as shapes

PROMPT = "Evening. The keeper lights the lamp and looks out at the sea."
ROUNDS = 3
"""Pictures or clips of one way; the first may still compile, the median of the others counts."""


@dataclass(frozen=True)
class Case:
    """A model, what is made of it, and what might speed it up. `faster`: label → options; `needed_gb`: room on the disk for its weights."""

    build: shapes.Build
    family: str
    kind: str
    width: int
    height: int
    frames: int = 1
    fps: int = 1
    sound: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    faster: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    budgets_gb: tuple[float, ...] = ()
    needed_gb: float = 0.1


def serve(case: Case, weights: Path) -> None:
    """Until standard input ends. A way that fails answers with `failed`, and the next one is taken on."""
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries print what they like
    for line in sys.stdin:
        try:
            found = way(case, weights, json.loads(line))
        except (Exception, SystemExit) as error:
            found = {"failed": f"{type(error).__name__}: {error}".replace("\n", " ")[:300]}
        _tidy()
        print(json.dumps(found), file=answers, flush=True)


def way(case: Case, weights: Path, what: Mapping[str, Any]) -> dict[str, Any]:
    if what.get("build"):
        return built(case, weights)
    if what.get("bare"):
        return by_diffusers(case, weights)
    return by_engine(case, weights, what["options"], what.get("budget_gb"))


def built(case: Case, weights: Path) -> dict[str, Any]:
    """The weights, made if they are not there, and locked as `models pull` would lock them."""
    from pipelines.base import Weights
    from pipelines.models.weights import Shelf

    begun = time.perf_counter()
    if not (weights / "model_index.json").exists():
        case.build(weights, "cuda" if has_gpu() else "cpu")
    made = time.perf_counter()
    Shelf(weights.parent / "shelf").adopt(Weights(repo=f"file:{weights}"), weights)
    size = sum(file.stat().st_size for file in weights.rglob("*") if file.is_file())
    return {"gb": size / 1e9, "build": made - begun, "hash": time.perf_counter() - made, "machine": machine()}


def by_diffusers(case: Case, weights: Path) -> dict[str, Any]:
    """As the model card shows it."""
    import diffusers
    import torch

    gpu = has_gpu()
    if not gpu:
        torch.set_num_threads(1)  # as the engine's slot
    index = json.loads((weights / "model_index.json").read_text())
    names = {"WanPipeline": "WanImageToVideoPipeline", "LTX2Pipeline": "LTX2ImageToVideoPipeline"}
    kind = getattr(diffusers, names.get(index["_class_name"], index["_class_name"]))
    begun = time.perf_counter()
    dtype: Any = torch.bfloat16 if gpu else torch.float32
    if gpu and "Wan" in kind.__name__:
        dtype = {"default": dtype, "vae": torch.float32}
    pipe = kind.from_pretrained(weights, dtype=dtype)
    pipe.to("cuda" if gpu else "cpu")
    pipe.set_progress_bar_config(disable=True)
    load = time.perf_counter() - begun
    call: dict[str, Any] = {
        "width": case.width, "height": case.height, "num_inference_steps": case.options["steps"], "prompt": PROMPT,
        "guidance_scale": case.options["guidance"],
    }  # fmt: skip
    if case.kind == "animate":
        call |= {"image": _picture(case), "num_frames": case.frames}
    if case.sound:
        call |= {"audio_guidance_scale": case.options["sound_guidance"], "frame_rate": float(case.fps)}
    times = []
    with _peak() as peak, torch.no_grad():
        for number in range(ROUNDS):
            begun = time.perf_counter()
            pipe(**call, generator=torch.Generator().manual_seed(number))
            times.append(time.perf_counter() - begun)
    return {"seconds": statistics.median(times[1:]), "first": times[0], "load": load, "peak_gb": peak()}


def by_engine(case: Case, weights: Path, options: Mapping[str, Any], budget_gb: float | None) -> dict[str, Any]:
    """The same as steps of a plan, by the runner and the worker's own code. Words are encoded once, in a step of their own."""
    import diffusers  # noqa: F401  importing it is no part of the loading, here as there
    import torch

    from engine.execution.inline import InlineExecutor
    from engine.execution.runner import Runner
    from engine.planning.plan import Plan, Ref, Step
    from engine.storage.artifact_store import Store
    from pipelines.base import Device, Kind, ModelSpec, Weights
    from pipelines.media.timeline import SceneTiming
    from pipelines.models.weights import Shelf
    from pipelines.step_params import AnimateParams, EncodeParams, KeyframeParams

    gpu, kind = has_gpu(), Kind(case.kind)
    with tempfile.TemporaryDirectory(prefix="gpu-engine-") as scratch, Store(Path(scratch, "store")) as store:
        spec = ModelSpec(
            name="shape", family=case.family, kinds=tuple(_kinds_of(case.family)), device="gpu", encodes=True,
            weights={"model": Weights(repo=f"file:{weights}")}, options={**case.options, **options}, memory_mb=1000,
        )  # fmt: skip
        spec = Shelf(weights.parent / "shelf").placed(spec)
        size = {"width": case.width, "height": case.height}
        inputs: dict[str, Any] = {}
        if kind is Kind.ANIMATE:
            _picture(case).save(Path(scratch, "keyframe.png"))
            timing = SceneTiming(fps=case.fps, frames=case.frames - 1)
            Path(scratch, "scene-001.json").write_text(timing.model_dump_json())
            inputs = {
                "keyframe": (_given(store, scratch, "keyframe.png"),),
                "timing": (_given(store, scratch, "scene-001.json"),),
            }
            params: Any = AnimateParams(**size, fps=case.fps, prompt=PROMPT, native_audio=case.sound)
        else:
            params = KeyframeParams(**size, prompt=PROMPT, scene=PROMPT, number=1)
        inputs["words"] = (Ref("encode", "words.safetensors"),)
        steps = [Step("encode", Kind.ENCODE, spec, EncodeParams(prompt=PROMPT))]
        steps += [Step(f"{number}", kind, spec, params, inputs, seed=number) for number in range(ROUNDS)]
        executor = InlineExecutor(Device("cuda") if gpu else Device(), budget_mb=10**6)
        try:
            with _within(budget_gb if gpu else None), _loading() as loaded:
                result = Runner(store, executor).run(Plan(tuple(steps)))
        finally:
            executor.stop()
            torch.compiler.reset()
        if not result.ok:
            sys.exit("; ".join(f"{step}: {failure.message}" for step, failure in result.failed.items()))
        records = [result.made[step.id].record for step in steps]
    drawn = records[1:]
    return {
        "seconds": statistics.median(record["seconds"] for record in drawn[1:]),
        "first": records[0]["seconds"] + drawn[0]["seconds"] + sum(record["load_seconds"] for record in records) - loaded(),
        "load": loaded(),
        "peak_gb": max(record.get("peak_device_memory_mb", record["peak_memory_mb"]) for record in records) / 1024,
        "rungs": [rung for record in records for rung in record["rungs"]],
        "faster": drawn[-1]["facts"]["faster"],
        "given_up": drawn[-1]["facts"]["given_up"],
    }  # fmt: skip


def machine() -> str:
    """What this was measured on."""
    import platform

    import diffusers
    import torch

    device = torch.cuda.get_device_name() if has_gpu() else f"{platform.machine()} processor, one thread"
    return f"{device}; Python {platform.python_version()}, torch {torch.__version__}, diffusers {diffusers.__version__}"


def has_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def _kinds_of(family: str) -> list[Any]:
    """All kinds of step that a family can do."""
    module, _, name = family.partition(":")
    return list(getattr(importlib.import_module(module), name).params)


def _given(store: Any, scratch: str, name: str) -> Any:
    from engine.planning.plan import Given

    return Given(store.put(Path(scratch, name), name=name).digest, name)


def _picture(case: Case) -> Any:
    from PIL import Image

    return Image.effect_mandelbrot((case.width, case.height), (-2, -1.5, 1, 1.5), 40).convert("RGB")


@contextmanager
def _within(budget_gb: float | None) -> Iterator[None]:
    """So much of the GPU's memory and no more."""
    if budget_gb is None:
        yield
        return
    import torch

    torch.cuda.set_per_process_memory_fraction(min(1.0, budget_gb * 2**30 / torch.cuda.mem_get_info()[1]))
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@contextmanager
def _loading() -> Iterator[Callable[[], float]]:
    """Seconds spent in loading pipelines, encoder and the rest, meanwhile."""
    from pipelines.diffusion import loading

    real, spent = loading.load_pipeline, 0.0

    def timed(*args: Any, **more: Any) -> Any:
        nonlocal spent
        begun = time.perf_counter()
        try:
            return real(*args, **more)
        finally:
            spent += time.perf_counter() - begun

    loading.load_pipeline = timed
    try:
        yield lambda: spent
    finally:
        loading.load_pipeline = real


@contextmanager
def _peak() -> Iterator[Callable[[], float]]:
    """GB of memory that are taken at most, meanwhile."""
    from engine.execution.peak_memory import PeakMemory

    memory = PeakMemory()

    def peak() -> float:
        found = memory.measured()
        return found.get("peak_device_memory_mb", found["peak_memory_mb"]) / 1024

    yield peak


def _tidy() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
