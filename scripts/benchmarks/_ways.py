"""One case of `scripts/bench gpu` made one way: by diffusers alone, or by the engine under some options and within some
memory. Run as a program (`scripts/bench gpu --serve`), it takes ways as lines of JSON and answers each with a line of
what it measured."""

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

    build: shapes.BuildModel
    family: str
    kind: str
    width: int
    height: int
    frames: int = 1
    fps: int = 1
    audio: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    budgets_gb: tuple[float, ...] = ()
    disk_gb: float = 0.1


def serve(case: Case, weights: Path) -> None:
    """Until standard input ends. A way that fails answers with `failed`, and the next one is taken on."""
    output, sys.stdout = sys.stdout, sys.stderr  # libraries print what they like
    for line in sys.stdin:
        try:
            result = run_variant(case, weights, json.loads(line))
        except (Exception, SystemExit) as error:
            result = {"failed": f"{type(error).__name__}: {error}".replace("\n", " ")[:300]}
        _free_memory()
        print(json.dumps(result), file=output, flush=True)


def run_variant(case: Case, weights: Path, variant: Mapping[str, Any]) -> dict[str, Any]:
    if variant.get("build"):
        return build_weights(case, weights)
    if variant.get("bare"):
        return run_diffusers(case, weights)
    return run_engine(case, weights, variant["options"], variant.get("budget_gb"))


def build_weights(case: Case, weights: Path) -> dict[str, Any]:
    """The weights, made if they are not there, and locked as `models pull` would lock them."""
    from pipelines.base import Weights
    from pipelines.models.weights import WeightStore

    started = time.perf_counter()
    if not (weights / "model_index.json").exists():
        case.build(weights, "cuda" if has_gpu() else "cpu")
    built_at = time.perf_counter()
    WeightStore(weights.parent / "shelf").lock_folder(Weights(repo=f"file:{weights}"), weights)
    size = sum(file.stat().st_size for file in weights.rglob("*") if file.is_file())
    return {"gb": size / 1e9, "build": built_at - started, "hash": time.perf_counter() - built_at, "machine": machine()}


def run_diffusers(case: Case, weights: Path) -> dict[str, Any]:
    """As the model card shows it."""
    import diffusers
    import torch

    gpu = has_gpu()
    if not gpu:
        torch.set_num_threads(1)  # as the engine's slot
    index = json.loads((weights / "model_index.json").read_text())
    names = {"WanPipeline": "WanImageToVideoPipeline", "LTX2Pipeline": "LTX2ImageToVideoPipeline"}
    pipeline_class = getattr(diffusers, names.get(index["_class_name"], index["_class_name"]))
    started = time.perf_counter()
    dtype: Any = torch.bfloat16 if gpu else torch.float32
    if gpu and "Wan" in pipeline_class.__name__:
        dtype = {"default": dtype, "vae": torch.float32}
    pipe = pipeline_class.from_pretrained(weights, dtype=dtype)
    pipe.to("cuda" if gpu else "cpu")
    pipe.set_progress_bar_config(disable=True)
    load = time.perf_counter() - started
    call: dict[str, Any] = {
        "width": case.width, "height": case.height, "num_inference_steps": case.options["steps"], "prompt": PROMPT,
        "guidance_scale": case.options["guidance"],
    }  # fmt: skip
    if case.kind == "animate":
        call |= {"image": _test_image(case), "num_frames": case.frames}
    if case.audio:
        call |= {"audio_guidance_scale": case.options["audio_guidance"], "frame_rate": float(case.fps)}
    times = []
    with _measure_peak() as peak, torch.no_grad():
        for number in range(ROUNDS):
            started = time.perf_counter()
            pipe(**call, generator=torch.Generator().manual_seed(number))
            times.append(time.perf_counter() - started)
    return {"seconds": statistics.median(times[1:]), "first": times[0], "load": load, "peak_gb": peak()}


