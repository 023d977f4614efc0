"""Wan: what each checkpoint can do, in clips and bridges, on tiny ones of the same classes.

The table of `pipelines.video.wan` is tested row by row: what is refused, and that refusing it is right.
"""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from pipelines.base import BadInput, Device, Kind, MemoryMode
from pipelines.media.codec.encoder import Encoder
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.media.codec.probe import is_conformant
from pipelines.media.codec.yuv import rgb_to_planes
from pipelines.media.timeline import SceneTiming
from pipelines.media.transitions.blends import dissolve
from pipelines.models import catalog
from pipelines.step_params import AnimateParams, EncodePromptParams, TransitionParams
from pipelines.video.wan import Capabilities, Wan, WanOptions
from tests.fixtures.tiny import wan as tiny
from tests.fixtures.weighted import spec
from tests.pipelines.video.stage import ANIMATE, BRIDGE, Quiet, frames, timing

ENCODE = Kind.ENCODE_PROMPT
OPTIONS = {"steps": 2, "window": {"width": 64, "height": 32, "frames": 9}}
WIDTH, HEIGHT, OVERLAP = 96, 48, 6
STARTS = ("i2v", "a14b", "5b", "vace")
ENDS = ("flf2v", "a14b", "vace")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """One folder for each checkpoint."""
    folder = tmp_path_factory.mktemp("wan")
    for variant in tiny.VARIANTS:
        tiny.build(folder / variant / "weights", variant)
    return {variant: folder / variant / "weights" for variant in tiny.VARIANTS}


@pytest.fixture(scope="module")
def models(weights):
    """One loaded family for each checkpoint."""
    return {variant: load(folder) for variant, folder in weights.items()}


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return picture(tmp_path_factory.mktemp("key") / "key.png", 1)


def load(weights, economy=MemoryMode.NONE, options=OPTIONS, **fields):
    return Wan.load(spec(Wan, weights, encodes_prompt=True, options=options, **fields), Device(memory_mode=economy))


