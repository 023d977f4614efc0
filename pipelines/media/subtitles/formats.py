"""The two forms of subtitles: SRT for players, ASS for burning in, with the fonts that it needs inside.

An ASS file made here says everything itself: sizes for its frame, line breaks, and a subset of each font. ffmpeg's filter
`ass` (or `subtitles`) renders it the same on every machine.
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
    "Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, "
    "ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding"
)
_WHITE, _DARK, _SHADE = "&H00FFFFFF", "&H18080808", "&H70000000"
_AUTO_ENCODING = -1
"""The style's Encoding by which libass finds out itself whether a line runs from right to left."""


@dataclass(frozen=True, slots=True)
class SubtitleFrame:
    """The picture that subtitles stand in, and the sizes that follow from it, in pixels."""

    width: int
    height: int

    @property
    def font_size(self) -> float:
        """Size of the letters: a twentieth of the height, less in upright frames, where lines would get too short."""
        return max(10.0, min(self.height * 0.05, self.width * 0.057))

    @property
    def side_margin(self) -> int:
        return round(self.width * 0.06)

    @property
    def bottom_margin(self) -> int:
        """Distance from the edge; upright films are watched in apps that cover their lower edge."""
        return round(self.height * (0.06 if self.width >= self.height else 0.14))

    def measure(self, typefaces: FontStack, language: str) -> LineMeasure:
        """How much of a line a text takes in this frame."""
        widths: dict[str, float] = {}

        def em(text: str) -> float:
            if text not in widths:
                widths[text] = typefaces.width(text)
            return widths[text]

        return LineMeasure(em, (self.width - 2 * self.side_margin) / self.font_size, 36 if language in _WIDE else 42)


def format_srt(cues: Sequence[Cue]) -> str:
    """The cues as SubRip: UTF-8, milliseconds."""
    blocks = (
        f"{number}\n{_timestamp(cue.start, 3)} --> {_timestamp(cue.end, 3)}\n{chr(10).join(map(_escape_srt, cue.lines))}\n"
        for number, cue in enumerate(cues, 1)
    )
    return "\n".join(blocks)


def format_ass(cues: Sequence[Cue], typefaces: FontStack, frame: SubtitleFrame) -> str:
    """The cues as Advanced SubStation Alpha, with their fonts inside."""
    main = typefaces.faces[0]
    style = (
        f"Style: Default,{main.family},{frame.font_size * (ASCENT + DESCENT):.2f},{_WHITE},{_WHITE},{_DARK},{_SHADE},0,0,0,0,100,100,0,0,1,"
        f"{frame.font_size * 0.08:.2f},{frame.font_size * 0.04:.2f},2,{frame.side_margin},{frame.side_margin},{frame.bottom_margin},{_AUTO_ENCODING}"
    )
    parts = [
        "[Script Info]",
        "ScriptType: v4.00+",
        "WrapStyle: 2",
        "Kerning: yes",
        f"Language: {typefaces.language_code}",
        "ScaledBorderAndShadow: yes",
        "YCbCr Matrix: None",
        f"PlayResX: {frame.width}",
        f"PlayResY: {frame.height}",
        "",
        "[V4+ Styles]",
        f"Format: {_FORMAT}",
        style,
        "",
        *_fonts_section(cues, typefaces),
        "[Events]",
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text",
        *(_event(cue, typefaces, frame) for cue in cues),
    ]
    return "\n".join(parts) + "\n"


def _event(cue: Cue, typefaces: FontStack, frame: SubtitleFrame) -> str:
    text = "\\N".join(_line(line, typefaces) for line in cue.lines)
    soft = f"{{\\blur{frame.font_size * 0.025:.2f}}}"
    return f"Dialogue: 0,{_timestamp(cue.start, 2)},{_timestamp(cue.end, 2)},Default,,0,0,0,,{soft}{text}"


def _line(line: str, typefaces: FontStack) -> str:
    """The line with a change of font wherever the main one lacks a character."""
    main, text = typefaces.faces[0], ""
    current = main
    for face, piece in typefaces.runs(line):
        if face is not current:
            text += f"{{\\fn{face.family}}}"
            current = face
        text += piece
    return text if current is main else text + f"{{\\fn{main.family}}}"


def _fonts_section(cues: Iterable[Cue], typefaces: FontStack) -> list[str]:
    """The section `[Fonts]`: for each font the characters that it shows."""
    shown: dict[FontFace, set[str]] = {}
    for cue in cues:
        for line in cue.lines:
            for face, piece in typefaces.runs(line):
                shown.setdefault(face, set()).update(piece)
    if not shown:
        return []
    parts = ["[Fonts]"]
    for number, face in enumerate(face for face in typefaces.faces if face in shown):
        parts += [f"fontname: film_{number}.ttf", *_uuencode(face.subset(shown[face])), ""]
    return parts


def _uuencode(data: bytes) -> list[str]:
    """Binary data as ASS writes it: six bits a character, from `!`, 80 characters a line."""
    characters = []
    for at in range(0, len(data), 3):
        chunk = data[at : at + 3]
        bits = int.from_bytes(chunk.ljust(3, b"\0"), "big")
        characters += [chr(33 + (bits >> shift & 63)) for shift in (18, 12, 6, 0)[: len(chunk) + 1]]
    text = "".join(characters)
    return [text[at : at + 80] for at in range(0, len(text), 80)]


def _timestamp(seconds: float, digits: int) -> str:
    """`0:00:01.23` for ASS (2 digits), `00:00:01,230` for SRT (3). Rounded down, but for the noise of arithmetic."""
    parts = 10**digits
    whole = int(seconds * parts + 1e-4)
    hours, rest = divmod(whole, 3600 * parts)
    minutes, rest = divmod(rest, 60 * parts)
    second, part = divmod(rest, parts)
    if digits == 2:
        return f"{hours}:{minutes:02}:{second:02}.{part:02}"
    return f"{hours:02}:{minutes:02}:{second:02},{part:03}"


def _escape_srt(line: str) -> str:
    """Players take `<b…` for a tag and `-->` for a time."""
    return re.sub(r"<(?=[/A-Za-z])", "< ", line).replace("-->", "->")
