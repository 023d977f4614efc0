"""A model whose packages exclude those of the engine runs under an interpreter of its own, behind the same seam."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from PIL import Image
from pydantic import ValidationError

from engine.cli import main
from engine.execution.devices import DevicePlacement
from engine.execution.inline import InlineExecutor
from engine.execution.local import LocalExecutor
from engine.execution.protocol import FailureCode, Task, TaskResult
from engine.schemas import generate_requests
from engine.service import Service
from engine.settings import Settings
from pipelines.base import Device, Environment, Kind, MissingDependency, ModelSpec
from pipelines.models import catalog, environments
from pipelines.models.manager import ModelManager
from tests.fixtures.standin import chatterbox as standin
from tests.fixtures.tiny import chatterbox as tiny_chatterbox
from tests.fixtures.weighted import TinyModel, overlay

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
# The engine wants Pillow 11 or later.
OLD = Environment(python=HERE, requires=("pillow==10.4.0",))
SHARPEN = ModelSpec(
    name="sharpen", family="pipelines.image.sharpen:Sharpen", kinds=(Kind.ENHANCE,), requires=("PIL",), memory_mb=300
)


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[LocalExecutor]:
    place = DevicePlacement("cpu-0", Device("cpu", 0), 4096, {"OMP_NUM_THREADS": "1"})
    executor = LocalExecutor([place], logs=tmp_path / "logs")
    executor.start()
    yield executor
    executor.stop()


@pytest.fixture(scope="module")
def lent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the few packages that a worker and this family need, and a note of how each of its processes began."""
    folder = tmp_path_factory.mktemp("own")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = environments._python_path(folder)
    site = Path(
        subprocess.check_output(
            [python, "-c", "import sysconfig as s; print(s.get_path('purelib'))"], text=True
        ).strip()
    )
    for name in (
        "pydantic",
        "pydantic_core",
        "annotated_types",
        "typing_inspection",
        "typing_extensions",
        "PIL",
    ):
        found = importlib.util.find_spec(name)
        assert found is not None
        assert found.origin
        place = Path(found.origin).parent if found.submodule_search_locations else Path(found.origin)
        (site / place.name).symlink_to(place)
    libraries = Path(sysconfig.get_path("platlib")) / "pillow.libs"
    if libraries.is_dir():
        (site / libraries.name).symlink_to(libraries)
    log = folder / "begun.jsonl"
    (site / "sitecustomize.py").write_text(
        f"import json, os, sys\nopen({str(log)!r}, 'a').write(json.dumps([os.getpid(), sys.executable, sys.path, os.environ.get('HF_HUB_OFFLINE')]) + '\\n')\n"
    )
    return python


def own(python: Path) -> ModelSpec:
    environment = Environment(requires=("unused",), interpreter=str(python))
    return SHARPEN.model_copy(update={"name": "sharpen-apart", "env": environment})


def do(executor: LocalExecutor | InlineExecutor, spec: ModelSpec, tmp_path: Path, name: str) -> TaskResult:
    picture = tmp_path / "given.png"
    Image.linear_gradient("L").convert("RGB").save(picture)
    executor.submit(Task(name, Kind.ENHANCE, spec, {}, {"image": (picture,)}, tmp_path / name))
    while True:
        for event in executor.events(1):
            if isinstance(event, TaskResult):
                return event


def starts(python: Path) -> list[tuple[int, str, list[str], str]]:
    log = python.parents[1] / "begun.jsonl"
    return [tuple(json.loads(line)) for line in log.read_text().splitlines()] if log.exists() else []


def test_the_worker_is_exchanged_when_the_next_model_needs_another(
    executor: LocalExecutor, lent: Path, tmp_path: Path
) -> None:
    before = len(starts(lent))
    results = [
        do(executor, spec, tmp_path, f"task-{n}") for n, spec in enumerate([SHARPEN, own(lent), own(lent), SHARPEN])
    ]
    assert [done.error for done in results] == [None] * 4
    assert [done.resident for done in results] == [("sharpen",), ("sharpen-apart",), ("sharpen-apart",), ("sharpen",)]
    begun = starts(lent)[before:]
    assert [executable for _, executable, *_ in begun] == [str(lent)]  # one process did both of its tasks
    pictures = {done.outputs[0][1].read_bytes() for done in results}
    assert len(pictures) == 1


