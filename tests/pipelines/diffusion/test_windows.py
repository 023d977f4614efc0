"""A clip out of a model's windows: the counts and sizes that it likes, as long as its scene, every frame once."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from pipelines.base import BadInput, MemoryMode
from pipelines.diffusion.clip_writer import GeneratedWindow, as_frames, write_clip
from pipelines.diffusion.transitions import TransitionGap
from pipelines.diffusion.windows import Window, load_first_frame, read_timing
from pipelines.media.codec.encoder import Encoder
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.media.codec.integrity import is_verified
from pipelines.media.codec.probe import is_conformant
from pipelines.media.codec.yuv import rgb_to_planes
from pipelines.media.timeline import SceneTiming
from pipelines.step_params import AnimateParams, TransitionParams
from tests.pipelines.video.stage import Quiet, frames, psnr, timing

WAN, LTX = Window(), Window(fps=24, frames=121, frame_stride=8, width=960, height=544, multiple=32)
SMALL = Window(width=64, height=48, frames=9)


def scene(frames, fps=24):
    return SceneTiming(fps=fps, frames=frames)


# --- sizes and counts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [WAN, LTX], ids=["wan", "ltx"])
@pytest.mark.parametrize(
    "film", [(1280, 720), (720, 1280), (1920, 1080), (320, 180), (1024, 1024), (640, 480), (2048, 858)]
)
def test_a_size_that_the_model_likes_in_the_shape_of_the_film(window, film):
    width, height = window.size(*film)
    assert width % window.multiple == height % window.multiple == 0
    assert 0.8 <= width * height / (window.width * window.height) <= 1
    assert width / height == pytest.approx(film[0] / film[1], rel=0.06)


def test_the_size_that_it_was_trained_on_stays():
    assert WAN.size(832, 480) == (832, 480)
    assert WAN.size(1280, 720) == (832, 464)
    assert LTX.size(960, 544) == (960, 544)


def test_to_save_memory_three_quarters_of_each_side():
    width, height = WAN.size(1280, 720, MemoryMode.REDUCED_SIZE)
    assert (width, height) == (624, 352)
    assert WAN.size(1280, 720, MemoryMode.INT8) == WAN.size(1280, 720)


def test_a_film_as_narrow_as_a_thread_still_has_a_size():
    assert WAN.size(8192, 16) == (14288, 16)


@pytest.mark.parametrize(("wanted", "made"), [(1, 5), (5, 5), (6, 9), (80, 81), (81, 81), (500, 81)])
def test_a_count_that_the_model_makes(wanted, made):
    assert WAN.valid_frame_count(wanted) == made


@pytest.mark.parametrize("window", [WAN, LTX, SMALL], ids=["wan", "ltx", "small"])
@pytest.mark.parametrize("length", [1, 5, 24, 100, 119, 120, 121, 132, 133, 240, 719, 720])
@pytest.mark.parametrize("loop", [1, 2, 6])
@pytest.mark.parametrize("closes", [False, True])
def test_every_clip_is_long_enough_and_made_of_windows_that_the_model_makes(window, length, loop, closes):
    timing = scene(length)
    shot = window.plan(timing, 7, loop=loop, ends_on_first_frame=closes)
    counts = [part.frames for part in shot.windows]
    assert all(count <= window.frames and count % window.frame_stride == 1 for count in counts)
    assert max(counts) - min(counts) <= window.frame_stride, "a short window hardly moves"
    assert sum(count - 1 for count in counts) >= shot.motion_frames
    assert shot.frames / shot.frame_rate >= Fraction(length, 24)
    assert shot.frames <= shot.motion_frames * loop + 1
    assert shot.windows[0].progress_start == 0
    assert shot.windows[-1].progress_end == 1
    assert all(
        one.progress_end == other.progress_start for one, other in zip(shot.windows, shot.windows[1:], strict=False)
    )
    assert shot.is_closed_loop == (closes and loop > 1)
    if not shot.is_closed_loop:
        assert shot.frame_rate <= window.fps, "never shown faster than it was made"
        assert shot.frame_rate * Fraction(window.max_slowdown) >= window.fps * Fraction(9, 10)


def test_half_a_minute_is_all_there():
    shot = WAN.plan(scene(720), 7)
    assert [part.frames for part in shot.windows] == [81] * 6
    assert (shot.frames, shot.frame_rate) == (480, 16)


def test_a_little_more_than_a_window_is_shown_a_little_slower():
    shot = WAN.plan(scene(132), 7)  # 5.5 s of a model that makes 5 s
    assert len(shot.windows) == 1
    assert shot.frame_rate == Fraction(162, 11)
    steady = WAN.model_copy(update={"max_slowdown": 1.0}).plan(scene(132), 7)
    assert [part.frames for part in steady.windows] == [45, 45]
    assert steady.frame_rate == 16


def test_each_window_has_dice_of_its_own_the_first_those_of_the_clip():
    long, short = WAN.plan(scene(720), 7), WAN.plan(scene(24), 7)
    assert short.windows[0].seed == long.windows[0].seed == 7
    assert len({part.seed for part in long.windows}) == 6
    assert long == WAN.plan(scene(720), 7)


def test_a_window_that_makes_one_frame_is_none():
    with pytest.raises(BadInput, match="not a valid window"):
        Window(frames=4).plan(scene(24), 7)


# --- the file -----------------------------------------------------------------------------------------------------------


class Model:
    """Makes frames that count: each is a shade darker than the one before, beginning with the picture that it is given."""

    def __init__(self, sound_rate=None):
        self.given, self.made, self.sound_rate = [], [], sound_rate

    def __call__(self, part, picture):
        self.given.append(np.asarray(picture))
        steps = np.arange(part.frames, dtype=np.uint8)[:, None, None, None] * 3
        made = self.given[-1][None] - steps
        self.made.append(made)
        sound = None
        if self.sound_rate:
            sound = np.full((round(part.frames * self.sound_rate / 16), 2), 0.25, np.float32)
        return GeneratedWindow(made, sound)


def clip(tmp_path, length, loop=1, closes=False, sound_rate=None, window=SMALL, name="clip"):
    (tmp_path / name).mkdir()
    model = Model(sound_rate)
    shot = window.plan(scene(length), 7, loop=loop, ends_on_first_frame=closes)
    path = write_clip(
        shot, Image.new("RGB", (64, 48), (250, 250, 250)), model, tmp_path / name, audio_sample_rate=sound_rate
    )
    return shot, model, path


def levels(path):
    """The brightness of every frame, in steps of the model."""
    return [round((250 - float(frame.mean())) / 3) for frame in frames(path, "rgb24")]


def test_windows_are_chained_the_doubled_frame_is_shown_once(tmp_path):
    shot, model, path = clip(tmp_path, 60)
    assert len(shot.windows) == 5
    for before, after in zip(model.made, model.given[1:], strict=False):
        assert (before[-1] == after).all(), "the first frame of a window is the last of the one before"
    assert levels(path) == list(range(40))


def test_a_model_that_changes_the_light_does_not_flash_and_grows_no_darker(tmp_path):
    def make(part, picture):
        return GeneratedWindow(np.repeat(np.asarray(picture)[None] - np.array([3, 0, 5], np.uint8), part.frames, 0))

    grey = Image.new("RGB", (64, 48), (128, 128, 128))
    seen = frames(write_clip(SMALL.plan(scene(60), 7), grey, make, tmp_path), "rgb24")
    assert len(seen) == 40
    assert all(np.abs(frame.mean((0, 1)) - seen[0].mean((0, 1))).max() < 1 for frame in seen)


def test_another_light_on_purpose_stays(tmp_path):
    def make(part, picture):
        return GeneratedWindow(np.full((part.frames, 48, 64, 3), 200 if part.number else 100, np.uint8))

    grey = Image.new("RGB", (64, 48), (100, 100, 100))
    seen = frames(write_clip(SMALL.plan(scene(24), 7), grey, make, tmp_path), "rgb24")
    assert abs(seen[-1].mean() - 192) < 2


def test_to_and_fro_where_a_model_cannot_end_where_it_began(tmp_path):
    shot, _, path = clip(tmp_path, 60, loop=3)
    assert shot.motion_frames == 13
    assert levels(path) == [*range(14), *range(12, -1, -1), *range(1, 14)][: shot.frames]


def test_round_and_round_where_it_can(tmp_path):
    shot, _, path = clip(tmp_path, 36, loop=3, closes=True)
    assert [part.ends_on_first_frame for part in shot.windows] == [True]
    assert levels(path) == [*range(9), *range(1, 9), *range(1, 9)]


def test_the_clip_can_be_played_everywhere_and_says_what_it_is(tmp_path):
    shot, _, path = clip(tmp_path, 55)
    with av.open(str(path)) as container:
        (stream,) = container.streams
        context = stream.codec_context
        assert (context.name, context.pix_fmt, context.width, context.height) == ("h264", "yuv420p", 64, 48)
        assert context.color_primaries == context.color_trc == context.colorspace == context.color_range == 1
        assert stream.frames == shot.frames == 37
        assert stream.average_rate == shot.frame_rate == 16
        assert float(stream.duration * stream.time_base) == pytest.approx(37 / 16)


def test_colours_survive(tmp_path):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32], picture[24:, :32], picture[:24, 32:], picture[24:, 32:] = (
        (200, 30, 30),
        (30, 160, 60),
        (40, 60, 190),
        128,
    )
    still = write_clip(
        SMALL.plan(scene(12), 1),
        Image.fromarray(picture),
        lambda part, _: GeneratedWindow(np.repeat(picture[None], part.frames, 0)),
        tmp_path,
    )
    for y, x in ((12, 16), (36, 16), (12, 48), (36, 48)):
        shown = frames(still, "rgb24")[3][y - 4 : y + 4, x - 4 : x + 4].mean((0, 1))
        assert np.abs(shown - picture[y, x]).max() < 4


def test_the_same_frames_give_the_same_bytes(tmp_path):
    for sound_rate in (None, 24_000):
        one, other = (clip(tmp_path, 30, sound_rate=sound_rate, name=f"{sound_rate}-{n}")[2] for n in range(2))
        assert one.read_bytes() == other.read_bytes()


def test_sound_lasts_as_long_as_the_picture_at_48_khz(tmp_path):
    shot, _, path = clip(tmp_path, 60, sound_rate=24_000)
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.codec_context.name, stream.layout.name) == (48_000, "aac", "stereo")
        heard = np.concatenate([frame.to_ndarray() for frame in container.decode(stream)], 1)
    assert heard.shape[1] / 48_000 == pytest.approx(float(shot.frames / shot.frame_rate), abs=0.03)
    assert np.abs(heard[:, 4_800:-9_600] - 0.25).max() < 0.12, "no gap where windows meet"


def test_what_the_model_did_not_make_is_no_clip(tmp_path):
    shot, first = SMALL.plan(scene(12), 1), Image.new("RGB", (64, 48))
    with pytest.raises(RuntimeError, match="expected 9 of 64×48"):
        write_clip(shot, first, lambda part, _: GeneratedWindow(np.zeros((5, 48, 64, 3), np.uint8)), tmp_path)


def test_numbers_of_a_pipeline_become_pixels():
    ramp = np.linspace(-0.5, 1.5, 9, dtype=np.float32).reshape(1, 3, 1, 3)
    assert as_frames(ramp).ravel().tolist() == [0, 0, 0, 64, 128, 191, 255, 255, 255]
    ready = np.zeros((2, 4, 4, 3), np.uint8)
    assert as_frames(ready) is ready
    with pytest.raises(BadInput, match="NaN"):
        as_frames(np.full((1, 2, 2, 3), np.nan, np.float32))


# --- what goes in -------------------------------------------------------------------------------------------------------


def test_the_keyframe_covers_the_frame_undistorted(tmp_path):
    wide = np.zeros((90, 240, 3), np.uint8)
    wide[:, 75:165] = 255  # a square in the middle
    Image.fromarray(wide).save(tmp_path / "key.png")
    fitted = np.asarray(load_first_frame({"keyframe": [tmp_path / "key.png"]}, (96, 96)))
    assert fitted.shape == (96, 96, 3)
    assert (fitted[:, 8:88] > 250).all()


def test_a_timing_of_another_rate_is_refused(tmp_path):
    with pytest.raises(BadInput, match="24 frames/s, the clip 30"):
        read_timing(AnimateParams(width=64, height=48, fps=30), {"timing": [timing(tmp_path)]})


# --- bridges ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    """Two scenes that stand still, one dark and one bright, that share 8 frames."""
    inputs = {"clips": [], "timings": []}
    for level, head, tail in ((60, 0, 8), (180, 8, 0)):
        folder = tmp_path_factory.mktemp("side")
        with Encoder(folder / "clip.mp4", 96, 64, 24, EncodingOptions(), {head, 20 - tail}) as encoder:
            for _ in range(20):
                encoder.write(rgb_to_planes(np.full((64, 96, 3), level, np.uint8)))
        inputs["clips"].append(folder / "clip.mp4")
        inputs["timings"].append(timing(folder, 20, head, tail))
    return inputs


def test_a_bridge_leads_from_the_last_frame_before_to_the_first_after(sides, tmp_path):
    asked = TransitionParams(width=96, height=64, transition="match")
    gap = TransitionGap.read(asked, sides, (48, 32), EncodingOptions(), Quiet())
    assert gap.before.size == gap.after.size == (48, 32)
    assert abs(np.asarray(gap.before).mean() - 60) < 2
    assert abs(np.asarray(gap.after).mean() - 180) < 2
    assert gap.frames == 10
    for count in (10, 17, 5):  # as many as lack, more, fewer
        (tmp_path / str(count)).mkdir()
        steps = np.linspace(60, 180, count).astype(np.uint8)
        made = np.broadcast_to(steps[:, None, None, None], (count, 32, 48, 3))
        bridge = gap.write(made, asked, sides, tmp_path / str(count), EncodingOptions())
        seen = [float(frame.mean()) for frame in frames(bridge, "rgb24")]
        assert len(seen) == 8
        assert seen == sorted(seen)
        assert seen == pytest.approx(np.linspace(60, 180, 10)[1:-1], abs=8 if count > 5 else 16)
        assert is_verified(bridge)
        assert is_conformant(bridge, scene(8), 96, 64, EncodingOptions()), "it joins the film by copying"


def test_nothing_jumps_where_a_bridge_begins(tmp_path):
    picture = np.asarray(Image.effect_noise((12, 8), 90).convert("RGB").resize((96, 64), Image.Resampling.BICUBIC))
    inputs = {"clips": [], "timings": []}
    for number, (head, tail) in enumerate(((0, 4), (4, 0))):
        folder = tmp_path / str(number)
        inputs["timings"].append(timing(folder, 12, head, tail))
        with Encoder(folder / "clip.mp4", 96, 64, 24, EncodingOptions(), {head, 12 - tail}) as encoder:
            for _ in range(12):
                encoder.write(rgb_to_planes(picture))
        inputs["clips"].append(folder / "clip.mp4")
    asked = TransitionParams(width=96, height=64, transition="match")
    gap = TransitionGap.read(asked, inputs, (80, 48), EncodingOptions(), Quiet())  # not quite the shape of the film
    held = np.repeat(np.asarray(gap.before)[None], 9, 0)
    bridge = gap.write(held, asked, inputs, tmp_path, EncodingOptions())
    assert psnr(frames(bridge)[0], frames(inputs["clips"][0])[7]) > 32
