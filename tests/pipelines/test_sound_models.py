"""Voices and composers on torch: the real classes with tiny random weights, loaded from a folder as pulled ones are."""

import importlib
import json
import wave
from importlib.util import find_spec

import numpy as np
import pytest

from pipelines.base import BadInput, Device, Kind, MemoryMode, MissingDependency
from pipelines.media.timeline import SceneTiming, Timeline, TimelineScene
from pipelines.models.catalog import load
from pipelines.step_params import NarrateParams, ScoreParams
from tests.fixtures import weighted
from tests.fixtures.standin.chatterbox.mtl_tts import ChatterboxMultilingualTTS

pytest.importorskip("torch", reason="models on torch need torch")
pytest.importorskip("transformers", reason="these models are run by transformers")

CATALOG = load()


class Report:
    def __init__(self):
        self.facts, self.fractions = {}, []

    def progress(self, fraction, message=""):
        assert 0 <= fraction <= 1
        self.fractions.append(fraction)

    def warn(self, message):
        raise AssertionError(message)

    def record(self, **facts):
        json.dumps(facts)
        self.facts.update(facts)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folders of tiny models, each built once."""

    made = {}

    def folder(name, label="", **options):
        key = name + label
        if key not in made:
            made[key] = tmp_path_factory.mktemp(key) / "weights"
            importlib.import_module(f"tests.fixtures.tiny.{name}").build(made[key], **options)
        return made[key]

    return folder


# --- composers ---------------------------------------------------------------------------------------------------------


class Music:
    """What a composer made: `samples` (−1 to 1, two columns) at 48 kHz."""

    def __init__(self, path, report):
        self.bytes, self.report = path.read_bytes(), report
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 2, 2)
            self.samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2) / 32768


@pytest.fixture
def score(tmp_path):
    counter = iter(range(100))

    def compose(family, frames, *, fps=24, seed=1, mood="joyful", prompt="a fox and the moon"):
        out, report = tmp_path / str(next(counter)), Report()
        out.mkdir()
        timeline = tmp_path / "timeline.json"
        place = TimelineScene(start=0, timing=SceneTiming(fps=fps, frames=frames))
        timeline.write_text(Timeline(fps=fps, scenes=(place,)).model_dump_json())
        params = ScoreParams(mood=mood, prompt=prompt)
        made = list(family.run(Kind.SCORE, params, {"timeline": [timeline]}, out, report, seed=seed))
        assert [path.name for path in made] == ["music.wav"]
        return Music(made[0], report)

    return compose


def is_a_score(music, frames, fps=24):
    """As long as the film, at a level to work with, without clipping, ending in silence."""
    assert len(music.samples) == round(frames * 48_000 / fps)
    assert 0.03 < np.sqrt(np.mean(music.samples**2)) < 0.2
    assert np.abs(music.samples).max() < 0.999
    assert np.abs(music.samples[-480:]).max() < 0.002
    assert music.report.fractions[-1] == 1.0


@pytest.fixture(scope="module")
def musicgen(built):
    from pipelines.music.musicgen import MusicGen

    spec = weighted.spec(
        MusicGen, built("musicgen"), options={"window": 4, "context_seconds": 2}, licence="CC-BY-NC-4.0"
    )
    return MusicGen.load(spec, Device())


def test_musicgen_plays_from_words_in_stereo_and_the_same_bytes_again(musicgen, score):
    music = score(musicgen, 60)
    is_a_score(music, 60)
    assert "happy" in music.report.facts["prompt"]
    assert "a fox and the moon" in music.report.facts["prompt"]
    assert music.report.facts["licence"] == "CC-BY-NC-4.0"
    assert not np.array_equal(music.samples[:, 0], music.samples[:, 1])
    assert score(musicgen, 60).bytes == music.bytes
    assert score(musicgen, 60, seed=2).bytes != music.bytes


def test_a_film_longer_than_the_models_window_is_played_on_from_what_was_heard(musicgen, score):
    music = score(musicgen, 24 * 11)
    is_a_score(music, 24 * 11)
    assert music.report.fractions == sorted(music.report.fractions)
    assert len(music.report.fractions) >= 11, "one report for each second"
    seconds = np.sqrt(np.mean(music.samples[: 8 * 48_000].reshape(-1, 48_000, 2) ** 2, axis=(1, 2)))
    assert seconds.min() > 0.01, "no hole where one window ends and the next begins"


def test_musicgen_of_one_channel_plays_in_both_and_with_little_memory(built, score):
    from pipelines.music.musicgen import MusicGen

    assert MemoryMode.LEAF_OFFLOAD in MusicGen.memory_modes
    spec = weighted.spec(MusicGen, built("musicgen", "-mono", channels=1))
    whole = score(MusicGen.load(spec, Device()), 30)
    is_a_score(whole, 30)
    assert np.array_equal(whole.samples[:, 0], whole.samples[:, 1])
    assert score(MusicGen.load(spec, Device(memory_mode=MemoryMode.LEAF_OFFLOAD)), 30).bytes == whole.bytes


def test_a_wrong_option_of_a_composer_is_named(built):
    from pipelines.music.musicgen import MusicGen

    with pytest.raises(BadInput, match=r"tiny\.options\.window"):
        MusicGen.load(weighted.spec(MusicGen, built("musicgen"), options={"window": 99}), Device())


@pytest.fixture(scope="module")
def acestep(built):
    pytest.importorskip("diffusers", reason="ACE-Step is run by diffusers")
    from pipelines.music.acestep import AceStep

    spec = weighted.spec(AceStep, built("acestep"), options={"steps": 2, "max_piece_seconds": 30})
    return AceStep.load(spec, Device())


def test_acestep_plays_one_piece_and_the_same_bytes_again(acestep, score):
    music = score(acestep, 60)
    is_a_score(music, 60)
    assert music.report.facts["pieces"] == 1
    assert score(acestep, 60).bytes == music.bytes
    assert score(acestep, 60, seed=2).bytes != music.bytes


def test_a_film_longer_than_the_longest_piece_gets_several_joined_on_the_beat(acestep, score):
    music = score(acestep, 24 * 40)
    is_a_score(music, 24 * 40)
    assert music.report.facts["pieces"] >= 2


def test_acestep_within_little_memory(built, score):
    pytest.importorskip("diffusers", reason="ACE-Step is run by diffusers")
    from pipelines.music.acestep import AceStep

    spec = weighted.spec(AceStep, built("acestep"), options={"steps": 2})
    whole = score(AceStep.load(spec, Device()), 24).bytes
    for economy in AceStep.memory_modes[:3]:
        assert len(score(AceStep.load(spec, Device(memory_mode=economy)), 24).bytes) == len(whole)


def test_a_composer_needs_the_films_timeline(musicgen, tmp_path):
    with pytest.raises(BadInput, match="timeline"):
        list(musicgen.run(Kind.SCORE, ScoreParams(), {}, tmp_path, Report(), seed=1))


# --- voices ------------------------------------------------------------------------------------------------------------

NARRATORS = {"Rachel": {"pitch_hz": 200}, "Brian": {"pitch_hz": 95, "speed": 0.9}}
SAID = {
    "Arabic": "رأى الثعلب 3 نجوم.",
    "Chinese": "狐狸看见了3颗星。",
    "English": "The fox saw 3 stars.",
    "French": "Le renard vit 3 étoiles.",
    "German": "Der Fuchs sah 3 Sterne.",
    "Hindi": "लोमड़ी ने 3 तारे देखे।",
    "Japanese": "キツネは3つの星を見ました。",
    "Korean": "여우는 별 3개를 보았다.",
    "Spanish": "El zorro vio 3 estrellas.",
    "Turkish": "Tilki 3 yıldız gördü.",
}
SENTENCE = "Der Fuchs sah den Mond. Er blieb noch lange wach."


class Speech:
    """What a voice said: `samples` (−1 to 1) at `rate`, `words` with their times."""

    def __init__(self, folder, report):
        self.report, self.bytes = report, (folder / "narration.wav").read_bytes()
        with wave.open(str(folder / "narration.wav")) as file:
            assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
            self.rate = file.getframerate()
            self.samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
        made = json.loads((folder / "word_timings.json").read_text("utf-8"))
        self.words, self.seconds = made["words"], made["seconds"]


@pytest.fixture
def narrate(tmp_path):
    counter = iter(range(100))

    def speak(family, text, language="English", narrator="Rachel", seed=1, inputs=None):
        out, report = tmp_path / str(next(counter)), Report()
        out.mkdir()
        params = NarrateParams(text=text, language=language, narrator=narrator)
        made = list(family.run(Kind.NARRATE, params, inputs or {}, out, report, seed=seed))
        assert [path.name for path in made] == ["narration.wav", "word_timings.json"]
        return Speech(out, report)

    return speak


def is_a_narration(speech, text):
    """The words give the text back, none before the one before it, all within the sound."""
    assert "".join(word["text"] for word in speech.words) == text
    clock = 0.0
    for word in speech.words:
        assert clock <= word["start"] <= word["end"] <= speech.seconds
        clock = word["end"]
    assert speech.seconds == pytest.approx(len(speech.samples) / speech.rate, abs=1e-3)
    assert speech.seconds > 0.2
    assert speech.report.fractions[-1] == 1.0


def vits(built, languages=("German",), label="", narrators=NARRATORS, **options):
    from pipelines.speech.vits import Vits

    folders = {language: built("vits", label, **options) for language in languages}
    return Vits.load(weighted.spec(Vits, folders, options={"narrators": narrators}), Device())


def test_vits_speaks_and_the_same_bytes_again(built, narrate):
    family = vits(built)
    speech = narrate(family, SENTENCE, "German")
    is_a_narration(speech, SENTENCE)
    assert speech.rate == 16_000
    assert speech.report.facts == {"narrator": "Rachel", "voice": "tiny, German", "language": "German"}
    narrate(family, "Etwas anderes!", "German", narrator="Brian")
    assert narrate(family, SENTENCE, "German").bytes == speech.bytes
    assert narrate(family, SENTENCE, "German", seed=2).bytes != speech.bytes


def test_times_are_the_models_own_durations_to_the_frame(built):
    """Frames of all letters add up to the sound, and a blank counts with the letter before it."""
    family = vits(built)
    tongue = family._load_language("German")
    from pipelines.speech.text.tokenize import split_words

    words = tongue.tokenizer.tokenize(split_words("Der Fuchs schläft"), "German")
    letters = {number: letter for letter, number in tongue.tokenizer._vocabulary.items()}
    assert ["".join(letters[one] for one in word.ids[word.word_slice]) for word in words] == ["der", "fuchs", "schläft"]
    ids = [one for word in words for one in word.ids]
    samples, frames = tongue.infer(ids, speed=1.0, speaker=None, seed=1)
    assert len(frames) == len(ids) + 2
    assert frames.sum() * 256 == len(samples)
    assert frames[1] == 0, "no space is spoken before the first word"
    assert (frames[2:-1] >= 2).all(), "a letter and its blank last a frame each at least"


def test_the_reader_gives_the_model_what_its_own_tokenizer_would(built):
    from transformers import VitsTokenizer

    from pipelines.speech.text.tokenize import split_words
    from pipelines.speech.vits_tokenizer import WordTokenizer

    tokenizer = VitsTokenizer.from_pretrained(built("vits"))
    reader = WordTokenizer(tokenizer)
    ids = [one for word in reader.tokenize(split_words(SENTENCE), "German") for one in word.ids]
    assert reader.add_blanks(ids) == tokenizer(SENTENCE)["input_ids"]


def test_a_voice_with_phonemes_and_many_speakers(built, narrate):
    pytest.importorskip("espeakng_loader", reason="phonemes come from eSpeak NG")
    from tests.fixtures.tiny.vits import IPA

    options = {"letters": IPA, "phonemes": True, "speakers": 4}
    narrators = {"Rachel": {"speaker": 1}, "Brian": {"speaker": 3, "speed": 0.9}}
    family = vits(built, ("English",), "-many", narrators, **options)
    text = "The fox saw 3 stars, and Dr. Smith did too."
    rachel, brian = narrate(family, text), narrate(family, text, narrator="Brian")
    is_a_narration(rachel, text)
    assert all(word["end"] > word["start"] for word in rachel.words)
    assert brian.bytes != rachel.bytes


def test_a_language_without_weights_is_refused_with_those_that_there_are(built, narrate):
    family = vits(built)
    with pytest.raises(BadInput, match="German"):
        narrate(family, "月", "Japanese")


def test_a_romanized_voice_reads_hangul(built, narrate):
    if find_spec("uroman") is None:
        with pytest.raises(MissingDependency, match="uroman"):
            narrate(vits(built, ("Korean",), "-roman", romanized=True), "여우는 달을 보았다.", "Korean")
        return
    family = vits(built, ("Korean",), "-roman", romanized=True)
    text = "여우는 달을 보았다."
    speech = narrate(family, text, "Korean")
    is_a_narration(speech, text)
    assert all(word["end"] > word["start"] for word in speech.words)


@pytest.fixture(scope="module")
def xtts(built):
    """XTTS needs coqui-tts, and a torchaudio that loads beside the installed torch."""
    from pipelines.speech.xtts import Xtts
    from tests.fixtures.tiny.xtts import FILES, skip_reason

    if reason := skip_reason():
        pytest.skip(reason)

    narrators = {"Rachel": {"speaker": "Ana Florence"}, "Brian": {"speaker": "Damien Black", "pitch": 0.9}}
    return weighted.spec(Xtts, built("xtts"), FILES, options={"narrators": narrators}, licence="CPML")


def test_xtts_speaks_with_studio_voices_and_the_same_bytes_again(xtts, narrate):
    from pipelines.speech.xtts import Xtts

    family = Xtts.load(xtts, Device())
    text = "The fox saw the moon. He was glad of it."
    speech = narrate(family, text)
    is_a_narration(speech, text)
    assert speech.report.facts["voice"] == "XTTS-v2, Ana Florence"
    assert speech.report.facts["licence"] == "CPML"
    assert narrate(family, text, narrator="Brian").bytes != speech.bytes
    assert narrate(family, text).bytes == speech.bytes


def test_xtts_reads_every_script_and_its_numbers(xtts, narrate):
    from pipelines.speech.xtts import Xtts

    said = dict(SAID)
    if find_spec("fugashi") is None:  # it reads Japanese, with a dictionary of 250 MB
        del said["Japanese"]
    family = Xtts.load(xtts, Device())
    for language, text in said.items():
        is_a_narration(narrate(family, text, language), text)


def test_xtts_speaks_with_the_voice_of_a_recording_and_leaves_its_files_alone(xtts, narrate, recording):
    from pipelines.speech.xtts import Xtts

    model = next(path for path in folder_of(xtts).iterdir() if path.suffix == ".pth" and path.stem == "model")
    before = model.read_bytes()
    family = Xtts.load(xtts, Device())
    own = narrate(family, "Hello there, little fox.")
    given = narrate(family, "Hello there, little fox.", inputs={"voice_sample": [recording(110)]})
    is_a_narration(given, "Hello there, little fox.")
    assert given.report.facts["voice"] == "XTTS-v2, a given recording"
    assert given.bytes != own.bytes
    assert model.read_bytes() == before


def folder_of(spec):
    from pipelines.models.weights import verified_folder

    return verified_folder(spec)


@pytest.fixture
def recording(tmp_path):
    """A hummed voice of that height, four seconds at 16 kHz."""

    def record(hertz, seconds=4.0):
        path, rate = tmp_path / f"{hertz}.wav", 16_000
        at = np.arange(int(seconds * rate)) / rate
        voice = sum(np.sin(2 * np.pi * hertz * number * at) / number for number in range(1, 9))
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes((0.2 * voice / np.abs(voice).max() * 32767).astype("<i2").tobytes())
        return path

    return record


def test_without_its_packages_xtts_says_what_to_install(tmp_path):
    if find_spec("TTS") is not None:
        pytest.skip("coqui-tts is installed")
    from pipelines.speech.xtts import Xtts

    for name in ("config.json", "vocab.json", "model.pth", "speakers_xtts.pth"):
        (tmp_path / "weights").mkdir(exist_ok=True)
        (tmp_path / "weights" / name).write_bytes(b"{}")
    options = {"narrators": {"Rachel": {"speaker": "Ana Florence"}}}
    spec = weighted.spec(Xtts, tmp_path / "weights", ("*.json", "*.pth"), options=options)
    with pytest.raises(MissingDependency, match=r"story-engine\[tts\]"):
        Xtts.load(spec, Device())


def chatterbox(**narrators):
    from pipelines.speech.chatterbox import Chatterbox, ChatterboxVoiceSettings

    recipes = {name: ChatterboxVoiceSettings(**recipe) for name, recipe in narrators.items()}
    return Chatterbox(ChatterboxMultilingualTTS(), Device(), recipes)


def test_chatterbox_speaks_and_the_same_bytes_again(narrate):
    family = chatterbox(Rachel={"pitch_hz": 150}, Brian={"pitch_hz": 100})
    text = "Der Fuchs sah 3 Sterne. Er war sehr froh darüber."
    speech = narrate(family, text, "German")
    is_a_narration(speech, text)
    assert speech.report.facts["watermark"] == "Perth"
    assert family._model.told[1:] == [(text, "de")], "after what it is measured by"
    brian = narrate(family, text, "German", narrator="Brian")
    assert brian.seconds > 1.3 * speech.seconds, "a larger speaker is a slower one"
    assert narrate(family, text, "German").bytes == speech.bytes
    assert narrate(family, text, "German", seed=2).bytes != speech.bytes


def test_chatterbox_speaks_with_a_given_voice_and_then_with_its_own_again(narrate, recording):
    family = chatterbox(Rachel={})
    own = narrate(family, "Hello there, little fox.")
    given = narrate(family, "Hello there, little fox.", inputs={"voice_sample": [recording(110)]})
    assert given.bytes != own.bytes
    assert given.report.facts["narrator"] == "the given voice"
    assert narrate(family, "Hello there, little fox.").bytes == own.bytes


@pytest.fixture(scope="module")
def real_chatterbox(built):
    """What chatterbox-tts itself loads and speaks with, where its packages were put beside these."""
    from pipelines.speech.chatterbox import Chatterbox
    from tests.fixtures.tiny.chatterbox import FILES, skip_reason, small_sizes

    if reason := skip_reason():
        pytest.skip(reason)
    spec = weighted.spec(Chatterbox, built("chatterbox"), FILES, options={"narrators": {"Rachel": {"pitch_hz": 195}}})
    before = sorted(folder_of(spec).rglob("*"))
    with small_sizes():
        family = Chatterbox.load(spec, Device())
    assert sorted(folder_of(spec).rglob("*")) == before, "nothing is put beside what was pulled"
    assert family._model.tokenizer.cangjie_converter("狐").strip("[]").startswith("cj_k"), "read without the hub"
    return family


def test_chatterbox_tts_reads_every_script(real_chatterbox, narrate):
    for language, text in SAID.items():
        is_a_narration(narrate(real_chatterbox, text, language), text)


def test_chatterbox_tts_speaks_with_a_given_voice_and_then_with_its_own_again(real_chatterbox, narrate, recording):
    own = narrate(real_chatterbox, "Hello there, little fox.")
    assert narrate(real_chatterbox, "Hello there, little fox.").bytes == own.bytes
    given = narrate(real_chatterbox, "Hello there, little fox.", inputs={"voice_sample": [recording(110)]})
    is_a_narration(given, "Hello there, little fox.")
    assert given.bytes != own.bytes
    assert narrate(real_chatterbox, "Hello there, little fox.").bytes == own.bytes


def test_under_the_engines_own_interpreter_chatterbox_says_where_it_runs(tmp_path):
    if find_spec("chatterbox") is not None:
        pytest.skip("chatterbox-tts is installed here")
    from pipelines.speech.chatterbox import Chatterbox

    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "ve.pt").write_bytes(b"")
    spec = weighted.spec(Chatterbox, tmp_path / "weights", ("*.pt",), options={"narrators": {"Rachel": {}}})
    with pytest.raises(MissingDependency, match="separate environment"):
        Chatterbox.load(spec, Device())
