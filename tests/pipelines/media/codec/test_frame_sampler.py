"""The frame sampler: positions, sizes, damaged clips and determinism."""

import av
import pytest
from PIL import Image

from pipelines.base import BadInput, Device, Kind, ModelSpec
from pipelines.media.codec.frame_sampler import FrameSampler
from pipelines.step_params import SampleFramesParams


def clip(path, frames=100, size=(96, 64), group=1000, form="mp4", codec="libx264"):
    """Write a clip whose red value grows with the frame number."""
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=25, options={"g": str(group), "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = *size, "rgb8" if codec == "gif" else "yuv420p"
        for number in range(frames):
            image = Image.new("RGB", size, (240 * number // frames, 40, 40))
            container.mux(stream.encode(av.VideoFrame.from_image(image).reformat(format=stream.pix_fmt)))
        container.mux(stream.encode())
    return path


def sampled(path, out, count=5):
    out.mkdir()
    family = FrameSampler.load(ModelSpec(name="frame-sampler", family="", kinds=(Kind.SAMPLE_FRAMES,)), Device())
    paths = list(family.run(Kind.SAMPLE_FRAMES, SampleFramesParams(frames=count), {"clip": [path]}, out, None, seed=0))
    assert [one.name for one in paths] == [f"frame-{n + 1}.png" for n in range(len(paths))]
    return [Image.open(one) for one in paths]


@pytest.mark.parametrize(
    ("form", "codec", "group"), [("mp4", "libx264", 1000), ("matroska", "libx264", 10), ("gif", "gif", 12)]
)
def test_sampled_frames_are_spread_evenly_over_the_clip(tmp_path, form, codec, group):
    found = sampled(clip(tmp_path / "clip", form=form, codec=codec, group=group), tmp_path / "out")
    reds = [picture.getpixel((40, 30))[0] for picture in found]
    assert len(reds) == 5
    assert all(abs(red - 240 * (2 * n + 1) / 10) < 40 for n, red in enumerate(reds)), reds


def test_sampled_frames_are_scaled_down_to_512_pixels_and_never_up(tmp_path):
    assert {one.size for one in sampled(clip(tmp_path / "a", 4, (1920, 1080)), tmp_path / "x")} == {(512, 288)}
    assert {one.size for one in sampled(clip(tmp_path / "b", 4, (96, 64)), tmp_path / "y")} == {(96, 64)}


def test_a_clip_of_one_frame_gives_that_frame(tmp_path):
    assert sampled(clip(tmp_path / "clip", 1), tmp_path / "out")


def test_a_clip_with_a_damaged_end_gives_the_frames_before_it(tmp_path):
    path = clip(tmp_path / "clip", 200, (320, 200), group=10, form="matroska")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert sampled(path, tmp_path / "out")


@pytest.mark.parametrize("data", [b"", b"#EXTM3U\nfile:///etc/passwd\n", b"\0\0\0\x20ftypisom" + b"x" * 500])
def test_a_file_that_is_not_a_video_is_refused(tmp_path, data):
    path = tmp_path / "clip"
    path.write_bytes(data)
    with pytest.raises(BadInput) as refused:
        sampled(path, tmp_path / "out")
    assert refused.value.field == "clip"


def test_the_same_clip_gives_the_same_bytes(tmp_path):
    path = clip(tmp_path / "clip", 30)
    first, second = (sampled(path, tmp_path / name) for name in ("x", "y"))
    assert [one.tobytes() for one in first] == [one.tobytes() for one in second]
