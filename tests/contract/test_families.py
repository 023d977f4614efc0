"""What every family does, whatever it makes: one suite over every model of models.yaml, each on a real task of its kind."""

import fnmatch
import hashlib
import json
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from PIL import Image

from engine.execution.inline import InlineExecutor
from engine.execution.runner import Runner
from engine.planning.plan import StoredInput
from engine.planning.planner import plan_brief, plan_story
from engine.schemas import generate_requests, story_requests
from engine.storage.artifact_store import ArtifactStore
from engine.story.model import InputFile, map_input_files
from pipelines.base import Device, Family, Kind
from pipelines.models import catalog
from pipelines.step_params import CONTRACTS

CATALOG = catalog.load()
# Models with weights are tested on tiny ones in test_weighted_families.py.
CASES = [(name, kind) for name, spec in CATALOG.models.items() if not spec.weights for kind in spec.kinds]
SAYS = {
    "English": "The keeper lights the lamp.",
    "Korean": "등대지기가 불을 켭니다.",
    "Arabic": "تضيء الحارسة المصباح.",
}
PAGE = (
    "<html><head><title>The Light</title></head><body><h1>The Light</h1><p>"
    + "The keeper lights the lamp at dusk. " * 20
)


class Quiet:
    """A report that checks what it is told."""

    def progress(self, fraction, message=""):
        assert 0 <= fraction <= 1

    def warn(self, message):
        assert isinstance(message, str)
        assert message

    def record(self, **facts):
        json.dumps(facts)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A store and a runner that all cases share: what one case made, the next recalls."""
    executor = InlineExecutor()
    store = ArtifactStore(tmp_path_factory.mktemp("families"))
    yield Runner(store, executor)
    executor.stop()
    store.close()


def clip_in(folder):
    """Half a second of video."""
    import av

    path = folder / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(12):
            frame = av.VideoFrame.from_image(Image.new("RGB", (64, 48), (20 * number, 90, 30)))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def plan_with(name, kind, room, tmp_path):
    """A small story in which `name` does `kind`, and the first step of it."""
    spec = CATALOG.models[name]
    language = spec.languages[0] if spec.languages and "English" not in spec.languages else "English"
    picture = tmp_path / "given.png"
    Image.effect_mandelbrot((240, 180), (-2, -1.5, 1, 1.5), 40).convert("RGB").save(picture)
    page = tmp_path / "page.html"
    page.write_text(PAGE, "utf-8")

    def stored(field, one):
        path = page if field == "page" else picture
        return one.model_copy(update={"digest": room.store.put(path, name="given").digest})

    if kind in (Kind.READ, Kind.WRITE):
        brief = story_requests.to_brief(
            "url-2-video", {"idea": "The light", "page": "page.html", "models": {str(kind): name}}
        )
        planned = plan_brief(map_input_files(brief, stored), CATALOG)
    else:
        body = {
            "model": "local-story",
            "characters": [{"name": "Mara", "appearance": "auburn braid", "reference_url": "given.png"}],
            "locations": [{"name": "Tower", "description": "a lighthouse at night"}],
            "scenes": [
                {"prompt": "Mara lights the lamp", "characters": [{"name": "Mara"}], "location": "Tower"},
                {"prompt": "Mara looks at the sea", "characters": [{"name": "Mara"}], "location": "Tower"},
            ],
            "language": language,
            "video": {"width": 320, "height": 180, "fps": 12, "transition_seconds": 0.5},
            "models": {str(kind): name},
        }
        for scene in body["scenes"]:
            scene["narration"] = SAYS.get(language, SAYS["English"])
        story = map_input_files(generate_requests.to_story(body), stored)
        story = story.model_copy(update={"enhance": kind is Kind.ENHANCE})
        if kind is Kind.SAMPLE_FRAMES:
            clip = InputFile(source="clip.mp4", digest=room.store.put(clip_in(tmp_path), name="given").digest)
            scenes = tuple(scene.model_copy(update={"clip": clip}) for scene in story.scenes)
            story = story.model_copy(update={"scenes": scenes})
        planned = plan_story(story, CATALOG)
    return planned.plan, next(step for step in planned.plan if step.kind is kind and step.spec.name == name)


def inputs_of(step, result, store, folder):
    """The files of a step's inputs, laid out as the runner does."""
    inputs = {}
    for role, sources in step.inputs.items():
        inputs[role] = []
        for number, source in enumerate(sources):
            if isinstance(source, StoredInput):
                files = [(source.name, source.digest)]
            else:
                outputs = sorted(result.actions[source.step].outputs, key=lambda output: output.name)
                files = [(one.name, one.digest) for one in outputs if fnmatchcase(one.name, source.name)]
            for name, digest in files:
                path = folder / role / str(number) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(store.path(digest).read_bytes())
                inputs[role].append(path)
    return inputs


@pytest.mark.parametrize(("name", "kind"), CASES, ids=[f"{name}-{kind}" for name, kind in CASES])
def test_a_family_makes_what_its_kind_promises_and_the_same_bytes_again(name, kind, room, tmp_path):
    spec = CATALOG.models[name]
    if absent := catalog.missing_modules(spec):
        pytest.skip(f"{name} needs {', '.join(absent)}, which this environment lacks")
    family_class = catalog.family_class(spec)
    assert issubclass(family_class.params[kind], CONTRACTS[kind].params)
    assert family_class.version

    if kind is Kind.SAMPLE_FRAMES and catalog.missing_modules(CATALOG.models["nsfw-check"]):
        pytest.skip("frames are taken out of clips only where something can look at them")
    plan, step = plan_with(name, kind, room, tmp_path)
    result = room.run(plan, sorted(step.dependencies())) if step.dependencies() else None
    assert result is None or result.ok, result.failed
    inputs = inputs_of(step, result, room.store, tmp_path / "in")
    before = {
        path: hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "in").rglob("*") if path.is_file()
    }

    made = []
    for attempt in ("first", "second"):
        out = tmp_path / attempt
        out.mkdir()
        family = family_class.load(spec, Device("cpu", 0, 1))
        assert isinstance(family, Family)
        paths = list(family.run(kind, step.params, inputs, out, Quiet(), seed=step.seed))
        family.close()
        assert {path.parent for path in paths} == {out}
        assert set(out.iterdir()) == set(paths), "nothing but the named outputs is left behind"
        made.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths})
    contract = CONTRACTS[kind]
    assert not [name for name in contract.outputs if not fnmatch.filter(made[0], name)], "the required outputs"
    assert all(contract.has_output(name) for name in made[0]), "only outputs of the contract"
    assert made[0] == made[1]
    assert before == {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in before}, "inputs are left alone"


def test_every_kind_of_step_is_covered():
    served = {kind for _, kind in CASES}
    assert served == set(CATALOG.kinds)
    assert set(CONTRACTS) == set(Kind) == served | {Kind.ENCODE_PROMPT}, (
        "words are encoded by the model that draws from them"
    )


def test_the_seam_and_the_families_import_nothing_heavy():
    """Importing a family costs nothing until it is loaded."""
    families = sorted({spec.family.partition(":")[0] for spec in CATALOG.models.values()})
    heavy = (
        "torch",
        "numpy",
        "cv2",
        "av",
        "PIL",
        "onnxruntime",
        "kokoro_onnx",
        "diffusers",
        "transformers",
        "soundfile",
    )
    code = f"import sys, importlib\nfor name in {families!r}: importlib.import_module(name)\nprint([m for m in {heavy!r} if m in sys.modules])"
    root = Path(__file__).resolve().parents[2]
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert answer.stdout.strip() == "[]"
