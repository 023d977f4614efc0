"""Which font shows a text: found by coverage, cut down to the characters needed, given a name that no other font has.

The default fonts are Noto (OFL), which the packages manimgx-fonts and manimgx-fonts-cjk carry; where they lack a character,
the fonts of the system are searched. A subset of a few kilobytes travels inside each ASS file, so a text looks the same on
every machine and never falls back to a font that happens to be there.
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
from pipelines.media.subtitles.font_rename import rename_font

if TYPE_CHECKING:
    import uharfbuzz

FONT_WEIGHT = 500
"""Medium: regular strokes look thin inside an outline, bold ones fill in at the size of a subtitle."""
INSTALL_HINT = 'pip install "story-engine[draft]" brings fonts for every supported language'

LANGUAGE_CODES = {
    "Arabic": "ar", "Chinese": "zh-Hans", "English": "en", "French": "fr", "German": "de",
    "Hindi": "hi", "Japanese": "ja", "Korean": "ko", "Spanish": "es", "Turkish": "tr",
}  # fmt: skip
"""BCP 47 codes of the languages."""

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
        """The name by which an ASS file asks for the subset that it carries; no installed font has it."""
        own = self._face.get_name(1) or self.file.stem
        return "Film " + "".join(character for character in own if character.isalnum() or character == " ")

    @cached_property
    def characters(self) -> frozenset[int]:
        """The code points that the font has glyphs for."""
        return frozenset(self._face.unicodes)

    def covers(self, text: str) -> bool:
        return all(is_invisible(character) or ord(character) in self.characters for character in text)

    def width(self, text: str, code: str) -> float:
        """The width of a text in this font, shaped as its language (a BCP 47 code) wants it, in em."""
        import uharfbuzz

        buffer = uharfbuzz.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        buffer.language = code
        uharfbuzz.shape(self._font, buffer)
        return float(sum(position.x_advance for position in buffer.glyph_positions)) / float(self._face.upem)

    def subset(self, characters: Iterable[str]) -> bytes:
        """A static font with the given characters (and all their joined forms) under the name `family`."""
        import uharfbuzz

        wanted = uharfbuzz.SubsetInput()
        wanted.unicode_set.update(ord(character) for character in {" ", *characters})
        wanted.name_id_set.update({0, 13, 14})  # copyright, licence, where the licence is: they travel along
        wanted.flags = uharfbuzz.SubsetFlags.NO_HINTING | uharfbuzz.SubsetFlags.DOWNGRADE_CFF2
        for axis in self._face.axis_infos:
            value = min(max(FONT_WEIGHT, axis.min_value), axis.max_value) if axis.tag == "wght" else axis.default_value
            wanted.pin_axis_location(self._face, axis.tag, value)
        return rename_font(bytes(uharfbuzz.subset(self._face, wanted).blob.data), self.family)

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
    """The fonts that show a text: the first is the language's own, the others step in for what it lacks.

    `code` is the language by which the text is shaped: fonts have forms and spaces of their own for some.
    """

    faces: tuple[FontFace, ...]
    language_code: str
    missing: frozenset[str] = frozenset()

    def runs(self, text: str) -> Iterator[tuple[FontFace, str]]:
        """The text in pieces of one font each. What no font has is left out: nothing is better than an empty box."""
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
        """The width of a text in em."""
        return sum(face.width(piece, self.language_code) for face, piece in self.runs(text))


def font_for_language(language: str) -> FontFace:
    """The font that subtitles of a language are set in. Raises MissingDependency when this machine has none."""
    return select_fonts(language, _SAMPLES.get(language, "Aa")).faces[0]


def select_fonts(language: str, text: str) -> FontStack:
    """The fonts that show `text`, and the characters that no font has. Raises MissingDependency when this machine has no font at all."""
    visible = {character for character in text if not is_invisible(character)}
    left = set(visible)
    chosen: list[FontFace] = []
    for choice in _candidates(language):
        if not left and chosen:
            break
        if not visible or any(ord(character) in choice.characters for character in left):
            chosen.append(choice)
            left = {character for character in left if ord(character) not in choice.characters}
    if not chosen:
        raise MissingDependency(f"no font for {language} was found; {INSTALL_HINT}")
    if not _covers_half(chosen[0], visible):
        chosen.sort(key=lambda choice: -sum(ord(character) in choice.characters for character in visible))
    return FontStack(tuple(chosen), LANGUAGE_CODES.get(language, "en"), frozenset(left))


def _covers_half(choice: FontFace, visible: set[str]) -> bool:
    """Whether the language's own font shows at least half of the characters."""
    return 2 * sum(ord(character) in choice.characters for character in visible) >= len(visible)


def clusters(text: str) -> Iterator[str]:
    """The text in pieces that stand or fall together: a character with its marks, joiners and what they join."""
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
    """Whether a character needs no glyph: space, joiner, mark of direction, variation selector."""
    return character.isspace() or character in _JOINERS or unicodedata.category(character) in ("Cf", "Cc", "Zs")


def _candidates(language: str) -> Iterator[FontFace]:
    """Every font that may serve, the best first. Lazy: system folders are searched only when the packages do not suffice."""
    own = _LANGUAGE_FONTS.get(language, _LATIN)
    for package, name, index in dict.fromkeys((own, _LATIN, _ARABIC, _DEVANAGARI, _CHINESE)):
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
        found = importlib.util.find_spec(name)
    except ValueError:  # a module of that name without a spec: not the package meant
        return None
    return Path(found.origin).parent if found and found.origin else None


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
    """Font files of the system, upright regular ones first; what may not be embedded, or cannot be read, is left out."""
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
    """Whether the font says that a subset may travel inside a document (OS/2 fsType)."""
    try:
        table = _font_face(file)._face.reference_table("OS/2").data
    except Exception:  # an unreadable font of the system is no reason to fail
        return False
    return len(table) >= 78 and not struct.unpack(">H", table[8:10])[0] & 0x0302
