"""The mix: sync of speech, ducking, loudness, native audio, invalid inputs and memory."""

import os
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from pipelines.base import BadInput, Device, Kind, ModelSpec
from pipelines.media.audio.mix import Mixer
from pipelines.media.audio.mixdown import Ducker
from pipelines.step_params import MixParams
from tests.pipelines.media.studio import FPS, RATE, Heard, babble, ebur128, ffmpeg, timeline, tone, wav, write_timeline

RATES = (16_000, 22_050, 24_000, 44_100, 48_000)


@pytest.fixture
def mix(tmp_path):
    def mixed(line, *, report=None, **inputs):
        params = inputs.pop("params", MixParams())
        out = tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        mixer = Mixer.load(ModelSpec(name="mixer", family="", kinds=(Kind.MIX,)), Device())
        inputs["timeline"] = [write_timeline(tmp_path, line)]
        path, _ = mixer.run(Kind.MIX, params, inputs, out, report or Heard(), seed=1)
        assert sorted(path.name for path in out.iterdir()) == ["sound.m4a", "sound.wav"]
        return path

    return mixed


def read_mix(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, RATE)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2) / 32768


def narrations(folder: Path, count: int, level=lambda number: 0.3) -> list[Path]:
    return [
        wav(folder / f"n{number}", babble(2.0, RATES[number % 5], level(number), number), RATES[number % 5])
        for number in range(count)
    ]