def picture(path, seed):
    noise = np.random.default_rng(seed).integers(0, 255, (6, 12, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(path)
    return path


class Told(Quiet):
    """Keeps what is said about progress."""

    def __init__(self):
        super().__init__()
        self.shares = []

    def progress(self, fraction, message=""):
        super().progress(fraction, message)
        self.shares.append(fraction)


def encode(model, out, prompt="A keeper lights the lamp."):
    out.mkdir(parents=True, exist_ok=True)
    return next(iter(model.run(ENCODE, EncodePromptParams(prompt=prompt), {}, out, Quiet(), seed=0)))


def animate(model, key, out, length=12, *, seed=5, report=None, references=(), words=None, **asked):
    out.mkdir(parents=True, exist_ok=True)
    params = AnimateParams(width=WIDTH, height=HEIGHT, prompt="A keeper lights the lamp.", **asked)
    inputs = {"keyframe": [key], "timing": [timing(out, length)], "references": list(references)}
    if words:
        inputs["prompt_embeds"] = [words]
    (clip,) = model.run(ANIMATE, params, inputs, out, report or Quiet(), seed=seed)
    return clip


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    """Three clips that stand still: the last frames of the first lie over the first frames of either other."""
    clips, timings = [], []
    for seed, (head, tail) in enumerate(((0, OVERLAP), (OVERLAP, 0), (OVERLAP, 0))):
        folder = tmp_path_factory.mktemp("side")
        shown = np.asarray(Image.open(picture(folder / "p.png", 20 + seed)))
        with Encoder(folder / "clip.mp4", WIDTH, HEIGHT, 24, EncodingOptions(), {head, 12 - tail}) as encoder:
            for _ in range(12):
                encoder.write(rgb_to_planes(shown))
        clips.append(folder / "clip.mp4")
        timings.append(timing(folder, 12, head, tail))
    return clips, timings


def bridge(model, sides, out, *, after=1, transition="match", report=None):
    out.mkdir(parents=True, exist_ok=True)
    clips, timings = sides
    inputs = {"clips": [clips[0], clips[after]], "timings": [timings[0], timings[after]]}
    params = TransitionParams(width=WIDTH, height=HEIGHT, transition=transition)
    return next(iter(model.run(BRIDGE, params, inputs, out, report or Quiet(), seed=3)))


def same(one, other):
    return one.read_bytes() == other.read_bytes()


# --- what every checkpoint does -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", STARTS)
def test_a_clip_longer_than_a_window_is_whole_and_the_same_each_time(models, key, tmp_path, variant):
    report = Told()
    first = animate(models[variant], key, tmp_path / "a", 36, report=report)
    again = animate(models[variant], key, tmp_path / "b", 36)
    assert same(first, again)
    assert report.facts["windows"] == 3
    seen = frames(first, "rgb24")
    assert len(seen) == 24  # 1.5 s at the model's 16 frames a second
    assert seen[0].shape == (32, 64, 3)
    assert report.shares == sorted(report.shares)
    assert report.shares[-1] == 1
    assert len(report.shares) == 3 * OPTIONS["steps"]


@pytest.mark.parametrize("variant", STARTS)
def test_other_dice_another_picture_and_other_words_make_another_clip(models, key, tmp_path, variant):
    model = models[variant]
    plain = animate(model, key, tmp_path / "a")
    assert not same(plain, animate(model, key, tmp_path / "b", seed=6))
    assert not same(plain, animate(model, picture(tmp_path / "k.png", 2), tmp_path / "c"))
    assert not same(plain, animate(model, key, tmp_path / "d", camera="pan left"))


@pytest.mark.parametrize("variant", STARTS)
def test_words_encoded_apart_make_the_same_clip_and_leave_the_text_encoder_on_the_disk(
    weights, models, key, tmp_path, variant, monkeypatch
):
    words = encode(models[variant], tmp_path)
    assert same(words, encode(models[variant], tmp_path / "again"))
    plain = animate(models[variant], key, tmp_path / "a")

    import transformers

    def unwanted(*_, **__):
        raise AssertionError("the text encoder is read again")

    monkeypatch.setattr(transformers.UMT5EncoderModel, "from_pretrained", unwanted)
    assert same(plain, animate(load(weights[variant]), key, tmp_path / "b", words=words))


def test_what_is_encoded_is_what_the_pipeline_takes(models, weights, tmp_path):
    from safetensors.torch import load_file

    words = load_file(encode(models["a14b"], tmp_path))
    assert {name: tuple(tensor.shape) for name, tensor in words.items()} == {
        "prompt_embeds": (1, 512, tiny.TEXT_WIDTH),
        "negative_prompt_embeds": (1, 512, tiny.TEXT_WIDTH),
    }
    unguided = load(weights["a14b"], options={**OPTIONS, "guidance": 1.0})
    assert set(load_file(encode(unguided, tmp_path / "unguided"))) == {"prompt_embeds"}


@pytest.mark.parametrize("variant", ENDS)
def test_a_bridge_heeds_both_sides_and_joins_the_film(models, sides, tmp_path, variant):
    report = Quiet()
    made = bridge(models[variant], sides, tmp_path / "a", report=report)
    assert same(made, bridge(models[variant], sides, tmp_path / "b"))
    assert not same(made, bridge(models[variant], sides, tmp_path / "c", after=2))
    assert report.facts["frames"] == 9
    assert len(frames(made)) == OVERLAP
    assert is_conformant(made, SceneTiming(fps=24, frames=OVERLAP), WIDTH, HEIGHT, EncodingOptions())


def test_a_bridge_is_coded_as_the_rest_of_the_film(weights, sides, tmp_path):
    model = load(weights["a14b"], options={**OPTIONS, "preset": "ultrafast", "crf": 30})
    made = bridge(model, sides, tmp_path)
    assert is_conformant(made, SceneTiming(fps=24, frames=OVERLAP), WIDTH, HEIGHT, EncodingOptions("ultrafast", 30.0))


def test_other_transitions_are_blends_whatever_the_checkpoint(models, sides, tmp_path):
    seen = frames(bridge(models["5b"], sides, tmp_path, transition="dissolve"))
    before, after = frames(sides[0][0])[-1], frames(sides[0][1])[0]
    expected = dissolve(before, after, 3 / (OVERLAP + 1))
    assert np.abs(seen[2].astype(int) - expected).mean() < 3


# --- the table, row by row ----------------------------------------------------------------------------------------------


def test_what_a_checkpoint_can_do_stands_in_its_own_configuration(weights):
    can = {variant: Capabilities.from_folder(folder) for variant, folder in weights.items()}
    assert {variant for variant, one in can.items() if one.accepts_first_frame} == set(STARTS)
    assert {variant for variant, one in can.items() if one.accepts_last_frame} == set(ENDS)
    assert [variant for variant, one in can.items() if one.accepts_references] == ["vace"]
    assert [variant for variant, one in can.items() if one.has_transformer_2] == ["a14b"]


def test_a_checkpoint_knows_its_window_and_what_its_sizes_are_multiples_of(weights):
    big, small = (load(weights[variant], options={}) for variant in ("5b", "a14b"))
    assert (big.window.fps, big.window.frames, big.size(1280, 720)) == (24, 121, (1248, 704))
    assert (small.window.fps, small.window.frames, small.size(1280, 720)) == (16, 81, (832, 464))
    assert (big.window.multiple, big.window.frame_stride, small.window.multiple, small.window.frame_stride) == (
        32,
        4,
        16,
        4,
    )


def call(model, **pictures):
    """The pipeline itself, as diffusers offers it."""
    from pipelines.diffusion.callbacks import generator
    from pipelines.diffusion.components import DENOISER

    words = model.encode("A keeper lights the lamp.")
    return model.component_groups[DENOISER](
        **pictures, **words, width=64, height=32, num_frames=9, num_inference_steps=1, generator=generator(1)
    ).frames[0]


@pytest.fixture(scope="module")
def ends():
    return [Image.effect_noise((64, 32), sigma).convert("RGB") for sigma in (40, 80, 120)]


def test_i2v_cannot_be_given_a_last_frame(models, sides, tmp_path, ends):
    with pytest.raises(RuntimeError):
        call(models["i2v"], image=ends[0], last_image=ends[1])
    with pytest.raises(BadInput, match="does not support last-frame conditioning"):
        bridge(models["i2v"], sides, tmp_path)


def test_flf2v_must_be_given_a_last_frame(models, key, tmp_path, ends):
    with pytest.raises(RuntimeError):
        call(models["flf2v"], image=ends[0])
    with pytest.raises(BadInput, match="requires a last frame"):
        animate(models["flf2v"], key, tmp_path)


def test_a14b_can_be_given_a_last_frame_and_heeds_it(models, ends):
    one, other, none = (call(models["a14b"], image=ends[0], last_image=last) for last in (ends[1], ends[2], None))
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, none)


def test_5b_would_ignore_a_last_frame_so_it_is_refused(models, sides, tmp_path, ends):
    one, other = (call(models["5b"], image=ends[0], last_image=last) for last in (ends[1], None))
    assert np.array_equal(one, other), "the day that it is heeded the table changes"
    with pytest.raises(BadInput, match="does not support last-frame conditioning"):
        bridge(models["5b"], sides, tmp_path)


def test_a_checkpoint_for_words_alone_is_refused(weights, tmp_path):
    folder = tmp_path / "weights"
    shutil.copytree(weights["a14b"], folder)
    config = json.loads((folder / "transformer" / "config.json").read_text())
    (folder / "transformer" / "config.json").write_text(json.dumps({**config, "in_channels": 16}))
    with pytest.raises(BadInput, match="text-to-video"):
        load(folder)


def test_vace_sees_who_is_on_stage(models, key, tmp_path):
    portraits = [picture(tmp_path / f"{seed}.png", seed) for seed in (7, 8, 9)]
    report = Quiet()
    seen = animate(models["vace"], key, tmp_path / "a", references=portraits[:2], report=report)
    assert report.facts["references"] == 2
    assert not same(seen, animate(models["vace"], key, tmp_path / "b"))
    assert not same(seen, animate(models["vace"], key, tmp_path / "c", references=portraits[1:]))


def test_vace_sees_no_more_portraits_than_it_can_and_says_so(weights, key, tmp_path):
    portraits = [picture(tmp_path / f"{seed}.png", seed) for seed in (7, 8, 9)]
    model, report = load(weights["vace"], max_references=1), Quiet()
    few = animate(model, key, tmp_path / "a", references=portraits, report=report)
    assert "uses only 1 of the 3 portraits" in report.warnings[0]
    assert same(few, animate(model, key, tmp_path / "b", references=portraits[:1]))


def test_a_checkpoint_that_sees_no_portraits_is_not_shown_any(models, key, tmp_path):
    portrait = picture(tmp_path / "p.png", 7)
    plain = animate(models["i2v"], key, tmp_path / "a")
    assert same(plain, animate(models["i2v"], key, tmp_path / "b", references=[portrait]))


# --- motion that repeats ------------------------------------------------------------------------------------------------


def test_repeated_motion_ends_where_it_began_where_the_checkpoint_can(models, key, tmp_path):
    round_, fro = (frames(animate(models[v], key, tmp_path / v, 24, loop=2), "rgb24") for v in ("a14b", "i2v"))
    assert len(round_) == 17
    assert np.abs(round_[3].astype(int) - round_[11]).mean() < 3, "round and round"
    assert len(fro) == 16
    assert np.abs(fro[5].astype(int) - fro[11]).mean() < 3, "to and fro"


# --- speed and memory ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "economy", [MemoryMode.MODEL_OFFLOAD, MemoryMode.GROUP_OFFLOAD, MemoryMode.VAE_TILING, MemoryMode.LEAF_OFFLOAD]
)
def test_saving_memory_does_not_change_the_clip(models, weights, key, tmp_path, economy):
    saved = animate(load(weights["a14b"], economy), key, tmp_path / "a")
    assert same(saved, animate(models["a14b"], key, tmp_path / "b"))


