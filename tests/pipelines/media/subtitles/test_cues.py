"""Cues: line lengths, durations, gaps, complete text, breaks at sentences, and invalid times."""

import itertools
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.media.subtitles.cues import (
    MAX_CUE_SECONDS,
    MIN_CUE_SECONDS,
    Cue,
    WordTimings,
    sanitize_text,
    segment_cues,
)
from pipelines.media.subtitles.fonts import select_fonts
from pipelines.media.subtitles.formats import SubtitleFrame
from pipelines.media.subtitles.line_breaking import LineMeasure, display_width
from pipelines.step_params import LANGUAGES
from tests.pipelines.media.stories import STORIES, UNSPACED, spoken

WIDE, TALL = SubtitleFrame(1280, 720), SubtitleFrame(720, 1280)


def parse_words(words: dict[str, object]) -> WordTimings:
    return WordTimings.model_validate_json(json.dumps(words))


def segment_story(
    language: str, frame: SubtitleFrame = WIDE, pace: float = 0.07
) -> tuple[list[Cue], WordTimings, LineMeasure]:
    words = parse_words(spoken(STORIES[language], language, pace))
    measure = frame.measure(select_fonts(language, STORIES[language]), language)
    return segment_cues(words, language, measure, words.seconds + 1.0), words, measure


@pytest.mark.parametrize("frame", [WIDE, TALL], ids=["wide", "tall"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_cues_keep_the_limits_of_lines_durations_and_gaps(language, frame):
    cues, words, measure = segment_story(language, frame)
    widest = 36 if language in (*UNSPACED, "Korean") else 42
    for cue, after in zip(cues, [*cues[1:], None], strict=False):
        assert 1 <= len(cue.lines) <= 2
        assert all(
            display_width(line) <= widest and measure.em_width(line) <= measure.max_em + 1e-6 for line in cue.lines
        )
        assert MIN_CUE_SECONDS <= cue.end - cue.start <= MAX_CUE_SECONDS + 1e-6
        assert after is None or after.start - cue.end > 0.05
    assert cues[-1].end <= words.seconds + 1.0


@pytest.mark.parametrize("language", LANGUAGES)
def test_cues_contain_the_complete_text_and_start_with_their_words(language):
    cues, words, _ = segment_story(language)
    shown = "".join("".join(cue.lines) for cue in cues)
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", STORIES[language])
    starts = {word.start for word in words.words}
    assert all(min(abs(cue.start - start) for start in starts) < 0.1 for cue in cues)


@pytest.mark.parametrize("language", LANGUAGES)
def test_cues_end_at_the_ends_of_sentences(language):
    cues, _, _ = segment_story(language)
    ends = [cue.lines[-1].rstrip("」\"' »")[-1] for cue in cues]
    sentences = len(re.findall(r"[.!?。！？।](?=\s|$|」|[^」\s])", re.sub(r"Mr\.|\? »", "", STORIES[language])))
    assert sum(end in ".!?。！？।" for end in ends) >= sentences - 1


def test_cues_stay_within_20_characters_per_second():
    cues, _, _ = segment_story("English")
    assert all(len("".join(cue.lines)) / (cue.end - cue.start) <= 20 for cue in cues)


def test_short_gaps_between_cues_are_reduced_to_a_twelfth_of_a_second():
    cues, _, _ = segment_story("English")
    gaps = [after.start - cue.end for cue, after in itertools.pairwise(cues)]
    assert all(abs(gap - 1 / 12) < 0.01 or gap >= 0.5 for gap in gaps)


words_of_anything = st.lists(
    st.tuples(st.text(min_size=1, max_size=14), st.floats(0.01, 1.5), st.floats(0, 1.5)), min_size=1, max_size=60
)


@given(words_of_anything, st.sampled_from(LANGUAGES), st.sampled_from([WIDE, TALL]))
@settings(max_examples=60, deadline=None)
def test_arbitrary_words_give_complete_cues_without_overlap(parts, language, frame):
    at, spoken_words = 0.0, []
    for text, length, pause in parts:
        spoken_words.append({"text": f"{text} ", "start": at, "end": at + length})
        at += length + pause
    words = parse_words({"seconds": at + 0.1, "words": spoken_words})
    text = "".join(sanitize_text(word.text) for word in words.words)
    cues = segment_cues(words, language, frame.measure(select_fonts(language, text), language), at + 1.5)
    shown = "".join("".join(cue.lines) for cue in cues)
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", text)
    for cue, after in zip(cues, [*cues[1:], None], strict=False):
        assert 1 <= len(cue.lines) <= 2
        assert not set("".join(cue.lines)) & set("{}\\\n\r\0")
        assert cue.start < cue.end
        assert after is None or cue.end <= after.start


@pytest.mark.parametrize(
    "times",
    [[(0, 0), (0, 0), (0, 0)], [(2, 1), (1, 0.5), (0, 3)], [(0, 50), (50, 90), (90, 200)]],
    ids=["zero", "backwards", "late"],
)
def test_invalid_word_times_are_replaced_by_even_times(times):
    spoken_words = [{"text": f"word{n} ", "start": float(s), "end": float(e)} for n, (s, e) in enumerate(times)]
    words = parse_words({"seconds": 3.0, "words": spoken_words})
    (cue,) = segment_cues(words, "English", LineMeasure(len, 60, 60), 3.0)
    assert (cue.start, cue.end, cue.lines) == (0.0, 3.0, ("word0 word1 word2",))


def test_a_narration_without_words_has_no_cues():
    assert segment_cues(WordTimings(seconds=1.0), "English", LineMeasure(len, 60, 60), 1.0) == []


def test_sanitized_text_has_no_override_codes_and_no_control_characters():
    assert sanitize_text("a{\\b1}\\Nb\u202ec\u2066d\0\ne\tf\ufeff") == "ab1Nbcd e f"
    assert sanitize_text("क्‍ष می‌خواهم") == "क्‍ष می‌خواهم"  # joiners are part of the spelling