def test_only_the_engine_itself_is_lent_and_nothing_that_is_installed_beside_it(
    executor: LocalExecutor, lent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", sysconfig.get_path("purelib"))
    assert do(executor, own(lent), tmp_path, "task").ok
    *_, (_, _, path, offline) = starts(lent)
    root = Path(environments.__file__).parents[2]
    assert offline == "1", "a run never asks a hub"
    assert not {str(root), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")} & set(path)


def test_a_worker_is_built_on_what_an_environment_is_given() -> None:
    """What `WORKER_REQUIREMENTS` names, and what that brings; of all that is installed here nothing else is imported."""
    code = "import sys; import engine.execution.worker, pipelines.step_params; print(*{m.split('.')[0] for m in sys.modules})"
    root = Path(environments.__file__).parents[2]
    modules = set(subprocess.check_output([sys.executable, "-c", code], text=True, cwd=root).split())
    installed = {name for name in packages_distributions() if not name.startswith("_")}
    brought = {"pydantic", "pydantic_core", "annotated_types", "typing_inspection", "typing_extensions"}
    assert modules & installed - {"engine", "pipelines"} == brought


def test_without_workers_it_is_said_that_one_is_needed(lent: Path, tmp_path: Path) -> None:
    done = do(InlineExecutor(), own(lent), tmp_path, "task")
    assert done.error is not None
    assert done.error.code == FailureCode.MISSING
    assert "isolated environment" in done.error.message


def own_folder(home: Path, environment: Environment) -> Path:
    """An environment as it is when it is made, but for what is in it."""
    folder = environments.environment_folder(home, environment)
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / environments.MARKER_FILE).touch()
    return folder


def test_an_environment_is_one_when_it_is_complete_and_its_python_is_there(tmp_path: Path) -> None:
    folder = own_folder(tmp_path, OLD)
    assert environments.interpreter_path(tmp_path, OLD) == str(folder / "bin" / "python")
    assert environments.interpreter_path(tmp_path, OLD.model_copy(update={"requires": ("pillow==10.3.0",)})) == ""
    (folder / environments.MARKER_FILE).rename(folder / "made")
    assert environments.interpreter_path(tmp_path, OLD) == ""
    (folder / "made").rename(folder / environments.MARKER_FILE)
    (folder / "bin" / "python").unlink()
    (folder / "bin" / "python").symlink_to(tmp_path / "a Python that was removed")
    assert environments.interpreter_path(tmp_path, OLD) == ""


def test_environments_that_no_model_has_any_more_are_told_and_removed(tmp_path: Path) -> None:
    """As when a model comes to require another version."""
    kept, left = (own_folder(tmp_path, environment) for environment in (OLD, Environment(requires=("pillow==10.3.0",))))
    (left / "package.py").write_bytes(b"#" * 100)
    model = SHARPEN.model_copy(update={"env": OLD})
    stock = ModelManager(tmp_path, catalog.load().model_copy(update={"models": {model.name: model}}))
    assert stock.unused_environments() == (left,)
    assert stock.remove_unused() == 100
    assert [folder.name for folder in environments.list_environments(tmp_path)] == [kept.name]


def hide_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without it."""
    folders = os.environ["PATH"].split(os.pathsep)
    monkeypatch.setenv("PATH", os.pathsep.join(one for one in folders if not shutil.which("uv", path=one)))
    monkeypatch.setitem(sys.modules, "uv", None)


@pytest.fixture(params=["uv", "venv"])
def installer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Environments are made with this."""
    if request.param == "venv":
        hide_uv(monkeypatch)
    elif not (shutil.which("uv") or importlib.util.find_spec("uv")):
        pytest.skip("uv is not installed")
    return str(request.param)


def test_a_python_that_is_not_here_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide_uv(monkeypatch)  # where it could bring one, it would
    with pytest.raises(MissingDependency, match=r"Python 3\.99 not found; install it, or install uv"):
        environments.create(tmp_path, Environment(python="3.99", requires=("x",)))


def test_a_python_that_the_engine_cannot_run_under_is_refused() -> None:
    assert Environment(python="3.12.1", requires=("x",)).python == "3.12.1"
    for older in ("3.10", "3.9.2", "2.7", "3.11; rm"):
        with pytest.raises(ValidationError, match="python"):
            Environment(python=older, requires=("x",))


def test_what_cannot_be_installed_leaves_nothing_behind(tmp_path: Path, installer: str) -> None:
    wanted = Environment(python=HERE, requires=("no-package-of-this-name==1",))
    with pytest.raises(
        MissingDependency, match="its packages could not be installed; see the installer's output above"
    ):
        environments.create(tmp_path, wanted, offline=True)
    assert list(environments.list_environments(tmp_path)) == []


def test_a_home_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "envs").write_text("no folder")
    with pytest.raises(MissingDependency, match=r"envs: (File exists|Not a directory)"):
        environments.create(tmp_path, OLD)


