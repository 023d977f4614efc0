"""Sample sentences in every language with the difficulties of its script, and synthetic word timings."""

from __future__ import annotations

import re

STORIES = {
    "English": "Once upon a time, in a quiet village by the river, there lived a small grey cat named "
    "Pip. Every morning he waited for the fishermen to return, because Mr. Hale always kept "
    "one fish for him. But one cold day, the boats did not come back!",
    "German": "Es war einmal eine kleine graue Katze, die in einem stillen Dorf am Fluss lebte. Jeden "
    "Morgen wartete sie auf die Fischer, denn Herr Hansen hob immer einen Fisch für sie auf. "
    "Die Donaudampfschifffahrtsgesellschaft schwieg.",
    "French": "Il était une fois un petit chat gris qui vivait dans un village tranquille au bord de "
    "la rivière. « Où sont les pêcheurs ? » demanda-t-il un matin, car les bateaux n’étaient "
    "pas revenus.",
    "Spanish": "Había una vez un pequeño gato gris que vivía en un pueblo tranquilo junto al río. "
    "¿Dónde están los pescadores?, preguntó una mañana, ¡porque los barcos no habían vuelto!",
    "Turkish": "Bir varmış bir yokmuş, nehrin kıyısındaki sessiz bir köyde Pamuk adında küçük gri bir "
    "kedi yaşarmış. Her sabah balıkçıların dönüşünü beklermiş. İğde ağacının altında ağlamış.",
    "Arabic": "كان يا ما كان، في قرية هادئة بجانب النهر، عاشت قطة رمادية صغيرة اسمها لولو. كانت تنتظر "
    "عودة الصيادين كل صباح (في الساعة 7:30)، لأن العم سالم كان يحتفظ لها بسمكة دائمًا. ولكن "
    "في يوم بارد لم تعد القوارب مع Tom!",
    "Hindi": "एक समय की बात है, नदी के किनारे एक शांत गाँव में पिप नाम की एक छोटी बिल्ली रहती थी। वह हर सुबह "
    "मछुआरों के लौटने की प्रतीक्षा करती थी, क्योंकि क्षत्रिय श्रीमान हमेशा उसके लिए एक मछली बचाकर रखते थे। "
    "लेकिन एक ठंडे दिन नावें वापस नहीं आईं!",
    "Chinese": "从前，在河边一个安静的村庄里，住着一只名叫小灰的猫。它每天早上都等着渔夫回来，因为老王总"
    "会给它留一条鱼。可是有一天天气很冷，船没有回来！小灰看着空空的港口，决定去寻找他们。",
    "Japanese": "むかしむかし、川のほとりの静かな村に、ピップという名前の小さな灰色の猫が住んでいました。"
    "毎朝、漁師たちの帰りを待っていました。「どこへ行ったのだろう？」と、ピップはつぶやきまし"
    "た。ある寒い日、船は戻ってきませんでした。",
    "Korean": "옛날 옛적에, 강가의 조용한 마을에 핍이라는 이름의 작은 회색 고양이가 살고 있었습니다. "
    "고양이는 매일 아침 어부들이 돌아오기를 기다렸습니다. 그런데 어느 추운 날, 배들이 "
    "돌아오지 않았습니다!",
}

UNSPACED = ("Chinese", "Japanese")


def spoken(text: str, language: str, pace: float = 0.07) -> dict[str, object]:
    """Return a word_timings.json: words with their times and pauses at punctuation."""
    words, at = [], 0.1
    for word in re.findall(r".[、。，！？」]*" if language in UNSPACED else r"\S+\s*", text):
        length = 3 * pace if language in UNSPACED else 0.08 + pace * len(word.strip())
        words.append({"text": word, "start": round(at, 3), "end": round(at + length, 3)})
        at += length + (
            0.35 if re.search(r"[.!?。！？।]\s*$", word) else 0.15 if re.search(r"[,，、،]\s*$", word) else 0.01
        )
    return {"seconds": round(at, 3), "words": words}
