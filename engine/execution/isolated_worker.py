"""The worker, under an interpreter with packages of its own. Run by its path (`python -P elsewhere.py SETUP`), it lends that
interpreter the engine's code and nothing of what is installed beside it."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED_PACKAGES = ("engine", "pipelines")


class SharedPackageFinder:
    """Finds the lent packages, and no other."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """As importlib asks."""
        if name not in SHARED_PACKAGES:
            return None
        folder = ROOT / name
        return importlib.util.spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )


if __name__ == "__main__":
    sys.meta_path.insert(0, SharedPackageFinder)
    runpy.run_module("engine.execution.worker", run_name="__main__", alter_sys=True)
