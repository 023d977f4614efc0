"""Family `Piper`: VITS voices in Piper's format in ONNX Runtime on the CPU. Fast; one voice per model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.speech.voices import VoiceSettings, get_voice_settings, load_voice_settings
from pipelines.step_params import Language, NarrateParams

if TYPE_CHECKING:
    import onnxruntime
    from numpy.typing import NDArray

    from pipelines.speech.audio.samples import Samples
    from pipelines.speech.narrate import SpeechAudio
    from pipelines.speech.text.tokenize import Word

_BEGIN_SYMBOL, _PAD_SYMBOL, _END_SYMBOL = "^", "_", "$"
_MAX_TOKENS = 400


class PiperOptions(BaseModel):
    """Options of a Piper model.

    `package` has the files `model` and `<model>.json`; `durations_output` is the inner value of the graph with the
    duration of each phoneme; `narrators` are settings of pitch and speed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    model: str
    durations_output: str
    narrators: Mapping[str, Any]


class Piper:
    """Narration by a Piper voice. Word times come from the predicted duration of each phoneme."""

    name: ClassVar[str] = "piper"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.NARRATE: NarrateParams}

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        durations: str,
        rate: int,
        vocabulary: Mapping[str, int],
        narrators: Mapping[str, VoiceSettings],
    ) -> None:
        self._session: onnxruntime.InferenceSession | None = session
        self._durations, self._rate, self._vocabulary, self._narrators = durations, rate, vocabulary, narrators

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        import json

        from pipelines.speech.onnx_session import add_output, create_session
        from pipelines.speech.timed import package_folder

        options = PiperOptions.model_validate(spec.options)
        path = package_folder(options.package) / options.model
        config = json.loads(path.with_name(path.name + ".json").read_text("utf-8"))
        vocabulary = {letter: ids[0] for letter, ids in config["phoneme_id_map"].items()}
        model = add_output(path.read_bytes(), options.durations_output)
        return cls(
            create_session(model, device.threads),
            options.durations_output,
            int(config["audio"]["sample_rate"]),
            vocabulary,
            load_voice_settings(spec.options, VoiceSettings),
        )

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
        assert self._session is not None
        settings = get_voice_settings(self._narrators, params.narrator)
        report.record(narrator=params.narrator, voice="Piper", language=params.language)
        voice = PiperVoice(self._session, self._durations, self._rate, self._vocabulary, settings)
        return narrate(params, voice, out, report)

    def close(self) -> None:
        self._session = None


class PiperVoice:
    """One narrator of a Piper model."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        durations: str,
        rate: int,
        vocabulary: Mapping[str, int],
        settings: VoiceSettings,
    ) -> None:
        self.rate = rate
        self._session, self._durations, self._vocabulary, self._settings = session, durations, vocabulary, settings

    def synthesize(self, words: Sequence[Word], language: Language) -> SpeechAudio:
        from pipelines.speech.g2p.phonemize import phonemize
        from pipelines.speech.timed import synthesize_timed, tokenize_word

        phoneme_texts = phonemize(words, language, _remove_ties, {})
        parts = [
            tokenize_word(word, text, self._vocabulary, self._select_punctuation)
            for word, text in zip(words, phoneme_texts, strict=True)
        ]
        return synthesize_timed(parts, self._infer, self.rate, self._settings.pitch, _MAX_TOKENS)

    def _infer(self, ids: Sequence[int]) -> tuple[Samples, NDArray[Any]]:
        import numpy as np

        pad = self._vocabulary[_PAD_SYMBOL]
        padded = [
            self._vocabulary[_BEGIN_SYMBOL],
            pad,
            *(part for token in ids for part in (token, pad)),
            self._vocabulary[_END_SYMBOL],
        ]
        sound, durations = self._session.run(
            ["output", self._durations],
            {
                "input": np.array([padded], np.int64),
                "input_lengths": np.array([len(padded)], np.int64),
                # Zero noise makes the result deterministic. The length scale compensates the pitch shift.
                "scales": np.array([0.0, self._settings.pitch / self._settings.speed, 0.0], np.float32),
            },
        )
        pairs = np.append(np.asarray(durations, np.float64).ravel(), 0.0).reshape(-1, 2).sum(axis=1)
        return np.asarray(sound, np.float32).ravel(), pairs

    def _select_punctuation(self, around: str) -> str:
        return "".join(dict.fromkeys(sign for sign in around if sign in ".,;:!?" and sign in self._vocabulary))


def _remove_ties(ipa: str, language: Language) -> str:
    return ipa.replace("^", "")
