"""Clips by LTX, LTX-2, HunyuanVideo-1.5 and CogVideoX: tiny models of the real classes, on a processor."""

import importlib
import shutil
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from pipelines.base import BadInput, Device, Kind, MemoryMode
from pipelines.diffusion.clip_writer import GeneratedWindow, write_clip
from pipelines.diffusion.windows import Window
from pipelines.media.audio.reader import read_blocks
from pipelines.media.codec.integrity import is_verified
from pipelines.media.film.concat import concatenate
from pipelines.media.timeline import SceneTiming
from pipelines.step_params import AnimateParams, EncodePromptParams, TransitionParams, VideoParams
from pipelines.video.animatic.camera import Camera
from pipelines.video.cogvideox import CogVideoX
from pipelines.video.hunyuan import Hunyuan
from pipelines.video.ltx import Ltx
from pipelines.video.ltx2 import Ltx2
from pipelines.video.transitions.dissolve import BlendTransition
from tests.fixtures import weighted
from tests.pipelines.video.stage import Quiet, frames, load, picture, timing

WORDS = "A fox runs through the snow."
WIDTH, HEIGHT, FPS = 160, 90, 24
SAMPLES = 48_000


@dataclass(frozen=True)
class Model:
    family: type
    window: dict[str, Any]
    short: int = 12
    """Frames of a scene that takes one window, at 24 a second."""
    long: int = 24
    """Frames of one that takes two."""


EIGHTS = {"fps": 24, "frames": 17, "frame_stride": 8, "width": 128, "height": 96, "multiple": 32}
MODELS = {
    "ltx": Model(Ltx, EIGHTS),
    "ltx2": Model(Ltx2, EIGHTS),
    "hunyuan": Model(Hunyuan, {"fps": 24, "frames": 5, "frame_stride": 4}, 5, 9),
    "cogvideox": Model(CogVideoX, {"fps": 16, "frames": 9, "frame_stride": 8, "width": 96, "height": 64}),
}
COARSE = (MemoryMode.GROUP_OFFLOAD, MemoryMode.VAE_TILING, MemoryMode.REDUCED_SIZE)
"""The last of them has all others in it."""
every_model = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """name → the folder of a tiny model, built once."""
    folders = {}

    def of(name, **config):
        key = name, *config.items()
        if key not in folders:
            folders[key] = tmp_path_factory.mktemp(name) / "weights"
            importlib.import_module(f"tests.fixtures.tiny.{name}").build(folders[key], **config)
        return folders[key]

    return of


@pytest.fixture(scope="module")
def words(weights, tmp_path_factory):
    """name → what its text encoder makes of WORDS."""
    files = {}

    def of(name):
        if name not in files:
            files[name] = encode(model(name, weights(name)), tmp_path_factory.mktemp("words"))
        return files[name]

    return of


@pytest.fixture
def stand(tmp_path):
    return Stand(tmp_path)


@dataclass
class Stand:
    """Where one family after the other is asked for clips."""

    folder: Any
    report: Any = None

    def film(self, family, count, *, words=None, seed=5, **asked):
        out = self.folder / f"take-{len(list(self.folder.iterdir()))}"
        out.mkdir()
        inputs = {"keyframe": [picture(out / "keyframe.png", WIDTH, HEIGHT)], "timing": [timing(out, count)]}
        if words:
            inputs["prompt_embeds"] = [words]
        self.report = Steps()
        params = AnimateParams(width=WIDTH, height=HEIGHT, fps=FPS, prompt=WORDS, **asked)
        (clip,) = family.run(Kind.ANIMATE, params, inputs, out, self.report, seed=seed)
        return clip

    def bridge(self, family, transition, count=11, scenes=(0, 1)):
        """Between two scenes of 30 frames that a camera pans over."""
        inputs = {"clips": [], "timings": []}
        for number, (head, tail) in zip(scenes, ((0, count), (count, 0)), strict=True):
            out = self.folder / f"scene-{number}"
            out.mkdir(exist_ok=True)
            scene = {"keyframe": [picture(out / "k.png", seed=number)], "timing": [timing(out, 30, head, tail)]}
            pan = AnimateParams(width=WIDTH, height=HEIGHT, camera="pan left")
            inputs["clips"] += load(Camera, Kind.ANIMATE).run(Kind.ANIMATE, pan, scene, out, Quiet(), seed=1)
            inputs["timings"] += scene["timing"]
        out = self.folder / f"bridge-{len(list(self.folder.iterdir()))}"
        out.mkdir()
        self.report = Steps()
        params = TransitionParams(width=WIDTH, height=HEIGHT, fps=FPS, transition=transition)
        (made,) = family.run(Kind.TRANSITION, params, inputs, out, self.report, seed=3)
        return made


