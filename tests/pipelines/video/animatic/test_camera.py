"""The camera: exact frames, smooth moves, covered edges, parallax, and validation of inputs."""

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
    "in": CameraMove(zoom=1),
    "out": CameraMove(zoom=-1),
    "pan": CameraMove(pan=1),
    "tilt": CameraMove(tilt=-1),
    "track": CameraMove(track=-1),
    "crane": CameraMove(crane=1),
    "orbit": CameraMove(orbit=1),
    "handheld": CameraMove(handheld=1),
    "all at once": CameraMove(zoom=1, pan=1, track=1, crane=-1, orbit=1, handheld=1, pace=1.7),
}


def render_clip(tmp_path, camera="push in", family=Camera, seed=1, with_layers=True, name="out", loop=1, **timed):
    out = tmp_path / name
    inputs = {"keyframe": [picture(tmp_path / "k.png")], "timing": [timing(out, **timed)]}
    if with_layers:
        inputs["layers"] = layers(tmp_path / "layers")
    params = AnimateParams(width=WIDTH, height=HEIGHT, camera=camera, loop=loop)
    return next(iter(load(family, ANIMATE).run(ANIMATE, params, inputs, out, Quiet(), seed=seed)))


@pytest.mark.parametrize("with_layers", [True, False])
def test_the_clip_has_the_frames_of_its_timing_and_closed_gops_at_its_transitions(tmp_path, with_layers):
    clip = render_clip(tmp_path, with_layers=with_layers, frames=37, head=7, tail=9)
    assert len(frames(clip)) == 37
    assert {0, 7, 28} <= set(groups(clip))


def test_the_same_inputs_give_the_same_bytes(tmp_path):
    one, two, other = (render_clip(tmp_path, "", seed=seed, name=name) for seed, name in ((1, "a"), (1, "b"), (0, "c")))
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes() != other.read_bytes()


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize("margin", [0, 6, 16])
def test_no_matrix_reaches_beyond_the_layers(move, margin):
    stage = SceneGeometry(WIDTH, HEIGHT, margin, (0.8, 0.3), (0.0, 0.5, 1.0, 1.6))
    corners = np.array([[x, y, 1] for x in (0, WIDTH - 1) for y in (0, HEIGHT - 1)])
    for views in layer_matrices(camera_poses(move, 240, 24, 1, 5), stage):
        for view in views:
            seen = corners @ view.T
            assert (seen >= -margin - 1e-6).all()
            assert (seen <= np.array([WIDTH - 1, HEIGHT - 1]) + margin + 1e-6).all()


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_no_frame_has_a_black_border(tmp_path, move):
    scene = load_layered_image(layers(tmp_path), WIDTH, HEIGHT)
    for film in scene.frames(layer_matrices(camera_poses(move, 48, 24, 1, 5), scene.geometry)):
        luma = film[:HEIGHT]
        border = np.concatenate([luma[0], luma[-1], luma[:, 0], luma[:, -1]])
        assert border.min() > 60  # black is 16


def test_near_layers_shift_more_than_far_ones_in_a_track():
    stage = SceneGeometry(WIDTH, HEIGHT, 40, (0.5, 0.5), (0.0, 0.5, 1.0))
    path = list(layer_matrices(camera_poses(CameraMove(track=1), 120, 24, 1, 1), stage))
    far, mid, near = (abs(path[-1][layer][0, 2] - path[0][layer][0, 2]) for layer in range(3))
    assert far == 0
    assert 0 < mid < near


def test_an_orbit_keeps_the_plane_of_the_characters_in_place():
    stage = SceneGeometry(WIDTH, HEIGHT, 40, (0.5, 0.5), (0.2, 1.0, 1.6))
    first, *_, last = layer_matrices(camera_poses(CameraMove(orbit=1), 120, 24, 1, 1), stage)
    back, figures, near = (last[layer][0, 2] - first[layer][0, 2] for layer in range(3))
    assert figures == pytest.approx(0)
    assert back * near < 0


def test_a_push_in_of_five_seconds_zooms_by_six_to_ten_percent():
    path = camera_poses(CameraMove(zoom=1), 120, 24, 1, 1)
    assert path[0].zoom == 1
    assert 1.06 < path[-1].zoom < 1.10


@pytest.mark.parametrize("loop", [2, 3])
def test_a_loop_runs_forward_and_backward_without_a_jump(loop):
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
def test_a_feature_follows_the_path_within_a_tenth_of_a_pixel(tmp_path, camera):
    """Track a disc through the frames before encoding: it stays close to its path and never goes back."""
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


def test_a_push_in_shows_the_detail_of_a_large_image(tmp_path):
    """A pattern finer than the pixels of the frame is visible at the end of a push in."""
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
def test_chroma_stays_aligned_with_luma(tmp_path, view):
    """The chroma equals that of the image transformed at full size; half a pixel of shift gives less than 48 dB."""
    art = cv2.imread(str(picture(tmp_path / "k.png")))
    cv2.circle(art, (120, 80), 30, (40, 40, 230), -1, cv2.LINE_AA)
    cv2.imwrite(str(tmp_path / "k.png"), art)
    seen = next(load_flat_image(tmp_path / "k.png", WIDTH, HEIGHT, 1.0).frames([[np.array(view, float)]]))
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(art, np.array(view, float), (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    for plane, expected in zip(split_planes(seen), split_planes(rgb_to_planes(moved[..., ::-1])), strict=True):
        assert psnr(plane, expected) > 50


def test_an_image_of_another_aspect_ratio_is_cropped_without_distortion(tmp_path):
    art = np.zeros((400, 400, 3), np.uint8)
    cv2.circle(art, (200, 200), 60, (255, 255, 255), -1)
    cv2.imwrite(str(tmp_path / "square.png"), art)
    view = [np.array([[1.0, 0, 0], [0, 1.0, 0]])]
    luma = next(load_flat_image(tmp_path / "square.png", WIDTH, HEIGHT, 1.0).frames([view]))[:HEIGHT] > 128
    assert luma.any(axis=0).sum() == pytest.approx(luma.any(axis=1).sum(), abs=2)


def test_the_still_family_ignores_the_camera_text(tmp_path):
    film = frames(render_clip(tmp_path, "fast zoom in", family=Still, frames=24))
    assert all(np.abs(frame.astype(int) - film[0]).mean() < 0.7 for frame in film)


def test_layer_files_that_do_not_match_are_refused(tmp_path):
    files = layers(tmp_path)
    with pytest.raises(BadInput, match="3 layers, but 2 images"):
        load_layered_image(files[:-1], WIDTH, HEIGHT)
    with pytest.raises(BadInput, match="0 files are no PNG"):
        load_layered_image(files[1:], WIDTH, HEIGHT)


def test_a_timing_with_another_frame_rate_is_refused(tmp_path):
    with pytest.raises(BadInput, match="fps"):
        render_clip(tmp_path, fps=30)


def test_a_keyframe_that_is_not_an_image_is_refused(tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"not a picture")
    with pytest.raises(BadInput, match="keyframe"):
        load_flat_image(bad, WIDTH, HEIGHT, 1.0)
