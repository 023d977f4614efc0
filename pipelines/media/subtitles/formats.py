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
from pipelines.media.subtitles.fonts import FontChoice, Typefaces
from pipelines.media.subtitles.line_breaking import UNSPACED, Measure

_WIDE = UNSPACED | {"Korean"}
_FORMAT = (
    "Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, "
    "ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding"
)
_WHITE, _DARK, _SHADE = "&H00FFFFFF", "&H18080808", "&H70000000"
_ANY_DIRECTION = -1
"""The style's Encoding by which libass finds out itself whether a line runs from right to left."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The picture that subtitles stand in, and the sizes that follow from it, in pixels."""

    width: int
    height: int

    @property
    def em(self) -> float:
        """Size of the letters: a twentieth of the height, less in upright frames, where lines would get too short."""
        return max(10.0, min(self.height * 0.05, self.width * 0.057))

    @property
    def side(self) -> int:
        return round(self.width * 0.06)

    @property
    def bottom(self) -> int:
        """Distance from the edge; upright films are watched in apps that cover their lower edge."""
        return round(self.height * (0.06 if self.width >= self.height else 0.14))

    def measure(self, typefaces: Typefaces, language: str) -> Measure:
        """How much of a line a text takes in this frame."""
        widths: dict[str, float] = {}

        def em(text: str) -> float:
            if text not in widths:
                widths[text] = typefaces.width(text)
            return widths[text]

        return Measure(em, (self.width - 2 * self.side) / self.em, 36 if language in _WIDE else 42)


def srt(cues: Sequence[Cue]) -> str:
    """The cues as SubRip: UTF-8, milliseconds."""
    blocks = (
        f"{number}\n{_clock(cue.start, 3)} --> {_clock(cue.end, 3)}\n{chr(10).join(map(_untagged, cue.lines))}\n"
        for number, cue in enumerate(cues, 1)
    )
    return "\n".join(blocks)


def ass(cues: Sequence[Cue], typefaces: Typefaces, frame: Frame) -> str:
    """The cues as Advanced SubStation Alpha, with their fonts inside."""
    main = typefaces.faces[0]
    style = (
        f"Style: Default,{main.family},{frame.em * (ASCENT + DESCENT):.2f},{_WHITE},{_WHITE},{_DARK},{_SHADE},0,0,0,0,100,100,0,0,1,"
        f"{frame.em * 0.08:.2f},{frame.em * 0.04:.2f},2,{frame.side},{frame.side},{frame.bottom},{_ANY_DIRECTION}"
    )
    parts = [
        "[Script Info]",
        "ScriptType: v4.00+",
        "WrapStyle: 2",
        "Kerning: yes",
        f"Language: {typefaces.code}",
        "ScaledBorderAndShadow: yes",
        "YCbCr Matrix: None",
        f"PlayResX: {frame.width}",
        f"PlayResY: {frame.height}",
        "",
        "[V4+ Styles]",
        f"Format: {_FORMAT}",
        style,
        "",
        *_fonts(cues, typefaces),
        "[Events]",
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text",
        *(_event(cue, typefaces, frame) for cue in cues),
    ]
    return "\n".join(parts) + "\n"


def _event(cue: Cue, typefaces: Typefaces, frame: Frame) -> str:
    text = "\\N".join(_line(line, typefaces) for line in cue.lines)
    soft = f"{{\\blur{frame.em * 0.025:.2f}}}"
    return f"Dialogue: 0,{_clock(cue.start, 2)},{_clock(cue.end, 2)},Default,,0,0,0,,{soft}{text}"


def _line(line: str, typefaces: Typefaces) -> str:
    """The line with a change of font wherever the main one lacks a character."""
    main, text = typefaces.faces[0], ""
    current = main
    for face, piece in typefaces.runs(line):
        if face is not current:
            text += f"{{\\fn{face.family}}}"
            current = face
        text += piece
    return text if current is main else text + f"{{\\fn{main.family}}}"


def _fonts(cues: Iterable[Cue], typefaces: Typefaces) -> list[str]:
    """The section `[Fonts]`: for each font the characters that it shows."""
    shown: dict[FontChoice, set[str]] = {}
    for cue in cues:
        for line in cue.lines:
            for face, piece in typefaces.runs(line):
                shown.setdefault(face, set()).update(piece)
    if not shown:
        return []
    parts = ["[Fonts]"]
    for number, face in enumerate(face for face in typefaces.faces if face in shown):
        parts += [f"fontname: film_{number}.ttf", *_encoded(face.subset(shown[face])), ""]
    return parts


def _encoded(data: bytes) -> list[str]:
    """Binary data as ASS writes it: six bits a character, from `!`, 80 characters a line."""
    characters = []
    for at in range(0, len(data), 3):
        chunk = data[at : at + 3]
        bits = int.from_bytes(chunk.ljust(3, b"\0"), "big")
        characters += [chr(33 + (bits >> shift & 63)) for shift in (18, 12, 6, 0)[: len(chunk) + 1]]
    text = "".join(characters)
    return [text[at : at + 80] for at in range(0, len(text), 80)]


def _clock(seconds: float, digits: int) -> str:
    """`0:00:01.23` for ASS (2 digits), `00:00:01,230` for SRT (3). Rounded down, but for the noise of arithmetic."""
    parts = 10**digits
    whole = int(seconds * parts + 1e-4)
    hours, rest = divmod(whole, 3600 * parts)
    minutes, rest = divmod(rest, 60 * parts)
    second, part = divmod(rest, parts)
    if digits == 2:
        return f"{hours}:{minutes:02}:{second:02}.{part:02}"
    return f"{hours:02}:{minutes:02}:{second:02},{part:03}"


def _untagged(line: str) -> str:
    """Players take `<b…` for a tag and `-->` for a time."""
    return re.sub(r"<(?=[/A-Za-z])", "< ", line).replace("-->", "->")
