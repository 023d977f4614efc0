"""Interpreters of their own, for models whose packages exclude those of the engine. Made by `models pull`, never by a run."""

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
"""What the body of a worker itself is built on; the engine's own code is not installed there but lent to it."""

MARKER_FILE = "made.json"
"""Lies in an environment that is complete, and says what is installed there."""


def environment_folder(home: Path, environment: Environment) -> Path:
    """Where the environment lies, made or not: models that need the same share it."""
    identity = json.dumps([environment.python, sorted(environment.requires), WORKER_REQUIREMENTS])
    return home / "envs" / hashlib.sha256(identity.encode()).hexdigest()[:16]


def interpreter_path(home: Path, environment: Environment) -> str:
    """The interpreter of an environment; empty while it is not made, and when the Python that it was made from is gone."""
    folder = environment_folder(home, environment)
    python = _python_path(folder)
    return str(python) if (folder / MARKER_FILE).is_file() and python.exists() else ""


def is_intact(home: Path, environment: Environment) -> bool:
    """Whether the environment still starts and holds what was installed there: dearer than `interpreter`, which only looks."""
    python = interpreter_path(home, environment)
    if not python:
        return False
    try:
        made = json.loads((environment_folder(home, environment) / MARKER_FILE).read_text("utf-8"))
        return bool(_installed_packages(python) == made["installed"])
    except (OSError, ValueError, KeyError):
        return False


def list_environments(home: Path) -> Iterator[Path]:
    """Where environments lie, made or not."""
    yield from (folder for folder in sorted((home / "envs").glob("*")) if folder.is_dir())


def create(home: Path, environment: Environment, *, offline: bool = False) -> str:
    """Make the environment, with uv where that is installed, else with venv and pip; both speak to the terminal and use the
    package index that they are set up for, or, `offline`, the folders and caches alone. Returns its interpreter. Raises Missing
    when a Python or a package cannot be had, when there is no room, and while another process makes it; nothing half made is left."""
    from filelock import FileLock, Timeout  # here, as the worker's own body does without it

    folder = environment_folder(home, environment)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock", blocking=False):
            if not is_intact(home, environment):
                _create(folder, environment, offline)
    except Timeout:
        raise MissingDependency("this environment is being made by another process") from None
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise MissingDependency(f"no room is left in {home}; make some and pull again") from error
        raise MissingDependency(f"{error.filename or folder}: {error.strerror}") from error
    return str(_python_path(folder))


def remove(folder: Path) -> int:
    """Remove the environment in a folder; returns how many bytes became free."""
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
    except BaseException:  # also when it is interrupted: what is there is of use to nobody
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _uv_command() -> Sequence[str]:
    """The command uv: on the path, or installed beside the engine; empty: there is none."""
    if found := shutil.which("uv"):
        return [found]
    return [sys.executable, "-m", "uv"] if importlib.util.find_spec("uv") else []


def _create_with_uv(uv: Sequence[str], version: str, folder: Path, requires: Sequence[str], offline: bool) -> None:
    alone = ["--offline"] if offline else []
    _run(
        [*uv, "venv", "--quiet", "--no-project", *alone, "--python", version, str(folder)],
        f"uv could not make an environment with Python {version}",
    )
    install = [*uv, "pip", "install", *alone, "--python", str(_python_path(folder)), *requires]
    _run(install, "its packages could not be installed")


def _create_with_pip(version: str, folder: Path, requires: Sequence[str], offline: bool) -> None:
    python = next(_find_pythons(version), None)
    if python is None:
        raise MissingDependency(
            f"no Python {version} is on this machine; install it, or uv, which brings one (pip install uv)"
        )
    target = str(_python_path(folder))
    if importlib.util.find_spec("pip"):  # this interpreter's serves, and the environment needs none
        _run([python, "-m", "venv", "--without-pip", str(folder)], f"{python} cannot make environments")
        pip = [sys.executable, "-m", "pip", "--python", target]
    else:
        _run([python, "-m", "venv", str(folder)], f"{python} cannot make environments")
        pip = [target, "-m", "pip"]
    alone = ["--no-index"] if offline else []
    install = [*pip, "install", "--disable-pip-version-check", "--no-input", "--no-compile", *alone, *requires]
    _run(install, "its packages could not be installed")


def _write_marker(folder: Path, environment: Environment) -> None:
    """Say that it is complete, and what came to lie there."""
    installed = _installed_packages(str(_python_path(folder)))
    if installed is None:
        raise MissingDependency("its packages break what the engine lends to it: pydantic cannot be imported there")
    content = {**environment.model_dump(include={"python", "requires"}), "installed": installed}
    partial = folder / f".{MARKER_FILE}"
    partial.write_text(json.dumps(content, indent=1))
    partial.replace(folder / MARKER_FILE)


def _installed_packages(python: str) -> list[str] | None:
    """What lies in an environment, with versions; None where its interpreter cannot do a worker's work."""
    listing = (
        "import importlib.metadata as m; print('\\n'.join(sorted(f'{d.name}=={d.version}' for d in m.distributions())))"
    )
    command = [python, "-I", "-c", f"import pydantic; {listing}"]
    answer = subprocess.run(command, capture_output=True, text=True, env=_clean_environ(), check=False)
    return None if answer.returncode else answer.stdout.split()


def _find_pythons(version: str) -> Iterator[str]:
    """Interpreters of that version on this machine: the one that runs this, those on the path, pyenv's."""
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
        except OSError:  # a link to a Python that is gone
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
        raise MissingDependency(f"{failure}; what the installer said stands above")


def _clean_environ() -> dict[str, str]:
    """This process's own, without what would mix its packages with those of another interpreter."""
    mixing = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__"}
    return {name: value for name, value in os.environ.items() if name not in mixing}
