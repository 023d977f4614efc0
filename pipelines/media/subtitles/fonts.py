"""Selection of fonts by their coverage of a text, and subsets of fonts under unique family names.

The default fonts are Noto (OFL) from the packages manimgx-fonts and manimgx-fonts-cjk. System fonts are searched for
characters that those lack. Each ASS file contains a subset of a few kilobytes of each of its fonts, so that a text
looks the same on every machine and no renderer falls back to an installed font.
"""

from __future__ import annotations

import importlib.util
import os
import struct
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.base import MissingDependency
from pipelines.languages import LANGUAGE_FACTS
from pipelines.media.subtitles.font_rename import LEGAL_NAME_IDS, rename_font

if TYPE_CHECKING:
    import uharfbuzz

FONT_WEIGHT = 500
"""Weight of variable fonts (medium): regular looks thin inside an outline, bold clogs at the size of subtitles."""
INSTALL_HINT = 'pip install "story-engine[draft]" installs fonts for every supported language'

_LATIN = ("manimgx_fonts", "NotoSans[wght].ttf", 0)
_ARABIC = ("manimgx_fonts", "NotoSansArabic[wght].ttf", 0)
_DEVANAGARI = ("manimgx_fonts", "NotoSansDevanagari[wght].ttf", 0)
_JAPANESE = ("manimgx_fonts_cjk", "NotoSansCJK-VF.otf.ttc", 0)
_KOREAN = ("manimgx_fonts_cjk", "NotoSansCJK-VF.otf.ttc", 1)
_CHINESE = ("manimgx_fonts_cjk", "NotoSansCJK-VF.otf.ttc", 2)
_LANGUAGE_FONTS = {
    "Arabic": _ARABIC,
    "Chinese": _CHINESE,
    "Hindi": _DEVANAGARI,
    "Japanese": _JAPANESE,
    "Korean": _KOREAN,
}
_SAMPLES = {"Arabic": "العربية", "Chinese": "中文", "Hindi": "हिन्दी", "Japanese": "日本語", "Korean": "한국어"}


@dataclass(frozen=True)
class FontFace:
    """One face of a font file."""

    file: Path
    index: int = 0

    @property
    def folder(self) -> Path:
        return self.file.parent

    @cached_property
    def family(self) -> str:
        """The family name of subsets in ASS files. The prefix `Film` avoids clashes with installed fonts."""
        name = self._face.get_name(1) or self.file.stem
        return "Film " + "".join(character for character in name if character.isalnum() or character == " ")

    @cached_property
    def characters(self) -> frozenset[int]:
        """The code points for which the font has glyphs."""
        return frozenset(self._face.unicodes)

    def covers(self, text: str) -> bool:
        """Return whether the font has a glyph for each visible character of the text."""
        return all(is_invisible(character) or ord(character) in self.characters for character in text)

    def width(self, text: str, code: str) -> float:
        """Return the width of a text in em, shaped for the language `code` (BCP 47)."""
        import uharfbuzz

        buffer = uharfbuzz.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        buffer.language = code
        uharfbuzz.shape(self._font, buffer)
        return float(sum(position.x_advance for position in buffer.glyph_positions)) / float(self._face.upem)

    def subset(self, characters: Iterable[str]) -> bytes:
        """Return a static font file with these characters and all their joined forms, under the name `family`."""
        import uharfbuzz

        subset = uharfbuzz.SubsetInput()
        subset.unicode_set.update(ord(character) for character in {" ", *characters})
        subset.name_id_set.update(LEGAL_NAME_IDS)
        subset.flags = uharfbuzz.SubsetFlags.NO_HINTING | uharfbuzz.SubsetFlags.DOWNGRADE_CFF2
        for axis in self._face.axis_infos:
            value = min(max(FONT_WEIGHT, axis.min_value), axis.max_value) if axis.tag == "wght" else axis.default_value
            subset.pin_axis_location(self._face, axis.tag, value)
        return rename_font(bytes(uharfbuzz.subset(self._face, subset).blob.data), self.family)

    @cached_property
    def _face(self) -> uharfbuzz.Face:
        import uharfbuzz

        return uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(self.file)), self.index)

    @cached_property
    def _font(self) -> uharfbuzz.Font:
        import uharfbuzz

        font = uharfbuzz.Font(self._face)
        font.set_variations({"wght": FONT_WEIGHT})
        return font


@dataclass(frozen=True)
class FontStack:
    """The fonts of a text: the first is the font of its language, the others cover the characters that it lacks.

    `language_code` (BCP 47) selects the language forms in shaping. `missing`: characters that no font covers.
    """

    faces: tuple[FontFace, ...]
    language_code: str
    missing: frozenset[str] = frozenset()

    def runs(self, text: str) -> Iterator[tuple[FontFace, str]]:
        """Yield the text in pieces of one font each, without the characters that no font covers."""
        current, piece = self.faces[0], ""
        for cluster in clusters(text):
            face = next((face for face in self.faces if face.covers(cluster)), None)
            if face is None:
                continue
            if face is not current and piece:
                yield current, piece
                piece = ""
            current, piece = face, piece + cluster
        if piece:
            yield current, piece

    def width(self, text: str) -> float:
        """Return the width of a text in em."""
        return sum(face.width(piece, self.language_code) for face, piece in self.runs(text))


