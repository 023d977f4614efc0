"""Reading of audio: rates, sample formats, containers, sync and unreadable files."""

import numpy as np
import pytest
import soundfile

from pipelines.base import BadInput
from pipelines.media.audio.reader import AudioStream, has_audio, read_blocks
from tests.pipelines.media.studio import RATE, ffmpeg, tone, wav, write_segment


def read(path, container=None):
    return np.concatenate(list(read_blocks(path, "sound", container)))


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_resampling_keeps_pitch_level_length_and_sync(rate, subtype, tmp_path):
    sound = tone(1.0, 1000, rate, 0.5)
    sound[: rate // 2] = 0
    audio = read(wav(tmp_path / "sound", sound, rate, subtype), "wav")
    assert audio.shape[1] == 2
    assert len(audio) == pytest.approx(RATE, abs=2)
    np.testing.assert_array_equal(audio[:, 0], audio[:, 1])
    expected = tone(1.0, 1000, RATE, 0.5)[RATE * 5 // 8 : RATE * 7 // 8]
    found = audio[RATE * 5 // 8 : RATE * 7 // 8, 0]
    scale = np.dot(found, expected) / np.dot(expected, expected)
    error = found / scale - expected
    assert np.square(error).mean() < np.square(expected).mean() * 10 ** (
        -60 / 10
    )  # 60 dB below, place and pitch included


@pytest.mark.parametrize("kind", ["PCM_U8", "PCM_24", "PCM_32", "DOUBLE"])
def test_every_sample_format_keeps_its_level(kind, tmp_path):
    audio = read(wav(tmp_path / "sound", tone(0.2, 500), RATE, kind), "wav")
    assert np.abs(audio).max() == pytest.approx(0.1414, abs=0.005)  # one channel becomes two of the same power together


@pytest.mark.parametrize("kind", ["flac", "ogg", "mp3", "m4a", "webm"])
def test_the_format_is_detected_by_content_regardless_of_the_file_name(kind, tmp_path):
    wav(tmp_path / "sound.wav", tone(1.0, 440))
    ffmpeg("-i", "sound.wav", f"sound.{kind}", cwd=tmp_path)
    (tmp_path / f"sound.{kind}").rename(tmp_path / "upload")
    audio = read(tmp_path / "upload")
    assert len(audio) == pytest.approx(RATE, rel=0.1)
    spectrum = np.abs(np.fft.rfft(audio[: RATE // 2, 0]))
    assert np.argmax(spectrum) * 2 == pytest.approx(440, abs=3)


def test_audio_without_samples_is_refused(tmp_path):
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.float32), RATE)
    with pytest.raises(BadInput, match="no samples"):
        read(tmp_path / "empty.wav", "wav")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(bad, tmp_path):
    sound = tone(0.5, 440)
    sound[1234] = bad
    with pytest.raises(BadInput, match="not finite numbers"):
        read(wav(tmp_path / "bad.wav", sound, RATE, "FLOAT"), "wav")


def test_files_without_audio_are_refused(tmp_path):
    (tmp_path / "playlist").write_text("#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\n/etc/hostname\n")
    with pytest.raises(BadInput, match="unknown audio format"):
        read(tmp_path / "playlist")
    for container in ("wav", "mov"):
        with pytest.raises(BadInput, match="not readable audio"):
            read(tmp_path / "playlist", container)
    silent = write_segment(tmp_path / "silent.mp4", 4)
    assert not has_audio(silent)
    with pytest.raises(BadInput, match="no audio stream"):
        read(silent, "mov")


def test_an_audio_stream_gives_silence_after_its_end():
    track = AudioStream(iter([np.ones((5, 2), np.float32), np.ones((4, 2), np.float32)]))
    audio = np.concatenate([track.read(3), track.read(4), track.read(4), track.read(2)])[:, 0]
    np.testing.assert_array_equal(audio, [1] * 9 + [0] * 4)
