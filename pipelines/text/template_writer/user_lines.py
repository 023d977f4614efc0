"""Split the client's text into scenes: marked scenes, a long text, or the few sentences of an idea. Pure functions."""

from __future__ import annotations

from pipelines.text.template_writer.idea_parser import Idea, UserLine
from pipelines.text.template_writer.text_rank import extract_passages
from pipelines.text.template_writer.text_utils import count_words, join_sentences, shorten, split_sentences


def split_user_lines(idea: Idea, count: int, language: str) -> tuple[list[UserLine], bool]:
    """Return the client's own scenes, at most `count`, and whether they are the complete story."""
    if len(idea.script) >= 2:
        lines = list(idea.script)
        while (
            len(lines) < count
            and (longest := max(range(len(lines)), key=lambda i: len(split_sentences(lines[i].narration)))) is not None
        ):
            parts = split_sentences(lines[longest].narration)
            if len(parts) < 2:
                break
            half = len(parts) // 2
            old = lines[longest]
            lines[longest : longest + 1] = [
                UserLine(join_sentences(parts[:half], language), old.image_description, old.heading),
                UserLine(join_sentences(parts[half:], language), old.image_description),
            ]
        return [_condense_line(line, language) for line in _merge_lines(lines, count, language)], True
    if idea.is_long_text:
        return [UserLine(passage) for passage in extract_passages(idea.sentences, count, language)], True
    short_lines = [UserLine(shorten(sentence, 45)) for sentence in idea.sentences] or [UserLine(shorten(idea.text))]
    return _merge_lines([line for line in short_lines if line.narration], count, language), False


def _merge_lines(lines: list[UserLine], count: int, language: str) -> list[UserLine]:
    if len(lines) <= count:
        return lines
    groups = [lines[len(lines) * i // count : len(lines) * (i + 1) // count] for i in range(count)]
    return [
        UserLine(
            join_sentences(
                extract_passages(
                    [s for line in group for s in split_sentences(line.narration)], 1, language, max_words=45
                ),
                language,
            ),
            join_sentences([line.image_description or line.narration for line in group], language),
            group[0].heading,
        )
        for group in groups
    ]


def _condense_line(line: UserLine, language: str) -> UserLine:
    parts = split_sentences(line.narration)
    if count_words(line.narration) <= 60 or not parts:
        return UserLine(
            line.narration if len(line.narration) < 600 else shorten(line.narration, 60),
            line.image_description,
            line.heading,
        )
    return UserLine(
        join_sentences(extract_passages(parts, 1, language, max_words=50), language),
        line.image_description or line.narration,
        line.heading,
    )
