"""The families of pictures with weights, each on a tiny real model of its own classes: every kind, every rung, on a processor."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipelines.base import BadInput, Device, Kind, MemoryMode, MissingDependency
from pipelines.diffusion.components import DENOISER, TEXT_ENCODER
from pipelines.diffusion.image_family import ImageFamily
from pipelines.image.flux2 import Flux2
from pipelines.image.flux3 import Flux3
from pipelines.image.kontext import Kontext
from pipelines.image.qwenimage import QwenImage
from pipelines.image.sdxl import Sdxl, split_prompt
from pipelines.image.zimage import ZImage
from pipelines.media.conversation import read_conversation
from pipelines.step_params import ElementParams, EncodePromptParams, KeyframeParams, PortraitParams, Reference
from tests.fixtures.tiny import flux2, flux3, kontext, qwenimage, sdxl, vision, zimage
from tests.fixtures.weighted import spec

BLIND = vision.skip_reason()  # before anything imports transformers
SIGHTED = pytest.mark.skipif(BLIND is not None, reason=f"the model looks through torchvision: {BLIND}")
SIZE = (200, 120)
WORDS = "Mara the keeper lights the lamp"


@dataclass(frozen=True)
class Made:
    """A tiny model: who builds its weights, which family draws with them, how many pictures it takes."""

    name: str
    family: type[ImageFamily]
    weights: dict[str, Callable[[Path], None]]
    references: int
    options: dict[str, Any] = field(default_factory=dict)
    marks: tuple[Any, ...] = ()


MODELS = [
    Made("flux2", Flux2, {"model": flux2.build}, 4),
    Made("flux2-guided", Flux2, {"model": flux2.build_base}, 4, {"guidance": 4.0}),
    Made("flux2-dev", Flux2, {"model": flux2.build_dev}, 6, {"guidance": 4.0}, (SIGHTED,)),
    Made("zimage", ZImage, {"model": zimage.build}, 0),
    Made("kontext", Kontext, {"model": kontext.build}, 1),
    Made("sdxl", Sdxl, {"model": sdxl.build}, 0),
    Made("sdxl-references", Sdxl, {"model": sdxl.build, "adapter": sdxl.build_adapter}, 2, {"adapter": {}}),
    Made("qwen-edit", QwenImage, {"model": qwenimage.build}, 3, marks=(SIGHTED,)),
    Made("qwen-2.1", QwenImage, {"model": qwenimage.build_21}, 10, {"guidance": 1.0}, (SIGHTED,)),
    Made("flux3", Flux3, {"model": flux3.build}, 10, marks=(SIGHTED,)),
    Made("flux3-guided", Flux3, {"model": flux3.build_base}, 10, {"guidance": 4.0}, (SIGHTED,)),
]
TINY = {"steps": 2, "pixels": [4096, 65536], "reference_pixels": 8192}


class Heard:
    """A report that remembers."""

    def __init__(self):
        self.fractions, self.warnings, self.facts = [], [], {}

    def progress(self, fraction, message=""):
        self.fractions.append(fraction)

    def warn(self, message):
        self.warnings.append(message)

    def record(self, **facts):
        self.facts.update(json.loads(json.dumps(facts)))


class Hand:
    """A loaded family, and the steps done with it."""

    def __init__(self, family, folder):
        self.family, self.folder, self.report = family, folder, Heard()

    def _run(self, kind, params, inputs, seed):
        out = self.folder / f"{len(list(self.folder.iterdir())):03d}"
        out.mkdir()
        self.report = Heard()
        made = list(self.family.run(kind, params, inputs, out, self.report, seed=seed))
        assert sorted(path.name for path in made) == sorted(path.name for path in out.iterdir())
        return out

    def encode(self, prompt=WORDS):
        return self._run(Kind.ENCODE_PROMPT, EncodePromptParams(prompt=prompt), {}, 0) / "prompt_embeds.safetensors"

    def portrait(self, *, seed=7, prompt=WORDS, size=SIZE, **inputs):
        params = PortraitParams(prompt=prompt, width=size[0], height=size[1], name="Mara")
        return self._run(Kind.PORTRAIT, params, inputs, seed) / "portrait.png"

    def element(self, *, seed=7, **inputs):
        params = ElementParams(prompt=WORDS, width=SIZE[0], height=SIZE[1], role="location", name="Tower")
        return self._run(Kind.ELEMENT, params, inputs, seed) / "element.png"

    def keyframe(self, *, seed=7, slots=None, **inputs):
        shows = tuple(Reference(role="character", name=path.stem) for path in inputs.get("references", ()))
        params = KeyframeParams(
            prompt=WORDS,
            width=SIZE[0],
            height=SIZE[1],
            scene_text=WORDS,
            number=2,
            references=shows,
            max_references=slots,
        )
        return self._run(Kind.KEYFRAME, params, inputs, seed) / "keyframe.png"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Weights are built once for all tests."""
    folders: dict[Callable[[Path], None], Path] = {}

    def folder(build):
        if build not in folders:
            folders[build] = tmp_path_factory.mktemp("weights") / "model"
            folders[build].mkdir()
            build(folders[build])
        return folders[build]

    return folder