def test_a_model_that_gave_back_its_memory_can_be_used_again(weights, models, key, tmp_path):
    model = load(weights["5b"])
    first = animate(model, key, tmp_path / "a")
    model.close()
    assert same(first, animate(model, key, tmp_path / "b"))


def test_the_last_economies_make_a_clip_too(weights, key, tmp_path):
    for economy in (MemoryMode.INT8, MemoryMode.REDUCED_SIZE):
        model = load(weights["vace"], economy)
        seen = frames(animate(model, key, tmp_path / economy.name), "rgb24")
        assert len(seen) == 8
        assert seen[0].shape == ((16, 48, 3) if economy is MemoryMode.REDUCED_SIZE else (32, 64, 3))


@pytest.fixture(scope="module")
def loras(weights, tmp_path_factory):
    """What may be laid over each network of a pair: one named as diffusers names things, one as Wan itself and its trainers do."""
    import torch
    from diffusers import WanImageToVideoPipeline, WanTransformer3DModel
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("laid") / "weights" / "V1"
    layers = []
    for seed in range(2):
        network = WanTransformer3DModel.from_pretrained(weights["a14b"] / "transformer")
        torch.manual_seed(seed)
        network.add_adapter(LoraConfig(r=2, lora_alpha=2, init_lora_weights=False, target_modules=["to_q", "to_v"]))
        layers.append(get_peft_model_state_dict(network))
    WanImageToVideoPipeline.save_lora_weights(folder, transformer_lora_layers=layers[0], weight_name="high.safetensors")
    names = {
        "attn1": "self_attn",
        "attn2": "cross_attn",
        "to_q": "q",
        "to_v": "v",
        "lora_A": "lora_down",
        "lora_B": "lora_up",
    }
    own = {}
    for name, tensor in layers[1].items():
        own_name = ".".join(["diffusion_model", *(names.get(part, part) for part in name.split("."))])
        own[own_name] = tensor.contiguous()
        own[own_name.partition(".lora")[0] + ".alpha"] = torch.tensor(2.0)
    save_file(own, folder / "low.safetensors")
    return folder.parent


