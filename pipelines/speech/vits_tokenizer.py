"""Tokenizer of VITS models: words → letters, romanized letters, or phonemes, as the model was trained."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.base import MissingDependency
from pipelines.languages import LANGUAGE_FACTS
from pipelines.speech.g2p.phonemize import phonemize
from pipelines.speech.text.normalize import normalize_text
from pipelines.speech.text.numbers import spell_out_numbers
from pipelines.speech.text.tokenize import Word
from pipelines.speech.timed import WordTokens, tokenize_word
from pipelines.step_params import Language

_BLANK = 0  # token between all tokens, for models with `add_blank`


class WordTokenizer:
    """Word-by-word tokenizer with the vocabulary of a model's own tokenizer.

    The model's tokenizer takes complete texts; tokenizing word by word assigns each token to a word.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._vocabulary: dict[str, int] = {
            letter: number for letter, number in tokenizer.encoder.items() if len(letter) == 1
        }
        self._uses_phonemes, self._uses_romanization = bool(tokenizer.phonemize), bool(tokenizer.is_uroman)
        self._adds_blanks = bool(tokenizer.add_blank)
        self._space_id = self._vocabulary.get(" ")

    def tokenize(self, words: Sequence[Word], language: Language) -> list[WordTokens]:
        """Return the tokens of neighbouring words.

        Raises MissingDependency if the language needs a package that is not installed.
        """
        phoneme_texts = (
            phonemize(words, language, _remove_ties, {}) if self._uses_phonemes else self._spell_words(words, language)
        )
        space = "" if self._space_id is None else " "
        return [
            tokenize_word(word, space + text.strip(), self._vocabulary, self._select_punctuation)
            for word, text in zip(words, phoneme_texts, strict=True)
        ]

    def add_blanks(self, ids: Sequence[int]) -> list[int]:
        """Return the model's input: without the space before the first word, with blanks if the model uses them."""
        ids = ids[self._leading_space_count(ids) :]
        if not self._adds_blanks:
            return list(ids)
        return [_BLANK, *(part for token in ids for part in (token, _BLANK))]

    def merge_durations(self, durations: NDArray[Any], ids: Sequence[int]) -> NDArray[Any]:
        """Convert the durations of the padded tokens to those of start, each of `ids`, and end.

        A blank belongs to the token before it; the last blank is the end.
        """
        if self._adds_blanks:
            pairs = durations[1:].reshape(-1, 2).copy()
            begin, end = durations[0], pairs[-1, 1] if len(pairs) else 0.0
            if len(pairs):
                pairs[-1, 1] = 0.0
            durations = pairs.sum(axis=1)
        else:
            begin, end = 0.0, 0.0
        return np.concatenate([[begin], np.zeros(self._leading_space_count(ids)), durations, [end]])

    def _leading_space_count(self, ids: Sequence[int]) -> int:
        return int(bool(ids) and ids[0] == self._space_id)

    def _spell_words(self, words: Sequence[Word], language: Language) -> list[str]:
        texts = [spell_out_numbers(normalize_text(word.core, language), language).lower() for word in words]
        if self._uses_romanization:
            texts = [
                text
                if text.isascii()
                else _load_uroman().romanize_string(text, lcode=LANGUAGE_FACTS[language].iso639_3)
                for text in texts
            ]
        return [self._to_known_letters(text.lower()) for text in texts]

    def _to_known_letters(self, text: str) -> str:
        """Replace letters outside the vocabulary by their composed form or without accents; remove the rest."""
        text = unicodedata.normalize("NFC", text)
        found = (letter if letter in self._vocabulary else _strip_accents(letter) for letter in text)
        return "".join(letter for letter in found if all(part in self._vocabulary for part in letter))

    def _select_punctuation(self, around: str) -> str:
        marks = ",.!?;:—…" if self._uses_phonemes else ""
        return "".join(dict.fromkeys(sign for sign in around if sign in marks and sign in self._vocabulary))


def _strip_accents(letter: str) -> str:
    return "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))


def _remove_ties(ipa: str, language: Language) -> str:
    return ipa.replace("^", "")


@cache
def _load_uroman() -> Any:
    """Return the universal romanizer (Hermjakob, May, Knight 2018), which some voices were trained with."""
    try:
        from uroman import Uroman
    except ImportError as error:
        raise MissingDependency(
            'this voice reads romanized text and needs uroman; `pip install "story-engine[tts]"`'
        ) from error
    return Uroman()
