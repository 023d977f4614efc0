"""The draft camera: exact, smooth, never beyond the edge of its picture."""

import cv2
import numpy as np
import pytest

from pipelines.base import BadInput
from pipelines.media.codec.yuv import rgb_to_planes, split_planes
from pipelines.step_params import AnimateParams
from pipelines.video.animatic.camera import Camera
from pipelines.video.animatic.camera_path import SceneGeometry, camera_poses, ease, layer_matrices
from pipelines.video.animatic.flat_image import load_flat_image
from pipelines.video.animatic.move_parser import CameraMove
from pipelines.video.animatic.parallax import load_layered_image
from pipelines.video.animatic.still import Still
from tests.pipelines.video.stage import (
    ANIMATE,
    HEIGHT,
    WIDTH,
    Quiet,
    frames,
    groups,
    layers,
    load,
    picture,
    psnr,
    timing,
)

MOVES = {
    "in": CameraMove(zoom=1), "out": CameraMove(zoom=-1), "pan": CameraMove(pan=1), "tilt": CameraMove(tilt=-1), "track": CameraMove(track=-1),
    "crane": CameraMove(crane=1), "orbit": CameraMove(orbit=1), "handheld": CameraMove(handheld=1),
    "all at once": CameraMove(zoom=1, pan=1, track=1, crane=-1, orbit=1, handheld=1, pace=1.7),
}  # fmt: skip


def shoot(tmp_path, camera="push in", family=Camera, seed=1, with_layers=True, name="out", loop=1, **timed):
    out = tmp_path / name
    inputs = {"keyframe": [picture(tmp_path / "k.png")], "timing": [timing(out, **timed)]}
    if with_layers:
        inputs["layers"] = layers(tmp_path / "layers")
    params = AnimateParams(width=WIDTH, height=HEIGHT, camera=camera, loop=loop)
    return next(iter(load(family, ANIMATE).run(ANIMATE, params, inputs, out, Quiet(), seed=seed)))


@pytest.mark.parametrize("with_layers", [True, False])
def test_the_clip_has_exactly_the_frames_of_its_timing_and_can_be_cut_at_its_transitions(tmp_path, with_layers):
    clip = shoot(tmp_path, with_layers=with_layers, frames=37, head=7, tail=9)
    assert len(frames(clip)) == 37
    assert {0, 7, 28} <= set(groups(clip))


def test_same_arguments_same_bytes(tmp_path):
    one, two, other = (shoot(tmp_path, "", seed=seed, name=name) for seed, name in ((1, "a"), (1, "b"), (0, "c")))
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes() != other.read_bytes()


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize("margin", [0, 6, 16])
def test_no_edge_is_ever_uncovered(move, margin):
    stage = SceneGeometry(WIDTH, HEIGHT, margin, (0.8, 0.3), (0.0, 0.5, 1.0, 1.6))
    corners = np.array([[x, y, 1] for x in (0, WIDTH - 1) for y in (0, HEIGHT - 1)])
    for views in layer_matrices(camera_poses(move, 240, 24, 1, 5), stage):
        for view in views:
            seen = corners @ view.T
            assert (seen >= -margin - 1e-6).all()
            assert (seen <= np.array([WIDTH - 1, HEIGHT - 1]) + margin + 1e-6).all()


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_no_frame_shows_nothing_at_its_border(tmp_path, move):
    scene = load_layered_image(layers(tmp_path), WIDTH, HEIGHT)
    for film in scene.frames(layer_matrices(camera_poses(move, 48, 24, 1, 5), scene.geometry)):
        luma = film[:HEIGHT]
        border = np.concatenate([luma[0], luma[-1], luma[:, 0], luma[:, -1]])
        assert border.min() > 60  # black is 16


def test_near_layers_move_more_than_far_ones():
    stage = SceneGeometry(WIDTH, HEIGHT, 40, (0.5, 0.5), (0.0, 0.5, 1.0))
    path = list(layer_matrices(camera_poses(CameraMove(track=1), 120, 24, 1, 1), stage))
    far, mid, near = (abs(path[-1][layer][0, 2] - path[0][layer][0, 2]) for layer in range(3))
    assert far == 0
    assert 0 < mid < near


def test_an_orbit_leaves_the_figures_where_they_are():
    stage = SceneGeometry(WIDTH, HEIGHT, 40, (0.5, 0.5), (0.2, 1.0, 1.6))
    first, *_, last = layer_matrices(camera_poses(CameraMove(orbit=1), 120, 24, 1, 1), stage)
    back, figures, near = (last[layer][0, 2] - first[layer][0, 2] for layer in range(3))
    assert figures == pytest.approx(0)
    assert back * near < 0


def test_a_push_in_enlarges_by_a_natural_amount():
    path = camera_poses(CameraMove(zoom=1), 120, 24, 1, 1)
    assert path[0].zoom == 1
    assert 1.06 < path[-1].zoom < 1.10


@pytest.mark.parametrize("loop", [2, 3])
def test_a_loop_goes_to_and_fro_without_a_jump(loop):
    zooms = np.array([pose.zoom for pose in camera_poses(CameraMove(zoom=1), 240, 24, loop, 1)])
    assert np.abs(np.diff(zooms)).max() < 0.002
    assert zooms[-1] == pytest.approx(zooms.max() if loop % 2 else 1.0)


