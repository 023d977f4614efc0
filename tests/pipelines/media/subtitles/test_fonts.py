"""Every language has a font with all its glyphs; what none has is said, not drawn as a box."""

import io
import os
import subprocess
import sys

import pytest
from PIL import ImageFont

from pipelines.media.subtitles.font_rename import ASCENT, DESCENT, restyled
from pipelines.media.subtitles.fonts import clusters, fonts_for, invisible, typefaces
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
    faces = typefaces(language, STORIES[language])
    assert not faces.missing
    runs = list(faces.runs(STORIES[language]))
    assert "".join(piece for _, piece in runs) == STORIES[language]
    for face, piece in runs:
        assert 0 not in shaped(face.subset(piece), "".join(c for c in piece if not invisible(c)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_subset_is_small_static_and_has_a_name_of_its_own(language):
    face = fonts_for(language)
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
    assert "SIL Open Font License".encode("utf-16-be") in fonts_for("Arabic").subset("ا")


def test_conjuncts_and_joined_forms_survive_the_cut():
    hindi = fonts_for("Hindi").subset("क्ष")
    assert len(shaped(hindi, "क्ष")) == 1
    arabic = fonts_for("Arabic").subset("لابب")
    assert len(set(shaped(arabic, "ببب"))) > 2  # initial, medial, final, and the dot of all three
    assert len(shaped(arabic, "لا")) < len(shaped(arabic, "ل ا"))  # the ligature


def test_chinese_japanese_and_korean_have_their_own_forms():
    assert len({fonts_for(language).index for language in ("Chinese", "Japanese", "Korean")}) == 3
    assert fonts_for("Chinese").subset("骨") != fonts_for("Japanese").subset("骨")


def test_mixed_scripts_and_emoji_get_a_font_each():
    faces = typefaces("Arabic", "قطة Tom 猫 🐈")
    assert not faces.missing
    assert len({face.family for face, _ in faces.runs("قطة Tom 猫 🐈")}) >= 3
    assert "".join(piece for _, piece in faces.runs("قطة Tom 猫 🐈")) == "قطة Tom 猫 🐈"


def test_a_foreign_word_does_not_change_the_font_of_the_rest():
    text = "The cat 猫 said “hello”."
    faces = typefaces("English", text)
    assert [(face.family, piece) for face, piece in faces.runs(text)] == [
        ("Film Noto Sans", "The cat "),
        ("Film Noto Sans CJK SC", "猫"),
        ("Film Noto Sans", " said “hello”."),
    ]


def test_what_no_font_has_is_named_and_left_out():
    faces = typefaces("English", "A\U0001340c\U000e9999B")
    assert faces.missing >= {"\U0001340c"}
    assert "".join(piece for _, piece in faces.runs("A\U0001340cB")) == "AB"


def test_text_without_letters_has_a_font_too():
    assert typefaces("Hindi", "").faces
    assert typefaces("Korean", " \u200d").faces


def test_clusters_keep_marks_and_joiners_with_their_letter():
    assert list(clusters("कि")) == ["कि"]
    assert list(clusters("e\u0301a")) == ["e\u0301", "a"]
    assert list(clusters("👩\u200d🚀x")) == ["👩\u200d🚀", "x"]


WITHOUT_PACKAGES = """
import sys
sys.modules["manimgx_fonts"] = sys.modules["manimgx_fonts_cjk"] = None
from pipelines.media.subtitles.fonts import fonts_for
from pipelines.base import Missing
try:
    print("found", fonts_for("English").file)
except Missing as error:
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
    (tmp_path / "fonts" / "Own.ttf").write_bytes(fonts_for("English").subset("Aa"))
    (tmp_path / "fonts" / "broken.ttf").write_bytes(b"no font at all")
    assert f"found {tmp_path / 'fonts' / 'Own.ttf'}" in asked(tmp_path)


def test_a_font_can_be_renamed_twice():
    font = restyled(fonts_for("English").subset("Aa"), "Another Name")
    assert ImageFont.truetype(io.BytesIO(font), 20).getname() == ("Another Name", "Regular")
