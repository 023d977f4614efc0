"""Conforming of clips: exact frames, size, rate and colour; clips of the encoder are cut without encoding."""

import subprocess

import numpy as np
import pytest

from pipelines.base import BadInput
from pipelines.media.codec.ffmpeg import ffmpeg_path
from pipelines.media.film.concat import concatenate
from pipelines.media.film.conform import Conformer
from pipelines.step_params import AnimateParams, ComposeParams, ConformParams
from pipelines.video.animatic.camera import Camera
from pipelines.video.transitions.dissolve import BlendTransition
from tests.pipelines.video.stage import (
    ANIMATE,
    BRIDGE,
    CONFORM,
    HEIGHT,
    WIDTH,
    Quiet,
    frames,
    groups,
    load,
    picture,
    psnr,
    timing,
)  # fmt: skip

SIZE = {"width": WIDTH, "height": HEIGHT}


def ffmpeg(*arguments):
    done = subprocess.run(
        [ffmpeg_path(), "-hide_banner", "-nostdin", "-y", *map(str, arguments)], capture_output=True, check=True
    )
    return done.stderr.decode()


def render_clip(folder, camera="pan left", seed=1, **timed):
    inputs = {"timing": [timing(folder, **timed)], "keyframe": [picture(folder / "k.png", seed=seed)]}
    params = AnimateParams(**SIZE, camera=camera)
    return next(iter(load(Camera, ANIMATE).run(ANIMATE, params, inputs, folder, Quiet(), seed=seed)))


def conform(clip, folder, report=None, subtitles=None, letterbox=False, **timed):
    inputs = {"clip": [clip], "timing": [timing(folder, **timed)]}
    if subtitles:
        inputs["subtitles"] = [subtitles]
    report = report or Quiet()
    paths = list(
        load(Conformer, CONFORM).run(
            CONFORM, ConformParams(**SIZE, letterbox=letterbox), inputs, folder, report, seed=0
        )
    )
    return paths[0], report


def test_a_clip_of_the_encoder_is_cut_without_encoding_it_again(tmp_path):
    clip = render_clip(tmp_path / "clip", frames=50, head=9, tail=12)
    segment, report = conform(clip, tmp_path / "segment", frames=50, head=9, tail=12)
    assert report.facts["copied"]
    clip_frames, part = frames(clip), frames(segment)
    assert len(part) == 29
    assert all((one == other).all() for one, other in zip(clip_frames[9:38], part, strict=True))


@pytest.mark.parametrize("timed", [{"frames": 49, "head": 9, "tail": 12}, {"frames": 50, "head": 8, "tail": 12}])
def test_a_clip_of_the_encoder_for_another_timing_is_encoded_again(tmp_path, timed):
    clip = render_clip(tmp_path / "clip", frames=50, head=9, tail=12)
    segment, report = conform(clip, tmp_path / "segment", **timed)
    assert not report.facts["copied"]
    assert len(frames(segment)) == timed["frames"] - timed["head"] - timed["tail"]


SOURCE = "testsrc2=s={}:r={}:d={}"
CLIPS = {
    "16 frames a second": (SOURCE.format("320x180", 16, 2), []),
    "60 frames a second": (SOURCE.format("320x180", 60, 2), []),
    "29.97 frames a second": (SOURCE.format("320x180", "30000/1001", 2), []),
    "odd size": (SOURCE.format("301x203", 24, 2), ["-pix_fmt", "yuv444p"]),
    "larger, upright": (SOURCE.format("360x640", 24, 2), []),
    "pixels not square": (SOURCE.format("240x180", 24, 2), ["-vf", "setsar=4/3"]),
    "10 bit": (SOURCE.format("320x180", 24, 2), ["-pix_fmt", "yuv420p10le"]),
    "full range": (SOURCE.format("320x180", 24, 2), ["-vf", "scale=out_range=full", "-color_range", "pc"]),
    "changing rate": (SOURCE.format("320x180", 24, 2), ["-vf", "select='not(mod(n,3))+gt(n,24)'", "-fps_mode", "vfr"]),
    "too long": (SOURCE.format("320x180", 24, 4), []),
    "too short": (SOURCE.format("320x180", 24, 1), []),
}


