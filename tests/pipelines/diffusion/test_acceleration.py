"""What makes a model faster does what it says, on tiny models of every family: it leaves out work, makes the picture
all the same, the same one every time, and keeps nothing from one run to the next. What a family or a machine cannot do
is said in the words of models.yaml.
"""

import functools
import importlib.util
import os
import shutil
import threading
from types import SimpleNamespace

import pytest
import torch

from engine.execution.protocol import Task
from engine.execution.worker import HUB_ENV, run_task
from pipelines.base import BadInput, Device, Kind, MemoryMode, MissingDependency
from pipelines.diffusion.acceleration import accelerate
from pipelines.diffusion.options import PipelineOptions
from pipelines.models.pool import DESCRIPTIONS, Pool
from pipelines.step_params import PortraitParams
from tests.fixtures import weighted
from tests.fixtures.tiny import vision

BLIND = vision.skip_reason()  # before anything imports transformers

from tests.pipelines.diffusion.subjects import ON_CPU, SUBJECTS, Bench, Loaded  # noqa: E402

NVIDIA = Device("cuda")
CACHES = {
    "MagCache": {"mag_ratios": [1.0] * 6},
    "TaylorSeerCache": {"cache_interval": 3, "disable_cache_before_step": 2},
    "FirstBlockCache": {"threshold": 10.0},
    "PyramidAttentionBroadcast": {
        "spatial_attention_block_skip_range": 2, "spatial_attention_timestep_skip_range": [-1, 1001],
    },
}  # fmt: skip
"""So that they skip what they can: what tiny random networks do differs wildly from step to step."""
LITE = {**CACHES["TaylorSeerCache"], "use_lite_mode": True}
COMPILED = os.environ.get("ENGINE_TEST_COMPILED", "flux2 wan-a14b cogvideox sdxl").split()
"""Whose blocks are compiled: tracing those of all families takes a minute."""
NOT_THESE = {("wan-a14b", "MagCache"), ("qwen-2.1", "MagCache"), ("qwen-2.1", "FirstBlockCache")}
"""What these weights cannot do, though others of their family can."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("speed"))


@pytest.fixture(scope="module")
def plain(bench):
    """name → how much work a run is without any cache, and what it makes."""
    return functools.cache(lambda name: bench.load(name).work())


def cases(pairs):
    def marks(name):
        return (
            [pytest.mark.skipif(bool(BLIND), reason=f"it looks through torchvision: {BLIND}")]
            if SUBJECTS[name].looks
            else []
        )

    return [pytest.param(name, *more, marks=marks(name)) for name, *more in pairs]


def cache(name, settings=None):
    return {"cache": {"name": name, "settings": CACHES[name] if settings is None else settings}}


# --- step caches ------------------------------------------------------------------------------------------------------

CACHED = [
    *(
        (name, known, CACHES[known])
        for name, one in SUBJECTS.items()
        for known in one.recipe.supported_caches
        if (name, known) not in NOT_THESE
    ),
    *((name, "TaylorSeerCache", LITE) for name in ("flux2", "wan-a14b", "ltx2", "cogvideox")),
]


@pytest.mark.parametrize(("name", "known", "settings"), cases(CACHED))
def test_a_step_cache_leaves_out_work_and_keeps_nothing_from_one_run_to_the_next(name, known, settings, bench, plain):
    whole, without = plain(name)
    model = bench.load(name, **cache(known, settings))
    count, made = model.work(1)
    assert count < 0.9 * whole
    assert made != without
    assert model.report.facts["faster"] == {"cache": known}
    assert model.report.facts["given_up"] == []
    other = model.make(2)
    assert other != made
    assert model.work(1) == (count, made), "in a resident model, too"
    with pytest.raises(KeyboardInterrupt):
        model.make(2, stop_at=0.6)
    assert model.work(1) == (count, made), "after a run that was broken off, too"


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_cache_that_a_family_does_not_know_is_refused_by_name(name, bench):
    if name.startswith(("qwen", "flux3", "flux2-dev")) and BLIND:
        pytest.skip(f"it looks through torchvision: {BLIND}")
    for strange in CACHES.keys() - set(SUBJECTS[name].recipe.supported_caches):
        with pytest.raises(BadInput, match=r"models\.tiny\.options\.cache: .*cannot skip steps") as refused:
            bench.load(name, **cache(strange))
        assert all(known in str(refused.value) for known in SUBJECTS[name].recipe.supported_caches)


@pytest.mark.skipif(bool(BLIND), reason=f"it looks through torchvision: {BLIND}")
@pytest.mark.parametrize("known", ["MagCache", "FirstBlockCache"])
def test_a_cache_that_a_network_does_not_know_is_refused_when_it_is_loaded(known, bench):
    with pytest.raises(BadInput, match=r"models\.tiny\.options\.cache: .* cannot be used with QwenImage21"):
        assert bench.load("qwen-2.1", **cache(known)).pipe


def test_steps_that_two_networks_share_are_not_counted_by_one(bench):
    with pytest.raises(
        BadInput, match=r"models\.tiny\.options\.cache\.name: .* Choose TaylorSeerCache or FirstBlockCache"
    ):
        bench.load("wan-a14b", **cache("MagCache"))


@pytest.mark.parametrize(
    ("known", "settings", "said"),
    [
        ("FirstBlockCache", {"treshold": 0.1}, r"options\.cache\.settings: these are not settings of FirstBlockCache"),
        ("MagCache", {}, r"run once with `calibrate: true`"),
    ],
)
def test_settings_that_a_cache_does_not_have_are_refused(known, settings, said, bench):
    with pytest.raises(BadInput, match=said):
        assert bench.load("ltx", **cache(known, settings)).pipe


@pytest.mark.parametrize("name", ["flux2-guided", "ltx"])
def test_the_ratios_of_a_model_are_measured_in_a_run_that_skips_nothing(name, bench, plain):
    whole, without = plain(name)
    model = bench.load(name, **cache("MagCache", {"calibrate": True}))
    assert model.work() == (whole, without)
    ratios = model.report.facts["mag_ratios"]
    assert len(ratios) == 6
    assert ratios[0] == 1
    assert len(set(ratios)) > 1
    measured = cache("MagCache", {"mag_ratios": ratios, "threshold": 1e6, "retention_ratio": 0.0})
    assert bench.load(name, **measured).work()[0] < whole


# --- attention --------------------------------------------------------------------------------------------------------


@pytest.fixture
def attended(monkeypatch):
    """How often attention was computed by which way."""
    from diffusers.models.attention_dispatch import AttentionBackendName, _AttentionBackendRegistry

    counts = dict.fromkeys(("native", "_native_flash"), 0)
    for way in counts:
        name = AttentionBackendName(way)

        def counted(*args, way=way, real=_AttentionBackendRegistry._backends[name], **more):
            counts[way] += 1
            return real(*args, **more)

        monkeypatch.setitem(_AttentionBackendRegistry._backends, name, counted)
    return counts


@pytest.mark.parametrize(
    "name", cases((name,) for name, one in SUBJECTS.items() if "flash" in one.recipe.supported_backends)
)
def test_another_way_of_attention_is_taken_by_this_model_alone(name, bench, attended, plain):
    model = bench.load(name, attention="_native_flash")
    made = model.make()
    flash, native = attended["_native_flash"], attended["native"]
    assert flash > 0
    assert native == 0 or name == "qwen-2.1", "which leaves out what pictures need not see of words, in any case"
    assert model.report.facts["faster"] == {"attention": "_native_flash"}
    assert made == model.make()
    bench.load("ltx").make()
    assert attended["_native_flash"] == 2 * flash
    assert attended["native"] > 0


WAYS = ("flash", "sage", "xformers", "_native_cudnn", "_native_flash")


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_way_of_attention_that_a_family_cannot_take_is_refused_by_name(name, bench):
    if SUBJECTS[name].looks and BLIND:
        pytest.skip(f"it looks through torchvision: {BLIND}")
    for way in set(WAYS) - set(SUBJECTS[name].recipe.supported_backends):
        with pytest.raises(BadInput, match=r"models\.tiny\.options\.attention: .*cannot attend by"):
            bench.load(name, attention=way)


def test_words_with_gaps_need_attention_that_can_leave_something_out(bench):
    """Why LTX, LTX-2 and HunyuanVideo are not given the ways that see everything."""
    for name in ("ltx", "ltx2", "hunyuan"):
        model = bench.load(name)
        for network in model.networks:
            network.set_attention_backend("_native_flash")
        try:
            with pytest.raises(ValueError, match="attn_mask"):
                model.make()
        finally:
            model.networks[0].set_attention_backend("native")


@pytest.mark.parametrize("way", ["flash", "sage", "xformers"])
def test_a_way_of_attention_whose_package_lacks_is_missed_when_the_model_is_loaded(way, bench, monkeypatch):
    monkeypatch.setattr("pipelines.diffusion.acceleration.find_spec", lambda name: None)
    package = {"flash": "flash-attn", "sage": "sageattention"}.get(way, way)
    with pytest.raises(MissingDependency, match=rf"models\.tiny\.options\.attention: .*`pip install {package}`"):
        bench.load("flux2", NVIDIA, attention=way)


@pytest.mark.skipif(
    importlib.util.find_spec("flash_attn") is not None, reason="flash-attn is installed, and new enough"
)
def test_a_package_that_is_too_old_for_diffusers_is_missed(bench, monkeypatch):
    monkeypatch.setattr("pipelines.diffusion.acceleration.find_spec", lambda name: True)
    model = bench.load("flux2", NVIDIA, attention="flash")
    with pytest.raises(
        MissingDependency, match=r"options\.attention: flash is too old; `pip install --upgrade flash-attn`"
    ):
        assert model.pipe


@pytest.mark.parametrize("way", ["flash", "_native_cudnn"])
def test_a_way_of_attention_for_gpus_is_refused_elsewhere_and_in_32_bits(way, bench):
    with pytest.raises(BadInput, match=r"options\.attention: .* requires an NVIDIA GPU"):
        bench.load("flux2", attention=way)
    with pytest.raises(BadInput, match=r"options\.attention: .* 16-bit dtype"):
        bench.load("flux2", NVIDIA, attention=way, dtype="float32")


# --- compiled blocks --------------------------------------------------------------------------------------------------


@pytest.fixture
def compiled(monkeypatch):
    """Compiling without a compiler: blocks are captured whole, as for any, and run as they are. How many were, by what they are."""
    captured = []

    def run_as_it_is(graph, example_inputs):
        captured.append(graph)
        return graph.forward

    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=run_as_it_is))
    yield captured
    torch.compiler.reset()


@pytest.mark.parametrize("name", cases((name,) for name in SUBJECTS if name in COMPILED))
def test_the_blocks_of_every_network_can_be_compiled_whole(name, bench, compiled):
    roomy = (
        {**SUBJECTS[name].options["window"], "width": 128, "height": 96} if "window" in SUBJECTS[name].options else None
    )
    model = bench.load(name, compile=True, steps=2, **({"window": roomy} if roomy else {}))
    made = model.make()
    assert model.report.facts["faster"] == {"compile": True}
    graphs = len(compiled)
    assert graphs > 0
    assert not torch._dynamo.utils.counters["graph_break"]
    if SUBJECTS[name].kind is not Kind.SCORE:
        assert model.make(size=(128, 64)) != made
    assert model.make() == made
    assert len(compiled) == graphs, "once for all sizes"


class Repeating(torch.nn.Module):
    """Two blocks, as small as machine code can be made for."""

    def __init__(self):
        super().__init__()
        self.blocks = torch.nn.ModuleList(torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.GELU()) for _ in range(2))

    def forward(self, states):
        for block in self.blocks:
            states = block(states)
        return states


@pytest.mark.skipif(shutil.which("g++") is None, reason="a processor's code is compiled by g++, which is not installed")
def test_compiled_blocks_are_machine_code_of_their_own(bench, tmp_path, monkeypatch):
    from torch._inductor import config

    torch.compiler.reset()
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    pipe = SimpleNamespace(transformer=Repeating())
    small, large = torch.ones(2, 3, 8), torch.ones(3, 5, 8)
    with torch.no_grad(), config.patch({"compile_threads": 1, "cpp_cache_precompile_headers": False}):
        before = pipe.transformer(small)
        accelerate(pipe, bench.spec("flux2"), PipelineOptions(compile=True), ON_CPU)
        assert torch.allclose(pipe.transformer(small), before, atol=1e-6)
        written = list(tmp_path.rglob("*.so"))
        assert written
        pipe.transformer(large)
    assert list(tmp_path.rglob("*.so")) == written, "once for all blocks and sizes"
    torch.compiler.reset()


@pytest.mark.parametrize(
    ("known", "settings"), [("MagCache", None), ("FirstBlockCache", None), ("TaylorSeerCache", LITE)]
)
def test_compiled_blocks_are_left_out_by_caches_that_leave_out_whole_ones(known, settings, bench, compiled):
    model = bench.load("wan-5b", compile=True, **cache(known, settings))
    made = model.make()
    assert model.report.facts["faster"] == {"cache": known, "compile": True}
    assert compiled
    assert model.make() == made


@pytest.mark.parametrize("known", ["TaylorSeerCache", "PyramidAttentionBroadcast"])
def test_a_cache_that_reaches_into_blocks_does_not_go_with_compiling_them(known, bench):
    with pytest.raises(BadInput, match=rf"models\.tiny\.options\.compile: compile and {known} cannot be combined"):
        bench.load("ltx", compile=True, **cache(known))


def test_weights_of_eight_bits_are_compiled_too(bench, compiled):
    model = bench.load("flux2", compile=True, bits=8)
    assert model.make() == model.make()
    assert compiled


def test_a_machine_without_a_compiler_says_so_when_the_model_is_loaded(bench, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(MissingDependency, match=r"models\.tiny\.options\.compile: .*`apt-get install g\+\+ "):
        bench.load("flux2", compile=True)
    assert bench.load("flux2", Device(memory_mode=MemoryMode.GROUP_OFFLOAD), compile=True), (
        "nothing is compiled where memory is short"
    )


# --- together with what saves memory ----------------------------------------------------------------------------------


@pytest.mark.parametrize("economy", list(MemoryMode))
def test_what_makes_faster_gives_way_where_memory_is_short(economy, bench, compiled):
    model = bench.load("wan-5b", Device(memory_mode=economy), compile=True, **cache("FirstBlockCache"))
    assert model.make() == model.make()
    short = economy >= MemoryMode.GROUP_OFFLOAD
    assert all(network.is_cache_enabled is not short for network in model.networks)
    assert bool(compiled) is not short
    assert model.report.facts["given_up"] == (["cache", "compile"] if short else [])
    assert model.report.facts["faster"] == ({} if short else {"cache": "FirstBlockCache", "compile": True})


def test_the_ladder_is_gone_down_with_everything_on(bench, compiled, tmp_path):
    """By the worker's own code: the record says what was given up on the way."""
    spec = bench.spec("flux2", compile=True, attention="_native_flash", **cache("MagCache"))
    spec = spec.model_copy(update={"family": "tests.fixtures.tiny.starved:OutOfMemoryFlux2"})
    params = PortraitParams(prompt="Mara", width=64, height=64, name="Mara").model_dump(mode="json")
    done = run_task(
        Task("one", Kind.PORTRAIT, spec, params, {}, tmp_path / "out"), Pool(ON_CPU, 10**6), lambda event: None
    )
    assert done.error is None
    assert done.record["memory_steps"] == list(DESCRIPTIONS.values())
    assert done.record["facts"]["given_up"] == ["cache", "compile"]
    assert done.record["facts"]["faster"] == {"attention": "_native_flash"}


