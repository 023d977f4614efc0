"""Narration shared by all voices: synthesize a text utterance by utterance into one file, with word times."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipelines.base import BadInput, Report
from pipelines.speech.audio.samples import Samples, WavWriter, apply_fades, normalize_level, speech_bounds
from pipelines.speech.text.tokenize import Word, split_words
from pipelines.speech.text.utterances import Utterance, split_utterances
from pipelines.step_params import Language, NarrateParams


@dataclass(frozen=True, slots=True)
class SpeechAudio:
    """Synthesized utterance. `word_times` has begin and end of each word in seconds."""

    samples: Samples
    word_times: Sequence[tuple[float, float]]


class Voice(Protocol):
    """Narrator of a loaded model."""

    rate: int

    def synthesize(self, words: Sequence[Word], language: Language) -> SpeechAudio:
        """Synthesize neighbouring words. The result has one time span per word, in increasing order."""


def narrate(params: NarrateParams, voice: Voice, out: Path, report: Report) -> Iterable[Path]:
    """Write `narration.wav` and `word_timings.json` as `NarrateParams` describes them.

    Memory holds one utterance at a time.

    Raises BadInput if the text has no pronounceable words, or if the voice produces no audio.
    """
    words = split_words(params.text)
    if not words:
        raise BadInput("narration", "has no pronounceable words.", "Write at least one word.")
    sound_file, words_file = out / "narration.wav", out / "word_timings.json"
    times: list[dict[str, str | float]] = []
    spoken_count = 0
    with WavWriter(sound_file, voice.rate) as wav:
        pause = 0.0
        for utterance in split_utterances(words):
            wav.write_silence(pause)
            times += _write_utterance(utterance, voice, params.language, wav)
            pause = utterance.pause
            spoken_count += len(utterance.words)
            report.progress(spoken_count / len(words), f"{spoken_count} of {len(words)} words spoken")
        if wav.frames == 0:
            raise BadInput("narration", f"gave no audio in {params.language}.", "Write it in the story's language.")
        seconds = wav.seconds
    words_file.write_text(json.dumps({"seconds": round(seconds, 4), "words": times}, ensure_ascii=False), "utf-8")
    return [sound_file, words_file]


def _write_utterance(
    utterance: Utterance, voice: Voice, language: Language, wav: WavWriter
) -> list[dict[str, str | float]]:
    """Append one utterance to the file and return its words with their times in the file."""
    sound = voice.synthesize(utterance.words, language)
    samples = normalize_level(sound.samples)
    first, end = speech_bounds(samples, voice.rate)
    before, speech = wav.seconds, (end - first) / voice.rate
    wav.write(apply_fades(samples[first:end], voice.rate))
    times: list[dict[str, str | float]] = []
    clock = 0.0
    for word, (start, stop) in zip(utterance.words, sound.word_times, strict=True):
        start = min(max(start - first / voice.rate, clock), speech)
        clock = min(max(stop - first / voice.rate, start), speech)
        times.append({"text": word.text, "start": round(before + start, 4), "end": round(before + clock, 4)})
    return times
