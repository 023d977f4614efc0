"""Words → the tokens of a VITS model: letters of the language, its romanization, or phonemes, as the model was trained."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.base import Missing
from pipelines.speech.g2p.phonemize import phonemes
from pipelines.speech.text.normalize import spoken
from pipelines.speech.text.numbers import in_words
from pipelines.speech.text.tokenize import Word
from pipelines.speech.timed import Tokens, tokens
from pipelines.step_params import Language

_CODES: dict[Language, str] = {
    "Arabic": "ara", "Chinese": "zho", "English": "eng", "French": "fra", "German": "deu", "Hindi": "hin", "Japanese": "jpn",
    "Korean": "kor", "Spanish": "spa", "Turkish": "tur",
}  # fmt: skip
_BLANK = 0  # stands between all tokens of models that were trained so


class Reader:
    """What a model's tokenizer says of the letters that it knows, and how words become such letters.

    The tokenizer itself takes whole texts; read word by word, each token is known to belong to one word.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._letters: dict[str, int] = {
            letter: number for letter, number in tokenizer.encoder.items() if len(letter) == 1
        }
        self._by_phonemes, self._romanized = bool(tokenizer.phonemize), bool(tokenizer.is_uroman)
        self._blanks = bool(tokenizer.add_blank)
        self._space = self._letters.get(" ")

    def read(self, words: Sequence[Word], language: Language) -> list[Tokens]:
        """The tokens of neighbouring words. Raises Missing where the language needs a package that is not installed."""
        said = phonemes(words, language, _untied, {}) if self._by_phonemes else self._spelled(words, language)
        space = "" if self._space is None else " "
        return [
            tokens(word, space + text.strip(), self._letters, self._marks)
            for word, text in zip(words, said, strict=True)
        ]

    def padded(self, ids: Sequence[int]) -> list[int]:
        """The tokens as the model takes them: without the space before the first word, with blanks where it wants them."""
        ids = ids[self._leading(ids) :]
        if not self._blanks:
            return list(ids)
        return [_BLANK, *(part for token in ids for part in (token, _BLANK))]

    def gathered(self, durations: NDArray[Any], ids: Sequence[int]) -> NDArray[Any]:
        """Durations of the padded tokens → of the beginning, of each of `ids`, and of the end. A blank belongs to the token before
        it; the last one is the end."""
        if self._blanks:
            pairs = durations[1:].reshape(-1, 2).copy()
            begin, end = durations[0], pairs[-1, 1] if len(pairs) else 0.0
            if len(pairs):
                pairs[-1, 1] = 0.0
            durations = pairs.sum(axis=1)
        else:
            begin, end = 0.0, 0.0
        return np.concatenate([[begin], np.zeros(self._leading(ids)), durations, [end]])

    def _leading(self, ids: Sequence[int]) -> int:
        return int(bool(ids) and ids[0] == self._space)

    def _spelled(self, words: Sequence[Word], language: Language) -> list[str]:
        texts = [in_words(spoken(word.core, language), language).lower() for word in words]
        if self._romanized:
            texts = [
                text if text.isascii() else _uroman().romanize_string(text, lcode=_CODES[language]) for text in texts
            ]
        return [self._known(text.lower()) for text in texts]

    def _known(self, text: str) -> str:
        """With letters that the model lacks in the form that it knows: composed, or without their accents."""
        text = unicodedata.normalize("NFC", text)
        found = (letter if letter in self._letters else _plain(letter) for letter in text)
        return "".join(letter for letter in found if all(part in self._letters for part in letter))

    def _marks(self, around: str) -> str:
        marks = ",.!?;:—…" if self._by_phonemes else ""
        return "".join(dict.fromkeys(sign for sign in around if sign in marks and sign in self._letters))


def _plain(letter: str) -> str:
    return "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))


def _untied(ipa: str, language: Language) -> str:
    return ipa.replace("^", "")


@cache
def _uroman() -> Any:
    """The universal romanizer (Hermjakob, May, Knight 2018), which the voices of some languages were trained with."""
    try:
        from uroman import Uroman
    except ImportError as error:
        raise Missing('this voice reads romanized text and needs uroman; `pip install "story-engine[tts]"`') from error
    return Uroman()
