"""Blended transitions: length, first and last frames, determinism, and each blend."""

import numpy as np
import pytest

from pipelines.base import BadInput
from pipelines.media.transitions.blends import BLENDS, dip, dissolve, match, wipe
from pipelines.step_params import AnimateParams, TransitionParams
from pipelines.video.animatic.camera import Camera
from pipelines.video.transitions.dissolve import BlendTransition
from tests.pipelines.video.stage import ANIMATE, BRIDGE, HEIGHT, WIDTH, Quiet, frames, load, picture, psnr, timing

OVERLAP = 11


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    made = []
    for number, (head, tail) in enumerate(((0, OVERLAP), (OVERLAP, 0))):
        out = tmp_path_factory.mktemp("clip")
        inputs = {"keyframe": [picture(out / "k.png", seed=number)], "timing": [timing(out, 40, head, tail)]}
        params = AnimateParams(width=WIDTH, height=HEIGHT, camera="pan left")
        made.append(
            (next(iter(load(Camera, ANIMATE).run(ANIMATE, params, inputs, out, Quiet(), seed=1))), inputs["timing"][0])
        )
    return made


def write_transition(clips, out, transition="dissolve"):
    inputs = {"clips": [clip for clip, _ in clips], "timings": [timing for _, timing in clips]}
    params = TransitionParams(width=WIDTH, height=HEIGHT, transition=transition)
    return next(iter(load(BlendTransition, BRIDGE).run(BRIDGE, params, inputs, out, Quiet(), seed=0)))


@pytest.mark.parametrize("transition", BLENDS)
def test_every_transition_starts_near_the_first_clip_and_ends_near_the_second(clips, tmp_path, transition):
    film = frames(write_transition(clips, tmp_path, transition))
    tail, head = frames(clips[0][0])[-OVERLAP:], frames(clips[1][0])[:OVERLAP]
    assert len(film) == OVERLAP
    assert psnr(film[0], tail[0]) > 24
    assert psnr(film[-1], head[-1]) > 24
    assert psnr(film[0], head[0]) < psnr(film[-1], head[-1])


def test_the_same_inputs_give_the_same_bytes(clips, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert write_transition(clips, tmp_path / "a").read_bytes() == write_transition(clips, tmp_path / "b").read_bytes()


def test_a_dissolve_is_the_mean_of_both_frames_halfway():
    one, other = np.full((6, 4), 40, np.uint8), np.full((6, 4), 200, np.uint8)
    assert (dissolve(one, other, 0.5) == 120).all()


def test_a_dip_is_black_halfway():
    one, other = np.full((6, 4), 90, np.uint8), np.full((6, 4), 200, np.uint8)
    middle = dip(one, other, 0.5)
    assert (middle[:4] == 16).all()
    assert (middle[4:] == 128).all()


def test_a_wipe_shows_the_second_frame_on_the_left_of_its_edge():
    one, other = np.full((60, 80), 40, np.uint8), np.full((60, 80), 200, np.uint8)
    half = wipe(one, other, 0.5)[:40]
    assert (half[:, 0] == 200).all()
    assert (half[:, -1] == 40).all()
    assert (np.diff(half[0].astype(int)) <= 0).all()


def test_a_match_covers_the_frame_at_any_progress():
    one, other = np.full((60, 80), 90, np.uint8), np.full((60, 80), 90, np.uint8)
    for u in (0.01, 0.3, 0.7, 0.99):
        assert (match(one, other, u) == 90).all()


def test_timings_without_a_common_transition_are_refused(clips, tmp_path):
    with pytest.raises(BadInput, match="not one transition"):
        write_transition(clips[::-1], tmp_path)
