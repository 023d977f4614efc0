"""Parsing of camera text into a move: English in detail, the common terms of the other nine languages of the engine."""

from __future__ import annotations

import random
import re
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CameraMove:
    """A camera move over one scene.

    Positive `zoom` is in; positive `pan`, `track`, `orbit` are right; positive `tilt`, `crane` are up. `pan` and `tilt`
    rotate the camera: all depths shift equally. `track` and `crane` move the camera: near layers shift more. `orbit`
    circles the subject: the layers behind it shift against the layers in front. `pace` multiplies the distance of the
    move.
    """

    zoom: float = 0.0
    pan: float = 0.0
    tilt: float = 0.0
    track: float = 0.0
    crane: float = 0.0
    orbit: float = 0.0
    handheld: float = 0.0
    pace: float = 1.0

    @property
    def is_still(self) -> bool:
        """Whether the camera does not move."""
        return not (self.zoom or self.pan or self.tilt or self.track or self.crane or self.orbit or self.handheld)


def parse_move(text: str, seed: int) -> CameraMove:
    """Return the move that a camera text requests.

    `seed` selects what the text leaves open: the move of an empty text, the side of a "pan" without a direction.
    """
    normalized = normalize(text)
    rng = random.Random(seed)  # noqa: S311 - visual variation, no secret
    concepts = {concept for concept, pattern in _PATTERNS.items() if pattern.search(normalized)}
    pace = 1.7 if "fast" in concepts else 0.5 if "faint" in concepts else 0.75 if "slow" in concepts else 1.0
    horizontal = _direction(normalized, concepts, "right", "left")
    vertical = _direction(normalized, concepts, "up", "down")
    zoom = float("in" in concepts) - float("out" in concepts)
    if not zoom and "zoom" in concepts:
        zoom = 1.0
    moves = concepts & {"pan", "tilt", "track", "crane", "orbit"}
    handheld = float("handheld" in concepts)
    if "hold" in concepts and not (zoom or moves):
        return CameraMove(handheld=handheld)
    if not moves and not zoom:
        if not (horizontal or vertical):
            return CameraMove(handheld=1.0, zoom=0.4) if handheld else _default_move(rng, pace)
        moves = ({"pan"} if horizontal else set()) | ({"tilt"} if vertical else set())
    if vertical and not moves & {"tilt", "crane"} and moves & {"pan", "track"}:
        moves |= {"tilt"} if "pan" in moves else {"crane"}
    random_side = rng.choice((-1.0, 1.0))
    x = horizontal or (0.0 if vertical and moves & {"tilt", "crane"} else random_side)
    y = vertical or 1.0
    return CameraMove(
        zoom=zoom,
        pan=x if "pan" in moves else 0.0,
        tilt=y if "tilt" in moves else 0.0,
        track=x if "track" in moves else 0.0,
        crane=y if "crane" in moves else 0.0,
        orbit=(horizontal or random_side) if "orbit" in moves else 0.0,
        handheld=handheld,
        pace=pace,
    )


