"""Text normalization for speech: abbreviations, currency, URLs, symbols, markup.

Numbers stay digits: the pronunciation dictionaries of all ten languages read them.
"""

from __future__ import annotations

import re
import unicodedata

from pipelines.step_params import Language

_ABBREVIATIONS: dict[str, dict[str, str]] = {
    "English": {
        "Mr": "mister", "Mrs": "missis", "Ms": "miz", "Dr": "doctor", "Prof": "professor", "St": "saint",
        "Jr": "junior",
        "Sr": "senior", "vs": "versus", "etc": "et cetera", "e.g": "for example", "i.e": "that is",
        "approx": "approximately",
        "No": "No", "Capt": "captain", "Gen": "general", "Lt": "lieutenant", "Sgt": "sergeant", "Rev": "reverend",
    },
    "Spanish": {
        "Sr": "señor", "Sra": "señora", "Srta": "señorita", "Dr": "doctor", "Dra": "doctora", "Ud": "usted",
        "Uds": "ustedes",
        "etc": "etcétera", "p.ej": "por ejemplo", "Prof": "profesor",
    },
    "French": {
        "M": "monsieur", "Mme": "madame", "Mlle": "mademoiselle", "MM": "messieurs", "Dr": "docteur",
        "etc": "et cetera",
        "p.ex": "par exemple", "Prof": "professeur", "St": "saint", "Ste": "sainte",
    },
    "German": {
        "Hr": "Herr", "Fr": "Frau", "Dr": "Doktor", "Prof": "Professor", "usw": "und so weiter", "z.B": "zum Beispiel",
        "d.h": "das heißt", "bzw": "beziehungsweise", "ca": "circa", "Nr": "Nummer", "St": "Sankt",
    },
    "Turkish": {"Dr": "doktor", "Prof": "profesör", "vb": "ve benzeri", "vs": "vesaire", "Sn": "sayın"},
}  # fmt: skip
_ALL_ABBREVIATIONS = frozenset(short.casefold() for table in _ABBREVIATIONS.values() for short in table) - {
    "no",
    "m",
    "fr",
    "ca",
}

_CURRENCY_NAMES: dict[str, dict[str, str]] = {
    "English": {"$": "dollars", "€": "euros", "£": "pounds", "¥": "yen", "₹": "rupees", "₺": "lira", "₩": "won"},
    "Spanish": {"$": "dólares", "€": "euros", "£": "libras", "¥": "yenes", "₹": "rupias", "₺": "liras", "₩": "wones"},
    "French": {"$": "dollars", "€": "euros", "£": "livres", "¥": "yens", "₹": "roupies", "₺": "livres", "₩": "wons"},
    "German": {"$": "Dollar", "€": "Euro", "£": "Pfund", "¥": "Yen", "₹": "Rupien", "₺": "Lira", "₩": "Won"},
    "Turkish": {"$": "dolar", "€": "avro", "£": "sterlin", "¥": "yen", "₹": "rupi", "₺": "lira", "₩": "won"},
    "Hindi": {"$": "डॉलर", "€": "यूरो", "£": "पाउंड", "¥": "येन", "₹": "रुपये", "₺": "लीरा", "₩": "वॉन"},
    "Arabic": {"$": "دولار", "€": "يورو", "£": "جنيه", "¥": "ين", "₹": "روبية", "₺": "ليرة", "₩": "وون"},
    "Chinese": {"$": "美元", "€": "欧元", "£": "英镑", "¥": "元", "₹": "卢比", "₺": "里拉", "₩": "韩元"},
    "Japanese": {"$": "ドル", "€": "ユーロ", "£": "ポンド", "¥": "円", "₹": "ルピー", "₺": "リラ", "₩": "ウォン"},
    "Korean": {"$": "달러", "€": "유로", "£": "파운드", "¥": "엔", "₹": "루피", "₺": "리라", "₩": "원"},
}
_SYMBOL_NAMES: dict[str, dict[str, str]] = {
    "English": {"%": "percent", "&": "and", "+": "plus", "=": "equals", "@": "at", "°": "degrees", "×": "times",
        "÷": "divided by"},
    "Spanish": {"%": "por ciento", "&": "y", "+": "más", "=": "igual a", "@": "arroba", "°": "grados", "×": "por",
        "÷": "entre"},
    "French": {"%": "pour cent", "&": "et", "+": "plus", "=": "égale", "@": "arobase", "°": "degrés", "×": "fois",
        "÷": "divisé par"},
    "German": {"%": "Prozent", "&": "und", "+": "plus", "=": "gleich", "@": "ät", "°": "Grad", "×": "mal",
        "÷": "geteilt durch"},
    "Turkish": {"%": "yüzde", "&": "ve", "+": "artı", "=": "eşittir", "@": "et", "°": "derece", "×": "çarpı",
        "÷": "bölü"},
    "Hindi": {"%": "प्रतिशत", "&": "और", "+": "प्लस", "=": "बराबर", "@": "ऐट", "°": "डिग्री", "×": "गुणा", "÷": "भाग"},
    "Arabic": {"%": "بالمئة", "&": "و", "+": "زائد", "=": "يساوي", "@": "آت", "°": "درجة", "×": "ضرب", "÷": "قسمة"},
    "Chinese": {"%": "百分号", "&": "和", "+": "加", "=": "等于", "@": "艾特", "°": "度", "×": "乘", "÷": "除以"},
    "Japanese": {"%": "パーセント", "&": "アンド", "+": "プラス", "=": "イコール", "@": "アット", "°": "度",
        "×": "かける", "÷": "わる"},
    "Korean": {"%": "퍼센트", "&": "그리고", "+": "더하기", "=": "는", "@": "골뱅이", "°": "도", "×": "곱하기",
        "÷": "나누기"},
}  # fmt: skip
_DOT_NAMES: dict[str, str] = {
    "English": "dot", "Spanish": "punto", "French": "point", "German": "Punkt", "Turkish": "nokta", "Hindi": "डॉट",
    "Arabic": "نقطة", "Chinese": "点", "Japanese": "ドット", "Korean": "점",
}  # fmt: skip

