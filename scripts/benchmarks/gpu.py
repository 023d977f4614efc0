"""Models of their real sizes on this machine's GPU, with random weights: seconds for a picture or a clip by diffusers
alone, by the engine, and by the engine with each speed option; load seconds; peak memory; and which rungs are taken
when the memory is cut.

Every line is printed when it is known, what matters most first; a way that fails says why and the next one is taken on.
`--minutes` shares the time among the cases, `--json` keeps all figures. Weights of a case are deleted when it is done,
unless `--folder` says where to keep them. `--tiny` shows the same tables on a processor with tiny models, to see that
it runs.

A GPU machine without this project's packages and without an index needs, beside PyTorch, transformers, accelerate,
numpy, OpenCV, Pillow, PyYAML and safetensors, some wheels, which are carried in one folder (`--python-version` is that
machine's):

    pip download --only-binary=:all: --python-version 3.12 --platform manylinux_2_28_x86_64 --platform
    manylinux_2_24_x86_64 \\
        --platform manylinux2014_x86_64 --no-deps -d wheels diffusers==0.42.1 av torchao importlib-metadata ftfy wcwidth
    pip download --only-binary=:all: --python-version 3.12 --platform manylinux_2_28_x86_64 --platform
    manylinux2014_x86_64 \\
        -d wheels pydantic

There, in one call:

    python3 -m pip install --no-index --no-deps --target /tmp/site wheels/*.whl
    PYTHONPATH=/tmp/site python3 scripts/bench gpu --check
    PYTHONPATH=/tmp/site python3 scripts/bench gpu --minutes 8 --only FLUX --json figures.json

A way that has begun is waited for, a minute at least, so the last may end after its time.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import _shapes as shapes
from benchmarks._ways import Case, has_gpu, serve

from engine.execution.worker import HUB_ENV

REQUIRED_PACKAGES = (
    "torch", "diffusers", "transformers", "accelerate", "safetensors", "tokenizers", "numpy", "cv2", "PIL", "av", "pydantic", "yaml",
)  # fmt: skip
OPTIONAL_PACKAGES = {
    "torchao": "eight bits",
    "bitsandbytes": "four bits",
    "triton": "compiled blocks",
    "ftfy": "words of Wan",
}
MAX_VARIANT_SECONDS = 420.0
"""Seconds that one way may take."""

FLUX, WAN, LTX2 = "pipelines.image.flux2:Flux2", "pipelines.video.wan:Wan", "pipelines.video.ltx2:Ltx2"


def _mag_cache(steps: int) -> dict[str, Any]:
    return {"cache": {"name": "MagCache", "settings": {"mag_ratios": [1.0] * steps, "max_skip_steps": 2}}}


def _taylor_cache(**overrides: Any) -> dict[str, Any]:
    settings = {"cache_interval": 3, "disable_cache_before_step": 4, **overrides}
    return {"cache": {"name": "TaylorSeerCache", "settings": settings}}


COMPILED = {"compiled blocks": {"compile": True}}
ATTENTION = {
    "cuDNN attention": {"attention": "_native_cudnn"},
    "PyTorch's flash attention": {"attention": "_native_flash"},
}
QUANTIZED = {"eight bits": {"bits": 8}, "four bits": {"bits": 4}, "compiled, eight bits": {"bits": 8, "compile": True}}
VAE_TILING = {"VAE in tiles": {"vae_tiling": True}}
STEP_CACHES = {
    "MagCache, two of three steps after the first fifth": _mag_cache(20),
    "FirstBlockCache, all steps but the first": {"cache": {"name": "FirstBlockCache", "settings": {"threshold": 1e9}}},
    "TaylorSeer lite, two of three after the fourth": _taylor_cache(use_lite_mode=True),
}
"""What random weights do has no likeness from step to step, so how many steps are skipped is fixed, and with it what skipping them saves."""
CASES = {
    "FLUX.2-klein-4B, 4 steps, 1024×576": Case(
        shapes.flux2_klein_4b, FLUX, "keyframe", 1024, 576, options={"steps": 4, "guidance": 1.0},
        variants={**COMPILED, **ATTENTION, **QUANTIZED, **VAE_TILING, "TaylorSeer lite, the last of four": _taylor_cache(
            use_lite_mode=True, disable_cache_before_step=3)},
        budgets_gb=(24, 14, 8, 4), disk_gb=17,
    ),
    "Wan2.2-TI2V-5B, 20 steps, 1280×704, 49 frames": Case(
        shapes.wan_5b, WAN, "animate", 1280, 704, 49, 24,
        options={"steps": 20, "guidance": 1.0, "window": {"width": 1280, "height": 704, "frames": 121, "fps": 24}},
        variants={**COMPILED, **STEP_CACHES, **ATTENTION, **QUANTIZED, **VAE_TILING, "TaylorSeer": _taylor_cache()},
        budgets_gb=(24, 12), disk_gb=13,
    ),
    "LTX-2, 20 steps, 768×512, 49 frames with sound": Case(
        shapes.ltx2, LTX2, "animate", 768, 512, 49, 24, audio=True,
        options={"steps": 20, "guidance": 1.0, "audio_guidance": 1.0},
        variants={**COMPILED, "TaylorSeer lite, two of three after the fourth": _taylor_cache(use_lite_mode=True), **QUANTIZED,
                "cuDNN attention": {"attention": "_native_cudnn"}},
        budgets_gb=(32, 16), disk_gb=42,
    ),
    "Wan2.2-A14B (one network), 20 steps, 832×480, 49 frames": Case(
        shapes.wan_14b, WAN, "animate", 832, 480, 49, 16, options={"steps": 20, "guidance": 1.0},
        variants={**COMPILED, **STEP_CACHES, "four steps": {"steps": 4}, **ATTENTION, **QUANTIZED}, budgets_gb=(48, 16), disk_gb=31,
    ),
}  # fmt: skip
"""What is worth most comes first, among cases and among their ways."""
SMALL_WINDOW = {"width": 64, "height": 48, "frames": 9}
TINY_CASES = {
    "tiny FLUX.2-klein": Case(
        shapes.tiny_flux2, FLUX, "keyframe", 128, 96, options={"steps": 4, "guidance": 1.0, "pixels": [256, 16384]},
        variants={**VAE_TILING, "eight bits": {"bits": 8}, "TaylorSeer": _taylor_cache(disable_cache_before_step=2), **ATTENTION},
    ),
    "tiny Wan2.2-TI2V-5B": Case(
        shapes.tiny_wan_5b, WAN, "animate", 64, 48, 9, 24, options={"steps": 20, "guidance": 1.0, "window": {**SMALL_WINDOW, "fps": 24}},
        variants=STEP_CACHES,
    ),
    "tiny LTX-2": Case(
        shapes.tiny_ltx2, LTX2, "animate", 64, 64, 9, 24, audio=True,
        options={"steps": 2, "guidance": 1.0, "audio_guidance": 1.0,
                 "window": {"fps": 24, "frames": 9, "frame_stride": 8, "width": 64, "height": 64, "multiple": 32}},
    ),
    "tiny Wan2.2-A14B": Case(
        shapes.tiny_wan, WAN, "animate", 64, 48, 9, 16, options={"steps": 2, "guidance": 1.0, "window": SMALL_WINDOW},
        variants={"four steps": {"steps": 4}},
    ),
}  # fmt: skip


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tiny", action="store_true", help="tiny models on the processor")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="time for all cases together [default: all it takes]"
    )
    parser.add_argument("--json", type=Path, help="file that every figure is added to, one line of JSON each")
    parser.add_argument("--folder", type=Path, help="where weights are built and kept [default: a temporary folder]")
    parser.add_argument("--check", action="store_true", help="say which packages are here, and stop")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    all_cases = TINY_CASES if args.tiny else CASES
    cases = {name: case for name, case in all_cases.items() if args.only in name}
    if args.check:
        sys.exit(check_packages())
    if args.serve:
        (case,) = cases.values()
        serve(case, args.folder)
        return
    if not args.tiny and not has_gpu():
        sys.exit("no GPU is here that torch can use; --tiny shows the same on the processor")
    deadline = time.monotonic() + args.minutes * 60
    with tempfile.TemporaryDirectory(prefix="gpu-") as scratch:
        for number, (name, case) in enumerate(cases.items()):
            now = time.monotonic()
            case_deadline = now + (deadline - now) / (len(cases) - number)
            case_folder = (args.folder or Path(scratch)) / case.build.__name__
            CaseTable(name, case, case_folder / "weights", case_deadline, args.json, tiny=args.tiny).run()
            if args.folder is None:
                shutil.rmtree(case_folder, ignore_errors=True)


def check_packages() -> int:
    """Prints which packages are here; 0 if none lacks that is needed."""
    missing = 0
    for name in (*REQUIRED_PACKAGES, *OPTIONAL_PACKAGES):
        try:
            version = getattr(importlib.import_module(name), "__version__", "")
            print(f"  {name:14} {version}")
        except ImportError as error:
            missing += name in REQUIRED_PACKAGES
            print(
                f"  {name:14} LACKS ({error}){'; without it no ' + OPTIONAL_PACKAGES[name] if name in OPTIONAL_PACKAGES else ''}"
            )
    return int(bool(missing))


class CaseTable:
    """One case, all its ways until its time is over, line by line."""

    def __init__(
        self, name: str, case: Case, weights: Path, deadline: float, figures: Path | None, *, tiny: bool
    ) -> None:
        self.name, self.case, self.weights, self.deadline, self.figures, self.tiny = (
            name,
            case,
            weights,
            deadline,
            figures,
            tiny,
        )
        self._baseline: Mapping[str, Any] | None = None
        self._process: subprocess.Popen[str] | None = None

    def run(self) -> None:
        print(f"\n{self.name}", flush=True)
        self.weights.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.weights.parent).free / 1e9
        if free < self.case.disk_gb and not self.weights.exists():
            print(
                f"  left out: its weights need {self.case.disk_gb:g} GB of disk, and {free:.0f} GB are free",
                flush=True,
            )
            return
        try:
            built = self._run_variant("weights", {"build": True})
            if built is None:
                return
            print(f"  {built['machine']}")
            print(f"  {built['gb']:.1f} GB of weights, made in {built['build']:.0f} s, hashed in {built['hash']:.0f} s")
            print(f"  {'':52} {'seconds':>9} {'ratio':>6} {'first':>8} {'load':>7} {'peak GB':>8}", flush=True)
            for label, variant in self._variants():
                if time.monotonic() > self.deadline:
                    print("  its time is over", flush=True)
                    return
                self._print_row(label, self._run_variant(label, variant))
        finally:
            self._stop()

    def _variants(self) -> Iterator[tuple[str, dict[str, Any]]]:
        yield "diffusers alone", {"bare": True}
        yield "engine", {"options": {}}
        for label, options in self.case.variants.items():
            yield f"engine, {label}", {"options": options}
        for budget in self.case.budgets_gb:
            yield f"engine within {budget:g} GB", {"options": {}, "budget_gb": budget}

    def _print_row(self, label: str, result: Mapping[str, Any] | None) -> None:
        if result is None:
            return
        if label == "diffusers alone":
            self._baseline = result
        ratio = result["seconds"] / self._baseline["seconds"] if self._baseline else float("nan")
        print(
            f"  {label:52} {result['seconds']:9.2f} {ratio:6.2f} {result['first']:8.2f} {result['load']:7.2f} {result['peak_gb']:8.1f}"
            + "".join(f"\n      {rung}" for rung in (*result.get("rungs", ()), *self._disabled_options(result))),
            flush=True,
        )

    def _disabled_options(self, result: Mapping[str, Any]) -> list[str]:
        return [f"without {option}: memory was short" for option in result.get("given_up", ())]

    def _run_variant(self, label: str, variant: Mapping[str, Any]) -> dict[str, Any] | None:
        """What the process of this case measured; None, and a line that says why, when it could not. One that ends or hangs is replaced."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        result: dict[str, Any] = {"failed": "the process ended"}
        try:
            process.stdin.write(json.dumps(variant) + "\n")
            process.stdin.flush()
            timeout = min(MAX_VARIANT_SECONDS, max(60.0, self.deadline - time.monotonic()))
            if select.select([process.stdout], [], [], timeout)[0]:
                result = json.loads(process.stdout.readline() or json.dumps(result))
            else:
                result = {"failed": f"nothing after {timeout:.0f} s"}
        except BrokenPipeError:
            pass
        if self.figures is not None:
            with self.figures.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"case": self.name, "way": label, **result}) + "\n")
        if "failed" not in result:
            return result
        print(f"  {label:52} failed: {result['failed'][:160]}", flush=True)
        if result["failed"].startswith(("the process", "nothing")):
            self._stop()
        return None

    def _start(self) -> subprocess.Popen[str]:
        command = [
            sys.executable,
            str(Path(__file__).resolve().parents[1] / "bench"),
            "gpu",
            "--serve",
            "--only",
            self.name,
        ]
        command += ["--folder", str(self.weights), *(["--tiny"] if self.tiny else [])]
        with (self.weights.parent / "log.txt").open("a") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **HUB_ENV},
            )
        return self._process

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
