"""The ffmpeg program: selection, output and errors."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.media.codec.ffmpeg import FILES_ONLY, FfmpegCommandError, ffmpeg_path, run


def test_the_default_ffmpeg_has_the_required_filters():
    filters = subprocess.run(
        [ffmpeg_path(), "-v", "error", "-filters"], capture_output=True, text=True, check=True
    ).stdout
    assert {"ass", "subtitles", "ebur128"} <= {
        line.split()[1] for line in filters.splitlines() if len(line.split()) > 2
    }


def test_run_returns_the_standard_output():
    assert "frame=5" in run(
        ["-v", "error", "-f", "lavfi", "-i", "color=s=32x32:r=5:d=1", "-progress", "pipe:1", "-f", "null", "-"],
        "Counting",
    )


def test_a_failure_has_a_short_message_and_logs_the_output_of_ffmpeg(tmp_path, caplog):
    with pytest.raises(FfmpegCommandError) as caught:
        run(
            ["-v", "error", "-f", "wav", "-i", str(tmp_path / "secret-name.wav"), "-f", "null", "-"],
            "Reading the sound",
        )
    assert str(caught.value).startswith("Reading the sound failed")
    assert "secret-name" not in str(caught.value)
    assert "secret-name" in caught.value.log
    assert "secret-name" in caplog.text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_raises_enospc():
    with pytest.raises(OSError, match="the disk is full") as caught:
        run(["-v", "error", "-y", "-f", "lavfi", "-i", "sine=d=5", "-f", "wav", "/dev/full"], "Writing")
    assert caught.value.errno == errno.ENOSPC


def test_ffmpeg_opens_only_local_files(tmp_path):
    (tmp_path / "list.txt").write_text("ffconcat version 1.0\nfile http://127.0.0.1:9/x.mp4\n")
    with pytest.raises(FfmpegCommandError) as caught:
        run(
            ["-v", "error", *FILES_ONLY, "-f", "concat", "-safe", "0", "-i", "list.txt", "-f", "null", "-"],
            "Joining",
            tmp_path,
        )
    assert "whitelist" in caught.value.log


@pytest.mark.parametrize("named", ["/no/such/ffmpeg", "no-such-ffmpeg-anywhere"])
def test_a_missing_engine_ffmpeg_raises_missing_dependency(named):
    code = "from pipelines.media.codec.ffmpeg import ffmpeg_path; ffmpeg_path()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"ENGINE_FFMPEG": named}, capture_output=True, text=True
    )
    assert "MissingDependency: ENGINE_FFMPEG is not an executable" in done.stderr


def test_engine_ffmpeg_selects_the_program():
    code = "from pipelines.media.codec.ffmpeg import ffmpeg_path; print(ffmpeg_path())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"ENGINE_FFMPEG": sys.executable}, capture_output=True, text=True
    )
    assert done.stdout.strip() == sys.executable