@pytest.fixture(scope="module")
def at_hand(built, tmp_path_factory):
    """A model, loaded; the same for all tests that want nothing special of it."""
    usual: dict[str, Hand] = {}

    def hand(made, economy=MemoryMode.NONE, **options):
        if made.name in usual and not economy and not options:
            return usual[made.name]
        folders = {role: built(build) for role, build in made.weights.items()}
        given = {**TINY, **made.options, **options}
        one = spec(made.family, folders, name=made.name, max_references=made.references, options=given)
        loaded = Hand(made.family.load(one, Device(memory_mode=economy)), tmp_path_factory.mktemp("steps"))
        if not economy and not options:
            usual[made.name] = loaded
        return loaded

    return hand


def each(*names):
    chosen = [made for made in MODELS if not names or made.name in names]
    return pytest.mark.parametrize("made", [pytest.param(made, id=made.name, marks=made.marks) for made in chosen])


@pytest.fixture
def pictures(tmp_path):
    """Six pictures that differ in shape and in what they show."""
    paths = []
    for number in range(6):
        picture = Image.effect_mandelbrot((200 - 20 * number, 120), (-2, -1.5, 1, 1.5), 10 + 5 * number).convert("RGB")
        paths.append(tmp_path / f"{number}.png")
        picture.save(paths[-1])
    return paths


def same(one, other):
    return one.read_bytes() == other.read_bytes()


@each()
def test_every_kind_is_made_at_the_exact_size_and_again_with_the_same_bytes(made, at_hand, pictures):
    hand = at_hand(made)
    shown = {"references": pictures[: min(2, made.references)]} if made.references else {}
    made_pictures = [hand.portrait(), hand.element(), hand.keyframe(**shown)]
    for picture in made_pictures:
        with Image.open(picture) as opened:
            assert (opened.format, opened.mode, opened.size, opened.info) == ("PNG", "RGB", SIZE, {})
    assert hand.report.facts["steps"] == 2
    assert hand.report.facts["pictures"] == len(shown.get("references", ()))
    assert hand.report.fractions == sorted(hand.report.fractions)
    assert hand.report.fractions[-1] == 1
    assert same(made_pictures[-1], hand.keyframe(**shown))
    assert not same(made_pictures[-1], hand.keyframe(seed=8, **shown))
    hand.family.close()
    assert same(made_pictures[0], hand.portrait()), "also by a model that was closed and loaded again"


@each("zimage")
def test_a_keyframe_adds_its_turn_to_the_conversation(made, at_hand):
    hand = at_hand(made)
    first = hand.keyframe()
    second = hand.keyframe(seed=8, previous_context=[first.parent / "context.json"])
    told = read_conversation(second.parent / "context.json").turns
    assert [turn.image_digest for turn in told] == [
        hashlib.sha256(one.read_bytes()).hexdigest() for one in (first, second)
    ]


@each("zimage", "kontext")
def test_a_tall_picture_is_drawn_tall(made, at_hand):
    hand = at_hand(made)
    with Image.open(hand.portrait(size=(96, 224))) as picture:
        assert picture.size == (96, 224)
    assert hand.report.facts["size"][0] < hand.report.facts["size"][1]


@each("flux2", "kontext", "sdxl-references", "qwen-edit", "qwen-2.1", "flux3")
def test_what_is_shown_changes_what_is_drawn(made, at_hand, pictures):
    hand = at_hand(made)
    plain = hand.portrait()
    likeness = hand.portrait(reference=pictures[:1])
    assert hand.report.facts["pictures"] == 1
    state = hand.portrait(reference=pictures[:1], base=pictures[1:2])
    assert hand.report.facts["pictures"] == min(2, made.references)
    assert hand.report.facts["on_sheet"] == (2 if made.references == 1 else 0)
    assert not any(same(plain, other) for other in (likeness, state))
    assert not same(likeness, state)
    assert not same(hand.keyframe(references=pictures[:1]), hand.keyframe(references=pictures[1:2]))


@each("flux2", "kontext", "sdxl-references", "qwen-edit", "flux3")
def test_what_is_too_much_lies_on_a_sheet(made, at_hand, pictures):
    hand = at_hand(made)
    slots = min(3, made.references)
    crowded = hand.keyframe(references=pictures, slots=slots)
    assert hand.report.facts["pictures"] == slots
    assert hand.report.facts["on_sheet"] == len(pictures) - slots + 1
    assert not same(crowded, hand.keyframe(references=[*pictures[:-1], pictures[0]], slots=slots)), "all are seen"


