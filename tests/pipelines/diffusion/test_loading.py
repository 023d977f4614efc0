"""A pipeline is loaded from verified files only, of the class that was meant, as its recipe and the memory say."""

import json
from importlib.util import find_spec

import pytest
import torch
from diffusers import Flux2KleinPipeline

from pipelines.base import BadInput, Device, MemoryMode, MissingDependency
from pipelines.diffusion.acceleration import check_supported
from pipelines.diffusion.callbacks import generator
from pipelines.diffusion.loading import load_pipeline
from pipelines.diffusion.options import PipelineOptions
from pipelines.models.weights import CorruptWeights
from tests.fixtures import weighted
from tests.fixtures.tiny import flux2


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights") / "flux2"
    flux2.build(folder)
    return folder


def spec(weights, **fields):
    return weighted.spec("pipelines.image.flux2:Flux2", weights, kinds=("keyframe",), **fields)


def picture(pipe):
    """A picture of 64 × 64 pixels, from words encoded elsewhere."""
    with torch.no_grad():
        words = torch.randn((1, 8, pipe.transformer.config.joint_attention_dim), generator=generator(3))
    made = pipe(
        prompt_embeds=words, width=64, height=64, num_inference_steps=2, generator=generator(1), output_type="np"
    )
    return made.images[0]


def test_a_part_that_is_not_needed_stays_on_the_disk(weights):
    pipe = load_pipeline(
        Flux2KleinPipeline, spec(weights), PipelineOptions(), Device(), exclude=("text_encoder", "tokenizer")
    )
    assert pipe.text_encoder is None
    assert pipe.transformer.dtype == torch.float32, "a processor has no fast half precision"


@pytest.mark.parametrize("economy", [MemoryMode.GROUP_OFFLOAD, MemoryMode.VAE_TILING, MemoryMode.LEAF_OFFLOAD])
def test_saving_memory_leaves_the_picture_as_it_is(weights, economy):
    whole = picture(
        load_pipeline(Flux2KleinPipeline, spec(weights), PipelineOptions(), Device(), exclude=("text_encoder",))
    )
    device = Device(memory_mode=economy)
    pipe = load_pipeline(Flux2KleinPipeline, spec(weights), PipelineOptions(), device, exclude=("text_encoder",))
    assert pipe.vae.use_tiling is (economy >= MemoryMode.VAE_TILING)
    assert abs(picture(pipe) - whole).max() < 1e-4


def test_eight_bits_take_less_room(weights):
    def size(economy):
        device = Device(memory_mode=economy)
        pipe = load_pipeline(Flux2KleinPipeline, spec(weights), PipelineOptions(), device, exclude=("text_encoder",))
        assert picture(pipe).shape == (64, 64, 3)
        kinds = {type(parameter.data).__name__ for parameter in pipe.transformer.parameters()}
        return any("Int8" in kind or "AffineQuantized" in kind for kind in kinds)

    assert [size(MemoryMode.NONE), size(MemoryMode.INT8)] == [False, True]


@pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")
def test_four_bits_take_a_quarter_of_the_room(weights, monkeypatch):
    """diffusers lets bitsandbytes work on a GPU only; bitsandbytes itself can do without one."""
    import bitsandbytes
    from diffusers.quantizers.bitsandbytes.bnb_quantizer import BnB4BitDiffusersQuantizer as Quantizer

    monkeypatch.setattr(Quantizer, "validate_environment", lambda *given, **named: None)
    monkeypatch.setattr(Quantizer, "update_device_map", lambda self, known: known or {"": "cpu"})

    def loaded(recipe):
        return load_pipeline(Flux2KleinPipeline, spec(weights), recipe, Device(), exclude=("text_encoder",))

    whole, small = (
        dict(loaded(recipe).transformer.named_parameters()) for recipe in (PipelineOptions(), PipelineOptions(bits=4))
    )
    assert sum(each.nbytes for each in small.values()) < sum(each.nbytes for each in whole.values()) / 3
    # The layers of so small a network are narrower than a block of bitsandbytes, which then cannot compute on a processor.
    for name, few in small.items():
        if isinstance(few, bitsandbytes.nn.Params4bit):
            again = bitsandbytes.functional.dequantize_4bit(few.data, few.quant_state)
            assert (again - whole[name]).abs().mean() < 0.12 * whole[name].abs().mean()


def test_four_bits_are_for_gpus_of_nvidia(weights):
    with pytest.raises(BadInput, match=r"models\.tiny\.options\.bits: .*NVIDIA"):
        check_supported(spec(weights), PipelineOptions(bits=4), Device())
    gpu = Device("cuda", 0)
    if find_spec("bitsandbytes") is None:
        with pytest.raises(MissingDependency, match="pip install bitsandbytes"):
            check_supported(spec(weights), PipelineOptions(bits=4), gpu)


def test_weights_of_another_class_are_refused(weights):
    from diffusers import FluxKontextPipeline

    with pytest.raises(BadInput, match="of Flux2KleinPipeline; expected FluxKontextPipeline"):
        load_pipeline(FluxKontextPipeline, spec(weights), PipelineOptions(), Device())


def test_code_that_comes_with_weights_is_never_run(tmp_path):
    flux2.build(tmp_path / "weights")
    index = json.loads((tmp_path / "weights/model_index.json").read_text())
    index["transformer"] = ["my_transformer", "Mine"]
    (tmp_path / "weights/model_index.json").write_text(json.dumps(index))
    (tmp_path / "weights/my_transformer.py").write_text("raise SystemExit('run')")
    with pytest.raises(BadInput, match="custom code"):
        load_pipeline(Flux2KleinPipeline, spec(tmp_path / "weights"), PipelineOptions(), Device())


def test_weights_that_were_changed_are_not_loaded(tmp_path):
    flux2.build(tmp_path / "weights")
    model = spec(tmp_path / "weights")
    (file,) = (tmp_path / "weights/vae").glob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(CorruptWeights, match="models pull tiny"):
        load_pipeline(Flux2KleinPipeline, model, PipelineOptions(), Device())


def test_an_unknown_option_is_named():
    model = weighted.ModelSpec(name="tiny", family="a:B", kinds=("keyframe",), options={"atention": "flash"})
    with pytest.raises(BadInput, match=r"models\.tiny\.options\.atention"):
        PipelineOptions.from_spec(model)
