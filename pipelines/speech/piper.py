"""The family `Piper`: VITS voices in Piper's format, run by ONNX Runtime on the CPU. Fast; one voice per model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from pipelines.base import Device, Kind, ModelSpec, Params, Report
from pipelines.speech.voices import Recipe, narrator, recipes
from pipelines.step_params import Language, NarrateParams

if TYPE_CHECKING:
    import onnxruntime
    from numpy.typing import NDArray

    from pipelines.speech.audio.samples import Samples
    from pipelines.speech.narrate import Sound
    from pipelines.speech.text.tokenize import Word

_BEGIN, _PAD, _END = "^", "_", "$"
_TOKENS = 400


class PiperOptions(BaseModel):
    """`package` carries the file `model` and beside it `<model>.json`; `durations` is the inner value of the graph that tells
    how long each phoneme lasts; `narrators` are recipes of pitch and speed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    model: str
    durations: str
    narrators: Mapping[str, Any]


class Piper:
    """Narration by a Piper voice. Word times come from the durations that the model predicts for each phoneme."""

    name: ClassVar[str] = "piper"
    version: ClassVar[str] = "1"
    params: ClassVar[Mapping[Kind, type[Params]]] = {Kind.NARRATE: NarrateParams}

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        durations: str,
        rate: int,
        letters: Mapping[str, int],
        narrators: Mapping[str, Recipe],
    ) -> None:
        self._session: onnxruntime.InferenceSession | None = session
        self._durations, self._rate, self._letters, self._narrators = durations, rate, letters, narrators

    @classmethod
    def load(cls, spec: ModelSpec, device: Device) -> Self:
        import json

        from pipelines.speech.onnx_session import session, with_output
        from pipelines.speech.timed import package

        options = PiperOptions.model_validate(spec.options)
        path = package(options.package) / options.model
        config = json.loads(path.with_name(path.name + ".json").read_text("utf-8"))
        letters = {letter: ids[0] for letter, ids in config["phoneme_id_map"].items()}
        model = with_output(path.read_bytes(), options.durations)
        return cls(
            session(model, device.threads),
            options.durations,
            int(config["audio"]["sample_rate"]),
            letters,
            recipes(spec.options, Recipe),
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
        recipe = narrator(self._narrators, params.narrator)
        report.record(narrator=params.narrator, voice="Piper", language=params.language)
        voice = PiperVoice(self._session, self._durations, self._rate, self._letters, recipe)
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
        letters: Mapping[str, int],
        recipe: Recipe,
    ) -> None:
        self.rate = rate
        self._session, self._durations, self._letters, self._recipe = session, durations, letters, recipe

    def say(self, words: Sequence[Word], language: Language) -> Sound:
        from pipelines.speech.g2p.phonemize import phonemes
        from pipelines.speech.timed import spoken, tokens

        said = phonemes(words, language, _untied, {})
        parts = [tokens(word, text, self._letters, self._marks) for word, text in zip(words, said, strict=True)]
        return spoken(parts, self._infer, self.rate, self._recipe.pitch, _TOKENS)

    def _infer(self, ids: Sequence[int]) -> tuple[Samples, NDArray[Any]]:
        import numpy as np

        pad = self._letters[_PAD]
        padded = [self._letters[_BEGIN], pad, *(part for token in ids for part in (token, pad)), self._letters[_END]]
        sound, durations = self._session.run(
            ["output", self._durations],
            {
                "input": np.array([padded], np.int64),
                "input_lengths": np.array([len(padded)], np.int64),
                # No noise: the model draws it anew at each call. What the pitch will squeeze is spoken that much slower.
                "scales": np.array([0.0, self._recipe.pitch / self._recipe.speed, 0.0], np.float32),
            },
        )
        pairs = np.append(np.asarray(durations, np.float64).ravel(), 0.0).reshape(-1, 2).sum(axis=1)
        return np.asarray(sound, np.float32).ravel(), pairs

    def _marks(self, around: str) -> str:
        return "".join(dict.fromkeys(sign for sign in around if sign in ".,;:!?" and sign in self._letters))


def _untied(ipa: str, language: Language) -> str:
    return ipa.replace("^", "")