def test_two_do_not_make_the_same_environment_at_once(tmp_path: Path) -> None:
    (tmp_path / "envs").mkdir()
    with (
        FileLock(f"{environments.environment_folder(tmp_path, OLD)}.lock"),
        pytest.raises(MissingDependency, match="another process"),
    ):
        environments.create(tmp_path, OLD)


def test_an_interpreter_that_is_gone_or_broken_ends_its_task_and_no_other(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    gone = do(executor, own(tmp_path / "no" / "python"), tmp_path, "gone")
    assert gone.error is not None
    assert gone.error.code == FailureCode.MISSING
    assert "python -m engine models pull sharpen-apart" in gone.error.message
    empty = tmp_path / "empty"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(empty)], check=True)
    broken = do(executor, own(environments._python_path(empty)), tmp_path, "broken")
    assert broken.error is not None
    assert broken.crashed
    assert "python -m engine models pull sharpen-apart" in broken.error.message
    assert "No module named 'pydantic'" in broken.error.detail
    assert do(executor, SHARPEN, tmp_path, "whole").ok


@pytest.fixture(scope="module")
def films() -> list[bytes]:
    """Those that were made."""
    return []


ENTRY = f"""
models:
  sharpen-old:
    family: pipelines.image.sharpen:Sharpen
    kinds: [enhance]
    requires: [PIL]
    env: {{python: "{HERE}", requires: [pillow==10.4.0]}}
"""


def test_packages_that_exclude_those_of_the_engine_make_their_part_of_a_film_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installer: str, films: list[bytes]
) -> None:
    """`models pull` makes the environment for real, from a package index, and mends it. The film is the same whichever made it."""
    models = tmp_path / "models.yaml"
    models.write_text(ENTRY)
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    if not reached(installer):
        pytest.skip(f"{installer} reaches no package index")
    assert command("pull", "sharpen-old", "--yes", "--models", str(models)) == 0
    home = Settings.read().weights
    (folder,) = environments.list_environments(home)
    made = json.loads((folder / environments.MARKER_FILE).read_text())
    assert "pillow==10.4.0" in made["installed"]
    assert ("uv" in (folder / "pyvenv.cfg").read_text()) == (installer == "uv")

    film, records = filmed(tmp_path / "one", models, home, enhance="sharpen-old")
    films.append(film)
    assert film == films[0]
    assert {record["libraries"]["PIL"] for record in records["enhance"]} == {"10.4.0"}
    assert all(int(record["libraries"]["PIL"].split(".")[0]) >= 11 for record in records["keyframe"])
    assert command("verify", "sharpen-old", "--models", str(models)) == 0
    next(folder.rglob("pillow-10.4.0.dist-info")).rename(tmp_path / "torn")
    assert command("verify", "sharpen-old", "--models", str(models)) == 4
    assert command("pull", "sharpen-old", "--yes", "--models", str(models)) == 0, "what is torn is made anew"
    assert environments.is_intact(home, OLD)
    assert command("rm", "sharpen-old", "--models", str(models)) == 0
    assert not list(environments.list_environments(home))
    with pytest.raises(MissingDependency, match="models pull sharpen-old"):
        filmed(tmp_path / "two", models, home, enhance="sharpen-old")