def test_the_narration_of_every_scene_is_in_sync(mix, tmp_path):
    scenes = int(os.environ.get("ENGINE_TEST_SCENES", "20"))
    lengths = [1.0 + 0.37 * (number % 4) for number in range(scenes)]
    line = timeline(*lengths, speech=0.5, begin=0.271)
    files = []
    for number in range(scenes):
        rate = RATES[number % 5]
        click = np.zeros(rate // 2, np.float32)
        click[rate // 10 : rate // 10 + rate // 200] = tone(0.005, 1500, rate, 0.8)[: rate // 200]
        files.append(wav(tmp_path / f"click{number}", click, rate))
    sound = np.abs(read_mix(mix(line, narrations=files))[:, 0])
    assert len(sound) == round(line.seconds * RATE)
    for place in line.scenes:
        expected = (place.narration + 0.1) * RATE
        window = sound[round(expected) - RATE // 5 : round(expected) + RATE // 5]
        found = round(expected) - RATE // 5 + int(np.argmax(window > 0.3 * window.max()))
        assert abs(found - expected) <= 0.001 * RATE  # the promise is 20 ms


@pytest.mark.parametrize("case", ["both", "speech", "music", "uneven", "quiet", "loud", "short"])
def test_the_mix_has_minus_16_lufs_for_any_inputs(case, mix, tmp_path):
    line = timeline(
        *([1.5] if case == "short" else [3.0, 4.0, 3.0]), speech=2.0 if case != "music" else None, begin=0.25
    )
    count = 0 if case == "music" else len(line.scenes)
    level = {"uneven": lambda n: (0.02, 0.2, 0.9)[n], "quiet": lambda n: 0.004, "loud": lambda n: 0.99}.get(
        case, lambda n: 0.3
    )
    music = [] if case == "speech" else [wav(tmp_path / "music", np.stack([tone(10, 220), tone(10, 330)], 1), 44_100)]
    report = Heard()
    path = mix(line, narrations=narrations(tmp_path, count, level), music=music, report=report)
    loudness, peak = ebur128(path)
    assert loudness == pytest.approx(-16.0, abs=0.5)
    assert peak <= -1.0
    assert not report.warnings
    assert report.facts["lufs"] == pytest.approx(loudness, abs=0.15)


@pytest.mark.parametrize("target", [-23.0, -14.0])
def test_the_mix_has_the_requested_loudness(target, mix, tmp_path):
    path = mix(timeline(3, 3, speech=2.0), narrations=narrations(tmp_path, 2), params=MixParams(loudness=target))
    loudness, peak = ebur128(path)
    assert loudness == pytest.approx(target, abs=0.5)
    assert peak <= -1.0


def test_narrations_of_different_loudness_become_equal(mix, tmp_path):
    line = timeline(3, 3, 3, speech=2.0, begin=0.5)
    sound = read_mix(mix(line, narrations=narrations(tmp_path, 3, lambda n: (0.03, 0.9, 0.1)[n])))
    levels = []
    for place in line.scenes:
        start = round(place.narration * RATE)
        levels.append(ebur128(wav(tmp_path / "one.wav", sound[start : start + 2 * RATE]))[0])
    assert max(levels) - min(levels) < 1.5


def loudness_of(sound: np.ndarray, hertz: float, window: int) -> np.ndarray:
    """Return the level of one frequency over time, in dB."""
    wave_form = np.exp(-2j * np.pi * hertz * np.arange(len(sound)) / RATE)
    level = np.abs(np.convolve(sound * wave_form, np.ones(window) / window, "same"))
    return 20 * np.log10(np.maximum(level, 1e-9))


@pytest.mark.parametrize("depth", [12.0, 18.0])
def test_music_is_ducked_smoothly_before_speech_starts(depth, mix, tmp_path):
    line = timeline(6, 6, 8, speech=2.0, begin=2.0)
    speech = [wav(tmp_path / f"n{n}", tone(2.0, 3000, level=0.3)) for n in range(3)]
    music = [wav(tmp_path / "music", np.stack([tone(20, 200), tone(20, 200)], 1))]
    sound = read_mix(mix(line, narrations=speech, music=music, params=MixParams(ducking_db=depth)))[:, 0]
    level = loudness_of(sound, 200, RATE // 50)
    for place in line.scenes:
        start = round(place.narration * RATE)
        before, during = level[start - RATE // 2], level[start + RATE // 50 : start + 2 * RATE - RATE // 50]
        assert before - during.max() >= max(9.0, depth - 1.0)
        assert abs(level[start + 3 * RATE] - before) < 0.7  # and comes back
    steps = np.abs(np.diff(level[RATE : -3 * RATE : RATE // 100]))
    assert steps.max() < 2.0  # dB in a hundredth of a second


def test_music_stays_ducked_in_short_gaps_between_speeches():
    duck = Ducker([(1.0, 2.0), (2.8, 4.0)], 12.0).curve(0, 6 * RATE)
    assert duck[RATE : 4 * RATE].max() == pytest.approx(10 ** (-12 / 20), rel=1e-3)
    assert duck[round(5.5 * RATE)] == pytest.approx(1.0)


def test_no_speech_or_zero_depth_means_no_ducking():
    assert Ducker([], 12.0).curve(0, RATE).min() == 1.0
    assert Ducker([(0.2, 0.5)], 0.0).curve(0, RATE).min() == 1.0


def test_music_fades_in_and_out_at_the_ends_of_the_film(mix, tmp_path):
    music = [wav(tmp_path / "music", np.stack([tone(12, 220), tone(12, 220)], 1))]
    sound = np.abs(read_mix(mix(timeline(12.0), music=music)))
    assert sound[:48].max() < 0.01
    assert sound[-48:].max() < 0.01
    assert sound[2 * RATE : 3 * RATE].max() > 2 * sound[-RATE // 2 :].max()


@pytest.mark.parametrize("seconds", [2.0, 30.0])
def test_music_of_another_length_is_cut_or_followed_by_silence(seconds, mix, tmp_path):
    line = timeline(5.0, 5.0, speech=2.0)
    music = [wav(tmp_path / "music", babble(seconds, 44_100), 44_100)]
    assert len(read_mix(mix(line, narrations=narrations(tmp_path, 2), music=music))) == 10 * RATE


def test_native_audio_of_clips_plays_in_their_scenes_with_cross_fades(mix, tmp_path):
    line = timeline(3.0, 3.0, 3.0, overlap=12)
    picture = ["-f", "lavfi", "-i", "color=s=32x32:r=24:d=3"]
    clips = []
    for hertz, name in ((500, "mine.mp4"), (900, "mine.webm")):
        ffmpeg(*picture, "-f", "lavfi", "-i", f"sine={hertz}:d=3", "-shortest", name, cwd=tmp_path)
        clips.append(tmp_path / name)
    ffmpeg(*picture, "silent.mp4", cwd=tmp_path)
    report = Heard()
    sound = read_mix(
        mix(
            line,
            clips=[*clips, tmp_path / "silent.mp4"],
            params=MixParams(native_audio_scenes=(1, 2, 3)),
            report=report,
        )
    )[:, 0]
    assert any("scene 3" in warning for warning in report.warnings)
    first, second = (loudness_of(sound, hertz, RATE // 20) for hertz in (500, 900))
    begin = line.scenes[1].start * RATE // FPS
    middle = begin + RATE // 4  # of the half second that both share
    assert first[begin - RATE // 4] > second[begin - RATE // 4] + 20
    assert first[middle] == pytest.approx(second[middle], abs=2.0)
    assert second[begin + RATE] > first[begin + RATE] + 20
    assert second[line.scenes[2].start * RATE // FPS + RATE] < -60


def test_extra_audio_files_play_from_the_start_of_the_film(mix, tmp_path):
    wav(tmp_path / "effect.wav", tone(4.0, 700))
    ffmpeg("-i", "effect.wav", "effect.mp3", cwd=tmp_path)
    sound = read_mix(mix(timeline(6.0), audio=[tmp_path / "effect.mp3"]))[:, 0]
    level = loudness_of(sound, 700, RATE // 20)
    assert level[2 * RATE] > level[5 * RATE] + 30


def test_the_same_inputs_give_the_same_bytes(mix, tmp_path):
    line = timeline(3.0, 3.0, speech=2.0)
    inputs = {"narrations": narrations(tmp_path, 2), "music": [wav(tmp_path / "m", babble(6, 44_100, seed=9), 44_100)]}
    assert mix(line, **inputs).read_bytes() == mix(line, **inputs).read_bytes()


def test_silent_inputs_give_a_silent_mix_and_a_warning(mix, tmp_path):
    report = Heard()
    silent = [wav(tmp_path / "n", np.zeros(RATE, np.float32))]
    assert not read_mix(mix(timeline(2.0, speech=1.0), narrations=silent, report=report)).any()
    assert report.warnings


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"narrations": []}, "narrations"),
        ({"narrations": ["good", "good"]}, "narrations"),
        ({"narrations": ["empty"]}, "narrations"),
        ({"narrations": ["nan"]}, "narrations"),
        ({"narrations": ["text"]}, "narrations"),
        ({"narrations": ["good"], "music": ["empty"]}, "music"),
        ({"narrations": ["good"], "audio": ["text"]}, "audio"),
        ({"narrations": ["good"], "clips": ["text"]}, "clips"),
        ({"narrations": ["good"], "clips": ["text"], "params": MixParams(native_audio_scenes=(1,))}, "clips"),
        (
            {"narrations": ["good"], "clips": ["text"], "params": MixParams(native_audio_scenes=(7,))},
            "native_audio_scenes",
        ),
    ],
)
def test_an_unusable_input_is_refused_by_its_role(inputs, field, mix, tmp_path):
    sound = tone(0.5, 300)
    wav(tmp_path / "good", sound)
    wav(tmp_path / "empty", sound[:0])
    wav(tmp_path / "nan", np.where(np.arange(len(sound)) == 99, np.nan, sound), subtype="FLOAT")
    (tmp_path / "text").write_text("#EXTM3U\nsecret.txt\n")
    given = {role: [tmp_path / name for name in names] if role != "params" else names for role, names in inputs.items()}
    with pytest.raises(BadInput) as caught:
        mix(timeline(2.0, speech=0.5), **given)
    assert caught.value.field == field


PRINT_MEMORY_OF_MIX = """
import resource, sys
from pathlib import Path
from tests.pipelines.media.studio import Heard
from pipelines.base import Kind
from pipelines.step_params import MixParams
from pipelines.media.audio.mix import Mixer
folder = Path(sys.argv[1])
(folder / "out").mkdir()
inputs = {"timeline": [folder / "timeline.json"], "music": [folder / "music"]}
Mixer().run(Kind.MIX, MixParams(), inputs, folder / "out", Heard(), seed=1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_film(tmp_path):
    used = []
    for minutes in (0.5, 4):
        folder = tmp_path / str(minutes)
        folder.mkdir()
        write_timeline(folder, timeline(minutes * 60))
        wav(folder / "music", tone(minutes * 60, 220, 8000), 8000)
        done = subprocess.run(
            [sys.executable, "-c", PRINT_MEMORY_OF_MIX, str(folder)], capture_output=True, check=True, text=True
        )
        used.append(int(done.stdout))
    assert used[1] <= used[0] * 1.15
