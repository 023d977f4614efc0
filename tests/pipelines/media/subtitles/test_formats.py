"""SRT and ASS: burned-in lines compared with a second shaping engine, layout in the frame, and file contents."""

import re

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont, features

from pipelines.languages import LANGUAGE_FACTS
from pipelines.media.subtitles.cues import Cue
from pipelines.media.subtitles.fonts import FONT_WEIGHT, select_fonts
from pipelines.media.subtitles.formats import SubtitleFrame, format_ass, format_srt
from pipelines.step_params import LANGUAGES
from tests.pipelines.media.studio import ffmpeg

LINES = {
    "Arabic": "عاشت قطة رمادية صغيرة اسمها لولو",
    "Chinese": "住着一只名叫小灰的猫。",
    "English": "There lived a small grey cat.",
    "French": "Où vivait un cœur d’été ?",
    "German": "Die Größe übt Straßenmusik.",
    "Hindi": "क्षत्रिय श्रीमान हमेशा मछली रखते थे।",
    "Japanese": "灰色の猫が住んでいました。",
    "Korean": "회색 고양이가 살고 있었습니다",
    "Spanish": "¿Dónde está el niño pequeño?",
    "Turkish": "İğde ağacının altında ışık söndü.",
}
SIZES = [(1280, 720), (720, 1280)]


def burned(text: str, folder, width: int, height: int, filter_name: str = "ass") -> np.ndarray:
    """Return the luma of a black frame with a subtitle file burned in by ffmpeg."""
    (folder / "scene.ass").write_text(text, "utf-8")
    source = f"color=black:s={width}x{height}:r=24"
    log = ffmpeg(
        "-v",
        "verbose",
        "-f",
        "lavfi",
        "-i",
        source,
        "-vf",
        f"{filter_name}=scene.ass",
        "-frames:v",
        "1",
        "frame.png",
        cwd=folder,
    )
    assert "fontselect: failed" not in log
    assert "Glyph" not in log
    return np.asarray(Image.open(folder / "frame.png").convert("L"))


def box(picture: np.ndarray) -> tuple[int, int, int, int]:
    found = Image.fromarray((picture > 128).astype(np.uint8) * 255).getbbox()
    assert found
    return found


def reference(text: str, language: str, size: float, layout: ImageFont.Layout = ImageFont.Layout.RAQM) -> np.ndarray:
    """Draw the same line with Pillow and libraqm from the complete variable font, without hinting."""
    face = select_fonts(language, text).faces[0]
    font = ImageFont.truetype(face.file, size * 4, index=face.index, layout_engine=layout)
    axes = font.get_variation_axes()
    font.set_variation_by_axes([FONT_WEIGHT if b"eight" in axis["name"] else axis["default"] for axis in axes])
    picture = Image.new("L", (8000, 1200))
    ImageDraw.Draw(picture).text(
        (400, 400), text, 255, font, language=LANGUAGE_FACTS[language].bcp47 if layout else None
    )
    return np.asarray(picture.reduce(4))


