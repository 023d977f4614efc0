"""Models of their real sizes on this machine's GPU, with random weights: seconds for a picture or a clip by diffusers alone, by the
engine, and by the engine with each speed option; load seconds; peak memory; and which rungs are taken when the memory is cut. Each way runs
in a process of its own. `--tiny` shows the same tables on a processor with tiny models, to see that it runs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import _shapes as shapes

PROMPT = "Evening. The keeper lights the lamp and looks out at the sea."
ROUNDS = 3
"""Pictures or clips of one way; the first also loads and compiles, the median of the others counts."""


@dataclass(frozen=True)
class Case:
    """A model, what is made of it, and what might speed it up."""

    build: shapes.Build
    family: str
    kind: str
    width: int
    height: int
    frames: int = 1
    fps: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    faster: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    budgets_gb: tuple[float, ...] = ()


FLUX, WAN, LTX2 = "pipelines.image.flux2:Flux2", "pipelines.video.wan:Wan", "pipelines.video.ltx2:Ltx2"
TAYLOR = {"cache": {"name": "TaylorSeerCache", "settings": {"cache_interval": 3, "disable_cache_before_step": 4}}}
FASTER = {
    "cuDNN attention": {"attention": "_native_cudnn"}, "compiled blocks": {"compile": True}, "eight bits": {"quantized": True},
    "VAE in tiles": {"tiles": True},
}  # fmt: skip
CASES = {
    "FLUX.2-klein-4B, 4 steps, 1024×576": Case(
        shapes.flux2_klein_4b, FLUX, "keyframe", 1024, 576, options={"steps": 4, "guidance": 1.0}, faster=FASTER,
        budgets_gb=(24, 14, 8, 4),
    ),
    "Wan2.2-TI2V-5B, 20 steps, 1280×704, 49 frames": Case(
        shapes.wan_5b, WAN, "animate", 1280, 704, 49, 24,
        options={"steps": 20, "guidance": 1.0, "window": {"width": 1280, "height": 704, "frames": 121, "fps": 24}},
        faster={**FASTER, "TaylorSeer": TAYLOR}, budgets_gb=(24, 12),
    ),
    "Wan2.2-A14B (one network), 20 steps, 832×480, 49 frames": Case(
        shapes.wan_14b, WAN, "animate", 832, 480, 49, 16, options={"steps": 20, "guidance": 1.0},
        faster={**FASTER, "TaylorSeer": TAYLOR, "four steps": {"steps": 4}}, budgets_gb=(48, 16),
    ),
    "LTX-2, 20 steps, 768×512, 49 frames with sound": Case(
        shapes.ltx2, LTX2, "animate", 768, 512, 49, 24, options={"steps": 20}, faster={"eight bits": {"quantized": True}},
    ),
}  # fmt: skip
TINY = {
    "tiny FLUX.2-klein": Case(
        shapes.tiny_flux2, FLUX, "keyframe", 128, 96, options={"steps": 2, "pixels": [256, 16384]},
        faster={"VAE in tiles": {"tiles": True}, "eight bits": {"quantized": True}},
    ),
    "tiny Wan2.2-A14B": Case(
        shapes.tiny_wan, WAN, "animate", 64, 48, 9, 16,
        options={"steps": 2, "guidance": 1.0, "dtypes": {}, "window": {"width": 64, "height": 48, "frames": 9}},
    ),
}  # fmt: skip


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench gpu", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="tiny models on the processor")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--folder", type=Path, help="where weights are built [default: a temporary folder]")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    cases = {name: case for name, case in (TINY if asked.tiny else CASES).items() if asked.only in name}
    if asked.way:
        way(next(iter(cases.values())), asked.folder, json.loads(asked.way))
        return
    if not asked.tiny and not _has_gpu():
        sys.exit("no GPU is here that torch can use; --tiny shows the same on the processor")
    with tempfile.TemporaryDirectory(prefix="gpu-") as scratch:
        for name, case in cases.items():
            table(name, case, asked.folder or Path(scratch), tiny=asked.tiny)


def table(name: str, case: Case, folder: Path, *, tiny: bool) -> None:
    """One case, all its ways."""

    def run(**what: Any) -> dict[str, Any] | None:
        command = [sys.executable, str(Path(__file__).resolve().parents[1] / "bench"), "gpu", "--only", name]
        command += ["--folder", str(folder), "--way", json.dumps(what), *(["--tiny"] if tiny else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"  {what}: {done.stderr.strip().splitlines()[-1][:160]}", flush=True)
            return None
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    print(f"\n{name}", flush=True)
    built = run(build=True)
    if built is None:
        return
    print(
        f"  {built['gb']:.1f} GB of weights\n  {'':34} {'seconds':>9} {'ratio':>6} {'first':>8} {'load':>7} {'peak GB':>8}"
    )
    bare = run(bare=True)
    ways: list[tuple[str, dict[str, Any] | None]] = [("diffusers alone", bare), ("engine", run(options={}))]
    for label, found in ways:
        line(label, found, bare)
    for label, options in case.faster.items():
        line(f"engine, {label}", run(options=options), bare)
    for budget in case.budgets_gb:
        line(f"engine within {budget:g} GB", run(options={}, budget_gb=budget), bare)


def line(label: str, found: Mapping[str, Any] | None, bare: Mapping[str, Any] | None) -> None:
    if found is None:
        return
    ratio = found["seconds"] / bare["seconds"] if bare else float("nan")
    print(
        f"  {label:34} {found['seconds']:9.2f} {ratio:6.2f} {found['first']:8.2f} {found['load']:7.2f} {found['peak_gb']:8.1f}"
        + "".join(f"\n      {rung}" for rung in found.get("rungs", ())),
        flush=True,
    )


# --- one way, in a process of its own ---------------------------------------------------------------------------------


def way(case: Case, folder: Path, what: Mapping[str, Any]) -> None:
    """Prints what it measured as one line of JSON."""
    weights = folder / case.build.__name__
    if what.get("build"):
        if not weights.exists():
            case.build(weights, "cuda" if _has_gpu() else "cpu")
        found = {"gb": sum(file.stat().st_size for file in weights.rglob("*") if file.is_file()) / 1e9}
    elif what.get("bare"):
        found = by_diffusers(case, weights)
    else:
        found = by_engine(case, weights, what["options"], what.get("budget_gb"))
    print(json.dumps(found))


def by_diffusers(case: Case, weights: Path) -> dict[str, Any]:
    """As the model card shows it."""
    import diffusers
    import torch

    gpu = _has_gpu()
    if not gpu:
        torch.set_num_threads(1)  # as the engine's slot
    index = json.loads((weights / "model_index.json").read_text())
    names = {"WanPipeline": "WanImageToVideoPipeline", "LTX2Pipeline": "LTX2ImageToVideoPipeline"}
    kind = getattr(diffusers, names.get(index["_class_name"], index["_class_name"]))
    begun = time.perf_counter()
    pipe = kind.from_pretrained(weights, torch_dtype=torch.bfloat16 if gpu else torch.float32)
    pipe.to("cuda" if gpu else "cpu")
    pipe.set_progress_bar_config(disable=True)
    load = time.perf_counter() - begun
    call: dict[str, Any] = {
        "width": case.width, "height": case.height, "num_inference_steps": case.options["steps"], "prompt": PROMPT,
    }  # fmt: skip
    if case.kind == "animate":
        call |= {"image": _picture(case), "num_frames": case.frames}
    if "guidance" in case.options or case.kind == "keyframe":
        call["guidance_scale"] = case.options.get("guidance", 1.0)
    times = []
    for number in range(ROUNDS):
        begun = time.perf_counter()
        pipe(**call, generator=torch.Generator().manual_seed(number))
        times.append(time.perf_counter() - begun)
    return {"seconds": statistics.median(times[1:]), "first": times[0], "load": load, "peak_gb": _peak_gb()}


def by_engine(case: Case, weights: Path, options: Mapping[str, Any], budget_gb: float | None) -> dict[str, Any]:
    """The same as steps of a plan, by the runner and the worker's own code."""
    import diffusers  # noqa: F401  importing it is no part of the loading, here as there
    import torch

    from engine.artifacts import Store
    from engine.executor.inline import InlineExecutor
    from engine.plan import Plan, Ref, Step
    from engine.runner import Runner
    from pipelines.base import Device, Kind, ModelSpec, Weights
    from pipelines.kinds import AnimateParams, EncodeParams, KeyframeParams
    from pipelines.media.timeline import SceneTiming
    from pipelines.weights import Shelf

    gpu = _has_gpu()
    if gpu and budget_gb:
        torch.cuda.set_per_process_memory_fraction(budget_gb * 2**30 / torch.cuda.mem_get_info()[1])
    kind = Kind(case.kind)
    with tempfile.TemporaryDirectory(prefix="gpu-engine-") as scratch, Store(Path(scratch, "store")) as store:
        placed = Shelf(Path(scratch, "shelf")).adopt(Weights(repo=f"file:{weights}"), weights)
        spec = ModelSpec(
            name="shape", family=case.family, kinds=tuple(kinds_of(case.family)), device="gpu", encodes=True,
            weights={"model": placed}, options={**case.options, **options}, memory_mb=1000,
        )  # fmt: skip
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
            params: Any = AnimateParams(**size, fps=case.fps, prompt=PROMPT, native_audio="with sound" in str(case))
        else:
            params = KeyframeParams(**size, prompt=PROMPT, scene=PROMPT, number=1)
        inputs["words"] = (Ref("encode", "words.safetensors"),)
        steps = [Step("encode", Kind.ENCODE, spec, EncodeParams(prompt=PROMPT))]
        steps += [Step(f"{number}", kind, spec, params, inputs, seed=number) for number in range(ROUNDS)]
        executor = InlineExecutor(Device("cuda") if gpu else Device(), budget_mb=10**6)
        result = Runner(store, executor).run(Plan(tuple(steps)))
        if not result.ok:
            sys.exit("; ".join(f"{step}: {failure.message}" for step, failure in result.failed.items()))
        records = [result.made[step.id].record for step in steps]
        executor.stop()
    times = [record["seconds"] for record in records[1:]]
    return {
        "seconds": statistics.median(times[1:]), "first": times[0], "load": records[0]["load_seconds"] + records[0]["seconds"],
        "peak_gb": max(record.get("peak_device_memory_mb", record["peak_memory_mb"]) for record in records) / 1024,
        "rungs": [rung for record in records for rung in record["rungs"]],
    }  # fmt: skip


def kinds_of(family: str) -> list[Any]:
    """All kinds of step that a family can do."""
    import importlib

    module, _, name = family.partition(":")
    return list(getattr(importlib.import_module(module), name).params)


def _given(store: Any, scratch: str, name: str) -> Any:
    from engine.plan import Given

    return Given(store.put(Path(scratch, name), name=name).digest, name)


def _picture(case: Case) -> Any:
    from PIL import Image

    return Image.effect_mandelbrot((case.width, case.height), (-2, -1.5, 1, 1.5), 40).convert("RGB")


def _has_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def _peak_gb() -> float:
    import resource

    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated()) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