def reached(installer: str) -> bool:
    """Whether the package index that it is set up for answers."""
    tool = [*environments._uv_command(), "pip", "compile", "-"] if installer == "uv" else PROBE
    return subprocess.run(tool, input=b"pillow==10.4.0", capture_output=True, check=False).returncode == 0


PROBE = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "pillow==10.4.0"]


def command(*words: str) -> int:
    """`python -m engine models …`: the exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["engine", "models", *words])
        try:
            main.main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0


def filmed(home: Path, models: Path, shelf: Path, **changes: Any) -> tuple[bytes, dict[str, list[dict[str, Any]]]]:
    """A film whose steps of these kinds (default: enhance) those models do, and the records of its steps by kind."""
    body = {
        "model": "local-story",
        "characters": [{"name": "Mara", "appearance": "auburn braid"}],
        "scenes": [
            {"prompt": f"Mara {does}", "narration": "The lamp is lit.", "duration": 1}
            for does in ("lights the lamp", "looks at the sea")
        ],
        "video": {"width": 96, "height": 64, "fps": 12},
        "audio": {"has_narration": "narrate" in changes, "has_bg_music": False},
        "enhance_image": "narrate" not in changes,
        "models": {"keyframe": "illustrator", "portrait": "illustrator", "animate": "still", **changes},
    }
    places = [DevicePlacement(f"cpu-{number}", Device("cpu", 0), 4096, {"OMP_NUM_THREADS": "1"}) for number in (0, 1)]
    known = catalog.load(models, home=shelf)
    with Service(Settings(home, shelf), known, LocalExecutor(places)) as service:
        made = service.run(generate_requests.to_story(body)).actions
        records: dict[str, list[dict[str, Any]]] = {}
        for action in made.values():
            records.setdefault(action.record["kind"], []).append(dict(action.record))
        return service.store.path(made["compose"].outputs[0].digest).read_bytes(), records


# --- Chatterbox ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["a stand-in", "chatterbox-tts"])
def chatterbox_shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Tiny weights for Chatterbox, and the interpreter of its own that models.yaml asks for. In that all is lent which
    can be imported here, and, as chatterbox-tts and this torch exclude each other, that or what stands for it."""
    pytest.importorskip("torch", reason="Chatterbox is run by torch")
    lent = [path for path in sys.path if path]
    begin = "pass"
    if request.param == "chatterbox-tts":
        if reason := tiny_chatterbox.skip_reason():
            pytest.skip(reason)
        build = tiny_chatterbox.build
        begin = "from tests.fixtures.tiny.chatterbox import small_sizes; sizes = small_sizes(); sizes.__enter__()"
    else:
        lent.insert(0, str(Path(standin.__file__).parents[1]))

        def build(folder: Path) -> None:
            folder.mkdir()
            for name in tiny_chatterbox.FILES:
                (folder / name).write_text("[]")

    tiny = {"chatterbox": TinyModel({"model": build}, files=tiny_chatterbox.FILES)}
    models = overlay(tiny, tmp_path)
    environment = catalog.load().spec("chatterbox").env
    assert environment is not None
    folder = environments.environment_folder(tmp_path / "weights", environment)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "sitecustomize.py").write_text(
        f"import sys\nopen({str(tmp_path / 'begun')!r}, 'a').write('.')\nsys.path += {lent!r}\n{begin}\n"
    )
    (folder / environments.MARKER_FILE).touch()
    return models


def test_chatterbox_tells_a_film_in_an_interpreter_of_its_own_and_the_same_again(
    chatterbox_shelf: Path, tmp_path: Path
) -> None:
    shelf = tmp_path / "weights"
    film, records = filmed(tmp_path / "one", chatterbox_shelf, shelf, narrate="chatterbox")
    assert [record["model"] for record in records["narrate"]] == ["chatterbox"] * 2
    assert {record["facts"]["watermark"] for record in records["narrate"]} == {"Perth"}
    assert sum(record["loaded"] for record in records["narrate"]) == 1
    assert (tmp_path / "begun").read_text() == ".", "one process of that interpreter told all of it"
    assert filmed(tmp_path / "two", chatterbox_shelf, shelf, narrate="chatterbox")[0] == film
