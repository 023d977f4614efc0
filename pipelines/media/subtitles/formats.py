"""The subtitle formats: SRT (SubRip) for players, ASS (Advanced SubStation Alpha) for burning in.

The ASS files contain all that rendering needs: sizes for the frame, line breaks, and a subset of each font. The ffmpeg
filters `ass` and `subtitles` render them the same on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.media.subtitles.cues import Cue
from pipelines.media.subtitles.font_rename import ASCENT, DESCENT
from pipelines.media.subtitles.fonts import FontFace, FontStack
from pipelines.media.subtitles.line_breaking import UNSPACED, LineMeasure

_WIDE = UNSPACED | {"Korean"}
_FORMAT = (
    "Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, "
    "StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, "
    "Encoding"
)
_WHITE, _DARK, _SHADE = "&H00FFFFFF", "&H18080808", "&H70000000"
_AUTO_ENCODING = -1
"""Encoding of the style with which libass detects the direction of each line."""


@dataclass(frozen=True, slots=True)
class SubtitleFrame:
    """The video frame of the subtitles, and the sizes that depend on it, in pixels."""

    width: int
    height: int

    @property
    def font_size(self) -> float:
        """The size of one em: a twentieth of the height, less in portrait frames, whose lines would be too short."""
        return max(10.0, min(self.height * 0.05, self.width * 0.057))

    @property
    def side_margin(self) -> int:
        return round(self.width * 0.06)

    @property
    def bottom_margin(self) -> int:
        """The distance to the lower edge; larger in portrait frames, since apps cover their lower edge."""
        return round(self.height * (0.06 if self.width >= self.height else 0.14))

    def measure(self, fonts: FontStack, language: str) -> LineMeasure:
        """Return the measure of lines in this frame: at most 42 half-width cells, 36 for wide characters."""
        widths: dict[str, float] = {}

        def em(text: str) -> float:
            if text not in widths:
                widths[text] = fonts.width(text)
            return widths[text]

        return LineMeasure(em, (self.width - 2 * self.side_margin) / self.font_size, 36 if language in _WIDE else 42)


def format_srt(cues: Sequence[Cue]) -> str:
    """Return the cues as SRT with times in milliseconds."""
    blocks = (
        f"{number}\n{_timestamp(cue.start, 3)} --> {_timestamp(cue.end, 3)}\n"
        + "".join(f"{_escape_srt(line)}\n" for line in cue.lines)
        for number, cue in enumerate(cues, 1)
    )
    return "\n".join(blocks)


def format_ass(cues: Sequence[Cue], fonts: FontStack, frame: SubtitleFrame) -> str:
    """Return the cues as ASS with their fonts embedded."""
    main = fonts.faces[0]
    style = (
        f"Style: Default,{main.family},{frame.font_size * (ASCENT + DESCENT):.2f},{_WHITE},{_WHITE},{_DARK},{_SHADE},"
        f"0,0,0,0,100,100,0,0,1,{frame.font_size * 0.08:.2f},{frame.font_size * 0.04:.2f},2,"
        f"{frame.side_margin},{frame.side_margin},{frame.bottom_margin},{_AUTO_ENCODING}"
    )
    parts = [
        "[Script Info]",
        "ScriptType: v4.00+",
        "WrapStyle: 2",
        "Kerning: yes",
        f"Language: {fonts.language_code}",
        "ScaledBorderAndShadow: yes",
        "YCbCr Matrix: None",
        f"PlayResX: {frame.width}",
        f"PlayResY: {frame.height}",
        "",
        "[V4+ Styles]",
        f"Format: {_FORMAT}",
        style,
        "",
        *_fonts_section(cues, fonts),
        "[Events]",
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text",
        *(_event(cue, fonts, frame) for cue in cues),
    ]
    return "\n".join(parts) + "\n"


def _event(cue: Cue, fonts: FontStack, frame: SubtitleFrame) -> str:
    text = "\\N".join(_line(line, fonts) for line in cue.lines)
    blur = f"{{\\blur{frame.font_size * 0.025:.2f}}}"
    return f"Dialogue: 0,{_timestamp(cue.start, 2)},{_timestamp(cue.end, 2)},Default,,0,0,0,,{blur}{text}"


def _line(line: str, fonts: FontStack) -> str:
    """Return the line with a font override (`\\fn`) for each run in another font than the main one."""
    main, text = fonts.faces[0], ""
    current = main
    for face, piece in fonts.runs(line):
        if face is not current:
            text += f"{{\\fn{face.family}}}"
            current = face
        text += piece
    return text if current is main else text + f"{{\\fn{main.family}}}"


def _fonts_section(cues: Iterable[Cue], fonts: FontStack) -> list[str]:
    """Return the lines of the section `[Fonts]`: a subset of each font with its characters in the cues."""
    characters: dict[FontFace, set[str]] = {}
    for cue in cues:
        for line in cue.lines:
            for face, piece in fonts.runs(line):
                characters.setdefault(face, set()).update(piece)
    if not characters:
        return []
    section = ["[Fonts]"]
    for number, face in enumerate(face for face in fonts.faces if face in characters):
        section += [f"fontname: film_{number}.ttf", *_uuencode(face.subset(characters[face])), ""]
    return section


def _uuencode(data: bytes) -> list[str]:
    """Encode binary data for ASS: six bits per character from `!`, 80 characters per line."""
    characters = []
    for at in range(0, len(data), 3):
        chunk = data[at : at + 3]
        bits = int.from_bytes(chunk.ljust(3, b"\0"), "big")
        characters += [chr(33 + (bits >> shift & 63)) for shift in (18, 12, 6, 0)[: len(chunk) + 1]]
    text = "".join(characters)
    return [text[at : at + 80] for at in range(0, len(text), 80)]


def _timestamp(seconds: float, digits: int) -> str:
    """Format a time as `0:00:01.23` for ASS (2 digits) or `00:00:01,230` for SRT (3 digits).

    Rounds down; 1e-4 of the last digit absorbs rounding errors.
    """
    units = 10**digits
    total = int(seconds * units + 1e-4)
    hours, rest = divmod(total, 3600 * units)
    minutes, rest = divmod(rest, 60 * units)
    second, fraction = divmod(rest, units)
    if digits == 2:
        return f"{hours}:{minutes:02}:{second:02}.{fraction:02}"
    return f"{hours:02}:{minutes:02}:{second:02},{fraction:03}"


def _escape_srt(line: str) -> str:
    """Break up `<b…` and `-->`, which players read as a tag and as a time."""
    return re.sub(r"<(?=[/A-Za-z])", "< ", line).replace("-->", "->")
