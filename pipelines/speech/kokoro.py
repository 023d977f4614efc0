"""The family `Kokoro`: the 82-million-parameter voice model Kokoro, run by ONNX Runtime on the CPU. Its files come from packages, or
from the hub where models.yaml names weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.speech.voices import Recipe, narrator, recipes
from pipelines.step_params import Language, NarrateParams

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.speech.audio.samples import Samples
    from pipelines.speech.narrate import Sound
    from pipelines.speech.text.tokenize import Word

_RATE = 24000
_TOKENS = 500  # of 510 that the model takes
_TIMBRE = 128  # the first half of a style colours the sound, the second decides melody and rhythm


class KokoroRecipe(Recipe):
    """A narrator is a blend of the model's voices: `timbre` and `melody` (default: as the timbre) give each voice a weight.
    The weights are made to add up to 1; negative ones lead away from a voice. `pitch` also scales the size of the speaker."""

    timbre: Mapping[str, float] = Field(min_length=1)
    melody: Mapping[str, float] | None = None


class Kokoro:
    """Narration by Kokoro. Word times come from the durations that the model itself predicts for each phoneme.

    The option `melodies` names, for a language, the voices at home in it, by the second letter of a voice's name (`f`, `m`): they
    lend narrators whose own voice is not (as its first letter tells) half of their melody.
    """

    name: ClassVar[str] = "kokoro"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.NARRATE: NarrateParams}

    def __init__(
        self,
        graph: KokoroGraph,
        vocabulary: Mapping[str, int],
        voices: Mapping[str, NDArray[Any]],
        narrators: Mapping[str, KokoroRecipe],
        options: Mapping[str, Any],
    ) -> None:
        self._rough: Sequence[str] = options.get("rough", ())
        self._melodies: Mapping[str, Mapping[str, str]] = options.get("melodies", {})
        self._graph: KokoroGraph | None = graph
        self._vocabulary, self._voices, self._narrators = vocabulary, voices, narrators

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        from pipelines.models.weights import folder
        from pipelines.speech.kokoro_files import pulled, shipped

        files = pulled(folder(spec)) if spec.weights else shipped()
        narrators = recipes(spec.options, KokoroRecipe)
        lent = [voice for one in spec.options.get("melodies", {}).values() for voice in one.values()]
        for name, recipe in narrators.items():
            for voice in (*recipe.timbre, *(recipe.melody or ()), *lent):
                if voice not in files.voices:
                    raise ValueError(
                        f"models.yaml: narrator {name}: no voice {voice!r}; known: {', '.join(files.voices)}"
                    )
        return cls(KokoroGraph(files.model, device.threads), files.vocabulary, files.voices, narrators, spec.options)

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
        from pipelines.speech.narrate import narrate

        assert isinstance(params, NarrateParams)
        assert self._graph is not None
        recipe = self._at_home(narrator(self._narrators, params.narrator), params.language)
        voice = KokoroVoice(self._graph, self._vocabulary, self._voices, recipe)
        report.record(
            narrator=params.narrator, voice=f"Kokoro, {' + '.join(sorted(recipe.timbre))}", language=params.language
        )
        if params.language in self._rough:
            report.warn(f"{params.language} is spoken only roughly by this voice model.")
        return narrate(params, voice, out, report)

    def close(self) -> None:
        self._graph = None
        self._voices = {}

    def _at_home(self, recipe: KokoroRecipe, language: Language) -> KokoroRecipe:
        """The narrator with a melody halfway to that of somebody at home in the language."""
        voice = max(recipe.timbre, key=lambda name: recipe.timbre[name])
        lender = self._melodies.get(language, {}).get(voice[1:2])
        if lender is None or recipe.melody is not None or voice[:1] == lender[:1]:
            return recipe
        own = sum(recipe.timbre.values())
        return recipe.model_copy(update={"melody": {**recipe.timbre, lender: own}})


class KokoroGraph:
    """The model. Its exports differ in the names of what goes in and out, not in what that is."""

    def __init__(self, model: bytes, threads: int) -> None:
        from pipelines.speech.onnx_session import result_of, session, with_output

        # How many frames each token lasts is rounded to whole ones, at least one.
        durations = result_of(model, "Round", "Clip")
        self._session = session(with_output(model, durations) if durations else model, threads)
        kinds = {(one.type, len(one.shape)): one.name for one in self._session.get_inputs()}
        self._tokens, self._style = kinds["tensor(int64)", 2], kinds["tensor(float)", 2]
        self._speed = kinds["tensor(float)", 1]
        self._made = [self._session.get_outputs()[0].name, *filter(None, [durations])]

    def speak(self, ids: Sequence[int], style: NDArray[Any], speed: float) -> tuple[Samples, NDArray[Any]]:
        """Tokens → their sound, and how long the beginning, each token and the end last, in any unit."""
        import numpy as np

        from pipelines.speech.audio.samples import bounds, levelled

        sound, *told = self._session.run(
            self._made,
            {
                self._tokens: np.array([[0, *ids, 0]], np.int64),
                self._style: style[None, :],
                self._speed: np.array([speed], np.float32),
            },
        )
        samples = np.asarray(sound, np.float32).ravel()
        if told:
            return samples, np.asarray(told[0], np.float64).ravel()
        # An export that does not tell: what sounds is shared out evenly.
        first, end = bounds(levelled(samples), _RATE)
        each = (end - first) / len(ids)
        return samples, np.array([first, *(each for _ in ids), len(samples) - end], np.float64)


class KokoroVoice:
    """One narrator of Kokoro."""

    rate = _RATE

    def __init__(
        self,
        graph: KokoroGraph,
        vocabulary: Mapping[str, int],
        voices: Mapping[str, NDArray[Any]],
        recipe: KokoroRecipe,
    ) -> None:
        import numpy as np

        self._graph, self._vocabulary, self._recipe = graph, vocabulary, recipe
        timbre, melody = (_blend(voices, weights) for weights in (recipe.timbre, recipe.melody or recipe.timbre))
        self._styles = np.concatenate([timbre[:, :_TIMBRE], melody[:, _TIMBRE:]], axis=1)

    def say(self, words: Sequence[Word], language: Language) -> Sound:
        from pipelines.speech.g2p.kokoro_ipa import READERS, respell
        from pipelines.speech.g2p.phonemize import phonemes
        from pipelines.speech.timed import spoken, tokens

        said = phonemes(words, language, respell, READERS)
        parts = [tokens(word, text, self._vocabulary, _marks) for word, text in zip(words, said, strict=True)]
        return spoken(parts, self._infer, _RATE, self._recipe.pitch, _TOKENS)

    def _infer(self, ids: Sequence[int]) -> tuple[Samples, NDArray[Any]]:
        style = self._styles[min(len(ids), len(self._styles)) - 1]
        # What the pitch will stretch or squeeze, the model speaks that much slower or faster.
        return self._graph.speak(ids, style, self._recipe.speed / self._recipe.pitch)


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