@pytest.mark.parametrize(("source", "coding"), CLIPS.values(), ids=CLIPS)
def test_any_clip_gets_the_exact_frames_and_size_of_its_scene(tmp_path, source, coding):
    clip = tmp_path / "clip.mp4"
    ffmpeg("-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "ultrafast", *coding, clip)
    segment, report = conform(clip, tmp_path / "segment", frames=48, head=5, tail=6)
    film = frames(segment)
    assert len(film) == 37
    assert film[0].shape == (HEIGHT * 3 // 2, WIDTH)
    assert not report.facts["copied"]
    assert film[3][:HEIGHT].std() > 20  # the test picture, not a grey or black one
    assert bool(report.warnings) == (clip.name == "clip.mp4" and "d=1" in source)


def test_a_clip_with_the_size_and_rate_of_the_film_keeps_each_frame_at_its_time(tmp_path):
    clip = tmp_path / "clip.mp4"
    ffmpeg("-f", "lavfi", "-i", CLIPS["too long"][0], "-c:v", "libx264", "-crf", "10", "-colorspace", "bt709", clip)
    segment, _ = conform(clip, tmp_path / "segment", frames=48, head=5, tail=6)
    clip_frames = frames(clip)
    for number, frame in enumerate(frames(segment)):
        near = [psnr(frame[:HEIGHT], clip_frames[5 + number + step][:HEIGHT]) for step in (-1, 0, 1)]
        assert max(near) == near[1]
        assert near[1] > 35


def test_a_short_clip_is_slowed_down_and_then_its_last_frame_is_held(tmp_path):
    clip = tmp_path / "clip.mp4"
    ffmpeg("-f", "lavfi", "-i", CLIPS["too short"][0], "-c:v", "libx264", "-crf", "10", clip)
    segment, report = conform(clip, tmp_path / "segment", frames=48)
    film = frames(segment)
    assert "held" in report.warnings[0]
    assert psnr(film[36], film[47]) > 40  # 24 frames, a quarter slower: 30, then the last one
    assert psnr(film[10], film[20]) < 30


def test_a_clip_with_rotation_metadata_is_rotated(tmp_path):
    flat = tmp_path / "flat.mp4"
    clip = tmp_path / "clip.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "color=red:s=90x160:r=24:d=1,drawbox=y=0:h=80:color=blue:t=fill", "-c:v", "libx264", flat
    )
    ffmpeg("-display_rotation", "90", "-i", flat, "-c", "copy", clip)
    shown = tmp_path / "shown.png"
    ffmpeg("-i", clip, "-frames:v", "1", "-vf", f"scale={WIDTH}:{HEIGHT}", shown)
    segment, _ = conform(clip, tmp_path / "segment", frames=24)
    import cv2

    expected = cv2.imread(str(shown))
    assert psnr(frames(segment, "bgr24")[3], expected) > 25


@pytest.mark.parametrize("shape", ["120x120", "90x160", "320x80", "64x48"])
def test_letterbox_shows_a_clip_of_another_aspect_ratio_uncropped_on_black(tmp_path, shape):
    clip = tmp_path / "clip.mp4"
    ffmpeg("-f", "lavfi", "-i", f"color=white:s={shape}:r=24:d=1", "-c:v", "libx264", clip)
    segment, _ = conform(clip, tmp_path / "segment", frames=24, letterbox=True)
    shown = frames(segment, "gray")[3]
    assert shown.shape == (HEIGHT, WIDTH)
    across, down = (int(side) for side in shape.split("x"))
    scale = min(WIDTH / across, HEIGHT / down)
    white = shown > 128
    assert abs(white.any(0).sum() - across * scale) <= 2
    assert abs(white.any(1).sum() - down * scale) <= 2
    assert white[HEIGHT // 2, WIDTH // 2]
    corner = shown[0, 0], shown[-1, -1]
    assert max(corner) < 20


def test_clips_with_full_range_or_the_bt601_matrix_keep_their_colours(tmp_path):
    """Encode one colour in four ways; all segments show the same colour."""
    seen = []
    for number, (matrix, span) in enumerate(
        (("bt709", "tv"), ("bt709", "pc"), ("smpte170m", "tv"), ("smpte170m", "pc"))
    ):
        clip = tmp_path / f"{number}.mp4"
        scale = f"format=rgb24,scale=out_color_matrix={matrix}:out_range={span},format=yuv420p"
        tags = ["-colorspace", matrix, "-color_range", span]
        ffmpeg("-f", "lavfi", "-i", "color=0xC04020:s=320x180:r=24:d=1", "-vf", scale, "-c:v", "libx264", *tags, clip)
        segment, _ = conform(clip, tmp_path / f"segment{number}", frames=24)
        seen.append(frames(segment, "rgb24")[5].mean(axis=(0, 1)))
    assert np.abs(np.array(seen) - [0xC0, 0x40, 0x20]).max() < 8  # a wrong matrix or range is off by 15 and more


def test_joined_segments_and_transition_have_the_frames_of_an_uncut_render(tmp_path):
    """ffmpeg decodes two segments and their transition without a warning, and the frames at each join are correct."""
    spans = ({"frames": 40, "head": 0, "tail": 10}, {"frames": 40, "head": 10, "tail": 0})
    clips = [render_clip(tmp_path / f"clip{n}", seed=n, **span) for n, span in enumerate(spans)]
    segments = [
        conform(clip, tmp_path / f"segment{n}", **span)[0]
        for n, (clip, span) in enumerate(zip(clips, spans, strict=True))
    ]
    timings = [tmp_path / f"segment{n}" / "timing.json" for n in range(2)]
    from pipelines.step_params import TransitionParams

    transition = next(
        iter(
            load(BlendTransition, BRIDGE).run(
                BRIDGE, TransitionParams(**SIZE), {"clips": clips, "timings": timings}, tmp_path, Quiet(), seed=0
            )
        )
    )
    film = tmp_path / "film.mp4"
    concatenate([segments[0], transition, segments[1]], film, ComposeParams(**SIZE), 70)
    assert ffmpeg("-v", "warning", "-i", film, "-f", "null", "-") == ""
    seen, before, after = frames(film), frames(clips[0]), frames(clips[1])
    assert len(seen) == 70
    assert min(psnr(seen[n], before[n]) for n in range(30)) > 60
    assert min(psnr(seen[n + 30], after[n]) for n in range(10, 40)) > 60
    assert psnr(seen[30], before[30]) > 30  # the first frame of the transition is close to the last frame of the scene
    assert {0, 30, 40} <= set(groups(film))


def test_subtitles_are_burned_in_at_the_time_of_the_scene(tmp_path):
    clip = render_clip(tmp_path / "clip", camera="static", frames=48, head=6)
    text = tmp_path / "scene.ass"
    text.write_text(
        "[Script Info]\nPlayResX: 320\nPlayResY: 180\n[V4+ Styles]\n"
        "Format: Name,Fontname,Fontsize,PrimaryColour,Alignment,MarginV\nStyle: D,Sans,30,&H00FFFFFF,2,10\n[Events]\n"
        "Format: Layer,Start,End,Style,Text\n"
        "Dialogue: 0,0:00:01.00,0:00:01.50,D,{\\an7\\pos(60,120)\\p1}m 0 0 l 200 0 200 40 0 40{\\p0}\n"
    )
    segment, report = conform(clip, tmp_path / "segment", subtitles=text, frames=48, head=6)
    assert not report.facts["copied"]
    bright = [frame[130:150, 80:240].mean() > 200 for frame in frames(segment)]
    assert [n for n, lit in enumerate(bright) if lit] == list(range(24 - 6, 36 - 6))


@pytest.mark.parametrize("content", [b"", b"#EXTM3U\n/etc/passwd\n", b"\x00\x00\x00\x20ftypisom" + bytes(64)])
def test_a_file_that_is_not_a_video_is_refused(tmp_path, content):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(content)
    with pytest.raises(BadInput, match="clip"):
        conform(clip, tmp_path / "segment", frames=24)
