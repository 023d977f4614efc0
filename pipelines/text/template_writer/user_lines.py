"""The client's own sentences as scenes: marked ones, a long text, or the few sentences of an idea. Pure."""

from __future__ import annotations

from pipelines.text.template_writer.idea_parser import Idea, Line
from pipelines.text.template_writer.text_rank import beats as salient
from pipelines.text.template_writer.text_utils import joined, sentences, shorten, size


def lines_of(idea: Idea, count: int, language: str) -> tuple[list[Line], bool]:
    """The client's own scenes, at most `count`, and whether they are the whole story."""
    if len(idea.script) >= 2:
        lines = list(idea.script)
        while (
            len(lines) < count
            and (longest := max(range(len(lines)), key=lambda i: len(sentences(lines[i].say)))) is not None
        ):
            parts = sentences(lines[longest].say)
            if len(parts) < 2:
                break
            half = len(parts) // 2
            old = lines[longest]
            lines[longest : longest + 1] = [
                Line(joined(parts[:half], language), old.see, old.heading),
                Line(joined(parts[half:], language), old.see),
            ]
        return [_told(line, language) for line in _merged(lines, count, language)], True
    if idea.long:
        return [Line(passage) for passage in salient(idea.sentences, count, language)], True
    own = [Line(shorten(sentence, 45)) for sentence in idea.sentences] or [Line(shorten(idea.text))]
    return _merged([line for line in own if line.say], count, language), False


def _merged(lines: list[Line], count: int, language: str) -> list[Line]:
    if len(lines) <= count:
        return lines
    groups = [lines[len(lines) * i // count : len(lines) * (i + 1) // count] for i in range(count)]
    return [
        Line(
            joined(salient([s for line in group for s in sentences(line.say)], 1, language, most=45), language),
            joined([line.see or line.say for line in group], language),
            group[0].heading,
        )
        for group in groups
    ]


def _told(line: Line, language: str) -> Line:
    parts = sentences(line.say)
    if size(line.say) <= 60 or not parts:
        return Line(line.say if len(line.say) < 600 else shorten(line.say, 60), line.see, line.heading)
    return Line(joined(salient(parts, 1, language, most=50), language), line.see or line.say, line.heading)