def run_engine(case: Case, weights: Path, options: Mapping[str, Any], budget_gb: float | None) -> dict[str, Any]:
    """The same as steps of a plan, by the runner and the worker's own code. Words are encoded once, in a step of their own."""
    import diffusers  # noqa: F401  importing it is no part of the loading, here as there
    import torch

    from engine.execution.inline import InlineExecutor
    from engine.execution.runner import Runner
    from engine.planning.plan import OutputRef, Plan, Step
    from engine.storage.artifact_store import ArtifactStore
    from pipelines.base import Device, Kind, ModelSpec, Weights
    from pipelines.media.timeline import SceneTiming
    from pipelines.models.weights import WeightStore
    from pipelines.step_params import AnimateParams, EncodePromptParams, KeyframeParams

    gpu, kind = has_gpu(), Kind(case.kind)
    with tempfile.TemporaryDirectory(prefix="gpu-engine-") as scratch, ArtifactStore(Path(scratch, "store")) as store:
        spec = ModelSpec(
            name="shape", family=case.family, kinds=tuple(_step_kinds(case.family)), device="gpu", encodes_prompt=True,
            weights={"model": Weights(repo=f"file:{weights}")}, options={**case.options, **options}, memory_mb=1000,
        )  # fmt: skip
        spec = WeightStore(weights.parent / "shelf").resolve_spec(spec)
        size: dict[str, Any] = {"width": case.width, "height": case.height}
        inputs: dict[str, Any] = {}
        if kind is Kind.ANIMATE:
            _test_image(case).save(Path(scratch, "keyframe.png"))
            timing = SceneTiming(fps=case.fps, frames=case.frames - 1)
            Path(scratch, "scene-001.json").write_text(timing.model_dump_json())
            inputs = {
                "keyframe": (_stored_input(store, scratch, "keyframe.png"),),
                "timing": (_stored_input(store, scratch, "scene-001.json"),),
            }
            params: Any = AnimateParams(**size, fps=case.fps, prompt=PROMPT, native_audio=case.audio)
        else:
            params = KeyframeParams(**size, prompt=PROMPT, scene_text=PROMPT, number=1)
        inputs["prompt_embeds"] = (OutputRef("encode", "prompt_embeds.safetensors"),)
        steps = [Step("encode", Kind.ENCODE_PROMPT, spec, EncodePromptParams(prompt=PROMPT))]
        steps += [Step(f"{number}", kind, spec, params, inputs, seed=number) for number in range(ROUNDS)]
        executor = InlineExecutor(Device("cuda") if gpu else Device(), budget_mb=10**6)
        try:
            with _limited_memory(budget_gb if gpu else None), _measure_loading() as loaded:
                result = Runner(store, executor).run(Plan(tuple(steps)))
        finally:
            executor.stop()
            torch.compiler.reset()
        if not result.ok:
            sys.exit("; ".join(f"{step}: {failure.message}" for step, failure in result.failed.items()))
        records = [result.actions[step.id].record for step in steps]
    generated = records[1:]
    return {
        "seconds": statistics.median(record["seconds"] for record in generated[1:]),
        "first": records[0]["seconds"] + generated[0]["seconds"] + sum(record["load_seconds"] for record in records) - loaded(),
        "load": loaded(),
        "peak_gb": max(record.get("peak_device_memory_mb", record["peak_memory_mb"]) for record in records) / 1024,
        "rungs": [rung for record in records for rung in record["memory_steps"]],
        "faster": generated[-1]["facts"]["faster"],
        "given_up": generated[-1]["facts"]["given_up"],
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


def _step_kinds(family: str) -> list[Any]:
    """All kinds of step that a family can do."""
    module, _, name = family.partition(":")
    return list(getattr(importlib.import_module(module), name).params)


def _stored_input(store: Any, scratch: str, name: str) -> Any:
    from engine.planning.plan import StoredInput

    return StoredInput(store.put(Path(scratch, name), name=name).digest, name)


def _test_image(case: Case) -> Any:
    from PIL import Image

    return Image.effect_mandelbrot((case.width, case.height), (-2, -1.5, 1, 1.5), 40).convert("RGB")


@contextmanager
def _limited_memory(budget_gb: float | None) -> Iterator[None]:
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
def _measure_loading() -> Iterator[Callable[[], float]]:
    """Seconds spent in loading pipelines, encoder and the rest, meanwhile."""
    from pipelines.diffusion import loading

    original, spent = loading.load_pipeline, 0.0

    def timed(*args: Any, **more: Any) -> Any:
        nonlocal spent
        started = time.perf_counter()
        try:
            return original(*args, **more)
        finally:
            spent += time.perf_counter() - started

    loading.load_pipeline = timed
    try:
        yield lambda: spent
    finally:
        loading.load_pipeline = original


@contextmanager
def _measure_peak() -> Iterator[Callable[[], float]]:
    """GB of memory that are taken at most, meanwhile."""
    from engine.execution.peak_memory import PeakMemory

    memory = PeakMemory()

    def peak() -> float:
        found = memory.measure()
        return found.get("peak_device_memory_mb", found["peak_memory_mb"]) / 1024

    yield peak


def _free_memory() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
