"""AAC encoding: sync, determinism, and detection of truncated audio."""

import sys

import av
import numpy as np
import pytest

from pipelines.media.audio.aac import verify_audio, write_aac
from tests.pipelines.media.studio import RATE, tone, wav


@pytest.fixture
def click(tmp_path):
    """Write 3 s and 333 samples of silence with a click at 2 s."""
    sound = np.zeros((3 * RATE + 333, 2), np.float32)
    sound[2 * RATE : 2 * RATE + RATE // 200] = tone(0.005, 1500, RATE, 0.8)[: RATE // 200, None]
    return wav(tmp_path / "click", sound)


def test_encoding_keeps_the_length_and_the_times_of_the_audio(click, tmp_path):
    write_aac(click, tmp_path / "sound.m4a")
    with av.open(str(tmp_path / "sound.m4a")) as file:
        assert file.streams.audio[0].duration == 3 * RATE + 333
        audio = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    assert abs(int(np.argmax(np.abs(audio) > 0.3)) - 2 * RATE) < 0.001 * RATE


def test_the_same_audio_gives_the_same_bytes(click, tmp_path):
    for name in ("a", "b"):
        write_aac(click, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_verification_fails_for_truncated_audio(click, tmp_path):
    write_aac(click, tmp_path / "sound.m4a")
    content = (tmp_path / "sound.m4a").read_bytes()
    (tmp_path / "cut.m4a").write_bytes(content[: len(content) // 2])
    with pytest.raises(RuntimeError, match="cannot be decoded"):
        verify_audio(tmp_path / "cut.m4a")


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits need POSIX")
def test_a_full_disk_fails_the_encoding(click, tmp_path):
    import resource

    write_aac(click, tmp_path / "sound.m4a")
    size = (tmp_path / "sound.m4a").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - 100, before[1]))
    try:
        with pytest.raises((RuntimeError, OSError)):
            write_aac(click, tmp_path / "full.m4a")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