_AMOUNT = re.compile(r"([$€£¥₹₺₩])\s?(\d[\d.,]*)|(\d[\d.,]*)\s?([$€£¥₹₺₩])")
_ADDRESS = re.compile(
    r"^(?:https?://|www\.)|^[\w.+-]+@[\w-]+\.[\w.]+$|^[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|io|edu|gov|de|fr|es)\b", re.I
)
_NUMBER = re.compile(r"^[\d.,]+$")
_FORMATTING = re.compile(r"[*_~`|<>^\\{}\[\]#]+")


def normalize_text(core: str, language: Language) -> str:
    """Return the spoken form of the word `core` in `language`."""
    text = unicodedata.normalize("NFKC", core) if any(ord(character) > 0x2000 for character in core) else core
    if text in (table := _ABBREVIATIONS.get(language, {})):
        return table[text]
    if _ADDRESS.search(text):
        text = re.sub(r"^https?://(www\.)?", "", text, flags=re.I)
        return " ".join(
            re.sub(
                r"\.", f" {_DOT_NAMES[language]} ", _verbalize_symbols(re.sub(r"[/?=&#_:-]+", " ", text), language)
            ).split()
        )
    text = _AMOUNT.sub(lambda found: f"{found[2] or found[3]} {_CURRENCY_NAMES[language][found[1] or found[4]]}", text)
    text = _FORMATTING.sub(" ", "".join(filter(_is_pronounceable, text)))
    if not _NUMBER.match(text):
        text = _verbalize_symbols(text, language)
    return " ".join(text.split())


def is_abbreviation(core: str) -> bool:
    """Return whether a full stop after `core` belongs to it, in any of the languages."""
    return core.casefold() in _ALL_ABBREVIATIONS


def _verbalize_symbols(text: str, language: Language) -> str:
    if language == "Turkish":
        text = re.sub(r"%\s?(\d[\d.,]*)", r"yüzde \1", text)
    if language == "Chinese":
        text = re.sub(r"(\d[\d.,]*)\s?%", r"百分之\1", text)
    for sign, name in (*_SYMBOL_NAMES[language].items(), *_CURRENCY_NAMES[language].items()):
        text = text.replace(sign, f" {name} ")
    return text


def _is_pronounceable(character: str) -> bool:
    """Return False for emoji, joiners, variation selectors and control characters."""
    return unicodedata.category(character) not in {"So", "Sk", "Cf", "Cc", "Co", "Cn"} or character in "°\u200c\u200d"
