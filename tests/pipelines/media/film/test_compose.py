"""Composition of the film: timestamps, tracks, metadata, determinism, and damaged inputs and films."""

import os
import shutil
import subprocess
import sys
from itertools import pairwise

import av
import numpy as np
import pytest

from pipelines.base import BadInput, Device, Kind, ModelSpec
from pipelines.media.audio.aac import write_aac
from pipelines.media.codec.integrity import is_verified, mark_verified
from pipelines.media.film.compose import Composer, verify_film
from pipelines.media.film.concat import digest_packets
from pipelines.media.film.mp4_boxes import iter_boxes
from pipelines.step_params import ComposeParams
from tests.pipelines.media.studio import (
    FPS,
    RATE,
    Heard,
    babble,
    decode_audio,
    ebur128,
    ffmpeg,
    timeline,
    tone,
    wav,
    write_segment,
    write_timeline,
)

SRT = "1\n00:00:00,200 --> 00:00:01,500\nFirst\nline\n\n2\n00:00:02,000 --> 00:00:03,000\n第二\n"
LENGTHS = (1, 30, 2, 17, 1, 3, 50)


@pytest.fixture
def compose(tmp_path):
    def composed(segments, *, frames=None, out="out", **options):
        folder = tmp_path / out
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        inputs = {
            "segments": segments,
            "timeline": [write_timeline(tmp_path, timeline((frames or sum(LENGTHS)) / FPS))],
        }
        if "sound" in options:
            inputs["sound"] = [tmp_path / "sound.m4a"]
            write_aac(options.pop("sound"), *inputs["sound"])
        if "subtitles" in options:
            inputs["subtitles"] = [options.pop("subtitles")]
        params = ComposeParams(**{"width": 160, "height": 90} | options)
        composer = Composer.load(ModelSpec(name="composer", family="", kinds=(Kind.COMPOSE,)), Device())
        try:
            (film,) = composer.run(Kind.COMPOSE, params, inputs, folder, Heard(), seed=1)
        except Exception:
            assert not list(folder.iterdir()), "a failure leaves no files"
            raise
        assert [path.name for path in folder.iterdir()] == ["film.mp4"]
        return film

    return composed


@pytest.fixture(scope="module")
def segments(tmp_path_factory):
    folder = tmp_path_factory.mktemp("segments")
    return [write_segment(folder / f"segment{number}", frames, seed=number) for number, frames in enumerate(LENGTHS)]


@pytest.fixture
def sound(tmp_path):
    level = np.stack([tone(sum(LENGTHS) / FPS, 440), tone(sum(LENGTHS) / FPS, 660)], axis=1)
    return wav(tmp_path / "sound", level)


@pytest.fixture
def srt(tmp_path):
    path = tmp_path / "subtitles"
    path.write_text(SRT, "utf-8")
    return path


def luma_frames(path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)])


def test_the_film_has_every_frame_of_every_segment_in_order_with_exact_timestamps(compose, segments, sound, srt):
    film = compose(segments, sound=sound, subtitles=srt, title="A film")
    np.testing.assert_array_equal(luma_frames(film), np.concatenate([luma_frames(path) for path in segments]))
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.dts is not None]
        tick = round(1 / (FPS * stream.time_base))
        assert {after.dts - before.dts for before, after in pairwise(packets)} == {tick}
        assert sorted(packet.pts for packet in packets) == [number * tick for number in range(sum(LENGTHS))]
        assert all(packet.dts <= packet.pts for packet in packets)
        assert stream.average_rate == FPS


def test_the_tracks_have_equal_lengths_and_carry_codec_colour_language_and_title(compose, segments, sound, srt):
    film = compose(
        segments, sound=sound, subtitles=srt, title="Füchse\n& Gänse", comment="made by a test", language="Japanese"
    )
    with av.open(str(film)) as container:
        video, audio, text = container.streams
        expected = sum(LENGTHS) / FPS
        assert float(video.duration * video.time_base) == pytest.approx(expected, abs=1e-6)
        assert float(audio.duration * audio.time_base) == pytest.approx(expected, abs=1 / FPS)
        assert (video.codec_context.name, audio.codec_context.name, text.codec_context.name) == (
            "h264",
            "aac",
            "mov_text",
        )
        assert (audio.codec_context.sample_rate, audio.codec_context.layout.name) == (RATE, "stereo")
        assert audio.metadata["language"] == text.metadata["language"] == "jpn"
        assert container.metadata["title"] == "Füchse & Gänse"
        assert container.metadata["comment"] == "made by a test"
        assert "creation_time" not in container.metadata
        assert "encoder" not in container.metadata
        assert (
            video.codec_context.color_primaries == video.codec_context.color_trc == video.codec_context.colorspace == 1
        )
        assert video.codec_context.color_range == 1


