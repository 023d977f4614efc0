"""The worker in an isolated environment: the engine's code with the packages of another interpreter.

The program `python -P isolated_worker.py CONFIG` makes `engine` and `pipelines` importable, and no other package of the
engine's environment."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED_PACKAGES = ("engine", "pipelines")


class SharedPackageFinder:
    """An import finder for the packages of the engine only."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Return the spec of `engine` or `pipelines`; None for other modules (protocol of importlib)."""
        if name not in SHARED_PACKAGES:
            return None
        folder = ROOT / name
        return importlib.util.spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )


if __name__ == "__main__":
    sys.meta_path.insert(0, SharedPackageFinder)
    runpy.run_module("engine.execution.worker", run_name="__main__", alter_sys=True)