def test_a_move_starts_and_ends_at_rest():
    steps = np.diff([ease(u) for u in np.linspace(0, 1, 121)])
    assert ease(0) == 0
    assert ease(1) == pytest.approx(1)
    assert steps[0] < 0.02 * steps.max()
    assert steps[-1] < 0.02 * steps.max()
    assert (steps > 0).all()


@pytest.mark.parametrize("camera", [CameraMove(pan=1), CameraMove(zoom=1), CameraMove(pan=1, tilt=1)])
def test_a_feature_moves_without_jitter(tmp_path, camera):
    """A disc followed through the frames before they are coded: off the ideal path by less than a tenth of a pixel, never
    back."""
    width, height = 640, 360
    art = np.full((height, width, 3), 90, np.uint8)
    cv2.circle(art, (470 * 16, 130 * 16), 12 * 16, (240, 240, 240), -1, cv2.LINE_AA, 4)
    cv2.imwrite(str(tmp_path / "k.png"), art)
    scene = load_flat_image(tmp_path / "k.png", width, height, 1.2)
    views = list(layer_matrices(camera_poses(camera, 240, 24, 1, 1), scene.geometry))
    seen = []
    for film in scene.frames(views):
        luma = film[:height].astype(float) - film[5, 5]
        luma[luma < 2] = 0
        rows, columns = np.mgrid[:height, :width]
        seen.append([(luma * columns).sum() / luma.sum(), (luma * rows).sum() / luma.sum()])
    ideal = [np.linalg.solve(view[0][:, :2], np.array([470, 130]) - view[0][:, 2]) for view in views]
    off = np.array(seen) - np.array(ideal)
    assert np.abs(off - off.mean(axis=0)).max() < 0.1
    steps = np.diff(np.array(seen)[:, 0])
    assert (steps < 0.03).all() or (steps > -0.03).all()


def test_a_large_picture_lends_its_detail(tmp_path):
    """A pattern too fine for the frame's own pixels at the start is there at the end of a push in."""
    fine = (np.indices((HEIGHT * 3, WIDTH * 3)).sum(axis=0) // 3 % 2 * 120 + 60).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "large.png"), fine)
    cv2.imwrite(str(tmp_path / "small.png"), cv2.resize(fine, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA))
    still = [np.array([[1 / 1.2, 0, 20.0], [0, 1 / 1.2, 12.0]])]
    large, small = (
        next(load_flat_image(tmp_path / f"{name}.png", WIDTH, HEIGHT, 1.2).frames([still]))[:HEIGHT].std()
        for name in ("large", "small")
    )
    assert large > small * 1.1


@pytest.mark.parametrize("view", [[[1, 0, 0], [0, 1, 0]], [[0.9, 0, 21.3], [0, 0.9, 7.6]]])
def test_colour_stays_on_what_it_belongs_to(tmp_path, view):
    """The frame's chroma is that of the whole picture moved at full size: half a pixel beside it is below 48 dB."""
    art = cv2.imread(str(picture(tmp_path / "k.png")))
    cv2.circle(art, (120, 80), 30, (40, 40, 230), -1, cv2.LINE_AA)
    cv2.imwrite(str(tmp_path / "k.png"), art)
    seen = next(load_flat_image(tmp_path / "k.png", WIDTH, HEIGHT, 1.0).frames([[np.array(view, float)]]))
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(art, np.array(view, float), (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    for plane, expected in zip(split_planes(seen), split_planes(rgb_to_planes(moved[..., ::-1])), strict=True):
        assert psnr(plane, expected) > 50


def test_a_picture_of_another_shape_is_cut_not_distorted(tmp_path):
    art = np.zeros((400, 400, 3), np.uint8)
    cv2.circle(art, (200, 200), 60, (255, 255, 255), -1)
    cv2.imwrite(str(tmp_path / "square.png"), art)
    view = [np.array([[1.0, 0, 0], [0, 1.0, 0]])]
    luma = next(load_flat_image(tmp_path / "square.png", WIDTH, HEIGHT, 1.0).frames([view]))[:HEIGHT] > 128
    assert luma.any(axis=0).sum() == pytest.approx(luma.any(axis=1).sum(), abs=2)


def test_still_holds_whatever_the_words_say(tmp_path):
    film = frames(shoot(tmp_path, "fast zoom in", family=Still, frames=24))
    assert all(np.abs(frame.astype(int) - film[0]).mean() < 0.7 for frame in film)


def test_layers_that_do_not_belong_together_are_refused(tmp_path):
    files = layers(tmp_path)
    with pytest.raises(BadInput, match="3 are described but 2"):
        load_layered_image(files[:-1], WIDTH, HEIGHT)
    with pytest.raises(BadInput, match="0 descriptions"):
        load_layered_image(files[1:], WIDTH, HEIGHT)


def test_a_timing_of_another_rate_is_refused(tmp_path):
    with pytest.raises(BadInput, match="fps"):
        shoot(tmp_path, fps=30)


def test_a_keyframe_that_is_no_picture_is_refused(tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"not a picture")
    with pytest.raises(BadInput, match="keyframe"):
        load_flat_image(bad, WIDTH, HEIGHT, 1.0)