def font_for_language(language: str) -> FontFace:
    """Return the main font for subtitles in a language. Raises MissingDependency when no font is installed."""
    return select_fonts(language, _SAMPLES.get(language, "Aa")).faces[0]


def select_fonts(language: str, text: str) -> FontStack:
    """Return the fonts that cover `text`. Raises MissingDependency when no font is installed."""
    visible = {character for character in text if not is_invisible(character)}
    missing = set(visible)
    selected: list[FontFace] = []
    for face in _candidates(language):
        if not missing and selected:
            break
        if not visible or any(ord(character) in face.characters for character in missing):
            selected.append(face)
            missing = {character for character in missing if ord(character) not in face.characters}
    if not selected:
        raise MissingDependency(f"no font for {language} was found; {INSTALL_HINT}")
    if not _covers_half(selected[0], visible):
        selected.sort(key=lambda face: -sum(ord(character) in face.characters for character in visible))
    return FontStack(
        tuple(selected), LANGUAGE_FACTS[language].bcp47 if language in LANGUAGE_FACTS else "en", frozenset(missing)
    )


def _covers_half(face: FontFace, visible: set[str]) -> bool:
    """Return whether the font has glyphs for at least half of the characters."""
    return 2 * sum(ord(character) in face.characters for character in visible) >= len(visible)


def clusters(text: str) -> Iterator[str]:
    """Yield the text in clusters: a base character with its marks, joiners and joined characters."""
    piece = ""
    for character in text:
        if piece and not (unicodedata.category(character)[0] == "M" or character in _JOINERS or piece[-1] == "\u200d"):
            yield piece
            piece = ""
        piece += character
    if piece:
        yield piece


_JOINERS = frozenset("\u200c\u200d\ufe0e\ufe0f")


def is_invisible(character: str) -> bool:
    """Return whether a character needs no glyph: a space, joiner, direction mark or variation selector."""
    return character.isspace() or character in _JOINERS or unicodedata.category(character) in ("Cf", "Cc", "Zs")


def _candidates(language: str) -> Iterator[FontFace]:
    """Yield all fonts in order of preference: first those of the packages, then those of the system.

    The iterator is lazy: it searches the system folders only after all fonts of the packages.
    """
    language_font = _LANGUAGE_FONTS.get(language, _LATIN)
    for package, name, index in dict.fromkeys((language_font, _LATIN, _ARABIC, _DEVANAGARI, _CHINESE)):
        folder = _package_folder(package)
        if folder is not None and (folder / name).is_file():
            yield _font_face(folder / name, index)
    folder = _package_folder("manimgx_fonts")
    for file in sorted(folder.glob("*.ttf")) if folder else ():
        if "Italic" not in file.name:
            yield _font_face(file)
    for file in _system_fonts():
        yield _font_face(file)


@cache
def _font_face(file: Path, index: int = 0) -> FontFace:
    return FontFace(file, index)


@cache
def _package_folder(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # sys.modules holds a module of this name without a spec
        return None
    return Path(spec.origin).parent if spec and spec.origin else None


def _system_folders() -> list[Path]:
    if sys.platform == "win32":
        local = Path(os.environ.get("LOCALAPPDATA", ""), "Microsoft", "Windows", "Fonts")
        return [Path(os.environ.get("WINDIR", "C:/Windows"), "Fonts"), local]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), Path.home() / "Library/Fonts"]
    shared = os.environ.get("XDG_DATA_DIRS", "/usr/local/share:/usr/share").split(":")
    return [Path.home() / ".local/share/fonts", Path.home() / ".fonts", *(Path(folder, "fonts") for folder in shared)]


@cache
def _system_fonts() -> tuple[Path, ...]:
    """Return the readable system fonts that allow embedding, upright regular ones first."""
    files = (
        file
        for folder in _system_folders()
        if folder.is_dir()
        for file in folder.rglob("*")
        if file.suffix.lower() in (".ttf", ".otf", ".ttc")
    )
    return tuple(sorted(filter(_is_embeddable, files), key=lambda file: (_is_styled(file.stem), str(file))))


def _is_styled(name: str) -> bool:
    return any(style in name for style in ("Bold", "Italic", "Oblique", "Light", "Thin", "Black", "Mono", "Condensed"))


def _is_embeddable(file: Path) -> bool:
    """Return whether the font allows embedding of a subset in documents (OS/2 fsType)."""
    try:
        table = _font_face(file)._face.reference_table("OS/2").data
    except Exception:  # skip unreadable system fonts
        return False
    return len(table) >= 78 and not struct.unpack(">H", table[8:10])[0] & 0x0302