def normalize(text: str) -> str:
    """Return the text in the form of the tables below: lower case, without accents and punctuation, single spaces."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(character for character in plain if not "\u0300" <= character <= "\u036f")
    words = re.sub(r"[-‐–—'’_,.;:]+", " ", unicodedata.normalize("NFC", bare).replace("ı", "i"))
    return " ".join(words.split())


def _direction(text: str, concepts: set[str], plus: str, minus: str) -> float:
    """Return +1, -1 or 0 for no direction. The last direction in the text counts ("from left to right")."""
    if not concepts & {plus, minus}:
        return 0.0
    last = {name: max((m.start() for m in _PATTERNS[name].finditer(text)), default=-1) for name in (plus, minus)}
    return 1.0 if last[plus] > last[minus] else -1.0


def _default_move(rng: random.Random, pace: float) -> CameraMove:
    """Return a random gentle move for a scene without a camera text."""
    side = rng.choice((-1.0, 1.0))
    return rng.choice(
        (
            CameraMove(zoom=1.0, pace=0.9 * pace),
            CameraMove(zoom=1.0, track=0.5 * side, pace=0.9 * pace),
            CameraMove(zoom=-1.0, pace=0.9 * pace),
            CameraMove(zoom=0.5, track=side, pace=0.9 * pace),
            CameraMove(zoom=0.6, crane=0.6, pace=0.9 * pace),
        )
    )


# Regular expressions: a row for English, one for the other languages in Latin script, one for the other scripts.
# Rows in Latin script match at the start of a word. The others match anywhere, since their scripts have no spaces or
# attach articles.
_TERMS: dict[str, tuple[str, ...]] = {
    "hold": (
        r"static|still\b|stays? still|lock(ed|down|s)?\b|tripod|hold|fixed|stationary|motionless"
        r"|no (camera )?(move|motion)"
        r"|without (any )?(camera )?(move|motion)|(does|do|is) ?n[o ]?t? mov|not moving|none\b",
        r"statisch|feste?\b|unbewegt|ohne (kamera)?bewegung|stativ|fixe|statique|sans mouvement|fij[oa]|estatic|inmovil"
        r"|sin movimiento|sabit|hareketsiz|duragan",
        "固定|静止|静态|不动|静的|定点|フィックス|動かない|고정|정지|정적|ثابت|ساكن|بدون حركة|स्थिर|अचल",
    ),
    "in": (
        r"(push|dolly|dolli|zoom|mov|clos|track|punch|fl|eas|glid|drift|creep)\w*( \w+)? (in|into|inward"
        r"|inwards|forward|closer|towards?|through)\b"
        r"|closer|approach|creep",
        r"(hin|her)einzoom|heranzoom|zoomt? (hin|her)ein|heranfahr|heran\b|hinein|fahrt (auf|nach vorn)|nahert|naher\b"
        r"|zoom avant|travelling avant|avance|rapproch|s approche|acerc|avanza|zoom (in\b|hacia adentro)"
        r"|yakinlas|yaklas|iceri|ileri",
        "推近|推进|推進|拉近|靠近|推镜|推鏡|推轨|前进|ズームイン|寄り|寄る|近づ|ドリーイン|プッシュイン|줌 ?인"
        "|다가|가까|푸시 ?인|달리 ?인"
        "|تقريب|تقترب|يقترب|اقتراب|للداخل|إلى الداخل|ज़ूम इन|जूम इन|डॉली इन|पुश इन|करीब|क़रीब|नज़दीक|नजदीक",
    ),
    "out": (
        r"(pull|dolly|dolli|zoom|mov|back|track|eas|glid|drift|draw|fl)\w*( \w+)? (out|outward|outwards|back"
        r"|backward|backwards|away)\b"
        r"|back(s|ing)? (off|up)|widen|reveal|retreat|reced",
        r"herauszoom|rauszoom|wegzoom|zoomt? (her|hin)aus|heraus|zuruck|entfern|ruckfahrt|zoom arriere"
        r"|travelling arriere|recul"
        r"|eloign|dezoom|elargi|alej|retroce|zoom hacia (fuera|afuera)|uzaklas|geri\b|geriye|disari",
        "拉远|拉遠|后退|後退|拉开|拉镜|远离|遠離|ズームアウト|引き|引く|遠ざか|ドリーアウト|プルアウト"
        "|プルバック|줌 ?아웃|멀어|물러|뒤로|달리 ?아웃"
        "|تبعيد|تبتعد|يبتعد|ابتعاد|للخارج|إلى الخارج|تراجع|ज़ूम आउट|जूम आउट|डॉली आउट|पुल आउट|पीछे हट|दूर",
    ),
    "zoom": (r"zoom|dolly\b|dolli", r"zum\b", "变焦|變焦|ズーム|ドリー|줌|زوم|تكبير|ज़ूम|जूम"),
    "pan": (
        r"pan\b|pans\b|panning|panoram|swish|whip|sweep|turns?\b",
        r"schwenk|panoramique|panoramica|paneo|panea|kaydir|pan yap|cevrin",
        "摇|搖|平移|パン(?!プ)|패닝|팬|تحريك أفقي|بان |بانوراما|تصوير أفقي|पैन",
    ),
    "tilt": (
        r"tilt|look(s|ing)? (up|down)",
        r"neig|kipp|bascul|inclin|egil",
        "俯仰|上摇|下摇|上搖|下搖|ティルト|チルト|틸트|إمالة|تميل|झुका|टिल्ट",
    ),
    "track": (
        r"track|truck|follow|slid(e|es|ing)\b|slider|lateral|sideways|dolly\w* (left|right)"
        r"|travel(?!ling (avant|arriere))|crab|drift|glid",
        r"(ver)?folgt?\b|seitlich|begleit|mitfahr|suit\b|suivi|suivre|desliz|sigue|siguiendo|seguimiento|takip|izle",
        "跟|移镜|移動|移动|横移|追|トラック|トラッキング|フォロー|트래킹|트랙|따라|تتبع|يتبع|تتابع|ट्रैक|पीछा"
        "|अनुसरण|साथ चल",
    ),
    "crane": (
        r"crane|jib|boom|pedestal|ris(e|es|ing)\b|ascend|descend|lower(s|ing)\b|elevat|aerial|drone|fl(y|ies"
        r"|ying) ?over",
        r"kran|grua|grue|vinc|drohne|steigt|sinkt|s eleve|sube|asciend|desciend|yuksel|alcal",
        "升|降|航拍|クレーン|ドローン|크레인|드론|رافعة|ترتفع|تنخفض|क्रेन|ड्रोन",
    ),
    "orbit": (
        r"orbit|arc\b|arcs\b|arcing|circl|revolv|around|360|rotat",
        r"umkreis|kreis|umrund|autour|alrededor|orbita|gira\b|girando|etrafinda|donerek|yorunge",
        "环绕|環繞|旋转|旋轉|围绕|回り込|周回|回る|回転|オービット|주위|회전|오빗|선회|يدور|تدور|حول|مدار"
        "|चारों ओर|परिक्रमा|घूम",
    ),
    "handheld": (
        r"hand ?held|shak(e|y|ing)|jitter|documentary|wobbl|sway",
        r"handkamera|wackel|camera a l epaule|a l epaule|camera portee|camara en mano|tembl|el kamerasi|omuz"
        r"|sarsinti|titre",
        "手持|晃动|晃動|手ブレ|手ぶれ|ハンドヘルド|핸드헬드|흔들|محمول|كاميرا يد|हैंडहेल्ड|हाथ में|हिलता|हिलती",
    ),
    "left": (
        r"left",
        r"links|gauche|izquierd|sola\b|sol\b",
        "左|왼|좌측|좌로|يسار|बाएं|बाएँ|बाईं|बायें|बाये",
    ),
    "right": (
        r"right(?! (at|in|on|into|up|before|after|there|now))",
        r"rechts|droit|derech|saga\b|sag\b",
        "右|오른|우측|우로|يمين|दाएं|दाएँ|दाईं|दायें|दाये",
    ),
    "up": (
        r"up\b(?! close)|upwards?|ris(e|es|ing)\b|ascend|skyward",
        r"hoch|nach oben|aufwarts|steigt|vers le haut|monte|s eleve|arriba|sube|asciend|yukari|yuksel",
        "向上|上摇|上搖|上移|升|上へ|上に|上を|上昇|위로|위쪽|상승|أعلى|فوق|ترتفع|ऊपर",
    ),
    "down": (
        r"down\b|downwards?|descend|lower(s|ing)\b",
        r"runter|herab|hinab|nach unten|abwarts|sinkt|vers le bas|abajo|baja|desciend|asagi|alcal",
        "向下|下摇|下搖|下移|降|下へ|下に|下を|下降|아래|하강|أسفل|تحت|تنخفض|नीचे",
    ),
    "slow": (
        r"slow|gentl|subtl|slight|soft|gradual|calm|lazy|lazily",
        r"langsam|sanft|leicht|lent|douce|doux|leger|suave|liger|despacio|yavas|hafif",
        "缓|緩|慢|轻|輕|ゆっくり|徐々|천천|느리|느린|부드|살짝|بطيء|ببطء|بلطف|धीमी|धीरे|धीमा|हल्क",
    ),
    "faint": (r"subtl|slight|barely|very slow", r"leicht|leger|liger|hafif", "微|わずか|살짝|हल्क"),
    "fast": (
        r"fast|quick|rapid|swift|whip|sudden|crash",
        r"schnell|rasch|vite\b|veloz|hizli|ani\b",
        "快|迅速|急|速く|素早|빠르|빠른|빨리|سريع|بسرعة|तेज",
    ),
}  # fmt: skip


def _compile(rows: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(rf"(?<![a-z])(?:{row})" if row.isascii() else f"(?:{_decompose(row)})" for row in rows))


def _decompose(row: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKD", row))


_PATTERNS = {concept: _compile(rows) for concept, rows in _TERMS.items()}