class Steps(Quiet):
    """A report that remembers how far the work was."""

    def __init__(self):
        super().__init__()
        self.fractions = []

    def progress(self, fraction, message=""):
        super().progress(fraction, message)
        self.fractions.append(fraction)


def model(name, folder, economy=MemoryMode.NONE, family=None, **options):
    family, window = family or MODELS[name].family, MODELS[name].window
    spec = weighted.spec(family, folder, options={"window": window, "steps": 2, **options})
    return family.load(spec, Device(memory_mode=economy))


def encode(family, out, prompt=WORDS):
    (file,) = family.run(Kind.ENCODE_PROMPT, EncodePromptParams(prompt=prompt), {}, out, Quiet(), seed=0)
    return file


def shown(clip):
    """Frames, and seconds that they are shown."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        return stream.frames, float(stream.frames / stream.average_rate), len(container.streams.audio)


def heard(clip):
    return np.concatenate(list(read_blocks(clip, "clips", "mov")))


@every_model
def test_a_clip_is_as_long_as_its_scene_and_the_same_every_time(name, weights, words, stand):
    count = MODELS[name].short
    clips = [stand.film(model(name, weights(name)), count, words=words(name)) for _ in range(2)]
    assert clips[0].read_bytes() == clips[1].read_bytes()
    made, seconds, tracks = shown(clips[0])
    assert seconds >= count / FPS - 1e-6
    assert tracks == 0
    assert stand.report.facts["windows"] == 1
    assert stand.report.facts["frames"] == made
    assert stand.report.fractions == sorted(stand.report.fractions)
    assert stand.report.fractions[-1] == 1


@every_model
def test_other_dice_make_another_clip_and_other_words_too(name, weights, words, stand, tmp_path):
    family = model(name, weights(name))
    clip = stand.film(family, 5, words=words(name)).read_bytes()
    assert clip != stand.film(family, 5, words=words(name), seed=6).read_bytes()
    other = encode(family, tmp_path, "The night is over. Morning breaks.")
    assert clip != stand.film(family, 5, words=other).read_bytes()


@every_model
def test_words_encoded_before_are_the_words(name, weights, words, stand, tmp_path):
    family = model(name, weights(name))
    assert encode(family, tmp_path).read_bytes() == words(name).read_bytes()
    assert stand.film(family, 5).read_bytes() == stand.film(family, 5, words=words(name)).read_bytes()


@every_model
def test_whoever_has_the_words_needs_no_text_encoder(name, weights, words, stand, tmp_path):
    without = tmp_path / "without" / "weights"
    shutil.copytree(
        weights(name), without, ignore=lambda folder, files: [f for f in files if f.startswith("text_encoder")]
    )
    clip = stand.film(model(name, without), 5, words=words(name))
    assert clip.read_bytes() == stand.film(model(name, weights(name)), 5, words=words(name)).read_bytes()


@every_model
def test_a_scene_longer_than_a_window_goes_on_where_the_window_ends(name, weights, words, stand):
    family = model(name, weights(name))
    clip = stand.film(family, MODELS[name].long, words=words(name))
    made, seconds, _ = shown(clip)
    assert stand.report.facts["windows"] == 2
    assert seconds == pytest.approx(MODELS[name].long / FPS, abs=1e-3)
    assert made == stand.report.facts["frames"]
    assert stand.report.fractions == sorted(stand.report.fractions)


@pytest.mark.parametrize(
    ("name", "economy"),
    [
        *((name, economy) for name in ("ltx", "ltx2") for economy in MemoryMode if economy),
        *((name, economy) for name in ("hunyuan", "cogvideox") for economy in COARSE),
    ],
)
def test_every_saving_of_memory_makes_the_clip(name, economy, weights, words, stand):
    assert economy in MODELS[name].family.memory_modes
    family = model(name, weights(name), economy)
    pictures = frames(stand.film(family, 5, words=words(name)), "rgb24")
    usual = model(name, weights(name)).size(WIDTH, HEIGHT)
    across, down = pictures[0].shape[1::-1]
    assert stand.report.facts["size"] == [across, down]
    assert stand.report.facts["memory_mode"] == economy.name
    assert (across * down < usual[0] * usual[1]) is (economy is MemoryMode.REDUCED_SIZE)


# --- bridges ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ltx", "ltx2"])
def test_a_match_is_filmed_from_the_one_scene_to_the_other(name, weights, stand):
    family = model(name, weights(name))
    made = stand.bridge(family, "match")
    assert len(frames(made)) == 11
    assert is_verified(made)
    assert made.read_bytes() == stand.bridge(family, "match").read_bytes()
    blend = stand.bridge(load(BlendTransition, Kind.TRANSITION), "match")
    assert made.read_bytes() != blend.read_bytes()
    whole = stand.folder / "joined.mp4"
    concatenate([blend, made], whole, VideoParams(width=WIDTH, height=HEIGHT, fps=FPS), 22)
    assert shown(whole)[0] == 22


@pytest.mark.parametrize("name", ["ltx", "ltx2"])
def test_a_match_depends_on_where_it_comes_from_and_where_it_leads(name, weights, stand):
    family = model(name, weights(name))
    made = {stand.bridge(family, "match", scenes=scenes).read_bytes() for scenes in ((0, 1), (0, 2), (2, 1))}
    assert len(made) == 3


@pytest.mark.parametrize("name", ["ltx", "ltx2"])
def test_every_other_transition_is_its_blend(name, weights, stand):
    made = stand.bridge(model(name, weights(name)), "dip")
    assert made.read_bytes() == stand.bridge(load(BlendTransition, Kind.TRANSITION), "dip").read_bytes()


@pytest.mark.parametrize("name", ["ltx", "ltx2"])
def test_the_words_of_bridges_are_read_with_those_of_the_first_clip(name, weights, tmp_path, stand):
    """So that the text encoder need not come back for them."""

    class Listening(MODELS[name].family):
        def encode(self, prompt):
            asked.append(prompt)
            return super().encode(prompt)

    asked = []
    family = model(name, weights(name), MemoryMode.MODEL_OFFLOAD, family=Listening)
    words = encode(family, tmp_path)
    stand.film(family, 5, words=words)
    stand.bridge(family, "match")
    assert asked == [WORDS, family.options.transition_prompt]


@pytest.mark.parametrize("name", ["ltx", "ltx2"])
def test_a_motion_that_is_repeated_ends_where_it_began(name, weights, words, stand):
    """Forward each time, not back again: the model is told its last frame."""
    pictures = frames(stand.film(model(name, weights(name)), 33, words=words(name), loop=2), "rgb24")
    assert len(pictures) == 33
    again, back = (np.abs(pictures[20].astype(int) - pictures[number]).mean() for number in (4, 12))
    assert again < back / 4


# --- sound ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [12, 41])
def test_the_sound_of_a_clip_is_as_long_as_its_picture(count, weights, words, stand):
    family = model("ltx2", weights("ltx2"))
    clip = stand.film(family, count, words=words("ltx2"), native_audio=True)
    made, seconds, tracks = shown(clip)
    assert (made, tracks) == (count, 1)
    sound = heard(clip)
    assert sound.shape[1] == 2
    assert abs(len(sound) / SAMPLES - seconds) < 1 / FPS
    assert np.abs(sound).max() > 0.001
    assert clip.read_bytes() == stand.film(family, count, words=words("ltx2"), native_audio=True).read_bytes()


def test_sound_keeps_pace_with_a_motion_that_is_shown_slower_to_close(weights, words, stand):
    """37 frames in two rounds of 18 are made as two of 16, and shown slower."""
    family = model("ltx2", weights("ltx2"))
    clip = stand.film(family, 37, words=words("ltx2"), native_audio=True, loop=2)
    made, seconds, _ = shown(clip)
    assert made == 33
    assert seconds == pytest.approx(37 / FPS, abs=1e-3)
    sound = heard(clip)
    assert abs(len(sound) / SAMPLES - seconds) < 1 / FPS
    pieces = np.abs(sound[: SAMPLES * 36 // FPS]).reshape(-1, 500, 2).max(axis=(1, 2))
    assert pieces.min() > 0.01  # where the second round begins, too


def test_sound_that_nobody_asked_for_is_left_out_and_the_picture_is_the_same(weights, words, stand):
    family = model("ltx2", weights("ltx2"))
    silent = stand.film(family, 12, words=words("ltx2"))
    sounding = stand.film(family, 12, words=words("ltx2"), native_audio=True)
    assert shown(silent)[2] == 0
    assert np.array_equal(frames(silent), frames(sounding))


def test_the_sounds_of_two_windows_fade_into_each_other(tmp_path):
    """In the frame that both show; also where the first stops before its picture does."""
    rate, window = 24_000, Window(fps=24, frames=17, frame_stride=8, max_slowdown=1.0)
    loud = [0.2, 0.6]

    def make(part, first):
        samples = round(part.frames * rate / window.fps)
        sound = np.full((samples if part.number else samples - 400, 2), loud[part.number], np.float32)
        return GeneratedWindow(np.zeros((part.frames, 64, 96, 3), np.uint8), sound)

    shot = window.plan(SceneTiming(fps=FPS, frames=33), seed=1)
    sound = heard(write_clip(shot, Image.new("RGB", (96, 64)), make, tmp_path, audio_sample_rate=rate))[:, 0]
    joint = 16 * SAMPLES // FPS  # where the shared frame begins
    assert sound[joint - 500 : joint - 100].mean() == pytest.approx(0.2, abs=0.02)
    assert sound[joint + 2500 : joint + 3500].mean() == pytest.approx(0.6, abs=0.02)
    assert sound[2000 : 33 * SAMPLES // FPS - 2000].min() > 0.15
    assert np.abs(np.diff(sound[joint - 500 : joint + 3000])).max() < 0.05


@pytest.mark.parametrize("name", ["ltx", "hunyuan", "cogvideox"])
def test_a_model_without_sound_makes_a_silent_clip(name, weights, words, stand):
    assert shown(stand.film(model(name, weights(name)), 5, words=words(name), native_audio=True))[2] == 0


# --- what weights can and cannot --------------------------------------------------------------------------------------


def test_the_first_ltx_knows_only_where_a_clip_begins(weights, words, stand, tmp_path):
    folder = tmp_path / "first"
    shutil.copytree(weights("ltx"), folder)
    index = folder / "model_index.json"
    index.write_text(index.read_text().replace("LTXConditionPipeline", "LTXPipeline"))
    family = model("ltx", folder)
    assert shown(stand.film(family, 12, words=words("ltx")))[0] == 12
    with pytest.raises(BadInput, match="does not support last-frame conditioning"):
        stand.bridge(family, "match")


def test_a_newer_ltx2_heeds_every_guidance_and_sounds_wider(weights, stand):
    folder = weights("ltx2", version="2.3")
    plain = stand.film(model("ltx2", folder), 9, native_audio=True)
    assert abs(len(heard(plain)) / SAMPLES - 9 / FPS) < 1 / FPS
    guided = {
        name: stand.film(model("ltx2", folder, stg_blocks=[0], **{name: value}), 9, native_audio=True).read_bytes()
        for name, value in (
            ("stg_scale", 1.0),
            ("modality_scale", 3.0),
            ("guidance_rescale", 0.7),
            ("audio_guidance", 7.0),
        )
    }
    assert len({plain.read_bytes(), *guided.values()}) == 5


def test_the_newest_ltx2_has_its_words_read_by_gemma_4(weights, stand, tmp_path):
    folder = weights("ltx2", version="2.5")
    words = encode(model("ltx2", folder), tmp_path)
    clip = stand.film(model("ltx2", folder, image_crf=18), 9, words=words, native_audio=True)
    assert shown(clip)[0] == 9
    assert clip.read_bytes() != stand.film(model("ltx2", folder), 9, words=words, native_audio=True).read_bytes()


def test_hunyuan_films_in_a_shape_that_it_knows(weights):
    family = model("hunyuan", weights("hunyuan"))
    for width, height in ((1920, 1080), (1080, 1920), (768, 768), (1440, 1080)):
        across, down = family.size(width, height)
        assert across % 16 == 0
        assert down % 16 == 0
        assert across * down <= 64 * 64
        assert family.size(across, down) == (across, down)
        assert (across > down) == (width > height)


def test_the_first_cogvideox_knows_one_size_only(weights, stand):
    family = model("cogvideox", weights("cogvideox", newer=False))
    assert family.size(1920, 1080) == family.size(1080, 1920) == (128, 96)
    assert frames(stand.film(family, 12), "rgb24")[0].shape == (96, 128, 3)


def test_cogvideox_says_itself_how_fast_and_how_long_it_films(weights):
    def usual(newer):
        return model("cogvideox", weights("cogvideox", newer=newer), window=None).window

    assert (usual(True).fps, usual(True).frames) == (16, 81)
    assert (usual(False).fps, usual(False).frames) == (8, 49)


@every_model
def test_weights_of_another_class_are_refused(name, weights):
    other = weights("ltx" if name != "ltx" else "cogvideox")
    with pytest.raises(BadInput, match="weights: the weights are of"):
        model(name, other)


def test_an_option_that_does_not_exist_is_refused(weights):
    with pytest.raises(BadInput, match="stepps"):
        model("ltx", weights("ltx"), stepps=3)


def test_a_distilled_model_takes_its_own_steps(weights, words, stand):
    """As many as it names, whatever `steps` says; without negative words."""
    ltx = model("ltx", weights("ltx"), timesteps=[1000.0, 900.0, 500.0], guidance=1.0)
    ltx2 = model(
        "ltx2", weights("ltx2"), sigmas=[1.0, 0.7, 0.4], guidance=1.0, audio_guidance=1.0,
        scheduler={"use_dynamic_shifting": False, "shift_terminal": None},
    )  # fmt: skip
    for family in (ltx, ltx2):
        stand.film(family, 5)
        assert len(stand.report.fractions) == 3
