"""Mood classifier: story text → one of the moods of the music families.

The planner classifies a story that has no mood; the music families classify the mood text of the request. The planner
does it before the step exists, so that an edit which does not change the mood leaves the score in the cache.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

MOODS = ("calm", "energetic", "happy", "nostalgic", "tender")
DEFAULT = "calm"

# Stems: a word matches if it begins with a stem (in scripts without spaces: if the text contains the stem). The lists
# hold the words that decide the music of a film, in the ten languages of the engine. The time of day is no mood: no
# list has `night`.
_STEMS: dict[str, str] = {
    "calm": """
        calm quiet peace serene tranquil gentle sleep dream moon stars starl starr soft rest snow lake meadow meditat
        relax slow
        tranquilo calma sereno paz luna sueño silencio calme paisib lune rêve silence doux ruhig fried mond
        traum sanft sakin huzur uyku rüya شاعري هادئ سلام قمر शान्त शांत चाँद नींद 平静 安静 宁静 月亮 梦
        morning dawn suave amanecer morgen aube doux sabah सुबह धीरे صباح فجر 早晨 朝 아침
        静か 穏やか 月 夢 평화 조용 고요 달 꿈
    """,
    "energetic": """
        energ action adventur battle chase danger dramatic dynamic epic escape excit explo fast fight fire hero hunt
        intense monster
        afraid alarm climb discover expedit fear fly journey panic quest sail scream stormy threat thunder treasure
        voyage wreck
        oscuro tehlikeli viaje reise yolculuk karanlık यात्रा साहस खोज رحلة مغامرة 旅程 여행
        power race rescue robot rocket run speed storm suspens tense thrill urgent war wild action danger
        aventura batalla peligro persecu carrera rápid tormenta guerra héroe tenso aventure bataille combat poursuite
        course tempête
        guerre héros tendu abenteuer kampf schlacht gefahr jagd flucht rennen sturm krieg held spannend rakete macera
        savaş tehlike
        kaçış yarış fırtına kahraman gergin مغامر معركة خطر حرب بطل عاصفة रोमांच युद्ध लड़ाई खतरा दौड़ तूफान वीर
        冒险 战斗 危险 追逐 紧张 英雄 风暴 战争 冒険 戦い 危険 緊張 英雄 嵐 戦争 激しい 모험 전투 위험 긴장 영웅 폭풍
        전쟁
    """,
    "happy": """
        happy happi joy joyf joyo cheer fun funny glad playful play party celebrat festiv bright sunny laugh comic
        comed humor humour delight
        celebrat smil heureux joie neşe dans फ़ुर्ती नाच उत्सव يضحك 祭り 节日 축제
        upbeat birthday dance carnival whimsical feliz alegr divert fiesta risa juega jugar cumpleaños joyeu heureu
        gai drôle fête
        rire jouer anniversaire fröhlich glücklich lustig freude heiter lach spiel geburtstag mutlu neşe eğlence
        sevinç komik oyun
        سعيد فرح مرح بهجة ضحك لعب खुश आनंद मज़ा मजेदार हँसी खेल 快乐 开心 高兴 欢乐 有趣 玩 楽しい 嬉しい 明るい 陽気 笑
        행복 즐거 기쁨 신나 웃음 놀이
    """,
    "nostalgic": """
        nostalg melanchol sad sadn sorrow grief memor remember past old ancient lonely alone lost farewell goodbye
        autumn rain dark
        crying funeral grey tears lágrimas larmes tränen allein üzgün gözyaşı आँसू دموع 涙 眼泪 눈물
        myster gloom haunt ghost shadow bittersweet wistful somber sombre ruin cry tear death died triste melancól
        recuerd soledad
        perdid adiós otoño lluvia oscur misterio tristesse mélancol souvenir seul perdu adieu automne pluie sombre
        mystère traurig
        wehmut melanchol erinner einsam verloren abschied herbst regen dunkel geheimnis hüzün üzgün üzücü anı yalnız
        kayıp veda
        sonbahar yağmur karanlık gizem حزين حنين ذكر وحيد ضائع وداع مطر ظلام غامض उदास दुख याद अकेल खोया विदा बारिश
        अंधेर रहस्य
        悲伤 忧郁 怀旧 回忆 孤独 告别 秋 雨 黑暗 神秘 悲しい 懐かしい 寂しい 思い出 孤独 別れ 秋 雨 暗い 謎
        슬픔 슬픈 그리움 추억 외로 이별 가을 비가 어두 신비
    """,
    "tender": """
        tender love romanc romantic warm heart kind care caring hope hopeful sweet mother father baby hug friend
        friendship family
        gentle intimate touching emotion wonder inspir uplift magic ternura tierno amor cariñ esperanza madre padre
        abraz amig
        familia corazón mágic tendre amour espoir mère père ami famille cœur magique zärtlich liebe hoffnung mutter
        vater freund
        familie herz warm zauber sevgi aşk şefkat umut anne baba dost arkadaş aile kalp sihir حب حنان أمل أم أب صديق
        عائلة قلب
        प्यार प्रेम ममता आशा माँ पिता दोस्त परिवार दिल 温柔 温馨 温暖 爱 希望 妈妈 爸爸 朋友 家 心 优しい 温かい 愛 希望
        母 父 友
        家族 心 사랑 따뜻 다정 희망 엄마 아빠 친구 가족 마음
    """,
}
_WITHOUT_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_WORD = re.compile(r"[^\W\d_]+(?:[\u0900-\u097f]+)*")
_NAMED = 5  # weight of a stem in the mood text; a stem in the story weighs 1


def classify_mood(named: str, text: str, moods: Sequence[str] = MOODS) -> str:
    """Return the mood of `moods` that fits best.

    `named` holds the mood words of the request, `text` is the story. A stem in `named` weighs `_NAMED` times a stem in
    `text`. Without a match the result is calm, or the first of the sorted `moods`.
    """
    scores = {name: _NAMED * _hits(name, named) + _hits(name, text) for name in moods}
    best = max(scores.values(), default=0)
    if best == 0:
        return DEFAULT if DEFAULT in moods else sorted(moods)[0]
    return min(name for name, score in scores.items() if score == best)


def _hits(name: str, text: str) -> int:
    """Count the stems of mood `name` in `text`."""
    text = text.casefold()
    stems, signs = stems_of(name)
    found = sum(1 for word in _WORD.findall(text) if any(_counts(word, stem) for stem in stems))
    return found + sum(text.count(sign) for sign in signs)


def _counts(word: str, stem: str) -> bool:
    """Return whether `word` matches `stem`.

    A stem of up to three letters matches only the same word: `war` is no prefix of `warm`.
    """
    return word.startswith(stem) if len(stem) > 3 else word == stem


@cache
def stems_of(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the stems of a mood, its own name included: those of scripts with spaces, and those of scripts without."""
    words = dict.fromkeys([name.casefold(), *_STEMS.get(name, "").split()])
    return (
        tuple(word for word in words if not _WITHOUT_SPACES.search(word)),
        tuple(word for word in words if _WITHOUT_SPACES.search(word)),
    )