def test_what_is_laid_over_a_pair_reaches_the_network_that_it_is_for(weights, models, loras, key, tmp_path):
    words = encode(models["a14b"], tmp_path)

    def clip(name, *laid, economy=MemoryMode.NONE):
        # Of two steps the first is the high-noise network's, the second the other's.
        model = load({"model": weights["a14b"], "laid": loras}, economy, {**OPTIONS, "loras": laid})
        return animate(model, key, tmp_path / name, words=words).read_bytes()

    high = {"role": "laid", "file": "V1/high.safetensors"}
    low = {"role": "laid", "file": "V1/low.safetensors", "for_transformer_2": True}
    made = [clip("none"), clip("high", high), clip("low", low), clip("both", high, low)]
    assert len(set(made)) == 4
    assert clip("nothing", {**high, "strength": 0.0}, {**low, "strength": 0.0}) == made[0]
    assert clip("saving", high, low, economy=MemoryMode.LEAF_OFFLOAD) == made[3]
    assert clip("eight", economy=MemoryMode.INT8) != clip("bits", high, low, economy=MemoryMode.INT8)


def test_the_second_network_of_a_pair_has_a_guidance_of_its_own(weights, models, key, tmp_path):
    other = load(weights["a14b"], options={**OPTIONS, "guidance_2": 1.5})
    assert not same(animate(models["a14b"], key, tmp_path / "a"), animate(other, key, tmp_path / "b"))