@each("zimage", "sdxl")
def test_a_model_that_sees_no_pictures_lets_a_given_one_stand_for_itself(made, at_hand, pictures):
    hand = at_hand(made)
    for draw in (hand.portrait, hand.element):
        with Image.open(draw(reference=pictures[:1])) as picture, Image.open(pictures[0]) as given:
            assert picture.size == SIZE
            assert given.getpixel((100, 60)) == picture.getpixel((100, 60))
        assert hand.report.facts == {"drawn": False}


@each("flux2", "flux2-dev", "zimage", "kontext", "sdxl", "flux3")
def test_words_encoded_before_give_the_same_picture_and_the_encoder_stays_away(made, at_hand):
    hand = at_hand(made)
    hand.family.close()
    words = hand.encode()
    assert hand.family.component_groups.loaded() == (TEXT_ENCODER,)
    assert same(words, hand.encode())
    other = hand.encode("A fox in the snow under a pale moon")
    assert not same(words, other)
    without = hand.portrait()
    hand.family.close()
    assert same(without, hand.portrait(prompt_embeds=[words]))
    assert hand.family.component_groups.loaded() == (DENOISER,)
    assert not same(without, hand.portrait(prompt_embeds=[other]))


@each("qwen-edit", "qwen-2.1")
def test_a_model_that_reads_words_with_pictures_encodes_nothing_beforehand(made, at_hand):
    with pytest.raises(BadInput):
        at_hand(made).encode()


# Each includes those before it, so what all families share is seen step by step on one of them.
RUNGS = {
    "flux2": (MemoryMode.GROUP_OFFLOAD, MemoryMode.REDUCED_SIZE),
    "zimage": ZImage.memory_modes,
    "kontext": (MemoryMode.REDUCED_SIZE,),
    "sdxl-references": (MemoryMode.GROUP_OFFLOAD, MemoryMode.REDUCED_SIZE),
    "qwen-edit": (MemoryMode.MODEL_OFFLOAD, MemoryMode.GROUP_OFFLOAD, MemoryMode.REDUCED_SIZE),
    "qwen-2.1": (MemoryMode.REDUCED_SIZE,),
    "flux3": (MemoryMode.GROUP_OFFLOAD, MemoryMode.REDUCED_SIZE),
}


@pytest.mark.parametrize(
    ("made", "rung"),
    [
        pytest.param(made, rung, id=f"{made.name}-{rung.name}", marks=made.marks)
        for made in MODELS
        for rung in RUNGS.get(made.name, ())
    ],
)
def test_every_rung_that_a_family_names_is_really_taken(made, rung, at_hand, pictures):
    hand = at_hand(made, rung)
    picture = hand.keyframe(references=pictures[: made.references], slots=made.references or None)
    with Image.open(picture) as opened:
        assert opened.size == SIZE
    facts = hand.report.facts
    assert facts["memory_mode"] == rung.name
    parts = components(hand.family)
    network = parts.get("transformer") or parts["unet"]
    assert waits(network) == (rung >= MemoryMode.GROUP_OFFLOAD)
    assert bool(parts["vae"].use_tiling) == (rung >= MemoryMode.VAE_TILING)
    assert quantized(network) == (rung >= MemoryMode.INT8 and "transformer" in parts)
    assert bool(hand.report.warnings) == (rung >= MemoryMode.REDUCED_SIZE)
    assert (facts["size"][0] < 0.85 * SIZE[0]) == (rung >= MemoryMode.REDUCED_SIZE)
    if hasattr(hand.family, "component_groups") and Kind.ENCODE_PROMPT in hand.family.params:
        assert hand.family.component_groups.loaded() == (DENOISER,), "halves take turns"
    hand.family.close()


def components(family):
    pipe = family.component_groups[DENOISER] if hasattr(family, "component_groups") else family.pipe
    return pipe.components


def waits(network):
    """Whether blocks or layers wait in main memory."""
    from diffusers.hooks.group_offloading import _is_group_offload_enabled

    return _is_group_offload_enabled(network)


def quantized(network):
    return any("torchao" in type(parameter.data).__module__ for parameter in network.parameters())


def test_weights_of_other_classes_are_refused(built, tmp_path):
    one = spec(Flux2, built(zimage.build))
    with pytest.raises(BadInput, match="ZImagePipeline"):
        Flux2.load(one, Device())
    other = spec(ZImage, built(flux2.build), max_references=0)
    with pytest.raises(BadInput, match="Flux2KleinPipeline"):
        Hand(ZImage.load(other, Device()), tmp_path).portrait()


