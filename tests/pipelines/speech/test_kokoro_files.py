"""Kokoro from a hub folder, and exports with other names. The model is the shipped one, with real synthesis."""

import numpy as np
import pytest

from pipelines.base import Device, Kind, MissingDependency
from pipelines.models.catalog import load, missing_modules
from pipelines.speech.kokoro import Kokoro, KokoroModel
from pipelines.speech.kokoro_files import load_downloaded, load_packaged
from pipelines.speech.onnx_session import find_node_output
from pipelines.step_params import NarrateParams
from tests.fixtures import weighted
from tests.fixtures.tiny import kokoro
from tests.pipelines.speech.conftest import Narration, Report

NARRATORS = {"Rachel": {"timbre": {"af_heart": 1}}, "Brian": {"timbre": {"jm_kumo": 1}}}

if absent := missing_modules(load().spec("kokoro")):
    pytest.skip(f"kokoro is not installed (missing {', '.join(absent)})", allow_module_level=True)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kokoro") / "weights"
    kokoro.build(folder, ("af_heart", "ff_siwis"))
    return folder


def test_downloaded_and_packaged_files_are_equal(hub):
    found, files = load_downloaded(hub), load_packaged()
    assert found.model == files.model
    assert found.vocabulary == files.vocabulary
    assert set(found.voices) == {*files.voices, "af_heart", "ff_siwis"}
    assert all(np.array_equal(found.voices[name], files.voices[name]) for name in files.voices)


def test_downloaded_weights_add_native_prosody_of_the_language(hub, tmp_path):
    """Rachel, an English voice, speaks French with half of a French woman's prosody, and English with her own."""
    options = {"narrators": NARRATORS, "prosody_voices": {"French": {"f": "ff_siwis"}, "Japanese": {"m": "jm_kumo"}}}
    family = Kokoro.load(weighted.spec(Kokoro, hub, kokoro.FILES, options=options), Device())
    text, report = "Le renard sortit.", Report()
    list(family.run(Kind.NARRATE, NarrateParams(text=text, language="French"), {}, tmp_path, report, seed=1))
    assert "".join(word["text"] for word in Narration(tmp_path, report).words) == text
    rachel, brian = (family._narrators[name] for name in NARRATORS)
    assert family._with_native_prosody(rachel, "French").prosody == {"af_heart": 1, "ff_siwis": 1}
    assert family._with_native_prosody(rachel, "English") == rachel
    assert family._with_native_prosody(brian, "Japanese") == brian, "his own voice is at home there"


def test_finds_the_durations_in_the_graph_by_their_operators():
    assert find_node_output(load_packaged().model, "Round", "Clip") == "/encoder/Clip_output_0"
    assert find_node_output(load_packaged().model, "Round", "NoSuchOperator") is None


def test_an_export_without_durations_distributes_the_audio_evenly():
    files = load_packaged()
    graph = KokoroModel(files.model, 1)
    ids, style = [files.vocabulary[letter] for letter in "həlˈoʊ"], files.voices["jf_alpha"][5, 0]
    samples, frames = graph.infer(ids, style, 1.0)
    del graph._output_names[1:]  # as for a graph without durations
    same, shares = graph.infer(ids, style, 1.0)
    assert np.array_equal(samples, same)
    assert len(shares) == len(frames) == len(ids) + 2
    assert shares.sum() == pytest.approx(len(samples))
    assert np.ptp(shares[1:-1]) == pytest.approx(0)


def test_a_folder_without_voices_is_a_missing_dependency(tmp_path):
    with pytest.raises(MissingDependency, match="voices"):
        load_downloaded(tmp_path)