def test_settings_of_the_scheduler_are_heeded(weights, models, key, tmp_path):
    lightning = WanOptions.from_spec(catalog.load().spec("wan2.2-i2v-lightning"))
    options = {**OPTIONS, "steps": lightning.steps, "guidance": lightning.guidance}
    clips = [
        animate(load(weights["a14b"], options={**options, "scheduler": scheduler}), key, tmp_path / name)
        for name, scheduler in (("plain", {}), ("lightning", lightning.scheduler))
    ]
    assert not same(*clips)


# --- the catalog --------------------------------------------------------------------------------------------------------

ENTRIES = {
    "wan2.2-i2v": "a14b",
    "wan2.2-i2v-lightning": "a14b",
    "wan2.2-ti2v-5b": "5b",
    "wan2.1-i2v": "i2v",
    "wan2.1-flf2v": "flf2v",
    "wan2.1-vace-14b": "vace",
    "wan2.1-vace-1.3b": "vace",
}


def test_the_catalog_asks_no_checkpoint_for_what_it_cannot_do(weights):
    known = catalog.load().models
    assert {name for name, one in known.items() if one.family == "pipelines.video.wan:Wan"} == set(ENTRIES)
    for name, variant in ENTRIES.items():
        entry, can = known[name], Capabilities.from_folder(weights[variant])
        assert (Kind.ANIMATE in entry.kinds) == can.accepts_first_frame, name
        assert (Kind.TRANSITION in entry.kinds) == can.accepts_last_frame, name
        assert entry.encodes_prompt == (Kind.ENCODE_PROMPT in entry.kinds) == can.accepts_first_frame, name
        assert entry.multiturn == can.accepts_references, name
        assert (WanOptions.from_spec(entry).guidance_2 is None) or can.has_transformer_2, name
        assert set(entry.weights) >= {lora.role for lora in WanOptions.from_spec(entry).loras}, name