def test_weights_that_were_not_pulled_are_missed_when_the_model_is_loaded(built):
    one = spec(ZImage, built(zimage.build))
    gone = one.model_copy(
        update={"weights": {"model": one.weights["model"].model_copy(update={"lock": "", "folder": ""})}}
    )
    with pytest.raises(MissingDependency, match="models pull tiny"):
        ZImage.load(gone, Device())


@SIGHTED
def test_a_modular_index_never_brings_code_of_its_own(built, tmp_path):
    index = json.loads((built(flux3.build) / "modular_model_index.json").read_text())
    folder = tmp_path / "model"
    folder.mkdir()
    for source in built(flux3.build).iterdir():
        if source.is_dir():
            (folder / source.name).symlink_to(source)
    index["vae"][2]["type_hint"] = ["os", "system"]
    (folder / "modular_model_index.json").write_text(json.dumps(index))
    hand = Hand(Flux3.load(spec(Flux3, folder), Device()), tmp_path)
    with pytest.raises(BadInput, match="custom code"):
        hand.portrait()


@SIGHTED
def test_a_modular_index_that_names_a_hub_is_loaded_from_its_own_folder(built, tmp_path):
    index = json.loads((built(flux3.build) / "modular_model_index.json").read_text())
    folder = tmp_path / "model"
    folder.mkdir()
    for source in built(flux3.build).iterdir():
        if source.is_dir():
            (folder / source.name).symlink_to(source)
    for value in index.values():
        if isinstance(value, list):
            value[2]["pretrained_model_name_or_path"] = "somebody/else"
            value[2]["revision"] = "0" * 40
    (folder / "modular_model_index.json").write_text(json.dumps(index))
    (tmp_path / "steps").mkdir()
    hand = Hand(Flux3.load(spec(Flux3, folder, options=TINY), Device()), tmp_path / "steps")
    assert hand.portrait()


def test_long_prompts_are_read_in_parts_and_nothing_is_lost(built):
    from tests.fixtures.tiny.alphabet import clip

    tokenizer = clip()
    prompt = " ".join(f"word{number}" for number in range(60))
    parts = split_prompt(prompt, tokenizer)
    assert " ".join(parts) == prompt
    assert len(parts) > 3
    assert all(len(tokenizer(part).input_ids) <= 77 for part in parts)
    assert split_prompt("", tokenizer) == [""]
    assert split_prompt("x" * 200, tokenizer) == ["x" * 200]


@each("flux2", "flux2-dev", "zimage", "kontext")
def test_who_reads_only_the_begin_of_a_long_prompt_says_so(made, at_hand):
    hand = at_hand(made)
    hand.encode()
    assert not hand.report.warnings
    hand.encode(" ".join(f"word{number}" for number in range(120)))
    assert "512" in hand.report.warnings[0]


@each("sdxl")
def test_the_end_of_a_long_prompt_changes_the_picture(made, at_hand):
    hand = at_hand(made)
    long = " ".join(f"word{number}" for number in range(60))
    assert not same(hand.portrait(prompt=f"{long} a red boat"), hand.portrait(prompt=f"{long} a green hill"))


FEW_STEPS = [
    pytest.param(Flux2, flux2.build, flux2.build_lora, {}, id="flux2"),
    pytest.param(
        QwenImage, qwenimage.build, qwenimage.build_lora,
        {"scheduler": {"shift": 3.0, "use_dynamic_shifting": False}}, id="qwen-edit", marks=SIGHTED,
    ),
]  # fmt: skip


@pytest.mark.parametrize("economy", [MemoryMode.NONE, MemoryMode.INT8], ids=lambda economy: economy.name)
@pytest.mark.parametrize(("family", "build", "lora", "options"), FEW_STEPS)
def test_weights_laid_over_others_change_the_picture(family, build, lora, options, economy, built, tmp_path):
    folders = {"model": built(build), "lightning": built(lora)}
    drawn = []
    for chosen in ({}, {"loras": [{"role": "lightning", "file": "lora.safetensors", "strength": 2.0}], **options}):
        one = spec(family, folders, options={**TINY, "guidance": 1.0, **chosen})
        hand = Hand(family.load(one, Device(memory_mode=economy)), tmp_path / str(len(drawn)))
        hand.folder.mkdir()
        drawn.append(hand.portrait())
        pipe = hand.family.component_groups[DENOISER] if hasattr(hand.family, "component_groups") else hand.family.pipe
        assert {name: pipe.scheduler.config[name] for name in chosen.get("scheduler", {})} == chosen.get(
            "scheduler", {}
        )
        apart = getattr(pipe.transformer, "peft_config", {})
        assert bool(apart) == (bool(chosen) and economy >= MemoryMode.INT8), (
            "one with the others, unless those are quantized"
        )
        hand.family.close()
    assert not same(*drawn)
