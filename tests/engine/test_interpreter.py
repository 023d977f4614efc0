"""A model whose packages exclude those of the engine runs under an interpreter of its own, behind the same seam."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from PIL import Image

from engine.executor.base import MISSING, Done, Task
from engine.executor.devices import Place
from engine.executor.inline import InlineExecutor
from engine.executor.local import LocalExecutor
from pipelines import interpreter
from pipelines.base import Device, Environment, Kind, Missing, ModelSpec

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
# The engine wants Pillow 11 or later.
OLD = Environment(python=HERE, requires=("pillow==10.4.0",))
SHARPEN = ModelSpec(
    name="sharpen", family="pipelines.image.enhance:Sharpen", kinds=(Kind.ENHANCE,), requires=("PIL",), memory_mb=300
)


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[LocalExecutor]:
    place = Place("cpu-0", Device("cpu", 0), 4096, {"OMP_NUM_THREADS": "1"})
    executor = LocalExecutor([place], logs=tmp_path / "logs")
    executor.start()
    yield executor
    executor.stop()


@pytest.fixture(scope="module")
def lent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the few packages that a worker and this family need, and a note of how each of its processes began."""
    folder = tmp_path_factory.mktemp("own")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = interpreter._python_in(folder)
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


def do(executor: LocalExecutor | InlineExecutor, spec: ModelSpec, tmp_path: Path, name: str) -> Done:
    picture = tmp_path / "given.png"
    Image.linear_gradient("L").convert("RGB").save(picture)
    executor.submit(Task(name, Kind.ENHANCE, spec, {}, {"picture": (picture,)}, tmp_path / name))
    while True:
        for event in executor.events(1):
            if isinstance(event, Done):
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
    root = Path(interpreter.__file__).parents[1]
    assert offline == "1", "a run never asks a hub"
    assert not {str(root), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")} & set(path)


def test_a_worker_is_built_on_what_an_environment_is_given() -> None:
    """What `BODY` names, and what that brings; of all that is installed here nothing else is imported."""
    code = "import sys; import engine.executor.worker, pipelines.kinds; print(*{m.split('.')[0] for m in sys.modules})"
    root = Path(interpreter.__file__).parents[1]
    modules = set(subprocess.check_output([sys.executable, "-c", code], text=True, cwd=root).split())
    installed = {name for name in packages_distributions() if not name.startswith("_")}
    brought = {"pydantic", "pydantic_core", "annotated_types", "typing_inspection", "typing_extensions"}
    assert modules & installed - {"engine", "pipelines"} == brought


def test_without_workers_it_is_said_that_one_is_needed(lent: Path, tmp_path: Path) -> None:
    done = do(InlineExecutor(), own(lent), tmp_path, "task")
    assert done.error is not None
    assert done.error.type == MISSING
    assert "an interpreter of its own" in done.error.message


def test_an_environment_that_is_not_complete_is_not_used(tmp_path: Path) -> None:
    folder = interpreter.folder_of(tmp_path, OLD)
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    assert interpreter.interpreter(tmp_path, OLD) == ""
    (folder / interpreter.MADE).touch()
    assert interpreter.interpreter(tmp_path, OLD)
    assert interpreter.interpreter(tmp_path, OLD.model_copy(update={"requires": ("pillow==10.3.0",)})) == ""


def test_a_python_that_is_not_here_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # where uv could bring one, it would
    with pytest.raises(Missing, match=r"no Python 3\.99 is on this machine; install it, or uv"):
        interpreter.make(tmp_path, Environment(python="3.99", requires=("x",)))


def test_packages_that_exclude_those_of_the_engine_do_their_work_beside_it(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    """Made for real, from a package index."""
    try:
        python = interpreter.make(tmp_path / "home", OLD)
    except Missing as missing:
        pytest.skip(f"no package index can be reached: {missing}")
    spec = SHARPEN.model_copy(update={"name": "old", "env": OLD.model_copy(update={"interpreter": python})})
    old, new = do(executor, spec, tmp_path, "old"), do(executor, SHARPEN, tmp_path, "new")
    assert (old.error, new.error) == (None, None)
    assert old.record["libraries"]["PIL"] == "10.4.0"
    assert int(new.record["libraries"]["PIL"].split(".")[0]) >= 11
    made = json.loads((Path(python).parents[1] / interpreter.MADE).read_text())
    assert "pillow==10.4.0" in made["installed"]
    assert interpreter.make(tmp_path / "home", OLD) == python  # it is there
    assert interpreter.remove(tmp_path / "home", OLD) > 1_000_000
    assert not Path(python).exists()