def test_the_index_of_the_film_comes_before_its_data(compose, segments, sound):
    film = compose(segments, sound=sound)
    with film.open("rb") as file:
        kinds = [kind for kind, _, _ in iter_boxes(file, 0, film.stat().st_size)]
    assert kinds.index(b"moov") < kinds.index(b"mdat")


def test_ffmpeg_decodes_the_film_without_a_warning(compose, segments, sound, srt):
    film = compose(segments, sound=sound, subtitles=srt)
    assert ffmpeg("-v", "warning", "-i", str(film), "-map", "0", "-c:s", "srt", "-f", "null", "-") == ""


def test_the_film_contains_the_subtitles_as_a_disabled_track(compose, segments, srt, tmp_path):
    film = compose(segments, subtitles=srt)
    ffmpeg("-v", "error", "-i", str(film), "-map", "0:s", str(tmp_path / "back.srt"))
    assert (tmp_path / "back.srt").read_text("utf-8").split("\n\n")[:2] == SRT.rstrip("\n").split("\n\n")
    data = film.read_bytes()
    headers = [at for at in range(len(data) - 4) if data[at : at + 4] == b"tkhd"]
    assert [data[at + 7] & 1 for at in headers] == [1, 0]


def test_a_film_without_audio_and_with_empty_subtitles_has_only_a_video_track(compose, segments, tmp_path):
    empty = tmp_path / "empty"
    empty.write_text("")
    with av.open(str(compose(segments, subtitles=empty))) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_the_same_inputs_give_the_same_bytes(compose, segments, sound, srt):
    one, two = (compose(segments, sound=sound, subtitles=srt, title="T", out=name).read_bytes() for name in ("a", "b"))
    assert one == two


@pytest.mark.parametrize("fps", [12, 24, 25, 30, 50, 60])
def test_the_film_has_the_requested_frame_rate_and_duration(fps, tmp_path):
    clips = [write_segment(tmp_path / f"p{number}", fps, seed=number, fps=fps) for number in range(3)]
    line = timeline(3.0).model_copy(update={"fps": fps})
    place = line.scenes[0].model_copy(
        update={"timing": line.scenes[0].timing.model_copy(update={"fps": fps, "frames": 3 * fps})}
    )
    (tmp_path / "line").write_text(line.model_copy(update={"scenes": (place,)}).model_dump_json())
    (tmp_path / "film").mkdir()
    inputs = {"segments": clips, "timeline": [tmp_path / "line"]}
    params = ComposeParams(width=160, height=90, fps=fps)
    (film,) = Composer().run(Kind.COMPOSE, params, inputs, tmp_path / "film", Heard(), seed=1)
    with av.open(str(film)) as container:
        assert container.streams.video[0].average_rate == fps
        assert container.duration == 3_000_000