def test_weights_of_eight_bits_need_their_package(bench, monkeypatch):
    monkeypatch.setattr("pipelines.diffusion.acceleration.find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"models\.tiny\.options\.bits: .* torchao; `pip install"):
        bench.load("flux2", bits=8)


def test_eight_bits_from_the_start(bench):
    model = bench.load("flux2", bits=8)
    assert model.make() == model.make()
    kinds = {type(parameter.data).__module__ for parameter in model.networks[0].parameters()}
    assert any("torchao" in kind for kind in kinds)


# --- loading ----------------------------------------------------------------------------------------------------------


def test_the_parts_of_large_weights_are_read_side_by_side(bench, monkeypatch, tmp_path):
    """Each waits until another is being read as well: one after the other they would never end."""
    from diffusers.models import model_loading_utils, modeling_utils
    from diffusers.utils.constants import ENV_VARS_TRUE_VALUES

    subject, folder = SUBJECTS["zimage"], tmp_path / "weights"
    shutil.copytree(bench.weights("zimage"), folder)
    shutil.rmtree(folder / "transformer")
    bench.load("zimage").networks[0].save_pretrained(folder / "transformer", max_shard_size="20KB")
    parts = len(list((folder / "transformer").glob("*.safetensors")))
    assert parts > 2
    (tmp_path / "steps").mkdir()
    spec = weighted.spec(subject.family, folder, max_references=0, options=subject.options)
    one_by_one = Loaded(subject, subject.family.load(spec, ON_CPU), tmp_path / "steps").make()
    reading, two = [], threading.Event()

    def read(file, real=model_loading_utils.load_state_dict, **more):
        if "transformer" in str(file):
            reading.append(file)
            if len(reading) > 1:
                two.set()
            assert two.wait(20), "nothing else is read meanwhile"
        return real(file, **more)

    # What workers say before they import diffusers, which reads it once.
    assert HUB_ENV["HF_ENABLE_PARALLEL_LOADING"] in ENV_VARS_TRUE_VALUES
    monkeypatch.setattr(modeling_utils, "HF_ENABLE_PARALLEL_LOADING", True)
    monkeypatch.setattr(model_loading_utils, "load_state_dict", read)
    assert Loaded(subject, subject.family.load(spec, ON_CPU), tmp_path / "steps").make() == one_by_one
    assert len(reading) == parts


def test_components_compute_in_what_their_options_say(bench, monkeypatch):
    """As on a GPU: only a processor computes all in 32 bits."""
    monkeypatch.setattr("pipelines.diffusion.loading.torch_device", lambda device: torch.device("cpu"))
    model = bench.load("flux2", NVIDIA, dtypes={"vae": "float32"})
    assert (model.pipe.transformer.dtype, model.pipe.vae.dtype) == (torch.bfloat16, torch.float32)
    wan = bench.load("wan-5b", NVIDIA)
    assert (wan.pipe.transformer.dtype, wan.pipe.vae.dtype) == (torch.bfloat16, torch.float32), "as its family wants it"
    half = bench.load("zimage", NVIDIA, dtype="float16")
    assert half.pipe.transformer.dtype == torch.float16


def test_a_part_that_the_weights_do_not_have_is_named(bench):
    with pytest.raises(BadInput, match=r"models\.tiny\.options\.dtypes\.vea: .* They have .*vae"):
        assert bench.load("flux2", dtypes={"vea": "float32"}).pipe
