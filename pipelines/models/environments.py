"""Isolated environments for models whose packages conflict with the engine's. `models pull` creates them; a run never does."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines.base import Environment, MissingDependency

WORKER_REQUIREMENTS = ("pydantic>=2.11,<3", "psutil>=6,<8; sys_platform != 'linux'")
"""Requirements of the worker process. The engine's own code is put on its path, not installed."""

MARKER_FILE = "made.json"
"""File that marks a complete environment and lists its installed packages."""


def environment_folder(home: Path, environment: Environment) -> Path:
    """Return the folder of the environment, created or not. Models with equal requirements share it."""
    identity = json.dumps([environment.python, sorted(environment.requires), WORKER_REQUIREMENTS])
    return home / "envs" / hashlib.sha256(identity.encode()).hexdigest()[:16]


def interpreter_path(home: Path, environment: Environment) -> str:
    """Return the interpreter of an environment, or "" if it is not created or its base Python is gone."""
    folder = environment_folder(home, environment)
    python = _python_path(folder)
    return str(python) if (folder / MARKER_FILE).is_file() and python.exists() else ""


def is_intact(home: Path, environment: Environment) -> bool:
    """Return whether the environment starts and has its installed packages. Slower than `interpreter_path`: starts a process."""
    python = interpreter_path(home, environment)
    if not python:
        return False
    try:
        made = json.loads((environment_folder(home, environment) / MARKER_FILE).read_text("utf-8"))
        return bool(_installed_packages(python) == made["installed"])
    except (OSError, ValueError, KeyError):
        return False


def list_environments(home: Path) -> Iterator[Path]:
    """Yield the folders of all environments, complete or not."""
    yield from (folder for folder in sorted((home / "envs").glob("*")) if folder.is_dir())


def create(home: Path, environment: Environment, *, offline: bool = False) -> str:
    """Create the environment with uv if installed, else with venv and pip, and return its interpreter.

    Both tools print to the terminal and use their configured package index, or only local folders and caches if
    `offline`. Raises MissingDependency if a Python or a package is unavailable, the disk is full, or another process
    creates the environment. An incomplete environment is deleted.
    """
    from filelock import FileLock, Timeout  # imported here: the worker runs without it

    folder = environment_folder(home, environment)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock", blocking=False):
            if not is_intact(home, environment):
                _create(folder, environment, offline)
    except Timeout:
        raise MissingDependency("another process is creating this environment") from None
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise MissingDependency(f"no disk space left in {home}; free some and download again") from error
        raise MissingDependency(f"{error.filename or folder}: {error.strerror}") from error
    return str(_python_path(folder))


def remove(folder: Path) -> int:
    """Delete the environment in a folder and return the freed bytes."""
    freed = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    shutil.rmtree(folder, ignore_errors=True)
    Path(f"{folder}.lock").unlink(missing_ok=True)
    return freed


def _create(folder: Path, environment: Environment, offline: bool) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    requires = (*environment.requires, *WORKER_REQUIREMENTS)
    try:
        if uv := _uv_command():
            _create_with_uv(uv, environment.python, folder, requires, offline)
        else:
            _create_with_pip(environment.python, folder, requires, offline)
        _write_marker(folder, environment)
    except BaseException:  # on interruption too: an incomplete environment is useless
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _uv_command() -> Sequence[str]:
    """Return the uv command: on PATH, or installed as a module. Empty if there is none."""
    if found := shutil.which("uv"):
        return [found]
    return [sys.executable, "-m", "uv"] if importlib.util.find_spec("uv") else []


def _create_with_uv(uv: Sequence[str], version: str, folder: Path, requires: Sequence[str], offline: bool) -> None:
    alone = ["--offline"] if offline else []
    _run(
        [*uv, "venv", "--quiet", "--no-project", *alone, "--python", version, str(folder)],
        f"uv could not create an environment with Python {version}",
    )
    install = [*uv, "pip", "install", *alone, "--python", str(_python_path(folder)), *requires]
    _run(install, "its packages could not be installed")


def _create_with_pip(version: str, folder: Path, requires: Sequence[str], offline: bool) -> None:
    python = next(_find_pythons(version), None)
    if python is None:
        raise MissingDependency(
            f"Python {version} not found; install it, or install uv, which downloads one (pip install uv)"
        )
    target = str(_python_path(folder))
    if importlib.util.find_spec("pip"):  # use this interpreter's pip; the environment needs none
        _run([python, "-m", "venv", "--without-pip", str(folder)], f"{python} cannot create environments")
        pip = [sys.executable, "-m", "pip", "--python", target]
    else:
        _run([python, "-m", "venv", str(folder)], f"{python} cannot create environments")
        pip = [target, "-m", "pip"]
    alone = ["--no-index"] if offline else []
    install = [*pip, "install", "--disable-pip-version-check", "--no-input", "--no-compile", *alone, *requires]
    _run(install, "its packages could not be installed")


def _write_marker(folder: Path, environment: Environment) -> None:
    """Mark the environment as complete and record its packages."""
    installed = _installed_packages(str(_python_path(folder)))
    if installed is None:
        raise MissingDependency("its packages conflict with the worker: pydantic cannot be imported")
    content = {**environment.model_dump(include={"python", "requires"}), "installed": installed}
    partial = folder / f".{MARKER_FILE}"
    partial.write_text(json.dumps(content, indent=1))
    partial.replace(folder / MARKER_FILE)


def _installed_packages(python: str) -> list[str] | None:
    """Return the installed packages with versions, or None if the interpreter cannot run a worker."""
    listing = (
        "import importlib.metadata as m; print('\\n'.join(sorted(f'{d.name}=={d.version}' for d in m.distributions())))"
    )
    command = [python, "-I", "-c", f"import pydantic; {listing}"]
    answer = subprocess.run(command, capture_output=True, text=True, env=_clean_environ(), check=False)
    return None if answer.returncode else answer.stdout.split()


def _find_pythons(version: str) -> Iterator[str]:
    """Yield interpreters of that version: the current one, those on PATH, those of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = (
        getattr(sys, "_base_executable", sys.executable),
        shutil.which(f"python{version}"),
        *map(str, sorted(pyenv.glob(f"{version}*/bin/python"), reverse=True)),
    )
    for candidate in filter(None, candidates):
        asked = [candidate, "-I", "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"]
        try:
            answer = subprocess.run(asked, capture_output=True, text=True, check=False)
        except OSError:  # a dangling link
            continue
        if f"{answer.stdout.strip()}.".startswith(f"{version}."):
            yield candidate


def _python_path(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _run(command: Sequence[str], failure: str) -> None:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno(), env=_clean_environ(), check=False
        )
    except OSError as error:
        raise MissingDependency(f"{failure} ({error.strerror})") from error
    if done.returncode:
        raise MissingDependency(f"{failure}; see the installer's output above")


def _clean_environ() -> dict[str, str]:
    """Return the environment variables of this process without those that mix packages of two interpreters."""
    mixing = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__"}
    return {name: value for name, value in os.environ.items() if name not in mixing}