def test_the_audio_of_many_scenes_stays_in_sync(compose, tmp_path):
    scenes = int(os.environ.get("ENGINE_TEST_SCENES", "20"))
    clips = [
        write_segment(tmp_path / f"p{number}", 24 + number % 5, seed=number, width=32, height=32)
        for number in range(scenes)
    ]
    starts = np.cumsum([0, *(24 + number % 5 for number in range(scenes))])
    track = np.zeros((round(starts[-1] * RATE / FPS), 2), np.float32)
    for start in starts[:-1]:
        at = round(start * RATE / FPS) + RATE // 4
        track[at : at + 240] = tone(0.005, 1500, level=0.8)[:, None]
    film = compose(clips, frames=int(starts[-1]), sound=wav(tmp_path / "clicks", track), width=32, height=32)
    audio = np.abs(decode_audio(film)[:, 0])
    for start in starts[:-1]:
        expected = start * RATE / FPS + RATE / 4
        window = audio[round(expected) - RATE // 5 : round(expected) + RATE // 5]
        found = round(expected) - RATE // 5 + int(np.argmax(window > 0.4))
        assert abs(found - expected) <= 0.002 * RATE  # the promise is 20 ms


def test_aac_keeps_loudness_and_true_peak(compose, segments, tmp_path):
    track = wav(tmp_path / "voice", np.stack([babble(sum(LENGTHS) / FPS, level=0.81)] * 2, axis=1))
    before, after = ebur128(track), ebur128(compose(segments, sound=track))
    assert after[0] == pytest.approx(before[0], abs=0.2)
    assert after[1] <= before[1] + 0.8


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data[: len(data) * 2 // 3], "segment 2 is damaged or incomplete"),
        (lambda data: b"", "segment 2 is damaged or incomplete"),
        (lambda data: b"#EXTM3U\n#EXTINF:1,\nother.ts\n", "segment 2 is damaged or incomplete"),
        (lambda data: data[:4000] + bytes(len(data) - 4000), "segment 2 is damaged or incomplete"),
    ],
    ids=["cut", "empty", "playlist", "zeros"],
)
def test_a_damaged_segment_is_refused(spoil, message, compose, segments, tmp_path):
    bad = tmp_path / "bad"
    bad.write_bytes(spoil(segments[1].read_bytes()))
    with pytest.raises(BadInput, match=message):
        compose([segments[0], bad, *segments[2:]])


def test_damaged_bytes_inside_an_unmarked_segment_are_detected_by_decoding(compose, tmp_path):
    clip = write_segment(tmp_path / "clip", 48)
    data = bytearray(clip.read_bytes())
    with clip.open("rb") as file:
        ((start, stop),) = [(a, b) for kind, a, b in iter_boxes(file, 0, len(data)) if kind == b"mdat"]
    data[start + (stop - start) // 3 : start + (stop - start) // 3 + 400] = bytes(400)
    (tmp_path / "damaged").write_bytes(data)
    with pytest.raises((BadInput, RuntimeError)):
        compose([tmp_path / "damaged"], frames=48)


def test_a_segment_with_the_wrong_length_size_rate_or_encoding_is_refused_by_its_number(compose, segments, tmp_path):
    with pytest.raises(BadInput, match="the segments have 104 frames, the film has 105"):
        compose(segments, frames=105)
    with pytest.raises(BadInput, match="the segments have 0 frames"):
        compose([])
    with pytest.raises(BadInput, match="segment 2 is h264 32×32 at 24"):
        compose([segments[0], write_segment(tmp_path / "small", 5, width=32, height=32)])
    with pytest.raises(BadInput, match="segment 2 is h264 160×90 at 30"):
        compose([segments[0], write_segment(tmp_path / "fast", 5, fps=30)])
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=160x90:r=24:d=1",
        "-c:v",
        "libx264",
        "-bf",
        "0",
        "-pix_fmt",
        "yuv420p",
        str(tmp_path / "x.mp4"),
    )
    with pytest.raises(BadInput, match="another encoding"):
        compose([segments[0], tmp_path / "x.mp4"], frames=25)


def test_audio_of_another_length_is_refused(compose, segments, tmp_path):
    with pytest.raises(RuntimeError, match="the tracks of the film last"):
        compose(segments, sound=wav(tmp_path / "short", np.stack([tone(2, 440)] * 2, axis=1)))


def test_verification_fails_for_a_truncated_film(compose, segments, sound, tmp_path):
    film = compose(segments, sound=sound)
    count, digest = digest_packets(film, FPS)
    data = film.read_bytes()
    for keep in (0.999, 0.9, 0.5, 0.1):
        (tmp_path / "cut.mp4").write_bytes(data[: int(len(data) * keep)])
        with pytest.raises((RuntimeError, OSError)):
            verify_film(tmp_path / "cut.mp4", sum(LENGTHS), FPS, digest, audio=True)
    verify_film(film, sum(LENGTHS), FPS, digest, audio=True)
    assert count == sum(LENGTHS)


