"""Family `Kokoro`: the Kokoro voice model (82 million parameters) in ONNX Runtime on the CPU.

Its files come from installed packages, or from downloaded weights if models.yaml names any.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.speech.voices import VoiceSettings, get_voice_settings, load_voice_settings
from pipelines.step_params import Language, NarrateParams

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.speech.audio.samples import Samples
    from pipelines.speech.narrate import SpeechAudio
    from pipelines.speech.text.tokenize import Word

_RATE = 24000
_MAX_TOKENS = 500  # the model supports 510
_TIMBRE_SIZE = 128  # the first half of a style vector is timbre, the second prosody


class KokoroVoiceSettings(VoiceSettings):
    """Narrator of Kokoro: a blend of the model's voices.

    `timbre` and `prosody` (default: as `timbre`) map voices to weights. Weights are normalized to a sum of 1; a
    negative weight moves away from a voice. `pitch` also scales the apparent size of the speaker.
    """

    timbre: Mapping[str, float] = Field(min_length=1)
    prosody: Mapping[str, float] | None = None


class Kokoro:
    """Narration by Kokoro. Word times come from the predicted duration of each phoneme.

    The option `prosody_voices` maps a language and the second letter of a voice's name (`f`, `m`) to a native voice of
    the language. It contributes half of the prosody of narrators from other languages (by the first letter of their
    voice's name).
    """

    name: ClassVar[str] = "kokoro"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.NARRATE: NarrateParams}

    def __init__(
        self,
        model: KokoroModel,
        vocabulary: Mapping[str, int],
        voices: Mapping[str, NDArray[Any]],
        narrators: Mapping[str, KokoroVoiceSettings],
        options: Mapping[str, Any],
    ) -> None:
        self._low_quality_languages: Sequence[str] = options.get("low_quality_languages", ())
        self._prosody_voices: Mapping[str, Mapping[str, str]] = options.get("prosody_voices", {})
        self._model: KokoroModel | None = model
        self._vocabulary, self._voices, self._narrators = vocabulary, voices, narrators

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        from pipelines.models.weights import verified_folder
        from pipelines.speech.kokoro_files import load_downloaded, load_packaged

        files = load_downloaded(verified_folder(spec)) if spec.weights else load_packaged()
        narrators = load_voice_settings(spec.options, KokoroVoiceSettings)
        prosody_voices = [voice for one in spec.options.get("prosody_voices", {}).values() for voice in one.values()]
        for name, settings in narrators.items():
            for voice in (*settings.timbre, *(settings.prosody or ()), *prosody_voices):
                if voice not in files.voices:
                    raise ValueError(
                        f"models.yaml: narrator {name}: no voice {voice!r}; known: {', '.join(files.voices)}"
                    )
        return cls(KokoroModel(files.model, device.threads), files.vocabulary, files.voices, narrators, spec.options)

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
        assert self._model is not None
        settings = self._with_native_prosody(get_voice_settings(self._narrators, params.narrator), params.language)
        voice = KokoroVoice(self._model, self._vocabulary, self._voices, settings)
        report.record(
            narrator=params.narrator, voice=f"Kokoro, {' + '.join(sorted(settings.timbre))}", language=params.language
        )
        if params.language in self._low_quality_languages:
            report.warn(f"This voice model pronounces {params.language} poorly.")
        return narrate(params, voice, out, report)

    def close(self) -> None:
        self._model = None
        self._voices = {}

    def _with_native_prosody(self, settings: KokoroVoiceSettings, language: Language) -> KokoroVoiceSettings:
        """Return the settings with half of the prosody from a native voice of the language."""
        voice = max(settings.timbre, key=lambda name: settings.timbre[name])
        prosody_voice = self._prosody_voices.get(language, {}).get(voice[1:2])
        if prosody_voice is None or settings.prosody is not None or voice[:1] == prosody_voice[:1]:
            return settings
        own = sum(settings.timbre.values())
        return settings.model_copy(update={"prosody": {**settings.timbre, prosody_voice: own}})


class KokoroModel:
    """ONNX session. Exports differ in the names of inputs and outputs, not in their meaning."""

    def __init__(self, model: bytes, threads: int) -> None:
        from pipelines.speech.onnx_session import add_output, create_session, find_node_output

        # The graph rounds and clips the durations of the tokens to frames.
        durations = find_node_output(model, "Round", "Clip")
        self._session = create_session(add_output(model, durations) if durations else model, threads)
        kinds = {(one.type, len(one.shape)): one.name for one in self._session.get_inputs()}
        self._token_input, self._style_input = kinds["tensor(int64)", 2], kinds["tensor(float)", 2]
        self._speed_input = kinds["tensor(float)", 1]
        self._output_names = [self._session.get_outputs()[0].name, *filter(None, [durations])]

    def infer(self, ids: Sequence[int], style: NDArray[Any], speed: float) -> tuple[Samples, NDArray[Any]]:
        """Return the audio of `ids`, and the durations of start, each token and end in any unit."""
        import numpy as np

        from pipelines.speech.audio.samples import normalize_level, speech_bounds

        sound, *durations = self._session.run(
            self._output_names,
            {
                self._token_input: np.array([[0, *ids, 0]], np.int64),
                self._style_input: style[None, :],
                self._speed_input: np.array([speed], np.float32),
            },
        )
        samples = np.asarray(sound, np.float32).ravel()
        if durations:
            return samples, np.asarray(durations[0], np.float64).ravel()
        # The export has no durations: distribute the speech evenly over the tokens.
        first, end = speech_bounds(normalize_level(samples), _RATE)
        each = (end - first) / len(ids)
        return samples, np.array([first, *(each for _ in ids), len(samples) - end], np.float64)


class KokoroVoice:
    """One narrator of Kokoro."""

    rate = _RATE

    def __init__(
        self,
        model: KokoroModel,
        vocabulary: Mapping[str, int],
        voices: Mapping[str, NDArray[Any]],
        settings: KokoroVoiceSettings,
    ) -> None:
        import numpy as np

        self._model, self._vocabulary, self._settings = model, vocabulary, settings
        timbre, prosody = (
            _blend_styles(voices, weights) for weights in (settings.timbre, settings.prosody or settings.timbre)
        )
        self._styles = np.concatenate([timbre[:, :_TIMBRE_SIZE], prosody[:, _TIMBRE_SIZE:]], axis=1)

    def synthesize(self, words: Sequence[Word], language: Language) -> SpeechAudio:
        from pipelines.speech.g2p.kokoro_ipa import PHONEMIZERS, respell
        from pipelines.speech.g2p.phonemize import phonemize
        from pipelines.speech.timed import synthesize_timed, tokenize_word

        phoneme_texts = phonemize(words, language, respell, PHONEMIZERS)
        parts = [
            tokenize_word(word, text, self._vocabulary, _select_punctuation)
            for word, text in zip(words, phoneme_texts, strict=True)
        ]
        return synthesize_timed(parts, self._infer, _RATE, self._settings.pitch, _MAX_TOKENS)

    def _infer(self, ids: Sequence[int]) -> tuple[Samples, NDArray[Any]]:
        style = self._styles[min(len(ids), len(self._styles)) - 1]
        # Compensate the change of speed by the pitch shift.
        return self._model.infer(ids, style, self._settings.speed / self._settings.pitch)


_PUNCTUATION_MAP = str.maketrans(
    {
        "，": ",", "、": ",", "،": ",", "。": ".", "۔": ".", "।": ".", "！": "!", "？": "?", "؟": "?", "；": ";",
        "؛": ";", "：": ":",
        "–": "—", "(": "(", "（": "(", "）": ")", "«": "“", "»": "”", "「": "“", "」": "”", "『": "“", "』": "”",
        "《": "“", "》": "”",
        "\n": ",",
    }
)  # fmt: skip
_SUPPORTED_PUNCTUATION = frozenset(',.!?;:—…“”()"')


def _select_punctuation(around: str) -> str:
    """Return the supported punctuation of `around`, each mark once."""
    marks = (
        sign
        for sign in around.strip().replace("...", "…").translate(_PUNCTUATION_MAP)
        if sign in _SUPPORTED_PUNCTUATION
    )
    return "".join(dict.fromkeys(marks))


def _blend_styles(voices: Mapping[str, NDArray[Any]], weights: Mapping[str, float]) -> NDArray[Any]:
    import numpy as np

    total = sum(weights.values())
    styles = [
        np.asarray(voices[name], np.float32)[:, 0] * np.float32(weight / total) for name, weight in weights.items()
    ]
    return np.asarray(np.sum(styles, axis=0, dtype=np.float32))
