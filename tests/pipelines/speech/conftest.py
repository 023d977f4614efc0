"""Narrators with real synthesis: each installed model of models.yaml, loaded once for all tests."""

import json
import wave
from functools import cache

import numpy as np
import pytest

from pipelines.base import Device, Kind
from pipelines.models.catalog import family_class, load, missing_modules
from pipelines.step_params import NarrateParams

MODELS = ("kokoro", "piper", "espeak")


class Report:
    def __init__(self):
        self.warnings, self.facts, self.fractions = [], {}, []

    def progress(self, fraction, message=""):
        self.fractions.append(fraction)

    def warn(self, message):
        self.warnings.append(message)

    def record(self, **facts):
        json.dumps(facts)
        self.facts.update(facts)


class Narration:
    """Result of a narration: `samples` in [-1, 1] at `rate`, `words` with times, `seconds`."""

    def __init__(self, folder, report):
        self.report, self.bytes = report, (folder / "narration.wav").read_bytes()
        with wave.open(str(folder / "narration.wav")) as file:
            assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
            self.rate = file.getframerate()
            self.samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
        made = json.loads((folder / "word_timings.json").read_text("utf-8"))
        self.words, self.seconds = made["words"], made["seconds"]


@cache
def family(model):
    spec = load().spec(model)
    if absent := missing_modules(spec):
        pytest.skip(f"{model} is not installed (missing {', '.join(absent)})")
    return family_class(spec).load(spec, Device(threads=1))


@pytest.fixture
def narrate(tmp_path):
    counter = iter(range(100))

    def speak(model, text, language="English", narrator="Rachel"):
        out, report = tmp_path / str(next(counter)), Report()
        out.mkdir()
        params = NarrateParams(text=text, language=language, narrator=narrator)
        made = list(family(model).run(Kind.NARRATE, params, {}, out, report, seed=1))
        assert [path.name for path in made] == ["narration.wav", "word_timings.json"]
        return Narration(out, report)

    return speak
