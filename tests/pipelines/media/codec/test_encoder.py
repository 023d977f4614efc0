"""The encoder: determinism, closed GOPs, colour, fast ranges and validation."""

from collections import Counter

import av
import cv2
import numpy as np
import pytest

from pipelines.base import BadInput
from pipelines.media.codec.encoder import Encoder, track_timescale
from pipelines.media.codec.encoding_options import EncodingOptions
from pipelines.media.codec.yuv import rgb_to_planes
from tests.pipelines.video.stage import frames, groups, psnr


def blend_of_noise(width, height, count):
    noise = np.random.default_rng(1).integers(60, 200, (20, 30), dtype=np.uint8)
    wide = cv2.resize(noise, (width + 40, height * 3 // 2), interpolation=cv2.INTER_CUBIC)
    for k in range(count):
        one, other = wide[:, 2 * k : 2 * k + width], wide[:, 40 - k : 40 - k + width]
        yield cv2.addWeighted(np.ascontiguousarray(one), k / count, np.ascontiguousarray(other), 1 - k / count, 0)


@pytest.mark.parametrize("size", [(1000, 1000), (320, 176), (720, 1280)])
def test_the_same_frames_give_the_same_bytes_at_every_size(tmp_path, size):
    contents = Counter()
    for number in range(6):
        path = tmp_path / f"{number}.mp4"
        with Encoder(path, *size, 24, EncodingOptions()) as encoder:
            for planes in blend_of_noise(*size, 12):
                encoder.write(planes)
        contents[path.read_bytes()] += 1
    assert len(contents) == 1


def test_requested_frames_start_closed_gops_and_the_stream_has_colour_tags(tmp_path):
    with Encoder(tmp_path / "p.mp4", 160, 90, 24, EncodingOptions(), {5, 11}) as encoder:
        for planes in blend_of_noise(160, 90, 20):
            encoder.write(planes)
    assert len(frames(tmp_path / "p.mp4")) == 20
    assert {0, 5, 11} <= set(groups(tmp_path / "p.mp4"))
    with av.open(str(tmp_path / "p.mp4")) as container:
        context = container.streams.video[0].codec_context
        tags = (context.color_primaries, context.color_trc, context.colorspace, context.color_range)
        assert tags == (1, 1, 1, 1)


def test_fast_ranges_keep_the_quality_and_the_stream_headers(tmp_path):
    planes = [frame.copy() for frame in blend_of_noise(320, 180, 20)]
    headers, losses = [], []
    for name, fast in (("plain", ()), ("fast", (range(6), range(14, 20)))):
        path = tmp_path / f"{name}.mp4"
        with Encoder(path, 320, 180, 24, EncodingOptions("medium"), {6, 14}, fast) as encoder:
            for frame in planes:
                encoder.write(frame)
        with av.open(str(path)) as container:
            headers.append(container.streams.video[0].codec_context.extradata)
        losses.append([psnr(one, other) for one, other in zip(planes, frames(path), strict=True)])
    assert headers[0] == headers[1]
    assert losses[0] != losses[1]
    assert np.mean(losses[1][:6] + losses[1][14:]) > np.mean(losses[0][:6] + losses[0][14:]) - 1


def test_encoding_changes_colours_by_less_than_two_delta_e(tmp_path):
    """Encode and decode 24 patches by their colour tags; ΔE is CIE 1976."""
    chart = np.random.default_rng(3).integers(20, 236, (4, 6, 3), dtype=np.uint8)
    rgb = np.repeat(np.repeat(chart, 40, axis=0), 40, axis=1)
    with Encoder(tmp_path / "c.mp4", 240, 160, 24, EncodingOptions()) as encoder:
        for _ in range(3):
            encoder.write(rgb_to_planes(rgb))
    seen = frames(tmp_path / "c.mp4", "rgb24")[1]
    lab = [cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for picture in (rgb, seen)]
    distance = np.linalg.norm(lab[0] - lab[1], axis=2)[20::40, 20::40]
    assert distance.max() < 2


@pytest.mark.parametrize("fps", [12, 24, 25, 30, 60])
def test_every_frame_lasts_a_whole_number_of_ticks(fps):
    assert track_timescale(fps) % fps == 0
    assert track_timescale(fps) >= 10_000


def test_odd_sides_unknown_presets_and_invalid_crf_are_refused(tmp_path):
    with pytest.raises(BadInput, match="even"):
        Encoder(tmp_path / "x.mp4", 161, 90, 24, EncodingOptions())
    with pytest.raises(BadInput, match="preset"):
        EncodingOptions.from_options({"preset": "warp"})
    with pytest.raises(BadInput, match="crf"):
        EncodingOptions.from_options({"crf": 99})
