"""Table of the languages."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

import pipelines
from pipelines.languages import LANGUAGE_FACTS
from pipelines.step_params import LANGUAGES


def test_the_table_has_every_language_and_no_other() -> None:
    assert tuple(LANGUAGE_FACTS) == LANGUAGES


def test_every_language_has_every_code() -> None:
    for facts in LANGUAGE_FACTS.values():
        assert all(value for value in dataclasses.asdict(facts).values() if isinstance(value, str)), facts


def test_codes_are_distinct() -> None:
    for code in ("bcp47", "iso639_1", "iso639_3", "espeak_voice", "xtts_code"):
        assert len({getattr(facts, code) for facts in LANGUAGE_FACTS.values()}) == len(LANGUAGES), code


WORD_LISTS = {
    "pipelines/media/subtitles/cues.py",
    "pipelines/media/subtitles/fonts.py",
    "pipelines/media/subtitles/line_breaking.py",
    "pipelines/speech/chatterbox.py",
    "pipelines/speech/g2p/kokoro_ipa.py",
    "pipelines/speech/text/normalize.py",
    "pipelines/speech/vits.py",
    "pipelines/speech/xtts.py",
    "pipelines/text/llm_writer/output_schema.py",
    "pipelines/text/template_writer/idea_parser.py",
    "pipelines/text/template_writer/storyteller.py",
    "pipelines/text/template_writer/text_utils.py",
}
"""Modules with word lists, letters, fonts or measured limits per language: data of one family, not codes."""


def test_no_other_module_has_a_table_of_languages() -> None:
    found = set()
    root = Path(pipelines.__file__).parents[1]
    for path in (*root.glob("engine/**/*.py"), *root.glob("pipelines/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Dict):
                keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
                if len(keys & set(LANGUAGES)) >= 3:
                    found.add(path.relative_to(root).as_posix())
    assert found - {"pipelines/languages.py"} == WORD_LISTS, "codes belong in pipelines/languages.py"
