"""The image for a machine with a GPU, as far as it can be proved without building it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


def test_the_linter_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))
    if hadolint is None:
        pytest.skip("hadolint is not installed; the extra `test` brings it")
    said = subprocess.run(
        [hadolint, "--no-color", str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stdout) == (0, "")


def test_it_does_not_run_as_root_and_its_data_outlive_it() -> None:
    assert DOCKERFILE.rindex("\nUSER 10001") > DOCKERFILE.rindex("\nFROM ")
    assert "\nVOLUME /data" in DOCKERFILE
    assert "ENGINE_HOME=/data" in DOCKERFILE


def test_it_installs_extras_that_there_are() -> None:
    wanted = re.search(r"pip install \"\.\[([a-z,]+)\]\"", DOCKERFILE)
    assert wanted is not None
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(wanted[1].split(",")) <= set(extras)


def test_all_that_is_copied_passes_the_ignore_file() -> None:
    passed = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert {name for line in copied for name in line.split()} == passed
    assert all((ROOT / name).exists() for name in passed)