def packet_positions(path, kind):
    """Return file positions inside about 12 packets of a track, spread over its length."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(**{kind: 0}) if packet.size and packet.pos is not None]
        return [packet.pos + packet.size // 2 for packet in packets[:: max(1, len(packets) // 12)]]


def test_verification_fails_for_one_changed_byte_of_video(compose, segments, sound, tmp_path):
    film = compose(segments, sound=sound)
    _, digest = digest_packets(film, FPS)
    for at in packet_positions(film, "video"):
        data = bytearray(film.read_bytes())
        data[at] ^= 1
        (tmp_path / "damaged.mp4").write_bytes(data)
        with pytest.raises(RuntimeError):
            verify_film(tmp_path / "damaged.mp4", sum(LENGTHS), FPS, digest, audio=True)


def test_verification_fails_for_audio_that_cannot_be_decoded(compose, segments, sound, tmp_path):
    film = compose(segments, sound=sound)
    _, digest = digest_packets(film, FPS)
    data = bytearray(film.read_bytes())
    for at in packet_positions(film, "audio"):
        data[at : at + 40] = b"\xff" * 40
    (tmp_path / "damaged.mp4").write_bytes(data)
    with pytest.raises(RuntimeError):
        verify_film(tmp_path / "damaged.mp4", sum(LENGTHS), FPS, digest, audio=True)


def test_verification_fails_for_the_video_of_another_film(compose, segments):
    film = compose(segments)
    _, digest = digest_packets(compose([*segments[1:], segments[0]], out="other"), FPS)
    with pytest.raises(RuntimeError, match="differs from its segments"):
        verify_film(film, sum(LENGTHS), FPS, digest, audio=False)


def test_the_mark_of_a_segment_is_valid_only_for_its_exact_bytes(compose, segments, tmp_path):
    marked = []
    for number, (one, frames) in enumerate(zip(segments, LENGTHS, strict=True)):
        marked.append(tmp_path / f"marked{number}")
        shutil.copyfile(one, marked[-1])
        assert not is_verified(marked[-1])
        mark_verified(marked[-1], frames)
        assert is_verified(marked[-1])
        assert ffmpeg("-v", "warning", "-f", "mov", "-i", str(marked[-1]), "-f", "null", "-") == ""
    assert compose(marked).read_bytes() == compose(segments, out="plain").read_bytes()
    content = marked[1].read_bytes()
    for at in range(0, len(content), 997):
        marked[1].write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert not is_verified(marked[1])
    for keep in (0, 10, len(content) // 2, len(content) - 1):
        marked[1].write_bytes(content[:keep])
        assert not is_verified(marked[1])


def test_a_segment_that_cannot_be_decoded_gets_no_mark(tmp_path):
    clip = write_segment(tmp_path / "clip", 48)
    with pytest.raises(RuntimeError, match="48 frames, not 47"):
        mark_verified(clip, 47)
    content = clip.read_bytes()
    for at in packet_positions(clip, "video"):
        clip.write_bytes(content[:at] + bytes(40) + content[at + 40 :])
        with pytest.raises(RuntimeError):
            mark_verified(clip, 48)
        assert not is_verified(clip)


def test_a_marked_segment_that_was_damaged_afterwards_is_refused(compose, tmp_path):
    clip = write_segment(tmp_path / "clip", 48)
    mark_verified(clip, 48)
    data = bytearray(clip.read_bytes())
    for at in packet_positions(clip, "video"):
        data[at : at + 40] = bytes(40)
    clip.write_bytes(data)
    with pytest.raises(BadInput, match="segment 1 is damaged or incomplete"):
        compose([clip], frames=48)


COMPOSE_WITH_FILE_SIZE_LIMIT = """
import resource, sys
from pathlib import Path
from tests.pipelines.media.studio import Heard
from pipelines.base import Kind
from pipelines.step_params import ComposeParams
from pipelines.media.film.compose import Composer
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
folder, segments = Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]]
out = folder / "limited"
inputs = {"segments": segments, "timeline": [folder / "timeline.json"], "sound": [folder / "sound.m4a"]}
try:
    Composer().run(Kind.COMPOSE, ComposeParams(width=160, height=90), inputs, out, Heard(), seed=1)
    print("accepted")
except Exception as error:
    print("refused", type(error).__name__, *out.iterdir())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits need POSIX")
def test_a_full_disk_never_leaves_a_film(compose, segments, sound, tmp_path):
    size = compose(segments, sound=sound).stat().st_size
    for limit in (0, 10_000, size // 2, size - 5000, size - 1, size):
        out = tmp_path / "limited"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        command = [sys.executable, "-c", COMPOSE_WITH_FILE_SIZE_LIMIT, str(limit), str(tmp_path), *map(str, segments)]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert output[:1] == ["accepted" if limit >= size else "refused"]
        assert limit >= size or len(output) == 2, "a failure leaves no files"