def likeness(one: np.ndarray, two: np.ndarray) -> float:
    """Return the correlation of two centred drawings at the best shift of up to two pixels."""

    def middle(picture):
        left, top, right, bottom = box(picture)
        canvas = Image.new("L", (1400, 160))
        cropped = Image.fromarray(picture).crop((left, top, right, bottom))
        canvas.paste(cropped, (700 - cropped.width // 2, 80 - cropped.height // 2))
        return canvas

    first, second = middle(one), middle(two)
    shifts = [(x, y) for x in range(-2, 3) for y in range(-2, 3)]
    flat = np.asarray(first, float).ravel()
    return max(
        float(np.corrcoef(flat, np.asarray(ImageChops.offset(second, x, y), float).ravel())[0, 1]) for x, y in shifts
    )


@pytest.mark.skipif(not features.check("raqm"), reason="Pillow without libraqm cannot shape the reference")
@pytest.mark.parametrize(("width", "height"), SIZES, ids=["wide", "tall"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_burned_line_equals_the_shaped_reference(language, width, height, tmp_path):
    text = LINES[language]
    faces, frame = select_fonts(language, text), SubtitleFrame(width, height)
    assert len(faces.faces) == 1
    picture = burned(format_ass([Cue(0, 5, (text,))], faces, frame), tmp_path, width, height)
    expected = reference(text, language, frame.font_size)
    left, top, right, bottom = box(picture)
    expected_left, expected_top, expected_right, expected_bottom = box(expected)
    assert right - left == pytest.approx(expected_right - expected_left, rel=0.01, abs=3)
    assert bottom - top == pytest.approx(expected_bottom - expected_top, abs=3)
    assert likeness(picture, expected) > 0.9
    # in the middle, within the margins, clear of the lower edge
    assert (left + right) / 2 == pytest.approx(
        width / 2, abs=frame.font_size / 2
    )  # a full-width mark has empty space beside it
    assert left >= frame.side_margin * 0.9
    assert height - bottom >= frame.bottom_margin * 0.8


@pytest.mark.skipif(not features.check("raqm"), reason="Pillow without libraqm cannot shape the reference")
@pytest.mark.parametrize("language", ["Arabic", "Hindi"])
def test_the_comparison_detects_unshaped_text(language, tmp_path):
    faces, frame = select_fonts(language, LINES[language]), SubtitleFrame(1280, 720)
    picture = burned(format_ass([Cue(0, 5, (LINES[language],))], faces, frame), tmp_path, 1280, 720)
    assert likeness(picture, reference(LINES[language], language, frame.font_size, ImageFont.Layout.BASIC)) < 0.6


def test_arabic_runs_from_right_to_left_with_its_final_mark_on_the_left(tmp_path):
    text = "قال: نعم!"
    frame, faces = SubtitleFrame(1280, 720), select_fonts("Arabic", text)
    picture = burned(format_ass([Cue(0, 5, (text,))], faces, frame), tmp_path, 1280, 720) > 128
    left, top, right, bottom = box(picture.astype(np.uint8) * 255)
    columns = picture[top:bottom, left:right].any(axis=0)
    first_gap = int(np.argmin(columns))
    assert first_gap < frame.font_size * 0.35  # the exclamation mark, narrow, stands at the left end


def test_the_filters_ass_and_subtitles_draw_the_same(tmp_path):
    text = format_ass([Cue(0, 5, ("Hello 猫 قطة",))], select_fonts("English", "Hello 猫 قطة"), SubtitleFrame(640, 360))
    np.testing.assert_array_equal(burned(text, tmp_path, 640, 360), burned(text, tmp_path, 640, 360, "subtitles"))


def test_two_lines_of_maximum_width_stay_inside_the_frame(tmp_path):
    for width, height in [*SIZES, (720, 720), (1920, 1080), (160, 90)]:
        frame = SubtitleFrame(width, height)
        line = "W" * int((width - 2 * frame.side_margin) / frame.font_size / select_fonts("English", "W").width("W"))
        picture = burned(
            format_ass([Cue(0, 5, (line, line))], select_fonts("English", line), frame), tmp_path, width, height
        )
        left, _top, right, bottom = box(picture)
        assert left >= frame.side_margin * 0.9 - 1
        assert right <= width - frame.side_margin * 0.9 + 1
        assert bottom <= height * 0.96


def test_an_ass_file_without_cues_is_valid(tmp_path):
    text = format_ass([], select_fonts("English", ""), SubtitleFrame(320, 180))
    assert not burned(text, tmp_path, 320, 180).any()


def test_an_ass_file_contains_frame_size_fonts_and_line_breaks():
    text = format_ass([Cue(1.234, 3.5, ("One", "two"))], select_fonts("English", "One two"), SubtitleFrame(1280, 720))
    assert "PlayResX: 1280\nPlayResY: 720" in text
    assert "fontname: film_0.ttf" in text
    assert re.search(
        r"^Dialogue: 0,0:00:01.23,0:00:03.50,Default,,0,0,0,,\{\\blur[\d.]+\}One\\Ntwo$", text, re.MULTILINE
    )


def test_srt_has_milliseconds_and_escapes_tags_and_arrows():
    srt = format_srt([Cue(0.0, 1.9999, ("One <i>two", "a --> b < c")), Cue(3661.5, 3662.25, ("猫",))])
    assert srt == "1\n00:00:00,000 --> 00:00:01,999\nOne < i>two\na -> b < c\n\n2\n01:01:01,500 --> 01:01:02,250\n猫\n"
