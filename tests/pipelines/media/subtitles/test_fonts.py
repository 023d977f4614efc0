"""Every language has a font with all its glyphs; what none has is said, not drawn as a box."""

import io
import os
import subprocess
import sys

import pytest
from PIL import ImageFont

from pipelines.media.subtitles.font_rename import ASCENT, DESCENT, rename_font
from pipelines.media.subtitles.fonts import clusters, font_for_language, is_invisible, select_fonts
from pipelines.step_params import LANGUAGES
from tests.pipelines.media.stories import STORIES


def shaped(font: bytes, text: str) -> list[int]:
    """Glyph numbers of a text, shaped by HarfBuzz from the bytes of a font; 0 is the box for what is missing."""
    import uharfbuzz

    buffer = uharfbuzz.Buffer()
    buffer.add_str(text)
    buffer.guess_segment_properties()
    uharfbuzz.shape(uharfbuzz.Font(uharfbuzz.Face(font)), buffer)
    return [info.codepoint for info in buffer.glyph_infos]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_character_of_a_language_is_found_and_drawn(language):
    faces = select_fonts(language, STORIES[language])
    assert not faces.missing
    runs = list(faces.runs(STORIES[language]))
    assert "".join(piece for _, piece in runs) == STORIES[language]
    for face, piece in runs:
        assert 0 not in shaped(face.subset(piece), "".join(c for c in piece if not is_invisible(c)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_subset_is_small_static_and_has_a_name_of_its_own(language):
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


def test_the_licence_travels_with_the_font():
    assert "SIL Open Font License".encode("utf-16-be") in font_for_language("Arabic").subset("ا")


def test_conjuncts_and_joined_forms_survive_the_cut():
    hindi = font_for_language("Hindi").subset("क्ष")
    assert len(shaped(hindi, "क्ष")) == 1
    arabic = font_for_language("Arabic").subset("لابب")
    assert len(set(shaped(arabic, "ببب"))) > 2  # initial, medial, final, and the dot of all three
    assert len(shaped(arabic, "لا")) < len(shaped(arabic, "ل ا"))  # the ligature


def test_chinese_japanese_and_korean_have_their_own_forms():
    assert len({font_for_language(language).index for language in ("Chinese", "Japanese", "Korean")}) == 3
    assert font_for_language("Chinese").subset("骨") != font_for_language("Japanese").subset("骨")


def test_mixed_scripts_and_emoji_get_a_font_each():
    faces = select_fonts("Arabic", "قطة Tom 猫 🐈")
    assert not faces.missing
    assert len({face.family for face, _ in faces.runs("قطة Tom 猫 🐈")}) >= 3
    assert "".join(piece for _, piece in faces.runs("قطة Tom 猫 🐈")) == "قطة Tom 猫 🐈"


def test_a_foreign_word_does_not_change_the_font_of_the_rest():
    text = "The cat 猫 said “hello”."
    faces = select_fonts("English", text)
    assert [(face.family, piece) for face, piece in faces.runs(text)] == [
        ("Film Noto Sans", "The cat "),
        ("Film Noto Sans CJK SC", "猫"),
        ("Film Noto Sans", " said “hello”."),
    ]


def test_what_no_font_has_is_named_and_left_out():
    faces = select_fonts("English", "A\U0001340c\U000e9999B")
    assert faces.missing >= {"\U0001340c"}
    assert "".join(piece for _, piece in faces.runs("A\U0001340cB")) == "AB"


def test_text_without_letters_has_a_font_too():
    assert select_fonts("Hindi", "").faces
    assert select_fonts("Korean", " \u200d").faces


def test_clusters_keep_marks_and_joiners_with_their_letter():
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


@pytest.mark.skipif(sys.platform != "linux", reason="looks for fonts where Linux keeps them")
def test_without_the_packages_the_system_is_searched(tmp_path):
    def asked(folder):
        environment = os.environ | {"XDG_DATA_DIRS": str(folder), "HOME": str(folder)}
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_PACKAGES], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert 'missing no font for English was found; pip install "story-engine[draft]"' in asked(tmp_path)
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "Own.ttf").write_bytes(font_for_language("English").subset("Aa"))
    (tmp_path / "fonts" / "broken.ttf").write_bytes(b"no font at all")
    assert f"found {tmp_path / 'fonts' / 'Own.ttf'}" in asked(tmp_path)


def test_a_font_can_be_renamed_twice():
    font = rename_font(font_for_language("English").subset("Aa"), "Another Name")
    assert ImageFont.truetype(io.BytesIO(font), 20).getname() == ("Another Name", "Regular")
