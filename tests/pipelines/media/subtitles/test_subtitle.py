"""The subtitle family: SRT and ASS of the film, and an ASS per scene that does not depend on other scenes."""

import itertools
import json
import re
import shutil

import pytest

from pipelines.base import BadInput, Device, Kind, ModelSpec
from pipelines.media.subtitles.subtitle import Subtitler
from pipelines.step_params import LANGUAGES, SubtitleParams
from tests.pipelines.media.stories import STORIES, spoken
from tests.pipelines.media.studio import FPS, Heard, ffmpeg, timeline, write_timeline

TIME = re.compile(r"(\d\d):(\d\d):(\d\d),(\d{3}) --> (\d\d):(\d\d):(\d\d),(\d{3})")


@pytest.fixture
def subtitle(tmp_path):
    def write_subtitles(line, narrations, report=None, **params):
        out = tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        files = []
        for number, words in enumerate(narrations):
            files.append(tmp_path / f"words{number}")
            files[-1].write_text(words if isinstance(words, str) else json.dumps(words), "utf-8")
        subtitler = Subtitler.load(ModelSpec(name="subtitler", family="", kinds=(Kind.SUBTITLE,)), Device())
        subtitle_params = SubtitleParams(**{"width": 640, "height": 360} | params)
        inputs = {"word_timings": files, "timeline": [write_timeline(tmp_path, line)]}
        paths = list(subtitler.run(Kind.SUBTITLE, subtitle_params, inputs, out, report or Heard(), seed=1))
        assert {path.name for path in paths} == {path.name for path in out.iterdir()}
        return {path.name: path.read_text("utf-8") for path in paths}

    return write_subtitles


def parsed(srt: str) -> list[tuple[float, float, list[str]]]:
    """Parse SRT strictly: blocks numbered from 1 with times and one or two lines, separated by blank lines."""
    found = []
    for number, block in enumerate(srt.rstrip("\n").split("\n\n"), 1):
        count, times, *lines = block.split("\n")
        assert count == str(number)
        match = TIME.fullmatch(times)
        assert match
        h, m, s, ms, h2, m2, s2, ms2 = map(int, match.groups())
        assert lines
        assert all(lines)
        found.append((h * 3600 + m * 60 + s + ms / 1000, h2 * 3600 + m2 * 60 + s2 + ms2 / 1000, lines))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_film_of_three_scenes_gets_ordered_cues_at_the_times_of_its_narrations(language, subtitle):
    narration = spoken(STORIES[language], language)
    seconds = narration["seconds"] + 2
    line = timeline(seconds, seconds, seconds, speech=narration["seconds"], begin=1.0, overlap=12)
    report = Heard()
    files = subtitle(line, [narration] * 3, report, language=language)
    assert sorted(files) == ["scene-001.ass", "scene-002.ass", "scene-003.ass", "subtitles.ass", "subtitles.srt"]
    cues = parsed(files["subtitles.srt"])
    assert all(start < end for start, end, _ in cues)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(cues))
    assert len(cues) % 3 == 0
    for place, own in zip(
        line.scenes, (cues[n * len(cues) // 3 : (n + 1) * len(cues) // 3] for n in range(3)), strict=True
    ):
        assert own[0][0] == pytest.approx(place.narration + 0.1, abs=0.002)
        assert own[-1][1] <= (place.start + place.timing.frames) / FPS
    assert files["subtitles.ass"].count("Dialogue:") == len(cues)
    assert not report.warnings
    assert report.facts["cues"] == len(cues)


def test_the_ass_of_a_scene_has_the_times_of_its_clip_and_does_not_depend_on_other_scenes(subtitle):
    narration = spoken(STORIES["English"], "English")
    before = subtitle(timeline(30.0, 30.0, speech=narration["seconds"], begin=0.5), [narration, narration])
    other = spoken("Another, longer beginning. " * 3, "English")
    after = subtitle(timeline(41.0, 30.0, speech=narration["seconds"], begin=0.5), [other, narration])
    assert before["scene-001.ass"] == before["scene-002.ass"] == after["scene-002.ass"]
    assert before["scene-001.ass"] != after["scene-001.ass"]
    assert "Dialogue: 0,0:00:00.60," in after["scene-002.ass"]


def test_a_scene_without_narration_gets_an_ass_without_cues(subtitle):
    line = timeline(5.0, 12.0, speech=8.0)
    quiet = line.scenes[0].model_copy(update={"narration": None, "speech": 0.0})
    files = subtitle(
        line.model_copy(update={"scenes": (quiet, line.scenes[1])}), [spoken("Once upon a time.", "English")]
    )
    assert "Dialogue" not in files["scene-001.ass"]
    assert "Dialogue" in files["scene-002.ass"]


def test_ffmpeg_reads_the_srt(subtitle, tmp_path):
    narration = spoken(STORIES["Hindi"], "Hindi")
    files = subtitle(timeline(narration["seconds"] + 2, speech=narration["seconds"]), [narration], language="Hindi")
    (tmp_path / "a.srt").write_text(files["subtitles.srt"], "utf-8")
    ffmpeg("-v", "error", "-f", "srt", "-i", "a.srt", "b.srt", cwd=tmp_path)
    assert parsed((tmp_path / "b.srt").read_text("utf-8")) == parsed(files["subtitles.srt"])


def test_the_same_words_give_the_same_bytes(subtitle):
    narration = spoken(STORIES["Arabic"], "Arabic")
    line = timeline(narration["seconds"] + 2, speech=narration["seconds"])
    assert subtitle(line, [narration], language="Arabic") == subtitle(line, [narration], language="Arabic")


def test_override_codes_and_tags_in_the_text_are_removed(subtitle):
    narration = spoken("{\\pos(0,0)}Hello {\\b1}bold{\\b0} \\N <font size=99>world</font> --> end.", "English")
    files = subtitle(timeline(20.0, speech=narration["seconds"]), [narration])
    events = files["scene-001.ass"].split("[Events]")[1]
    assert set(re.findall(r"\{[^}]*\}", events)) == {f"{{\\blur{0.025 * 18:.2f}}}"}
    assert "<font" not in files["subtitles.srt"]


def test_a_character_without_a_font_gives_a_warning(subtitle):
    report = Heard()
    narration = spoken("A sign \U0001340c of old.", "English")
    files = subtitle(timeline(10.0, speech=narration["seconds"]), [narration], report)
    assert any("\U0001340c" in warning and "pip install" in warning for warning in report.warnings)
    assert "\U0001340c" in files["subtitles.srt"]
    assert "\U0001340c" not in files["subtitles.ass"]


@pytest.mark.parametrize("narrations", [[], ["{}"], ["no json"], ['{"seconds": -1, "words": []}'], ["{}", "{}"]])
def test_missing_surplus_or_invalid_word_timings_are_refused(narrations, subtitle):
    with pytest.raises(BadInput) as caught:
        subtitle(timeline(5.0, speech=3.0), narrations)
    assert caught.value.field == "word_timings"
