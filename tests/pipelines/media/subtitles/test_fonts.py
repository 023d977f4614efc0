"""Fonts for every language: coverage, subsets, family names, licences and characters without a glyph."""

import io
import os
import subprocess
import sys

import pytest
from fontTools.ttLib import TTFont, TTLibError
from PIL import ImageFont

from pipelines.media.subtitles.cues import Cue
from pipelines.media.subtitles.font_rename import ASCENT, DESCENT, rename_font
from pipelines.media.subtitles.fonts import clusters, font_for_language, is_invisible, select_fonts
from pipelines.media.subtitles.formats import SubtitleFrame, format_ass
from pipelines.step_params import LANGUAGES
from tests.pipelines.media.stories import STORIES
from tests.pipelines.media.studio import ffmpeg


def shape_glyphs(font: bytes, text: str) -> list[int]:
    """Return the glyph numbers of a text that HarfBuzz shapes with a font; 0 is the glyph of missing characters."""
    import uharfbuzz

    buffer = uharfbuzz.Buffer()
    buffer.add_str(text)
    buffer.guess_segment_properties()
    uharfbuzz.shape(uharfbuzz.Font(uharfbuzz.Face(font)), buffer)
    return [info.codepoint for info in buffer.glyph_infos]


@pytest.mark.parametrize("language", LANGUAGES)
def test_selected_fonts_have_a_glyph_for_every_character_of_a_language(language):
    faces = select_fonts(language, STORIES[language])
    assert not faces.missing
    runs = list(faces.runs(STORIES[language]))
    assert "".join(piece for _, piece in runs) == STORIES[language]
    for face, piece in runs:
        assert 0 not in shape_glyphs(face.subset(piece), "".join(c for c in piece if not is_invisible(c)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_subset_is_small_and_static_and_has_its_own_family_name_and_line_metrics(language):
    face = font_for_language(language)
    font = face.subset(STORIES[language])
    assert len(font) < 130_000
    opened = ImageFont.truetype(io.BytesIO(font), 100)
    assert opened.getname() == (face.family, "Regular")
    assert face.family.startswith("Film Noto Sans")
    assert opened.getmetrics() == (round(100 * ASCENT), round(100 * DESCENT))
    with pytest.raises(OSError, match="argument"):
        opened.get_variation_axes()
    assert face.subset(STORIES[language]) == font


def test_a_subset_keeps_the_licence_entry():
    assert "SIL Open Font License".encode("utf-16-be") in font_for_language("Arabic").subset("ا")


def test_a_subset_keeps_hindi_conjuncts_and_arabic_joined_forms():
    hindi = font_for_language("Hindi").subset("क्ष")
    assert len(shape_glyphs(hindi, "क्ष")) == 1
    arabic = font_for_language("Arabic").subset("لابب")
    assert len(set(shape_glyphs(arabic, "ببب"))) > 2  # initial, medial, final, and the dot of all three
    assert len(shape_glyphs(arabic, "لا")) < len(shape_glyphs(arabic, "ل ا"))  # the ligature


def test_chinese_japanese_and_korean_use_their_own_glyph_forms():
    assert len({font_for_language(language).index for language in ("Chinese", "Japanese", "Korean")}) == 3
    assert font_for_language("Chinese").subset("骨") != font_for_language("Japanese").subset("骨")


def test_each_script_and_emoji_of_a_mixed_text_gets_a_font_that_covers_it():
    faces = select_fonts("Arabic", "قطة Tom 猫 🐈")
    assert not faces.missing
    assert len({face.family for face, _ in faces.runs("قطة Tom 猫 🐈")}) >= 3
    assert "".join(piece for _, piece in faces.runs("قطة Tom 猫 🐈")) == "قطة Tom 猫 🐈"


def test_a_word_in_another_script_does_not_change_the_font_of_the_rest():
    text = "The cat 猫 said “hello”."
    faces = select_fonts("English", text)
    assert [(face.family, piece) for face, piece in faces.runs(text)] == [
        ("Film Noto Sans", "The cat "),
        ("Film Noto Sans CJK SC", "猫"),
        ("Film Noto Sans", " said “hello”."),
    ]


def test_characters_without_a_font_are_reported_and_left_out():
    faces = select_fonts("English", "A\U0001340c\U000e9999B")
    assert faces.missing >= {"\U0001340c"}
    assert "".join(piece for _, piece in faces.runs("A\U0001340cB")) == "AB"


def test_a_text_without_visible_characters_gets_a_font():
    assert select_fonts("Hindi", "").faces
    assert select_fonts("Korean", " \u200d").faces


def test_clusters_keep_marks_and_joiners_with_their_base_character():
    assert list(clusters("कि")) == ["कि"]
    assert list(clusters("e\u0301a")) == ["e\u0301", "a"]
    assert list(clusters("👩\u200d🚀x")) == ["👩\u200d🚀", "x"]


WITHOUT_PACKAGES = """
import sys
sys.modules["manimgx_fonts"] = sys.modules["manimgx_fonts_cjk"] = None
from pipelines.media.subtitles.fonts import font_for_language
from pipelines.base import MissingDependency
try:
    print("found", font_for_language("English").file)
except MissingDependency as error:
    print("missing", error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="uses the font folders of Linux")
def test_the_system_fonts_are_searched_when_the_font_packages_are_missing(tmp_path):
    def find_font(folder):
        environment = os.environ | {"XDG_DATA_DIRS": str(folder), "HOME": str(folder)}
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_PACKAGES], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert 'missing no font for English was found; pip install "story-engine[draft]"' in find_font(tmp_path)
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "Own.ttf").write_bytes(font_for_language("English").subset("Aa"))
    (tmp_path / "fonts" / "broken.ttf").write_bytes(b"no font at all")
    assert f"found {tmp_path / 'fonts' / 'Own.ttf'}" in find_font(tmp_path)


@pytest.mark.parametrize("language", ["English", "Arabic", "Japanese"])
def test_fonttools_freetype_and_libass_read_the_new_family_name(language, tmp_path):
    text = STORIES[language].split()[0]
    faces = select_fonts(language, text)
    face = faces.faces[0]
    font = face.subset(text)
    names = TTFont(io.BytesIO(font))["name"]
    assert [names.getDebugName(number) for number in (1, 2, 4)] == [face.family, "Regular", face.family]
    assert ImageFont.truetype(io.BytesIO(font), 20).getname() == (face.family, "Regular")
    (tmp_path / "text.ass").write_text(format_ass([Cue(0, 5, (text,))], faces, SubtitleFrame(320, 180)), "utf-8")
    log = ffmpeg(
        *("-v", "verbose", "-f", "lavfi", "-i", "color=black:s=320x180", "-frames:v", "1"),
        *("-vf", "ass=text.ass", "-f", "null", "-"),
        cwd=tmp_path,
    )
    postscript_name = names.getDebugName(6)
    assert f"fontselect: ({face.family}, 400, 0) -> {postscript_name}, 0, {postscript_name}" in log


def test_renaming_changes_only_names_line_metrics_and_checksum():
    font = font_for_language("English").subset("Aa")
    renamed = rename_font(font, "Another Name")
    before, after = TTFont(io.BytesIO(font)), TTFont(io.BytesIO(renamed))
    changed = {tag for tag in before.reader.tables if before.reader[tag] != after.reader[tag]}
    assert changed == {"name", "head"}, "the subset has the line metrics already"
    assert before["head"].modified == after["head"].modified


def test_a_renamed_font_can_be_renamed_again():
    font = rename_font(font_for_language("English").subset("Aa"), "Another Name")
    assert ImageFont.truetype(io.BytesIO(font), 20).getname() == ("Another Name", "Regular")


def test_renaming_refuses_bytes_that_are_no_font():
    with pytest.raises(TTLibError):
        rename_font(b"not a font", "Name")
