"""The mood of a story, for its music, when nobody named it: the mood whose words occur most. Pure."""

from __future__ import annotations

import re
from collections import Counter

_WORDS = {
    "tense": "storm stormy danger dark chase fear afraid night thunder shadow battle fight escape wreck threat alarm panic "
    "scream monster war urgent tormenta peligro oscuro sturm gefahr dunkel tempête danger nuit fırtına tehlike karanlık "
    "तूफ़ान तूफान खतरा अंधेरा عاصفة خطر ظلام 嵐 危険 闇 风暴 暴风雨 危险 黑暗 폭풍 위험 어둠",
    "sad": "sad tears cry crying alone lonely lost grief farewell goodbye funeral rain grey triste lágrimas traurig allein "
    "tränen larmes seul üzgün yalnız gözyaşı उदास आँसू अकेला حزين دموع وحيد 悲しい 涙 孤独 悲伤 眼泪 슬픈 눈물 외로운",
    "joyful": "happy joy laugh laughing dance festival party play playing celebrate birthday sunny smile smiling feliz alegre "
    "fiesta fröhlich lachen fest heureux joie fête mutlu neşe dans खुश हँसी उत्सव نाच سعيد فرح يضحك 嬉しい 笑う 祭り 快乐 笑 节日 행복 웃음 축제",
    "adventurous": "journey adventure sail quest climb explore discover hero voyage mountain expedition race fly treasure "
    "viaje aventura reise abenteuer voyage aventure yolculuk macera यात्रा साहस खोज رحلة مغامرة 冒険 旅 冒险 旅程 모험 여행",
    "calm": "calm quiet morning dawn meadow gentle sleep peaceful garden river tea soft dream tranquilo suave amanecer ruhig "
    "still morgen calme doux aube sakin sabah शांत सुबह धीरे هادئ صباح فجر 静か 朝 夢 安静 早晨 梦 고요 아침 꿈",
}
_MOOD_OF = {word.casefold(): mood for mood, words in _WORDS.items() for word in words.split()}
_SPACELESS = [word for word in _MOOD_OF if re.search(r"[\u3040-\u9fff]", word)]


def mood_of(text: str) -> str:
    """The one mood that the words of `text` point to most: tense, sad, joyful, adventurous or calm (the default)."""
    folded = text.casefold()
    votes = Counter(
        _MOOD_OF[word] for word in re.findall(r"[^\W\d_]+(?:[\u0900-\u0dff]+)*", folded) if word in _MOOD_OF
    )
    votes.update(_MOOD_OF[word] for word in _SPACELESS if word in folded)
    return max(_WORDS, key=lambda mood: (votes[mood], mood == "calm"))
